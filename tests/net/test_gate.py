"""The gate: a bound on what is in flight, a rate, and one pause for all."""

from __future__ import annotations

import asyncio
import itertools
from random import Random

import pytest

from aioflows._net.gate import FIRST, Gate, Ticket


def now() -> float:
    return asyncio.get_running_loop().time()


async def entries(gate: Gate, count: int, seconds: float = 0.0) -> list[float]:
    """Sends *count* attempts of some *seconds* each through the gate, and gives the moments they entered."""
    moments: list[float] = []

    async def attempt() -> None:
        async with gate:
            moments.append(now())
            await asyncio.sleep(seconds)

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(attempt())
    return moments


async def steps(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Attempt:
    """An attempt that enters the gate and stays until it is told to leave."""

    def __init__(self, gate: Gate) -> None:
        self.entered_at: float | None = None
        self._leave = asyncio.Event()
        self._gate = gate
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with self._gate:
            self.entered_at = now()
            await self._leave.wait()

    async def leave(self) -> None:
        self._leave.set()
        await self.task

    async def cancel(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


async def leave_all(attempts: list[Attempt]) -> None:
    for attempt in attempts:
        attempt._leave.set()
    await asyncio.wait([attempt.task for attempt in attempts])


class TestConcurrency:
    async def test_no_more_than_the_limit_are_inside(self) -> None:
        gate, peak = Gate(3), 0

        async def attempt() -> None:
            nonlocal peak
            async with gate:
                peak = max(peak, gate.in_flight)
                await asyncio.sleep(1.0)

        await asyncio.gather(*(attempt() for _ in range(7)))
        assert peak == 3
        assert now() == pytest.approx(3.0, abs=0.02)

    async def test_the_first_entries_are_kept_a_little_apart_and_the_later_ones_are_not(self) -> None:
        gate = Gate(4)
        assert await entries(gate, 4) == pytest.approx([0.0, 0.003, 0.006, 0.009])
        await asyncio.sleep(1)
        assert len(set(await entries(gate, 4))) == 1

    async def test_only_as_many_more_than_sixteen_are_inside_as_were_answered(self) -> None:
        gate = Gate(64)
        attempts = [Attempt(gate) for _ in range(64)]
        await asyncio.sleep(1)
        assert gate.in_flight == 16
        for _ in range(10):
            gate.accepted()
        await attempts[0].leave()
        await asyncio.sleep(1)
        assert gate.in_flight == 26
        for _ in range(100):
            gate.accepted()
        await attempts[1].leave()
        await asyncio.sleep(1)
        assert gate.in_flight == 62, "all that are left"
        await leave_all(attempts)

    async def test_first_come_first_served(self) -> None:
        gate = Gate(1)
        order: list[int] = []

        async def attempt(number: int) -> None:
            async with gate:
                order.append(number)
                await asyncio.sleep(0.1)

        await asyncio.gather(*(attempt(number) for number in range(5)))
        assert order == [0, 1, 2, 3, 4]

    async def test_a_newcomer_does_not_overtake_who_waits(self) -> None:
        gate = Gate(1)
        inside, waiting = Attempt(gate), Attempt(gate)
        await steps()
        inside._leave.set()
        await steps(1)  # the slot is handed over, but the one who waited has not run yet
        newcomer = Attempt(gate)
        await steps()
        assert waiting.entered_at is not None
        assert newcomer.entered_at is None
        await leave_all([inside, waiting, newcomer])

    async def test_who_comes_back_with_its_ticket_stands_before_who_came_later(self) -> None:
        gate = Gate(1)
        ticket = gate.ticket()
        await gate.enter(ticket)
        later = Attempt(gate)
        await steps()
        again = asyncio.create_task(gate.enter(ticket))
        await steps()
        gate.leave()
        await again
        assert later.entered_at is None
        gate.leave()
        await leave_all([later])

    async def test_the_first_ticket_goes_before_everybody(self) -> None:
        gate = Gate(1)
        inside, waiting = Attempt(gate), Attempt(gate)
        await steps()
        first = asyncio.create_task(gate.enter(FIRST))
        await steps()
        await inside.leave()
        await first
        assert waiting.entered_at is None
        gate.leave()
        await leave_all([waiting])

    async def test_an_error_inside_gives_the_slot_back(self) -> None:
        gate = Gate(1)
        with pytest.raises(ZeroDivisionError):
            async with gate:
                raise ZeroDivisionError
        assert gate.in_flight == 0

    async def test_an_open_gate_does_not_suspend(self) -> None:
        entering = Gate(1).__aenter__()
        with pytest.raises(StopIteration):
            entering.send(None)


class TestRate:
    async def test_entries_are_kept_apart_from_the_first_one_on(self) -> None:
        assert await entries(Gate(16, rate=10), 4) == pytest.approx([0.0, 0.1, 0.2, 0.3])

    async def test_a_rest_earns_no_burst(self) -> None:
        gate = Gate(16, rate=10)
        await entries(gate, 2)
        await asyncio.sleep(60)
        first, *others = await entries(gate, 3)
        assert others == pytest.approx([first + 0.1, first + 0.2])

    async def test_the_rate_is_reached_over_a_long_time(self) -> None:
        moments = await entries(Gate(16, rate=100), 1001, 0.05)
        assert moments[-1] == pytest.approx(10.0)

    async def test_a_late_loop_does_not_slow_it_down(self) -> None:
        late = itertools.cycle([0.0, 0.004])
        loop = asyncio.get_running_loop()
        gate = Gate(16, rate=100, clock=lambda: loop.time() + next(late))
        moments = await entries(gate, 201)
        assert moments[-1] < 2.05

    async def test_slots_still_bound_it(self) -> None:
        assert await entries(Gate(1, rate=10), 3, 1.0) == pytest.approx([0.0, 1.0, 2.0])


class TestComplaint:
    async def test_after_one_entries_are_kept_apart_and_the_next_one_is_not_at_once(self) -> None:
        gate = Gate(16)
        await entries(gate, 16)
        complained = now()
        gate.throttled(entered=0.0, pause=0.0)
        first, second, third = await entries(gate, 3)
        assert first - complained == pytest.approx(1 / 32)
        assert [second - first, third - second] == pytest.approx([1 / 32, 1 / 32])

    async def test_answers_set_the_rate(self) -> None:
        gate = Gate(16)
        for _ in range(50):
            await asyncio.sleep(0.02)
            async with gate:
                gate.accepted()
        gate.throttled(entered=1.0, pause=0.0)
        moments = await entries(gate, 10)
        assert moments[-1] - moments[0] == pytest.approx(9 / 100, rel=0.2), "twice as many, to find out soon"

    async def test_one_refusal_without_a_reason_says_nothing_of_the_rate(self) -> None:
        gate = Gate(16)
        assert not gate.unavailable(entered=0.0)
        assert gate.rate is None

    async def test_four_in_a_row_do_and_so_does_each_after_them(self) -> None:
        gate = Gate(16)
        assert [gate.unavailable(entered=0.0) for _ in range(4)] == [False, False, False, True]
        assert gate.rate is not None
        gate.accepted()
        await asyncio.sleep(10)
        assert gate.unavailable(entered=now())


class TestClosed:
    async def test_several_closed_connections_beside_answers_set_the_rate(self) -> None:
        gate = Gate(16)
        gate.accepted()
        assert [gate.closed(entered=0.0) for _ in range(4)] == [False, False, False, True]
        assert gate.rate is not None

    async def test_without_an_answer_they_do_not(self) -> None:
        gate = Gate(16)
        assert not any(gate.closed(entered=0.0) for _ in range(40))
        assert gate.rate is None

    async def test_while_each_try_is_refused_tries_come_more_and_more_seldom(self) -> None:
        gate = Gate(16)
        tries: list[float] = []
        gate.accepted()
        while len(tries) < 12:
            async with gate:
                tries.append(now())
            gate.closed(entered=now())
        apart = [later - earlier for earlier, later in itertools.pairwise(tries)]
        assert apart[0] < 0.01
        assert apart[-1] >= 4.0
        assert tries[-1] < 30.0


class TestFit:
    async def test_no_more_are_inside_than_a_pool_lets_out(self) -> None:
        gate = Gate(64)
        gate.limit_to(3)
        attempts = [Attempt(gate) for _ in range(10)]
        await asyncio.sleep(1)
        assert (gate.limit, gate.in_flight) == (3, 3)
        await leave_all(attempts)

    async def test_a_larger_pool_lets_no_more_in_than_was_asked_for(self) -> None:
        gate = Gate(4)
        gate.limit_to(100)
        assert gate.limit == 4

    async def test_a_pool_may_grow(self) -> None:
        gate = Gate(8)
        gate.limit_to(2)
        gate.limit_to(None)
        attempts = [Attempt(gate) for _ in range(10)]
        await asyncio.sleep(1)
        assert gate.in_flight == 8
        await leave_all(attempts)


class TestTurns:
    async def test_scans_enter_in_turn_however_many_requests_each_has_waiting(self) -> None:
        gate, order = Gate(1), []

        async def scan(name: str, requests: int) -> None:
            async def attempt(ticket: Ticket) -> None:
                await gate.enter(ticket)
                order.append(name)
                await asyncio.sleep(0.1)
                gate.leave()

            tickets, last = [], 0
            for _ in range(requests):
                tickets.append(gate.ticket(last))
                last = tickets[-1][0]
            await asyncio.gather(*(attempt(ticket) for ticket in tickets))

        inside = Attempt(gate)
        await steps()
        bulk = asyncio.create_task(scan("bulk", 8))
        await steps()
        small = asyncio.create_task(scan("small", 3))
        await steps()
        await inside.leave()
        await asyncio.gather(bulk, small)
        assert "".join(name[0] for name in order) == "bsbsbsbbbbb"

    async def test_a_single_question_waits_for_one_request_of_a_bulk_scan(self) -> None:
        gate, last = Gate(1, rate=40), 0
        waiting = []
        for _ in range(64):
            ticket = gate.ticket(last)
            last = ticket[0]
            waiting.append(asyncio.create_task(gate.enter(ticket)))
        await steps()
        question = Attempt(gate)
        await steps()
        for _ in range(2):
            await asyncio.sleep(0.1)
            gate.leave()
        await steps()
        assert question.entered_at is not None
        for task in waiting:
            task.cancel()
        await question.leave()
        await asyncio.wait(waiting)

    async def test_a_small_question_is_not_queued_behind_one_request_of_each_bulk_scan(self) -> None:
        gate, order = Gate(1), list[str]()

        async def scan(name: str, requests: int) -> None:
            last = 0

            async def attempt(ticket: Ticket) -> None:
                async with asyncio.timeout(1000):
                    await gate.enter(ticket)
                order.append(name)
                await asyncio.sleep(0.1)
                gate.leave()

            tickets = []
            for _ in range(requests):
                tickets.append(gate.ticket(last))
                last = tickets[-1][0]
            await asyncio.gather(*map(attempt, tickets))

        bulk = [asyncio.create_task(scan("bulk", 16)) for _ in range(20)]
        await asyncio.sleep(12)
        before = len(order)
        await scan("small", 2)
        assert order[before:].index("small") <= 1
        assert len(order) - before <= 4
        # Any number of small questions leaves half of the entries to bulk scans.
        before = len(order)
        await asyncio.gather(*(scan("small", 1) for _ in range(60)))
        assert order[before:].count("bulk") > 45
        await asyncio.gather(*bulk)


class TestPause:
    async def test_nobody_enters_before_its_end(self) -> None:
        gate = Gate(16)
        gate.pause(5.0)
        assert min(await entries(gate, 16)) == 5.0

    async def test_the_crowd_is_released_one_after_the_other(self) -> None:
        gate = Gate(10)
        gate.pause(5.0)
        moments = await entries(gate, 10)
        assert moments == pytest.approx([5.0 + 0.003 * n for n in range(10)])

    async def test_a_shorter_one_does_not_shorten_it(self) -> None:
        gate = Gate(1)
        gate.pause(5.0)
        gate.pause(1.0)
        assert await entries(gate, 1) == [5.0]

    async def test_a_longer_one_moves_the_timer(self) -> None:
        gate = Gate(1)
        gate.pause(1.0)
        waiting = asyncio.create_task(entries(gate, 1))
        await asyncio.sleep(0.5)
        gate.pause(5.0)
        assert await waiting == [5.5]

    async def test_only_the_first_of_several_is_news(self) -> None:
        gate = Gate(1)
        assert gate.pause(5.0)
        assert not gate.pause(6.0)
        await asyncio.sleep(6.0)
        assert gate.pause(5.0)

    async def test_none_at_all_is_no_news(self) -> None:
        assert not Gate(1).pause(0.0)

    async def test_it_holds_back_who_was_let_in_but_had_not_run(self) -> None:
        gate = Gate(1)
        inside, waiting, last = Attempt(gate), Attempt(gate), Attempt(gate)
        await steps()
        inside._leave.set()
        await steps(1)
        gate.pause(5.0)
        await asyncio.sleep(6.0)
        assert waiting.entered_at == 5.0
        assert last.entered_at is None, "who was sent back has kept the place"
        await leave_all([inside, waiting, last])

    async def test_who_is_inside_is_left_alone(self) -> None:
        gate = Gate(1)
        inside = Attempt(gate)
        await steps()
        gate.pause(5.0)
        await inside.leave()
        assert now() == 0.0

    @pytest.mark.parametrize("moment", [0.1, 1 / 3, 1e-9, 12345.678901])
    async def test_rounding_does_not_keep_it_shut(self, moment: float) -> None:
        await asyncio.sleep(1e6 + 0.1)
        gate = Gate(2)
        gate.pause(moment)
        assert len(await entries(gate, 3)) == 3


class TestCancellation:
    async def test_who_waits_leaves_no_trace(self) -> None:
        gate = Gate(1)
        inside, cancelled, last = Attempt(gate), Attempt(gate), Attempt(gate)
        await steps()
        await cancelled.cancel()
        assert gate.waiting == 1
        await leave_all([inside, last])
        assert (gate.in_flight, gate.waiting) == (0, 0)

    async def test_who_was_let_in_but_had_not_run_passes_the_slot_on(self) -> None:
        gate = Gate(1)
        inside, cancelled, last = Attempt(gate), Attempt(gate), Attempt(gate)
        await steps()
        inside._leave.set()
        await steps(1)
        cancelled.task.cancel()
        await steps()
        assert last.entered_at is not None
        await leave_all([inside, cancelled, last])
        assert gate.in_flight == 0

    async def test_a_slot_that_comes_free_in_the_same_step_is_not_given_to_the_cancelled(self) -> None:
        gate = Gate(1)
        inside, cancelled, last = Attempt(gate), Attempt(gate), Attempt(gate)
        await steps()
        cancelled.task.cancel()
        inside._leave.set()
        await steps()
        assert last.entered_at is not None
        await leave_all([inside, cancelled, last])
        assert gate.in_flight == 0

    async def test_who_is_inside_gives_the_slot_back(self) -> None:
        gate = Gate(1)
        inside = Attempt(gate)
        await steps()
        await inside.cancel()
        assert gate.in_flight == 0

    async def test_who_waits_for_a_pause_leaves_no_timer(self) -> None:
        gate = Gate(1)
        gate.pause(5.0)
        waiting = Attempt(gate)
        await steps()
        await waiting.cancel()
        assert gate._timer is None

    @pytest.mark.parametrize("seed", range(40))
    async def test_whatever_happens_no_slot_is_lost_and_no_bound_broken(self, seed: int) -> None:
        rng = Random(seed)
        limit = rng.randint(1, 4)
        gate = Gate(limit, rate=rng.choice([None, 5.0, 200.0]))
        shut_until = 0.0
        inside = peak = 0

        async def attempt() -> None:
            nonlocal inside, peak
            async with gate:
                assert now() >= shut_until - 1e-9
                inside += 1
                peak = max(peak, inside)
                try:
                    await asyncio.sleep(rng.choice([0, 0.01, 0.5]))
                finally:
                    inside -= 1

        async def disturb(tasks: list[asyncio.Task[None]]) -> None:
            nonlocal shut_until
            for _ in range(30):
                await (asyncio.sleep(0) if rng.random() < 0.5 else asyncio.sleep(rng.random()))
                rng.choice(tasks).cancel()
                if rng.random() < 0.2:
                    pause = rng.random() * 3
                    shut_until = max(shut_until, now() + pause)
                    gate.pause(pause)

        tasks = [asyncio.create_task(attempt()) for _ in range(60)]
        await disturb(tasks)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ends} <= {type(None), asyncio.CancelledError}
        assert (gate.in_flight, gate.waiting, inside) == (0, 0, 0)
        assert peak <= limit
        assert gate._timer is None


class TestRepr:
    async def test_it_tells_the_state(self) -> None:
        gate = Gate(1)
        attempts = [Attempt(gate), Attempt(gate)]
        await steps()
        assert repr(gate) == "<Gate 1/1 in flight, 1 waiting>"
        gate.pause(2.5)
        assert repr(gate) == "<Gate 1/1 in flight, 1 waiting, paused for 2.5 s>"
        gate._paused_until = 0.0
        await leave_all(attempts)

    def test_it_needs_no_loop(self) -> None:
        gate = Gate(4)
        gate._paused_until = 1.0
        assert repr(gate) == "<Gate 0/4 in flight, 0 waiting>"
