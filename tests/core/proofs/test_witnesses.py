"""What witnesses an end: services that cap, clamp, refuse or reorder, read whole all the same."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate

import attrs
import pytest

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.keyset import KeysetScan
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.wire.zone import Zone
from aioflows.errors import CompletenessError, ServiceError
from tests.support.long import long_but
from tests.support.model import START, ModelPage, ModelService, Row, feed, ids_of, in_order, read, rows_at

DAY = 86_400_000
HOURLY = [(START + 3_600_000 * number, f"1-{number:05}") for number in range(2_000)]
ORDERS = [(False, True), (True, True), (False, False)]
"""Descending or not, ordered or not."""


def scan_of(
    days: int,
    *,
    service: ServiceFacts | None = None,
    descending: bool = False,
    ordered: bool = True,
    page_size: int = 100,
) -> KeysetScan:
    return KeysetScan(
        [(START, START + days * DAY)],
        service=service or ServiceFacts(),
        descending=descending,
        ordered=ordered,
        page_size=page_size,
        concurrency=4,
    )


def got(scan: KeysetScan, service: ModelService, *, descending: bool = False, ordered: bool = True) -> None:
    names = read(scan, service)
    expected = in_order(service.rows, descending=descending)
    assert names == expected if ordered else sorted(names) == sorted(expected)


class Clamped(ModelService):
    """A service that answers about the last, or the first, days of a longer range, without a word."""

    keeps = "last"
    days = 31

    def answer(self, ask: PageRequest) -> ModelPage:
        low, high = ask.from_ms, ask.to_ms
        if self.keeps == "last":
            low = max(low, high - self.days * DAY)
        else:
            high = min(high, low + self.days * DAY)
        rows, self.rows = self.rows, [row for row in self.rows if low <= row[0] < high]
        try:
            return super().answer(ask)
        finally:
            self.rows = rows


@pytest.mark.parametrize("page_size", [10, 100, 500])
@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
@pytest.mark.parametrize("keeps", ["last", "first"])
@pytest.mark.parametrize("days", [7, 31])
def test_a_range_that_is_clamped_is_read_whole(
    keeps: str, days: int, page_size: int, *, descending: bool, ordered: bool
) -> None:
    """A service that answers about a part of a long range only is read part by part."""
    service = Clamped(list(HOURLY))
    service.keeps, service.days = keeps, days
    # Where all of the last 31 days of a range are empty, its middle is asked about.
    scan = scan_of(120 if days == 31 else 84, descending=descending, ordered=ordered, page_size=page_size)
    got(scan, service, descending=descending, ordered=ordered)


@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
@pytest.mark.parametrize("before", [None, 500])
def test_a_cap_that_was_lowered_while_a_session_lives_loses_nothing(
    before: int | None, *, descending: bool, ordered: bool
) -> None:
    """What a session has learnt of page sizes proves nothing."""
    known = ServiceFacts()
    for cap in (before or 1 << 40, 40, 7):
        service = ModelService(list(HOURLY), cap=cap)
        scan = scan_of(120, service=known, descending=descending, ordered=ordered, page_size=500)
        got(scan, service, descending=descending, ordered=ordered)


@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
@pytest.mark.parametrize("cap", [1, 2, 3, 5])
def test_seconds_that_a_lowered_cap_cuts_are_not_taken_for_whole(
    cap: int, *, descending: bool, ordered: bool
) -> None:
    """As many rows of one second as pages are capped at now may not be all of it, whatever pages have held before."""
    rows = [(START + number // 7 * 3_600_000, f"{number % 7}-{number:03}") for number in range(70)]
    known = ServiceFacts()
    for most in (1 << 40, cap):
        service = ModelService(list(rows), cap=most)
        scan = scan_of(1, service=known, descending=descending, ordered=ordered, page_size=20)
        got(scan, service, descending=descending, ordered=ordered)


@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
@pytest.mark.parametrize("count", [1, 3, 12, 25, 400])
@pytest.mark.parametrize("page_zero", ["empty", "refused"])
def test_pages_that_count_from_0_and_counted_from_1_while_a_session_lives_lose_nothing(
    page_zero: str, count: int, *, descending: bool, ordered: bool
) -> None:
    """A page by the number that was the first page's before hands out no row until one shows that it still is."""
    known = ServiceFacts()
    got(scan_of(30, service=known), ModelService(HOURLY[:720], base=1, page_zero=page_zero))
    for base in (0, 1, 0):
        service = ModelService(HOURLY[:count], base=base, page_zero=page_zero)
        scan = scan_of(30, service=known, descending=descending, ordered=ordered, page_size=10)
        got(scan, service, descending=descending, ordered=ordered)


