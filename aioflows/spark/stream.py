"""How far a stream may read: the settled trigger time, and the end of a batch of limited size."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import attrs

from aioflows import BadCredentials, Denied, FlowQuery, RetryPolicy, ScheduleType, ServiceError, TokenExpired
from aioflows.errors import AnswerError
from aioflows.query import epoch_ms
from aioflows.spark.batch_end import batch_end, first_pages, further_pages
from aioflows.spark.offsets import StreamOffset
from aioflows.spark.options import SourceOptions
from aioflows.spark.reading import new_session
from aioflows.sync import FlowSession

__all__ = ["StreamProgress"]

_AT_ONCE: Final = 24
"""Pages that are asked for together. They share one question for the zone."""
_SHORTEST_REST, _LONGEST_REST = 1.0, 16.0
"""Seconds between two looks at a service that had no new rows. Spark itself looks every 10 ms."""
_DEEP: Final = RetryPolicy(max_tries=3)
_NOT_OF_DEPTH: Final = (Denied, BadCredentials, TokenExpired)


class StreamProgress:
    """The progress of one stream, in the process that plans its batches.

    Args:
        options: the options.
        clock: returns seconds that never go back. Default: the system's.

    Raises:
        QueryError: the stream has no start.
    """

    def __init__(self, options: SourceOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._query = options.fingerprint
        self._start_ms = options.stream_start()
        self._clock = clock
        self._stop_ms: int | None = None
        self._open: FlowSession | None = None
        self._next_look, self._rest = 0.0, _SHORTEST_REST

    def first(self) -> StreamOffset:
        """Return the offset at which a new stream begins."""
        return StreamOffset(self._start_ms, self._query, self._start_ms)

    def offset(self, kept: object) -> StreamOffset:
        """Return an offset that Spark kept."""
        return StreamOffset.from_dict(kept if isinstance(kept, dict) else {}, self._query)

    def stop_at_present(self) -> None:
        """End the stream at what is settled now."""
        self._stop_ms = self._settled_ms()

    def latest(self, start: StreamOffset, max_rows: int | None) -> StreamOffset:
        """Return the end of the next batch. It is *start* if no row is settled that was not read.

        Args:
            start: the start of the batch.
            max_rows: the greatest number of rows. None means any number.
        """
        now = self._clock()
        if self._stop_ms is None and now < self._next_look:
            return start
        end_ms = self._settled_ms() if self._stop_ms is None else self._stop_ms
        if end_ms <= start.ms:
            self._rest_from(now)
            return start
        until = self._batch_end(start.ms, end_ms, max_rows)
        if until is None:
            self._rest_from(now)
            return start
        self._rest = _SHORTEST_REST
        return attrs.evolve(start, ms=until)

    def session(self) -> FlowSession:
        """Return the session of the stream, which is opened when it is first needed."""
        if self._open is None:
            self._open = new_session(self._options).open()
        return self._open

    def close(self) -> None:
        """Close the session. Spark does not always call this, so nothing depends on it."""
        session, self._open = self._open, None
        if session is not None:
            session.close()

    def _rest_from(self, now: float) -> None:
        self._next_look, self._rest = now + self._rest, min(2 * self._rest, _LONGEST_REST)

    def _settled_ms(self) -> int:
        present = epoch_ms(self.session().server_time())
        return (present - int(1000 * self._options.settle)) // 1000 * 1000

    def _batch_end(self, start_ms: int, end_ms: int, max_rows: int | None) -> int | None:
        """Return the end of a batch (ms since the epoch). None means that there is no row."""
        query = self._options.query(start_ms, end_ms)
        if self.session().scan(query, limit=1).first() is None:
            return None
        if max_rows is None:
            return end_ms
        types = list(ScheduleType) if query.type is None else [query.type]
        shown = self._shown(query, types, first_pages(max_rows, len(types)))
        shown |= self._shown(query, types, further_pages(max_rows, len(types), shown))
        return 1000 * batch_end(max_rows, start_ms // 1000, end_ms // 1000, len(types), shown)

    def _shown(
        self, query: FlowQuery, types: list[ScheduleType], pages: list[tuple[int, int]]
    ) -> dict[tuple[int, int], int | None]:
        """Return the times of rows (seconds since the epoch). Pages that the service refuses are left out."""
        session, found = self.session(), {}

        def ask(one: tuple[int, int]) -> None:
            type, page = one
            with suppress(_Refused):
                found[one] = _row_time(session, attrs.evolve(query, type=types[type]), page)

        with ThreadPoolExecutor(_AT_ONCE) as threads:
            list(threads.map(ask, pages))
        return found


class _Refused(Exception):
    """The service refuses a page, as some do with deep ones."""


def _row_time(session: FlowSession, query: FlowQuery, page: int) -> int | None:
    """Return the trigger time of the only row of a page (seconds since the epoch), or None if it has no row."""
    try:
        rows = session.page(query, page, 1, retry=_DEEP).instances
    except (ServiceError, AnswerError) as error:
        if isinstance(error, _NOT_OF_DEPTH):
            raise
        raise _Refused from None
    times = [one.trigger_time for one in rows if one.trigger_time is not None]
    return int(times[0].timestamp()) if times else None
