"""Every order but that of trigger times: whatever the service and the network do, what `sorted` would give."""

from __future__ import annotations

import random
from typing import cast

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.machine import Requester
from aioflows._core.strategy import make_machine
from aioflows.errors import AioflowsError, CompletenessError, ServerFault
from aioflows.models import ScheduleType
from aioflows.query import FlowQuery, SortKey
from aioflows.settings import Limits
from tests.support.long import long_but
from tests.support.model import START
from tests.support.sorted_model import FullPage, FullRow, FullService, in_order, run

HOUR = 3_600_000
ORDERS = [
    ("start_time",),
    ("-start_time",),
    ("end_time",),
    ("-end_time",),
    ("create_time",),
    ("-create_time",),
    ("start_time", "-end_time"),
    ("-end_time", "create_time"),
    ("-create_time", "trigger_time"),
    ("trigger_time", "-start_time"),
    ("-trigger_time", "end_time"),
]

moments = st.one_of(
    st.integers(START, START + HOUR - 1), st.integers(0, 59).map(lambda minute: START + minute * 60_000)
)
lags = st.one_of(st.none(), st.integers(0, 3_000), st.integers(0, HOUR))
full_rows = st.tuples(moments, lags, lags, lags, st.integers(0, 10**6), st.integers(0, 2))
worlds = st.lists(full_rows, max_size=150, unique_by=lambda row: row[4]).map(
    lambda rows: [
        FullRow(f"{number % 10}-{number}", ms, _later(ms, a), _later(ms, b), _later(ms, c), kind)
        for ms, a, b, c, number, kind in rows
    ]
)


def _later(ms: int, lag: int | None) -> int | None:
    return None if lag is None else ms + lag


def query_of(order: tuple[SortKey, ...], kind: ScheduleType | None = None) -> FlowQuery:
    return FlowQuery(START, START + HOUR, order_by=order, type=kind)


def many(count: int, seed: int = 1, *, lacking: float = 0.05, spread: int = 60_000) -> list[FullRow]:
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        ms = START + rng.randrange(HOUR)
        start = None if rng.random() < lacking else ms + rng.randrange(spread)
        end = None if start is None or rng.random() < lacking else start + rng.randrange(spread)
        rows.append(FullRow(f"{number % 7}-{number}", ms, start, end, ms - rng.randrange(spread)))
    return rows


@settings(max_examples=300, deadline=None)
@given(
    rows=worlds,
    order=st.sampled_from(ORDERS),
    proven=st.booleans(),
    one_type=st.booleans(),
    page_size=st.integers(4, 60),
    cap=st.one_of(st.integers(4, 40), st.just(1 << 30)),
    base=st.sampled_from([(0, "first"), (1, "first"), (1, "empty")]),
    unstable=st.booleans(),
    nulls=st.sampled_from(["smallest", "first", "last"]),
    slots=st.integers(1, 20),
    buffer=st.sampled_from([1, 20, 60, 1000]),
    seed=st.integers(0, 2**32),
)
def test_any_service_and_any_order_of_arrival_give_what_sorting_all_rows_gives(
    rows: list[FullRow],
    order: tuple[SortKey, ...],
    proven: bool,
    one_type: bool,
    page_size: int,
    cap: int,
    base: tuple[int, str],
    unstable: bool,
    nulls: str,
    slots: int,
    buffer: int,
    seed: int,
) -> None:
    service = FullService(
        rows, cap=cap, base=base[0], page_zero=base[1], unstable=unstable, nulls=nulls, seed=seed
    )
    query = query_of(order, ScheduleType.PERIODIC if one_type else None)
    limits = Limits(page_size=page_size, buffer=buffer, concurrency=4)
    ran = run(query, service, limits=limits, proven=proven, slots=slots, rng=random.Random(seed))
    asked = [row for row in rows if row.type == 1] if one_type else rows
    if _untold(asked, query):
        assert sorted(ran.got) == sorted(row.id for row in asked)
    else:
        assert ran.got == in_order(asked, query.sorters, nulls)


