"""What a command says while its service does not answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from aioflows import (
    AioflowsError,
    ConnectFailed,
    Denied,
    Event,
    FlowSession,
    RequestEnded,
    RequestSent,
    Retried,
    RetryPolicy,
    TimedOut,
)
from aioflows.cli.first_contact import FirstContact
from aioflows.cli.output.service_wait import ServiceWait
from aioflows.cli.output.wait_notice import WaitNotice, json_notice, plain_notice
from tests.support.fakes import FakeTransport, Outcome, answer, loop_time

REFUSED = ConnectFailed("no connection to enos.test: Connection refused")
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def sent(request: int = 1) -> Event:
    return RequestSent(scan=1, request=request, operation="search", attempt=1, method="POST", url="")


def ended(request: int = 1, *, took: float = 0.02, error: AioflowsError | None = None) -> Event:
    status = None if isinstance(error, ConnectFailed) else 200
    return RequestEnded(
        scan=1, request=request, operation="search", attempt=1, duration=took, status=status, error=error
    )


def retried(request: int = 1, *, wait: float = 1.0) -> Event:
    return Retried(scan=1, request=request, operation="search", attempt=1, wait=wait, error=REFUSED)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def told(clock: Clock, *events: Event | float, at_once: bool = True) -> str:
    """What is said after some events, and seconds between them."""
    wait = ServiceWait(clock=clock, at_once=at_once)
    for event in events:
        if isinstance(event, Event):
            wait.on_event(event)
        else:
            clock.now += event
    return wait.text()


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((), ""),
        ((sent(), 0.1), ""),
        ((sent(), 12.0), "waiting 12s: no answer"),
        ((sent(), ended(error=REFUSED), retried()), f"waiting 0s: {REFUSED}"),
        ((sent(), ended(error=REFUSED), retried(), 30.0, sent(), 5.0), f"waiting 35s: {REFUSED}"),
        ((sent(), ended(), 60.0), ""),  # nothing is under way, as between two polls
        ((sent(), sent(2), ended(), 60.0), "waiting 1m 00s: no answer"),
        ((sent(), 2.0, ended(took=2.0), sent(), 5.0), ""),  # the service is slow, and not dead
        ((sent(), 2.0, ended(took=2.0), sent(), 7.0), "waiting 7s: no answer"),
        ((sent(), ended(), sent(2), ended(2, error=REFUSED), retried(2)), ""),  # one of many has failed
        ((sent(), ended(error=Denied(62103, "no privilege")), 9.0), ""),  # which is an answer
        ((sent(), ended(error=REFUSED), 70.0), f"waiting 1m 10s: {REFUSED}"),  # tried again later
    ],
)
def test_a_wait_is_told_with_its_time_and_reason(
    clock: Clock, events: tuple[Event | float, ...], words: str
) -> None:
    assert told(clock, *events) == words


def test_a_log_is_not_told_of_a_failure_at_once(clock: Clock) -> None:
    assert not told(clock, sent(), ended(error=REFUSED), retried(), at_once=False)


async def asked(notice: WaitNotice, transport: FakeTransport, *, within: float = 300) -> None:
    """Ask a service for its time, under a notice."""
    async with FlowSession(
        "https://enos.test",
        user_id="u",
        org_id="o",
        http=transport,
        retry=RetryPolicy(max_elapsed=within),
        observer=notice.on_event,
    ) as session:
        with notice:
            await session.server_time()


TIME = answer({"code": 0, "msg": "OK", "data": 1_700_000_000_000})


async def test_a_program_is_told_at_once_and_again_every_five_seconds() -> None:
    said: list[str] = []
    with pytest.raises(ConnectFailed):
        await asked(json_notice(said.append, loop_time), FakeTransport(lambda _: REFUSED), within=20)
    records = [json.loads(line) for line in said]
    assert {one["kind"] for one in records} == {"waiting"}
    assert {one["reason"] for one in records} == {str(REFUSED)}
    waited = [one["waited"] for one in records]
    assert waited[0] == 0
    assert all(5 <= late - early < 9 for early, late in pairwise(waited))
    assert len(waited) >= 3


async def test_a_log_is_told_when_a_wait_begins_and_when_it_is_over() -> None:
    said: list[str] = []
    wait = ServiceWait(0.8, at_once=False, clock=loop_time)
    notice = WaitNotice(said.append, wait, 60, now=lambda: NOON)
    await asked(notice, FakeTransport([TIME], latency=90))
    assert said == [
        "waiting for the service since 11:59:59: no answer",
        "waiting for the service since 11:58:59: no answer",
        "the service answers again, after 1m 30s",
    ]


async def test_nothing_is_said_of_a_service_that_answers() -> None:
    said: list[str] = []
    await asked(plain_notice(said.append, loop_time), FakeTransport([TIME], latency=0.5))
    assert not said


class TestFirstContact:
    async def test_a_service_that_refuses_every_connection_is_given_up_within_a_second(self) -> None:
        began = loop_time()
        with pytest.raises(ConnectFailed, match="refused"):
            await self.asked(FakeTransport(lambda _: REFUSED))
        assert loop_time() - began < 1

    async def test_one_refused_connection_is_retried(self) -> None:
        await self.asked(FakeTransport([REFUSED, TIME]))

    async def test_once_it_has_answered_the_retry_policy_decides(self) -> None:
        began = loop_time()
        with pytest.raises(ConnectFailed):
            await self.asked(FakeTransport(_first(TIME, then=REFUSED)), times=2)
        assert loop_time() - began > 20

    async def test_a_service_that_is_slow_is_waited_for(self) -> None:
        await self.asked(FakeTransport([TimedOut("no answer"), TIME], latency=50))

    async def test_a_signal_at_the_same_time_counts(self) -> None:
        task = asyncio.ensure_future(self.asked(FakeTransport(lambda _: REFUSED)))
        asyncio.get_running_loop().call_later(0.5, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    async def asked(self, transport: FakeTransport, *, times: int = 1) -> None:
        contact = FirstContact(lambda _: None)
        with contact:
            async with FlowSession(
                "https://enos.test", user_id="u", org_id="o", http=transport, observer=contact.on_event
            ) as session:
                for _ in range(times):
                    await session.server_time()


def _first(outcome: Outcome, *, then: Outcome) -> Iterator[Outcome]:
    yield outcome
    while True:
        yield then
