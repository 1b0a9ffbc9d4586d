"""An EnOS deployment of your own: as odd, strict and hostile as a real one may be.

It shares no code with the client and writes its JSON by itself, so that the two cannot share a mistake; the vendor's
samples judge both. It is served on the loopback interface only: inside a program (`Emulator`), in a process of its own
(`EmulatorProcess`, or ``python -m aioflows.emulator``), or not at all (`Emulator.respond`). Beside the service's own paths
there is ``GET /_emulator/state``, which tells how many requests there were, by operation, how many rows were answered and
exist, the most requests that were in flight at once, and the span that the rows lie in.
"""

from __future__ import annotations

from aioflows.emulator.emulator import Emulator
from aioflows.emulator.faults.catalogue import Fault
from aioflows.emulator.gateway.options import Access, Trouble
from aioflows.emulator.process import EmulatorProcess
from aioflows.emulator.reply import Reply
from aioflows.emulator.service.constraints import Constraints
from aioflows.emulator.service.request_log import SearchRecord
from aioflows.emulator.service.truth import Watch
from aioflows.emulator.switches import Meanwhile, Quirks, World

__all__ = [
    "Access",
    "Constraints",
    "Emulator",
    "EmulatorProcess",
    "Fault",
    "Meanwhile",
    "Quirks",
    "Reply",
    "SearchRecord",
    "Trouble",
    "Watch",
    "World",
]