def _untold(rows: list[FullRow], query: FlowQuery) -> bool:
    """Tell whether no answer can show where rows stand that lack a field: no schedule type has both kinds of rows."""
    for name, _ in query.sorters:
        kinds = {(row.type, row.shown(name) is None) for row in rows}
        mixed = any({(kind, False), (kind, True)} <= kinds for kind in range(3))
        if not mixed and len({lack for _, lack in kinds}) > 1:
            return True
    return False


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(
    order=st.sampled_from(ORDERS[:9]),
    nulls=st.sampled_from(["smallest", "first", "last"]),
    lacking=st.sampled_from([0.0, 0.05, 0.6, 1.0]),
    spread=st.sampled_from([1, 60_000, HOUR]),
    unstable=st.booleans(),
    deepest=st.sampled_from([1 << 40, 90]),
    seed=st.integers(0, 2**32),
)
def test_windows_of_many_pages_are_merged_exactly(
    order: tuple[SortKey, ...],
    nulls: str,
    lacking: float,
    spread: int,
    unstable: bool,
    deepest: int,
    seed: int,
) -> None:
    rows = many(900, seed, lacking=lacking, spread=spread)
    service = FullService(rows, nulls=nulls, unstable=unstable, deepest=deepest, seed=seed)
    query = query_of(order, ScheduleType.PERIODIC)
    limits = Limits(page_size=30, buffer=120, concurrency=4)
    ran = run(query, service, limits=limits, rng=random.Random(seed))
    assert ran.got == in_order(rows, query.sorters, nulls)


@pytest.mark.parametrize("order", ORDERS[:9], ids=str)
def test_the_falling_order_is_the_exact_reverse_of_the_rising_one(order: tuple[SortKey, ...]) -> None:
    rows = many(900, lacking=0.0)
    flipped = tuple(cast("SortKey", name[1:] if name.startswith("-") else f"-{name}") for name in order)
    limits = Limits(page_size=30, buffer=120, concurrency=4)
    kind = ScheduleType.PERIODIC
    forth = run(query_of(order, kind), FullService(rows), limits=limits).got
    back = run(query_of(flipped, kind), FullService(rows), limits=limits).got
    assert forth == back[::-1]


@pytest.mark.parametrize("proven", long_but(True, of=[False, True]))
@pytest.mark.parametrize("order", long_but(ORDERS[2], of=ORDERS[:9]), ids=str)
def test_the_rows_that_are_held_stay_within_two_and_a_half_times_the_buffer(
    order: tuple[SortKey, ...], proven: bool
) -> None:
    rows = many(6_000)
    limits = Limits(page_size=30, buffer=600, concurrency=8)
    ran = run(
        query_of(order, ScheduleType.PERIODIC), FullService(rows), limits=limits, proven=proven, slots=11
    )
    assert len(ran.got) == 6_000
    assert ran.peak <= (1.5 if proven else 2.5) * 600, f"{ran.peak} rows were held"


@pytest.mark.long
def test_a_group_of_thousands_of_rows_without_a_time_is_not_held_in_memory() -> None:
    rows = many(6_000, lacking=0.9)
    query = query_of(("end_time",), ScheduleType.PERIODIC)
    ran = run(query, FullService(rows), limits=Limits(page_size=30, buffer=600, concurrency=8), slots=11)
    assert ran.got == in_order(rows, query.sorters, "smallest")
    assert ran.peak <= 2.5 * 600, f"{ran.peak} rows were held"


@pytest.mark.parametrize("order", ORDERS[:9], ids=str)
def test_ten_rows_of_many_cost_a_few_requests(order: tuple[SortKey, ...]) -> None:
    rows = many(6_000, lacking=0.01)
    service = FullService(rows)
    query = query_of(order, ScheduleType.PERIODIC)
    ran = run(query, service, limits=Limits(page_size=100, buffer=1_000), limit=10, slots=11)
    assert ran.got == in_order(rows, query.sorters, "smallest")[:10]
    assert len(service.asked) <= 5 + 1, "one of them shows that the zone is the one that is named"


def test_ten_rows_out_of_a_large_group_cost_no_more_than_the_group() -> None:
    rows = many(6_000, lacking=0.1)
    service = FullService(rows)
    query = query_of(("start_time",), ScheduleType.PERIODIC)
    ran = run(query, service, limits=Limits(page_size=100, buffer=1_000), limit=10, slots=11)
    assert ran.got == in_order(rows, query.sorters, "smallest")[:10]
    assert len(service.asked) <= sum(row.start_time is None for row in rows) / 100 + 5


@pytest.mark.parametrize("nulls", ["smallest", "first", "last"])
@pytest.mark.parametrize("order", ["end_time", "-end_time"])
def test_where_rows_without_a_time_stand_is_asked_for_once_in_a_session(nulls: str, order: SortKey) -> None:
    rows, known = many(300), ServiceFacts()
    limits = Limits(page_size=500)
    probes = []
    for _ in range(2):
        service = FullService(rows, nulls=nulls)
        run(query_of((order,), ScheduleType.PERIODIC), service, limits=limits, known=known)
        probes.append(sum(ask.field == "end_time" for ask in service.asked))
    assert probes == [1, 0]


