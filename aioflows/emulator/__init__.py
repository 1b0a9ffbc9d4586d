"""An EnOS deployment of your own: as odd, strict and hostile as a real one may be.

It shares no code with the client and writes its JSON by itself, so that the two cannot share a mistake; the vendor's
samples judge both.
"""

from __future__ import annotations

from aioflows.emulator.changes import Watch
from aioflows.emulator.emulator import Emulator
from aioflows.emulator.faults import Fault
from aioflows.emulator.options import Access, Quirks, Trouble, World
from aioflows.emulator.process import EmulatorProcess
from aioflows.emulator.record import SearchRecord
from aioflows.emulator.reply import Reply

__all__ = [
    "Access",
    "Emulator",
    "EmulatorProcess",
    "Fault",
    "Quirks",
    "Reply",
    "SearchRecord",
    "Trouble",
    "Watch",
    "World",
]
