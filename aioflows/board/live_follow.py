"""The one follow of a board, which all its clients share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import attrs

from aioflows._core.board.state import BoardState
from aioflows.board.service_clock import ServiceClock
from aioflows.board.settings import BoardSettings
from aioflows.checkpoint import FollowCheckpoint, Known
from aioflows.follow import FlowFollow
from aioflows.models import FlowInstance, ScheduleType
from aioflows.session import FlowSession

__all__ = ["LiveFollow"]

_SETTLE = 60  # seconds
_LIGHT_POLLS = 33  # that a follow may make between two whole ones
_LONGEST_LIGHT = 1_800  # seconds that they may reach back
_FAR_FUTURE_MS = 9_999_999_999_000


class LiveFollow:
    """A follow whose instances go to the state of a board.

    Args:
        session: an open session.
        settings: the settings of the board.
        state: gets the instances.
        clock: the clock of the service.
        resume: the checkpoint of an earlier follow. None means that there is none.
        since_ms: the first trigger time of a new follow (ms since the epoch).
    """

    def __init__(
        self,
        session: FlowSession,
        settings: BoardSettings,
        state: BoardState,
        clock: ServiceClock,
        *,
        resume: FollowCheckpoint | None,
        since_ms: int,
    ) -> None:
        self._session = session
        self._settings = settings
        self._state = state
        self._clock = clock
        self._since_ms = since_ms - _SETTLE * 1000
        self._types: dict[str, ScheduleType] = {}  # of rows that were not handed out yet
        self._unwatched = asyncio.Event()
        self._longest_wait = max(settings.min_wait, settings.max_wait).total_seconds()
        self._follow = self._new(resume)

    def _new(self, resume: FollowCheckpoint | None) -> FlowFollow:
        follow = self._session.follow(
            attrs.evolve(
                self._settings.query,
                from_trigger_time=0,
                to_trigger_time=_FAR_FUTURE_MS,
                order_by="trigger_time",
            ),
            since=self._since_ms,
            changes=True,
            settle_time=_SETTLE,
            watch_time=self._settings.last.total_seconds(),
            min_wait=self._settings.min_wait.total_seconds(),
            max_wait=self._longest_wait,
            resume=resume,
        )
        follow.reader.note_types(self._note)
        return follow

    def _note(self, rows: Sequence[FlowInstance], type: ScheduleType) -> None:
        self._types |= dict.fromkeys([row.instance_id for row in rows], type)

    def checkpoint(self) -> FollowCheckpoint:
        """Return a checkpoint of the instances that the state has."""
        return self._follow.checkpoint()

    @property
    def read_until_ms(self) -> int:
        """The time up to which the follow has read whole (ms since the epoch). In an outage it stays."""
        settled = self._follow.stats.settled_ms
        return (self._since_ms if settled is None else settled) + _SETTLE * 1000

    @property
    def usual_lag_ms(self) -> float:
        """How far `read_until_ms` may be behind while all is well (ms): where nothing happens, few polls are whole."""
        return min(_LIGHT_POLLS * self._longest_wait, _LONGEST_LIGHT) * 1000 + _SETTLE * 2000

    def watch_open_runs(self) -> None:
        """Let the follow watch all unfinished runs of the state, such as those that a scan has found."""
        self._unwatched.set()

    async def run(self) -> None:
        """Follow until the task is cancelled, or the session is closed.

        Raises:
            SessionClosed: the session was closed.
        """
        self._follow.reader.observers.add(self._clock.on_event)
        try:
            while True:
                await self._clock.persist(self._step)
        finally:
            self._follow.reader.observers.remove(self._clock.on_event)
            await self._follow.aclose()

    async def _step(self) -> None:
        """Add the next instances of the follow to the state, or begin the follow anew with more to watch."""
        step = asyncio.ensure_future(self._follow.reader.next_batch())
        asked = asyncio.ensure_future(self._unwatched.wait())
        try:
            await asyncio.wait({step, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            step.cancel()  # a cancelled step loses no instance
            await asyncio.wait({step, asked})
            if not step.cancelled() and step.exception() is None:
                self._state.followed(step.result(), self._types)
                self._types.clear()
        if not step.cancelled():
            step.result()  # raises its error
        if self._unwatched.is_set():
            self._unwatched.clear()
            resume = self._watching()
            if resume is not None:
                await self._follow.aclose()
                self._follow = self._new(resume)

    def _watching(self) -> FollowCheckpoint | None:
        """Return the checkpoint of the follow, and further unfinished runs to watch. None means that there are none."""
        checkpoint = self._follow.checkpoint()
        watched = {one.id for one in checkpoint.known}
        more = tuple(
            Known(
                run.instance_id,
                run.trigger_ms // 1000,
                None if run.status is None else int(run.status),
                watched=True,
            )
            for run in self._state.open_runs
            if run.instance_id not in watched
        )
        if not more:
            return None
        # The zone of the checkpoint would have to reach back to these runs. In one session it need not be checked.
        return attrs.evolve(checkpoint, known=checkpoint.known + more, zone=None)
