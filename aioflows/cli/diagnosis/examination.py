"""What an examination of a service has seen. It holds no secret, so that it may be printed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime

import attrs

from aioflows import AioflowsError, FlowInstance, FlowPage

__all__ = ["Examination", "Received", "SentPage", "parsed_date"]


@attrs.frozen
class Received:
    """One attempt at a request.

    Args:
        operation: the service's name for the operation.
        seconds: the time until the answer, or until the failure.
        at: the local time of the answer (s since 1970-01-01 UTC).
        status: the HTTP status. None means no answer.
        headers: the headers that tell the time or a quota.
    """

    operation: str
    seconds: float
    at: float
    status: int | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class SentPage:
    """One page that was asked for.

    Args:
        number: the number of the page.
        size: the rows that were asked for.
        found: the page, or the error that came instead.
    """

    number: int
    size: int
    found: FlowPage | AioflowsError

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of its rows."""
        return (
            ()
            if isinstance(self.found, AioflowsError)
            else tuple(one.instance_id for one in self.found.instances)
        )

    @property
    def error(self) -> AioflowsError | None:
        """The error that came instead of the page."""
        return self.found if isinstance(self.found, AioflowsError) else None


@attrs.define
class Examination:
    """What was seen, as far as the examination came. None means not seen.

    Args:
        url: the address of the gateway.
        user_id: the user.
        org_id: the organization.
        has_keys: True if requests are signed.
        zone_given: True if the user gave the zone of the service.
        first_page_given: the number of the first page that the user gave. None means none.
        received: every attempt at a request, in order.
        time: the service's time.
        time_at: the local time in the middle of that request.
        zone: the zone that the service names, or that the user gave.
        pages: pages 0 and 1 of the same query, and those of smaller sizes if these are refused.
        row_again: True if a row came again around its trigger time, False if it did not.
        row_shift: how much later that row lies than it says. None means that it was not found.
        row_error: the error of that question.
    """

    url: str
    user_id: str
    org_id: str
    has_keys: bool
    zone_given: bool = False
    first_page_given: int | None = None
    received: list[Received] = attrs.field(factory=list)
    time: datetime | AioflowsError | None = None
    time_at: float = 0.0
    zone: tzinfo | AioflowsError | None = None
    pages: list[SentPage] = attrs.field(factory=list)
    row_again: bool | None = None
    row_shift: timedelta | None = None
    row_error: AioflowsError | None = None

    @property
    def attempts(self) -> int:
        """The number of requests that were sent, those for tokens and retries included."""
        return len(self.received)

    @property
    def skew(self) -> float | None:
        """Seconds by which the service's clock is ahead of the local one. None means that it is not known."""
        if isinstance(self.time, datetime):
            return self.time.timestamp() - self.time_at
        for one in self.received:
            sent = parsed_date(one.headers.get("date", ""))
            if sent is not None:
                return sent + 0.5 - one.at  # a date has whole seconds
        return None

    @property
    def row(self) -> FlowInstance | None:
        """The oldest instance of the first page that has any, so that it has neighbours. None means that none was read."""
        page = next((one.found for one in self.pages if one.ids), None)
        return page.instances[-1] if isinstance(page, FlowPage) else None

    @property
    def row_zone(self) -> tzinfo | None:
        """The zone in which a row is printed, as far as its moment shows it. None means that it was not found."""
        named = None if isinstance(self.zone, AioflowsError) or self.zone is None else self.zone
        if self.row_shift is None or named is None or self.row is None:
            return None
        moment = self.row.trigger_time
        offset = None if moment is None else moment.astimezone(named).utcoffset()
        return None if offset is None else timezone(offset - self.row_shift)


def parsed_date(text: str) -> float | None:
    """Return the time of a ``Date`` header (s since 1970-01-01 UTC), or None if it cannot be read."""
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC).timestamp()
    except (ValueError, TypeError):  # strptime would read names of months in the language of the system
        return None
