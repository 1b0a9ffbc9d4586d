"""Work that may block, beside the loop, in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

__all__ = ["aside"]

T = TypeVar("T")


async def aside(work: Callable[[], T]) -> T:
    """Do in a thread what may block, as `asyncio.to_thread` does, but in a daemon: Ctrl-C need not wait for its end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(give: Callable[[], None]) -> None:
        if not done.cancelled():
            give()

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001  (it is raised where the result is waited for)
            give = partial(done.set_exception, error)
        else:
            give = partial(done.set_result, result)
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(settle, give)

    threading.Thread(target=run, daemon=True, name="aioflows-aside").start()
    return await done
