"""A temporary file of the scan's own, for rows that are too many to be held. It decides nothing.

The file has no name, so that nobody else can open it and nothing is left when the process dies. Work on it is done in a
thread, one piece after the other.
"""

from __future__ import annotations

import asyncio
import pickle
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any, BinaryIO, TypeVar

from aioflows._core.scans.machine import SpillRead, SpillWrite
from aioflows.errors import AioflowsError
from aioflows.models import FlowInstance

__all__ = ["Spill"]

T = TypeVar("T")


class Spill:
    """Rows on disk; the file comes with the first of them."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._end = 0
        self._turn = threading.Lock()
        self._closed = False
        self._running: set[asyncio.Future[Any]] = set()

    async def perform(self, task: SpillWrite | SpillRead) -> Callable[[], None]:
        """Lay rows aside or read them back; give what tells the machine.

        Raises:
            AioflowsError: the file cannot be written or read.
        """
        try:
            if isinstance(task, SpillWrite):
                store, units = task, await self._beside(lambda: self._store(task.rows, task.unit))
                return lambda: store.done(units)
            load, rows = task, await self._beside(lambda: self._load(task.offset, task.length))
            return lambda: load.done(rows)
        except OSError as error:
            raise AioflowsError(
                f"rows could not be laid aside in a temporary file: {error}. Give TMPDIR a place with more room, or the "
                "session larger Limits(buffer=...)"
            ) from error

    async def aclose(self) -> None:
        """Wait for what is under way, and let go of the file. Twice is fine."""
        self._closed = True
        if self._running:
            await asyncio.wait(self._running)
        if self._file is not None:
            self._file.close()
            self._file = None

    async def _beside(self, work: Callable[[], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(None, self._alone, work)
        self._running.add(future)
        future.add_done_callback(self._over)
        # A thread cannot be cancelled, so it is waited for when the file is closed.
        return await asyncio.shield(future)

    def _over(self, future: asyncio.Future[Any]) -> None:
        self._running.discard(future)
        if not future.cancelled():
            future.exception()  # seen, even if who wanted the rows has gone

    def _alone(self, work: Callable[[], T]) -> T:
        with self._turn:
            if self._closed:
                raise AioflowsError("the scan was closed")
            return work()

    def _store(self, rows: Sequence[FlowInstance], unit: int) -> list[tuple[int, int]]:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="aioflows-")  # noqa: SIM115  (it lives as long as the scan)
            weakref.finalize(self, self._file.close)
        units = []
        self._file.seek(self._end)
        for start in range(0, len(rows), unit):
            packed = pickle.dumps(rows[start : start + unit], pickle.HIGHEST_PROTOCOL)
            self._file.write(packed)
            units.append((self._end, len(packed)))
            self._end += len(packed)
        self._file.flush()
        return units

    def _load(self, offset: int, length: int) -> list[FlowInstance]:
        assert self._file is not None, "rows are read back only where they were laid aside"
        self._file.seek(offset)
        packed = BytesIO(self._file.read(length))
        rows: list[FlowInstance] = []
        while packed.tell() < length:
            rows += pickle.load(packed)  # noqa: S301  (nobody else can write to this file)
        return rows
