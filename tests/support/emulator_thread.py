"""An emulator that serves from a thread, for programs that have no event loop, or one of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aioflows.emulator import Emulator

__all__ = ["served"]


@contextmanager
def served(**switches: Any) -> Iterator[tuple[Emulator, Callable[..., Any]]]:
    """Serve an emulator from a thread. The second value calls a function in that thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def call(function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        async def work() -> Any:
            return function(*given, **named)

        return asyncio.run_coroutine_threadsafe(work(), loop).result(60)

    emulator = Emulator(**switches)
    asyncio.run_coroutine_threadsafe(emulator.__aenter__(), loop).result(60)
    try:
        yield emulator, call
    finally:
        asyncio.run_coroutine_threadsafe(emulator.__aexit__(None, None, None), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
