"""An event loop in a separate thread, for callers without ``await``.

1. A call waits until its work is over. If the call is interrupted, it cancels the work first.
2. A call never waits for ever. If the thread ends before its work, the call raises an error.
3. A process that was forked has no such thread. Nothing is done there, since the loop is that of the parent.
4. Work runs in the context of its caller, so that its traces are below those of the caller.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Generic, TypeVar

from aioflows.errors import SessionClosed

__all__ = ["LoopThread"]

T = TypeVar("T")


class _Call(Generic[T]):
    """A piece of work that another thread waits for."""

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
            raise SessionClosed("the session was closed meanwhile; make a new one")
        return self._task.result()


class LoopThread:
    """A thread that enters *within*, does work, and leaves *within*.

    Args:
        within: the context manager around all work, such as a session.
    """

    def __init__(self, within: AbstractAsyncContextManager[object]) -> None:
        self._within = within
        self._process = os.getpid()
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
        """True if the thread accepts work. In a forked process it does not."""
        return self._thread.is_alive() and not self._ended and not self._is_forked

    @property
    def _is_forked(self) -> bool:
        return self._process != os.getpid()

    def check_process(self) -> None:
        """Check that this process was not forked from the one with the thread.

        Raises:
            RuntimeError: it was.
        """
        if self._is_forked:
            raise RuntimeError(
                f"this session was opened in process {self._process}, which then forked this one; its thread and "
                "its connections stayed there, so make a new session in this process, after the fork"
            )

    def start(self) -> None:
        """Start the thread and wait until it has entered *within*."""
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
        self._raise_error()

    def stop(self) -> None:
        """Stop the thread and wait for its end. Safe to call more than once.

        In a forked process it does nothing, because the thread is that of the parent.
        """
        if self._is_forked:
            return
        if threading.current_thread() is self._thread:
            raise RuntimeError(
                "the session cannot be closed in its own thread, as in an observer; close it elsewhere"
            )
        self.request_stop()
        self._thread.join()
        self._raise_error()

    def request_stop(self) -> None:
        """Stop the thread without waiting for its end."""
        if self._is_forked:
            return
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._stopping.set)

    def run(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do work in the thread. Return its result or raise its error.

        Raises:
            SessionClosed: the thread is over.
            RuntimeError: it is the current thread, or that of another process.
        """
        self.check_process()
        if threading.current_thread() is self._thread:
            raise RuntimeError(
                "the session cannot be used in its own thread, as in an observer; use it elsewhere"
            )
        call = _Call(ask)
        with self._lock:
            if not self.alive:
                raise SessionClosed("the session is closed; make a new one")
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
        """Return the result of a quick function.

        It is called in the thread, or in the current one if the thread is over.

        Raises:
            RuntimeError: the thread is that of another process.
        """
        self.check_process()
        if not self.alive or threading.current_thread() is self._thread:
            return question()

        async def answer() -> T:
            return question()

        return self.run(answer)

    def start_in_background(self, ask: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start work without waiting for it. It ends with the thread at the latest."""
        if self._is_forked:
            return

        def start() -> None:
            task = asyncio.get_running_loop().create_task(ask())
            self._later.add(task)
            task.add_done_callback(self._later.discard)

        with suppress(RuntimeError):  # the loop is closed, so the work is over
            self._loop.call_soon_threadsafe(start)

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001  (`start` and `stop` raise it)
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

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error
