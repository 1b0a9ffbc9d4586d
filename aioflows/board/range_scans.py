"""The scans of a board's whole range: of the past once, and of everything again and again, slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import attrs

from aioflows._core.board.state import BoardState
from aioflows.board.live_follow import LiveFollow
from aioflows.board.service_clock import ServiceClock
from aioflows.board.settings import BoardSettings
from aioflows.checkpoint import Checkpoint
from aioflows.models import FlowInstance, ScheduleType
from aioflows.scan import FlowScan
from aioflows.session import FlowSession

__all__ = ["RangeScans"]

_AHEAD = 4_000  # rows
_LEAST_REST = 30.0  # seconds between scans
_REST_PER_REQUEST = 1.5  # seconds, so that scans add less than a request a second
_WATCH_INTERVAL = 15.0  # seconds


class RangeScans:
    """The scans of a board.

    Args:
        session: an open session.
        settings: the settings of the board.
        state: gets the instances.
        clock: the clock of the service.
        live: watches the unfinished instances that a scan finds.
        history: the range of the past (ms since the epoch).
    """

    def __init__(
        self,
        session: FlowSession,
        settings: BoardSettings,
        state: BoardState,
        clock: ServiceClock,
        live: LiveFollow,
        history: tuple[int, int],
    ) -> None:
        self._session = session
        self._settings = settings
        self._state = state
        self._clock = clock
        self._live = live
        self.history = history
        self._scan: FlowScan | None = None
        self._types: dict[str, ScheduleType] = {}  # of rows that were not handed out yet
        self.done = asyncio.Event()
        """Set once the past was read."""

    def checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint of the scan of the past. None means that it ended."""
        return None if self.done.is_set() or self._scan is None else self._scan.checkpoint()

    def tell_progress(self) -> None:
        """Set in the state how much of the past was read, and how fast."""
        scan = self._scan
        if self.done.is_set():
            self._state.tell("history", self._recent())
        elif scan is not None:
            stats = scan.stats
            rate = stats.rows_yielded / stats.elapsed if stats.elapsed > 0 else 0
            share = round(min(scan.progress, 0.999), 3)
            self._state.tell("history", {"share": share, "rows": stats.rows_yielded, "rate": round(rate)})

    def _recent(self) -> dict[str, float]:
        """Return how much of the range the follow has read. After an outage or a restart it has to catch up."""
        behind = self._clock.now_ms() - self._live.read_until_ms
        if behind <= self._live.usual_lag_ms:
            return {"share": 1}
        share = max(0.0, 1 - behind / self._settings.span_ms)
        return {"share": round(min(share, 0.999), 3), "rows": 0, "rate": 0, "until": self._live.read_until_ms}

    async def run(self, resume: Checkpoint | None) -> None:
        """Scan until the task is cancelled, or the session is closed.

        Args:
            resume: the checkpoint of an earlier scan of the past. None means that there is none.

        Raises:
            SessionClosed: the session was closed.
        """
        requests = 0
        if not self.done.is_set():
            requests = await self._read(self.history, resume)
            self.done.set()
        while True:
            await asyncio.sleep(max(_LEAST_REST, _REST_PER_REQUEST * requests))
            zone = await self._clock.ask(self._session)
            self._state.tell("offset_s", self._clock.offset_s(zone))
            requests = await self._read((self._state.from_ms, self._clock.now_ms()), None)
            self._state.tell("checked", self._clock.now_ms())

    async def _read(self, range: tuple[int, int], resume: Checkpoint | None) -> int:
        """Read a range to its end, and return the number of requests. An error that may pass makes it go on later."""
        requests, whole, mark = 0, resume is None, self._state.begin_scan()
        query = self._settings.range(*range)
        limits = attrs.evolve(self._session.limits, buffer=min(self._session.limits.buffer, _AHEAD))

        async def read() -> None:
            nonlocal resume, requests
            scan = self._scan = self._session.scan(query, resume=resume, limits=limits)
            if query.type is None:
                scan.reader.note_types(self._note)
            async with scan:
                try:
                    await self._take(scan, mark)
                finally:
                    resume = scan.checkpoint()
                    requests += scan.stats.requests

        await self._clock.persist(read)
        self._types.clear()
        if whole:
            self._state.end_scan(mark, *range)
        self._live.watch_open_runs()
        return requests

    async def _take(self, scan: FlowScan, mark: int) -> None:
        loop = asyncio.get_running_loop()
        watched = loop.time()
        async for rows in scan.pages():
            types = self._types
            if (type := self._settings.query.type) is not None:
                types = dict.fromkeys([row.instance_id for row in rows], type)
            self._state.scanned(rows, types, mark)
            for row in rows:
                self._types.pop(row.instance_id, None)
            if loop.time() - watched > _WATCH_INTERVAL:
                watched = loop.time()
                self._live.watch_open_runs()
            await asyncio.sleep(0)  # the clients have their turn

    def _note(self, rows: Sequence[FlowInstance], type: ScheduleType) -> None:
        self._types |= dict.fromkeys([row.instance_id for row in rows], type)
