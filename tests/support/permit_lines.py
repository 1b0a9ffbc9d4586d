"""A governor in the loop of a test: gates joined to its desk by lines that delay messages and can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aioflows._core.governor.frames import (
    GovernorFrame,
    SessionFrame,
    decode_frame,
    encode_frame,
)
from aioflows._net.gate import Gate
from aioflows._net.governed_gate import GovernedGate
from aioflows._net.permits import GovernedSession, PermitDesk

__all__ = ["Desk", "Line"]


class Line:
    """A line between a gate and a desk.

    Args:
        desk: the governor's side. None is a governor that cannot be reached.
        delay: *seconds* of a message on its way.
    """

    def __init__(self, desk: PermitDesk | None, delay: float = 0.0002) -> None:
        self.desk = desk
        self.delay = delay
        self.sent = 0
        self.closing = False
        self.session: GovernedSession | None = None
        self._gate: GovernedGate | None = None
        self._number = 0
        self._arrives = 0.0

    def start(self, gate: GovernedGate) -> None:
        self._gate = gate
        self._later(self.connect)

    def connect(self) -> None:
        assert self._gate is not None
        if self.desk is None:
            self._gate.lost("the governor cannot be reached")
            return
        self._number += 1
        gate, number = self._gate, self._number

        def deliver(frame: GovernorFrame) -> None:
            line = encode_frame(frame)

            def arrive() -> None:
                if number == self._number:
                    gate.received(decode_frame(line, GovernorFrame))

            self._later(arrive)

        self.session = self.desk.join(deliver)
        gate.joined(None, 0.0)
        self.session.greet()

    def send(self, frame: SessionFrame) -> bool:
        if self.closing:
            return False
        self.sent += 1
        session, line = self.session, encode_frame(frame)

        def arrive() -> None:
            if session is not None and session is self.session:
                session.received(decode_frame(line, SessionFrame))

        self._later(arrive)
        return True

    def cut(self) -> None:
        """End the connection, as the death of either process does."""
        assert self._gate is not None
        session, self.session = self.session, None
        self._number += 1
        if session is not None:
            session.left()
        self._gate.lost("the governor is gone")

    async def settle(self) -> None:
        if self.session is None and self._number:
            self._later(self.connect)
        await asyncio.sleep(2 * self.delay)

    async def aclose(self) -> None:
        await asyncio.sleep(2 * self.delay)  # what was sent arrives
        session, self.session = self.session, None
        if session is not None:
            session.left()

    def _later(self, act: Callable[[], object]) -> None:
        loop = asyncio.get_running_loop()
        self._arrives = max(loop.time() + self.delay, self._arrives + 1e-9)  # in order, as they were sent
        loop.call_at(self._arrives, act)


class Desk(PermitDesk):
    """A governor whose sessions are gates of this loop."""

    def __init__(self, rate: float | None = None, concurrency: int = 32, parallel: int = 2) -> None:
        super().__init__(Gate(concurrency, rate), rate, parallel)

    @property
    def inside(self) -> int:
        return self.gate.in_flight

    def session(
        self, concurrency: int = 16, rate: float | None = None, *, share: float = 1.0
    ) -> tuple[GovernedGate, Line]:
        line = Line(self)
        return GovernedGate(concurrency, rate, line, share), line
