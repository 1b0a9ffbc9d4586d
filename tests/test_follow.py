"""A follow as its users hold it, beside a service that inserts and changes instances all the while.

Which window is read when, and what of it is new, is in ``tests/core/follow/test_polling.py``.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import attrs
import pytest

from aioflows import (
    AioflowsError,
    Checkpoint,
    CompletenessError,
    Denied,
    FlowFollow,
    FlowInstance,
    FlowQuery,
    FlowSession,
    FlowStatus,
    FollowCheckpoint,
    Limits,
    QueryError,
    ScheduleType,
    ServerFault,
)
from aioflows.emulator import Emulator, Fault
from tests.support.fakes import EmulatorTransport
from tests.support.long import long_but

EPOCH = 1_735_689_600_000
"""When the service's clock begins; this machine's stands elsewhere."""
SETTLE = 6.0
FINISHED = [-1, 1, 4, 7, 8, 10]
UNFINISHED = [0, 2, 3, 5, 6, 9]


class Scene:
    """A service, a session, and what becomes of the service's instances."""

    def __init__(self, emulator: Emulator, session: FlowSession, now: Callable[[], float], seed: int) -> None:
        self.emulator = emulator
        self.session = session
        self.now = now
        self.chance = random.Random(seed)
        self.history: dict[str, list[int]] = {}
        self.triggered: dict[str, int] = {}
        self.since = int(now())

    def query(self, seconds: float, **rest: Any) -> FlowQuery:
        return FlowQuery(self.since, self.since + int(seconds * 1000), **rest)

    def insert(self, late: float, status: int) -> str:
        """Adds an instance that was triggered some seconds ago."""
        trigger = max(int(self.now() - late * 1000), self.since)
        name = self.emulator.insert(trigger, type=self.chance.randrange(3), status=status)
        self.history[name], self.triggered[name] = [status], trigger
        return name

    def turn(self, name: str, status: int) -> None:
        """Changes an instance's status."""
        self.emulator.set_status(name, status, now_ms=self.now())
        self.history[name].append(status)

    async def live(self, seconds: float, step: float = 0.1, latest: float = 0.8 * SETTLE) -> None:
        """Lets instances come, late by up to nearly the margin, and change until each of them is finished."""
        end = self.now() + seconds * 1000
        running: list[str] = []
        while self.now() < end or running:
            await asyncio.sleep(self.chance.uniform(0, 2 * step))
            if self.now() < end:
                for _ in range(self.chance.choice([0, 1, 1, 2, 5])):
                    late = self.chance.choice([0.0, self.chance.uniform(0, latest)])
                    status = self.chance.choice([*UNFINISHED, 1])
                    name = self.insert(late, status)
                    if status in UNFINISHED:
                        running.append(name)
            for name in self.chance.sample(running, (len(running) + 9) // 10):
                finished = self.chance.random() < 0.4
                codes = FINISHED if finished else UNFINISHED
                self.turn(name, self.chance.choice([one for one in codes if one != self.history[name][-1]]))
                if finished:
                    running.remove(name)

    def expected(self, query: FlowQuery) -> list[str]:
        return sorted(name for name, at in self.triggered.items() if query.from_ms <= at < query.to_ms)


@asynccontextmanager
async def scene(seed: int = 1, **switches: Any) -> AsyncIterator[Scene]:
    with Emulator(instances=200, seed=3, **switches) as emulator:
        transport = EmulatorTransport(emulator, epoch_ms=EPOCH, latency=0.02)
        async with FlowSession(
            "https://enos.test",
            user_id="u",
            org_id="o",
            http=transport,
            limits=Limits(page_size=20),
            rng=random.Random(seed),
        ) as session:
            yield Scene(emulator, session, lambda: transport.now() * 1000, seed)


def follow(here: Scene, query: FlowQuery, **how: Any) -> FlowFollow:
    return here.session.follow(
        query, **{"since": here.since, "settle_time": SETTLE, "min_wait": 0.3, "max_wait": 1.5} | how
    )


def names(rows: list[FlowInstance]) -> list[str]:
    return sorted(row.instance_id for row in rows)


@attrs.frozen
class Run:
    """How long a service lives, and by which chance."""

    seconds: int
    seed: int


RUNS = long_but(Run(20, 1), of=[Run(20, 1), Run(60, 1), Run(60, 2)])

# Nothing missed, nothing twice


@pytest.mark.parametrize(
    "switches",
    [
        {},
        pytest.param({"ties": "unstable", "page_cap": 7}, marks=pytest.mark.long),
        pytest.param({"first_page": 1, "page_zero": "error", "zone": "+05:30"}, marks=pytest.mark.long),
        {"fault_share": 0.15},
        pytest.param({"stale_searches": 2}, marks=pytest.mark.long),
    ],
    ids=str,
)
@pytest.mark.parametrize("run", RUNS, ids=str)
async def test_inserts_and_changes_are_followed_exactly(run: Run, switches: dict[str, Any]) -> None:
    async with scene(run.seed, **switches) as here:
        query = here.query(run.seconds)
        living = asyncio.create_task(here.live(run.seconds))
        async with follow(here, query) as following:
            got = [row async for row in following]
        await living
        assert len(got) > 6 * run.seconds
        assert names(got) == here.expected(query)


@pytest.mark.parametrize("run", [*RUNS, pytest.param(Run(60, 3), marks=pytest.mark.long)], ids=str)
async def test_each_change_is_told_until_an_instance_is_finished(run: Run) -> None:
    async with scene(run.seed) as here:
        query = here.query(run.seconds)
        living = asyncio.create_task(here.live(run.seconds))
        async with follow(here, query, changes=True) as following:
            got = [row async for row in following]
        await living
        told: dict[str, list[int]] = {}
        for row in got:
            assert isinstance(row.status, FlowStatus)
            told.setdefault(row.instance_id, []).append(int(row.status))
        assert sorted(told) == here.expected(query)
        assert len(got) > 1.3 * len(told)
        for name, statuses in told.items():
            history = iter(here.history[name])
            assert all(any(code == status for code in history) for status in statuses)
            assert all(one != after for one, after in pairwise(statuses))
            assert statuses[-1] == here.history[name][-1]
        assert following.stats.watched == 0


async def test_a_failure_is_told_when_it_happens_however_long_the_instance_ran() -> None:
    async with scene() as here:
        query = here.query(30, status=FlowStatus.FAIL)

        async def live() -> None:
            names = [here.insert(0.0, 2) for _ in range(40)]
            await asyncio.sleep(200)
            for number, name in enumerate(names):
                here.turn(name, -1 if number % 3 else 1)
                await asyncio.sleep(0.7)

        living = asyncio.create_task(live())
        async with follow(here, query) as following:
            got = [row async for row in following]
        await living
        assert names(got) == sorted(name for name, codes in here.history.items() if codes[-1] == -1)
        assert {row.status for row in got} == {FlowStatus.FAIL}


async def test_what_was_there_before_is_not_told_but_for_what_was_triggered_since_a_given_moment() -> None:
    async with scene() as here:
        await asyncio.sleep(100)
        before, between = here.insert(50.0, 1), here.insert(10.0, 1)
        query = here.query(130)
        moment = datetime.fromtimestamp(here.now() / 1000 - 20, UTC)
        since_then, from_now = (follow(here, query, since=since) for since in (moment, None))
        reading = asyncio.gather(*(_all(one) for one in (since_then, from_now)))
        await asyncio.sleep(1)
        after = here.insert(0.0, 1)
        assert [names(rows) for rows in await reading] == [sorted([between, after]), [after]]
        assert before not in names((await reading)[0])


async def _next(following: FlowFollow) -> FlowInstance:
    while True:
        with suppress(CompletenessError):
            return await anext(following)


async def _all(following: FlowFollow) -> list[FlowInstance]:
    async with following:
        return [row async for row in following]


# Stopped, and gone on with


@pytest.mark.parametrize("changes", long_but(True, of=[False, True]))
@pytest.mark.parametrize("run", RUNS, ids=str)
async def test_it_may_be_stopped_and_resumed_any_number_of_times(run: Run, changes: bool) -> None:
    async with scene(run.seed) as here:
        query = here.query(run.seconds)
        living = asyncio.create_task(here.live(run.seconds))
        got: list[FlowInstance] = []
        text: str | None = None
        while True:
            resume = None if text is None else FollowCheckpoint.from_json(text)
            async with follow(here, query, changes=changes, resume=resume) as following:
                try:
                    async with asyncio.timeout(here.chance.uniform(0, 3)):
                        async for row in following:
                            got.append(row)
                            if here.chance.random() < 0.05:
                                break
                        else:
                            break
                except TimeoutError:
                    pass
            text = following.checkpoint().to_json()
        await living
        statuses = {(row.instance_id, row.status) for row in got}
        assert sorted({name for name, _ in statuses}) == here.expected(query)
        if not changes:
            assert len(got) == len(here.expected(query))
        for name in here.expected(query):
            told = [int(row.status) for row in got if row.instance_id == name and row.status is not None]
            assert all(one != after for one, after in pairwise(told))
            assert not changes or told[-1] == here.history[name][-1]


@pytest.mark.parametrize("seconds", long_but(0.05, of=[0.025, 0.05, 0.3]))
async def test_steps_that_time_out_lose_nothing(seconds: float) -> None:
    async with scene() as here:  # where an answer takes 0.02 s
        query = here.query(20)
        living = asyncio.create_task(here.live(20))
        got: list[FlowInstance] = []
        async with follow(here, query) as following:
            while True:
                try:
                    got.append(await asyncio.wait_for(anext(following), seconds))
                except TimeoutError:
                    pass
                except StopAsyncIteration:
                    break
        await living
        assert names(got) == here.expected(query)


async def test_an_error_ends_the_iteration_and_not_the_follow() -> None:
    faults = [Fault(at=at, kind="code-62103") for at in (5, 20, 40, 41, 60)]
    async with scene(faults=faults) as here:
        query = here.query(30)
        living = asyncio.create_task(here.live(30))
        got: list[FlowInstance] = []
        errors: list[AioflowsError] = []
        async with follow(here, query) as following:
            while True:
                try:
                    async for row in following:
                        got.append(row)
                    break
                except Denied as error:
                    errors.append(error)
                    told = error.checkpoint is None and error.followed == following.checkpoint()
                    assert told, "an error tells where the follow stands"
        await living
        assert 3 <= len(errors) <= len(faults)  # those of one poll are one error
        assert names(got) == here.expected(query)


async def test_batches_are_what_is_there_at_once() -> None:
    async with scene() as here:
        query = here.query(20)
        living = asyncio.create_task(here.live(20))
        async with follow(here, query) as following:
            batches = [batch async for batch in following.batches()]
        await living
        assert names([row for batch in batches for row in batch]) == here.expected(query)
        assert all(batches)
        assert len(batches) < len(here.expected(query))


# Polite


async def test_a_quiet_hour_costs_few_polls_and_an_instance_then_makes_them_frequent() -> None:
    async with scene() as here:  # noqa: SIM117
        async with here.session.follow(here.query(7_200)) as following:
            waiting = asyncio.create_task(anext(following))
            await asyncio.sleep(3_600)
            assert following.stats.polls <= 70
            assert following.stats.wait == 60.0
            for _ in range(9):
                name = here.insert(0.0, 1)
                assert (await waiting).instance_id == name
                waiting = asyncio.create_task(anext(following))
                await asyncio.sleep(0)
            assert following.stats.wait == 2.0
            waiting.cancel()
            await asyncio.wait([waiting])


@pytest.mark.parametrize(
    ("type", "before", "changes", "most"),
    [
        (None, 0, False, 3.6),
        (None, 6, False, 3.3),
        (None, 1, True, 4.75),
        (None, 6, True, 6.5),
        (ScheduleType.PERIODIC, 6, False, 1.1),
        (ScheduleType.PERIODIC, 6, True, 2.2),
    ],
)
async def test_a_quiet_poll_costs_hardly_more_than_a_search_for_each_type_and_for_each_that_runs(
    type: ScheduleType | None, before: int, changes: bool, most: float
) -> None:
    async with (
        scene() as here,
        here.session.follow(here.query(7_200, type=type), since=here.since, changes=changes) as one,
    ):
        waiting = asyncio.create_task(_all(one))
        await asyncio.sleep(5)
        for number in range(before):
            here.emulator.insert(
                int(here.now()),
                type=number % 3 if type is None else int(type),
                status=2 if changes else 1,
            )
        await asyncio.sleep(1_800)
        searches, polls = here.emulator.requests["search"], one.stats.polls
        await asyncio.sleep(1_800)
        cost = (here.emulator.requests["search"] - searches) / (one.stats.polls - polls)
        waiting.cancel()
        await asyncio.wait([waiting])
    assert cost <= most, f"{cost:.2f} searches a poll"


@pytest.mark.parametrize(
    "switches",
    [
        {},
        pytest.param({"empty_answers": 3}, marks=pytest.mark.long),
        pytest.param({"empty_answers": 4}, marks=pytest.mark.long),
        pytest.param({"ties": "unstable", "page_cap": 3}, marks=pytest.mark.long),
        pytest.param({"first_page": 1, "page_zero": "empty"}, marks=pytest.mark.long),
        {"first_page": 1, "page_zero": "error", "zone": "+05:30"},
        pytest.param({"fault_share": 0.15, "stale_searches": 2}, marks=pytest.mark.long),
    ],
    ids=str,
)
@pytest.mark.parametrize("longest", long_but(60, of=[60, 200]))
@pytest.mark.parametrize("changes", long_but(True, of=[False, True]))
async def test_what_comes_after_a_long_quiet_is_followed_exactly(
    switches: dict[str, Any], changes: bool, longest: int
) -> None:
    async with scene(**switches) as here:
        query = here.query(longest + 100)

        async def live() -> None:
            for quiet in (longest, 7, 30):
                await here.live(2)
                await asyncio.sleep(quiet)

        living = asyncio.create_task(live())
        got: list[FlowInstance] = []
        async with follow(here, query, changes=changes) as following:
            for _ in range(200):
                try:
                    async for row in following:
                        got.append(row)
                    break
                except CompletenessError:  # it cannot be proven against so many lies, and says so
                    continue
        assert living.done(), "it never came to its end"
        last = {row.instance_id: row.status for row in got}
        assert sorted(last) == here.expected(query)
        assert changes or len(got) == len(last)
        assert not changes or all(last[name] == codes[-1] for name, codes in here.history.items())


@pytest.mark.parametrize("empty_answers", long_but(4, of=[0, 3, 4]))
async def test_what_comes_after_a_long_quiet_is_soon_told_whatever_is_falsely_empty(
    empty_answers: int,
) -> None:
    async with scene(empty_answers=empty_answers) as here:
        polls = []
        async with follow(here, here.query(7_200), min_wait=1.0, max_wait=10.0) as following:
            for quiet in (50, 500, 505, 510, 515, 1_000):
                waiting = asyncio.create_task(_next(following))
                await asyncio.sleep(quiet)
                name, before = here.insert(0.0, 1), following.stats.polls
                assert (await waiting).instance_id == name
                polls.append(following.stats.polls - before)
        assert max(polls) <= 3, f"told after so many polls: {polls}"


async def test_a_burst_that_begins_between_two_looks_at_nothing_makes_no_later_poll_dear() -> None:
    async with (
        scene(first_page=1, page_zero="error") as here,
        here.session.follow(here.query(7_200), since=here.since) as one,
    ):
        waiting = asyncio.create_task(_all(one))
        for _ in range(100):
            await asyncio.sleep(0.05)
            here.insert(10.0, 1)
        await asyncio.sleep(1_800)
        searches, polls = here.emulator.requests["search"], one.stats.polls
        await asyncio.sleep(1_800)
        cost = (here.emulator.requests["search"] - searches) / (one.stats.polls - polls)
        waiting.cancel()
        await asyncio.wait([waiting])
    assert cost <= 3.6, f"{cost:.2f} searches a poll"


async def test_nothing_is_sent_before_iteration() -> None:
    async with scene() as here:
        async with follow(here, here.query(10)):
            pass
        assert not here.emulator.requests.get("time")


# Misuse


async def test_what_makes_no_sense_is_refused() -> None:
    async with scene() as here:
        query = here.query(10)
        checkpoint = follow(here, query).checkpoint()
        for wrong in (
            lambda: follow(here, here.query(10, order_by="-trigger_time")),
            lambda: follow(here, here.query(11), resume=checkpoint),
            lambda: follow(here, query, changes=True, resume=checkpoint),
            lambda: follow(here, query, since=datetime(2025, 1, 1)),  # noqa: DTZ001
            lambda: follow(here, query, settle_time=-1),
            lambda: follow(here, query, min_wait=0),
            lambda: here.session.follow("query"),  # type: ignore[arg-type]
            lambda: Checkpoint.from_json(checkpoint.to_json()),
            lambda: FollowCheckpoint.from_json(here.session.scan(query).checkpoint().to_json()),
            lambda: FollowCheckpoint.from_json(checkpoint.to_json().replace("[]", '[["x", 1, 1, true]]')),
            lambda: FollowCheckpoint.from_json(checkpoint.to_json()[:-5]),
        ):
            with pytest.raises(QueryError):
                wrong()


@pytest.mark.parametrize(
    ("old", "new"),
    [("settle", "settle_time"), ("watch", "watch_time"), ("least", "min_wait"), ("most", "max_wait")],
)
async def test_an_old_name_means_its_new_name_and_warns_where_it_is_used(old: str, new: str) -> None:
    async with scene() as here:
        query, by_old, by_new = here.query(10), {old: 7.5}, {new: 7.5}
        with pytest.warns(DeprecationWarning, match=f"{old}=.*{new}=") as warned:
            following = here.session.follow(query, **by_old)  # type: ignore[arg-type]
        assert warned[0].filename == __file__
        timing = following.reader._machine._pace
        assert getattr(timing, new) == 7.5
        assert timing == here.session.follow(query, **by_new).reader._machine._pace  # type: ignore[arg-type]


async def test_a_value_under_both_its_names_is_refused() -> None:
    async with scene() as here:
        with pytest.raises(QueryError, match="least= and min_wait= mean the same"):
            here.session.follow(here.query(10), least=2.0, min_wait=2.0)


async def test_a_refused_value_is_called_by_the_name_it_has_today() -> None:
    async with scene() as here:
        for name in ("settle_time", "watch_time", "min_wait", "max_wait"):
            with pytest.raises(QueryError, match=f"^{name} must be"):
                follow(here, here.query(10), **{name: -1.0})
        with pytest.raises(QueryError, match=r"min_wait must be .* max_wait"):
            here.session.follow(here.query(10), min_wait=3.0, max_wait=2.0)


async def test_closing_ends_the_wait_of_whoever_iterates_it() -> None:
    for which in ("follow", "session"):
        async with scene() as here:
            following = follow(here, here.query(1_000), min_wait=100, max_wait=100)
            waiting = asyncio.create_task(anext(following))
            await asyncio.sleep(10)
            before = here.now()
            await (following if which == "follow" else here.session).aclose()
            with pytest.raises(RuntimeError, match="closed"):
                await waiting
            assert here.now() == before
            await following.aclose()
            with pytest.raises(RuntimeError, match="closed"):
                await anext(following)


async def test_a_second_consumer_is_told() -> None:
    async with scene() as here, follow(here, here.query(1_000)) as following:
        waiting = asyncio.create_task(anext(following))
        await asyncio.sleep(1)
        with pytest.raises(RuntimeError, match="another task"):
            await anext(following)
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_an_outage_is_an_error_and_what_came_meanwhile_follows() -> None:
    faults = [Fault(at=7, kind="http-500", times=600)]
    async with scene(faults=faults) as here:
        query = here.query(2_000)
        async with follow(here, query) as following:
            inserted = [here.insert(0.0, 1)]
            failed = 0
            got: list[FlowInstance] = []
            while len(got) < 2:
                try:
                    got.append(await anext(following))
                except ServerFault:
                    failed += 1
                    inserted += [] if failed > 1 else [here.insert(0.0, 1)]
            assert failed
            assert names(got) == sorted(inserted)


# On sockets


@pytest.mark.long
@pytest.mark.real_time
async def test_three_seconds_on_real_sockets_are_followed_exactly() -> None:
    async with Emulator(instances=200, seed=3, latency=0.002) as emulator:  # noqa: SIM117
        async with FlowSession(emulator.url, user_id="u", org_id="o") as session:
            here = Scene(emulator, session, lambda: time.time() * 1000, seed=1)
            query = here.query(3)
            living = asyncio.create_task(here.live(3, step=0.03, latest=1.2))
            async with session.follow(
                query, since=here.since, changes=True, settle_time=2, min_wait=0.1, max_wait=0.4
            ) as following:
                got = [row async for row in following]
            await living
    last = {row.instance_id: row.status for row in got}
    assert sorted(last) == here.expected(query)
    assert all(last[name] == here.history[name][-1] for name in last)
    for name in last:
        assert all(
            one != after for one, after in pairwise(row.status for row in got if row.instance_id == name)
        )
    assert timedelta(seconds=3) < timedelta(milliseconds=here.now() - here.since)
