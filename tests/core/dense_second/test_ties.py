"""Ties in an order that depends on what is asked, the same one each time: no row is lost in silence."""

from __future__ import annotations

from collections import Counter

import pytest

from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.keyset import KeysetScan
from aioflows.errors import CompletenessError
from tests.support.long import long_but
from tests.support.model import START, Row, in_order, read
from tests.support.tied import DAY, KINDS, NOON, Tied, draw, mixed, play


def instant(count: int, ids: str) -> list[Row]:
    """Rows of one millisecond, whose ids can be told apart by a text if they are stamped."""
    numbers = range(1_000, 1_000 + 7 * count, 7)
    names = [
        f"{number}-20240101000000" if ids == "stamped" else f"{mixed(number):016x}" for number in numbers
    ]
    return [(NOON, name) for name in names]


def others(count: int) -> list[Row]:
    return [
        (START + number * 3_600_000 + 1_000, f"9{number:05}-20240101000000") for number in range(1, count)
    ]


def outcome(service: Tied, page_size: int = 10, *, descending: bool = False) -> str:
    """Read a day of a service; "exact", or the error."""
    scan = KeysetScan(
        [(START, START + DAY)],
        service=ServiceFacts(),
        descending=descending,
        page_size=page_size,
        concurrency=4,
    )
    try:
        names = read(scan, service, most_asks=20_000)
    except CompletenessError as error:
        return str(error)
    truth = in_order(service.rows, descending=descending)
    return "exact" if names == truth else f"{len(set(truth) - set(names))} rows lost"


@pytest.mark.parametrize("first", long_but(0, of=range(0, 1_200, 120)))
def test_no_world_whose_ties_depend_on_the_page_loses_a_row_in_silence(first: int) -> None:
    ends: Counter[str] = Counter()
    wrong = []
    for seed in range(first, first + 120):
        world = draw(seed, 120)
        ends[end := play(world)] += 1
        if end not in ("exact", "refused"):
            wrong.append(f"seed {seed}: {end}: {world}")
    assert not wrong, "\n".join(wrong)
    assert ends["exact"] >= 100, ends


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("count", [12, 35])
def test_a_small_page_and_ids_with_nothing_in_common_suffice_where_other_rows_stand_around(
    kind: str, base: int, count: int
) -> None:
    """A row of another second tells how many there are, and pages of other sizes bring those that others have missed.

    Where the order turns at one offset, or depends on the first or the last place alone, some rows may stand on no page.
    """
    for seed in range(4):
        service = Tied(
            [*instant(count, "hex"), *others(20)], cap=10, base=base, seed=seed, kind=kind, sorters="refused"
        )
        end = outcome(service, descending=seed % 2 == 1)
        assert end == "exact" or (kind in ("flip", "last row", "offset") and "were seen, but" in end), (
            f"seed {seed}: {end}"
        )


def test_pages_of_a_heap_that_have_the_same_rows_are_not_taken_for_the_last_page() -> None:
    """A bounded heap gives the same ties again and again; numbers further on bring nothing, and not the last page."""
    service = Tied([*instant(300, "hex"), *others(20)], cap=10, kind="heap", sorters="refused")
    end = outcome(service)
    assert end == "exact" or "were seen, but" in end


def test_passes_of_other_pages_follow_where_a_service_does_not_heed_texts() -> None:
    service = Tied(
        [*instant(120, "stamped"), *others(20)],
        cap=10,
        heeds_expression=False,
        kind="offset and limit",
        sorters="ignored",
    )
    assert outcome(service) == "exact"


def test_random_ties_are_read_whole_where_page_0_is_another_name_for_page_1() -> None:
    """Pages of another size tell whether the first one was counted twice."""
    service = Tied([*instant(120, "hex"), *others(20)], cap=10, base=1, kind="random", sorters="refused")
    assert outcome(service) == "exact"


@pytest.mark.parametrize("kind", ["offset", "last row", "heap"])
@pytest.mark.parametrize("ids", ["stamped", "hex"])
def test_page_numbers_that_end_before_the_rows_do_are_not_taken_for_their_end_whatever_ties_do(
    kind: str, ids: str
) -> None:
    """Orders that depend on the page bring rows that others have hidden, so more are known than are counted."""
    service = Tied(instant(300, ids), cap=10, deepest=40, kind=kind, sorters="refused")
    assert "rows lost" not in outcome(service)


def test_an_instant_that_no_request_can_settle_is_named_with_the_rows_that_were_seen() -> None:
    """Where one row is never shown, and another one in its stead, its place is counted all the same."""
    shown, hidden = instant(35, "hex")[3], instant(35, "hex")[17]

    class Withholding(Tied):
        def page(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
            page = super().page(window, descending, start, stop)
            return [shown if row == hidden else row for row in page]

    service = Withholding([*instant(35, "hex"), *others(20)], cap=10, kind="offset", sorters="refused")
    end = outcome(service)
    assert "1704110400000–1704110401000 ms" in end
    assert "34 were seen" in end
    assert len(service.asked) < 2_000


@pytest.mark.parametrize(("kind", "most"), [("still", 100), ("limit", 100), ("sorters", 100)])
def test_ties_that_hold_still_from_page_to_page_cost_no_more(kind: str, most: int) -> None:
    service = Tied([*instant(120, "stamped"), *others(20)], cap=50, kind=kind)
    assert outcome(service, 50) == "exact"
    assert len(service.asked) <= most


class Hiding(Tied):
    """A service that shows another row of the instant in the place of one, unless all rows fit a page."""

    hidden = "1070-20240101000000"

    def page(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
        rows = super().page(window, descending, start, stop)
        if len(window) <= self.cap:
            return rows
        other = next(row for row in window if row[0] == NOON and row not in rows)
        return [other if row[1] == self.hidden else row for row in rows]


@pytest.mark.parametrize("seed", range(6))
def test_a_row_that_passes_of_every_size_count_and_never_show_is_found_by_its_id(seed: int) -> None:
    """Ties are mixed by chance, and page 0 may be page 1, so the passes change their page size on the way."""
    rows = [*instant(60, "stamped"), *others(20)]
    assert any(name == Hiding.hidden for _, name in rows)
    service = Hiding(rows, cap=10, seed=seed, kind="random", sorters="refused")
    assert outcome(service) == "exact"
