"""The clock of the service, and how the service does, for all parts of a board's work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypeVar

from aioflows._core.board.service_health import OUTAGES, ServiceHealth
from aioflows.errors import AioflowsError, BadCredentials, Denied, SessionClosed
from aioflows.events import Event
from aioflows.session import FlowSession

__all__ = ["ServiceClock"]

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAUSES = (1.0, 2.0, 5.0, 10.0)  # seconds after errors that may pass
_LONG_PAUSE = 30.0  # seconds after other errors
_REFUSED_PAUSE = 600.0  # seconds after an error that a person has to mend
_SHOWN_LONGER = 30.0  # seconds that such an error is shown beyond its pause
_ANSWER_TIME = 5.0  # seconds in which a service that is well answers a poll


class ServiceClock:
    """The present time of the service, and its health. Until the service tells its time, it is that of this machine.

    Args:
        longest_wait: the longest wait between two polls (seconds).
    """

    def __init__(self, longest_wait: float) -> None:
        self.health = ServiceHealth(1000 * (longest_wait + _ANSWER_TIME))
        self._ahead_ms: float | None = None  # of the service's clock before the clock of the loop

    def now_ms(self) -> int:
        """Return the present time of the service (ms since the epoch)."""
        if self._ahead_ms is None:
            self._ahead_ms = 1000 * time.time() - _loop_ms()
        return int(_loop_ms() + self._ahead_ms)

    def now(self) -> datetime:
        """Return the present time of the service."""
        return _EPOCH + timedelta(milliseconds=self.now_ms())

    async def ask(self, session: FlowSession) -> tzinfo:
        """Set the clock to the time that the service tells. Return the zone of the service.

        Raises:
            SessionClosed: the session was closed.
        """
        told = await self.persist(session.server_time)
        self._ahead_ms = (told - _EPOCH) / timedelta(milliseconds=1) - _loop_ms()
        return await self.persist(session.server_timezone)

    def offset_s(self, zone: tzinfo) -> int:
        """Return the present offset of a zone (s east of Greenwich)."""
        offset = self.now().astimezone(zone).utcoffset()
        return 0 if offset is None else int(offset.total_seconds())

    def on_event(self, event: Event) -> None:
        """Process an event of the session."""
        self.health.on_event(event, self.now_ms())

    async def persist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer. Errors are shown as the health of the service.

        Raises:
            SessionClosed: the session was closed.
        """
        failures = 0
        while True:
            try:
                return await ask()
            except SessionClosed:
                raise
            except OUTAGES as error:
                self.health.failed(error, self.now_ms())
                named = getattr(error, "retry_after", None) or 0.0
                await asyncio.sleep(max(_PAUSES[min(failures, len(_PAUSES) - 1)], named))
            except AioflowsError as error:
                pause = _REFUSED_PAUSE if isinstance(error, Denied | BadCredentials) else _LONG_PAUSE
                self.health.stopped(error, self.now_ms() + int(1000 * (pause + _SHOWN_LONGER)))
                await asyncio.sleep(pause)
            failures += 1


def _loop_ms() -> float:
    return asyncio.get_running_loop().time() * 1000
