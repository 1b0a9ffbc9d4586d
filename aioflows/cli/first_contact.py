"""Opens the session of a command, and ends the command early if its service cannot be reached at all.

1. Until the service has answered once, a refused connection or an unknown host most likely means a wrong
   address. The library would retry for half a minute, so the command ends after half a second.
2. Once the service has answered, the retry policy of the library decides.
3. A service that accepts connections but does not answer is waited for, since it may only be slow.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from types import TracebackType
from typing import Self

from aioflows import ConnectFailed, Event, FlowSession, Limits, RequestEnded
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.output.meters import Meter

__all__ = ["FirstContact", "open_session"]

_PATIENCE = 0.5
"""Seconds from the first failure. Beside a refused connection, others may still be accepted."""


class FirstContact(AbstractContextManager["FirstContact"]):
    """An observer that ends its block if the service cannot be reached.

    Args:
        observer: called with each event too.

    Raises:
        ConnectFailed: on leaving the block: no request has reached the service.
    """

    def __init__(self, observer: Callable[[Event], object]) -> None:
        self._observer = observer
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reached = False
        self._last: Exception | None = None
        self._cancelled = False

    def on_event(self, event: Event) -> None:
        """Process an event of the session."""
        self._observer(event)
        if self._reached or not isinstance(event, RequestEnded) or event.cancelled:
            return
        self._last = event.error
        self._reached = event.error is None or event.status is not None
        if self._reached:
            self._stop_timer()
        elif self._timer is None and isinstance(event.error, ConnectFailed):
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        if self._task is not None and isinstance(self._last, ConnectFailed):
            self._cancelled = True
            self._task.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._stop_timer()
        if not self._cancelled or self._task is None or self._last is None:
            return
        # A signal may have cancelled the task as well. Then the signal decides.
        if self._task.uncancel() or not isinstance(error, asyncio.CancelledError):
            return
        for note in getattr(error, "__notes__", ()):
            self._last.add_note(note)
        raise self._last from None


def open_session(
    connection: ConnectionOptions, limits: Limits, meter: Meter
) -> AbstractAsyncContextManager[FlowSession]:
    """Return a session to be opened by ``async with``, with a meter that shows what it waits for.

    Args:
        connection: the service and the user.
        limits: limits of the session.
        meter: gets the events of the session, and is shown within the block.

    Raises:
        QueryError: at once: an option is missing or invalid.
        ConnectFailed: on leaving the block: the service cannot be reached.
    """
    contact = FirstContact(meter.on_event)
    return _opened(connection.session(limits, contact.on_event), contact, meter)


@asynccontextmanager
async def _opened(session: FlowSession, contact: FirstContact, meter: Meter) -> AsyncIterator[FlowSession]:
    with contact:
        async with session:
            with meter:
                yield session
