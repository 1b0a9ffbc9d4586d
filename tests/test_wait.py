"""Waiting for instances as users of a session do, against the emulator, in virtual time and without sockets."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from aioflows import (
    Denied,
    FlowInstance,
    FlowSession,
    FlowStatus,
    Limits,
    NotFound,
    QueryError,
    RetryPolicy,
    ServerFault,
    WaitTimeout,
)
from aioflows.emulator import Emulator, Fault
from tests.support.fakes import EmulatorTransport, loop_time

EPOCH = 1_735_689_600_000
"""When the service's clock begins."""
RUNNING, SUCCESS = 2, 1


class Runs:
    """An emulator with running instances, and a session that waits for them."""

    def __init__(self, emulator: Emulator, transport: EmulatorTransport, session: FlowSession) -> None:
        self.emulator = emulator
        self.transport = transport
        self.session = session

    def start(self, number: int, **given: Any) -> list[str]:
        return [self.emulator.insert(EPOCH + 7_000 * one, status=RUNNING, **given) for one in range(number)]

    def finish(self, names: Iterable[str], status: int = SUCCESS) -> None:
        for name in names:
            self.emulator.set_status(name, status)

    def polls(self) -> list[int]:
        """The number of requests in each second in which there were some."""
        return list(Counter(int(sent.at) for sent in self.transport.sent).values())


@asynccontextmanager
async def runs(instances: int = 500, **switches: Any) -> AsyncIterator[Runs]:
    with Emulator(instances=instances, seed=3, **switches) as emulator:
        transport = EmulatorTransport(emulator, epoch_ms=EPOCH, latency=0.01)
        retry = RetryPolicy(max_tries=4, base=0.1, cap=0.1)
        session = FlowSession(
            "https://enos.test",
            user_id="u",
            org_id="o",
            http=transport,
            retry=retry,
            limits=Limits(page_size=100),
        )
        async with session:
            yield Runs(emulator, transport, session)


def ids(instances: Iterable[FlowInstance]) -> list[str]:
    return [instance.instance_id for instance in instances]


async def test_one_id_gives_one_instance_and_several_give_a_list_in_their_order() -> None:
    async with runs() as here:
        names = here.start(5)
        here.finish(names)
        assert (await here.session.wait(names[0])).status is FlowStatus.SUCCESS
        wanted = [*reversed(names), names[0]]
        assert ids(await here.session.wait(iter(wanted))) == wanted
        assert await here.session.wait([]) == []


async def test_a_wait_ends_when_the_instance_is_final_and_not_before() -> None:
    async with runs() as here:
        (name,) = here.start(1)
        waiting = asyncio.create_task(here.session.wait(name))
        await asyncio.sleep(20)
        assert not waiting.done()
        here.finish([name], FlowStatus.FAIL)
        await asyncio.sleep(31)
        assert waiting.done()
        assert (await waiting).status is FlowStatus.FAIL


@pytest.mark.parametrize("ids_as", ["plain", "opaque"])
async def test_a_thousand_waits_share_polls_of_at_most_three_requests(ids_as: str) -> None:
    async with runs(ids=ids_as) as here:
        names = [name for type in (0, 1, 2) for name in here.start(334, type=type)][:1_000]
        waits = [asyncio.create_task(here.session.wait(name)) for name in names]
        await asyncio.sleep(10)
        here.finish(names)
        done = await asyncio.gather(*waits)
        assert ids(done) == names
        assert {instance.status for instance in done} == {FlowStatus.SUCCESS}
        assert max(here.polls()) <= 3


@pytest.mark.parametrize("ids_as", ["plain", "opaque"])
async def test_many_instances_that_have_ended_before_are_returned_soon(ids_as: str) -> None:
    async with runs(ids=ids_as) as here:
        names = here.start(200)
        here.finish(names)
        assert ids(await here.session.wait(names, timeout=15)) == names