def test_a_service_that_moves_rows_without_a_time_is_found_out() -> None:
    rows, known = many(2_000, lacking=0.02), ServiceFacts()
    known.nulls_first["start_time", False] = False  # seen at the end in an earlier scan
    with pytest.raises(CompletenessError, match="without that time"):
        run(
            query_of(("start_time",), ScheduleType.PERIODIC),
            FullService(rows),
            limits=Limits(page_size=30, buffer=100),
            known=known,
        )


OTHER = "create_time"


def test_a_service_that_ignores_the_sorter_is_found_out() -> None:
    class Deaf(FullService):
        def answer(self, asker: Requester, ask: PageRequest) -> FullPage:
            return super().answer(
                asker, ask if ask.field == "trigger_time" else attrs.evolve(ask, field=OTHER)
            )

    with pytest.raises(CompletenessError, match="broke the order"):
        run(
            query_of(("start_time",), ScheduleType.PERIODIC),
            Deaf(many(2_000)),
            limits=Limits(page_size=30, buffer=100),
        )


def test_a_service_that_fails_on_deep_pages_is_read_in_another_way() -> None:
    class Shallow(FullService):
        def answer(self, asker: Requester, ask: PageRequest) -> FullPage:
            if ask.page_no * ask.page_size > 90 and ask.field != "trigger_time":
                raise ServerFault(62109, "server internal exception")
            return super().answer(asker, ask)

    rows, query = many(2_000), query_of(("-end_time",), ScheduleType.PERIODIC)
    ran = run(query, Shallow(rows), limits=Limits(page_size=30, buffer=120))
    assert ran.got == in_order(rows, query.sorters, "smallest")


def test_an_error_of_the_temporary_file_ends_the_scan() -> None:
    query = query_of(("start_time",), ScheduleType.PERIODIC)
    machine = make_machine(query, ServiceFacts(), Limits(), limit=None, resume=None, proven=True)
    machine.disk_failed(AioflowsError("the disk is full"))
    with pytest.raises(AioflowsError, match="the disk is full"):
        machine.next_rows()


# While it changes


def changing(rows: list[FullRow], passing: list[FullRow], seed: int, share: float) -> FullService:
    rng = random.Random(seed)
    there = set(passing[::2])

    def change(service: FullService) -> None:
        if rng.random() < share:
            there.symmetric_difference_update(rng.sample(passing, 2))
            service.rows = [*rows, *there]

    return FullService([*rows, *there], before_answer=change, seed=seed)


@pytest.mark.parametrize("share", long_but(0.5, of=[0.1, 0.5, 1.0]))
@pytest.mark.parametrize("order", long_but(ORDERS[8], of=[*ORDERS[:6], ORDERS[8]]), ids=str)
def test_what_is_proven_holds_every_lasting_row_once_and_in_order_under_change(
    order: tuple[SortKey, ...], share: float
) -> None:
    query = query_of(order, ScheduleType.PERIODIC)
    limits = Limits(page_size=30, buffer=120, concurrency=4)
    for seed in range(10):
        rows = many(900, seed)
        passing = [FullRow(f"passing-{one.id}", *_times(one)) for one in many(120, seed + 1_000)]
        service = changing(rows, passing, seed, share)
        ran = run(query, service, limits=limits, proven=True, rng=random.Random(seed))
        _check_held(ran.got, rows, passing, query)


@pytest.mark.parametrize("share", long_but(0.3, of=[0.05, 0.3, 1.0]))
@pytest.mark.parametrize("order", long_but(ORDERS[8], of=[*ORDERS[:6], ORDERS[8]]), ids=str)
def test_what_is_merged_holds_them_too_or_the_scan_says_that_it_cannot(
    order: tuple[SortKey, ...], share: float
) -> None:
    query = query_of(order, ScheduleType.PERIODIC)
    limits = Limits(page_size=30, buffer=120, concurrency=4)
    whole = 0
    for seed in range(20):
        rows = many(900, seed, lacking=0.01)
        passing = [FullRow(f"passing-{one.id}", *_times(one)) for one in many(120, seed + 1_000)]
        service = changing(rows, passing, seed, share)
        try:
            ran = run(query, service, limits=limits, rng=random.Random(seed))
        except CompletenessError:
            continue
        whole += 1
        _check_held(ran.got, rows, passing, query)
    assert whole >= 5, "so little change must be survived now and then"


def _times(row: FullRow) -> tuple[int, int | None, int | None, int | None]:
    return row.trigger_time, row.start_time, row.end_time, row.create_time


def _check_held(got: list[str], rows: list[FullRow], passing: list[FullRow], query: FlowQuery) -> None:
    assert len(set(got)) == len(got), "a row came twice"
    assert {row.id for row in rows} <= set(got), "a lasting row is missing"
    known = {row.id: row for row in [*rows, *passing]}
    assert got == in_order([known[name] for name in got], query.sorters, "smallest"), "it is out of order"
