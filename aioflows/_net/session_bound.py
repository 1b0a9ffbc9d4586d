"""Readers that end with their session: their error then carries the checkpoint to go on from."""

from __future__ import annotations

from abc import abstractmethod
from asyncio import AbstractEventLoop, Task
from collections.abc import Callable

from aioflows._net.loop_bound import LoopBound
from aioflows.errors import AioflowsError, SessionClosed

__all__ = ["SessionBound"]

_closing: set[Task[None]] = set()  # a loop holds only weak references to its tasks


class SessionBound(LoopBound):
    """A reader of a session, which may be closed before its reader has ended."""

    _closed = False
    _outlived = False
    """True if the session was closed first."""

    @abstractmethod
    def mark(self, error: AioflowsError) -> None:
        """Add the checkpoint of the reader to an error."""

    async def close_with_session(self) -> None:
        """Close the reader because its session is being closed."""
        self._outlived = self._outlived or not self._closed
        await self.aclose()

    def close_in_background(self) -> None:
        """Close the reader without waiting. Any thread may call it."""
        loop = self._loop
        if loop is None or self._closed or self._is_forked:
            return
        try:
            loop.call_soon_threadsafe(_close_on, loop, self)
        except RuntimeError:  # the loop is closed
            self._abandon()

    @abstractmethod
    def _abandon(self) -> None:
        """Cancel what is under way on a closed loop, where nothing can be awaited."""

    def _session_closed(self) -> SessionClosed:
        resume = "error.checkpoint" if self._NAME == "scan" else "error.followed"
        error = SessionClosed(
            f"the session was closed before this {self._NAME} had ended; go on with a new session and "
            f"session.{self._NAME}(query, resume={resume})"
        )
        self.mark(error)
        return error

    def _begin(self, check_session: Callable[[], None]) -> bool:
        """Check the loop, and the session before the first step. Return True if this is the first one."""
        begins = self._loop is None
        self._check_loop()
        if begins:
            try:
                check_session()
            except RuntimeError as error:
                self._loop = None  # it has not begun
                if isinstance(error, SessionClosed):
                    self.mark(error)
                raise
        return begins


def _close_on(loop: AbstractEventLoop, reader: SessionBound) -> None:
    task = loop.create_task(reader.aclose())
    _closing.add(task)
    task.add_done_callback(_closing.discard)
