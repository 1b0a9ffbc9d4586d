"""What feeds a board: one follow for all its clients, scans of its range, and an audit of the schedules.

1. The follow shows what is new. A scan shows the past, the newest first, and the follow then watches those runs of
   it that are unfinished.
2. Afterwards the range is scanned again and again, slowly: an instance that was deleted, that ran again, or that
   appeared long after its time shows in no poll.
3. An error that may pass is shown on the page, and work goes on. Nothing is asked for a client.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aioflows._core.board.runs import time_of
from aioflows._core.board.saved_board import SavedBoard, pack_runs
from aioflows._core.board.schedule_check import ScheduleCheck
from aioflows._core.board.state import BoardState
from aioflows._display.text import printable
from aioflows.board.checkpoint_file import CheckpointFile
from aioflows.board.hub import BoardHub
from aioflows.board.live_follow import LiveFollow
from aioflows.board.range_scans import RangeScans
from aioflows.board.service_clock import ServiceClock
from aioflows.board.settings import BoardSettings
from aioflows.checkpoint import Checkpoint, FollowCheckpoint
from aioflows.errors import SessionClosed
from aioflows.export import SinkError
from aioflows.session import FlowSession

__all__ = ["BoardFeed"]

_TICK = 0.2  # seconds
_BEAT_MS = 10_000
_CHECK_INTERVAL = 30.0  # seconds between audits
_SAVE_INTERVAL = 15.0  # seconds between checkpoints


class BoardFeed:
    """The work behind a board.

    Args:
        session: an open session.
        settings: the settings.

    Raises:
        QueryError: the file of the checkpoint has something else.
    """

    def __init__(self, session: FlowSession, settings: BoardSettings) -> None:
        self._session = session
        self._settings = settings
        self._file = CheckpointFile(settings.checkpoint)
        self._saved = self._file.read(settings.fingerprint)
        self._clock = ServiceClock(max(settings.min_wait, settings.max_wait).total_seconds())
        self._live: LiveFollow | None = None
        self._scans: RangeScans | None = None
        self.state = BoardState(settings.span_ms, settings.bin_ms)
        self.hub = BoardHub(self.state)
        self.state.tell("title", settings.title)
        self.state.tell("last_ms", settings.span_ms)
        self.state.tell("history", {"share": 0, "rows": 0, "rate": 0})

    async def run(self) -> None:
        """Feed the board until the task is cancelled, or the session is closed.

        Raises:
            Exception: an error that ends the work. The page shows it.
        """
        try:
            await self._work()
        except SessionClosed as closed:
            self._clock.health.stopped(closed, None)
        except Exception as error:
            self._clock.health.stopped(error, None)
            raise
        finally:
            now = self._clock.now_ms()
            self.state.tell("service", self._clock.health.state(now))
            self.hub.publish(now)

    async def _work(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tick())
                await self._session.open()
                live, scans, resume = await self._begin()
                self._live, self._scans = live, scans
                group.create_task(live.run())
                group.create_task(scans.run(resume))
                group.create_task(self._check())
                group.create_task(self._keep())
        except BaseExceptionGroup as errors:
            error: BaseException = errors
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            raise error from None

    async def _begin(self) -> tuple[LiveFollow, RangeScans, Checkpoint | None]:
        """Return the follow, the scans, and the checkpoint of the scan of the past, where an earlier board ended."""
        session, settings, state, clock = self._session, self._settings, self.state, self._clock
        zone = await clock.ask(session)
        now, saved = clock.now_ms(), self._saved
        state.told_time(now)
        state.tell("offset_s", clock.offset_s(zone))
        follow = past = None
        history = state.from_ms, now
        if saved is not None:
            state.restore(saved.runs(zone, lambda _: True))
            follow = FollowCheckpoint.from_json(saved.follow)
            if follow.from_ms is None or follow.from_ms <= state.from_ms:
                saved = follow = None  # too old to go on: the range is read again
        if saved is not None:
            # A past that was not read to its end, and has left the range, need not be read.
            left = saved.scan is None or saved.since_ms <= state.from_ms
            past = None if left or saved.scan is None else Checkpoint.from_json(saved.scan)
            history = saved.from_ms, saved.since_ms
        self._saved = None
        live = LiveFollow(session, settings, state, clock, resume=follow, since_ms=now)
        scans = RangeScans(session, settings, state, clock, live, history)
        if saved is not None:
            live.watch_open_runs()  # the checkpoint may be older than the end of a scan
            if past is None:
                scans.done.set()
        return live, scans, past

    # Page

    async def _tick(self) -> None:
        while True:
            self._publish()
            await asyncio.sleep(_TICK)

    def _publish(self) -> None:
        state, now = self.state, self._clock.now_ms()
        if self._scans is not None:
            state.told_time(now)
            self._scans.tell_progress()
            heard = self._clock.health.answered
            if heard is not None:
                state.tell("heard", heard // 5_000 * 5_000)  # told every few seconds only
        state.tell("service", self._clock.health.state(now))
        state.tell("beat", now // _BEAT_MS)  # a page that hears nothing knows that its connection is gone
        self.hub.publish(now)

    # Schedules

    async def _check(self) -> None:
        assert self._live is not None
        assert self._scans is not None
        await self._scans.done.wait()
        settings, state = self._settings, self.state
        while True:
            check = ScheduleCheck(settings.late, settings.query.expression, time_of(state.from_ms))
            # What came since the last whole poll is not known, as in an outage, so it is not missing.
            until = min(self._clock.now(), time_of(self._live.read_until_ms))
            check.add(state.earlier_runs)
            for _, runs in state.bins():
                check.add(runs)
                await asyncio.sleep(0)
            state.tell("due", check.finish(until))
            await asyncio.sleep(_CHECK_INTERVAL)

    # Checkpoint

    async def _keep(self) -> None:
        if self._file.path is None:
            return
        assert self._scans is not None
        try:
            with suppress(TimeoutError):  # the past is kept as soon as it is read
                await asyncio.wait_for(self._scans.done.wait(), _SAVE_INTERVAL)
            while True:
                try:
                    await self._save()
                    self.state.tell("unsaved", "")
                except SinkError as error:
                    self.state.tell("unsaved", printable(str(error)))
                await asyncio.sleep(_SAVE_INTERVAL)
        finally:
            await self._save()

    async def _save(self) -> None:
        """Save a checkpoint. The state may be newer than its follow, and never older."""
        assert self._live is not None
        assert self._scans is not None
        follow, past = self._live.checkpoint(), self._scans.checkpoint()
        done = self._scans.done.is_set()
        if past is None and not done:
            return  # the scan of the past has not begun
        bins = await self._file.pack(self.state)
        saved = SavedBoard(
            self._settings.fingerprint,
            *self._scans.history,
            follow.to_json(),
            None if past is None else past.to_json(),
            bins | {-1: pack_runs(self.state.earlier_runs)},
        )
        await asyncio.to_thread(self._file.write, saved)
