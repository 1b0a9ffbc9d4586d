"""Hostile deployments, drawn at random, some of them at once: what is given is exact, or an error says why not."""

from __future__ import annotations

import random
from typing import Any

import pytest

from aioflows import AioflowsError, FlowQuery, FlowSession, Limits, RetryPolicy, ScheduleType
from aioflows.emulator import Emulator
from tests.fakes import EmulatorTransport

ODD: dict[str, list[Any]] = {
    "first_page": [1],
    "page_zero": ["first", "empty", "error", "parameter"],
    "page_cap": [20, 37, 100],
    "cap_offset": ["requested"],
    "ties": ["unstable"],
    "count": ["total"],
    "zone": ["UTC", "+05:30", "-03:00", "Europe/Berlin"],
    "claimed_zone": ["GMT+1", "GMT+9"],
    "null_list": [True],
    "empty_answers": [7, 20],
    "sort_by": ["second"],
    "refuse_page_size_above": [200],
    "fault_share": [0.1, 0.3],
    "nulls": ["first", "last"],
    "ignore": [{"sorters"}, {"to"}, {"page"}, {"from"}],
}
PROFILES = ["uniform", "cron", "midnight", "bursty", "sparse-then-dense"]


async def check(seed: int) -> str:
    rng = random.Random(seed)
    switches = {name: rng.choice(values) for name, values in ODD.items() if rng.random() < 0.2}
    types = rng.choice([(1,), (0, 1, 2)])
    emulator = Emulator(
        instances=rng.choice([9, 50, 300, 1200]),
        seed=seed,
        profile=rng.choice(PROFILES),
        schedule_types=types,
        **switches,
    )
    order = rng.choice(["trigger_time", "-trigger_time", None])
    with emulator:
        session = FlowSession(
            "https://enos.test",
            user_id="u",
            org_id="o",
            http=EmulatorTransport(emulator, latency=0.01),
            limits=Limits(page_size=rng.choice([10, 50, 200]), concurrency=rng.choice([1, 4, 16])),
            retry=RetryPolicy(base=0.01, cap=0.1),
        )
        kind = ScheduleType.PERIODIC if len(types) == 1 else None
        query = FlowQuery(emulator.start, emulator.end, order_by=order, type=kind)
        try:
            async with session:
                got = [one.instance_id async for one in session.flow_instances(query)]
        except AioflowsError as error:
            return type(error).__name__
        expected = [name for _, name in emulator.matching(emulator.start_ms, emulator.end_ms)]
    if order is None:
        assert sorted(got) == sorted(expected), f"seed {seed}: {switches}"
    else:
        assert got == (expected if order == "trigger_time" else expected[::-1]), f"seed {seed}: {switches}"
    return "exact"


@pytest.mark.parametrize("seed", range(0, 240, 40))
async def test_every_scan_is_exact_or_says_why_not(seed: int) -> None:
    ends = [await check(one) for one in range(seed, seed + 40)]
    assert ends.count("exact") >= 24, ends
