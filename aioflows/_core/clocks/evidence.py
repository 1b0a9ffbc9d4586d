"""What the rows of a page show about the clock of one of their times, against the clock of the trigger time.

An *advance* is the number of seconds by which a clock is ahead of another. It is looked for in the distances
between two times of each row, such as the start and the trigger, each as its clock shows it. In the right
clock a distance is a delay or a duration, so it is not negative, and the least of many is small.

1. Offsets of zones are multiples of 15 minutes, so advances are too.
2. A distance below the advance contradicts it. One row in fifty may do so: runs can be started by hand before
   their trigger time. A minute is allowed for clocks that are not set exactly.
3. An advance is taken if it is not contradicted, and at least half of the distances lie close above it. So
   rows that contradict each other decide nothing.
4. If all distances are an hour or longer, no row contradicts the advance in hand: runs may wait in a queue.
   Then another advance needs more evidence: runs of several flows, with several schedules and trigger times,
   whose distances lie just above the same half hour. Or other times of the same rows show it as well: a queue
   does not delay the creation, and no run ends before it starts.
5. If the few rows that there are show no advance, but are hours off, that is a doubt.
6. Up to one row in ten may contradict a start if nearly all others lie close above one advance. Rows on time by
   another clock are not such: they would show that the others are late.

See docs/guide/times.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import attrs

__all__ = ["LATE", "Distances", "advance_of", "backs", "lead_of"]

_GRID = 900
_SKEW = 60
_NEAR = 900
"""Distances (s) above an advance that count as close to it."""

_CLOSE = 300
"""The same, where more evidence is needed."""

LATE = 3_600
"""The least distance (s) that may be a clock that is ahead."""

_LONGEST_LEAD = 7_200
_WIDEST = 28 * 3_600
"""The greatest offset (s) that is considered: a zone of 14 hours, added twice by mistake."""

_TWO, _FEW, _SOME, _MANY, _PLENTY = 2, 3, 5, 8, 20
_FLOWS = 4
_SPREAD = 360
"""The seconds that trigger times must span. If all runs wait for one moment, their distances span as much."""


@attrs.frozen
class Distances:
    """The distances between two times of rows.

    Args:
        values: the distances (s).
        triggers: the trigger times (s).
        flows: the flows.
        schedules: the schedules of these flows.
        offset: the offset of the trigger's clock (s east of Greenwich).
    """

    values: Sequence[float]
    triggers: Sequence[float]
    flows: Sequence[Hashable]
    schedules: Sequence[Hashable]
    offset: int

    @property
    def least(self) -> float:
        """The least distance, without one row in fifty."""
        return sorted(self.values)[len(self.values) // 50]

    def within(self, advance: int, above: int) -> int:
        """Return the number of distances from an advance to some seconds above it."""
        return sum(-_SKEW <= value - advance < above for value in self.values)

    def without_early(self, base: int) -> Distances:
        """Return the distances without the few that lie before nearly all others: runs that were started by hand.

        Args:
            base: the advance that holds so far. Rows that lie close above it were not started by hand.
        """
        count = len(self.values)
        if count < _MANY:
            return self
        most = self._most(_CLOSE)
        late = [row for row, value in enumerate(self.values) if value >= most - _SKEW]
        on_time = self.within(base, _CLOSE) if base < most else 0
        if (
            most == base == 0
            or self.within(most, _CLOSE) * 3 < count * 2
            or (count - len(late)) * 10 > count
            or on_time * 50 > count
        ):
            return self
        return Distances(
            [self.values[row] for row in late],
            [self.triggers[row] for row in late],
            [self.flows[row] for row in late],
            [self.schedules[row] for row in late],
            self.offset,
        )

    def hardly_on_time(self, base: int) -> bool:
        """Return True if most distances lie above one advance, hours after a base, and few are less than that."""
        count, most = len(self.values), self._most(_NEAR)
        return (
            count > _FEW
            and most - base >= LATE
            and self.within(most, _NEAR) * 2 >= count
            and sum(value < most - _SKEW for value in self.values) <= max(1, count // 10)
            and self.within(base, _CLOSE) * 50 <= count
        )

    def some_close(self, advance: int) -> bool:
        """Return True if more than one distance in ten lies close above an advance."""
        return self.within(advance, _CLOSE) * 10 > len(self.values)

    def stepped(self, advance: int) -> bool:
        """Return True if one of the two clocks was changed between rows, and the other was not.

        Then the distances before the change lie close above one advance, and those after it an hour or half an
        hour from that.
        """
        near = self._moments(advance)
        for step in (-3_600, -1_800, 1_800, 3_600):
            others = self._moments(advance + step)
            if (
                min(len(near), len(others)) >= _FEW
                and (len(near) + len(others)) * 4 >= len(self.values) * 3
                and (max(near) < min(others) or max(others) < min(near))
            ):
                return True
        return False

    def _moments(self, advance: int) -> list[float]:
        places = zip(self.values, self.triggers, strict=True)
        return [moment for value, moment in places if -_SKEW <= value - advance < _CLOSE]

    def _most(self, above: int) -> int:
        """Return the advance on the grid with most distances up to some seconds above it, or 0."""
        places = [divmod(value + _SKEW, _GRID) for value in self.values]
        found = Counter(grid for grid, rest in places if rest < _SKEW + above)
        return int(max(found, key=lambda one: (found[one], -one), default=0)) * _GRID

    @property
    def grid(self) -> int:
        """The greatest advance on the grid that the least distance does not contradict."""
        return int((self.least + _SKEW) // _GRID) * _GRID

    def apart(self, advance: int) -> bool:
        """Return True if at least two rows, a third of all, lie close above an advance, of different moments."""
        rows = [row for row, value in enumerate(self.values) if -_SKEW <= value - advance < _CLOSE]
        moments = [self.triggers[row] for row in rows]
        return len(rows) >= max(_TWO, len(self.values) / 3) and max(moments) - min(moments) >= _SPREAD

    def possible(self, advance: int) -> bool:
        """Return True if a clock so far ahead has an offset that exists."""
        return abs(self.offset + advance) <= _WIDEST

    def varied(self, advance: int, *, flows: int) -> bool:
        """Return True if the distances close above an advance are of several flows, schedules and moments."""
        rows = [row for row, value in enumerate(self.values) if -_SKEW <= value - advance < _CLOSE]
        moments = [self.triggers[row] for row in rows]
        return (
            len(rows) >= max(_SOME, len(self.values) // 4)
            and len({self.flows[row] for row in rows}) >= flows
            and len({self.schedules[row] for row in rows}) > 1
            and max(moments) - min(moments) >= _SPREAD
        )


def advance_of(
    seen: Distances,
    base: int,
    near: Iterable[int] = (),
    utc: int | None = None,
    *,
    sure: bool = True,
    backed: bool = False,
) -> tuple[int, str]:
    """Return the advance of a clock, and a doubt about it. An empty text means that there is no doubt.

    Args:
        seen: the distances.
        base: the advance that holds unless the distances contradict it.
        near: advances that need little evidence, such as those of other times of the rows.
        utc: the advance of a clock of UTC. None means that it is the trigger's clock.
        sure: False if no row has shown the base. Then one row suffices for another advance of `near`. Default:
            True.
        backed: True if other times of the rows show that it is ahead by the hours that all distances have.
            Default: False.
    """
    count = len(seen.values)
    if not count:
        return base, ""
    least, near = seen.least, list(near)
    if least >= base - _SKEW:
        later = max((one for one in near if base < one <= least + _SKEW), default=base)
        if not sure and count >= _PLENTY and later - base >= 2 * _GRID and seen.varied(later, flows=_FLOWS):
            return later, ""
        return (base, "") if least - base < LATE - _SKEW else _of_late(seen, base, near, utc, sure, backed)
    near = [one for one in near if least >= one - _SKEW]
    if near and least - max(near) < LATE:
        return max(near), ""
    if sum(value < base - _SKEW for value in seen.values) * 2 <= count:
        return base, "contradicted"
    fits_utc = utc is not None and utc < base and least >= utc - _SKEW
    if utc is not None and fits_utc and _is_near(seen, utc, _NEAR):
        return utc, ""
    grid = seen.grid
    if least - grid < _CLOSE and seen.possible(grid):
        if count >= _FEW and seen.within(grid, _NEAR) >= max(_FEW, count / 2):
            return grid, ""
        if grid % (2 * _GRID) == 0 and seen.apart(grid):
            return grid, ""
    if utc is not None and fits_utc and count >= _SOME and _is_near(seen, utc, LATE):
        return utc, ""
    return base, "contradicted"


def _is_near(seen: Distances, advance: int, above: int) -> bool:
    return seen.least - advance < above and seen.within(advance, LATE) * 2 >= len(seen.values)


def _of_late(
    seen: Distances, base: int, near: Iterable[int], utc: int | None, sure: bool, backed: bool
) -> tuple[int, str]:
    """Return the advance of a clock by whose present reading all distances are an hour or longer."""
    least, count, grid = seen.least, len(seen.values), seen.grid
    closer = [one for one in near if base < one <= least + _SKEW]
    if closer and (count >= _FEW or not sure) and least - max(closer) < LATE:
        return max(closer), ""
    if not seen.possible(grid) or least - grid >= _CLOSE:
        return base, "late" if count < _MANY or seen.hardly_on_time(base) else ""
    whole = grid % (2 * _GRID) == 0 or grid == utc
    if count >= (_MANY if whole else _PLENTY) and seen.varied(grid, flows=_FLOWS):
        return grid, ""
    if backed and seen.apart(grid):
        return grid, ""
    return base, "late"


def backs(seen: Distances, advance: int, *, share: int = 2) -> bool:
    """Return True if creation times show that their clock is ahead of the trigger's by some seconds.

    Many of them lie close above the advance, and all others no more than an hour before it.

    Args:
        seen: the distances from the trigger to the creation.
        advance: the advance (s).
        share: how many of them lie close: one in so many. Default: 2.
    """
    values = seen.values
    return (
        len(values) >= _TWO
        and seen.within(advance, _CLOSE) * share >= len(values)
        and all(-LATE - _SKEW <= value - advance < _CLOSE for value in values)
    )


def lead_of(
    seen: Distances,
    base: int,
    near: Iterable[int] = (),
    utc: int | None = None,
    *,
    started: bool = False,
    follows: bool = True,
) -> tuple[int, str]:
    """Return the advance of the clock of creation times, and a doubt about it.

    An instance may be created before its trigger time or after it, so no distance contradicts an advance.
    That of most rows counts.

    Args:
        seen: the distances from the trigger to the creation.
        base: the advance that holds unless another one is shown.
        near: the advances of other times of the rows, that of the start first.
        utc: the advance of a clock of UTC. None means that it is the trigger's clock.
        started: True if by this advance the runs had started an hour or more before they were created.
            Default: False.
        follows: False if by the clock of the start the runs had, so it is not that of the creation. Default:
            True.
    """
    count = len(seen.values)
    if not count:
        return base, ""
    near = list(near)
    known = list(dict.fromkeys([base, 0, *near]))
    followed = _followed(seen, base, near, follows=follows)
    if count < _MANY:
        return _of_few(seen, followed, known, started=started)
    best = _best_of(seen, [*known, *([] if utc is None else [utc])])
    close = seen.within(best, _CLOSE)
    if close * 4 < count or not seen.possible(best):
        return followed, ""
    if (close * 2 >= count or backs(seen, best, share=4)) and (
        best in known
        or (abs(best) >= _LONGEST_LEAD and seen.varied(best, flows=_FLOWS))
        or (started and best >= LATE and seen.apart(best))
    ):
        return best, ""
    return followed, "lead" if abs(best - followed) >= LATE else ""


def _followed(seen: Distances, base: int, near: Sequence[int], *, follows: bool) -> int:
    """Return the advance that creation times have if nothing but other times of the rows shows it.

    It is one by which nearly all were created in the hour before their trigger time, or soon after it. If there
    is none, it is that of the start.

    Args:
        seen: the distances from the trigger to the creation.
        base: the advance that holds so far.
        near: the advances of other times of the rows, that of the start first.
        follows: False if by the clock of the start instances were created after they were started.
    """
    count = len(seen.values)
    soon = {one: sum(-LATE <= value - one < _NEAR for value in seen.values) for one in (base, *near, 0)}
    best = max(soon, key=lambda one: (soon[one], seen.within(one, _CLOSE)))
    if soon[best] * 4 >= count * 3:
        return best
    return near[0] if near and follows and not base else base


def _of_few(seen: Distances, chosen: int, known: Sequence[int], *, started: bool) -> tuple[int, str]:
    """Return the advance of the clock of a few creation times, and a doubt about it."""
    middle = sorted(seen.values)[len(seen.values) // 2]
    if abs(middle - chosen) < LATE - _SKEW:
        return chosen, ""
    best = _best_of(seen, known)
    if started and seen.possible(best) and seen.apart(best):
        return best, ""
    return chosen, "lead"


def _best_of(seen: Distances, known: Sequence[int]) -> int:
    """Return the advance, of the known ones and those on the grid, that most distances lie close above."""
    grids = sorted({int((value + _SKEW) // _GRID) * _GRID for value in seen.values})
    return max([*known, *grids], key=lambda one: seen.within(one, _CLOSE))