def test_a_first_page_that_still_is_one_costs_no_request() -> None:
    """What a scan asks for anyway shows it."""
    searches = []
    for known in (ServiceFacts(), ServiceFacts(1)):
        got(scan_of(30, service=known), ModelService(HOURLY[:100], base=1, page_zero="empty"))
        service = ModelService(HOURLY[:400], base=1, page_zero="empty")
        got(scan_of(30, service=known), service)
        searches.append(len(service.asked))
    assert searches[0] <= searches[1]


def test_the_number_that_pages_count_from_is_found_anew_where_an_instant_contradicts_it() -> None:
    """A service that counted from 1 and answered page 0 with page 1 may count from 0 now."""
    known = ServiceFacts()
    rows = [*rows_at(START, 25), (START + 5_000, "2-1")]
    for base in (1, 0):
        got(scan_of(1, service=known, page_size=10), ModelService(list(rows), base=base))


@pytest.mark.parametrize("largest", [1, 3, 20, 99, 400])
@pytest.mark.parametrize("code", long_but(400, of=[1004, 400, 413, 70001]))
def test_the_largest_page_is_found_out_in_few_requests(largest: int, code: int) -> None:
    """A page size that is refused is halved and more, down to one row, and then raised again."""

    class Refusing(ModelService):
        def answer(self, ask: PageRequest) -> ModelPage:
            if ask.page_size > largest:
                self.asked.append(ask)
                raise ServiceError(code, "no")
            return super().answer(ask)

    service = Refusing(HOURLY[:400])
    got(scan_of(30, page_size=500), service)
    refused = sum(ask.page_size > largest for ask in service.asked)
    assert refused <= 16
    answered = [ask.page_size for ask in service.asked if ask.page_size <= largest]
    assert max(answered) >= largest / 1.3 - 1


def test_pages_that_are_too_large_and_answered_with_nothing_lose_nothing() -> None:
    """A first page with nothing in it is looked at once more with a small page."""

    class Silent(ModelService):
        def answer(self, ask: PageRequest) -> ModelPage:
            if (ask.page_no + 1) * ask.page_size > 60:
                self.asked.append(ask)
                return ModelPage([], [])
            return super().answer(ask)

    for page_size in (500, 100, 50, 10):
        got(scan_of(120, page_size=page_size), Silent(list(HOURLY)))


