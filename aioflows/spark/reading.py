"""What a task does: it reads its window with a session of its Python worker.

A worker that serves several tasks keeps its session, and so its token and what it has learnt. But Spark ends
workers as it likes, without a word. So nothing here needs to be closed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

import attrs

from aioflows import AioflowsError
from aioflows._extras import pa
from aioflows.spark.options import SourceOptions
from aioflows.spark.windows import TaskWindow
from aioflows.sync import FlowSession

if TYPE_CHECKING:
    import pyarrow  # noqa: ICN001  (`pa` imports it late)

__all__ = ["new_session", "plan", "read_window", "spoken"]

_ROWS_AT_LEAST: Final = 20_000
"""Rows for which a window of its own pays, where the number of windows is not given."""
_BATCHES: Final = (0, 0, 1_000, 2_000, 4_000)
"""The least rows of the first batches of a window, and of all further ones. Larger ones cost Spark less."""
_MOST_BYTES: Final = 8_000_000
"""The bytes for which a batch has no more rows."""
_FEW: Final = 25
"""Rows of the first piece. ``show()`` needs 21."""
_BUFFER: Final = 65_536
"""The buffer that a Python worker of Spark fills before it sends (bytes)."""
_PAUSE, _LONGEST_PAUSE = 0.3, 3.0
"""Seconds after the first rows of a batch. ``show(5)`` needs no more, and Spark ends the worker meanwhile.

A busy machine takes longer to end it, so the pause grows with the load and with the time of the first rows."""


@contextmanager
def spoken(what: str) -> Iterator[None]:
    """Raise errors of this package with the name of the class in front, because Spark keeps the text only."""
    try:
        yield
    except AioflowsError as error:
        raise RuntimeError(f"{type(error).__name__}: {what}: {error}") from None


def new_session(options: SourceOptions) -> FlowSession:
    """Return a new session. Its keys are those that this process finds."""
    return FlowSession(
        options.url,
        user_id=options.user_id,
        org_id=options.org_id,
        auth=options.keys(),
        limits=options.limits,
        server_timezone=options.server_timezone,
        first_page=options.first_page,
        governor=options.governor,
        allow_http=options.allow_http,
    )


def plan(
    options: SourceOptions, from_ms: int, to_ms: int, cores: int, open_session: FlowSession | None = None
) -> list[TaskWindow]:
    """Return the windows of a range, of about as many rows each.

    Args:
        options: the options.
        from_ms: the start of the range (ms since the epoch).
        to_ms: its end.
        cores: how many tasks run at a time.
        open_session: the session of a stream, whose batches are not the first rows that somebody looks at. Default:
            None, a new session for a batch.
    """
    query = options.query(from_ms, to_ms)
    least = _ROWS_AT_LEAST if options.partitions is None else 0
    with new_session(options) if open_session is None else nullcontext(open_session) as session:
        parts = session.cuts(query, options.partitions or 2 * cores, min_rows=least)
    return [
        TaskWindow(part.from_ms, part.to_ms, is_first=open_session is None and number == 0)
        for number, part in enumerate(parts)
    ]


def read_window(
    options: SourceOptions, window: object, columns: tuple[str, ...]
) -> Iterator[pyarrow.RecordBatch]:
    """Yield the rows of a window in the order of trigger time, so that a repeated task yields the same ones.

    Args:
        options: the options.
        window: the window. What is no window, or is empty, has no rows.
        columns: the names of the columns.
    """
    if not isinstance(window, TaskWindow) or window.is_empty:
        return
    query, began = options.query(window.from_ms, window.to_ms), time.monotonic()
    with spoken(str(window)), _WORKER.session(options) as session, session.scan(query) as scan:
        batches = scan.record_batches(columns, tasks=options.tasks, names="text")
        if window.is_first and (first := next(batches, None)) is not None:
            taken = time.monotonic() - began
            yield from _in_pieces(first)
            time.sleep(min(max(_PAUSE * _load(), taken), _LONGEST_PAUSE))
        yield from _larger(batches)


def _load() -> float:
    """Return how many processes would run on each core of this machine, at least 1."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 1.0
    return max(1.0, load / (os.cpu_count() or 1))


def _in_pieces(batch: pyarrow.RecordBatch) -> Iterator[pyarrow.RecordBatch]:
    """Yield some rows, and then the others and batches without rows, which push the first ones out of the buffer."""
    yield batch.slice(0, _FEW)
    rest, empty = batch.slice(_FEW), batch.slice(0, 0)
    yield rest
    missing = max(0, _BUFFER - rest.nbytes)
    for _ in range(-(-missing // pa.ipc.get_record_batch_size(empty))):
        yield empty


def _larger(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """Yield the first batches as they come, and then larger ones."""
    sizes, held, rows, size = list(_BATCHES), [], 0, 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= sizes[0] or size >= _MOST_BYTES:
            yield from _joined(held)
            held, rows, size = [], 0, 0
            if len(sizes) > 1:
                del sizes[0]
    if held:
        yield from _joined(held)


def _joined(batches: list[pyarrow.RecordBatch]) -> list[pyarrow.RecordBatch]:
    """Return batches as one, or as several if texts are too long for one."""
    if len(batches) == 1:
        return batches
    joined: list[pyarrow.RecordBatch] = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return joined


@attrs.define
class _WorkerSession:
    """The session of this Python worker."""

    _options: SourceOptions | None = None
    _session: FlowSession | None = None
    _process: int = 0

    @contextmanager
    def session(self, options: SourceOptions) -> Iterator[FlowSession]:
        """Give the session for these options. After an error there is a new one, with the keys as they are then."""
        if self._session is None or self._options != options or self._process != os.getpid():
            self.close()
            self._session = new_session(options).open()
            self._options, self._process = options, os.getpid()
        try:
            yield self._session
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


_WORKER: Final = _WorkerSession()
