"""What the passes in which rows were seen tell about rows that none of them has seen."""

from __future__ import annotations

import random

import pytest

from aioflows._core.dense_second.instant import InstantPage
from aioflows._core.dense_second.page_pass import PagePass
from aioflows._core.dense_second.sightings import Sightings
from aioflows._core.pages.page import NOTHING

NAMES = [f"{number:03}" for number in range(200)]


def past(*pages: list[str]) -> PagePass:
    size = max(map(len, pages))
    shown = {number: InstantPage(NOTHING, names, beyond=False) for number, names in enumerate(pages)}
    return PagePass(size, asked=len(pages), pages=shown, end=len(pages) - 1)


def test_passes_that_bring_all_rows_leave_less_and_less_unseen() -> None:
    seen, before = Sightings(), 200.0
    for number in range(6):
        seen.add(past(NAMES[:100], NAMES[100:]))
        assert seen.expected_unseen(200) < before
        before = seen.expected_unseen(200)
        assert seen.without_new == number
    assert before < 1e-6
    assert not seen.well_mixed


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_the_share_of_looks_that_overlook_a_row_is_measured(share: float) -> None:
    """It is taken of rows that were overlooked, so it is rather too high than too low."""
    rng, seen = random.Random(1), Sightings()
    for _ in range(30):
        seen.add(past([name for name in NAMES if rng.random() >= share]))
    assert share * 0.9 <= seen.overlooked <= share + 0.1
    assert seen.mixed > 0.5


def test_a_row_before_its_first_and_after_its_last_sighting_was_not_overlooked() -> None:
    """It may have come about, or have been deleted, meanwhile."""
    seen = Sightings()
    for names in (NAMES[:50], NAMES[:50], NAMES[:150], NAMES[100:], NAMES[100:]):
        seen.add(past(names))
    assert seen.mixed == 0


def test_ties_are_mixed_by_chance_only_where_the_same_page_brings_other_rows() -> None:
    """An order that depends on the page has each page bring the same rows again and again."""
    rng, chance, fixed = random.Random(1), Sightings(), Sightings()
    for number in range(20):
        names = rng.sample(NAMES, 100)
        chance.add(past(names))
        again = random.Random(number % 2).sample(NAMES, 100 - number % 2)
        fixed.add(past(again))
    assert chance.well_mixed
    assert chance.by_chance
    assert fixed.mixed > 0
    assert not fixed.by_chance
