"""Work in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from aioflows._worker import run_in_thread


@pytest.mark.real_time
async def test_its_result_comes_back() -> None:
    assert await run_in_thread(lambda: 6 * 7) == 42


@pytest.mark.real_time
async def test_its_error_comes_back() -> None:
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(lambda: 1 // 0)


@pytest.mark.real_time
async def test_the_loop_goes_on_meanwhile() -> None:
    gate = threading.Event()
    waiting = asyncio.create_task(run_in_thread(gate.wait))
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    assert await waiting


@pytest.mark.real_time
async def test_who_is_cancelled_does_not_wait_for_it() -> None:
    gate = threading.Event()
    waiting = asyncio.create_task(run_in_thread(gate.wait))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
