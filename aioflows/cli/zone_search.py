"""Finds how far trigger times are off, where a row was not found at its own time. For ``aioflows doctor``.

1. Zones lie on a grid of 15 minutes, and 26 hours apart at most.
2. The neighbours of the row's time, as the service prints them, leave few shifts: a row that is answered for the time
   from T lies there, whatever it prints.
3. A shift counts only if the row itself was found in its window. No bound of a window is near the row, since services
   treat bounds in several ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import attrs

from aioflows import FlowInstance, FlowQuery, FlowSession
from aioflows.query import SortKey

__all__ = ["RowSearch"]

_QUARTER = timedelta(minutes=15)
_MOST = 104  # quarters of an hour
_WIDEST = (_MOST + 1) * _QUARTER
_MARGIN = timedelta(minutes=7)
_ROUNDED = timedelta(seconds=61)  # by which a service may move a bound of a range
_USUAL = (timedelta(), timedelta(hours=8))  # the zones that a service prints most often
_FEW = 4  # quarters; a usual zone is not guessed where so few are left


@attrs.frozen
class RowSearch:
    """A search for one row.

    Args:
        session: an open session with the zone that is checked.
        query: a query whose page shows the row.
        first_page: the number of its first page.
        size: the size of pages.
        row: the row.
        moment: its trigger time in the zone that is checked.
    """

    session: FlowSession
    query: FlowQuery
    first_page: int
    size: int
    row: FlowInstance
    moment: datetime

    async def is_shown(self) -> bool:
        """Return True if the row lies at its own time."""
        return await self._is_within(0, 1)

    async def shift(self) -> timedelta | None:
        """Return how much later the row lies than its trigger time says. None means that it is nowhere."""
        low, high = await self._range()
        for guess in self._guesses(low, high):
            if await self._is_within(guess, guess + 1):
                return guess * _QUARTER
        if not await self._is_within(low, high):
            low, high = -_MOST, _MOST
            if not await self._is_within(low, high):
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if await self._is_within(low, middle) else (middle, high)
        return low * _QUARTER

    def _guesses(self, low: int, high: int) -> Iterator[int]:
        offset = self.moment.utcoffset()
        if offset is not None and high - low > _FEW:
            for usual in _USUAL:
                guess = (offset - usual) // _QUARTER
                if guess and low <= guess < high:
                    yield guess

    async def _range(self) -> tuple[int, int]:
        """Return the least shift, and the one after the greatest, that the neighbours leave (quarters of an hour)."""
        later = await self._neighbour(self.moment, self.moment + _WIDEST, "trigger_time")
        sooner = await self._neighbour(self.moment - _WIDEST, self.moment, "-trigger_time")
        low, high = -_MOST, _MOST
        if later is not None:
            low = max(low, -((later - self.moment + _ROUNDED) // _QUARTER))
        if sooner is not None:
            high = min(high, (self.moment - sooner + _ROUNDED) // _QUARTER + 1)
        return (low, high) if low < high else (-_MOST, _MOST)

    async def _neighbour(self, first: datetime, last: datetime, order_by: SortKey) -> datetime | None:
        query = attrs.evolve(self.query, from_trigger_time=first, to_trigger_time=last, order_by=order_by)
        page = await self.session.page(query, self.first_page, self.size)
        return page.instances[0].trigger_time if page.instances else None

    async def _is_within(self, low: int, high: int) -> bool:
        query = attrs.evolve(
            self.query,
            from_trigger_time=self.moment + low * _QUARTER - _MARGIN,
            to_trigger_time=self.moment + high * _QUARTER - _MARGIN,
            expression=self.row.instance_id,
            order_by="trigger_time",
        )
        page = await self.session.page(query, self.first_page, self.size)
        return any(one.instance_id == self.row.instance_id for one in page.instances)
