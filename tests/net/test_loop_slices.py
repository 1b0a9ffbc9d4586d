"""Turns: work on answers does not fill the loop."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from aioflows._net.loop_slices import SLICE, LoopSlices


class Work:
    """Pieces of work on a clock that they move themselves, and when the loop looked at other things."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = LoopSlices(lambda: self.now)
        self.done: list[int] = []
        self.looks: list[float] = []

    async def piece(self, number: int, seconds: float) -> None:
        await self.turns.take()
        with self.turns:
            self.now += seconds
        self.done.append(number)

    async def watch(self, steps: int) -> None:
        """Stands for a timer or a socket: it wants to be looked at in every step of the loop."""
        for _ in range(steps):
            self.looks.append(self.now)
            await asyncio.sleep(0)

    @property
    def longest(self) -> float:
        """The longest time that the watcher was kept waiting."""
        return max(later - earlier for earlier, later in zip(self.looks, self.looks[1:], strict=False))


async def test_work_for_a_slice_is_done_at_once() -> None:
    work = Work()
    for number in range(4):
        step = asyncio.ensure_future(work.piece(number, SLICE / 5))
        await asyncio.sleep(0)
        assert step.done()


async def test_fifty_pages_do_not_come_between_two_looks_of_the_loop() -> None:
    work = Work()
    await asyncio.gather(work.watch(200), *(work.piece(number, 0.004) for number in range(50)))
    assert work.longest <= 0.008
    assert work.done == list(range(50)), "first come, first served"


@pytest.mark.parametrize("seed", range(5))
async def test_nor_do_pages_that_come_while_others_wait(seed: int) -> None:
    work, rng = Work(), Random(seed)
    tasks = [asyncio.create_task(work.watch(400))]
    for _ in range(150):
        tasks += [asyncio.create_task(work.piece(0, 0.004)) for _ in range(rng.choice([0, 0, 0, 1, 2]))]
        await asyncio.sleep(0)
    await asyncio.wait(tasks)
    assert work.longest < SLICE + 0.004 + 1e-9


async def test_one_alone_goes_on_after_one_step() -> None:
    work = Work()
    await work.piece(0, 1.0)
    await asyncio.sleep(0)
    step = asyncio.ensure_future(work.piece(1, 1.0))
    await asyncio.sleep(0)
    assert step.done()


@pytest.mark.parametrize(("seconds", "told"), [(0.00001, 0.0), (0.001, 0.001)])
async def test_a_step_tells_how_much_others_had_to_do_in_it(seconds: float, told: float) -> None:
    work = Work()
    other = asyncio.create_task(work.piece(0, seconds))
    assert await work.turns.let_others_run() == told
    assert other.done()


async def test_an_error_in_a_piece_counts_and_comes_out() -> None:
    work = Work()
    with pytest.raises(ValueError, match="unreadable"), work.turns:
        work.now += 1.0
        raise ValueError("unreadable")
    assert work.turns._spent == 1.0


@pytest.mark.parametrize("steps", range(8))
async def test_who_is_cancelled_while_waiting_holds_up_nobody(steps: int) -> None:
    work = Work()
    tasks = [asyncio.create_task(work.piece(number, 0.01)) for number in range(6)]
    for _ in range(steps):
        await asyncio.sleep(0)
    for task in tasks[1:4]:
        task.cancel()
    await asyncio.wait(tasks)
    assert {0, 4, 5} <= set(work.done)
    assert not work.turns._waiting
    assert asyncio.all_tasks() == {asyncio.current_task()}
