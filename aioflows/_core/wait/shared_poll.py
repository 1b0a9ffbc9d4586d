"""The polls of all waits of a session: which request shows the most instances that are waited for.

1. The status of an instance is believed only from an answer that shows its row. An answer that lacks the row
   proves nothing: it only chooses the next request. In the end the instance is requested by its id.
2. A *round* looks at every watched instance once. A *poll* is a part of a round: at most so many requests as
   its budget allows. So the requests of a poll do not grow with the number of instances.
3. One search shows the instances of one schedule type in a window. Where their window has few other rows, it
   requests all statuses. Where it has many, it requests first the statuses that end no wait, since few rows
   have them, and then the statuses that end one.
4. A search that shows next to none of its instances is not repeated in this round. Each of them is then
   requested by its id.

Times are those of rows where one was shown, and hints from ids before (`aioflows._core.wait.id_times`). An
instance without either is looked for near the others, since runs that are waited for together were mostly
triggered together.
"""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import attrs

from aioflows._core.wait.looks import InstanceLook, Look, WindowLook
from aioflows.models import FlowStatus, ScheduleType

__all__ = ["SharedPoll", "ShownRow"]

_MARGIN: Final = 1_000
"""How much wider a window is at both ends (ms), since a service may exclude or round its bounds."""

_NEAR: Final = 3_600_000
"""How far from the others an instance without a known time is looked for (ms)."""

_CODES: Final = frozenset(int(status) for status in FlowStatus)
_TYPES: Final = (ScheduleType.PERIODIC, ScheduleType.TEMPORARY, ScheduleType.MANUAL)
_LARGER: Final = 4
"""A page may be so many times larger than usual, if that many instances are waited for."""
_CROWDED: Final = 4
"""Rows per shown instance from which a window is crowded by others."""
_MANY: Final = 3
"""Instances that one poll can request by their ids."""
_RECENT: Final = 32
_WORTH: Final = 2
"""Instances that a search must show to go on."""


class _Filter(enum.Enum):
    """The statuses of a search."""

    ALL = enum.auto()
    OPEN = enum.auto()
    """Those that leave a wait open."""
    ENDING = enum.auto()
    """Those that end a wait."""
    NEAR = enum.auto()
    """Those that leave a wait open, of instances whose trigger time is unknown."""


_Search = tuple[ScheduleType, _Filter]
ShownRow = tuple[str, int]
"""The id of a row, and its trigger time (ms since the epoch)."""


@attrs.define
class _Awaited:
    at_ms: int | None
    type: ScheduleType | None = None


