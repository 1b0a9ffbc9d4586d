"""The spill file of a scan: a temporary file for rows that do not fit in memory.

The file has no name. So no other process can open it, and it disappears with the process. A thread reads and
writes it, one operation after the other.
"""

from __future__ import annotations

import pickle
import tempfile
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from typing import BinaryIO, TypeVar

from aioflows._core.scans.machine import SpillRead, SpillWrite
from aioflows._worker import Worker
from aioflows.errors import AioflowsError
from aioflows.models import FlowInstance

__all__ = ["Spill"]

T = TypeVar("T")


class Spill:
    """Rows on disk. The file is created with the first row."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._end = 0
        self._worker = Worker(daemon=False)
        self._closed = False

    async def perform(self, task: SpillWrite | SpillRead) -> Callable[[], None]:
        """Write rows to the file or read them back. Return a function that passes the result to the machine.

        Raises:
            AioflowsError: the file cannot be written or read.
        """
        try:
            if isinstance(task, SpillWrite):
                store, units = task, await self._in_thread(lambda: self._store(task.rows, task.unit))
                return lambda: store.done(units)
            load, rows = task, await self._in_thread(lambda: self._load(task.offset, task.length))
            return lambda: load.done(rows)
        except OSError as error:
            raise AioflowsError(
                f"rows cannot be spilled to a temporary file: {error}. Set TMPDIR to a folder with more "
                "space, or give the session a larger Limits(buffer=...)"
            ) from error

    async def aclose(self) -> None:
        """Wait for operations under way and close the file. Safe to call more than once."""
        self._closed = True
        await self._worker.wait()
        if self._file is not None:
            self._file.close()
            self._file = None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await self._worker.run(partial(self._unless_closed, work))

    def _unless_closed(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise AioflowsError("the scan was closed while rows were being spilled")
        return work()

    def _store(self, rows: Sequence[FlowInstance], unit: int) -> list[tuple[int, int]]:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="aioflows-")  # noqa: SIM115  (the file lives as long as the scan)
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
        assert self._file is not None, "rows are read back only after they were written"
        self._file.seek(offset)
        packed = BytesIO(self._file.read(length))
        rows: list[FlowInstance] = []
        while packed.tell() < length:
            rows += pickle.load(packed)  # noqa: S301  (no other process can write to this file)
        return rows
