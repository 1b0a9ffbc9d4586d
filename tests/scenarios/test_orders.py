"""Orders that are not that of trigger times, as users ask for them, against the emulator."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from aioflows import (
    Checkpoint,
    CompletenessError,
    FlowQuery,
    FlowScan,
    FlowSession,
    Limits,
    QueryError,
    RetryPolicy,
    ScheduleType,
    ServerFault,
)
from aioflows.emulator import Emulator, Fault
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport
from tests.support.long import long_but

Order = SortKey | tuple[SortKey, ...]

MERGED: list[Order] = [
    "start_time",
    "-start_time",
    "end_time",
    "-end_time",
    "create_time",
    "-create_time",
    ("end_time", "-create_time"),
    ("-create_time", "trigger_time"),
]
REFINED: list[Order] = [("trigger_time", "-start_time"), ("-trigger_time", "end_time")]
SOME_ORDERS = long_but(*MERGED[::3], REFINED[0], of=MERGED + REFINED)
COLUMNS = {
    "start_time": "start_ms / 1000",
    "end_time": "end_ms / 1000",
    "create_time": "create_ms",
    "trigger_time": "trigger_ms / 1000",
    "update_time": "update_ms",
}
BERLIN: dict[str, Any] = {"zone": "Europe/Berlin", "days": 60, "first_day": "2024-10-01"}


class World:
    """An emulator and a session that talks to it."""

    def __init__(self, emulator: Emulator, transport: EmulatorTransport, session: FlowSession) -> None:
        self.emulator = emulator
        self.transport = transport
        self.session = session

    def query(
        self, order_by: Order, type: ScheduleType | None = ScheduleType.PERIODIC, **rest: Any
    ) -> FlowQuery:
        return FlowQuery(self.emulator.start, self.emulator.end, order_by=order_by, type=type, **rest)

    def expected(self, query: FlowQuery) -> list[str]:
        """The ids in order, by the database of the emulator."""
        terms = []
        for field, falling in query.sorters:
            nulls = self.emulator.quirks.nulls
            place = nulls if nulls != "smallest" else "last" if falling else "first"
            column = COLUMNS[field]
            terms.append(f"{column} {'DESC' if falling else 'ASC'} NULLS {place}")
        terms.append("id DESC" if query.sorters[0][1] else "id")
        kind = "" if query.type is None else f"AND type = {int(query.type)}"
        rows = self.emulator._require_open().store.execute(
            f"SELECT id FROM inst WHERE trigger_ms >= ? AND trigger_ms < ? {kind} ORDER BY {', '.join(terms)}",
            (query.from_ms, query.to_ms),
        )
        return [id for (id,) in rows]

    async def read(self, query: FlowQuery, **how: Any) -> tuple[list[str], FlowScan]:
        async with self.session.scan(query, **how) as scan:
            return [row.instance_id async for row in scan], scan


@asynccontextmanager
async def world(
    instances: int = 1_500,
    *,
    page_size: int = 50,
    concurrency: int = 8,
    buffer: int = 300,
    server_timezone: ZoneInfo | None = None,
    retry: RetryPolicy | None = None,
    **switches: Any,
) -> AsyncIterator[World]:
    emulator = Emulator(instances=instances, seed=5, **switches)
    emulator.open()
    transport = EmulatorTransport(emulator, latency=0.01)
    session = FlowSession(
        "https://enos.test",
        user_id="u",
        org_id="o",
        http=transport,
        limits=Limits(page_size=page_size, concurrency=concurrency, buffer=buffer),
        server_timezone=server_timezone,
        retry=retry or RetryPolicy(),
    )
    try:
        async with session:
            yield World(emulator, transport, session)
    finally:
        emulator.close()


# Exact, whatever the deployment


@pytest.mark.parametrize(
    "order", long_but("-end_time", ("trigger_time", "-start_time"), of=MERGED + REFINED), ids=str
)
@pytest.mark.parametrize(
    "switches",
    [
        {},
        pytest.param({"profile": "midnight"}, marks=pytest.mark.long),
        {"profile": "bursty", "ties": "unstable"},
        pytest.param({"first_page": 1}, marks=pytest.mark.long),
        {"first_page": 1, "page_zero": "empty"},
        pytest.param({"page_cap": 37}, marks=pytest.mark.long),
        {"page_cap": 37, "first_page": 1, "ties": "unstable"},
        pytest.param({"ties": "unstable"}, marks=pytest.mark.long),
        {"nulls": "first"},
        {"nulls": "last"},
        {"null_times": "absent"},
        {"deepest_row": 120},
        {"start_zone_shift": -8.0},
        {"empty_answers": 7},
    ],
    ids=str,
)
async def test_every_order_is_exact_whatever_the_deployment(switches: dict[str, Any], order: Order) -> None:
    async with world(**switches) as here:
        for type in (ScheduleType.PERIODIC, None):
            query = here.query(order, type)
            got, _ = await here.read(query)
            assert got == here.expected(query)


@pytest.mark.parametrize("order", SOME_ORDERS, ids=str)
@pytest.mark.parametrize("type", [ScheduleType.PERIODIC, None])
async def test_the_hour_that_clocks_show_twice_is_in_the_order_of_instants(
    order: Order, type: ScheduleType | None
) -> None:
    async with world(3_000, profile="uniform", server_timezone=ZoneInfo("Europe/Berlin"), **BERLIN) as here:
        query = here.query(order, type)
        got, _ = await here.read(query)
        assert got == here.expected(query)


@pytest.mark.parametrize("order", long_but(*MERGED[::3], of=MERGED), ids=str)
async def test_what_is_proven_is_sorted_from_a_temporary_file(order: Order) -> None:
    async with world() as here:
        query = here.query(order, None)
        got, scan = await here.read(query, proven=True)
        assert got == here.expected(query)
        assert scan.stats.requests < 1.55 * len(got) / 50, "it reads every row about once"


@pytest.mark.parametrize("order", MERGED, ids=str)
async def test_a_result_that_fits_the_buffer_needs_no_more_than_the_keyset_walk(order: Order) -> None:
    async with world(400, buffer=1_000, page_size=100) as here:
        query = here.query(order)
        got, _ = await here.read(query)
        assert got == here.expected(query)
        fields = [json.loads(sent.request.body or b"{}") for sent in here.transport.sent if sent.request.body]
        sorted_by = [body["pagination"]["sorters"][0]["field"] for body in fields]
        assert len(sorted_by) - sorted_by.count("trigger_time") <= 1, (
            "but for one question about missing times"
        )


@pytest.mark.parametrize("instances", [1, 2, 3, 10, 30, 49, 50, 51, 100])
async def test_a_result_of_one_page_in_the_services_own_order_is_read(instances: int) -> None:
    """A few rows that fill the page asked for are no sign of a change, though the next page holds only the overlap."""
    async with world(instances, schedule_types=[1]) as here:
        got, _ = await here.read(here.query("update_time"))
        assert len(got) == len(set(got)) == instances


@pytest.mark.parametrize("order", ["update_time", "-update_time"])
@pytest.mark.parametrize(
    "switches",
    [{}, {"first_page": 1}, {"first_page": 1, "page_zero": "empty"}, {"page_cap": 37}, {"empty_answers": 7}],
    ids=str,
)
async def test_by_update_time_rows_come_as_the_service_orders_them(
    switches: dict[str, Any], order: SortKey
) -> None:
    async with world(profile="uniform", **switches) as here:
        got, _ = await here.read(here.query(order))
        falling = "DESC" if order.startswith("-") else "ASC"
        rows = here.emulator._require_open().store.execute(
            f"SELECT id FROM inst WHERE type = 1 ORDER BY update_ms {falling}, number"
        )
        assert got == [id for (id,) in rows]


async def test_by_update_time_a_ceiling_on_page_numbers_is_no_end() -> None:
    async with world(deepest_row=300) as here:
        with pytest.raises(CompletenessError, match="its pages ended too early"):
            await here.read(here.query("update_time"))


# What cannot be asked


@pytest.mark.parametrize(
    ("order", "type", "how", "why"),
    [
        ("update_time", None, {}, "three schedule types"),
        (("update_time", "start_time"), ScheduleType.PERIODIC, {}, "alone"),
        (("start_time", "-update_time"), ScheduleType.PERIODIC, {}, "alone"),
        ("update_time", ScheduleType.PERIODIC, {"proven": True}, "leave out proven"),
    ],
)
async def test_what_update_time_cannot_give_is_refused_with_a_reason(
    order: Order, type: ScheduleType | None, how: dict[str, Any], why: str
) -> None:
    async with world(10) as here:
        with pytest.raises(QueryError, match=f"its answers do not tell it.*{why}"):
            here.session.scan(here.query(order, type), **how)
        assert not here.transport.sent


async def test_a_scan_by_update_time_cannot_be_resumed() -> None:
    async with world() as here:
        query = here.query("update_time")
        async with here.session.scan(query) as scan:
            await anext(scan)
            left = scan.checkpoint()
        with pytest.raises(QueryError, match="cannot be resumed"):
            here.session.scan(query, resume=left)


# Small questions, interruptions


@pytest.mark.parametrize("order", [*SOME_ORDERS, "update_time"], ids=str)
async def test_ten_rows_of_many_cost_a_few_requests(order: Order) -> None:
    async with world(20_000, page_size=200, buffer=2_000, profile="uniform") as here:
        query = here.query(order)
        got, scan = await here.read(query, limit=10)
        if order != "update_time":
            assert got == here.expected(query)[:10]
        assert scan.stats.requests <= 5 + 1, "one of them shows that the zone is the one that is named"


@pytest.mark.parametrize("proven", [False, True])
@pytest.mark.parametrize("order", SOME_ORDERS, ids=str)
async def test_an_interrupted_scan_goes_on_where_it_was(order: Order, proven: bool) -> None:
    async with world(900) as here:
        query = here.query(order, None)
        got: list[str] = []
        resume: Checkpoint | None = None
        for take in (1, 7, 250, 333, 10_000):
            until = len(got) + take
            async with here.session.scan(query, resume=resume, proven=proven) as scan:
                async for row in scan:
                    got.append(row.instance_id)
                    if len(got) == until:
                        break
                resume = Checkpoint.from_json(scan.checkpoint().to_json())
        assert got == here.expected(query)
        assert resume is not None
        assert resume.remaining == ()


@pytest.mark.parametrize("proven", [False, True])
@pytest.mark.parametrize("order", [*MERGED, *REFINED], ids=str)
async def test_a_finished_scan_resumes_to_nothing_in_another_session(order: Order, proven: bool) -> None:
    async with world(60) as here:
        query = here.query(order)
        _, scan = await here.read(query, proven=proven)
        checkpoint = scan.checkpoint()
    async with world(60) as anew:
        got, scan = await anew.read(query, resume=checkpoint, proven=proven)
    assert (got, scan.stats.requests) == ([], 0)


async def test_a_limit_leaves_the_rest_to_the_next_scan() -> None:
    async with world(900) as here:
        query = here.query(("start_time", "-end_time"))
        first, scan = await here.read(query, limit=400)
        second, _ = await here.read(query, resume=scan.checkpoint())
        assert first + second == here.expected(query)


def test_a_checkpoint_names_its_place_only_where_there_is_one() -> None:
    old = Checkpoint("f", ())
    assert "position" not in json.loads(old.to_json()), "so that who knows no such orders reads it"
    assert Checkpoint.from_json(old.to_json()) == old
    new = Checkpoint("f", (), ((None, 5), "id"))
    assert Checkpoint.from_json(new.to_json()) == new


@pytest.mark.parametrize("proven", [False, True])
@pytest.mark.parametrize("order", ["-start_time", ("trigger_time", "end_time")], ids=str)
async def test_a_time_out_while_waiting_for_a_row_loses_none(order: Order, proven: bool) -> None:
    async with world(900) as here:
        query = here.query(order)
        got: list[str] = []
        timeouts = 0
        async with here.session.scan(query, proven=proven) as scan:
            while True:
                try:
                    async with asyncio.timeout(0.004):
                        got.append((await anext(scan)).instance_id)
                except TimeoutError:
                    timeouts += 1
                except StopAsyncIteration:
                    break
        assert got == here.expected(query)
        assert timeouts > 5


@pytest.mark.parametrize("proven", [False, True])
async def test_a_scan_that_is_closed_early_leaves_no_file_open(proven: bool) -> None:
    async with world() as here:
        scan = here.session.scan(here.query("end_time"), proven=proven)
        await anext(scan)
        await scan.aclose()
        await scan.aclose()
        del scan
        gc.collect()


async def test_progress_rises_to_one() -> None:
    async with world() as here:
        for proven in (False, True):
            async with here.session.scan(here.query("start_time"), proven=proven) as scan:
                seen = [scan.progress async for _ in scan.pages()]
            assert seen == sorted(seen)
            assert 0.0 < seen[0] < 1.0
            assert scan.progress == 1.0


async def test_pages_give_the_same_rows_as_iterating() -> None:
    async with world() as here:
        query = here.query("-end_time")
        async with here.session.scan(query) as scan:
            got = [row.instance_id async for rows in scan.pages() for row in rows]
        assert got == here.expected(query)
        assert scan.stats.rows_yielded == len(got)
        assert scan.stats.rows_received >= len(got)
        assert scan.stats.windows > 1


# What goes wrong


@pytest.mark.parametrize("order", long_but(*MERGED[::3], of=MERGED), ids=str)
async def test_faults_here_and_there_are_ridden_out(order: Order) -> None:
    async with world(fault_share=0.1, retry=RetryPolicy(base=0.01, cap=0.1)) as here:
        query = here.query(order)
        got, _ = await here.read(query)
        assert got == here.expected(query)


async def test_an_error_that_lasts_ends_the_scan_after_what_precedes_it_and_it_can_be_resumed() -> None:
    faults = [Fault(at=number, kind="code-62109") for number in range(34, 4_000)]
    async with world(faults=faults, retry=RetryPolicy(max_tries=2, base=0.01)) as here:
        query = here.query("start_time")
        got: list[str] = []
        with pytest.raises(ServerFault) as caught:
            async for row in here.session.scan(query):
                got.append(row.instance_id)
        assert got
        assert got == here.expected(query)[: len(got)]
        left = caught.value.checkpoint
    assert left is not None
    async with world() as again:
        rest, _ = await again.read(again.query("start_time"), resume=left)
        assert got + rest == again.expected(again.query("start_time"))


# While it changes


def _in_order(names: Sequence[str], here: World, query: FlowQuery) -> bool:
    """Whether those of the rows that still exist come in order."""
    expected = here.expected(query)
    there = set(expected)
    return [name for name in names if name in there] == [name for name in expected if name in set(names)]


@pytest.mark.parametrize("order", SOME_ORDERS, ids=str)
@pytest.mark.parametrize("status", [(), {1}], ids=["all", "status"])
async def test_what_is_proven_holds_the_promise_under_change(order: Order, status: Any) -> None:
    async with world(changes_per_search=3, profile="uniform") as here:
        query = here.query(order, status=status)
        with here.emulator.watch(type=1, status=tuple(status)) as watch:
            got, _ = await here.read(query, proven=True)
            assert len(set(got)) == len(got)
            assert watch.lasting <= set(got) <= watch.ever
        assert _in_order(got, here, here.query(order))


@pytest.mark.parametrize("order", long_but(*MERGED[::3], of=MERGED), ids=str)
@pytest.mark.parametrize("changes", [1, 5])
async def test_what_is_merged_holds_it_too_or_says_that_it_cannot(order: Order, changes: int) -> None:
    async with world(changes_per_search=changes, profile="uniform", schedule_types=(1,)) as here:
        query = here.query(order)
        got: list[str] = []
        error: CompletenessError | None = None
        with here.emulator.watch(type=1) as watch:
            try:
                async for row in here.session.scan(query):
                    got.append(row.instance_id)
            except CompletenessError as caught:
                error = caught
            else:
                assert watch.lasting <= set(got)
            assert error is None or "proven=True" in str(error)
            assert len(set(got)) == len(got)
            assert set(got) <= watch.ever
        assert _in_order(got, here, query)
