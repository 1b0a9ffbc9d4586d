"""Turns: work on answers does not fill the loop."""

from __future__ import annotations

import asyncio
import gc
from random import Random

import pytest

from aioflows._net.loop_slices import CREDIT, SLICE, LoopShare, LoopSlices


class Work:
    """Pieces of work on a clock that they move themselves, and when the loop looked at other things."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = LoopSlices(lambda: self.now, lambda: self.now)
        self.share = self.turns.share()
        self.done: list[int] = []
        self.looks: list[float] = []

    async def piece(self, number: int, seconds: float, share: LoopShare | None = None) -> None:
        share = share or self.share
        await share.take()
        with share:
            self.now += seconds
        self.done.append(number)

    async def scan(self, number: int, seconds: float, pieces: int = 1_000_000) -> None:
        """A scan that always has three pieces of work waiting."""
        share = self.turns.share()

        async def worker() -> None:
            for _ in range(pieces):
                await self.piece(number, seconds, share)

        await asyncio.gather(*(worker() for _ in range(3)))

    def spent(self, number: int, seconds: float) -> float:
        return self.done.count(number) * seconds

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
    with pytest.raises(ValueError, match="unreadable"), work.share:
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


class TestShares:
    """Scans get equal parts of the loop, and a small question goes ahead."""

    @staticmethod
    async def run(work: Work, until: float, *scans: asyncio.Task[None]) -> None:
        while work.now < until:  # noqa: ASYNC110  (the clock is that of the work)
            await asyncio.sleep(0)
        for scan in scans:
            scan.cancel()
        await asyncio.gather(*scans, return_exceptions=True)

    async def test_scans_get_equal_parts_whatever_their_pieces_weigh(self) -> None:
        work = Work()
        sizes = [0.001, 0.002, 0.005, 0.013]
        await self.run(
            work, 20.0, *(asyncio.create_task(work.scan(n, seconds)) for n, seconds in enumerate(sizes))
        )
        parts = [work.spent(n, seconds) for n, seconds in enumerate(sizes)]
        assert max(parts) / min(parts) < 1.02

    async def test_a_small_question_does_not_queue_behind_twenty_bulk_scans(self) -> None:
        work = Work()
        bulk = [asyncio.create_task(work.scan(n, 0.004)) for n in range(20)]
        await self.run(work, 2.0)
        share, began = work.turns.share(), work.now
        for _ in range(5):
            await work.piece(99, 0.002, share)
            await asyncio.sleep(0)
        assert work.now - began < 5 * (0.002 + SLICE + 0.004) + 1e-9
        await self.run(work, 2.0, *bulk)

    async def test_any_number_of_small_questions_leaves_half_of_the_loop_to_bulk_scans(self) -> None:
        work = Work()
        bulk = [asyncio.create_task(work.scan(0, 0.004)), asyncio.create_task(work.scan(1, 0.004))]
        await self.run(work, 1.0)
        before, began = work.spent(0, 0.004) + work.spent(1, 0.004), work.now

        async def questions() -> None:
            while True:
                await work.piece(99, 0.002, work.turns.share())

        flood = [asyncio.create_task(questions()) for _ in range(50)]
        await self.run(work, 6.0, *flood)
        assert (work.spent(0, 0.004) + work.spent(1, 0.004) - before) / (work.now - began) > 0.45
        await self.run(work, 6.0, *bulk)

    async def test_a_scan_that_ran_alone_does_not_wait_until_others_have_run_as_long(self) -> None:
        work = Work()
        old = asyncio.create_task(work.scan(0, 0.004))
        await self.run(work, 50.0)
        before = work.spent(0, 0.004)
        new = [asyncio.create_task(work.scan(n, 0.004)) for n in range(1, 10)]
        await self.run(work, 60.0, old, *new)
        parts = [work.spent(n, 0.004) for n in range(1, 10)]
        assert max(parts) / min(parts) < 1.05
        assert min(parts) - 2 * CREDIT < work.spent(0, 0.004) - before < max(parts) + CREDIT * 10

    async def test_the_collection_of_everybodys_garbage_is_charged_to_no_scan(self) -> None:
        work = Work()

        class Garbage:
            def __init__(self) -> None:
                self.itself = self

            def __del__(self) -> None:
                work.now += 0.1

        await work.share.take()
        with work.share:
            work.now += 0.004
            Garbage()
            gc.collect()
        assert work.share.used == pytest.approx(0.004)
        assert work.turns._spent == pytest.approx(0.104), "but the loop was busy for as long"
        assert work.turns._collects not in gc.callbacks