async def test_polls_are_further_apart_while_nothing_changes() -> None:
    async with runs() as here:
        waiting = asyncio.create_task(here.session.wait(here.start(1)[0], poll=20))
        await asyncio.sleep(300)
        times = [sent.at for sent in here.transport.sent if sent.request.operation == "get"]
        gaps = [after - before for before, after in pairwise(times)]
        assert gaps[0] < 2
        assert all(15 < gap < 21 for gap in gaps[-5:])
        waiting.cancel()


async def test_a_new_wait_is_looked_at_within_a_second_however_far_apart_polls_are() -> None:
    async with runs() as here:
        slow, quick = here.start(2)
        waiting = asyncio.create_task(here.session.wait(slow, poll=3_600))
        await asyncio.sleep(3_000)
        here.finish([quick])
        began = loop_time()
        await here.session.wait(quick, poll=3_600)
        assert loop_time() - began < 1.1
        waiting.cancel()


async def test_a_timeout_is_a_timeout_error_that_names_the_open_instances_with_their_status() -> None:
    async with runs() as here:
        done, left = here.start(2)
        here.finish([done])
        with pytest.raises(
            TimeoutError, match=rf"1 of the instances .* within 5 s: {left} \(RUNNING\);"
        ) as caught:
            await here.session.wait([done, left], timeout=5)
        error = caught.value
        assert isinstance(error, WaitTimeout)
        assert error.open == {left: FlowStatus.RUNNING}
        for same in (copy.copy(error), pickle.loads(pickle.dumps(error))):
            assert (str(same), same.open) == (str(error), error.open)
        assert loop_time() == pytest.approx(5, abs=0.1)


async def test_an_unknown_id_is_not_found_after_the_grace_and_one_that_appears_within_it_is_waited_for() -> (
    None
):
    async with runs() as here:
        with pytest.raises(NotFound, match="unknown instance 'nothing'"):
            await here.session.wait("nothing", grace=3)
        assert 3 <= loop_time() < 5
        waiting = asyncio.create_task(here.session.wait("late", grace=3))
        await asyncio.sleep(2)
        here.emulator.insert(EPOCH, status=SUCCESS, instance_id="late")
        assert (await waiting).instance_id == "late"


async def test_a_deleted_instance_is_not_found() -> None:
    async with runs() as here:
        names = here.start(10)
        waits = [asyncio.create_task(here.session.wait(name)) for name in names]
        await asyncio.sleep(10)
        here.emulator.delete(names[0])
        with pytest.raises(NotFound):
            await waits[0]
        assert not any(wait.done() for wait in waits[1:])
        here.finish(names[1:])
        await asyncio.gather(*waits[1:])


async def test_only_an_answer_to_a_request_that_was_sent_after_the_wait_began_ends_it() -> None:
    async with runs() as here:
        (name,) = here.start(1)
        here.finish([name])
        first = asyncio.create_task(here.session.wait(name))
        while not here.emulator.requests.get("get"):  # noqa: ASYNC110  (until its answer is on the way)
            await asyncio.sleep(0.001)
        here.emulator.set_status(name, RUNNING)
        again = asyncio.create_task(here.session.wait(name))
        await first
        await asyncio.sleep(5)
        assert not again.done()
        here.finish([name])
        assert (await again).status is FlowStatus.SUCCESS


async def test_a_cancelled_wait_leaves_the_others_and_the_last_one_leaves_no_task() -> None:
    async with runs() as here:
        names = here.start(20)
        waits = [asyncio.create_task(here.session.wait(name)) for name in names]
        await asyncio.sleep(3)
        for wait in waits[1:]:
            wait.cancel()
        await asyncio.sleep(3)
        assert not waits[0].done()
        waits[0].cancel()
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) == 1


async def test_a_wait_that_begins_while_the_last_one_is_being_cancelled_is_looked_at() -> None:
    async with runs() as here:
        (name,) = here.start(1)
        for turns in range(6):
            before = asyncio.create_task(here.session.wait(name))
            await asyncio.sleep(3.005)
            before.cancel()
            for _ in range(turns):
                await asyncio.sleep(0)
            after = asyncio.create_task(here.session.wait(name, until=FlowStatus.RUNNING))
            assert (await after).instance_id == name
            assert before.cancelled()


