"""The controls of an emulator for tests: change rows, read the truth, and inspect the requests."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from aioflows.emulator.assembly import Assembly, Settings
from aioflows.emulator.service.find import matching
from aioflows.emulator.service.request_log import Record, SearchRecord
from aioflows.emulator.service.search import Filter
from aioflows.emulator.service.truth import Watch
from aioflows.emulator.world.irregular_runs import PlantedRun


class Controls:
    """The part of an `Emulator` that clients of the service do not see."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._span = settings.span
        self._zone = settings.clock.zone
        self._record = Record(settings.quirks.keep_searches)
        self._assembly: Assembly | None = None

    def _require_open(self) -> Assembly:
        if self._assembly is None:
            raise RuntimeError("the emulator is not open; use `with`, `async with` or open()")
        if self._assembly.life is not None:
            self._assembly.life.advance(self._settings.server_ms())
        return self._assembly

    # Span and number of the rows

    @property
    def start_ms(self) -> int:
        """The first instant that a row may have, in ms since the epoch."""
        return self._span.start

    @property
    def end_ms(self) -> int:
        """The first instant after all rows, in ms since the epoch: the present of the emulated platform."""
        if self._settings.meanwhile.live:
            return max(self._span.end, int(self._settings.server_ms()) + 1)
        return self._span.end

    @property
    def start(self) -> datetime:
        """`start_ms` as a datetime in the server's zone."""
        return self._datetime(self._span.start)

    @property
    def end(self) -> datetime:
        """`end_ms` as a datetime in the server's zone."""
        return self._datetime(self.end_ms)

    def _datetime(self, ms: int) -> datetime:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).astimezone(self._zone)

    @property
    def instances(self) -> int:
        """The number of rows now."""
        return self._require_open().store.count()

    # Changes and callbacks

    def insert(
        self,
        trigger_ms: int,
        *,
        type: int = 1,
        status: int = 1,
        instance_id: str | None = None,
        flow: int | None = None,
    ) -> str:
        """Add an instance, and return its id.

        Args:
            trigger_ms: the trigger time (ms since the epoch).
            type: the schedule type.
            status: the status code.
            instance_id: the id. Default: None, which means a new id in the form of `World.ids`.
            flow: the number of the flow. Default: None, which means a random flow.

        Raises:
            QueryError: an instance with this id exists.
        """
        return self._require_open().changes.insert(
            trigger_ms, type=type, status=status, id=instance_id, flow=flow
        )

    def delete(self, instance_id: str) -> None:
        """Remove an instance.

        Raises:
            QueryError: the id is unknown.
        """
        self._require_open().changes.delete(instance_id)

    def set_status(self, instance_id: str, status: int, *, now_ms: float | None = None) -> None:
        """Change the status and the update time of an instance.

        Args:
            instance_id: the id.
            status: the new status code.
            now_ms: the update time (ms since the epoch). Default: None, which means the emulator's clock.

        Raises:
            QueryError: the id is unknown.
        """
        self._require_open().changes.set_status(
            instance_id, status, self._settings.now() if now_ms is None else now_ms
        )

    def on_search(self, callback: Callable[[int], object]) -> None:
        """Register a callback that is called with the number of each search, right before its answer."""
        self._require_open().deployment.hooks.append(callback)

    def expire_tokens(self) -> None:
        """Expire the current access token now."""
        self._require_open().deployment.gateway.expire_tokens()

    # Rows that match, and planted runs

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
        """Return the trigger time (ms) and the id of each matching row, in the order of (trigger second, id).

        The rows are those of the store that the user may see, without any quirk.

        Args:
            from_ms: the start of the range of trigger times (ms). Default: None, which means `start_ms`.
            to_ms: the end of the range (ms), exclusive. Default: None, which means `end_ms`.
            type: a schedule type. Default: None, which means all types.
            status: status codes. Default: empty, which means all.
            owner: the owner's user name. Default: empty, which means all.
            expression: a text in the id or in the flow's name. Default: empty, which means all.
        """
        window = self._window(from_ms, to_ms)
        return matching(self._require_open().store, self._filter(window, type, status, owner, expression))

    @property
    def planted(self) -> list[PlantedRun]:
        """The runs that were planted by `World.missed`, `doubled` and `late`, in the order of trigger times."""
        return self._require_open().store.planted()

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
        """Return a `Watch`, which records the rows that match while its ``with`` block runs.

        The arguments are those of `matching`.
        """
        assembly = self._require_open()
        filter = self._filter(self._window(from_ms, to_ms), type, status, owner, expression)
        return Watch(filter, assembly.store, assembly.changes)

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

    # Requests

    @property
    def searches(self) -> list[SearchRecord]:
        """The latest searches, oldest first: at most `Quirks.keep_searches`."""
        return list(self._record.searches)

    @property
    def requests(self) -> dict[str, int]:
        """The number of requests, by operation.

        More counts are "throttled", "early" (sent during a wait that an answer named) and "faults".
        """
        return dict(self._record.requests)

    @property
    def rows_answered(self) -> int:
        """The number of rows in all answers to searches."""
        return self._record.rows_answered

    @property
    def in_flight(self) -> int:
        """The number of requests that wait for their answer."""
        return self._record.in_flight

    @property
    def peak_in_flight(self) -> int:
        """The most requests that were ever in flight at once."""
        return self._record.peak_in_flight

    def state(self) -> dict[str, object]:
        """Return the answer to ``GET /_emulator/state``."""
        return {
            "requests": self.requests,
            "instances": self.instances,
            "rows_answered": self.rows_answered,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
        }
