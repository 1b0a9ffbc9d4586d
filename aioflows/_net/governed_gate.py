"""The gate of a session that shares one governor with the sessions of other processes.

1. An attempt enters with a permit of the governor. Whichever attempt is next in this session uses it, so small
   requests are still before bulk scans. A permit that nothing waits for is given back at once.
2. A permit that was given before a pause is not used after it, even by an attempt that has entered and not run
   yet. A pause of this session counts from the moment that it is known here, not there.
3. Without the governor the session goes on alone, at its share of the rate. It says so once, and asks for
   permits again as soon as the governor is back.

A request costs one line each way, and the permit of the next one is asked for in the line that returns the last.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from operator import itemgetter
from typing import Final, Protocol

from aioflows._core.governor.frames import LONGEST_WAIT, GovernorFrame, SessionFrame, WindowReport
from aioflows._net.gate import Gate, Ticket, _loop_time, _Place
from aioflows.checkpoint import range_free_fingerprint
from aioflows.query import FlowQuery
from aioflows.stats import ScanStats

__all__ = ["GovernedGate", "PermitLine"]

_log: Final = logging.getLogger("aioflows")
_LAST_WORDS: Final = 2.0  # seconds that closing waits for a connection, to report what was read
_REMEMBERED: Final = 4_096  # messages with permits
_KEPT: Final = 1_000  # reports that are kept while the governor is gone


class PermitLine(Protocol):
    """The connection of a session to its governor. It calls `joined`, `received` and `lost` of the gate."""

    def start(self, gate: GovernedGate) -> None:
        """Connect in the background, now and whenever the connection is lost."""
        ...

    def send(self, frame: SessionFrame) -> bool:
        """Send a message. Return False if the connection is lost, and so the message is, too."""
        ...

    async def settle(self) -> None:
        """Wait until an attempt to connect is over: the first one, or a new one without a connection."""
        ...

    async def aclose(self) -> None:
        """Close the connection, after what was sent. Safe to call more than once."""
        ...


class _State(enum.Enum):
    NEW = enum.auto()
    JOINING = enum.auto()
    GOVERNED = enum.auto()
    ALONE = enum.auto()


class GovernedGate(Gate):
    """The gate of a session with a governor.

    Args:
        concurrency: the greatest number of attempts of this session inside.
        rate: the greatest rate of this session (attempts per second). None means that only the governor limits
            it.
        line: the connection to the governor.
        share: the rate without the governor, until it has named another one (attempts per second).
        source: a digest of the service and the user, for the account of the governor. Default: none.
        clock: returns the time of the loop's timers (seconds). Default: the running loop's.
    """

    def __init__(
        self,
        concurrency: int,
        rate: float | None,
        line: PermitLine,
        share: float,
        *,
        source: str = "",
        clock: Callable[[], float] = _loop_time,
    ) -> None:
        super().__init__(concurrency, rate, clock=clock)
        self._own_gap = self._gap
        self._own_next = 0.0
        self._line = line
        self._share = share
        self._source = source
        self._state = _State.NEW
        self._permits = 0  # given, and not used yet
        self._asked = 0
        self._used = 0  # of attempts inside
        self._without = 0  # attempts inside that entered without the governor, as far as is known
        self._unheard = 0  # waits of this session that the governor may not know of
        self._stopped = False  # a pause began after the last permit was given
        self._stopped_until = 0.0
        self._found: float | None = None  # the rate that the governor knows
        self._given: deque[tuple[float, float]] = deque(
            maxlen=_REMEMBERED
        )  # when permits came, and were given
        self._told = False  # the log says that the governor is gone
        self._frame = SessionFrame()
        self._pending = False
        self._kept = SessionFrame()  # reports that no governor has got

    # The session's side

    @property
    def paused_for(self) -> float:
        """The rest of the pause (seconds). 0 means that there is no pause."""
        if self._state is _State.ALONE:
            return super().paused_for
        return max(0.0, self._stopped_until - self._clock()) if self._stopped_until else 0.0

    @property
    def rate(self) -> float | None:
        """The rate that the service is known to accept from all sessions (attempts per second)."""
        return self._found if self._state is _State.GOVERNED else super().rate

    async def enter(self, ticket: Ticket) -> None:
        """Wait for a slot and a permit. The caller must `leave` afterwards."""
        await super().enter(ticket)
        while self._stopped and self._used:  # a pause began after the admission
            self._inside -= 1
            self._used -= 1
            self._frame.back += 1
            self._note()
            await super().enter(ticket)

    def leave(self) -> None:
        """Return the slot and the permit.

        Attempts without a permit are taken to leave first, so that a permit in use is never returned.
        """
        if self._without:
            self._without -= 1
        elif self._used:
            self._used -= 1
            self._frame.done += 1
            self._note()
        super().leave()

    def _give_up(self, place: _Place) -> None:
        done = self._frame.done
        super()._give_up(place)
        if self._frame.done > done:  # admitted, and cancelled before it sent anything
            self._frame.done -= 1
            self._frame.back += 1

    def accepted(self) -> None:
        """Record that the service answered."""
        super().accepted()
        if self._state is _State.GOVERNED:
            self._frame.ok += 1
            self._note()

    def throttled(self, entered: float, pause: float) -> None:
        """Record that the service refused an attempt because it received too many."""
        super().throttled(entered, pause)
        if self._state is _State.GOVERNED:
            self._unheard += pause > 0
            self._frame.refused.append((self._permit_of(entered), min(pause, LONGEST_WAIT)))
            self._note()

    def unavailable(self, entered: float) -> bool:
        """Record a refusal without a reason. Return True if too many attempts seem to be the reason."""
        if self._state is _State.GOVERNED:
            self._frame.unavailable.append(self._permit_of(entered))
            self._note()
        return super().unavailable(entered)

    def closed(self, entered: float) -> bool:
        """Record a closed connection. Return True if too many attempts seem to be the reason."""
        if self._state is _State.GOVERNED:
            self._frame.closed.append(self._permit_of(entered))
            self._note()
        return super().closed(entered)

    def pause_until(self, moment: float) -> bool:
        """Pause the gate until a moment of its clock. Return True if it was not paused before."""
        if self._state is not _State.GOVERNED:
            return super().pause_until(moment)
        now = self._clock()
        news = self._stopped_until <= now < moment
        if moment > now:
            self._stopped = True
            self._stopped_until = max(self._stopped_until, moment)
        return news

    def announce(self, query: FlowQuery) -> None:
        """Announce to the governor that a query is to be read."""
        report = WindowReport(range_free_fingerprint(query), query.from_ms, query.to_ms, source=self._source)
        self._report(self._frame.announced, self._kept.announced, report)

    def report(self, query: FlowQuery, stats: ScanStats) -> None:
        """Report to the governor that a query was read completely."""
        report = WindowReport(
            range_free_fingerprint(query),
            query.from_ms,
            query.to_ms,
            stats.rows_yielded,
            stats.requests,
            {proof.value: count for proof, count in stats.proofs.items()},
            self._source,
        )
        self._report(self._frame.read, self._kept.read, report)

    def _report(self, now: list[WindowReport], later: list[WindowReport], report: WindowReport) -> None:
        if self._state is _State.GOVERNED:
            now.append(report)
            self._flush()  # the process may end as soon as its last row is taken
        else:
            later.append(report)
            del later[:-_KEPT]
            self._start()

    async def aclose(self) -> None:
        """Close the connection to the governor. Safe to call more than once."""
        if self._kept.read or self._kept.announced:
            try:
                async with asyncio.timeout(_LAST_WORDS):
                    await self._line.settle()
            except TimeoutError:
                pass
        if self._state is _State.GOVERNED:
            self._flush()
        await self._line.aclose()

    # The governor's side

    def joined(self, share: float | None, rate: float) -> None:
        """Record that the governor gives permits from now on."""
        rest = super().paused_for
        self._state, self._gap, self._paused_until = _State.GOVERNED, self._own_gap, 0.0
        self._share, self._found = share or self._share, rate or None
        self._without = self._inside
        kept, self._kept = self._kept, SessionFrame()
        for one in kept.announced:
            self._send(SessionFrame(announced=[one]))
        for one in kept.read:
            self._send(SessionFrame(read=[one]))
        if rest:
            self._frame.wait = min(rest, LONGEST_WAIT)
            self._unheard += 1
            self.pause_until(self._clock() + rest)
        self._flush()
        if self._told:
            self._told = False
            _log.info("the governor is back, and limits the requests of this session again")
        self._admit()

    def received(self, frame: GovernorFrame) -> None:
        """Process a message of the governor."""
        if frame.share:
            self._share, self._found = frame.share, frame.rate or None
        if frame.go:
            self._given.append((self._clock(), frame.at))
            self._take(frame.go)
        if frame.pause:
            self._stopped = True
            self._stopped_until = max(self._stopped_until, self._clock() + frame.pause)
        if frame.heard:
            self._unheard = max(0, self._unheard - frame.heard)
            self._admit()

    def _take(self, permits: int) -> None:
        self._asked = max(0, self._asked - permits)
        self._permits += permits
        if not self._unheard:
            self._stopped, self._stopped_until = False, 0.0
            self._admit()
        if self._permits:
            self._frame.back += self._permits
            self._permits = 0
            self._note()

    def lost(self, reason: str) -> None:
        """Record that the governor cannot be reached, so that the session goes on alone.

        Args:
            reason: what happened, for the log.
        """
        if self._state is _State.ALONE:
            return
        now = self._clock()
        self._keep(self._frame)
        self._frame = SessionFrame()
        self._permits = self._asked = self._used = self._unheard = 0
        self._given.clear()
        self._stopped, self._stopped_until, until = False, 0.0, self._stopped_until
        self._state = _State.ALONE
        self._gap = max(self._own_gap, 1 / self._share)
        self._paused_until = until if until > now else 0.0
        self._next_entry = now + self._gap
        if not self._told:
            self._told = True
            _log.warning(
                "%s; this session goes on alone with its share of the rate, %.3g requests a second, until the "
                "governor is back",
                reason,
                self._share,
            )
        self._set_timer()

    def _start(self) -> None:
        if self._state is _State.NEW:
            self._state = _State.JOINING
            self._line.start(self)

    def _note(self) -> None:
        """Send the message at the end of this step of the loop."""
        if not self._pending and self._state is _State.GOVERNED:
            self._pending = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._pending = False
        if self._state is _State.GOVERNED and self._frame != SessionFrame():
            frame, self._frame = self._frame, SessionFrame()
            self._send(frame)

    def _send(self, frame: SessionFrame) -> None:
        if not self._line.send(frame):
            self._keep(frame)

    def _keep(self, frame: SessionFrame) -> None:
        """Keep what a message reports until there is a governor."""
        self._kept.announced += frame.announced
        self._kept.read += frame.read

    def _permit_of(self, entered: float) -> float:
        """Return when the governor gave the permit of an attempt (seconds of the governor's clock).

        Permits are used as soon as they come, so it is the last that came before the attempt entered.
        """
        place = bisect_right(self._given, entered, key=itemgetter(0))
        return self._given[place - 1][1] if place else 0.0

    # What differs from a gate without a governor

    def _is_open(self) -> bool:
        if self._state is _State.ALONE:
            return super()._is_open()
        if not self._permits or self._unheard:
            return False
        if self._own_gap:
            now = self._clock()
            if now < self._own_next:
                return False
            self._own_next = now + self._own_gap
        self._permits -= 1
        self._used += 1
        return True

    def _set_timer(self) -> None:
        """Ask for the permits that the session has slots for."""
        if self._state is _State.ALONE:
            super()._set_timer()
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wanted = min(len(self._queue), self._room - self._inside) - self._asked
        if self._own_gap:
            wanted = min(wanted, 1 - self._asked)
            if wanted > 0 and (rest := self._own_next - self._clock()) > 0:
                self._timer = asyncio.get_running_loop().call_later(rest, self._on_time, self._own_next)
                return
        if wanted > 0:
            self._start()
            if self._state is _State.GOVERNED:
                self._asked += wanted
                self._frame.ask += wanted
                self._note()

    def _on_time(self, moment: float) -> None:
        if self._state is _State.ALONE:
            super()._on_time(moment)
            return
        self._timer = None
        self._own_next = min(self._own_next, self._clock())  # the timer may fire early by a rounding error
        self._set_timer()
