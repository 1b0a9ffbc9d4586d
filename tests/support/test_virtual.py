"""The machinery that runs the other tests."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from tests.support.virtual import Deadlock, LeftBehind, run_real, run_virtual


async def test_sleeping_takes_no_real_time() -> None:
    before = time.monotonic()
    await asyncio.sleep(3600)
    assert time.monotonic() - before < 1


async def test_the_clock_stands_exactly_at_the_timer() -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.1)
    await asyncio.sleep(0.2)
    assert loop.time() == 0.1 + 0.2


async def test_the_clock_goes_on_after_years() -> None:
    """From 194 days on, a float of seconds is coarser than a nanosecond."""
    await asyncio.sleep(2**28)
    before = asyncio.get_running_loop().time()
    await asyncio.sleep(0.1)
    assert asyncio.get_running_loop().time() == before + 0.1


async def test_timers_fire_in_their_order() -> None:
    seen: list[int] = []

    async def after(seconds: int) -> None:
        await asyncio.sleep(seconds)
        seen.append(seconds)

    await asyncio.gather(*(after(n) for n in (3, 1, 2)))
    assert seen == [1, 2, 3]


async def test_a_thread_takes_no_virtual_time() -> None:
    done = threading.Event()
    threading.Timer(0.02, done.set).start()
    async with asyncio.timeout(0.001):
        assert await asyncio.to_thread(done.wait, 5)


def test_waiting_for_nothing_is_a_deadlock() -> None:
    async def hopeless() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock, match="hopeless"):
        run_virtual(hopeless())


def test_a_forgotten_task_is_named() -> None:
    async def forgetful() -> None:
        forgotten.append(asyncio.create_task(asyncio.sleep(1), name="the forgotten one"))

    forgotten: list[asyncio.Task[None]] = []
    with pytest.raises(LeftBehind, match="the forgotten one"):
        run_virtual(forgetful())


def test_an_exception_that_nobody_retrieved_is_named() -> None:
    async def fails() -> None:
        raise ValueError("unseen")

    async def careless() -> None:
        task = asyncio.create_task(fails())
        await asyncio.wait([task])
        del task

    with pytest.raises(LeftBehind, match="unseen"):
        run_virtual(careless())


def test_an_open_socket_is_named() -> None:
    async def main() -> None:
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        server.close()
        kept.append(writer)

    kept: list[asyncio.StreamWriter] = []  # or it would be collected, and complain, before it is looked for
    with pytest.raises(LeftBehind, match="open socket"):
        run_real(main())
