"""The session as its users hold it, against the emulator, in virtual time and without sockets."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from aioflows import (
    AppKey,
    BadCredentials,
    Checkpoint,
    CompletenessError,
    Denied,
    FlowQuery,
    FlowScan,
    FlowSession,
    Limits,
    NotFound,
    QueryError,
    RetryPolicy,
    ScheduleType,
    ServerFault,
    SessionClosed,
)
from aioflows._net.transport import Answer
from aioflows.emulator import Emulator, Fault
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport, FakeTransport, Sent, envelope, loop_time
from tests.support.long import long_but

ORDERS = ["trigger_time", "-trigger_time", None]


class World:
    """An emulator and a session that talks to it."""

    def __init__(self, emulator: Emulator, transport: EmulatorTransport, session: FlowSession) -> None:
        self.emulator = emulator
        self.transport = transport
        self.session = session

    def query(self, order_by: SortKey | None = "trigger_time", **rest: Any) -> FlowQuery:
        return FlowQuery(self.emulator.start, self.emulator.end, order_by=order_by, **rest)

    def expected(self, query: FlowQuery) -> list[str]:
        rows = self.emulator.matching(
            query.from_ms,
            query.to_ms,
            type=query.type,
            status=tuple(query.status),
            owner=query.owner,
            expression=query.expression,
        )
        names = [name for _, name in rows]
        return names[::-1] if query.order_by == "-trigger_time" else names

    def searches(self) -> int:
        return len(self.emulator.searches)

    async def check(self, query: FlowQuery) -> FlowScan:
        async with self.session.scan(query) as scan:
            got = [instance.instance_id async for instance in scan]
        expected = self.expected(query)
        if query.order_by is None:
            got, expected = sorted(got), sorted(expected)
        assert got == expected
        return scan


@asynccontextmanager
async def world(
    instances: int = 2_000,
    *,
    latency: float = 0.01,
    page_size: int = 50,
    concurrency: int = 8,
    auth: AppKey | None = None,
    retry: RetryPolicy | None = None,
    server_timezone: str | ZoneInfo | None = None,
    **switches: Any,
) -> AsyncIterator[World]:
    emulator = Emulator(instances=instances, seed=3, **switches)
    emulator.open()
    transport = EmulatorTransport(emulator, latency=latency)
    session = FlowSession(
        "https://enos.test",
        user_id="u",
        org_id="o",
        auth=auth,
        http=transport,
        limits=Limits(page_size=page_size, concurrency=concurrency),
        retry=retry or RetryPolicy(),
        server_timezone=server_timezone,
    )
    try:
        async with session:
            yield World(emulator, transport, session)
    finally:
        emulator.close()


# Exact, whatever the deployment


@pytest.mark.parametrize("order", long_but("trigger_time", None, of=ORDERS))
@pytest.mark.parametrize(
    "profile", ["cron", "uniform", "bursty", "midnight", "sparse-then-dense", "one-second"]
)
async def test_every_profile_is_read_exactly(profile: str, order: SortKey | None) -> None:
    async with world(profile=profile) as here:
        await here.check(here.query(order))


@pytest.mark.parametrize("order", long_but("trigger_time", of=ORDERS))
@pytest.mark.parametrize(
    "switches",
    [
        {"first_page": 1},
        {"first_page": 1, "page_zero": "empty"},
        {"first_page": 1, "page_zero": "error"},
        {"page_cap": 37},
        {"page_cap": 37, "ties": "unstable"},
        {"first_page": 1, "page_cap": 37, "ties": "unstable"},
        {"ties": "unstable"},
        {"zone": "UTC"},
        {"zone": "+05:30"},
        {"count": "total"},
        {"null_list": True},
        {"sort_by": "second"},
        {"sort_by": "second", "bounds": "wall", "zone": "+05:30"},
        {"start_zone_shift": -8.0},
        {"sibling_fields": True},
        {"null_times": "absent"},
        {"refuse_page_size_above": 50},
    ],
    ids=str,
)
async def test_every_oddity_is_read_exactly(switches: dict[str, Any], order: SortKey | None) -> None:
    async with world(page_size=50, **switches) as here:
        await here.check(here.query(order))


@pytest.mark.parametrize(
    "asked",
    [
        {"type": ScheduleType.MANUAL},
        {"type": ScheduleType.PERIODIC, "status": {-1}},
        {"type": ScheduleType.PERIODIC, "status": {1, 7}},
        {"expression": "2024"},
        {"expression": "no flow is called that"},
    ],
    ids=str,
)
async def test_filters_reach_the_service(asked: dict[str, Any]) -> None:
    async with world() as here:
        await here.check(here.query(**asked))


async def test_a_range_that_begins_and_ends_inside_a_second_is_half_open() -> None:
    async with world(500, profile="uniform") as here:
        rows = here.emulator.matching(here.emulator.start_ms, here.emulator.end_ms)
        first, last = rows[10][0], rows[400][0]
        await here.check(FlowQuery(first, last))
        await here.check(FlowQuery(first + 1, last + 1, order_by="-trigger_time"))


async def test_an_empty_range_sends_nothing() -> None:
    async with world() as here:
        query = FlowQuery(here.emulator.start, here.emulator.start)
        assert [one async for one in here.session.flow_instances(query)] == []
        assert not here.transport.sent


async def test_a_wrong_zone_is_an_error_that_names_the_setting() -> None:
    async with world(claimed_zone="GMT+0") as here:
        with pytest.raises(CompletenessError, match="server_timezone"):
            await here.check(here.query())


async def test_a_zone_that_is_given_is_not_asked_for() -> None:
    async with world(claimed_zone="GMT+0", server_timezone="Asia/Shanghai") as here:
        await here.check(here.query())
        assert await here.session.server_timezone() == ZoneInfo("Asia/Shanghai")
        assert {sent.request.method for sent in here.transport.sent} == {"POST"}


# Lazy


async def test_making_a_scan_sends_nothing() -> None:
    async with world() as here:
        here.session.scan(here.query())
        assert not here.transport.sent


@pytest.mark.parametrize(("profile", "most"), [("uniform", 2), ("midnight", 4)])
async def test_ten_rows_cost_few_searches_however_many_there_are(profile: str, most: int) -> None:
    async with world(20_000, profile=profile) as here:
        query = here.query(type=ScheduleType.PERIODIC)
        got = []
        async with here.session.scan(query) as scan:
            async for instance in scan:
                got.append(instance.instance_id)
                if len(got) == 10:
                    break
        assert got == here.expected(query)[:10]
        assert here.searches() <= most


@pytest.mark.parametrize("order", ORDERS)
async def test_a_few_matches_take_one_search_where_the_caller_trusts_the_service(
    order: SortKey | None,
) -> None:
    async with world(2_000, profile="uniform") as here:
        query = here.query(type=ScheduleType.PERIODIC, order_by=order)
        assert len([one async for one in here.session.flow_instances(query)]) > 400
        first = here.emulator.start_ms
        few = FlowQuery(first, first + 2 * 86_400_000, type=ScheduleType.PERIODIC, order_by=order)
        took = {}
        for confirm in (True, False):
            before = here.searches()
            got = [one.instance_id async for one in here.session.scan(few, confirm=confirm)]
            assert sorted(got) == sorted(here.expected(few))
            took[confirm] = here.searches() - before
        assert (took[True], took[False]) == (2, 1)


async def test_a_limit_is_a_total_and_stops_the_requests() -> None:
    async with world(20_000, profile="uniform") as here:
        query = here.query(type=ScheduleType.PERIODIC)
        got = [one.instance_id async for one in here.session.flow_instances(query, limit=10)]
        assert got == here.expected(query)[:10]
        assert here.searches() <= 2


async def test_a_consumer_that_pauses_stops_the_requests() -> None:
    async with world(20_000, profile="uniform") as here, here.session.scan(here.query()) as scan:
        for _ in range(500):
            await anext(scan)
        await asyncio.sleep(60)
        paused = here.searches()
        await asyncio.sleep(3600)
        assert here.searches() == paused


async def test_progress_grows_to_one() -> None:
    async with world() as here, here.session.scan(here.query()) as scan:
        seen = [scan.progress]
        async for _ in scan:
            seen.append(scan.progress)
        assert seen == sorted(seen)
        assert (seen[0], scan.progress) == (0.0, 1.0)


async def test_the_account_adds_up() -> None:
    async with world() as here:
        stats = (await here.check(here.query())).stats
        assert stats.rows_yielded == 2_000
        assert stats.rows_received == stats.rows_yielded + stats.duplicates
        assert stats.requests == here.searches()
        assert stats.elapsed > 0
        assert stats.windows > 0


async def test_no_more_requests_are_in_flight_than_the_limit_says() -> None:
    async with world(5_000, concurrency=5) as here:
        await here.check(here.query())
        assert here.transport.peak <= 5 + 1  # the zone is asked for beside the first search


# Stopping, and going on


async def test_breaking_off_leaves_nothing_behind() -> None:
    async with world() as here:
        async with aclosing(here.session.flow_instances(here.query())) as instances:
            async for _ in instances:
                break
        assert here.transport.in_flight == 0


async def test_a_generator_that_was_left_alone_is_reaped_with_the_session() -> None:
    async with world() as here:
        instances = here.session.flow_instances(here.query())
        await anext(instances)
    await asyncio.sleep(0)
    assert here.transport.in_flight == 0
    await instances.aclose()


@pytest.mark.parametrize("door", ["scan", "flow_instances"])
async def test_a_step_that_timed_out_goes_on_at_the_same_row(door: str) -> None:
    async with world(latency=1.0) as here:
        got: list[str] = []
        timeouts = 0
        instances = getattr(here.session, door)(here.query())
        while True:
            try:
                async with asyncio.timeout(0.3):
                    got.append((await anext(instances)).instance_id)
            except TimeoutError:
                timeouts += 1
            except StopAsyncIteration:
                break
        await instances.aclose()
        assert timeouts > 3
        assert got == here.expected(here.query())


async def test_the_short_door_has_the_interface_of_an_async_generator() -> None:
    async with world() as here:
        instances = here.session.flow_instances(here.query())
        assert isinstance(instances, AsyncGenerator)
        assert aiter(instances) is instances
        expected = here.expected(here.query())
        assert (await instances.asend(None)).instance_id == expected[0]
        with pytest.raises(TypeError, match="takes no values"):
            await instances.asend(1)  # type: ignore[arg-type]
        assert (await anext(instances)).instance_id == expected[1]
        with pytest.raises(KeyError, match="thrown"):
            await instances.athrow(KeyError("thrown"))
        assert [one async for one in instances] == [], "it was closed by the error"
        await instances.aclose()
        assert here.transport.in_flight == 0


async def test_the_short_door_that_was_dropped_stops_its_requests_without_a_warning() -> None:
    async with world(latency=1.0) as here:
        async for _ in here.session.flow_instances(here.query()):
            break
        gc.collect()
        await asyncio.sleep(0.01)
        assert here.transport.in_flight == 0


async def test_pages_that_timed_out_go_on_at_the_same_row() -> None:
    async with world(latency=1.0) as here, here.session.scan(here.query()) as scan:
        got: list[str] = []
        pages = scan.pages()
        while True:
            try:
                async with asyncio.timeout(0.3):
                    got += [one.instance_id for one in await anext(pages)]
            except TimeoutError:
                continue
            except StopAsyncIteration:
                break
        assert got == here.expected(here.query())


async def test_rows_and_pages_may_be_mixed() -> None:
    async with world() as here, here.session.scan(here.query()) as scan:
        got = [(await anext(scan)).instance_id for _ in range(70)]
        async for page in scan.pages():
            got += [one.instance_id for one in page]
        assert got == here.expected(here.query())


@pytest.mark.parametrize("after", [0.0, 0.005, 0.013, 0.02, 0.033, 0.05, 0.09])
async def test_cancelling_at_any_moment_leaves_nothing_under_way(after: float) -> None:
    async with world() as here:

        async def consume() -> None:
            async with here.session.scan(here.query()) as scan:
                async for _ in scan:
                    await asyncio.sleep(0.001)

        task = asyncio.create_task(consume())
        await asyncio.sleep(after)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert here.transport.in_flight == 0
        await here.check(here.query())


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("stop_after", long_but(0, 49, 333, 2_000, of=[0, 1, 49, 50, 333, 1_999, 2_000]))
async def test_what_was_not_handed_out_follows_after_a_resume(order: SortKey | None, stop_after: int) -> None:
    async with world() as here:
        query = here.query(order)
        got: list[str] = []
        async with here.session.scan(query) as scan:
            while len(got) < stop_after:
                got.append((await anext(scan)).instance_id)
            text = scan.checkpoint().to_json()
        async with here.session.scan(query, resume=Checkpoint.from_json(text)) as rest:
            got += [one.instance_id async for one in rest]
        expected = here.expected(query)
        assert (got if order else sorted(got)) == (expected if order else sorted(expected))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("stop_after", [1, 2, 3, 4])
async def test_a_large_page_is_given_in_pieces_and_may_be_left_between_them(
    order: SortKey | None, stop_after: int
) -> None:
    async with world(4_000, page_size=2_000) as here:
        query = here.query(order, type=ScheduleType.PERIODIC)
        got: list[str] = []
        async with here.session.scan(query) as scan:
            pages = scan.pages()
            for _ in range(stop_after):
                instances = await anext(pages)
                assert len(instances) < 1_000
                got += [one.instance_id for one in instances]
        async with here.session.scan(query, resume=scan.checkpoint()) as rest:
            got += [one.instance_id async for one in rest]
        expected = here.expected(query)
        assert (sorted(got) if order is None else got) == (sorted(expected) if order is None else expected)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("profile", ["cron", "midnight"])
async def test_a_scan_may_be_stopped_and_resumed_any_number_of_times(
    profile: str, order: SortKey | None
) -> None:
    async with world(800, profile=profile) as here:
        query = here.query(order)
        got: list[str] = []
        checkpoint: Checkpoint | None = None
        for steps in [7, 0, 50, 1, 1, 120, 33] * 20:
            async with here.session.scan(query, resume=checkpoint) as scan:
                taken = 0
                async for instance in scan:
                    got.append(instance.instance_id)
                    taken += 1
                    if taken > steps:
                        break
                checkpoint = Checkpoint.from_json(scan.checkpoint().to_json())
            if not checkpoint.remaining:
                break
        expected = here.expected(query)
        assert (got if order else sorted(got)) == (expected if order else sorted(expected))


async def test_a_finished_scan_resumes_to_nothing() -> None:
    async with world(100) as here:
        scan = await here.check(here.query())
        assert scan.checkpoint().remaining == ()
        before = len(here.transport.sent)
        assert [one async for one in here.session.scan(here.query(), resume=scan.checkpoint())] == []
        assert len(here.transport.sent) == before


async def test_a_limited_scan_leaves_the_rest_in_its_checkpoint() -> None:
    async with world(500) as here:
        query = here.query()
        async with here.session.scan(query, limit=123) as scan:
            got = [one.instance_id async for one in scan]
        got += [one.instance_id async for one in here.session.scan(query, resume=scan.checkpoint())]
        assert got == here.expected(query)


@pytest.mark.parametrize("order", long_but("trigger_time", of=ORDERS))
async def test_a_limited_scan_goes_on_within_a_second_of_which_more_rows_than_the_limit_were_handed_out(
    order: SortKey | None,
) -> None:
    async with world(2_000, profile="midnight", page_size=100) as here:
        query = here.query(order, type=ScheduleType.PERIODIC)
        got: list[str] = []
        checkpoint: Checkpoint | None = None
        for limit in [90, *40 * [80]]:
            async with here.session.scan(query, limit=limit, resume=checkpoint) as scan:
                some = [one.instance_id async for one in scan]
            got += some
            checkpoint = scan.checkpoint()
            if not checkpoint.remaining:
                break
            assert len(some) == limit
        expected = here.expected(query)
        assert (got if order else sorted(got)) == (expected if order else sorted(expected))


async def test_a_checkpoint_of_another_query_is_refused() -> None:
    async with world(100) as here:
        checkpoint = (await here.check(here.query())).checkpoint()
        with pytest.raises(QueryError, match="another query"):
            here.session.scan(here.query("-trigger_time"), resume=checkpoint)


# Errors


async def test_an_error_comes_after_all_rows_before_it_and_carries_where_to_go_on() -> None:
    async with world(2_000, profile="uniform", faults=[Fault(at=12, kind="code-62103")]) as here:
        query = here.query(type=ScheduleType.PERIODIC)
        got: list[str] = []
        async with here.session.scan(query) as scan:
            with pytest.raises(Denied) as caught:
                async for instance in scan:
                    got.append(instance.instance_id)
        assert got
        assert caught.value.checkpoint is not None
        async with here.session.scan(query, resume=caught.value.checkpoint) as rest:
            got += [one.instance_id async for one in rest]
        assert got == here.expected(query)


async def test_an_error_stays_the_same_error() -> None:
    async with world(denied=True) as here, here.session.scan(here.query()) as scan:
        for _ in range(2):
            with pytest.raises(Denied):
                await anext(scan)


async def test_faults_at_random_change_nothing() -> None:
    async with world(2_000, fault_share=0.2, fault_kinds=("http-500", "code-62109", "http-502")) as here:
        scan = await here.check(here.query())
        assert scan.stats.retries > 0


async def test_a_service_that_is_down_ends_in_its_own_error() -> None:
    async with world(fault_share=1.0, fault_kinds=("code-62109",), retry=RetryPolicy(max_tries=2)) as here:
        with pytest.raises(ServerFault):
            await here.check(here.query())


async def test_a_throttled_scan_waits_as_long_as_it_is_told() -> None:
    async with world(2_000, rate=20.0, burst=5, throttle="429-seconds") as here:
        await here.check(here.query())


# Authentication


async def test_the_rate_that_the_service_bears_is_found_and_told() -> None:
    async with world(20_000, rate=40.0, burst=10, throttle="429", profile="uniform") as here:
        async with here.session.scan(here.query()) as scan:
            assert scan.stats.rate is None
            async for _ in scan:
                pass
        assert scan.stats.rate == pytest.approx(40, rel=0.05)
        assert "a second" in repr(here.session)


async def test_a_question_is_not_starved_by_a_scan_that_is_throttled() -> None:
    async with world(20_000, rate=20.0, burst=10, throttle="429", profile="uniform") as here:
        waits: list[float] = []

        async def ask() -> None:
            while True:
                await asyncio.sleep(1)
                began = loop_time()
                await here.session.server_time()
                waits.append(loop_time() - began)

        async with here.session.scan(here.query()) as scan:
            questions = asyncio.create_task(ask())
            async for _ in scan:
                pass
            assert not questions.done(), "a question has failed"
            questions.cancel()
        assert len(waits) >= 5
        assert max(waits) < 0.5


async def test_two_scans_of_a_session_get_the_same_share_of_a_rate() -> None:
    async with world(20_000, rate=40.0, burst=10, throttle="429", profile="uniform") as here:
        async with here.session.scan(here.query()) as one, here.session.scan(here.query()) as other:

            async def read(scan: FlowScan) -> None:
                async for _ in scan.pages():
                    pass

            tasks = [asyncio.create_task(read(scan)) for scan in (one, other)]
            await asyncio.sleep(5)
            first, second = one.stats.requests, other.stats.requests
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert first == pytest.approx(second, rel=0.2)


async def test_requests_are_signed_with_one_token_for_all() -> None:
    key = AppKey("access", "secret")
    async with world(app_key="access", app_secret="secret", auth=key) as here:
        await here.check(here.query())
        assert here.emulator.requests["token"] <= 2  # the first may have told that the local clock is off


async def test_a_wrong_secret_is_told_as_such_and_never_shown() -> None:
    async with world(app_key="access", app_secret="secret", auth=AppKey("access", "not-the-secret")) as here:
        with pytest.raises(BadCredentials) as caught:
            await here.check(here.query())
        assert "not-the-secret" not in repr(caught.value) + str(caught.value) + repr(here.session)


async def test_tokens_that_die_on_the_way_are_renewed() -> None:
    key = AppKey("access", "secret")
    async with world(app_key="access", app_secret="secret", auth=key, token_uses=10) as here:
        await here.check(here.query())
        assert here.emulator.requests["token"] > 2


# Single requests


async def test_a_page_is_the_plain_operation() -> None:
    async with world() as here:
        query = here.query(type=ScheduleType.PERIODIC)
        page = await here.session.page(query, 1, 20)
        assert [one.instance_id for one in page.instances] == here.expected(query)[20:40]
        assert page.count == 20
        assert here.searches() == 2  # the other one shows the zone, once in a session
        await here.session.page(query, 1, 20)
        assert here.searches() == 3


async def test_a_page_is_one_search_where_the_zone_is_given() -> None:
    async with world(server_timezone="+08:00") as here:
        await here.session.page(here.query(type=ScheduleType.PERIODIC), 1, 20)
        assert here.searches() == 1


@pytest.mark.parametrize(
    "order", ["start_time", "-end_time", "create_time", "update_time", ["start_time", "-end_time"]]
)
async def test_a_page_may_be_sorted_by_every_field(order: object) -> None:
    async with world() as here:
        query = here.query(order, type=ScheduleType.PERIODIC)  # type: ignore[arg-type]
        assert len((await here.session.page(query, 0, 20)).instances) == 20


async def test_a_page_of_all_types_is_refused_before_it_is_sent() -> None:
    async with world() as here:
        with pytest.raises(QueryError, match="type="):
            await here.session.page(here.query(), 0, 20)
        assert not here.transport.sent


@pytest.mark.parametrize(("page_no", "page_size"), [(-1, 10), (0, 0), (True, 10), (0, 2.5)])
async def test_a_page_that_makes_no_sense_is_refused(page_no: int, page_size: int) -> None:
    async with world() as here:
        with pytest.raises(QueryError):
            await here.session.page(here.query(type=ScheduleType.PERIODIC), page_no, page_size)


async def test_one_instance_is_got_by_its_id() -> None:
    async with world(zone="+05:30") as here:
        (first, *_) = [one async for one in here.session.flow_instances(here.query(), limit=1)]
        assert await here.session.get(first.instance_id) == first


async def test_an_unknown_id_is_not_found() -> None:
    async with world() as here:
        with pytest.raises(NotFound, match="does not exist"):
            await here.session.get("0-00000000000000")


@pytest.mark.parametrize(("times", "found"), [(1, True), (9, False)])
async def test_an_answer_without_an_instance_gets_a_second_look(times: int, found: bool) -> None:
    async with world() as here:
        (first, *_) = [one async for one in here.session.flow_instances(here.query(), limit=1)]
        asked: list[Sent] = []

        def respond(sent: Sent) -> Answer:
            if dict(sent.request.query)["action"] == "getTimeZone":
                return envelope({"timezone": "GMT+8"})
            if dict(sent.request.query)["action"] == "search":
                return envelope({"flowInsts": [], "count": 0})
            asked.append(sent)
            row = {"instanceId": first.instance_id, "triggerTime": "2024-01-01 00:00:00"}
            return envelope(None if len(asked) <= times else row)

        transport = FakeTransport(respond)
        async with FlowSession("https://enos.test", user_id="u", org_id="o", http=transport) as session:
            if found:
                assert (await session.get(first.instance_id)).instance_id == first.instance_id
            else:
                with pytest.raises(NotFound):
                    await session.get(first.instance_id)
    assert len(asked) == 2


async def test_the_service_tells_its_zone_and_time() -> None:
    async with world(zone="+05:30") as here:
        assert await here.session.server_timezone() == timezone(timedelta(hours=5, minutes=30))
        assert (await here.session.server_time()).tzinfo is UTC


async def test_the_zone_is_asked_for_once_whoever_asks() -> None:
    async with world() as here:
        await asyncio.gather(*(here.session.server_timezone() for _ in range(9)))
        assert len(here.transport.sent) == 1


async def test_waiting_for_the_zone_may_be_cancelled_without_harm_to_others() -> None:
    async with world(latency=1.0) as here:
        first = asyncio.create_task(here.session.server_timezone())
        second = asyncio.create_task(here.session.server_timezone())
        await asyncio.sleep(0.1)
        first.cancel()
        assert await second == timezone(timedelta(hours=8))
        assert first.cancelled()


# Misuse


async def test_a_second_consumer_is_told_so() -> None:
    async with world() as here, here.session.scan(here.query()) as scan:
        first = asyncio.create_task(anext(scan))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task"):
            await anext(scan)
        await first


async def test_a_closed_scan_says_so() -> None:
    async with world() as here:
        scan = here.session.scan(here.query())
        await anext(scan)
        await scan.aclose()
        await scan.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await anext(scan)


@pytest.mark.parametrize("what", ["scan", "session"])
async def test_closing_wakes_who_waits_and_starts_nothing_new(what: str) -> None:
    async with world(latency=1.0) as here:
        scan = here.session.scan(here.query())
        waiting = asyncio.create_task(anext(scan))
        await asyncio.sleep(0.2)
        await (scan if what == "scan" else here.session).aclose()
        sent = len(here.transport.sent)
        with pytest.raises(RuntimeError, match="closed"):
            await waiting
        assert len(here.transport.sent) == sent
        assert here.transport.in_flight == 0


async def test_a_session_that_was_not_entered_says_so() -> None:
    session = FlowSession("https://enos.test", user_id="u", org_id="o")
    with pytest.raises(RuntimeError, match="async with"):
        await session.server_time()


async def test_a_closed_session_says_so() -> None:
    async with world() as here:
        pass
    with pytest.raises(SessionClosed, match="closed"):
        await here.session.server_time()
    with pytest.raises(SessionClosed, match="cannot be opened again"):
        await here.session.open()
    with pytest.raises(SessionClosed, match="cannot be opened again"):
        await here.session.__aenter__()
    with pytest.raises(SessionClosed) as caught:
        await anext(scan := here.session.scan(here.query()))
    assert caught.value.checkpoint == scan.checkpoint()


async def test_a_scan_that_nobody_closed_is_reported_when_it_is_forgotten() -> None:
    async with world() as here:
        scan = here.session.scan(here.query())
        await anext(scan)
        with pytest.warns(ResourceWarning, match="never closed"):
            del scan
            gc.collect()
        await asyncio.sleep(0.1)


def test_a_scan_is_not_for_plain_loops() -> None:
    scan = FlowSession("https://enos.test", user_id="u", org_id="o").scan(FlowQuery(0, 1_704_067_200_000))
    with pytest.raises(TypeError, match="async for"):
        iter(scan)  # type: ignore[type-var]


@pytest.mark.parametrize("limit", [-1, True, 1.5, "10"])
def test_a_limit_that_makes_no_sense_is_refused(limit: int) -> None:
    session = FlowSession("https://enos.test", user_id="u", org_id="o")
    with pytest.raises(QueryError, match="limit"):
        session.scan(FlowQuery(0, 1_704_067_200_000), limit=limit)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"base_url": ""}, "empty"),
        ({"base_url": "ftp://enos.test"}, "https"),
        ({"base_url": "https://user:pw@enos.test"}, "AppKey"),
        ({"base_url": "user:pw@enos.test"}, "AppKey"),
        ({"base_url": "https://enos.test?x=1"}, "query"),
        ({"base_url": "https://enos.test/gw#x"}, "fragment"),
        ({"base_url": "https://enos.test/a/../b"}, "path"),
        ({"base_url": "https://enos.test//gw"}, "path"),
        ({"base_url": "https://enos.test/batch-processing-service/v2.1/flowInstances"}, "path"),
        ({"base_url": 5}, "empty"),
        ({"base_url": "https://enos.test\n"}, "white space"),
        ({"base_url": "http://enos.test"}, "allow_http"),
        ({"user_id": " "}, "user_id"),
        ({"org_id": None}, "org_id"),
        ({"first_page": 2}, "first_page"),
        ({"server_timezone": "Moon"}, "zone"),
    ],
)
def test_what_a_session_cannot_work_with_is_refused_where_it_is_given(
    given: dict[str, object], words: str
) -> None:
    with pytest.raises(QueryError, match=words):
        FlowSession(**({"base_url": "https://enos.test", "user_id": "u", "org_id": "o"} | given))  # type: ignore[arg-type]


def test_a_checkpoint_survives_its_text_and_damage_is_noticed() -> None:
    session = FlowSession("https://enos.test", user_id="u", org_id="o")
    checkpoint = session.scan(
        FlowQuery(datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
    ).checkpoint()
    text = checkpoint.to_json()
    assert Checkpoint.from_json(text) == checkpoint
    with pytest.raises(QueryError, match="damaged"):
        Checkpoint.from_json(text.replace("17040", "17041"))
    with pytest.raises(QueryError, match="version"):
        Checkpoint.from_json(json.dumps({**json.loads(text), "version": 99}))
    with pytest.raises(QueryError, match="not a checkpoint"):
        Checkpoint.from_json(text[:-9])
