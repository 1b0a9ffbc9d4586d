"""The plan of a range's cuts, from single rows: page ``k`` with one row per page is the row of rank ``k``.

1. The last row of each schedule type, and the rows of a few ranks far apart, show how many rows there are about.
2. Two rounds narrow that down: the ranks between the last row that is there and the first that is not.
3. The last round asks for the rows at which the cuts most likely lie, so that they lie at known ranks.

A round's requests are sent together, so a plan takes four times the latency. Where the service refuses deep
pages, ranks are counted on from the deepest row that it gives, again and again, before the last round.

The plan proves nothing. Whatever it says, the parts tile the range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Literal

import attrs

from aioflows._core.cuts.row_ranks import RowRanks

__all__ = ["CutPlan", "RowAnswer", "RowRequest"]

_FIRST_RANKS = (100, 10_000, 1_000_000)
_LEAST_BUDGET = 60  # requests
_BUDGET_SHARE = 0.05  # of the page requests that reading the range takes
_ROUNDS_FOR_TOTALS = 2
_NEAR = 0.06  # of a part: a known row this near to a cut is taken for it
_GEOMETRIC = 1.5  # ranks whose bounds are further apart are asked at equal ratios, not at equal distances
_CLOSE_RANKS = (
    0.003  # how far beside an estimate its neighbours are asked for, as a share of the bounds' distance
)
_DEEP_BUDGET = 120  # requests, where the service refuses deep pages
_LEAST_DEPTH = 2  # rows: a service that gives the first row only is not asked further

RowAnswer = int | None | Literal["refused"]
"""The time of a row (seconds since the epoch), None if there is no such row, or that the service refuses the page."""


@attrs.frozen
class RowRequest:
    """A request for one row.

    Args:
        type: the number of the schedule type, in the order that the plan was given.
        rank: the rank of the row, from 1.
        begin: the time from which ranks are counted (seconds since the epoch).
        before: the number of rows before that time. Default: 0.
        descending: True to count ranks from the end of the range. Default: False.
    """

    type: int
    rank: int
    begin: int
    before: float = 0
    descending: bool = False


class CutPlan:
    """Finds the cuts of a range.

    Ask `first`, send its requests, and hand their answers to `next_round`, until it returns no more requests.
    Then `cuts` are the times.

    Args:
        begin: the start of the range (seconds since the epoch).
        end: its end.
        types: how many schedule types are read.
        parts: the number of parts.
        page_size: rows per page of the reading. It limits what the plan may cost.
        least_rows: rows that a part has at least, by the estimate. Default: 0, any number.
    """

    def __init__(
        self, begin: int, end: int, types: int, parts: int, page_size: int, least_rows: int = 0
    ) -> None:
        self._begin, self._end = begin, end
        self._parts = self._most_parts = parts
        self._least_rows = least_rows
        self._page_size = page_size
        self._ranks = [RowRanks(begin, end) for _ in range(types)]
        self._depths: dict[int, int] = {}
        self._asked = 0
        self._rounds: list[Callable[[], list[RowRequest]]] = [
            self._at_cuts,
            partial(self._for_totals, 1),
            partial(self._for_totals, 2),
        ]

    def first(self) -> list[RowRequest]:
        """Return the requests of the first round."""
        return self._counted(
            [
                *(RowRequest(type, 1, self._begin, descending=True) for type in range(len(self._ranks))),
                *(
                    RowRequest(type, rank, self._begin)
                    for type in range(len(self._ranks))
                    for rank in _FIRST_RANKS
                ),
            ]
        )

    def next_round(self, answers: Mapping[RowRequest, RowAnswer]) -> list[RowRequest]:
        """Take the answers to all requests of a round, and return those of the next one, or none."""
        self._learn(answers)
        if not self._needs_cuts():
            return []
        if "refused" in answers.values() and not self._depths:
            self._depths = {
                type: int(ranks.least)
                for type, ranks in enumerate(self._ranks)
                if ranks.least >= _LEAST_DEPTH
            }
            del self._rounds[2:]
        if requests := self._counted(self._further()):
            return requests
        while self._rounds:
            if requests := self._counted(self._rounds.pop()()):
                return requests
        return []

    def cuts(self) -> list[int]:
        """Return the times between the parts (seconds since the epoch), in order, each once.

        They are fewer than the parts less one where a second has more rows than a part.
        """
        found = self._estimated_cuts()
        return sorted({time for time in found if self._begin < time < self._end})

    # What the answers say

    def _learn(self, answers: Mapping[RowRequest, RowAnswer]) -> None:
        for request, answer in answers.items():
            ranks = self._ranks[request.type]
            if answer == "refused":
                continue
            if request.descending:
                ranks.ends_at(answer)
            elif answer is None:
                ranks.missing(request.before + request.rank)
            else:
                ranks.found(request.before + request.rank, answer)

    def _needs_cuts(self) -> bool:
        """Lower the number of parts to what so many rows are worth. Return False if that is one part."""
        if not self._least_rows:
            return True
        if all(ranks.is_bounded for ranks in self._ranks):
            most, total = (
                int(sum(rows)) // self._least_rows
                for rows in zip(*((ranks.most, ranks.total) for ranks in self._ranks), strict=True)
            )
            self._most_parts = min(self._most_parts, max(1, most))
            self._parts = min(self._most_parts, max(1, total))
        return self._most_parts > 1

    # What to ask for

    def _counted(self, requests: Iterable[RowRequest]) -> list[RowRequest]:
        unique = list(dict.fromkeys(requests))
        self._asked += len(unique)
        return unique

    @property
    def _room(self) -> int:
        """The number of requests that may still be sent."""
        pages = sum(ranks.least for ranks in self._ranks) / self._page_size
        least = _DEEP_BUDGET if self._depths else _LEAST_BUDGET
        return int(max(least, min(_BUDGET_SHARE * pages, least + 2 * self._parts))) - self._asked

    def _further(self) -> list[RowRequest]:
        """Ask for the deepest row from the deepest known row on."""
        open_types = [type for type in self._depths if self._ranks[type].most > self._ranks[type].least]
        if self._room - (self._parts - 1) < len(open_types):
            return []
        return [self._request(type, self._ranks[type].least + self._depths[type]) for type in open_types]

    def _request(self, type: int, rank: float) -> RowRequest:
        """Return the request for a row of a rank, counted from a row that the service can count from."""
        before, begin = 0.0, self._begin
        if depth := self._depths.get(type):
            before, begin = next(
                (point for point in self._ranks[type].known if rank - point[0] <= depth), (before, begin)
            )
        return RowRequest(type, round(rank - before), begin, before)

    def _for_totals(self, rounds: int) -> list[RowRequest]:
        """Ask for ranks between the last row that is there and the first that is not.

        Most of them for the types of which most rows may be unknown.
        """
        last = min(self._parts - 1, self._room // 2)
        shares = {type: 1 for type, ranks in enumerate(self._ranks) if ranks.most > ranks.least}
        for _ in range((self._room - last) // rounds if shares else 0):
            widest = max(
                shares, key=lambda one: (self._ranks[one].most - self._ranks[one].least) / shares[one]
            )
            shares[widest] += 1
        return [
            self._request(type, rank)
            for type, share in shares.items()
            for rank in _between(self._ranks[type], share)
        ]

    def _at_cuts(self) -> list[RowRequest]:
        """Ask for the rows at the cuts, first where the known ranks are furthest apart."""
        main = self._main
        wanted = []
        for time in self._estimated_cuts():
            for type, ranks in enumerate(self._ranks):
                rank = round(ranks.at(time, main))
                low = max((one for one, _ in ranks.known if one <= rank), default=0.0)
                high = min((one for one, _ in ranks.line if one > rank), default=rank)
                if low < rank < high:
                    wanted.append((high - low, self._request(type, rank)))
        wanted.sort(key=lambda one: -one[0])
        return [request for _, request in wanted[: max(self._room, 0)]]

    # The cuts

    @property
    def _main(self) -> RowRanks:
        """The ranks of the type with the most rows. The others are taken to be as dense at each time as it is."""
        return max(self._ranks, key=lambda ranks: ranks.total)

    def _estimated_cuts(self) -> list[int]:
        main = self._main
        times = sorted({time for ranks in self._ranks for _, time in ranks.line} | {self._begin, self._end})
        before = [sum(ranks.at(time, main) for ranks in self._ranks) for time in times]
        part = sum(ranks.total for ranks in self._ranks) / self._parts
        if not part:
            return _evenly(self._begin, self._end, self._parts)
        return [_time_at(part * number, _NEAR * part, times, before) for number in range(1, self._parts)]


def _evenly(begin: int, end: int, parts: int) -> list[int]:
    return [begin + (end - begin) * number // parts for number in range(1, parts)]


def _time_at(rows: float, near: float, times: Sequence[int], before: Sequence[float]) -> int:
    """Return the time before which there are so many rows: a known one if it is near enough."""
    nearest = min(range(len(times)), key=lambda one: abs(before[one] - rows))
    if abs(before[nearest] - rows) <= near:
        return times[nearest]
    after = next((one for one, count in enumerate(before) if count >= rows), len(times) - 1)
    if not after:
        return times[0]
    low, high = before[after - 1], before[after]
    share = (rows - low) / max(high - low, 1e-9)
    return times[after - 1] + round((times[after] - times[after - 1]) * min(share, 1.0))


def _between(ranks: RowRanks, share: int) -> list[int]:
    """Return ranks that divide what is unknown into so many pieces."""
    low, high = max(ranks.least, 1), ranks.most
    steps = range(1, share)
    if high > _GEOMETRIC * low:
        found = [low * (high / low) ** (one / share) for one in steps]
    else:
        found = [low + (high - low) * one / share for one in steps]
    if share > len(_FIRST_RANKS) + 1 and len(ranks.known) > 1:
        total, beside = ranks.total, max(1.0, (high - low) * _CLOSE_RANKS)
        found.sort(key=lambda rank: abs(rank - total))
        found[:2] = [total - beside, total + beside]
    return sorted({int(rank) for rank in found if ranks.least < int(rank) <= high})
