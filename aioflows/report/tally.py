"""The counts of a report, added up page by page, and the runs of a few days.

Rules:
1. The size is bounded by `Bounds` and by the number of flows, owners and statuses, not by the number of
   instances.
2. Every instance is counted. The tally records how many flows and days were merged, and how many runs were left
   out.
3. The order of instances and their division into pages make no difference, unless flows were folded.

If there are too many counts, the flows with the fewest instances are folded into one. If the counts are still
too many, days are merged, first into weeks. Hours are local times: an hour that the clocks repeat counts as
one.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from operator import itemgetter

import attrs

from aioflows._display.text import printable
from aioflows.models import FlowInstance, FlowStatus
from aioflows.report.flow_totals import FAILURES, FlowTotals, durations_ms

__all__ = ["EDGES", "Bounds", "DurationTotal", "Run", "Tally", "delay_quantile", "quantile"]

EDGES = (
    1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800, 604_800,
)  # fmt: skip
"""Limits of the duration buckets (seconds). A duration equal to a limit is in the bucket above the limit."""

_EDGES_MS = tuple(1000 * edge for edge in EDGES)

_FOLDED = 0  # the number of the source "other flows"
_MIN_FLOWS = 20
_SPANS = (1, 7, 28, 364, 3640)
_LONGEST_NAME = 100  # characters; a longer name is cut
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Status = FlowStatus | int | None
Count = tuple[int, int, int, Status]
"""Row (ordinal of the day divided by the span), hour, source, status."""
Length = tuple[int, int, Status, int]
"""Row, source, status, bucket of `EDGES`."""

# A count has one whole number as its key: the row, the hour or the bucket, the source and the status. A tuple
# would cost more than a count, and would be looked at by each garbage collection.
_PARTS, _SOURCES, _STATUSES = 32, 1 << 32, 1 << 32
_ROW, _PART = _PARTS * _SOURCES * _STATUSES, _SOURCES * _STATUSES


@attrs.frozen
class Bounds:
    """The limits for the size of a tally.

    Args:
        cells: largest number of counts. Default: 120,000.
        days: number of newest days whose runs are kept. Default: 7.
        runs: largest number of runs kept per day. Default: 2,000.
        failures: largest number of failed instances kept, the newest. Default: 1,000.
    """

    cells: int = 120_000
    days: int = 7
    runs: int = 2_000
    failures: int = 1_000


@attrs.frozen
class DurationTotal:
    """The total duration of some runs.

    Args:
        runs: number of runs.
        ms: total duration (milliseconds).
        longest: longest duration (milliseconds), at least 0.
    """

    runs: int
    ms: int
    longest: int


@attrs.frozen(order=True)
class Run:
    """One instance on the timeline. Times are milliseconds since 1970-01-01 UTC."""

    trigger: int
    instance_id: str
    source: int = attrs.field(order=False)
    status: Status = attrs.field(order=False)
    start: int | None = attrs.field(order=False)
    end: int | None = attrs.field(order=False)


_Run = tuple[datetime, str, int, Status, datetime | None, datetime | None]
"""The trigger time, the id, the source, the status, the start and the end of an instance."""
_TIME_AND_ID = itemgetter(0, 1)


def _run(run: _Run) -> Run:
    trigger, instance_id, source, status, start, end = run
    return Run(
        _ms(trigger),
        printable(instance_id, _LONGEST_NAME),
        source,
        status,
        _ms_or_none(start),
        _ms_or_none(end),
    )


class Tally:
    """The counts of flow instances by day, hour, flow, owner and status.

    Args:
        zone: zone of days and hours. Default: None, which means the zone of the first instance (the service's).
        day: day whose runs are kept. Default: None, which means the newest days.
        bounds: limits for the size. Default: None, which means the defaults of `Bounds`.
    """

    def __init__(
        self, zone: tzinfo | None = None, day: date | None = None, bounds: Bounds | None = None
    ) -> None:
        self.zone = zone
        self.totals = FlowTotals()
        self.undated = 0
        self.span = 1
        self._counts: dict[int, int] = {}
        self._length_runs: dict[int, int] = {}
        self._length_ms: dict[int, int] = {}
        self._longest: dict[int, int] = {}
        self._delays: dict[int, int] = {}
        self._statuses: list[Status] = []
        self._status_index: dict[Status, int] = {}
        self.sources: list[tuple[str, str]] = [("other flows", "")]
        self.left_out: Counter[int] = Counter()
        self.failures_left_out = 0
        self._day = None if day is None else day.toordinal()
        self._bounds = bounds or Bounds()
        self._known: dict[tuple[int | str | None, str | None], int] = {}
        self._fold: dict[int, int] = {}
        self._runs: dict[int, list[_Run]] = {}
        self._failures: list[_Run] = []

    @property
    def instances(self) -> int:
        """Number of instances."""
        return self.totals.instances

    @property
    def folded(self) -> int:
        """Number of flows that are folded into one."""
        return len(self._fold)

    def add(self, instances: Iterable[FlowInstance]) -> None:
        """Add instances to the counts."""
        rows = list(instances)
        durations = durations_ms(rows)
        self.totals.add(rows, durations)
        known, fold, counts, delays = self._known, self._fold, self._counts, self._delays
        runs, total_ms, longest = self._length_runs, self._length_ms, self._longest
        statuses = self._status_index
        zone, day, kept = self.zone, -1, False
        for instance, ms in zip(rows, durations, strict=True):  # one loop, since calls for each row cost most
            trigger, flow_id, start = instance.trigger_time, instance.flow_id, instance.start_time
            if trigger is None:
                self.undated += 1
                continue
            if zone is None:
                zone = self.zone = trigger.tzinfo
            local = trigger if trigger.tzinfo is zone else trigger.astimezone(zone)
            if local.toordinal() != day:
                day = local.toordinal()
                kept = day == self._day or (self._day is None and self._admit_day(day))
            # Flows may share a name, and a flow may be renamed. So the name counts only without an id.
            key = instance.flow_name if flow_id is None else flow_id, instance.owner
            source = known.get(key)
            if source is None:
                source = known[key] = self._new_source(instance)
            status = instance.status
            index = statuses.get(status)
            if index is None:
                index = statuses[status] = len(self._statuses)
                self._statuses.append(status)
            cell = day // self.span * _ROW + fold.get(source, source) * _STATUSES + index
            place = cell + local.hour * _PART
            counts[place] = counts.get(place, 0) + 1
            if ms is not None:
                place = cell + bisect_right(_EDGES_MS, ms) * _PART
                runs[place] = runs.get(place, 0) + 1
                total_ms[place] = total_ms.get(place, 0) + ms
                if ms > longest.get(place, 0):
                    longest[place] = ms
            if start is not None:
                waited = start - trigger
                if (
                    type(trigger.tzinfo) is not timezone
                ):  # Python subtracts wall clocks within one zone (PEP 495)
                    waited = start.astimezone(UTC) - trigger.astimezone(UTC)
                if waited.days >= 0:
                    place = cell + bisect_right(EDGES, waited.days * 86_400 + waited.seconds) * _PART
                    delays[place] = delays.get(place, 0) + 1
            if kept or status in FAILURES:
                run = local, instance.instance_id, source, status, start, instance.end_time
                if kept:
                    self._runs.setdefault(day, []).append(run)
                if status in FAILURES:
                    self._failures.append(run)
        for number, listed in self._runs.items():
            if len(listed) >= 2 * self._bounds.runs:
                self._trim(number)
        if len(self._failures) >= 2 * self._bounds.failures:
            self._trim_failures()
        while self.cells > self._bounds.cells and self._shrink():
            pass

    def runs(self) -> Iterator[tuple[int, list[Run]]]:
        """Yield the days whose runs are kept, oldest first, with their runs by trigger time."""
        for day in sorted(self._runs):
            self._trim(day)
            yield day, [*map(_run, self._runs[day])]

    @property
    def cells(self) -> int:
        """Number of counts."""
        return len(self._counts) + len(self._length_runs) + len(self._delays)

    @property
    def rows(self) -> set[int]:
        """The rows that have instances: ordinals of days divided by the span."""
        return {place // _ROW for place in self._counts}

    def counts(self) -> dict[Count, int]:
        """Return the number of instances by row, hour, source and status."""
        return {self._cell(place): n for place, n in self._counts.items()}

    def lengths(self) -> dict[Length, DurationTotal]:
        """Return the duration of the runs by row, source, status and bucket."""
        found = {}
        for place, runs in self._length_runs.items():
            row, part, source, status = self._cell(place)
            total = DurationTotal(runs, self._length_ms[place], self._longest.get(place, 0))
            found[row, source, status, part] = total
        return found

    def delays(self) -> dict[Length, int]:
        """Return the number of runs by row, source, status and bucket of the time from the trigger to the start."""
        found = {}
        for place, runs in self._delays.items():
            row, part, source, status = self._cell(place)
            found[row, source, status, part] = runs
        return found

    def _cell(self, place: int) -> Count:
        rest, status = divmod(place, _STATUSES)
        rest, source = divmod(rest, _SOURCES)
        row, part = divmod(rest, _PARTS)
        return row, part, source, self._statuses[status]

    def failures(self) -> list[Run]:
        """Return the failed instances that are kept, the newest first."""
        self._trim_failures()
        return [*map(_run, reversed(self._failures))]

    def counted_source(self, source: int) -> int:
        """Return the source under which instances of a source are counted: the source, or "other flows"."""
        return self._fold.get(source, source)

    def _new_source(self, instance: FlowInstance) -> int:
        name = printable(instance.flow_name or "–", _LONGEST_NAME)
        if instance.flow_id is not None:
            name = f"{name} ({instance.flow_id})"
        self.sources.append((name, printable(instance.owner or "–", _LONGEST_NAME)))
        return len(self.sources) - 1

    # Keeping the size within its bounds

    def _admit_day(self, day: int) -> bool:
        if day in self._runs or len(self._runs) < self._bounds.days:
            return True
        oldest = min(self._runs)
        if day < oldest:
            return False
        del self._runs[oldest]
        self.left_out.pop(oldest, None)
        return True

    def _trim(self, day: int) -> None:
        runs = self._runs[day]
        runs.sort(key=_TIME_AND_ID)
        self.left_out[day] += len(runs[self._bounds.runs :])
        del runs[self._bounds.runs :]

    def _trim_failures(self) -> None:
        self._failures.sort(key=_TIME_AND_ID)
        surplus = max(0, len(self._failures) - self._bounds.failures)
        self.failures_left_out += surplus
        del self._failures[:surplus]

    def _shrink(self) -> bool:
        span = self.span
        sizes: Counter[int] = Counter()
        for place, count in self._counts.items():
            sizes[place // _STATUSES % _SOURCES] += count
        del sizes[_FOLDED]
        if len(sizes) > _MIN_FLOWS:
            keep = max(_MIN_FLOWS, len(sizes) // 2)
            least = sorted(sizes, key=lambda source: (-sizes[source], source))[keep:]
            self._fold |= dict.fromkeys(least, _FOLDED)
        elif span != _SPANS[-1]:
            self.span = _SPANS[_SPANS.index(span) + 1]
        else:
            return False
        ratio, fold = self.span // span, self._fold

        def moved(place: int) -> int:
            row, rest = divmod(place, _ROW)
            part, rest = divmod(rest, _PART)
            source, status = divmod(rest, _STATUSES)
            return row // ratio * _ROW + part * _PART + fold.get(source, source) * _STATUSES + status

        for cells in (self._counts, self._length_runs, self._length_ms, self._delays):
            before = [*cells.items()]
            cells.clear()
            for place, n in before:
                to = moved(place)
                cells[to] = cells.get(to, 0) + n
        before = [*self._longest.items()]
        self._longest.clear()
        for place, ms in before:
            to = moved(place)
            self._longest[to] = max(self._longest.get(to, 0), ms)
        return True


def quantile(tally: Tally, share: float) -> timedelta | None:
    """Return a quantile of the durations, interpolated within a bucket of `EDGES`. None means no runs.

    Args:
        tally: counts of the runs.
        share: share of the runs that last at most as long (0 to 1).
    """
    counts: Counter[int] = Counter()
    lengths = tally.lengths()
    for (_, _, _, part), total in lengths.items():
        counts[part] += total.runs
    longest = max((total.longest / 1000 for total in lengths.values()), default=0.0)
    return _quantile(counts, share, longest)


def delay_quantile(tally: Tally, share: float) -> timedelta | None:
    """Return a quantile of the times from the trigger time to the start, as `quantile` does."""
    counts: Counter[int] = Counter()
    for (_, _, _, part), runs in tally.delays().items():
        counts[part] += runs
    return _quantile(counts, share, math.inf)


def _quantile(counts: Counter[int], share: float, longest: float) -> timedelta | None:
    parts = [counts[part] for part in range(len(EDGES) + 1)]
    left = share * sum(parts)
    for part, runs in enumerate(parts):
        if runs and left <= runs:
            low = EDGES[part - 1] if part else 0
            high = min(EDGES[part] if part < len(EDGES) else 2 * low, max(low, longest))
            return timedelta(seconds=low + (high - low) * left / runs)
        left -= runs
    return None


def _ms_or_none(time: datetime | None) -> int | None:
    return None if time is None else _ms(time)


def _ms(time: datetime) -> int:
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
