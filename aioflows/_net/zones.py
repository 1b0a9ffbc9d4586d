"""The zone of a service's times: given by the user, or named by the service ("Get Timezone").

1. The service names only the present offset. So it is asked again for each scan, each page and each single
   instance, because a session may last longer than daylight saving time. Callers share a request that is
   under way.
2. Polls of a follow are frequent, so they use an answer that is up to a minute old. When a follow finds a new
   offset, it knows the minutes in which the offset changed. Clocks change at a quarter of an hour, so it also
   knows the instant. It reads earlier trigger times in the earlier offset.
3. A scan reads in one zone from its start to its end. A resumed scan needs a zone with the same offsets as
   the earlier scan. This is checked before any row is handed out.

The zone is requested at the same time as the rows that need it, so it costs no time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import attrs

from aioflows._core.clocks.field_clocks import FieldClocks
from aioflows._core.wire.zone import Zone
from aioflows._net.single_flight import SingleFlight
from aioflows.checkpoint import Checkpoint, FollowCheckpoint, ReadZone
from aioflows.errors import QueryError

__all__ = ["FollowZone", "ScanZone", "Zones", "read_zone"]

_FOR_POLLS = 60.0
"""The greatest age of a zone that polls of a follow use (seconds)."""

_QUARTER, _HOUR = 900_000, 3_600_000  # milliseconds


def read_zone(zone: Zone, from_ms: int, to_ms: int) -> ReadZone:
    """Return the offsets of a zone over a range, which is given in milliseconds since 1970-01-01 UTC."""
    return ReadZone(str(zone.tzinfo), zone.offsets(from_ms, to_ms))


_CORRECTED = ("corrected", "")
"""Stands among the clocks of a checkpoint whose scan had read some times before it found out their clock."""


class Zones:
    """The zone of one service.

    Args:
        given: the zone that the user gave. None means that the service is asked.
        ask: asks the service.
        clocks: the clocks of the times other than the trigger time. Default: None, the clock of that.
    """

    def __init__(
        self,
        given: Zone | None,
        ask: Callable[[], Coroutine[Any, Any, Zone]],
        clocks: FieldClocks | None = None,
    ) -> None:
        self.given = None if given is None else attrs.evolve(given, clocks=clocks)
        self._ask = ask
        self._clocks = clocks
        self._named: tuple[Zone, float] | None = None
        self._request: SingleFlight[Zone] | None = None

    @property
    def inexperienced(self) -> bool:
        """True while few rows were seen by which the clocks of their times could be judged."""
        return self._clocks is not None and self._clocks.inexperienced

    def is_known(self, oldest: float) -> bool:
        """Return True if `find` sends no request.

        Args:
            oldest: the greatest age of an earlier answer that may be used (seconds).
        """
        return self.given is not None or self._is_fresh(oldest)

    def _is_fresh(self, oldest: float) -> bool:
        return self._named is not None and asyncio.get_running_loop().time() - self._named[1] < oldest

    async def find(self, oldest: float = 0.0) -> Zone:
        """Return the zone.

        Args:
            oldest: the greatest age of an earlier answer that may be used (seconds). Default: 0, always ask.
        """
        if self.given is not None:
            return self.given
        if self._named is not None and self._is_fresh(oldest):
            return self._named[0]
        if self._request is None or self._request.over:
            self._request = SingleFlight(self._named_now(), "aioflows time zone")
        return await self._request.wait()

    async def _named_now(self) -> Zone:
        began = asyncio.get_running_loop().time()
        zone = attrs.evolve(await self._ask(), clocks=self._clocks)
        self._named = zone, began
        return zone


class ScanZone:
    """The zone that one scan reads in.

    Args:
        zones: the service's zone.
        from_ms: the first millisecond of the query since 1970-01-01 UTC.
        to_ms: the first millisecond after the query's range.
        resumed: the checkpoint that is resumed. None means that there is none. Default: None.

    Raises:
        QueryError: a given zone differs from that of the checkpoint.
    """

    def __init__(self, zones: Zones, from_ms: int, to_ms: int, resumed: Checkpoint | None = None) -> None:
        self._zones = zones
        self._range = from_ms, to_ms
        self.zone: Zone | None = None
        """The zone. None means not known yet."""
        self._used = None if resumed is None else resumed.zone
        self._by_place = resumed is not None and resumed.position is not None
        self._corrections = 0
        if zones.given is not None:
            self.take(zones.given)

    async def find(self) -> Zone:
        """Return the zone. Ask the service if it is not known.

        Raises:
            QueryError: the zone differs from that of the checkpoint.
        """
        if self.zone is None:
            self.take(await self._zones.find())
        assert self.zone is not None
        return self.zone

    def find_none(self) -> Zone:
        """Return a zone for rows whose times say the instant, so that it does not matter which one.

        It is used if the service names none, or another one than that of the checkpoint. The next checkpoint has the
        zone of the checkpoint, or else none.
        """
        self.zone = Zone.parse("UTC") if self._used is None else Zone.of_offsets(self._used.offsets)
        return self.zone

    def take(self, zone: Zone) -> None:
        """Set the zone.

        Raises:
            QueryError: the zone differs from that of the checkpoint.
        """
        used = read_zone(zone, *self._range)
        if self._used is not None:
            self._used.check(used)
        self.zone = self._as_before(zone) if self._by_place else zone
        self._used = used
        self._corrections = 0 if self.zone.clocks is None else self.zone.clocks.corrections

    @property
    def used(self) -> ReadZone | None:
        """The zone's offsets over the range, and the clocks found so far, for a checkpoint.

        None means not known yet.
        """
        if self.zone is None or self.zone.clocks is None or self._used is None:
            return self._used
        corrected = self.zone.clocks.corrections != self._corrections
        mark = [_CORRECTED] if corrected else []
        return attrs.evolve(self._used, clocks=(*self.zone.clocks.shown().items(), *mark))

    def _as_before(self, zone: Zone) -> Zone:
        """Return the zone with the clocks of the checkpoint, since it has a place in an order of their times.

        Raises:
            QueryError: the user gave another clock.
        """
        if zone.clocks is None or self._used is None:
            return zone
        if _CORRECTED in (self._used.clocks or ()):
            raise QueryError(
                "the checkpoint cannot be resumed: its scan found out on the way in which zone the service prints the times "
                "that it is sorted by. Begin again without resume=, and give that zone as FlowSession(other_timezone=...)"
            )
        clocks = zone.clocks.as_recorded(self._used.clocks or ())
        at_ms = self._range[0]
        offset = zone.offset_at(at_ms // 1000)
        if zone.clocks.given is not None and zone.clocks.advances(at_ms, offset) != clocks.advances(
            at_ms, offset
        ):
            raise QueryError(
                "the checkpoint cannot be resumed: it has a place in an order of times that were read in another zone than "
                f"other_timezone={str(zone.clocks.given.tzinfo)!r}. Begin again without resume=, or leave other_timezone out"
            )
        return attrs.evolve(zone, clocks=clocks)


class FollowZone:
    """The zone that a follow reads in, from poll to poll.

    Args:
        zones: the service's zone.
        resumed: the checkpoint that is resumed. None means that there is none. Default: None.

    Raises:
        QueryError: the given zone differs from that of the checkpoint.
    """

    def __init__(self, zones: Zones, resumed: FollowCheckpoint | None = None) -> None:
        self._zones = zones
        self._resumed = resumed
        self._now_ms = 0
        self.zone: Zone | None = None
        """The zone. None means not known yet."""
        if zones.given is not None:
            self._begin(zones.given)

    async def find(self, *, anew: bool = False) -> Zone:
        """Return the zone that the service names.

        Args:
            anew: True to ask the service again, as after an error. Default: False.
        """
        return await self._zones.find(0.0 if anew else _FOR_POLLS)

    @property
    def changes(self) -> bool:
        """True if the service may name another zone later."""
        return self._zones.given is None

    def take(self, named: Zone, now_ms: int) -> bool:
        """Set the zone that the service named. Return True if the zone of rows has changed by it.

        Args:
            named: the zone that the service named.
            now_ms: the service's time (milliseconds since 1970-01-01 UTC).

        Raises:
            QueryError: the zone differs from that of the checkpoint.
        """
        before, since, self._now_ms = self.zone, self._now_ms, now_ms
        if self.zone is None:
            self._begin(named)
        elif self._zones.given is None and not _same(self.zone, named, now_ms):
            changed = _instant_of_change(since - int(1000 * _FOR_POLLS), now_ms)
            offsets = self.zone.offsets(self._begun, changed) if self._begun < changed else ()
            offsets = (*offsets, (changed, named.offset_at(now_ms // 1000)))
            self.zone = attrs.evolve(Zone.of_offsets(offsets), clocks=named.clocks)
        return self.zone != before

    def used(self, checkpoint: FollowCheckpoint) -> FollowCheckpoint:
        """Return the checkpoint together with the zone that its rows were read in."""
        if checkpoint.range is None:
            return checkpoint
        if self.zone is None:
            return attrs.evolve(checkpoint, zone=None if self._resumed is None else self._resumed.zone)
        return attrs.evolve(checkpoint, zone=read_zone(self.zone, *checkpoint.range))

    def _begin(self, zone: Zone) -> None:
        earlier, span = (None, None) if self._resumed is None else (self._resumed.zone, self._resumed.range)
        self._begun = 0 if span is None else span[0]
        if earlier is not None and span is not None:
            last = earlier.offsets[-1][1]
            if (
                self._zones.given is None
                and len(earlier.offsets) > 1
                and zone.offset_at(span[1] // 1000) == last
            ):
                # The service named one offset after the other.
                zone = attrs.evolve(Zone.of_offsets(earlier.offsets), clocks=zone.clocks)
            earlier.check(read_zone(zone, *span))
        self.zone = zone


def _same(zone: Zone, other: Zone, at_ms: int) -> bool:
    return zone.offset_at(at_ms // 1000) == other.offset_at(at_ms // 1000)


def _instant_of_change(after_ms: int, until_ms: int) -> int:
    """Return the instant in a range at which clocks changed: a whole hour, or else a quarter of an hour."""
    for grid in (_HOUR, _QUARTER):
        latest = until_ms // grid * grid
        if latest > after_ms:
            return latest
    return until_ms // 1000 * 1000