class TopN(ModelService):
    """A database that keeps a heap of the first rows: ties come in an order that depends on LIMIT and OFFSET alone."""

    def page(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
        sign = -1 if descending else 1
        table = sorted(window, key=lambda row: row[1][::-1])
        if 2 * stop >= len(table):
            return sorted(table, key=lambda row: sign * row[0])[start:stop]
        heap: list[tuple[int, int, Row]] = []
        for number, row in enumerate(table):
            entry = (-sign * row[0], number % 7, row)
            if len(heap) < stop:
                heapq.heappush(heap, entry)
            elif entry[0] > heap[0][0]:
                heapq.heapreplace(heap, entry)
        return [heapq.heappop(heap)[2] for _ in range(len(heap))][::-1][start:stop]


@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
@pytest.mark.parametrize("texts", long_but(True, of=[True, False]))
def test_ties_whose_order_depends_on_the_page_are_read_or_told(
    *, texts: bool, descending: bool, ordered: bool
) -> None:
    """Passes over the same pages that agree with each other prove nothing against their own count."""
    crowd: Sequence[Row] = rows_at(START + 3_600_000, 605)
    rows = [*crowd, *((START + 7_200_000 + number * 60_000, f"2-{number:06}") for number in range(300))]
    service = TopN(rows, cap=100, heeds_expression=texts)
    scan = scan_of(1, descending=descending, ordered=ordered, page_size=100)
    if not texts:
        with pytest.raises(CompletenessError, match="holds more rows than the service gives in one page"):
            read(scan, service)
        return
    names = read(scan, service)
    assert sorted(names) == sorted(name for _, name in rows)


def test_an_instant_beyond_the_depth_of_pages_is_read_by_the_characters_of_its_ids() -> None:
    """Where page numbers end before the rows of one millisecond do, texts in the ids tell its rows apart."""
    rows = [(START + 1_000, f"{number:05}-20240101000000") for number in range(900)]
    service = ModelService(rows, cap=50, deepest=200)
    scan = scan_of(1, page_size=50)
    got(scan, service)
    assert any(ask.expression for ask in service.asked)


@pytest.mark.parametrize("keeps", ["last", "first"])
@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
def test_a_session_that_has_seen_ranges_cut_takes_no_few_rows_for_all(
    keeps: str, *, descending: bool, ordered: bool
) -> None:
    """Few rows that do not make a stretch before them surprising are asked about once more."""
    known = ServiceFacts(0)
    service = Clamped(list(HOURLY))
    service.keeps = keeps
    got(scan_of(84, service=known, descending=descending), service, descending=descending)
    hours = [*range(20), *range(72, 33 * 24, 6 * 24)]
    if keeps == "first":
        hours = [33 * 24 - 1 - hour for hour in hours]
    service.rows = sorted((START + hour * 3_600_000, f"3-{hour:05}") for hour in hours)
    scan = scan_of(33, service=known, descending=descending, ordered=ordered)
    with suppress(CompletenessError):  # it may be too late to read the stretch
        got(scan, service, descending=descending, ordered=ordered)


def first_of(scan: KeysetScan, service: ModelService, limit: int) -> list[str]:
    """Read so many rows, as who stops then does."""
    scan.set_zone(Zone.parse("UTC"))
    names: list[str] = []
    under_way: list[PageRequest] = []
    while len(names) < limit and (item := scan.next_item()) is not DONE:
        if item is NEED_PAGES:
            under_way += scan.wanted(4 - len(under_way))
            feed(scan, service, under_way.pop(0))
        else:
            names += ids_of(item)
    return names[:limit]


class Filtered(Clamped):
    """The same, where a query's filters match only some of the rows; without them, all are shown."""

    matching: frozenset[str] = frozenset()

    def answer(self, ask: PageRequest) -> ModelPage:
        rows = self.rows
        if not ask.bare:
            self.rows = [row for row in rows if row[1] in self.matching]
        try:
            return super().answer(ask)
        finally:
            self.rows = rows


@pytest.mark.parametrize("keeps", ["last", "first"])
def test_matches_out_of_sight_of_a_clamped_range_are_found_by_the_rows_of_everybody(keeps: str) -> None:
    """What matches nothing shows not how far the service looks; what others have there does."""
    service = Filtered(list(HOURLY))
    service.keeps, service.days = keeps, 7
    service.matching = frozenset(name for _, name in HOURLY[700:703])
    scan = KeysetScan([(START, START + 80 * DAY)], service=ServiceFacts(), page_size=100, filtered=True)
    assert read(scan, service) == sorted(service.matching)


@pytest.mark.parametrize("limit", [None, 1, 20])
@pytest.mark.parametrize("matches", [(10, 1900, 1910, 1915), (1915,), (3,), (1000,)])
@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
@pytest.mark.parametrize("keeps", ["last", "first"])
def test_a_few_matches_of_a_clamped_range_are_read_in_parts(
    keeps: str, matches: tuple[int, ...], limit: int | None, *, descending: bool, ordered: bool
) -> None:
    """How far the service looks is found out by the rows of everybody, before the first match is handed out."""
    service = Filtered(list(HOURLY))
    service.keeps, service.days = keeps, 31
    rows = [HOURLY[number] for number in matches]
    service.matching = frozenset(name for _, name in rows)
    scan = KeysetScan(
        [(START, START + 80 * DAY)],
        service=ServiceFacts(),
        descending=descending,
        ordered=ordered,
        page_size=100,
        limit=limit,
        filtered=True,
    )
    names = read(scan, service) if limit is None else first_of(scan, service, limit)
    wanted = in_order(rows, descending=descending)
    if limit == 1:
        assert names == wanted[:1] if ordered else set(names) <= set(wanted)
        return
    assert names == wanted if ordered else sorted(names) == sorted(wanted)


class TooWide(ModelService):
    """A service that answers ranges longer than some days with nothing."""

    days = 31

    def answer(self, ask: PageRequest) -> ModelPage:
        if ask.to_ms - ask.from_ms > self.days * DAY:
            self.asked.append(ask)
            return ModelPage([], [])
        return super().answer(ask)


@pytest.mark.parametrize("page_size", long_but(10, 500, of=[10, 100, 500]))
@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("days", long_but(7, 31, of=[7, 31, 92]))
@pytest.mark.parametrize(("begin", "until"), [(0, 400), (100, 300), (395, 400), (0, 250)])
def test_a_range_that_is_too_long_and_answered_with_nothing_is_read_in_parts(
    days: int, begin: int, until: int, base: int, page_size: int, *, descending: bool, ordered: bool
) -> None:
    """A narrower window inside it has rows, and then windows are asked about that are no longer than such a one."""
    if begin == 395 and days == 7:
        return  # a window of a month is asked about at the end
    rows = [(START + 7_200_000 * number, f"1-{number:05}") for number in range(12 * begin, 12 * until)]
    service = TooWide(rows, base=base, page_zero="empty")
    service.days = days
    scan = scan_of(400, descending=descending, ordered=ordered, page_size=page_size)
    got(scan, service, descending=descending, ordered=ordered)


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("filtered", [True, False])
def test_a_session_knows_how_long_a_range_is_answered(*, filtered: bool, numbered: bool) -> None:
    """What was found out about one range is not looked for in the next one."""
    known = ServiceFacts(0 if numbered else None)
    for rows in (HOURLY, HOURLY[:5]):
        service = TooWide(list(rows))
        scan = KeysetScan([(START, START + 84 * DAY)], service=known, page_size=100, filtered=filtered)
        got(scan, service)


@pytest.mark.parametrize(("first_page", "most"), [(None, 6), (0, 4), (1, 4)])
def test_a_range_with_nothing_in_it_costs_a_few_searches(first_page: int | None, most: int) -> None:
    """Two narrower windows at most are asked about, one where the number of the first page is known."""
    service = ModelService([])
    assert read(scan_of(366, service=ServiceFacts(first_page)), service) == []
    assert len(service.asked) <= most


class Hiding(ModelService):
    """A service that leaves rows out for want of rights, after pages were cut."""

    def page(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
        page = super().page(window, descending, start, stop)
        return [row for row in page if not row[1].endswith(("3", "4", "7"))]


@pytest.mark.parametrize("cap", [5, 20, 50])
def test_an_instant_whose_pages_lack_rows_for_want_of_rights_is_read_whole(cap: int) -> None:
    """A page that is not full is not the last one, where the next one by its number shows more."""
    rows = [*rows_at(START + 5_000, 120), (START + 60_000, "9-000001")]
    service = Hiding(rows, cap=cap)
    names = read(scan_of(1, page_size=20), service)
    shown = [row for row in service.rows if not row[1].endswith(("3", "4", "7"))]
    assert names == in_order(shown)


@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
def test_a_row_that_the_other_end_shows_is_not_forgotten_where_pages_lack_rows(
    *, descending: bool, ordered: bool
) -> None:
    """The next page by its number may be empty for want of rights. It does not outweigh a row that was seen."""
    names = ["1-000000", "1-000003", "1-000004", "1-000007", "1-000008"]
    rows = [(START + 7_000_000 * number, name) for number, name in enumerate(names, 1)]
    scan = scan_of(1, service=ServiceFacts(0), descending=descending, ordered=ordered)
    with suppress(CompletenessError):
        assert sorted(read(scan, Hiding(rows, cap=1))) == [names[0], names[-1]]


class Weighed(ModelService):
    """A service whose answers hold some bytes at most, and one row at least; the rows of one second are wide."""

    most_bytes = 20_000

    def page(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
        """Ties come in the same order in both directions."""
        sign = -1 if descending else 1
        return sorted(window, key=lambda row: (sign * row[0], row[1]))[start:stop]

    def answer(self, ask: PageRequest) -> ModelPage:
        page = super().answer(ask)
        bytes_of = [2_000 if name.startswith("1") else 200 for name in page.ids]
        kept = max(1, sum(total <= self.most_bytes for total in accumulate(bytes_of)))
        return ModelPage(page.ids[:kept], page.times[:kept], b"x" * sum(bytes_of[:kept]))


@pytest.mark.parametrize("page_size", long_but(20, of=[20, 100]))
@pytest.mark.parametrize(
    ("most_bytes", "count"), [(5_000, 5), (20_000, 11), (20_000, 60), (60_000, 40), (60_000, 90)]
)
@pytest.mark.parametrize("spread", long_but(700, of=[1, 700]))
@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
def test_a_second_of_wide_rows_that_fill_an_answer_by_their_bytes_is_read_whole(
    spread: int, most_bytes: int, count: int, page_size: int, *, descending: bool, ordered: bool
) -> None:
    """Pages of narrow rows hold more rows, and show nothing of a page of wide ones."""
    at = START + 20 * 3_600_000
    crowd = [(at + number * 7 % spread, f"1{number:04}-{number:06}") for number in range(count)]
    rows = [*crowd, *((START + 170_000 * number, f"2-{number:06}") for number in range(1_400))]
    scan = scan_of(3, descending=descending, ordered=ordered, page_size=page_size)
    service = Weighed(rows)
    service.most_bytes = most_bytes
    got(scan, service, descending=descending, ordered=ordered)


class Defaulting(ModelService):
    """A service that answers a page that is too large with a page of its default size."""

    most, default = 100, 20

    def answer(self, ask: PageRequest) -> ModelPage:
        size = ask.page_size if ask.page_size <= self.most else self.default
        return super().answer(attrs.evolve(ask, page_size=size))


@pytest.mark.parametrize("page_size", [10, 100, 500])
@pytest.mark.parametrize(("most", "default"), [(100, 10), (100, 20), (200, 20)])
@pytest.mark.parametrize("spread", [1, 3, 700])
@pytest.mark.parametrize("others", [0, 200])
@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
def test_a_second_whose_larger_pages_are_answered_by_the_default_size_is_read_whole(
    others: int, spread: int, most: int, default: int, page_size: int, *, descending: bool, ordered: bool
) -> None:
    """That a smaller page had more rows does not show that a larger one is the last."""
    at = START + 20 * 3_600_000
    rows = [(at + number * 7 % spread, f"1{number:04}-{number:06}") for number in range(330)]
    rows += [(START + 410_000 * number, f"2-{number:06}") for number in range(others)]
    service = Defaulting(rows)
    service.most, service.default = most, default
    scan = scan_of(3, descending=descending, ordered=ordered, page_size=page_size)
    got(scan, service, descending=descending, ordered=ordered)


def test_a_second_after_a_cap_was_lowered_costs_a_few_searches() -> None:
    """Pages of its parts show what a full page is now."""
    known = ServiceFacts()
    rows = [(START + 3_600_000 + number * 4, f"1-{number:05}") for number in range(250)]
    for cap in (500, 100):
        service = ModelService(list(rows), cap=cap)
        got(scan_of(1, service=known), service)
    assert len(service.asked) <= 40


class LastAgain(ModelService):
    """A service that answers numbers behind the last page with the last page."""

    def page(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
        size = stop - start
        if start >= len(window) > 0 and size > 0:
            start = (len(window) - 1) // size * size
        return super().page(window, descending, start, start + size)


@pytest.mark.parametrize("cap", [1, 3, 7])
@pytest.mark.parametrize("count", [1, 2, 10, 12])
def test_numbers_behind_the_last_page_that_bring_it_again_end_an_instant(cap: int, count: int) -> None:
    rows = rows_at(START + 5_000, count) + [
        (START + DAY * number, f"9-{number:06}") for number in range(1, 20)
    ]
    service = LastAgain(rows, cap=cap)
    got(scan_of(30, page_size=cap), service)


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("depth", [60, 300, 2_000])
@pytest.mark.parametrize("cap", [1, 3, 7])
@pytest.mark.parametrize("count", [1, 2, 10, 12])
def test_numbers_that_are_too_deep_do_not_hide_that_the_last_page_came_again(
    count: int, cap: int, depth: int, *, refused: bool
) -> None:
    """A page far behind the last one shows that, and a nearer one where the service answers no page so far away."""

    class Shallow(LastAgain):
        def page(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
            if start >= depth and refused:
                raise ServiceError(1004, "result window is too large")
            return [] if start >= depth else super().page(window, descending, start, stop)

    rows = rows_at(START + 5_000, count) + [
        (START + DAY * number, f"9-{number:06}") for number in range(1, 20)
    ]
    got(scan_of(30, page_size=cap), Shallow(rows, cap=cap))


def margins(before: int, pause: int, after: int) -> list[Row]:
    """Hourly rows of a hundred days, with nothing before them, in their middle, and behind them, for so many days."""
    at = START + before * DAY
    first = [(at + 3_600_000 * number, f"1-{number:05}") for number in range(1_200)]
    at += (50 + pause) * DAY
    second = [(at + 3_600_000 * number, f"2-{number:05}") for number in range(1_200)]
    return [*first, *second]


@pytest.mark.parametrize("keeps", ["last", "first"])
@pytest.mark.parametrize(("before", "pause", "after"), [(0, 40, 0), (0, 0, 36), (36, 0, 0), (10, 36, 10)])
@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
def test_a_clamped_range_is_read_whole_across_pauses_that_are_longer_than_the_service_looks(
    keeps: str, before: int, pause: int, after: int, *, descending: bool, ordered: bool
) -> None:
    """Once a narrower question has shown what a wider one left out, what is empty is asked about in parts."""
    service = Clamped(margins(before, pause, after))
    service.keeps = keeps
    scan = scan_of(100 + before + pause + after, descending=descending, ordered=ordered)
    got(scan, service, descending=descending, ordered=ordered)


@pytest.mark.parametrize("largest", [10, 100])
@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
def test_a_page_that_is_too_large_and_answered_with_the_last_page_loses_nothing(
    largest: int, *, descending: bool, ordered: bool
) -> None:
    """A small page shows rows before those that a larger one has begun with."""

    class LastInstead(ModelService):
        def page(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
            if stop - start > largest:
                start = (len(window) - 1) // largest * largest
                stop = start + largest
            return super().page(window, descending, max(0, start), stop)

    service = LastInstead(HOURLY[:1_000])
    scan = scan_of(45, page_size=500, descending=descending, ordered=ordered)
    got(scan, service, descending=descending, ordered=ordered)


def test_page_numbers_that_are_refused_before_the_rows_of_an_instant_end_are_told_with_the_window_and_the_count() -> (
    None
):
    class Refusing(ModelService):
        def page(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
            if start >= 30:
                raise ServiceError(1004, "too deep")
            return super().page(window, descending, start, stop)

    service = Refusing([(START + 5_000, f"T{number:06}") for number in range(60)], cap=10)
    with pytest.raises(CompletenessError, match=r"1704067205000.* 3\d were seen.*too deep"):
        read(scan_of(1, page_size=10), service)


class Silent(LastAgain):
    """A service that answers a page that is too large with nothing, and numbers behind the last page with it."""

    most = 200

    def answer(self, ask: PageRequest) -> ModelPage:
        page = super().answer(ask)
        return page if ask.page_size <= self.most else ModelPage([], [])


@pytest.mark.parametrize("most", [1, 3, 100, 200])
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
def test_a_second_of_few_rows_ends_while_a_page_size_is_being_tested(
    count: int, most: int, *, descending: bool, ordered: bool
) -> None:
    """One second alone is requested with a size that was answered before. No larger page of it follows."""
    service = Silent(rows_at(START + 5_000_000, count))
    service.most = most
    scan = scan_of(1, descending=descending, ordered=ordered, page_size=500)
    names = read(scan, service, most_asks=600)
    assert sorted(names) == sorted(in_order(service.rows))


@pytest.mark.parametrize("keeps", ["last", "first"])
@pytest.mark.parametrize("crowd", [5, 8, 17])
@pytest.mark.parametrize("pause", [3, 8, 12])
@pytest.mark.parametrize(("descending", "ordered"), ORDERS)
def test_rows_that_a_page_of_one_second_left_out_show_that_a_range_is_clamped(
    pause: int, crowd: int, keeps: str, *, descending: bool, ordered: bool
) -> None:
    """The stretch before such a page is read alone. If it has rows, wider windows are answered in part only."""
    rows = [(START + day * DAY, f"1-{day:03}") for day in range(0, 90, pause)]
    rows += [(START + 90 * DAY, f"2-{number:03}") for number in range(crowd)]
    rows += [(START + day * DAY, f"3-{day:03}") for day in range(91, 120, pause)]
    if keeps == "first":
        rows = [(2 * START + 120 * DAY - 1_000 - ms, name) for ms, name in rows]
    service = Clamped(rows)
    service.keeps = keeps
    got(
        scan_of(120, descending=descending, ordered=ordered, page_size=5),
        service,
        descending=descending,
        ordered=ordered,
    )
