"""Runs coroutines on a loop whose clock jumps, and tells what they left behind.

No test waits: when every task sleeps, the clock moves to the next timer at once (the idea is trio's autojump clock).
When every task waits and no timer is set, nothing could ever happen again, and `Deadlock` says who waits where.
"""

from __future__ import annotations

import asyncio
import gc
import math
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = [
    "CancellingLoop",
    "CancellingVirtualLoop",
    "Deadlock",
    "LeftBehind",
    "VirtualLoop",
    "run_real",
    "run_virtual",
]

T = TypeVar("T")


class Deadlock(AssertionError):
    """Every task waits, and nothing is scheduled that could wake one."""


class LeftBehind(AssertionError):
    """A task, a socket or a complaint of the loop outlived the test."""


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits for time: where the real one would, it moves the loop's clock."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.loop.threads:  # work in a thread takes real time, and no virtual time
            return super().select(timeout if timeout == 0 else None)
        ready = super().select(0)
        if not ready and timeout is None:
            raise Deadlock("every task waits and no timer is set:\n" + _places(self.loop))
        if not ready and timeout:
            self.loop.jump()
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time starts at 0 and passes only when everybody sleeps."""

    def __init__(self) -> None:
        self._now = 0.0
        self.threads = 0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._now

    def jump(self) -> None:
        """Move the clock to the next timer."""
        # To its very moment, since adding the difference could miss it by a rounding error.
        self._now = max(self._now, self._scheduled[0].when())  # type: ignore[attr-defined]
        # A loop runs the timers up to its time and this resolution. After 194 days, a float of seconds no longer
        # holds the nanosecond of asyncio, so the sum would be the time itself, and no timer would run any more.
        self._clock_resolution = max(1e-9, math.ulp(self._now))

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._thread_done)
        return future

    async def shutdown_default_executor(self) -> None:
        self.threads += 1  # which waits for a thread as well
        try:
            await super().shutdown_default_executor()
        finally:
            self.threads -= 1

    def _thread_done(self, _: asyncio.Future[Any]) -> None:
        self.threads -= 1


class Cancelling:
    """A loop that cancels a task at its n-th turn from then on, whatever it and all others are about.

    Args:
        turn: the *turn*, from 1.
    """

    def __init__(self, turn: int) -> None:
        super().__init__()
        self.victim: asyncio.Task[Any] | None = None
        self._left = turn

    def _run_once(self) -> None:
        if self.victim is not None and not self.victim.done():
            self._left -= 1
            if not self._left:
                self.victim.cancel()
        super()._run_once()  # type: ignore[misc]


class CancellingLoop(Cancelling, asyncio.SelectorEventLoop):
    """The ordinary loop that does so."""


class CancellingVirtualLoop(Cancelling, VirtualLoop):
    """The one in virtual time."""


def run_virtual(main: Coroutine[Any, Any, T], loop: VirtualLoop | None = None) -> T:
    """Run *main* in virtual time; fail if it leaves anything behind."""
    return _run(main, loop or VirtualLoop())


def run_real(main: Coroutine[Any, Any, T], loop: asyncio.SelectorEventLoop | None = None) -> T:
    """Run *main* on the ordinary loop; fail if it leaves anything behind, an open socket included."""
    return _run(main, loop or asyncio.SelectorEventLoop())


def _run(main: Coroutine[Any, Any, T], loop: asyncio.SelectorEventLoop) -> T:
    complaints: list[str] = []
    loop.set_exception_handler(lambda _, context: complaints.append(_complaint(context)))
    asyncio.set_event_loop(loop)
    try:
        result = loop.run_until_complete(main)
        left = _left(loop) + complaints
        gc.collect()  # so that what was never awaited, retrieved or closed says so now
        gc.freeze()  # and what is left lives on, so that the next collection need not look at it
        loop.run_until_complete(asyncio.sleep(0))
        left += [words for words in complaints if words not in left]
    finally:
        _clear(loop)
    if left:
        raise LeftBehind("left behind:\n" + "\n".join(left))
    return result


def _left(loop: asyncio.SelectorEventLoop) -> list[str]:
    tasks = [f"  task {_place(task)}" for task in asyncio.all_tasks(loop)]
    # A closed transport gives its socket back one step of the loop later.
    loop.run_until_complete(asyncio.sleep(0))
    return tasks + [f"  open socket {transport!r}" for transport in _open(loop)]


def _open(loop: asyncio.SelectorEventLoop) -> list[Any]:
    transports = list(loop._transports.values())  # type: ignore[attr-defined]
    return [transport for transport in transports if transport._sock is not None]


def _clear(loop: asyncio.SelectorEventLoop) -> None:
    loop.set_exception_handler(lambda _, __: None)
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    try:
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=5))
        for transport in _open(loop):
            transport.abort()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _complaint(context: dict[str, Any]) -> str:
    return f"  complaint of the loop: {context.get('message')}: {context.get('exception')!r}"


def _places(loop: asyncio.AbstractEventLoop) -> str:
    return "\n".join(f"  {_place(task)}" for task in asyncio.all_tasks(loop))


def _place(task: asyncio.Task[Any]) -> str:
    where = [f"{frame.f_code.co_qualname}:{frame.f_lineno}" for frame in task.get_stack()]
    return f"{task.get_name()} {task.get_coro()!r} at {' < '.join(reversed(where)) or 'its start'}"
