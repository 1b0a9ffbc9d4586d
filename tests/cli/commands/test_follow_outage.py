"""``aioflows follow`` beside a service that is down for a while, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from aioflows import (
    BadCredentials,
    Denied,
    FlowInstance,
    FlowQuery,
    FlowSession,
    RetryPolicy,
    TransportError,
)
from aioflows._net.transport import Answer, Request
from aioflows.cli.commands.follow import FollowWriter
from aioflows.cli.options.groups import PollOptions
from aioflows.emulator import Emulator
from tests.support.fakes import EmulatorTransport, answer, loop_time

EPOCH_MS = 1_735_689_600_000


class Flaky(EmulatorTransport):
    """A transport whose service is down from one moment to another (loop time)."""

    def __init__(self, emulator: Emulator, outage: tuple[float, float], how: Answer | Exception) -> None:
        super().__init__(emulator, epoch_ms=EPOCH_MS)
        self._outage = outage
        self._how = how

    async def send(self, request: Request, headers: object, timeout: float) -> Answer:
        first, last = self._outage
        if first <= loop_time() < last:
            if isinstance(self._how, Answer):
                return self._how
            raise self._how
        return await super().send(request, headers, timeout)  # type: ignore[arg-type]


class Rows:
    """A sink that keeps the ids of its rows."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def write(self, rows: Sequence[FlowInstance], /) -> None:
        self.ids += [row.instance_id for row in rows]


async def followed(outage: tuple[float, float], how: Answer | Exception) -> tuple[list[str], list[str]]:
    """Follow for five minutes; give the ids that were inserted, one every ten seconds, and those written."""
    inserted: list[str] = []

    async def live(emulator: Emulator) -> None:
        while loop_time() < 270:
            await asyncio.sleep(10)
            ms = EPOCH_MS + int(loop_time() * 1000) - 500
            inserted.append(emulator.insert(ms, type=len(inserted) % 3, status=2))

    with Emulator(instances=50) as emulator:
        query, sink = FlowQuery(EPOCH_MS, EPOCH_MS + 300_000), Rows()
        async with (
            FlowSession(
                "https://enos.test",
                user_id="u",
                org_id="o",
                http=Flaky(emulator, outage, how),
                retry=RetryPolicy(max_elapsed=5),
            ) as session,
            session.follow(query, since=EPOCH_MS) as follow,
        ):
            living = asyncio.create_task(live(emulator))
            try:
                await FollowWriter(follow, sink, None, PollOptions()).run()
            finally:
                living.cancel()
                await asyncio.wait([living])
    return inserted, sink.ids


@pytest.mark.parametrize(
    "how",
    [
        TransportError("no connection"),
        answer({"code": 62109, "msg": "internal error", "data": None}),
        answer("<html>maintenance</html>"),
        answer("busy", status=429),
        answer("deploying", status=503),
    ],
    ids=["network", "fault", "html", "throttled", "503"],
)
async def test_an_outage_of_minutes_is_lived_through_without_a_gap_or_a_double(
    how: Answer | Exception,
) -> None:
    inserted, written = await followed((60, 200), how)
    assert sorted(written) == sorted(inserted)


async def test_a_refusal_of_the_key_ends_it() -> None:
    with pytest.raises(BadCredentials):
        await followed((60, 200), answer({"status": 1002, "msg": "key", "data": None}))


async def test_a_refusal_of_the_user_ends_it() -> None:
    with pytest.raises(Denied):
        await followed((60, 200), answer({"code": 62103, "msg": "no privilege", "data": None}))


async def test_a_service_that_never_worked_ends_it() -> None:
    with pytest.raises(TransportError):
        await followed((0, 200), TransportError("no connection"))
