"""An event loop in a thread of its own, for callers that do not await.

1. Whoever calls waits until its work is over, even if it is interrupted: then the work is cancelled first.
2. Nobody waits for ever: a call that the end of the thread has overtaken is told so.
3. Work runs in the context of its caller, so that what it traces is below what its caller traces.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Generic, TypeVar

__all__ = ["LoopThread"]

T = TypeVar("T")


class _Call(Generic[T]):
    """Work that another thread waits for."""

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self.over = threading.Event()
        self._ask = ask
        self._context = contextvars.copy_context()
        self._task: asyncio.Task[T] | None = None
        self._unwanted = False

    def start(self) -> None:
        if self._unwanted:
            self.over.set()
            return
        self._task = asyncio.get_running_loop().create_task(self._work(), context=self._context)
        self._task.add_done_callback(lambda _: self.over.set())

    def cancel(self) -> None:
        self._unwanted = True
        if self._task is not None:
            self._task.cancel()

    async def _work(self) -> T:
        return await self._ask()

    def result(self) -> T:
        if self._task is None or not self._task.done() or self._task.cancelled():
            raise RuntimeError("the session was closed meanwhile")
        return self._task.result()


class LoopThread:
    """A thread in which *within* is entered, work is done, and *within* is left.

    Args:
        within: a *context* for all work, as a session is.
    """

    def __init__(self, within: AbstractAsyncContextManager[object]) -> None:
        self._within = within
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="aioflows.sync", daemon=True)
        self._calls: set[_Call[Any]] = set()
        self._lock = threading.Lock()
        self._ended = False
        self._error: BaseException | None = None
        self._later: set[asyncio.Task[None]] = set()

    @property
    def alive(self) -> bool:
        """Whether work can be done; not in a process that was forked off."""
        return self._thread.is_alive() and not self._ended

    def start(self) -> None:
        """Start it, and return when *within* was entered."""
        try:
            self._thread.start()
        except BaseException:
            self._loop.close()
            raise
        try:
            self._ready.wait()
        except BaseException:
            self.stop()
            raise
        self._complain()

    def stop(self) -> None:
        """Leave *within*, and return when the thread is over. Twice is fine."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("the session's own thread cannot wait for its end")
        self.let_go()
        self._thread.join()
        self._complain()

    def let_go(self) -> None:
        """The same, without waiting for it."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._stopping.set)

    def run(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do work, and give its result or raise its error.

        Raises:
            RuntimeError: the thread is over, or this is that thread.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("this is the session's own thread, as in an observer; nothing can wait here")
        call = _Call(ask)
        with self._lock:
            if not self.alive:
                raise RuntimeError("the session is closed; make a new one")
            self._calls.add(call)
            self._loop.call_soon_threadsafe(call.start)
        try:
            call.over.wait()
        except BaseException:  # Ctrl-C
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(call.cancel)
            call.over.wait()
            raise
        finally:
            self._calls.discard(call)
        return call.result()

    def ask(self, question: Callable[[], T]) -> T:
        """Ask what takes no time, where nothing else happens meanwhile: in the thread, or anywhere once that is over."""
        if not self.alive or threading.current_thread() is self._thread:
            return question()

        async def answer() -> T:
            return question()

        return self.run(answer)

    def soon(self, ask: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do work that nobody waits for; with the thread it ends at the latest."""

        def start() -> None:
            task = asyncio.get_running_loop().create_task(ask())
            self._later.add(task)
            task.add_done_callback(self._later.discard)

        with suppress(RuntimeError):  # the loop is closed, and with it whatever was under way
            self._loop.call_soon_threadsafe(start)

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001  (it is raised where the thread is waited for)
            self._error = error
        finally:
            with self._lock:
                self._ended = True
                left = list(self._calls)
            self._ready.set()
            for call in left:
                call.over.set()

    async def _serve(self) -> None:
        async with self._within:
            self._ready.set()
            await self._stopping.wait()

    def _complain(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error
