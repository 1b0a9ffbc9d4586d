"""``aioflows count``: counts the instances of a query by reading them, so that the number is proven."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

import attrs

from aioflows import (
    AioflowsError,
    FlowInstance,
    FlowQuery,
    FlowSession,
    Limits,
    QueryError,
    ScanStats,
    ScheduleType,
)
from aioflows._display.text import printable
from aioflows.cli.exit_codes import json_record, print_message
from aioflows.cli.first_contact import open_session
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.output.console import console_on
from aioflows.cli.output.meters import meter_of
from aioflows.cli.output.progress import Progress
from aioflows.cli.output.standard_output import standard_output

__all__ = ["GROUPINGS", "CountJob", "Counted", "count", "group_of"]

GROUPINGS = ("status", "flow", "day", "owner")
"""The values of ``--by``."""


@attrs.frozen
class CountJob:
    """The settings of ``aioflows count``.

    Args:
        query: query that selects the instances.
        by: what is counted apart: one of `GROUPINGS`. None means one number for all.
        limits: limits of the session.
        zone: zone of days. None means the service's zone.
        quiet: True to show no progress and no note.
        as_json: True to print one JSON object.

    Raises:
        QueryError: `by` is unknown.
    """

    query: FlowQuery
    by: str | None
    limits: Limits
    zone: tzinfo | None
    quiet: bool
    as_json: bool

    def __attrs_post_init__(self) -> None:
        if self.by is not None and self.by not in GROUPINGS:
            raise QueryError(f"--by {self.by!r} is not one of {', '.join(GROUPINGS)}")


@attrs.frozen
class Counted:
    """The numbers of a count.

    Args:
        groups: number of instances by the name of their group.
        stats: statistics of the scan.
        service_total: the number that the service names. None means that it names none.
    """

    groups: Counter[str]
    stats: ScanStats
    service_total: int | None

    @property
    def total(self) -> int:
        """The number of all instances."""
        return self.groups.total()

    @property
    def note(self) -> str:
        """A sentence on a service that names another number, or an empty text."""
        if self.service_total in (None, self.total):
            return ""
        return (
            f"note: the service itself names {self.service_total:,} instances. The number printed is that of the "
            "instances that were read; some may have come or gone meanwhile"
        )

    def ordered(self, by: str) -> list[tuple[str, int]]:
        """Return the groups: days in their order, others with the greatest number first."""
        if by == "day":
            return sorted(self.groups.items())
        return sorted(self.groups.items(), key=lambda one: (-one[1], one[0]))


async def count(connection: ConnectionOptions, job: CountJob) -> None:
    """Count the instances of a job, and print their number."""
    screen, console = standard_output(), console_on(sys.stderr)
    meter = meter_of(
        console if console.is_terminal else None,
        Progress.of(job.query, None),
        quiet=job.quiet,
        as_json=job.as_json,
    )
    groups: Counter[str] = Counter()
    async with open_session(connection, job.limits, meter) as session:
        async with session.scan(job.query) as scan:
            # What counts all together is not decoded.
            async for rows in scan.undecoded() if job.by is None else scan.pages():
                groups.update({"": len(rows)} if not isinstance(rows, list) else _keys(rows, job))
                meter.show(scan)
        counted = Counted(groups, scan.stats, await service_total(session, job.query, scan.stats))
    if job.as_json:
        print(_record(counted, job), file=screen)
        return
    if job.by is None:
        print(counted.total, file=screen)
    else:
        from rich.text import Text

        width = len(f"{counted.total:,}")
        for name, number in [*counted.ordered(job.by), ("all", counted.total)]:
            line = Text(f"{number:>{width},}  {printable(name, 200)}")
            line.no_wrap, line.overflow = True, "ignore"
            console_on(screen).print(line, soft_wrap=True)
    if counted.note and not job.quiet:
        print_message(counted.note)


def _keys(rows: Sequence[FlowInstance], job: CountJob) -> Sequence[str]:
    return [""] * len(rows) if job.by is None else [group_of(row, job.by, job.zone) for row in rows]


def group_of(instance: FlowInstance, by: str, zone: tzinfo | None) -> str:
    """Return the name of the group that an instance belongs to.

    Args:
        instance: the instance.
        by: one of `GROUPINGS`.
        zone: the zone of days. None means the service's.
    """
    if by == "status":
        return str(instance.status_name or instance.status)
    if by == "flow":
        return instance.flow_name or "–"
    if by == "owner":
        return instance.owner or "–"
    time = instance.trigger_time
    return "–" if time is None else f"{time if zone is None else time.astimezone(zone):%Y-%m-%d}"


async def service_total(session: FlowSession, query: FlowQuery, stats: ScanStats) -> int | None:
    """Return the number of instances that the service names itself, or None if it names none.

    The vendor documents the ``count`` of an answer as the number of its rows. Some services name the number of
    all rows there. A page of one row distinguishes them.

    Args:
        session: an open session.
        query: the query that was counted.
        stats: the statistics of its scan.
    """
    types = tuple(ScheduleType) if query.type is None else (query.type,)
    queries = [attrs.evolve(query, type=type, order_by="trigger_time") for type in types]
    try:
        pages = await asyncio.gather(*[session.page(one, stats.first_page or 0, 1) for one in queries])
    except AioflowsError:
        return None  # the count itself is proven without this page
    counts = [page.count for page in pages]
    if any(one is None for one in counts) or not any((one or 0) > 1 for one in counts):
        return None
    return sum(one or 0 for one in counts)


def _record(counted: Counted, job: CountJob) -> str:
    first, last = (
        datetime.fromtimestamp(ms / 1000, UTC).isoformat() for ms in (job.query.from_ms, job.query.to_ms)
    )
    groups = {} if job.by is None else {"by": job.by, "groups": dict(counted.ordered(job.by))}
    return json_record(
        "count",
        count=counted.total,
        **groups,
        service_total=counted.service_total,
        from_time=first,
        to_time=last,
        requests=counted.stats.requests,
        time_zone=counted.stats.time_zone,
    )