async def test_an_outage_that_the_retry_policy_lives_through_ends_no_wait() -> None:
    async with runs(faults=[Fault(at=4, kind="reset", times=3, on="any")]) as here:
        names = here.start(10)
        waits = [asyncio.create_task(here.session.wait(name)) for name in names]
        await asyncio.sleep(5)
        here.finish(names)
        await asyncio.gather(*waits)


async def test_an_outage_without_end_ends_every_wait_with_the_error_of_the_last_attempt() -> None:
    async with runs(faults=[Fault(at=5, kind="http-500", times=600, on="any")]) as here:
        waits = [here.session.wait(name) for name in here.start(10)]
        outcomes = await asyncio.gather(*waits, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {ServerFault}


async def test_a_service_whose_searches_fail_is_asked_for_each_instance() -> None:
    async with runs(faults=[Fault(at=1, kind="http-500", times=600)]) as here:
        names = here.start(10)
        here.finish(names)
        assert ids(await here.session.wait(names)) == names


async def test_closing_the_session_ends_its_waits() -> None:
    async with runs() as here:
        waiting = asyncio.create_task(here.session.wait(here.start(1)[0]))
        await asyncio.sleep(3)
        await here.session.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await waiting


async def test_waits_may_be_for_different_statuses_of_the_same_instances() -> None:
    async with runs() as here:
        names = here.start(8)
        started = await here.session.wait(names, until={FlowStatus.RUNNING})
        assert {one.status for one in started} == {FlowStatus.RUNNING}
        ended = asyncio.create_task(here.session.wait(names))
        failed = asyncio.create_task(here.session.wait(names[:2], until="FAIL"))
        here.finish(names)
        await ended
        await asyncio.sleep(60)
        assert not failed.done()
        here.finish(names[:2], FlowStatus.FAIL)
        assert ids(await failed) == names[:2]


@pytest.mark.parametrize(
    "switches",
    [
        {"first_page": 1},
        {"first_page": 1, "page_zero": "error"},
        {"first_page": 1, "page_zero": "empty"},
        {"page_cap": 37},
        {"bounds": "open"},
        {"zone": "+05:30", "ids": "opaque"},
        {"claimed_zone": "GMT+0"},
        {"ignore": ("status", "type")},
    ],
)
async def test_every_kind_of_service_is_waited_for(switches: dict[str, Any]) -> None:
    async with runs(**switches) as here:
        names = [*here.start(60), *here.start(30, type=0)]
        waiting = asyncio.create_task(here.session.wait(names, timeout=120))
        await asyncio.sleep(20)
        here.finish(names)
        assert {one.status for one in await waiting} == {FlowStatus.SUCCESS}


async def test_a_user_without_rights_is_told_so_at_once() -> None:
    async with runs(denied=True) as here:
        with pytest.raises(Denied):
            await here.session.wait("2809-20250101000000")


@pytest.mark.parametrize(
    "given",
    [
        {"ids": ""},
        {"ids": ["a", 5]},
        {"ids": "a", "timeout": -1},
        {"ids": "a", "timeout": float("nan")},
        {"ids": "a", "timeout": True},
        {"ids": "a", "poll": "5"},
        {"ids": "a", "grace": None},
        {"ids": "a", "until": ()},
        {"ids": "a", "until": FlowInstance.is_final},
        {"ids": "a", "until": True},
        {"ids": None},
        {"ids": 5},
    ],
)
async def test_values_that_make_no_sense_are_refused_before_anything_is_sent(given: dict[str, Any]) -> None:
    async with runs() as here:
        with pytest.raises(QueryError):
            await here.session.wait(**given)
        assert not here.transport.sent


@pytest.mark.parametrize("timeout", [timedelta(seconds=2), np.float32(2), np.int64(2)])
@pytest.mark.parametrize("until", [np.int64(FlowStatus.FAIL), [np.int64(FlowStatus.FAIL)]])
async def test_durations_and_statuses_may_be_those_of_other_libraries(timeout: Any, until: Any) -> None:
    async with runs() as here:
        with pytest.raises(WaitTimeout, match="within 2 s"):
            await here.session.wait(here.start(1), until, timeout)
