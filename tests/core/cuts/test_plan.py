"""The plan of a range's cuts: how even the parts are, what it costs, and that nothing makes it fail."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median

import pytest

from aioflows._core.cuts.plan import CutPlan, RowAnswer, RowRequest

DAY = 86_400
YEAR = 365 * DAY

Draw = Callable[[int, random.Random], list[int]]


def evenly(count: int, rng: random.Random) -> list[int]:
    return sorted(rng.randrange(YEAR) for _ in range(count))


def at_midnight(count: int, rng: random.Random) -> list[int]:
    return sorted(DAY * rng.randrange(365) + rng.choice([0, 0, 0, rng.randrange(DAY)]) for _ in range(count))


def growing(count: int, rng: random.Random) -> list[int]:
    return sorted(int(YEAR * rng.random() ** 0.2) for _ in range(count))


def in_the_last_hour(count: int, rng: random.Random) -> list[int]:
    return sorted(YEAR - 1 - rng.randrange(3_600) for _ in range(count))


class Rows:
    """A service that holds rows of several types, and may refuse what is deeper than some rank."""

    def __init__(self, *types: list[int], deepest: int | None = None) -> None:
        self.types = types
        self.deepest = deepest
        self.requests = self.rounds = 0

    def answer(self, request: RowRequest) -> RowAnswer:
        rows = self.types[request.type]
        if self.deepest is not None and request.rank > self.deepest:
            return "refused"
        place = (
            len(rows) - request.rank
            if request.descending
            else bisect_left(rows, request.begin) + request.rank - 1
        )
        return rows[place] if 0 <= place < len(rows) else None

    def cuts(self, parts: int, *, mixed: random.Random | None = None, least_rows: int = 0) -> list[int]:
        plan = CutPlan(0, YEAR, len(self.types), parts, 500, least_rows)
        requests = plan.first()
        while requests:
            self.rounds += 1
            self.requests += len(requests)
            order = mixed.sample(requests, len(requests)) if mixed else requests
            requests = plan.next_round({one: self.answer(one) for one in order})
        return plan.cuts()

    def sizes(self, cuts: list[int]) -> list[int]:
        every = sorted(row for rows in self.types for row in rows)
        places = [0, *(bisect_left(every, cut) for cut in cuts), len(every)]
        return [until - since for since, until in pairwise(places)]


@pytest.mark.parametrize("rows", [evenly, at_midnight, growing, in_the_last_hour])
@pytest.mark.parametrize("shares", [(0.03, 0.95, 0.02), (0.4, 0.3, 0.3), (1.0,)])
def test_eight_parts_of_a_hundred_thousand_rows_are_even(rows: Draw, shares: Sequence[float]) -> None:
    rng = random.Random(7)
    service = Rows(*(rows(int(100_000 * share), rng) for share in shares))
    sizes = service.sizes(service.cuts(8))
    assert len(sizes) == 8
    assert max(sizes) <= 1.15 * median(sizes), sizes
    assert service.requests <= 60
    assert service.rounds <= 4


def test_a_million_rows_cost_five_requests_of_a_hundred() -> None:
    service = Rows(evenly(1_000_000, random.Random(1)))
    sizes = service.sizes(service.cuts(40))
    assert max(sizes) <= 1.15 * median(sizes), sizes
    assert service.requests <= 100
    assert service.rounds <= 4


@pytest.mark.parametrize("rows", [evenly, at_midnight, growing])
def test_parts_are_even_where_deep_pages_are_refused(rows: Draw) -> None:
    rng = random.Random(3)
    service = Rows(rows(3_000, rng), rows(90_000, rng), deepest=10_000)
    sizes = service.sizes(service.cuts(6))
    assert max(sizes) <= 1.3 * median(sizes), sizes
    assert service.requests <= 120


def test_the_order_of_the_answers_makes_no_difference() -> None:
    rng = random.Random(5)
    rows = [evenly(2_000, rng), at_midnight(40_000, rng)]
    assert Rows(*rows).cuts(6) == Rows(*rows).cuts(6, mixed=rng)


def test_a_crowded_second_goes_to_one_part_as_a_whole() -> None:
    crowd = Rows([5] * 10_000 + [9] * 10_000)
    assert sorted(crowd.sizes(crowd.cuts(8)))[-2:] in ([10_000, 10_000], [0, 20_000])


@pytest.mark.parametrize("count", [0, 1, 2, 99, 101])
@pytest.mark.parametrize("parts", [1, 2, 50])
@pytest.mark.parametrize("deepest", [None, 1, 100])
def test_cuts_of_few_rows_lie_in_the_range_in_order(count: int, parts: int, deepest: int | None) -> None:
    cuts = Rows(evenly(count, random.Random(count)), [], deepest=deepest).cuts(parts)
    assert cuts == sorted(set(cuts))
    assert len(cuts) < parts
    assert all(0 < cut < YEAR for cut in cuts)


@pytest.mark.parametrize(("count", "parts"), [(0, 1), (3_000, 1), (50_000, 2), (400_000, 8)])
def test_a_part_has_about_as_many_rows_as_it_must(count: int, parts: int) -> None:
    service = Rows(evenly(count, random.Random(1)), [7] * (count // 100))
    assert len(service.cuts(8, least_rows=20_000)) == parts - 1
    assert service.requests <= (8 if count < 10_000 else 60)


def test_where_no_row_is_shown_parts_are_made_whatever_they_must_have() -> None:
    assert len(Rows(evenly(500, random.Random(1)), deepest=1).cuts(4, least_rows=20_000)) == 3
