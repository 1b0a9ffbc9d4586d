"""The type probe: an extra request that shows a service which ignores the schedule type 0.

The rows of a scan cannot show the mistake, because answers do not contain the type of a row. The mistake is
known from services that use MyBatis: ``<if test="type != ''">`` treats 0 as "not given". So
`ScheduleType.MANUAL` is dropped, and the rows of all types come.

1. Another type is requested over the window of the first page. A row that comes for both types shows the
   mistake. A row that lies behind the first page, or is new, is requested for ``MANUAL`` in its own second.
2. Rows of the other type that belong on the first page, but are missing there, show that the type is applied.
3. While neither was seen, no later page may hold a row that came for the other type.

The cost is one search after the first page of ``type=MANUAL``, and one or two more if fewer than two rows of
the other type belong on that page. Once the session has seen that the service applies the type, nothing is
probed.
"""

from __future__ import annotations

import attrs

from aioflows._core.filters.inquiries import PROBE_ROWS, PROBE_TRIES, Script
from aioflows._core.filters.seen_filters import SeenFilters
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.wire.zone import Zone, wall_seconds
from aioflows.errors import CompletenessError
from aioflows.models import ScheduleType

__all__ = ["type_ignored", "type_probe"]

_SHOWN = 2
"""Instances of another type that a page of manual instances must lack before the type counts as applied. A
single instance may be new."""


def type_probe(
    ask: PageRequest, page: Page, zone: Zone, seen: SeenFilters, others: dict[str, ScheduleType]
) -> Script:
    """Check that the service applies `ScheduleType.MANUAL`. Return the error if a row came for two types.

    Args:
        ask: request for manual instances that brought *page*, with the text of the query.
        page: the page that came, with rows.
        zone: zone of the service's times.
        seen: facts of the session about filters. Updated if the type is applied.
        others: filled with the ids of rows of another type, if the probe decides nothing. No later page of
            manual instances may hold one of these ids.
    """
    for other in (ScheduleType.PERIODIC, ScheduleType.TEMPORARY):
        found = yield (
            other,
            attrs.evolve(ask, page_size=min(PROBE_ROWS, ask.page_size), tries=PROBE_TRIES, expression=""),
        )
        if found is None or not found.ids:
            continue
        if shared := {*found.ids} & {*page.ids}:
            return type_ignored(min(shared), other)
        last = page.times[-1]
        before = [time for time in found.times if (time > last if ask.descending else time < last)]
        if len(before) >= _SHOWN:
            seen.manual = True  # the page spans the times of these rows, but lacks the rows
            return None
        name, time = found.ids[0], found.times[0]
        # The page does not show an instance behind its range, or a new one. So the second of the instance is
        # requested, by the id if possible.
        second = wall_seconds(time)
        first = (second - zone.offset_at(second)) * 1000 - 1000
        text = "" if ask.expression or "\\" in name else name
        axis = Direction(descending=False)
        narrow = attrs.evolve(
            ask,
            first=first,
            until=first + 3000,
            axis=axis,
            backward=False,
            tries=PROBE_TRIES,
            expression=text,
        )
        again = yield ScheduleType.MANUAL, narrow
        if again is not None and name in again.ids:
            return type_ignored(name, other)
        if again is not None and not text and 0 < len(again.ids) < len(page.ids):
            seen.manual = True
            return None
        others.update(dict.fromkeys(found.ids, other))
        return None
    return None


def type_ignored(name: str, other: ScheduleType) -> CompletenessError:
    """Return the error for an instance that came for MANUAL and for another type."""
    return CompletenessError(
        f"instance {name!r} came for type MANUAL and for type {other.name}: the service ignores type MANUAL (0), so "
        "manual instances cannot be told from instances of other types. Query PERIODIC or TEMPORARY instead"
    )
