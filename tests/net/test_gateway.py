"""Requests through an emulated gateway: tokens that die, clocks that are off, and limits, in virtual time."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import pytest

from aioflows._net.access_token import AccessTokens
from aioflows._net.gate import Gate
from aioflows._net.observers import Observers
from aioflows._net.retrying import CallTally, RetryingCaller
from aioflows._net.transport import Request
from aioflows.emulator import Emulator
from aioflows.events import Paused
from aioflows.settings import AppKey, RetryPolicy
from tests.support.fakes import EmulatorTransport, loop_time

SEARCH = {
    "type": 1,
    "fromTriggerTime": 0,
    "toTriggerTime": 1_800_000_000_000,
    "status": "",
    "owner": "",
    "expression": "",
    "pagination": {"pageNo": 0, "pageSize": 5},
}
REQUEST = Request(
    "POST",
    "https://gateway/batch-processing-service/v2.1/flowInstances",
    (("action", "search"), ("userId", "u"), ("orgId", "o")),
    json.dumps(SEARCH).encode(),
)
KEYS: dict[str, Any] = {"app_key": "access", "app_secret": "secret"}


async def asked(
    count: int, *, off: float = 0.0, concurrency: int = 16, seed: int = 1, **access: Any
) -> CallTally:
    """Asks the same *count* times at once, all of which must be answered; gives what it cost."""
    with Emulator(instances=50, seed=seed, **access) as emulator:
        transport = EmulatorTransport(emulator, latency=0.05)
        auth = AppKey("access", "secret") if "app_key" in access else None
        keys = AccessTokens(auth, "https://gateway", now=lambda: transport.now() + off)
        caller = RetryingCaller(transport, Gate(concurrency), keys, RetryPolicy(), rng=Random(1))
        tally = CallTally()
        answers = await asyncio.gather(*(caller.call(REQUEST, json.loads, tally=tally) for _ in range(count)))
    assert {answer["code"] for answer in answers} == {0}
    return tally


class TestTokens:
    async def test_one_token_serves_all(self) -> None:
        assert await asked(100, **KEYS) == CallTally(requests=100)

    @pytest.mark.parametrize("told", ["1203", "4011", "4012", "401"])
    async def test_one_that_dies_is_renewed_however_that_is_told(self, told: str) -> None:
        tally = await asked(400, token_seconds=1.0, claimed_expire=7200, expired=told, **KEYS)
        assert tally.retries <= 2 * 16

    @pytest.mark.parametrize("uses", [2, 5, 17])
    async def test_the_end_of_many_is_met_without_an_error(self, uses: int) -> None:
        assert (await asked(60, token_uses=uses, **KEYS)).retries > 0

    @pytest.mark.parametrize("seed", range(8))
    async def test_nor_is_it_mistaken_for_a_wrong_key_where_answers_get_lost_as_well(self, seed: int) -> None:
        kinds = ("reset", "http-500", "cut")
        await asked(300, seed=seed, concurrency=4, token_uses=5, fault_share=0.4, fault_kinds=kinds, **KEYS)

    @pytest.mark.parametrize("expire", [0, -1, "7200", 10**12, "soon"])
    async def test_whatever_it_says_of_its_life(self, expire: int | str) -> None:
        await asked(40, claimed_expire=expire, token_seconds=0.2, **KEYS)

    @pytest.mark.parametrize("off", [-4000.0, 4000.0])
    @pytest.mark.parametrize("code", [1003, 1004])
    async def test_a_local_clock_that_is_off_costs_one_refusal(self, off: float, code: int) -> None:
        assert await asked(40, off=off, skew_code=code, **KEYS) == CallTally(requests=40)


class TestLimits:
    @pytest.mark.parametrize("told", ["429", "429-seconds", "429-date", "503-seconds", "envelope"])
    @pytest.mark.parametrize("concurrency", [16, 64])
    async def test_however_the_service_says_too_many_all_are_answered(
        self, told: str, concurrency: int
    ) -> None:
        tally = await asked(400, concurrency=concurrency, rate=20.0, burst=5, throttle=told)
        assert tally.throttled <= concurrency + 10
        assert loop_time() < 1.6 * 400 / 20

    async def test_nothing_is_sent_before_the_service_wants_it(self) -> None:
        pauses: list[tuple[float, float]] = []

        def observe(event: object) -> None:
            if isinstance(event, Paused):
                pauses.append((loop_time(), loop_time() + event.seconds))

        with Emulator(instances=50, seed=1, rate=10.0, burst=3) as emulator:
            transport = EmulatorTransport(emulator, latency=0.05)
            caller = RetryingCaller(
                transport, Gate(8), AccessTokens(None, ""), RetryPolicy(), watch=Observers(observe)
            )
            await asyncio.gather(*(caller.call(REQUEST, json.loads) for _ in range(100)))
        assert pauses
        assert not [sent.at for sent in transport.sent for begin, end in pauses if begin < sent.at < end]
