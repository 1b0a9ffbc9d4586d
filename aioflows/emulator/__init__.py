"""An emulated EnOS deployment, with the quirks, limits and faults that a real one may have.

The emulator shares no code with the client and writes its own JSON, so the two cannot share a mistake. Both are
tested against the vendor's samples. The emulator runs inside a program (`Emulator`), in another process
(`EmulatorProcess`, or ``python -m aioflows.emulator``), or without a server (`Emulator.respond`). The server
listens on the loopback interface only.

Two paths are not the service's own. ``GET /_emulator/state`` returns counts of requests by operation, of
existing rows and of answered rows, the most requests in flight at once, and the time span of the rows.
``GET /_emulator/planted`` returns the runs that were planted as missed, doubled or late.
"""

from __future__ import annotations

from aioflows.emulator.emulator import Emulator
from aioflows.emulator.faults.catalogue import Fault
from aioflows.emulator.gateway.options import Access, Trouble
from aioflows.emulator.process import EmulatorProcess
from aioflows.emulator.reply import Reply
from aioflows.emulator.service.constraints import Constraints
from aioflows.emulator.service.options import Meanwhile, Quirks
from aioflows.emulator.service.request_log import SearchRecord
from aioflows.emulator.service.truth import Watch
from aioflows.emulator.world.irregular_runs import PlantedRun
from aioflows.emulator.world.options import World

__all__ = [
    "Access",
    "Constraints",
    "Emulator",
    "EmulatorProcess",
    "Fault",
    "Meanwhile",
    "PlantedRun",
    "Quirks",
    "Reply",
    "SearchRecord",
    "Trouble",
    "Watch",
    "World",
]
