"""What a test does to an emulator and asks of it: change rows, ask what is true, read what was requested."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from aioflows.emulator.assembly import Assembly, Settings
from aioflows.emulator.service.find import matching
from aioflows.emulator.service.request_log import Record, SearchRecord
from aioflows.emulator.service.search import Filter
from aioflows.emulator.service.truth import Watch


class Controls:
    """The side of an `Emulator` that clients of the service never see."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._span = settings.span
        self._zone = settings.clock.zone
        self._record = Record(settings.quirks.keep_searches)
        self._opened: Assembly | None = None

    def _need(self) -> Assembly:
        if self._opened is None:
            raise RuntimeError("the emulator is not open; use `with`, `async with` or open()")
        return self._opened

    # Where the rows lie

    @property
    def start_ms(self) -> int:
        """The first instant that a row may have, in ms since the epoch."""
        return self._span.start

    @property
    def end_ms(self) -> int:
        """The first instant that no row has any more: the present of the emulated platform."""
        return self._span.end

    @property
    def start(self) -> datetime:
        """`start_ms` as a datetime in the server's zone."""
        return self._datetime(self._span.start)

    @property
    def end(self) -> datetime:
        """`end_ms` as a datetime in the server's zone."""
        return self._datetime(self._span.end)

    def _datetime(self, ms: int) -> datetime:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).astimezone(self._zone)

    @property
    def instances(self) -> int:
        """How many rows there are now."""
        return self._need().store.rows()

    # Change

    def insert(
        self,
        trigger_ms: int,
        *,
        type: int = 1,
        status: int = 1,
        instance_id: str | None = None,
        flow: int | None = None,
    ) -> str:
        """Add an instance; its id is returned.

        Args:
            trigger_ms: its *trigger time*.
            type: its *schedule type*.
            status: its *status code*.
            instance_id: its *id*; None: a new one that looks like the others.
            flow: the *number* of the flow it belongs to; None: any.
        """
        return self._need().changes.insert(trigger_ms, type=type, status=status, id=instance_id, flow=flow)

    def delete(self, instance_id: str) -> None:
        """Remove an instance."""
        self._need().changes.delete(instance_id)

    def set_status(self, instance_id: str, status: int, *, now_ms: float | None = None) -> None:
        """Change an instance's status, and its update time with it."""
        self._need().changes.set_status(
            instance_id, status, self._settings.now() if now_ms is None else now_ms
        )

    def on_search(self, callback: Callable[[int], object]) -> None:
        """Call this with the number of each search, right before it is answered."""
        self._need().deployment.hooks.append(callback)

    def expire_tokens(self) -> None:
        """Let the living access token die now."""
        self._need().deployment.gateway.expire_tokens()

    # What is true

    def matching(
        self,
        from_ms: int | None = None,
        to_ms: int | None = None,
        *,
        type: int | None = None,
        status: Collection[int] = (),
        owner: str = "",
        expression: str = "",
    ) -> list[tuple[int, str]]:
        """Trigger time in ms and id of all that matches, in the order of (trigger second, id), straight from the rows.

        Args:
            from_ms: the first *trigger time* that matches; None: `start_ms`.
            to_ms: the first that no longer does; None: `end_ms`.
            type: one *schedule type*; None: all.
            status: *codes*; empty: all.
            owner: *user name*; empty: all.
            expression: *text* in the id or the flow's name; empty: all.
        """
        window = self._window(from_ms, to_ms)
        return matching(self._need().store, self._filter(window, type, status, owner, expression))

    def watch(
        self,
        from_ms: int | None = None,
        to_ms: int | None = None,
        *,
        type: int | None = None,
        status: Collection[int] = (),
        owner: str = "",
        expression: str = "",
    ) -> Watch:
        """``with emulator.watch(...) as watch:`` tells what matched throughout, and what matched ever; see `matching`."""
        opened = self._need()
        filter = self._filter(self._window(from_ms, to_ms), type, status, owner, expression)
        return Watch(filter, opened.store, opened.changes)

    def _window(self, from_ms: int | None, to_ms: int | None) -> tuple[int, int]:
        return self.start_ms if from_ms is None else from_ms, self.end_ms if to_ms is None else to_ms

    def _filter(
        self,
        window: tuple[int, int],
        type: int | None,
        status: Collection[int],
        owner: str,
        expression: str,
    ) -> Filter:
        return Filter(
            type=type,
            from_ms=window[0],
            to_ms=window[1],
            status=tuple(sorted(int(one) for one in status)),
            owner=owner,
            expression=expression,
            found=self._settings.quirks.expression,
            same=self._settings.quirks.owner_compare,
        )

    # What was asked

    @property
    def searches(self) -> list[SearchRecord]:
        """The newest searches, oldest first; at most `Quirks.keep_searches`."""
        return list(self._record.searches)

    @property
    def requests(self) -> dict[str, int]:
        """How many requests there were, by operation.

        Three more are counted besides: "throttled", "early" (within a wait that an answer had named), and "faults".
        """
        return dict(self._record.requests)

    @property
    def rows_answered(self) -> int:
        """Rows in all answers to searches."""
        return self._record.rows_answered

    @property
    def in_flight(self) -> int:
        """Requests that are being answered."""
        return self._record.in_flight

    @property
    def peak_in_flight(self) -> int:
        """The most there ever were."""
        return self._record.peak_in_flight

    def state(self) -> dict[str, object]:
        """What ``GET /_emulator/state`` answers."""
        return {
            "requests": self.requests,
            "instances": self.instances,
            "rows_answered": self.rows_answered,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
        }
