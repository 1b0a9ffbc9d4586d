"""The clock of the service, and how the service does, for all parts of a board's work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypeVar

from aioflows._core.board.service_health import OUTAGES, ServiceHealth
from aioflows.errors import AioflowsError, SessionClosed
from aioflows.events import Event
from aioflows.session import FlowSession

__all__ = ["ServiceClock"]

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAUSES = (1.0, 2.0, 5.0, 10.0)  # seconds after errors that may pass
_LONG_PAUSE = 30  # seconds after other errors


class ServiceClock:
    """The present time of the service, and its health."""

    def __init__(self) -> None:
        self.health = ServiceHealth()
        self._ahead_ms = 0.0  # of the service's clock before the clock of the loop

    def now_ms(self) -> int:
        """Return the present time of the service (ms since the epoch)."""
        return int(_loop_ms() + self._ahead_ms)

    def now(self) -> datetime:
        """Return the present time of the service."""
        return _EPOCH + timedelta(milliseconds=self.now_ms())

    async def ask(self, session: FlowSession) -> tzinfo:
        """Set the clock to the time that the service tells. Return the zone of the service.

        Raises:
            SessionClosed: the session was closed.
        """
        time = await self.persist(session.server_time)
        self._ahead_ms = (time - _EPOCH) / timedelta(milliseconds=1) - _loop_ms()
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
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            except AioflowsError as error:
                self.health.stopped(error, self.now_ms() + 2_000 * _LONG_PAUSE)
                await asyncio.sleep(_LONG_PAUSE)
            failures += 1


def _loop_ms() -> float:
    return asyncio.get_running_loop().time() * 1000
