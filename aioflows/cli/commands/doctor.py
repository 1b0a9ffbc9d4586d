"""``aioflows doctor``: examines a service, and says which part of the set-up is wrong.

It reads only, sends about a dozen requests, and shows no secret. What the answers mean is decided in
`aioflows.cli.diagnosis`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypeVar

import attrs

from aioflows import (
    AioflowsError,
    Answer,
    Denied,
    FlowQuery,
    FlowSession,
    Limits,
    Request,
    RetryPolicy,
    ScheduleType,
    Throttled,
    Transport,
)
from aioflows.cli.diagnosis.checks import exit_of, judge
from aioflows.cli.diagnosis.examination import Examination, Received, SentPage
from aioflows.cli.diagnosis.page_checks import first_page
from aioflows.cli.exit_codes import Exit
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.output.checklist import json_lines, print_checks
from aioflows.cli.output.console import console_on
from aioflows.cli.output.meters import meter_of
from aioflows.cli.output.standard_output import standard_output
from aioflows.cli.zone_search import RowSearch

__all__ = ["RecordingTransport", "doctor", "examine"]

_T = TypeVar("_T")
_TIMEOUT = 10.0  # seconds of one attempt, unless --timeout is given
_RETRY = RetryPolicy(max_tries=2, max_elapsed=15, base=0.2, cap=1, max_retry_after=3)
_SMALL_PAGE = 50
_SHOWN_HEADERS = ("date", "retry-after", "ratelimit", "rate-limit", "quota")
_LONGEST_HEADER = 80
_DAY = timedelta(days=1)
_FIRST_MS = 1_000_000_000_000  # milliseconds since 1970: September 2001, before any EnOS


class RecordingTransport:
    """A transport that notes each attempt, and leaves it as it is.

    Args:
        inner: the transport that sends.
        received: where attempts are noted.
        now: returns the local time (s since 1970-01-01 UTC).
        clock: returns a time for durations (s).
    """

    def __init__(
        self,
        inner: Transport,
        received: list[Received],
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._received = received
        self._now = now
        self._clock = clock

    async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer:
        """Send a request and note its answer, or that there is none."""
        begun, answer = self._clock(), None
        try:
            answer = await self._inner.send(request, headers, timeout)
        finally:
            status = None if answer is None else answer.status
            shown = {} if answer is None else _shown(answer.headers)
            self._received.append(
                Received(request.operation, self._clock() - begun, self._now(), status, shown)
            )
        return answer

    async def close(self) -> None:
        """Close the transport that sends."""
        await self._inner.close()


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name.lower(): text[:_LONGEST_HEADER]
        for name, text in headers.items()
        if any(part in name.lower() for part in _SHOWN_HEADERS)
    }


async def doctor(connection: ConnectionOptions, limits: Limits, *, as_json: bool) -> Exit:
    """Examine a service, print each check, and return the exit code of the first one that failed."""
    screen = standard_output()
    options = attrs.evolve(connection, timeout=connection.timeout or _TIMEOUT)
    service = options.resolved
    seen = Examination(service.url, service.user_id, service.org_id, service.auth is not None)
    seen.zone_given = connection.server_timezone is not None
    seen.first_page_given = connection.first_page

    meter = meter_of(None, None, quiet=False, as_json=as_json)

    def session(zone: tzinfo | None) -> FlowSession:
        recorder = RecordingTransport(options.session(limits).transport, seen.received)
        return options.session(limits, meter.on_event, retry=_RETRY, transport=recorder, zone=zone)

    with meter:
        await examine(session, seen, time.time)
    checks = judge(seen)
    if as_json:
        for line in json_lines(checks, seen):
            print(line, file=screen)
    else:
        print_checks(checks, seen, console_on(screen))
    return exit_of(checks)


async def examine(
    session: Callable[[tzinfo | None], FlowSession], seen: Examination, now: Callable[[], float]
) -> None:
    """Ask a service what shows its set-up, and note the answers.

    Args:
        session: returns a new session with a zone of the service. None means that the session asks for it. Its
            transport notes attempts in `seen`.
        seen: where answers are noted.
        now: returns the local time (s since 1970-01-01 UTC).
    """
    async with session(None) as first:
        await _ask_time(first, seen, now)
        if isinstance(seen.time, AioflowsError):
            return
        seen.zone = await _or_error(first.server_timezone())
    # A session that knows the zone does not ask for it with each page.
    async with session(seen.zone if isinstance(seen.zone, tzinfo) else UTC) as second:
        query = await _find_rows(second, seen)
        if query is not None and isinstance(seen.zone, tzinfo):
            await _check_zone(second, seen, query)


async def _ask_time(session: FlowSession, seen: Examination, now: Callable[[], float]) -> None:
    seen.time = await _or_error(session.server_time())
    if seen.received:
        seen.time_at = now() - seen.received[-1].seconds / 2


async def _or_error(request: Awaitable[_T]) -> _T | AioflowsError:
    try:
        return await request
    except AioflowsError as error:
        return error


# Pages


async def _find_rows(session: FlowSession, seen: Examination) -> FlowQuery | None:
    """Ask for pages 0 and 1 of the newest instances, and return their query. None means that none were found."""
    assert isinstance(seen.time, datetime)
    end, found = seen.time + _DAY, None
    month = FlowQuery(end - 31 * _DAY, end, type=ScheduleType.PERIODIC, order_by="-trigger_time")
    ever = attrs.evolve(month, from_trigger_time=_FIRST_MS)
    others = [attrs.evolve(ever, type=kind) for kind in (ScheduleType.MANUAL, ScheduleType.TEMPORARY)]
    for query in (month, ever, *others):
        pages = await _pages_of(session, query)
        errors = [one.error for one in pages]
        if found is None or any(one.ids for one in pages):
            seen.pages = pages
            found = query if any(one.ids for one in pages) else None
        is_refused = any(isinstance(error, (Denied, Throttled)) for error in errors)
        if is_refused or None not in errors or all(one.ids for one in pages) or (query is ever and found):
            break
    return found


async def _pages_of(session: FlowSession, query: FlowQuery) -> list[SentPage]:
    """Ask for pages 0 and 1, and for smaller ones if both are refused."""
    pages: list[SentPage] = []
    for size in sorted({session.limits.page_size, min(_SMALL_PAGE, session.limits.page_size)}, reverse=True):
        for number in (0, 1):
            page = await _or_error(session.page(query, number, size))
            pages.append(SentPage(number, size, page))
            if isinstance(page, (Denied, Throttled)):
                return pages
        if any(one.error is None for one in pages):
            break
    return pages


# The zone of rows


async def _check_zone(session: FlowSession, seen: Examination, query: FlowQuery) -> None:
    """Ask for a row around its trigger time. If it is not there, find out where it is."""
    page, row = next(page for page in seen.pages if page.ids), seen.row
    assert row is not None
    assert row.trigger_time is not None
    search = RowSearch(session, query, first_page(seen.pages) or 0, page.size, row, row.trigger_time)
    try:
        seen.row_again = await search.is_shown()
        if not seen.row_again:
            seen.row_shift = await search.shift()
    except AioflowsError as error:
        seen.row_error = error