class SharedPoll:
    """The watched instances, and the request that comes next.

    Args:
        page_size: the usual page size (rows).
    """

    def __init__(self, page_size: int) -> None:
        self._page_size = page_size
        self._larger = True
        """True until a page that was larger than usual failed."""
        self._watched: dict[str, _Awaited] = {}
        self._todo: dict[str, list[_Search]] = {}
        """The instances that this round has not shown, with the searches that may show them."""
        self._unlooked: set[str] = set()
        """The instances that were not looked at since they were added."""
        self._density: dict[ScheduleType, float] = {}
        """The rows per millisecond of a crowded window."""
        self._near_from: dict[ScheduleType, int] = {}
        """Where the search for instances without a known time goes on (ms since the epoch)."""
        self._recent: deque[int] = deque(maxlen=_RECENT)
        """The trigger times of the last instances that were shown (ms since the epoch)."""
        self._open: tuple[int, ...] = ()
        self._ending: tuple[int, ...] = ()
        self._budget = 0
        self._look: Look | None = None
        self._search: _Search | None = None

    def __repr__(self) -> str:
        return f"<SharedPoll {len(self._watched)} watched, {len(self._todo)} left in this round>"

    # Instances

    @property
    def instance_ids(self) -> Collection[str]:
        """The ids of the watched instances."""
        return self._watched.keys()

    @property
    def round_over(self) -> bool:
        """True if every watched instance was looked at in this round."""
        return not self._todo

    @property
    def unlooked(self) -> bool:
        """True if an instance was not looked at since it was added."""
        return bool(self._unlooked)

    @property
    def has_single_looks(self) -> bool:
        """True if a request is needed for each of many new instances, since no search is expected to show them."""
        return sum(not self._todo[name] for name in self._unlooked) > _MANY

    def watch(self, instance_id: str, hint_ms: int | None) -> None:
        """Watch an instance, also if it is watched already. The present round looks at it from now on.

        Args:
            instance_id: its id.
            hint_ms: its presumable trigger time (ms since the epoch). None means unknown.
        """
        self._watched.setdefault(instance_id, _Awaited(hint_ms))
        self._unlooked.add(instance_id)
        self._todo.pop(instance_id, None)
        self._todo[instance_id] = self._searches_for(instance_id)

    def forget(self, instance_id: str) -> None:
        """Stop watching an instance."""
        self._watched.pop(instance_id, None)
        self._settle(instance_id)

    # Polls

    def begin(self, budget: int, ending: Iterable[Collection[int]]) -> None:
        """Begin a poll, and a round if the last one is over.

        Args:
            budget: the greatest number of requests.
            ending: the statuses that end a wait, for each kind of wait.
        """
        kinds = [frozenset(one) for one in ending]
        self._ending = tuple(sorted(_CODES.intersection(*[frozenset().union(*kinds)])))
        self._open = tuple(sorted(_CODES.difference(frozenset.intersection(*kinds)))) if kinds else ()
        self._budget = budget
        if not self._todo:
            crowded = self._crowded_types()
            self._near_from.clear()
            self._todo = {name: self._searches_for(name, crowded) for name in self._watched}

    def look(self) -> Look | None:
        """Return the next request of this poll, and count it. None means that the poll is over."""
        if not self._todo or self._budget < 1:
            return None
        self._look = None if len(self._todo) <= self._budget else self._best_window()
        if self._look is None:
            # The fewest searches left: an instance that no search is expected to show.
            self._look = InstanceLook(min(self._todo, key=lambda name: len(self._todo[name])))
        self._budget -= 1
        return self._look

    def _best_window(self) -> WindowLook | None:
        """Return the search that may show the most instances. None means that none may show several."""
        groups = Counter(searches[0] for searches in self._todo.values() if searches)
        for search, members in groups.most_common():
            within = self._within(search)
            if members > 1 and within is not None:
                self._search = search
                return self._window(search, members, within)
        return None

    def spend(self) -> bool:
        """Count one more request of this poll. Return False if none is left."""
        self._budget -= 1
        return self._budget >= 0

    def _window(self, search: _Search, members: int, within: tuple[int, int]) -> WindowLook:
        type, filter = search
        size = self._page_size
        if self._larger:
            size = max(size, min(_LARGER * size, 2 * members))
        status = {_Filter.ALL: (), _Filter.ENDING: self._ending}.get(filter, self._open)
        return WindowLook(type, max(0, within[0] - _MARGIN), within[1] + 1_000 + _MARGIN, status, size)

    def _within(self, search: _Search) -> tuple[int, int] | None:
        """Return the first and the last trigger time that a search is for. None means that they are unknown."""
        type, filter = search
        if filter is not _Filter.NEAR:
            times = [self._time(name) for name in self._members(search)]
            return min(times), max(times)
        known = [one.at_ms for one in self._watched.values() if one.at_ms is not None] or self._recent
        if not known:
            return None
        first = self._near_from.get(type, min(known) - _NEAR)
        return first, max(first, max(known) + _NEAR)

    def _members(self, search: _Search) -> list[str]:
        return [name for name, searches in self._todo.items() if searches and searches[0] == search]

    def _time(self, name: str) -> int:
        at_ms = self._watched[name].at_ms
        assert at_ms is not None, "without a time there is no search for an instance"
        return at_ms

    # Answers

    def shown(self, row: ShownRow) -> None:
        """Note that the answer to the present request shows a watched instance."""
        name, at_ms = row
        watched = self._watched.get(name)
        if watched is None:
            return
        watched.at_ms = at_ms
        self._recent.append(at_ms)
        if isinstance(self._look, WindowLook):
            watched.type = self._look.type
        self._settle(name)

    def unknown(self, instance_id: str) -> None:
        """Note that the service does not know an instance now. The next round asks again."""
        self._settle(instance_id)

    def page(self, rows: Sequence[ShownRow], count: int, *, last: bool) -> None:
        """Process the page that answers the present request.

        Args:
            rows: the rows of watched instances, and the last row of the page.
            count: the number of all rows on the page.
            last: False if more rows may follow.
        """
        search, look = self._search, self._look
        assert search is not None
        assert isinstance(look, WindowLook)
        before = len(self._members(search))
        for row in rows:
            self.shown(row)
        left = self._members(search)
        found = before - len(left)
        reached = rows[-1][1] if rows else look.to_ms
        type, filter = search
        cut = filter is _Filter.ALL and found > 0  # every instance that exists would have been shown
        if not rows or (last and not cut):
            self._drop(search, left)
        elif filter is _Filter.NEAR:
            self._near_from[type] = reached
            self._drop(search, left if found < _WORTH else ())
        else:
            self._drop(search, [name for name in left if self._time(name) < reached])
            left = self._members(search)
            if filter is _Filter.ALL and count >= _CROWDED * max(found, 1):
                self._density[type] = count / max(reached - look.from_ms, 1)
                self._drop(search, left, _filtered(type))
            elif found < _WORTH:
                self._drop(search, left)

    def failed(self) -> None:
        """Note that the present search failed: try a page of the usual size, or other requests."""
        search, look = self._search, self._look
        assert search is not None
        assert isinstance(look, WindowLook)
        if look.page_size > self._page_size:
            self._larger = False
        else:
            self._drop(search, self._members(search))

    def _settle(self, name: str) -> None:
        self._todo.pop(name, None)
        self._unlooked.discard(name)

    def _drop(self, search: _Search, names: Iterable[str], instead: Sequence[_Search] = ()) -> None:
        for name in names:
            assert self._todo[name][0] == search
            self._todo[name][:1] = instead

    # Searches

    def _searches_for(self, name: str, crowded: Collection[ScheduleType] = ()) -> list[_Search]:
        watched = self._watched[name]
        types = self._types() if watched.type is None else [watched.type]
        if watched.at_ms is None:
            return [(type, _Filter.NEAR) for type in types]
        return [
            search
            for type in types
            for search in (_filtered(type) if type in crowded else ((type, _Filter.ALL),))
        ]

    def _types(self) -> list[ScheduleType]:
        """Return the schedule types, those of most instances first."""
        counts = Counter(one.type for one in self._watched.values())
        return sorted(_TYPES, key=counts.__getitem__, reverse=True)

    def _crowded_types(self) -> set[ScheduleType]:
        """Return the types whose windows are expected to have too many rows of other instances."""
        times: dict[ScheduleType | None, list[int]] = {}
        for one in self._watched.values():
            if one.at_ms is not None:
                times.setdefault(one.type, []).append(one.at_ms)
        return {
            type
            for type, density in self._density.items()
            if (within := times.get(type))
            and density * (max(within) - min(within)) > max(self._page_size, _CROWDED * len(within))
        }


def _filtered(type: ScheduleType) -> tuple[_Search, ...]:
    return (type, _Filter.OPEN), (type, _Filter.ENDING)
