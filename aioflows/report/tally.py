"""What a report is made of: counts of flow instances, added up page by page, and the runs of a few days.

Rules:
1. Its size is bounded, however many instances there are: by `Bounds`, and by the number of flows, owners and statuses.
2. Nothing is lost quietly: every instance is in the counts, and what had to be made coarser or left out is told.
3. It does not matter in which order or in which pages instances come, unless flows had to be folded.

Where there are too many cells, the flows with the fewest instances are folded into one, and where that is not enough, days
are put together, first by weeks. Hours are those of wall clocks: one that clocks show twice is one row's hour here.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo

import attrs

from aioflows._display.text import printable
from aioflows.models import FlowInstance, FlowStatus

__all__ = ["EDGES", "FAILURES", "Bounds", "Run", "Spell", "Tally", "quantile"]

FAILURES = frozenset({FlowStatus.FAIL, FlowStatus.INTERNAL_ERROR, FlowStatus.TIMEOUT})

EDGES = (
    1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800, 604_800,
)  # fmt: skip
"""Seconds that part durations; what took exactly as long belongs to the longer ones."""

_FOLDED = 0  # the source that small flows are folded into
_KEPT_FLOWS = 20
_SPANS = (1, 7, 28, 364, 3640)
_LONGEST = 100  # characters of a name
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Status = FlowStatus | int | None
Count = tuple[int, int, int, Status]
"""Row of days, hour, source, status."""
Length = tuple[int, int, Status, int]
"""Row of days, source, status, part of `EDGES`."""


@attrs.frozen
class Bounds:
    """How large a tally may become.

    Args:
        cells: *counts* that are kept.
        days: newest *days* whose runs are kept.
        runs: *runs* of each of them.
    """

    cells: int = 120_000
    days: int = 7
    runs: int = 2_000


@attrs.define
class Spell:
    """How long instances ran, added up.

    Args:
        runs: how *many*.
        ms: *milliseconds* in all.
        longest: *milliseconds* of the longest.
    """

    runs: int = 0
    ms: int = 0
    longest: int = 0

    def add(self, other: Spell) -> None:
        """Take other runs into account."""
        self.runs += other.runs
        self.ms += other.ms
        self.longest = max(self.longest, other.longest)


@attrs.frozen(order=True)
class Run:
    """One instance, as a timeline shows it; times are milliseconds since 1970-01-01 UTC."""

    trigger: int
    instance_id: str
    source: int = attrs.field(order=False)
    status: Status = attrs.field(order=False)
    start: int | None = attrs.field(order=False)
    end: int | None = attrs.field(order=False)


class Tally:
    """Adds up flow instances as they come.

    Args:
        zone: what days and hours are told *in*; None: the zone of the first instance, which is the service's.
        day: the *day* whose runs are kept; None: the newest ones.
        bounds: how large it may become.
    """

    def __init__(
        self, zone: tzinfo | None = None, day: date | None = None, bounds: Bounds | None = None
    ) -> None:
        self.zone = zone
        self.instances = 0
        self.undated = 0
        self.span = 1
        self._scale = 1  # the span that the cells are in
        self.counts: Counter[Count] = Counter()
        self.lengths: dict[Length, Spell] = {}
        self.sources: list[tuple[str, str]] = [("other flows", "")]
        self.left_out: Counter[int] = Counter()
        self._day = None if day is None else day.toordinal()
        self._bounds = bounds or Bounds()
        self._known: dict[tuple[int | str | None, str | None], int] = {}
        self._fold: dict[int, int] = {}
        self._runs: dict[int, list[Run]] = {}

    @property
    def folded(self) -> int:
        """How many flows are folded into one."""
        return len(self._fold)

    def add(self, instances: Iterable[FlowInstance]) -> None:
        """Take more instances into account."""
        for instance in instances:
            self.instances += 1
            if instance.trigger_time is None:
                self.undated += 1
                continue
            if self.zone is None:
                self.zone = instance.trigger_time.tzinfo
            self._add(instance, instance.trigger_time.astimezone(self.zone))
        while len(self.counts) + len(self.lengths) > self._bounds.cells and self._shrunk():
            pass

    def runs(self) -> Iterator[tuple[int, list[Run]]]:
        """Give the days whose runs are known, oldest first, each with its runs by trigger time."""
        for day in sorted(self._runs):
            self._trim(day)
            yield day, self._runs[day]

    def home(self, source: int) -> int:
        """Give the source that the counts of this one are under."""
        return self._fold.get(source, source)

    def _add(self, instance: FlowInstance, local: datetime) -> None:
        day, status, duration = local.toordinal(), instance.status, instance.duration
        source = self._source(instance)
        row, home = day // self.span, self.home(source)
        self.counts[row, local.hour, home, status] += 1
        if duration is not None:
            ms = round(duration.total_seconds() * 1000)
            part = bisect_right(EDGES, ms / 1000)
            self.lengths.setdefault((row, home, status, part), Spell()).add(Spell(1, ms, max(ms, 0)))
        if day == self._day or (self._day is None and self._is_new(day)):
            runs = self._runs.setdefault(day, [])
            runs.append(
                Run(
                    _ms(local),
                    printable(instance.instance_id, _LONGEST),
                    source,
                    status,
                    _ms_or_none(instance.start_time),
                    _ms_or_none(instance.end_time),
                )
            )
            if len(runs) >= 2 * self._bounds.runs:
                self._trim(day)

    def _source(self, instance: FlowInstance) -> int:
        # As everywhere: the id tells which flow it is, and the name only where there is none.
        key = (instance.flow_name if instance.flow_id is None else instance.flow_id, instance.owner)
        source = self._known.get(key)
        if source is None:
            source = self._known[key] = len(self.sources)
            name = printable(instance.flow_name or "–", _LONGEST)
            if instance.flow_id is not None:
                name = f"{name} ({instance.flow_id})"
            self.sources.append((name, printable(instance.owner or "–", _LONGEST)))
        return source

    # What keeps it small

    def _is_new(self, day: int) -> bool:
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
        runs.sort()
        self.left_out[day] += len(runs[self._bounds.runs :])
        del runs[self._bounds.runs :]

    def _shrunk(self) -> bool:
        sizes: Counter[int] = Counter()
        for (_, _, source, _), count in self.counts.items():
            sizes[source] += count
        del sizes[_FOLDED]
        if len(sizes) > _KEPT_FLOWS:
            keep = max(_KEPT_FLOWS, len(sizes) // 2)
            least = sorted(sizes, key=lambda source: (-sizes[source], source))[keep:]
            self._fold |= dict.fromkeys(least, _FOLDED)
        elif self.span != _SPANS[-1]:
            self.span = _SPANS[_SPANS.index(self.span) + 1]
        else:
            return False
        self._gather()
        return True

    def _gather(self) -> None:
        before = self.counts, self.lengths, self._scale
        self.counts, self.lengths, self._scale = Counter(), {}, self.span
        ratio = self.span // before[2]
        for (row, hour, source, status), count in before[0].items():
            self.counts[row // ratio, hour, self.home(source), status] += count
        for (row, source, status, part), spell in before[1].items():
            self.lengths.setdefault((row // ratio, self.home(source), status, part), Spell()).add(spell)


def quantile(tally: Tally, share: float) -> timedelta | None:
    """Give the duration that a share of the runs does not exceed, as exactly as `EDGES` tell it; None: there are none."""
    parts = [0] * (len(EDGES) + 1)
    longest = 0.0
    for (_, _, _, part), spell in tally.lengths.items():
        parts[part] += spell.runs
        longest = max(longest, spell.longest / 1000)
    left = share * sum(parts)
    for part, runs in enumerate(parts):
        if runs and left <= runs:
            low = EDGES[part - 1] if part else 0
            high = min(EDGES[part] if part < len(EDGES) else math.inf, max(low, longest))
            return timedelta(seconds=low + (high - low) * left / runs)
        left -= runs
    return None


def _ms_or_none(time: datetime | None) -> int | None:
    return None if time is None else _ms(time)


def _ms(time: datetime) -> int:
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
