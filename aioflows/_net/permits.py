"""The governor's side of the permits: one gate, and the sessions that stand before it.

1. A permit is a slot of the gate. A session returns it, or loses it with its connection.
2. Sessions enter in turn, as scans do at the gate of a session, however many permits each asks for.
3. A wait that the service asks of one session pauses the gate at once, and every session is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aioflows._core.governor.frames import BadFrame, GovernorFrame, SessionFrame
from aioflows._core.governor.reads import GovernorAccount, Reads
from aioflows._core.governor.share import MOST_SHARE, KnownRate
from aioflows._net.gate import Gate

__all__ = ["GovernedSession", "PermitDesk"]

_MOST_ASKED = 2_048  # permits that one session waits for
_CHANGED = 0.1  # by how much the share differs before it is told again


class PermitDesk:
    """The gate of a governor, and its sessions.

    Args:
        gate: limits the requests of all sessions.
        rate: the rate that was given (requests per second). None means that it is found out.
        parallel: the least number of sessions among which the rate is shared when the governor is gone.
    """

    def __init__(self, gate: Gate, rate: float | None, parallel: int) -> None:
        self.gate = gate
        self.reads = Reads()
        self.requests = self.refused = 0
        self.sessions: set[GovernedSession] = set()
        self._parallel = parallel
        self._known = KnownRate(rate)

    def join(self, send: Callable[[GovernorFrame], None]) -> GovernedSession:
        """Return a new session.

        Args:
            send: sends a message to the session.
        """
        session = GovernedSession(self, send)
        self.sessions.add(session)
        return session

    @property
    def share(self) -> float:
        """The rate of each session if the governor is gone (requests per second)."""
        return self._known.share(self.gate.rate, max(self._parallel, len(self.sessions)))

    def account(self) -> GovernorAccount:
        """Return what the sessions have read so far."""
        return self.reads.account(self.requests, self.refused)

    def answered(self, count: int) -> None:
        """Record good answers."""
        self._known.answered(count, _now())
        for _ in range(count):
            self.gate.accepted()

    def pause(self, seconds: float) -> None:
        """Pause the gate, and tell all sessions."""
        self.gate.pause(seconds)
        for session in self.sessions:
            session.tell_pause(self.gate.paused_for)


class GovernedSession:
    """A session as its governor sees it.

    Args:
        desk: the gate and the other sessions.
        send: sends a message to the session.
    """

    def __init__(self, desk: PermitDesk, send: Callable[[GovernorFrame], None]) -> None:
        self._desk = desk
        self._send = send
        self._held = 0
        self._round = 0
        self._asking: set[asyncio.Task[None]] = set()
        self._frame = GovernorFrame()
        self._pending = False
        self._told = 0.0

    def greet(self) -> None:
        """Send the first message."""
        self._flush()

    def received(self, frame: SessionFrame) -> None:
        """Process a message of the session.

        Raises:
            BadFrame: it cannot be true.
        """
        desk, now = self._desk, _now()
        desk.answered(frame.ok)
        self._refusals(frame, now)
        for one in frame.announced:
            desk.reads.announce(one.query, one.from_ms, one.to_ms, one.source)
        for one in frame.read:
            desk.reads.add(one)
        if frame.done + frame.back > self._held or len(self._asking) + frame.ask > _MOST_ASKED:
            raise BadFrame("a session returned permits that it did not have, or asked for too many")
        desk.requests += frame.done
        self._held -= frame.done + frame.back
        for _ in range(frame.done + frame.back):
            desk.gate.leave()
        for _ in range(frame.ask):
            task = asyncio.get_running_loop().create_task(self._ask())
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        if frame.ping:
            self._frame.pong = True
            self._note()

    def _refusals(self, frame: SessionFrame, now: float) -> None:
        gate, wait = self._desk.gate, frame.wait
        for moment, asked in frame.refused:
            gate.throttled(min(moment, now), asked)
            wait = max(wait, asked)
        self._desk.refused += len(frame.refused)
        self._desk.refused += sum(gate.unavailable(min(moment, now)) for moment in frame.unavailable)
        self._desk.refused += sum(gate.closed(min(moment, now)) for moment in frame.closed)
        self._frame.heard += (frame.wait > 0) + sum(asked > 0 for _, asked in frame.refused)
        if wait:
            self._desk.pause(wait)

    async def _ask(self) -> None:
        gate = self._desk.gate
        ticket = gate.ticket(self._round)
        self._round = ticket[0]
        await gate.enter(ticket)
        self._held += 1
        self._frame.go += 1
        self._note()

    def tell_pause(self, seconds: float) -> None:
        """Send at once that a pause began, and before it the permits that were given before."""
        self._frame.pause = seconds
        self._flush()

    def left(self) -> None:
        """Return all permits of the session, because its connection is closed."""
        self._desk.sessions.discard(self)
        for task in self._asking:
            task.cancel()
        held, self._held = self._held, 0
        for _ in range(held):
            self._desk.gate.leave()
        self._send = _nowhere

    def _note(self) -> None:
        if not self._pending:
            self._pending = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._pending = False
        frame, share = self._frame, self._desk.share
        if abs(share - self._told) > _CHANGED * self._told:
            self._told = share
            frame.share, frame.rate = share, min(MOST_SHARE, self._desk.gate.rate or 0.0)
        if frame != GovernorFrame():
            self._frame = GovernorFrame()
            frame.at = _now()
            self._send(frame)


def _nowhere(_: GovernorFrame) -> None:
    """Drop a message to a session that is gone."""


def _now() -> float:
    return asyncio.get_running_loop().time()
