"""Which zone a service's times are in: given by the user, or named by the service ("Get Timezone").

1. The service names one offset, that of the moment. So it is asked anew for each scan, each page and each single instance:
   a session may live longer than summer time does. All who ask while a request is under way share its answer.
2. Polls of a follow come by themselves and often: for these, what was named up to a minute ago will do. Where a follow finds
   that the offset has changed, it knows the minutes within which that was. Clocks change at a quarter of an hour, so it
   knows the instant as well, and reads what was triggered before it in the offset of then.
3. One scan reads in one zone from its start to its end, whatever is named meanwhile. Where it resumes an earlier one, that
   zone has to mean the same, and this is checked before anything is handed out.

It is asked beside the request whose answer it is needed for, so it costs no time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import attrs

from aioflows._core.wire.zone import Zone
from aioflows._net.single_flight import SingleFlight
from aioflows.checkpoint import FollowCheckpoint, ReadZone

__all__ = ["FollowZone", "ScanZone", "Zones", "read_zone"]

_FOR_POLLS = 60.0
"""Seconds for which polls of a follow go by what the service has named."""

_QUARTER, _HOUR = 900_000, 3_600_000  # milliseconds


def read_zone(zone: Zone, from_ms: int, to_ms: int) -> ReadZone:
    """Return what a zone means over a range, in *milliseconds* since 1970."""
    return ReadZone(str(zone.tzinfo), zone.offsets(from_ms, to_ms))


class Zones:
    """The zone of one service.

    Args:
        given: the zone that the user gave; None: the service is asked.
        ask: asks the service.
    """

    def __init__(self, given: Zone | None, ask: Callable[[], Coroutine[Any, Any, Zone]]) -> None:
        self.given = given
        self._ask = ask
        self._named: tuple[Zone, float] | None = None
        self._request: SingleFlight[Zone] | None = None

    async def find(self, oldest: float = 0.0) -> Zone:
        """Return the zone.

        Args:
            oldest: *seconds* since the service named it, up to which it need not be asked again.
        """
        if self.given is not None:
            return self.given
        now = asyncio.get_running_loop().time()
        if self._named is not None and now - self._named[1] < oldest:
            return self._named[0]
        if self._request is None or self._request.over:
            self._request = SingleFlight(self._named_now(), "aioflows time zone")
        return await self._request.wait()

    async def _named_now(self) -> Zone:
        began = asyncio.get_running_loop().time()
        zone = await self._ask()
        self._named = zone, began
        return zone


class ScanZone:
    """The zone that one scan reads in.

    Args:
        zones: the service's zone.
        from_ms: the first *millisecond* of its query.
        to_ms: the first behind it.
        resumed: the zone of the scan that it goes on with; None: there is none, or it did not note it.

    Raises:
        QueryError: a zone was given, and it is not the one of the scan that is to be resumed.
    """

    def __init__(self, zones: Zones, from_ms: int, to_ms: int, resumed: ReadZone | None = None) -> None:
        self._zones = zones
        self._range = from_ms, to_ms
        self.zone: Zone | None = None
        """It; None: not known yet."""
        self.used = resumed
        """What it means, for a checkpoint; None: not known yet."""
        if zones.given is not None:
            self.take(zones.given)

    async def find(self) -> Zone:
        """Return it; ask the service first if need be.

        Raises:
            QueryError: it is not the one of the scan that is to be resumed.
        """
        if self.zone is None:
            self.take(await self._zones.find())
        assert self.zone is not None
        return self.zone

    def take(self, zone: Zone) -> None:
        """Read in a zone from now on.

        Raises:
            QueryError: it is not the one of the scan that is to be resumed.
        """
        used = read_zone(zone, *self._range)
        if self.used is not None:
            self.used.check(used)
        self.zone, self.used = zone, used


class FollowZone:
    """The zone that a follow reads in, from poll to poll.

    Args:
        zones: the service's zone.
        resumed: what an earlier follow has left; None: there is none.

    Raises:
        QueryError: a zone was given, and it is not the one of the follow that is to be resumed.
    """

    def __init__(self, zones: Zones, resumed: FollowCheckpoint | None = None) -> None:
        self._zones = zones
        self._resumed = resumed
        self._now_ms = 0
        self.zone: Zone | None = None
        """It; None: not known yet."""
        if zones.given is not None:
            self._begin(zones.given)

    async def find(self, *, anew: bool = False) -> Zone:
        """Return what the service names as its zone.

        Args:
            anew: ask the service again in any case, as after an error.
        """
        return await self._zones.find(0.0 if anew else _FOR_POLLS)

    @property
    def changes(self) -> bool:
        """Whether the service may name another zone later."""
        return self._zones.given is None

    def take(self, named: Zone, now_ms: int) -> bool:
        """Read in what the service has named; return True if that has changed what rows are read in.

        Args:
            named: the *zone* that it has named.
            now_ms: the service's *time*.

        Raises:
            QueryError: it is not the one of the follow that is to be resumed.
        """
        before, since, self._now_ms = self.zone, self._now_ms, now_ms
        if self.zone is None:
            self._begin(named)
        elif self._zones.given is None and not _same(self.zone, named, now_ms):
            turn = _turn(since - int(1000 * _FOR_POLLS), now_ms)
            offsets = self.zone.offsets(self._begun, turn) if self._begun < turn else ()
            self.zone = Zone.of_offsets([*offsets, (turn, named.offset_at(now_ms // 1000))])
        return self.zone != before

    def used(self, checkpoint: FollowCheckpoint) -> FollowCheckpoint:
        """Return a checkpoint with the zone that its rows were read in."""
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
                zone = Zone.of_offsets(earlier.offsets)  # the service has named them one after the other
            earlier.check(read_zone(zone, *span))
        self.zone = zone


def _same(zone: Zone, other: Zone, at_ms: int) -> bool:
    return zone.offset_at(at_ms // 1000) == other.offset_at(at_ms // 1000)


def _turn(after_ms: int, until_ms: int) -> int:
    """Return the instant in a stretch at which clocks were changed: a whole hour if there is one, or else a quarter."""
    for grid in (_HOUR, _QUARTER):
        latest = until_ms // grid * grid
        if latest > after_ms:
            return latest
    return until_ms // 1000 * 1000
