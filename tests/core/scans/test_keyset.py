"""The machine as a whole: whatever the service and the network do, the same rows in the same order."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.planning.reorder_buffer import ProvenRun
from aioflows._core.resilience.retry import Disconnected, Garbled
from aioflows._core.scans.keyset import KeysetScan
from aioflows._core.scans.signals import NEED_PAGES
from aioflows._core.wire.envelope import Unlisted
from aioflows._core.wire.zone import Zone
from aioflows.errors import (
    AioflowsError,
    AnswerError,
    BrokenBody,
    CompletenessError,
    Denied,
    ServerFault,
    TransportError,
)
from tests.support.model import START, ModelPage, ModelService, Row, feed, ids_of, in_order, read, rows_at

HOUR = 3_600_000


def scan_of(
    hours: int = 24,
    *,
    service: ServiceFacts | None = None,
    descending: bool = False,
    ordered: bool = True,
    page_size: int = 10,
    concurrency: int = 4,
    buffer: int = 1000,
    limit: int | None = None,
) -> KeysetScan:
    return KeysetScan(
        [(START, START + hours * HOUR)],
        service=service or ServiceFacts(),
        descending=descending,
        ordered=ordered,
        page_size=page_size,
        concurrency=concurrency,
        buffer=buffer,
        limit=limit,
    )


def rows_every(seconds: int, count: int, start: int = START) -> list[Row]:
    return [(start + number * seconds * 1000, f"{number % 7}-{number:06d}") for number in range(count)]


# Any service, any network

worlds = st.lists(
    st.tuples(
        st.one_of(
            st.integers(START, START + 6_000),  # many at one second
            st.integers(START, START + HOUR - 1),
            st.integers(0, 59).map(lambda minute: START + minute * 60_000),  # as crons fire
        ),
        st.integers(0, 10**6),
    ),
    max_size=120,
    unique_by=lambda row: row[1],
).map(lambda rows: [(ms, f"{number % 10}-{number}") for ms, number in rows])


@settings(max_examples=400, deadline=None)
@given(
    rows=worlds,
    page_size=st.integers(2, 130),
    cap=st.one_of(st.integers(2, 40), st.just(1 << 30)),
    base=st.sampled_from([(0, "first"), (1, "first"), (1, "empty")]),
    unstable=st.booleans(),
    descending=st.booleans(),
    slots=st.integers(1, 20),
    buffer=st.sampled_from([1, 30, 1000]),
    seed=st.integers(0, 2**32),
)
def test_any_page_size_cap_base_tie_order_and_arrival_order_give_the_same_rows_in_the_same_order(
    rows: list[Row],
    page_size: int,
    cap: int,
    base: tuple[int, str],
    unstable: bool,
    descending: bool,
    slots: int,
    buffer: int,
    seed: int,
) -> None:
    service = ModelService(rows, cap=cap, base=base[0], page_zero=base[1], unstable=unstable, seed=seed)
    scan = scan_of(1, page_size=page_size, descending=descending, buffer=buffer)
    assert read(scan, service, slots=slots, rng=random.Random(seed)) == in_order(rows, descending=descending)


@settings(max_examples=150, deadline=None)
@given(rows=worlds, page_size=st.integers(2, 50), cap=st.integers(2, 40), seed=st.integers(0, 2**32))
# A page shows what a narrow one was to show, which pins the zone, lies before all that is left, and is answered last.
@example(
    rows=[
        (START + ms, f"{number % 10}-{number}")
        for ms, numbers in {0: (5, 9), 3_000: (6, 7, 10), 1_799_000: (0, 1, 4, 8), 2_165_000: (2,), 2_166_000: (3,)}.items()
        for number in numbers
    ],
    page_size=5,
    cap=9,
    seed=417047,
)  # fmt: skip
def test_an_unordered_scan_gives_every_row_once(rows: list[Row], page_size: int, cap: int, seed: int) -> None:
    service = ModelService(rows, cap=cap, seed=seed)
    got = read(scan_of(1, page_size=page_size, ordered=False), service, rng=random.Random(seed))
    assert sorted(got) == sorted(name for _, name in rows)


@settings(max_examples=150, deadline=None)
@given(rows=worlds, page_size=st.integers(2, 30), limit=st.integers(0, 130), seed=st.integers(0, 2**32))
def test_a_limited_scan_releases_at_least_the_first_rows_that_were_asked_for(
    rows: list[Row], page_size: int, limit: int, seed: int
) -> None:
    service = ModelService(rows, seed=seed)
    scan = scan_of(1, page_size=page_size, limit=limit)
    scan.set_zone(Zone.parse("UTC"))
    got: list[str] = []
    while len(got) < min(limit, len(rows)):
        item = scan.next_item()
        if item is NEED_PAGES:
            for ask in scan.wanted(4):
                scan.received(ask, service.answer(ask))
        else:
            assert isinstance(item, ProvenRun)
            got += ids_of(item)
    assert got[:limit] == in_order(rows)[:limit]


@settings(max_examples=200, deadline=None)
@given(
    lasting=worlds,
    passing=worlds,
    page_size=st.integers(6, 40),
    descending=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_rows_that_come_and_go_meanwhile_take_no_lasting_row_with_them(
    lasting: list[Row], passing: list[Row], page_size: int, descending: bool, seed: int
) -> None:
    """No more than a page at one second, so that nothing has to be counted."""
    per_second = [row for number, row in enumerate(sorted(lasting)) if number % 2 == 0]
    lasting = _thinned(per_second, page_size // 2)
    passing = [(ms, f"passing-{name}") for ms, name in _thinned(passing, page_size // 4)]
    rng = random.Random(seed)
    there = {row for row in passing if rng.random() < 0.5}

    def change(service: ModelService, _: PageRequest) -> None:
        if passing and rng.random() < 0.3:
            there.symmetric_difference_update(rng.sample(passing, min(len(passing), rng.randrange(4))))
        service.rows = sorted([*lasting, *there])

    service = ModelService(list(lasting), before_answer=change, unstable=True, seed=seed)
    try:
        got = read(scan_of(1, page_size=page_size, descending=descending), service, rng=rng)
    except CompletenessError:
        # So small a world may change so much between two answers that nothing can be told; how seldom, is told below.
        return
    kept = set(got)
    assert [name for name in got if not name.startswith("passing")] == in_order(
        lasting, descending=descending
    )
    assert len(kept) == len(got)
    assert got == in_order([row for row in [*lasting, *passing] if row[1] in kept], descending=descending)


def test_hardly_any_scan_under_change_is_unprovable() -> None:
    unprovable = 0
    for seed in range(100):
        rng = random.Random(seed)
        lasting = [(START + rng.randrange(HOUR), f"1-{number}") for number in range(60)]
        passing = [(START + rng.randrange(HOUR), f"passing-{number}") for number in range(20)]
        there = set(passing[::2])

        def change(
            service: ModelService,
            _: PageRequest,
            rng: random.Random = rng,
            there: set[Row] = there,
            both: Any = (lasting, passing),
        ) -> None:
            there.symmetric_difference_update(rng.sample(both[1], 2))
            service.rows = sorted([*both[0], *there])

        service = ModelService(list(lasting), before_answer=change, seed=seed)
        try:
            got = read(scan_of(1, page_size=10), service, rng=rng)
        except CompletenessError:
            unprovable += 1
        else:
            assert [name for name in got if not name.startswith("passing")] == in_order(lasting)
    assert unprovable <= 2


def _thinned(rows: list[Row], most: int) -> list[Row]:
    seconds: dict[int, int] = {}
    kept = []
    for ms, name in rows:
        seconds[ms // 1000] = seconds.get(ms // 1000, 0) + 1
        if seconds[ms // 1000] <= max(1, most):
            kept.append((ms, name))
    return kept


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("unstable", [False, True])
@pytest.mark.parametrize("base", [(0, "first"), (1, "first"), (1, "empty")])
def test_a_millisecond_with_more_rows_than_any_page_is_read_whole(
    descending: bool, unstable: bool, base: tuple[int, str]
) -> None:
    rows = rows_every(600, 100) + rows_at(START + 5 * HOUR, 400)
    service = ModelService(rows, cap=37, unstable=unstable, base=base[0], page_zero=base[1])
    got = read(scan_of(page_size=100, descending=descending), service)
    assert got == in_order(rows, descending=descending)


def test_a_row_that_ended_a_page_may_go_for_good_before_it_comes_again() -> None:
    def drop(service: ModelService, _: PageRequest) -> None:
        if len(service.asked) > 1:
            service.rows = service.rows[:1]

    rows = [(START, "1-1"), (START + 1000, "1-2")]
    assert read(scan_of(1), ModelService(rows, before_answer=drop))[:1] == ["1-1"]


# How many requests


@example(
    start=2_247,
    width=1,
    offsets=[0, 0, 3, *[0] * 5, 4, *[0] * 14, -2, -5, 0, 0, 3],
    page_size=5,
    larger=False,
    descending=True,
    seed=1_422_224_538,
)
@settings(max_examples=200, deadline=None)
@given(
    start=st.integers(0, 3_000),
    width=st.sampled_from([1, 40, 100, 1000, 2500]),
    offsets=st.lists(st.integers(-500, 4_000) | st.just(7), max_size=40),
    # Two full milliseconds of a service that caps pages at less may be more than can be proven.
    page_size=st.integers(4, 8),
    larger=st.booleans(),
    descending=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_a_window_may_start_and_end_within_a_second_that_holds_more_rows_than_a_page(
    start: int, width: int, offsets: list[int], page_size: int, larger: bool, descending: bool, seed: int
) -> None:
    first, until = START + start, START + start + width
    rows = [(first + offset, f"{number % 10}-{number}") for number, offset in enumerate(offsets)]
    service = ModelService(rows, cap=1 << 30 if larger else page_size, seed=seed)
    scan = KeysetScan([(first, until)], service=ServiceFacts(), descending=descending, page_size=page_size)
    inside = [row for row in rows if first <= row[0] < until]
    assert read(scan, service, rng=random.Random(seed)) == in_order(inside, descending=descending)


def where_the_zone_is_known() -> ServiceFacts:
    """A session that knows no more of its service than the zone of its times."""
    service = ServiceFacts()
    service.pin(Zone.parse("UTC"))
    service.dates(0).note(["2024-01-01 00:00:00"])
    return service


@pytest.mark.parametrize("rows", [1, 7])
def test_few_rows_cost_two_requests_while_no_more_than_its_zone_is_known_of_the_service(rows: int) -> None:
    service = ModelService(rows_every(3600, rows))
    assert len(read(scan_of(service=where_the_zone_is_known()), service)) == rows
    assert len(service.asked) == 2


@pytest.mark.parametrize("rows", [1, 7])
def test_few_rows_cost_a_third_request_while_nothing_shows_the_zone_that_is_named(rows: int) -> None:
    """It is about one second, so that rows of another zone are not in it; and the session asks it once."""
    session = ServiceFacts()
    for requests in (3, 2):
        service = ModelService(rows_every(3600, rows))
        assert len(read(scan_of(service=session), service)) == rows
        assert len(service.asked) == requests


class BerlinService(ModelService):
    """A service whose clocks are changed twice a year."""

    def text(self, ms: int) -> str:
        return super().text(ms + 1000 * Zone.parse("Europe/Berlin").offset_at(ms // 1000))


DAYS_OF_A_YEAR = {"winter and summer": (10, 190), "a year": (10, 100, 190, 280, 350), "spring": (70, 80, 110)}


@pytest.mark.parametrize("order", ["ascending", "descending", "unordered"])
@pytest.mark.parametrize("named", ["GMT+1", "GMT+2"])
@pytest.mark.parametrize("days", DAYS_OF_A_YEAR.values(), ids=DAYS_OF_A_YEAR)
def test_one_offset_of_two_is_told_before_a_row_is_handed_out(
    days: tuple[int, ...], named: str, order: str
) -> None:
    """Whichever of its offsets a service names: rows of the other half of the year contradict it."""
    service = BerlinService([(START + (24 * day + 7) * HOUR, f"{day}-x") for day in days])
    scan = scan_of(366 * 24, ordered=order != "unordered", descending=order == "descending")
    with pytest.raises(CompletenessError, match="server_timezone"):
        read(scan, service, zone=named)
    assert not scan.rows_released


@pytest.mark.parametrize(("zone", "requests"), [("GMT+8", 3), ("UTC", 4)])
def test_rows_of_a_whole_year_cost_one_request_more_where_clocks_may_be_changed(
    zone: str, requests: int
) -> None:
    """An offset without daylight saving time costs nothing more, nor does a session that has seen a whole year."""
    session = ServiceFacts()
    for expected in (requests, 2):
        service = ModelService(rows_every(30 * 86_400, 7), offset=Zone.parse(zone).offset_at(0))
        assert len(read(scan_of(366 * 24, service=session), service, zone=zone)) == 7
        assert len(service.asked) == expected


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("hours", [-8, -1, 1, 8])
@pytest.mark.parametrize(("rows", "limit"), [(1, None), (3, None), (9, 5), (500, 10)])
def test_no_row_is_handed_out_before_its_zone_is_shown(
    hours: int, rows: int, limit: int | None, descending: bool
) -> None:
    """However few rows are asked for, or come: the error is the first thing that the scan gives."""
    service = ModelService(rows_every(60, rows, START + 12 * HOUR), offset=3600 * hours)
    scan = scan_of(limit=limit, descending=descending)
    scan.set_zone(Zone.parse("UTC"))
    under_way: list[PageRequest] = []
    with pytest.raises(CompletenessError, match="zone"):
        while (item := scan.next_item()) is NEED_PAGES:
            under_way += scan.wanted(4)
            feed(scan, service, under_way.pop(0))
    assert item is NEED_PAGES


def test_a_row_that_goes_while_its_zone_is_being_shown_is_no_sign_of_another_zone() -> None:
    service = ModelService(rows_every(3600, 1))

    def go(service: ModelService, ask: PageRequest) -> None:
        if ask.until - ask.first == 1000:
            service.rows = []

    service.before_answer = go
    assert len(read(scan_of(), service)) <= 1


def test_few_rows_cost_two_requests_where_a_session_knows_the_service_too() -> None:
    """What was learnt before does not prove that a short page is the last one."""
    known = ServiceFacts()
    read(scan_of(service=known), ModelService(rows_every(60, 100)))
    service = ModelService(rows_every(3600, 7))
    assert len(read(scan_of(service=known), service)) == 7
    assert len(service.asked) == 2


def test_ten_rows_of_very_many_cost_two_requests() -> None:
    service = ModelService(rows_every(1, 80_000))
    scan = scan_of(page_size=100)
    scan.set_zone(Zone.parse("UTC"))
    under_way: list[PageRequest] = []
    while scan.next_item() is NEED_PAGES:
        under_way += scan.wanted(21)
        ask = under_way.pop(0)
        scan.received(ask, service.answer(ask))
    under_way += scan.wanted(21)
    assert len(service.asked) + len(under_way) == 2


def test_a_range_that_begins_in_a_dense_second_gives_rows_after_two_rounds_of_three_requests() -> None:
    crowd = rows_at(START, 30)
    service, known = ModelService([*crowd, *rows_every(60, 300, START + 60_000)]), ServiceFacts()
    scan = scan_of(page_size=10, service=known)
    scan.set_zone(Zone.parse("UTC"))
    asked = []
    while (item := scan.next_item()) is NEED_PAGES:
        asked.append(scan.wanted(16))
        for ask in asked[-1]:
            scan.received(ask, service.answer(ask))
    assert isinstance(item, ProvenRun)
    assert ids_of(item)[:30] == in_order(crowd)
    assert list(map(len, asked)) == [1, 2]
    assert known.zone_pinned, "one of these requests was to tell whether the zone is right"


@pytest.mark.parametrize("offset", [3600, -900])
def test_a_wrong_zone_is_told_where_a_range_begins_in_a_dense_second(offset: int) -> None:
    rows = [*rows_at(START + 2 * HOUR, 30), *rows_every(60, 300, START + 2 * HOUR + 60_000)]
    with pytest.raises(CompletenessError, match="zone"):
        read(scan_of(page_size=10), ModelService(rows, offset=offset))


def test_an_empty_answer_is_looked_at_again_before_it_is_believed() -> None:
    lied: list[PageRequest] = []

    def lie_once(service: ModelService, ask: PageRequest) -> None:
        if not lied:
            lied.append(ask)
            service.rows, hidden = [], service.rows
            service.before_answer = lambda again, _: setattr(again, "rows", hidden)

    rows = rows_every(60, 300)
    assert read(scan_of(), ModelService(rows, before_answer=lie_once)) == in_order(rows)


@pytest.mark.parametrize("base", [0, 1])
def test_a_service_that_counts_rows_and_lists_none_is_never_taken_for_empty(base: int) -> None:
    """However often it says so, by whichever page number."""
    service = ModelService([], base=base)
    say = service.answer
    service.answer = lambda ask: replace(say(ask), count=7)  # type: ignore[method-assign]
    with pytest.raises(AnswerError, match=r"no rows, \d times, while its count says that there are 7"):
        read(scan_of(), service)


def test_a_count_on_page_0_of_a_service_that_counts_from_1_is_that_of_all_rows() -> None:
    """Page 0 is empty there, and has a total all the same; so the rows come by page 1."""
    rows = rows_every(60, 300)
    service = ModelService(rows, base=1, page_zero="empty")
    say = service.answer
    service.answer = lambda ask: replace(say(ask), count=300)  # type: ignore[method-assign]
    assert read(scan_of(), service) == in_order(rows)


def test_a_list_that_is_left_out_on_page_0_leads_to_page_1() -> None:
    """A service that counts from 1, and leaves out empty lists, says so; where page 1 has no rows either, it is an error."""
    rows = rows_every(60, 300)
    for there in (rows, []):
        service = ModelService(there, base=1)
        say = service.answer

        def answer(ask: PageRequest, say: Callable[[PageRequest], ModelPage] = say) -> ModelPage:
            if not ask.page_no:
                raise Unlisted("the answer reports 300 rows, but has no list of them", "$.data.flowInsts")
            return say(ask)

        service.answer = answer  # type: ignore[method-assign]
        if there:
            assert read(scan_of(), service) == in_order(rows)
        else:
            with pytest.raises(Unlisted):
                read(scan_of(), service)


UNREADABLE: list[AioflowsError] = [
    AnswerError("a web page came instead of JSON: <html>"),
    AnswerError("there is no data", "$.data"),
    BrokenBody("the answer ends too early, after 9,000 bytes"),
    Disconnected("closed the connection without an answer"),
    Garbled("the answer is not HTTP"),
]


def unreadable_beyond(rows: list[Row], most: int, error: AioflowsError, *, asked_for: bool) -> ModelService:
    """A service of which no answer of more than so many rows, or to a question for more, can be read."""
    service = ModelService(rows)
    say = service.answer

    def answer(ask: PageRequest) -> ModelPage:
        page = say(ask)
        if (ask.page_size if asked_for else len(page.ids)) > most:
            raise error
        return page

    service.answer = answer  # type: ignore[method-assign]
    return service


@pytest.mark.parametrize("error", UNREADABLE)
@pytest.mark.parametrize("asked_for", [True, False])
@pytest.mark.parametrize(("most", "requests"), [(1, 1_100), (7, 150), (40, 40)])
def test_where_large_pages_cannot_be_read_small_ones_are(
    error: AioflowsError, asked_for: bool, most: int, requests: int
) -> None:
    """The largest that can be read is found out in few requests; whether it is what was asked for that is too large, or the answer."""
    rows = rows_every(60, 400 if most > 1 else 40)
    service = unreadable_beyond(rows, most, error, asked_for=asked_for)
    for order in (False, True):
        service.asked.clear()
        scan = scan_of(page_size=100, descending=order)
        assert read(scan, service, slots=1) == in_order(rows, descending=order)
        assert len(service.asked) < requests


@pytest.mark.parametrize("error", UNREADABLE)
def test_where_no_page_can_be_read_the_scan_ends_after_one_of_a_single_row(error: AioflowsError) -> None:
    service = unreadable_beyond(rows_every(60, 300), 0, error, asked_for=True)
    with pytest.raises(type(error)):
        read(scan_of(page_size=100), service, slots=1)
    assert [ask.page_size for ask in service.asked] == [100, 1]


def test_a_row_that_cannot_be_read_says_nothing_of_the_size() -> None:
    error = AnswerError("None is not an id", "$.data.flowInsts[3].instanceId")
    service = unreadable_beyond(rows_every(60, 300), 0, error, asked_for=True)
    with pytest.raises(AnswerError):
        read(scan_of(page_size=100), service, slots=1)
    assert [ask.page_size for ask in service.asked] == [100]


def test_where_rows_are_wider_than_before_smaller_pages_are_read_there() -> None:
    """A size that was read in a scan may be too large for what follows."""
    rows = rows_every(60, 1200)
    wide = {name for _, name in rows[500:600]}
    service = ModelService(rows)
    say = service.answer

    def answer(ask: PageRequest) -> ModelPage:
        page = say(ask)
        if sum(20 if name in wide else 1 for name in page.ids) > 200:
            raise ServerFault(502, "<html>")
        return page

    service.answer = answer  # type: ignore[method-assign]
    assert read(scan_of(page_size=100), service) == in_order(rows)


def test_after_a_time_without_a_good_answer_pages_are_as_large_as_before() -> None:
    """That a page could not be read may have been bad luck."""
    rows, failures = rows_every(10, 6000), iter(range(4))

    def fail(service: ModelService, ask: PageRequest) -> None:
        if len(service.asked) > 3 and ask.page_size > 1 and next(failures, None) is not None:
            raise BrokenBody("the answer ends too early, after 0 bytes")

    service = ModelService(rows, before_answer=fail)
    assert read(scan_of(page_size=100), service) == in_order(rows)
    assert len(service.asked) < 120
    assert service.asked[-1].page_size == 100


def test_nothing_is_asked_beyond_the_buffer_while_the_consumer_stands_still() -> None:
    service = ModelService(rows_every(1, 50_000))
    scan = scan_of(page_size=100, buffer=2_000, concurrency=16)
    scan.set_zone(Zone.parse("UTC"))
    for _ in range(6):  # a few batches, after which the look-ahead is no longer bounded by what was pulled
        while scan.next_item() is NEED_PAGES:
            for ask in scan.wanted(16):
                scan.received(ask, service.answer(ask))
    for _ in range(100):
        for ask in scan.wanted(16):
            scan.received(ask, service.answer(ask))
    assert scan.account().rows_received - scan.rows_released <= 2 * 2_000 + 16 * 100


@pytest.mark.parametrize(("width", "most"), [(100, 20_000), (10_000, 1_500)])
def test_fewer_wide_rows_wait_than_the_buffer_has_place_for(width: int, most: int) -> None:
    service = ModelService(rows_every(1, 50_000))
    scan = scan_of(page_size=20, buffer=20_000, concurrency=16)
    scan.set_zone(Zone.parse("UTC"))

    def answered() -> None:
        for ask in scan.wanted(16):
            page = service.answer(ask)
            scan.received(ask, ModelPage(page.ids, page.times, b"x" * width * len(page.ids)))

    for _ in range(6):
        while scan.next_item() is NEED_PAGES:
            answered()
    for _ in range(200):
        answered()
    assert most / 2 <= scan.held <= most + 2 * 16 * 20


# How close to the fewest requests


def uniform(rng: random.Random) -> int:
    return rng.randrange(365 * 86_400)


def dense_at_last(rng: random.Random) -> int:
    return rng.randrange(346 * 86_400, 365 * 86_400) if rng.random() < 0.98 else uniform(rng)


def clumps(rng: random.Random) -> int:
    return uniform(rng) if rng.random() < 0.1 else rng.randrange(300) * 100_000 + rng.randrange(300)


def year_of(draw: Callable[[random.Random], int], count: int) -> list[Row]:
    rng = random.Random(7)
    return [(START + draw(rng) * 1000, f"1-{number:06d}") for number in range(count)]


@pytest.mark.parametrize("draw", [uniform, dense_at_last, clumps])
@pytest.mark.parametrize(("descending", "ordered"), [(False, True), (True, True), (False, False)])
def test_a_scan_costs_few_requests_more_than_its_rows_fill_pages(
    draw: Callable[[random.Random], int], descending: bool, ordered: bool
) -> None:
    service = ModelService(year_of(draw, 30_000))
    scan = scan_of(
        365 * 24,
        page_size=50,
        concurrency=16,
        buffer=10_000,
        descending=descending,
        ordered=ordered,
    )
    assert len(read(scan, service, slots=16)) == 30_000
    repeated = 1.03  # the last second of a page is read again
    assert len(service.asked) / 600 <= (1.08 if ordered else 1.03) * repeated + (
        0.07 if draw is clumps else 0
    )


def test_a_window_cut_for_a_dense_stretch_brings_a_full_page_where_that_has_ended() -> None:
    rows = rows_every(1, 6_000) + rows_every(3600, 3_000, START + 6_000_000)
    service = ModelService(rows, offset=8 * 3600)
    scan = scan_of(3_100, page_size=100, concurrency=16, buffer=20_000)
    assert read(scan, service, slots=16, zone="GMT+8") == in_order(rows)
    assert len(service.asked) <= 90 * 1.25 + 2  # the two that show the zone in a new session


@pytest.mark.parametrize(("others", "requests"), [(20, 1.75), (40, 2.2)])
@pytest.mark.parametrize("descending", [False, True])
def test_days_with_a_second_that_no_page_holds_cost_few_requests(
    descending: bool, others: int, requests: float
) -> None:
    days = [START + day * 24 * HOUR for day in range(40)]
    every = 86_400 // others
    rows = [(ms, f"{ms}-{name}") for midnight in days for ms, name in rows_at(midnight, 150)]
    rows += [(ms, f"{ms}-{name}") for midnight in days for ms, name in rows_every(every, others, midnight)]
    service = ModelService(rows)
    scan = scan_of(40 * 24, page_size=50, concurrency=16, buffer=10_000, descending=descending)
    assert read(scan, service, slots=16) == in_order(rows, descending=descending)
    assert len(service.asked) <= requests * len(days)


def test_a_service_that_caps_pages_is_asked_for_a_larger_one_once() -> None:
    rows = rows_every(3600, 10) + [row for hour in range(9, 20) for row in rows_at(START + hour * HOUR, 300)]
    rows = [(ms, f"{ms}-{name}") for ms, name in rows]
    service = ModelService(rows, cap=100)
    assert read(scan_of(page_size=100), service, slots=16) == in_order(rows)
    assert len([ask for ask in service.asked if ask.page_size > 100]) == 1


@pytest.mark.parametrize("count", [3_000, 30_000])
def test_what_is_planned_with_does_not_grow_with_the_scan(count: int) -> None:
    scan = scan_of(365 * 24, page_size=20, concurrency=8, ordered=False)
    unread: list[int] = []

    def note(_: ModelService, __: PageRequest) -> None:
        unread.append(len(scan.remaining()))

    read(scan, ModelService(year_of(clumps, count), before_answer=note), slots=8)
    assert max(unread) <= 40


# What is checked, not believed


@pytest.mark.parametrize("offset", [-8 * 3600, -1800, 900, 3600, 8 * 3600])
@pytest.mark.parametrize("descending", [False, True])
def test_a_wrong_zone_is_an_error_and_never_a_gap(offset: int, descending: bool) -> None:
    service = ModelService(rows_every(60, 1400), offset=offset)
    with pytest.raises(CompletenessError, match="server_timezone"):
        read(scan_of(page_size=50, descending=descending), service, zone="UTC")


def test_a_service_that_ignores_the_sorter_is_an_error() -> None:
    class Unsorted(ModelService):
        def answer(self, ask: PageRequest) -> ModelPage:
            page = super().answer(ask)
            order = self.rng.sample(range(len(page.ids)), len(page.ids))
            return ModelPage([page.ids[at] for at in order], [page.times[at] for at in order])

    with pytest.raises(CompletenessError, match="broke the order"):
        read(scan_of(), Unsorted(rows_every(60, 300)))


def test_a_service_that_ignores_the_window_is_an_error() -> None:
    class Windowless(ModelService):
        def answer(self, ask: PageRequest) -> ModelPage:
            whole = PageRequest(START - HOUR, START + 48 * HOUR, ask.axis, ask.page_size, ask.backward)
            return super().answer(whole)

    with pytest.raises(CompletenessError, match="outside the window"):
        read(scan_of(page_size=50), Windowless(rows_every(60, 1000)))


def test_a_service_that_answers_the_same_for_ever_is_an_error_and_no_loop() -> None:
    class Stuck(ModelService):
        def answer(self, ask: PageRequest) -> ModelPage:
            self.asked.append(ask)
            return ModelPage([f"1-{at}" for at in range(10)], ["2024-01-01 00:00:05"] * 10)

    with pytest.raises(CompletenessError):
        read(scan_of(), Stuck([]), most_asks=2_000)


def test_an_id_that_comes_with_two_trigger_times_is_an_error() -> None:
    rows = [(START + number * 1000, "1-same" if number in (3, 5) else f"1-{number}") for number in range(8)]
    with pytest.raises(CompletenessError, match="1-same"):
        read(scan_of(), ModelService(rows))


def test_answering_what_was_not_asked_is_refused_and_changes_nothing() -> None:
    scan = scan_of()
    scan.set_zone(Zone.parse("UTC"))
    (ask,) = scan.wanted(4)
    stranger = PageRequest(ask.first, ask.until, ask.axis, ask.page_size)
    with pytest.raises(RuntimeError, match="not asked"):
        scan.received(stranger, ModelPage([], []))
    assert scan.account().rows_received == 0


# Errors take their place in the order


@pytest.mark.parametrize("error", [Denied(62103, "no privilege"), TransportError("gone")])
def test_rows_before_a_page_that_failed_are_released_then_the_error_is_raised(error: AioflowsError) -> None:
    rows = rows_every(60, 1000)
    broken = START + 8 * HOUR
    service = ModelService(rows)
    scan = scan_of(page_size=20)
    scan.set_zone(Zone.parse("UTC"))
    got: list[str] = []
    with pytest.raises(type(error)):
        for _ in range(10_000):
            item = scan.next_item()
            if item is NEED_PAGES:
                for ask in scan.wanted(4):
                    if service.asked and ask.from_ms <= broken < ask.to_ms:
                        scan.failed(ask, error)
                    else:
                        scan.received(ask, service.answer(ask))
            else:
                assert isinstance(item, ProvenRun)
                got += ids_of(item)
    assert got == in_order(rows)[: len(got)]
    assert len(got) >= 10


def test_a_request_that_is_given_up_early_is_asked_again_for_less() -> None:
    rows = rows_every(60, 1000)
    service = ModelService(rows)
    scan = scan_of(page_size=20)
    scan.set_zone(Zone.parse("UTC"))
    got: list[str] = []
    failed = 0
    for _ in range(10_000):
        item = scan.next_item()
        if item is NEED_PAGES:
            for ask in scan.wanted(4):
                if ask.tries == 2:
                    failed += 1
                    scan.failed(ask, ServerFault(504, "gateway time-out"))
                else:
                    scan.received(ask, service.answer(ask))
        elif isinstance(item, ProvenRun):
            got += ids_of(item)
        else:
            break
    assert failed
    assert got == in_order(rows)


def test_a_large_window_that_the_service_fails_on_is_halved() -> None:
    rows = rows_every(60, 1000)
    service = ModelService(rows)
    scan = scan_of(page_size=20)
    scan.set_zone(Zone.parse("UTC"))
    got: list[str] = []
    for _ in range(10_000):
        item = scan.next_item()
        if item is NEED_PAGES:
            for ask in scan.wanted(4):
                if ask.to_ms - ask.from_ms > 2 * HOUR:
                    scan.failed(ask, ServerFault(504, "gateway time-out"))
                else:
                    scan.received(ask, service.answer(ask))
        elif isinstance(item, ProvenRun):
            got += ids_of(item)
        else:
            break
    assert got == in_order(rows)
