"""The share of a gateway's rate that a whole scan uses at the latencies of real networks, in virtual time."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from aioflows import FlowQuery, FlowSession, Limits, ScheduleType
from aioflows.emulator import Emulator
from aioflows.events import Paused
from tests.support.fakes import EmulatorTransport, loop_time
from tests.support.long import long_but

PAGES, PAGE = 600, 10


async def read(latency: float, **access: Any) -> tuple[float, float, int, float]:
    """Read 600 pages with 64 requests wanted in flight.

    Return the rate of answers, the share of refusals, the requests that were sent inside a wait, and the seconds.
    """
    pauses: list[tuple[float, float]] = []

    def observe(event: object) -> None:
        if isinstance(event, Paused):
            pauses.append((loop_time(), loop_time() + event.seconds))

    world: dict[str, Any] = {"profile": "uniform", "schedule_types": (1,), "days": 900}
    with Emulator(instances=PAGES * PAGE, seed=1, **world, **access) as emulator:
        transport = EmulatorTransport(emulator, latency=latency)
        query = FlowQuery(emulator.start_ms, emulator.end_ms, type=ScheduleType.PERIODIC)
        limits = Limits(page_size=PAGE, concurrency=64)
        async with FlowSession(
            "https://enos.test", user_id="u", org_id="o", http=transport, limits=limits, observer=observe
        ) as session:
            session._caller._rng.seed(1)
            began = loop_time()
            async with session.scan(query) as scan:
                rows = [row async for page in scan.pages() for row in page]
            seconds, stats = loop_time() - began, scan.stats
    assert len(rows) == PAGES * PAGE
    early = [sent.at for sent in transport.sent for begin, end in pauses if begin < sent.at < end - 1e-9]
    answered = stats.requests - stats.throttled
    return answered / seconds, stats.throttled / stats.requests, len(early), seconds


@pytest.mark.parametrize("case", long_but((0.05, "429"), of=product([0.0, 0.03, 0.05], ["429", "envelope"])))
async def test_a_rate_without_a_named_wait_is_used_and_hardly_overrun(case: tuple[float, str]) -> None:
    latency, told = case
    rate, refused, _, _ = await read(latency, rate=40.0, burst=10, throttle=told)
    assert rate >= 0.97 * 40
    assert refused <= 0.015


@pytest.mark.parametrize(
    "case",
    long_but(
        (0.05, "429-seconds"), of=product([0.0, 0.03, 0.05], ["429-seconds", "503-seconds", "403-seconds"])
    ),
)
async def test_a_rate_with_a_wait_after_each_refusal_is_used_and_nothing_is_sent_inside_a_wait(
    case: tuple[float, str],
) -> None:
    latency, told = case
    rate, refused, early, _ = await read(latency, rate=40.0, burst=10, throttle=told)
    assert rate >= 0.9 * 40
    assert refused <= 0.015
    assert not early


@pytest.mark.long
@pytest.mark.parametrize("latency", [0.03, 0.05])
@pytest.mark.parametrize("told", ["429", "503"])
async def test_a_limiter_without_a_burst_is_used_as_well(latency: float, told: str) -> None:
    rate, _, _, _ = await read(latency, rate=40.0, burst=1, throttle=told)
    assert rate >= 0.85 * 40


@pytest.mark.long
@pytest.mark.parametrize(("latency", "before"), [(0.03, 0.600), (0.05, 0.900)])
async def test_a_service_that_never_refuses_loses_nothing_by_the_careful_beginning(
    latency: float, before: float
) -> None:
    """The times before are those of first entries that were 3 ms apart (seconds)."""
    assert (await read(latency))[3] <= 1.01 * before
