"""Gates of several sessions behind one governor, joined by lines that take time and may break."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from itertools import pairwise
from typing import cast

import pytest

from aioflows import FlowQuery, ScanStats
from aioflows._core.governor.address import GovernorAddress
from aioflows._core.governor.frames import BadFrame, GovernorFrame, SessionFrame, encode_frame
from aioflows._display.secret import Secret
from aioflows._net.gate import FIRST
from aioflows._net.governed_gate import GovernedGate
from aioflows._net.governor_line import GovernorLine
from tests.support.permit_lines import Desk, Line

QUERY = FlowQuery(1_700_000_000_000, 1_700_000_100_000)
ADDRESS = GovernorAddress("127.0.0.1", 1, Secret("0" * 64), 1.0)


class Pings:
    """A writer that notes when something was written."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def write(self, _: bytes) -> None:
        self.times.append(now())

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Do nothing."""

    async def wait_closed(self) -> None:
        """Do nothing."""


def now() -> float:
    return asyncio.get_running_loop().time()


async def attempts(gate: GovernedGate, count: int, seconds: float = 0.05) -> list[float]:
    """Send *count* attempts of some *seconds* each through the gate, and return the moments they entered."""
    moments: list[float] = []
    behind = 0

    async def attempt() -> None:
        nonlocal behind
        ticket = gate.ticket(behind)
        behind = ticket[0]
        await gate.enter(ticket)
        try:
            moments.append(now())
            await asyncio.sleep(seconds)
            gate.accepted()
        finally:
            gate.leave()

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(attempt())
    return moments


def joined(parts: Iterable[list[float]]) -> list[float]:
    return [one for part in parts for one in part]


def most_within(moments: list[float], seconds: float) -> int:
    moments = sorted(moments)
    return max(sum(one <= other < one + seconds for other in moments) for one in moments)


class TestPermits:
    async def test_the_requests_of_all_sessions_keep_to_one_rate(self) -> None:
        desk = Desk(rate=20)
        gates = [desk.session()[0] for _ in range(3)]
        entered = joined(await asyncio.gather(*(attempts(gate, 20) for gate in gates)))
        assert most_within(entered, 1.0) <= 21
        assert max(entered) == pytest.approx(60 / 20, abs=0.1)
        await asyncio.sleep(1)  # the last message is on its way
        assert desk.requests == 60

    async def test_the_requests_of_all_sessions_keep_to_one_number_in_flight(self) -> None:
        desk = Desk(concurrency=5)
        gates = [desk.session()[0] for _ in range(3)]
        entered = joined(await asyncio.gather(*(attempts(gate, 20, 1.0) for gate in gates)))
        assert most_within(entered, 0.99) == 5
        assert max(entered) < 60 / 5 * 1.01

    async def test_a_session_of_many_requests_does_not_hold_up_another(self) -> None:
        desk = Desk(rate=20)
        many, few = desk.session(64)[0], desk.session(4)[0]
        bulk = asyncio.create_task(attempts(many, 200))
        await asyncio.sleep(1)
        began = now()
        await attempts(few, 4)
        assert now() - began < 0.6
        await bulk

    async def test_an_idle_session_leaves_its_part_to_the_others(self) -> None:
        desk = Desk(rate=20)
        one, idle = desk.session()[0], desk.session()[0]
        await attempts(idle, 1)
        entered = await attempts(one, 40)
        assert max(entered) - min(entered) == pytest.approx(39 / 20, abs=0.05)

    async def test_the_limits_of_a_session_hold_beside_those_of_its_governor(self) -> None:
        slow, line = Desk(rate=100).session(2, 10)
        entered = await attempts(slow, 30)
        assert most_within(entered, 1.0) <= 11
        assert max(entered) == pytest.approx(3, abs=0.2)
        assert line.sent < 100
        narrow = Desk(rate=100).session(2)[0]
        assert most_within(await attempts(narrow, 8, 1.0), 0.99) == 2

    async def test_the_first_ticket_of_a_session_is_before_its_others(self) -> None:
        gate, _ = Desk(rate=5).session()
        bulk = asyncio.create_task(attempts(gate, 20))
        await asyncio.sleep(1)
        began = now()
        await gate.enter(FIRST)
        gate.leave()
        assert now() - began <= 0.21
        await bulk

    async def test_a_request_costs_one_line_each_way(self) -> None:
        gate, line = Desk().session(4)
        await attempts(gate, 200)
        assert line.sent <= 204

    async def test_a_permit_that_nothing_waits_for_any_more_is_given_back(self) -> None:
        desk = Desk(concurrency=1)
        holder, other = desk.session()[0], desk.session()[0]
        await holder.enter(holder.ticket())
        waiting = asyncio.create_task(attempts(other, 3))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.wait([waiting])
        holder.leave()
        assert len(await attempts(holder, 3)) == 3
        await asyncio.sleep(1)
        assert desk.inside == 0

    async def test_cancelled_at_any_moment_nothing_is_lost(self) -> None:
        desk = Desk(concurrency=2)
        gate, _ = desk.session()
        for step in range(40):
            task = asyncio.create_task(attempts(gate, 3, 0.0005))
            await asyncio.sleep(step * 0.0001)
            task.cancel()
            await asyncio.wait([task])
        await asyncio.sleep(1)
        assert desk.inside == 0
        assert gate.in_flight == 0
        assert len(await attempts(gate, 5)) == 5


class TestPauses:
    async def test_a_wait_that_one_session_is_told_stops_them_all(self) -> None:
        desk = Desk()
        gates = [desk.session()[0] for _ in range(3)]
        running = [asyncio.create_task(attempts(gate, 200, 0.05)) for gate in gates]
        await asyncio.sleep(0.4)
        gates[0].throttled(now() - 0.05, 5.0)
        assert gates[0].pause(5.0)
        told = now()
        entered = joined(await asyncio.gather(*running))
        late = 0.0005  # the others learn it by a message to the governor, and one from there
        assert [one for one in entered if told + late < one < told + 5.0] == []
        assert max(entered) > told + 5.0

    async def test_a_session_stops_itself_at_once(self) -> None:
        desk = Desk()
        gate, _ = desk.session()
        running = asyncio.create_task(attempts(gate, 200, 0.05))
        await asyncio.sleep(0.4)
        gate.throttled(now() - 0.05, 5.0)
        gate.pause(5.0)
        told = now()
        entered = await running
        assert [one for one in entered if told <= one < told + 5.0] == []
        assert gate.paused_for == 0

    async def test_the_rate_that_refusals_show_holds_for_all(self) -> None:
        desk, accepted, refused = Desk(), 0, 0
        gates = [desk.session()[0] for _ in range(2)]
        tokens, filled = 10.0, 0.0

        async def attempt(gate: GovernedGate) -> None:
            nonlocal tokens, filled, accepted, refused
            await gate.enter(gate.ticket())
            entered = now()
            await asyncio.sleep(0.015)
            tokens, filled = min(10.0, tokens + (now() - filled) * 40), now()
            good = tokens >= 1
            if good:
                tokens -= 1
            await asyncio.sleep(0.015)
            if good:
                accepted += 1
                gate.accepted()
            gate.leave()
            if not good:
                refused += 1
                gate.throttled(entered, 0.0)
                await attempt(gate)

        await asyncio.gather(*(attempt(gate) for gate in gates for _ in range(150)))
        assert accepted == 300
        assert refused <= 15  # the first seconds, in which the rate is found out
        assert now() < 300 / 40 / 0.85
        assert desk.refused == refused
        assert gates[1].rate == pytest.approx(desk.gate.rate, rel=0.1)


class TestAlone:
    async def test_a_session_without_its_governor_keeps_to_its_share(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING, "aioflows"):
            gate = GovernedGate(16, None, Line(None), 4.0)
            entered = await attempts(gate, 12)
        assert most_within(entered, 1.0) <= 5
        assert max(entered) == pytest.approx(12 / 4, abs=0.3)
        assert len(caplog.messages) == 1
        assert "goes on alone with its share of the rate, 4 requests a second" in caplog.messages[0]

    async def test_a_session_whose_governor_dies_goes_on_at_the_share_it_was_told(self) -> None:
        desk = Desk(rate=20, parallel=4)
        gate, line = desk.session()
        running = asyncio.create_task(attempts(gate, 60))
        await asyncio.sleep(1.02)
        line.cut()
        lost = now()
        entered = [one - lost for one in await running if one > lost]
        assert most_within(entered, 1.0) <= 6
        assert max(entered) > 5
        assert desk.inside == 0

    async def test_what_the_service_refuses_slows_a_session_down_that_is_alone(self) -> None:
        gate = GovernedGate(16, None, Line(None), 100.0)
        await attempts(gate, 50)
        gate.throttled(now() - 0.05, 3.0)
        gate.pause(3.0)
        told = now()
        assert min(await attempts(gate, 3)) >= told + 3.0

    async def test_it_comes_back_when_the_governor_does(self, caplog: pytest.LogCaptureFixture) -> None:
        desk = Desk(rate=20, parallel=4)
        gate, line = desk.session()
        running = asyncio.create_task(attempts(gate, 100))
        await asyncio.sleep(1.02)
        with caplog.at_level(logging.INFO, "aioflows"):
            line.cut()
            line.cut()
            await asyncio.sleep(1)
            line.connect()
            back = now()
            entered = [one - back for one in await running if one > back]
        assert max(entered) < 80 / 20 * 1.05
        assert most_within(entered, 1.0) <= 21
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
        await asyncio.sleep(1)
        assert desk.inside == 0

    async def test_an_attempt_of_before_does_not_return_the_permit_of_another(self) -> None:
        desk = Desk()
        gate, line = desk.session()
        before = asyncio.create_task(attempts(gate, 4, 5.0))
        await asyncio.sleep(1)
        line.cut()
        line.connect()
        after = asyncio.create_task(attempts(gate, 4, 10.0))
        await asyncio.sleep(1)
        assert desk.inside == 4
        await before
        await asyncio.sleep(1)
        assert desk.inside == 4
        await after
        await asyncio.sleep(1)
        assert desk.inside == 0

    async def test_a_permit_of_an_attempt_that_was_cancelled_before_it_was_sent_is_no_request(self) -> None:
        frames: list[SessionFrame] = []

        class Noted(Line):
            def send(self, frame: SessionFrame) -> bool:
                frames.append(frame)
                return True

        gate = GovernedGate(16, None, Noted(Desk()), 1.0)
        gate.joined(None, 0.0)
        waiting = asyncio.create_task(gate.enter(gate.ticket()))
        await asyncio.sleep(0)
        gate.received(GovernorFrame(go=1, at=1.0))
        waiting.cancel()
        await asyncio.wait([waiting])
        await asyncio.sleep(1)
        assert (sum(one.ask for one in frames), sum(one.done for one in frames)) == (1, 0)
        assert sum(one.back for one in frames) == 1
        assert gate.in_flight == 0

    async def test_a_pause_that_began_without_the_governor_stops_all_once_it_is_back(self) -> None:
        desk = Desk()
        gate, line = desk.session()
        other, _ = desk.session()
        await attempts(gate, 1)
        line.cut()
        gate.pause(4.0)
        paused = now()
        line.connect()
        await asyncio.sleep(0.001)
        assert min(await attempts(other, 2)) >= paused + 4.0
        assert min(await attempts(gate, 2)) >= paused + 4.0

    async def test_the_permits_of_a_session_that_dies_are_free_again(self) -> None:
        desk = Desk(concurrency=4)
        dying, line = desk.session()
        asked = [asyncio.create_task(dying.enter(dying.ticket())) for _ in range(4)]
        await asyncio.wait(asked)
        assert desk.inside == 4
        assert line.session is not None
        line.session.left()
        assert len(await attempts(desk.session()[0], 8)) == 8

    async def test_windows_that_were_read_meanwhile_are_reported_afterwards(self) -> None:
        desk = Desk()
        gate, line = desk.session()
        await attempts(gate, 1)
        line.cut()
        gate.announce(QUERY)
        gate.report(QUERY, ScanStats(rows_yielded=5))
        line.connect()
        await asyncio.sleep(1)
        assert desk.account().ok

    async def test_closing_waits_until_what_was_read_is_told(self) -> None:
        desk = Desk()
        gate, _ = desk.session()
        gate.announce(QUERY)
        gate.report(QUERY, ScanStats(rows_yielded=5))
        await gate.aclose()
        await asyncio.sleep(1)
        assert desk.account().ok

    async def test_closing_without_the_governor_looks_for_it_once_more(self) -> None:
        desk = Desk()
        gate, line = desk.session()
        await attempts(gate, 1)
        line.cut()
        gate.announce(QUERY)
        gate.report(QUERY, ScanStats(rows_yielded=5))
        await gate.aclose()
        await asyncio.sleep(1)
        assert desk.account().ok

    async def test_what_was_reported_to_a_connection_that_closes_is_told_again(self) -> None:
        desk = Desk()
        gate, line = desk.session()
        await attempts(gate, 1)
        line.closing = True
        gate.announce(QUERY)
        gate.report(QUERY, ScanStats(rows_yielded=5))
        line.cut()
        line.closing = False
        line.connect()
        await asyncio.sleep(1)
        assert desk.account().ok

    async def test_a_session_that_only_listens_says_that_it_is_there(self) -> None:
        gate = GovernedGate(16, None, Line(Desk()), 4.0)
        line, writer, reader = GovernorLine(ADDRESS), Pings(), asyncio.StreamReader()
        line._writer = cast("asyncio.StreamWriter", writer)
        listening = asyncio.create_task(line._listen(reader, gate, 1.0, 0.0))
        for _ in range(60):
            await asyncio.sleep(1)
            reader.feed_data(encode_frame(GovernorFrame(at=now(), share=2.0)))
        assert not listening.done()
        assert len(writer.times) >= 10
        assert max(later - one for one, later in pairwise(writer.times)) < 6
        await asyncio.sleep(11)
        assert "does not answer" in listening.result()


def test_a_session_that_returns_more_than_it_had_is_a_fault() -> None:
    async def main() -> None:
        session = Desk().join(lambda _: None)
        with pytest.raises(BadFrame):
            session.received(SessionFrame(done=1))
        with pytest.raises(BadFrame):
            session.received(SessionFrame(ask=9_999))

    asyncio.run(main())
