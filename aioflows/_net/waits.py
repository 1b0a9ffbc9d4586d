"""The waits of a session for the statuses of instances. All of them share one task, which polls.

1. The task runs while there is a wait, and polls for all of them at once. `SharedPoll` chooses the requests.
2. A wait is ended only by an answer whose request was sent after the wait began. So an earlier state, as of an
   instance that was just run again, never ends it.
3. Polls are a second apart at first, and further apart while no status changes. A new wait is looked at within
   a second.
4. The retry policy lives through outages. Its last error ends all waits. An error about one instance ends the
   waits for that instance only.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

import attrs

from aioflows._core.wait.id_times import hinted_ms
from aioflows._core.wait.looks import InstanceLook, WindowLook
from aioflows._core.wait.shared_poll import SharedPoll, ShownRow
from aioflows._core.wire.search_page import SearchPage
from aioflows._core.wire.zone import Zone
from aioflows._net.row_dates import RowDates
from aioflows._net.scan_reader import SessionParts
from aioflows._net.zone_check import ZoneCheck
from aioflows.errors import (
    AnswerError,
    Denied,
    NotFound,
    ServiceError,
    TransportError,
    WaitTimeout,
)
from aioflows.models import FlowInstance
from aioflows.query import FlowQuery

__all__ = ["Waits"]

_BUDGET: Final = 3
"""Requests of one poll."""
_FIRST_INTERVAL: Final = 1.0  # seconds
_GROWTH: Final = 1.5
_LONG_ROUND: Final = 3
"""Polls after which a round that brings news goes on sooner."""
_SOON: Final = 0.25
"""The interval within such a round (seconds)."""
_JITTER: Final = 0.2
"""The share by which intervals vary, so that many processes do not poll together."""
_ZONE_AGE: Final = 60.0
"""The greatest age of the service's zone (seconds)."""
_SEARCH_TRIES: Final = 3
"""Attempts of a search. An instance that it would have shown is then requested by its id."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OF_ONE_INSTANCE: Final = (Denied, NotFound, AnswerError)


@attrs.define(eq=False)
class _WaitCall:
    """One call of `Waits.wait`.

    Args:
        ids: the ids that are still waited for.
        until: the statuses that end the wait.
        grace: how long an instance may stay unknown (seconds).
        longest: the longest interval between two polls (seconds).
        joined: the number of requests that were sent before.
    """

    ids: set[str]
    until: frozenset[int]
    grace: float
    longest: float
    joined: int
    future: asyncio.Future[None]
    shown: dict[str, FlowInstance] = attrs.field(factory=dict)
    unknown_since: dict[str, float] = attrs.field(factory=dict)

    def end(self, error: Exception | None = None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(copy.copy(error))


class Waits:
    """The waits of one session.

    Args:
        parts: the parts of the session.
        dates: dates the rows that answers show.
        zone_check: checks the zone of these rows.
        rng: the random generator of the jitter.
    """

    def __init__(self, parts: SessionParts, dates: RowDates, zone_check: ZoneCheck, rng: Random) -> None:
        self._parts = parts
        self._dates = dates
        self._zone_check = zone_check
        self._rng = rng
        self._plan = SharedPoll(parts.limits.page_size)
        self._calls: dict[str, set[_WaitCall]] = {}
        """The calls that wait for an instance, by its id."""
        self._new: set[str] = set()
        """The ids that were waited for since the last poll began."""
        self._task: asyncio.Task[None] | None = None
        self._bell = asyncio.Event()
        self._sent = 0
        self._changed = False
        self._first_page = 0
        self._page_seen = False

    # One wait

    async def wait(
        self,
        ids: Sequence[str],
        until: frozenset[int],
        *,
        timeout: float | None,
        grace: float,
        longest: float,
    ) -> list[FlowInstance]:
        """Return the instances once each has had one of the statuses.

        Args:
            ids: the ids.
            until: the codes of the statuses.
            timeout: the longest wait (seconds). None means no limit.
            grace: how long an instance may stay unknown (seconds).
            longest: the longest interval between two polls (seconds).

        Raises:
            WaitTimeout: an instance had none of the statuses in time.
            NotFound: the service does not know an instance.
        """
        future = asyncio.get_running_loop().create_future()
        call = _WaitCall(set(ids), until, grace, longest, self._sent, future)
        if not call.ids:
            return []
        self._add(call)
        try:
            await asyncio.wait([future], timeout=timeout)
        finally:
            await self._leave(call)
        if not future.done():
            raise _timed_out(call, timeout)
        future.result()
        return [call.shown[name] for name in ids]

    def _add(self, call: _WaitCall) -> None:
        for name in call.ids:
            self._calls.setdefault(name, set()).add(call)
        self._new |= call.ids
        self._bell.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="aioflows wait")

    async def _leave(self, call: _WaitCall) -> None:
        for name in list(call.ids):
            self._drop(call, name)
        if call.future.done() and not call.future.cancelled():
            call.future.exception()  # it is raised to the caller, unless the caller was cancelled
        if not self._calls:
            await self._stop()

    def _drop(self, call: _WaitCall, name: str) -> None:
        waiting = self._calls.get(name, set())
        waiting.discard(call)
        if not waiting:
            self._calls.pop(name, None)
            self._new.discard(name)
            self._plan.forget(name)

    def _all_calls(self) -> set[_WaitCall]:
        return {call for calls in self._calls.values() for call in calls}

    async def aclose(self) -> None:
        """End all waits with an error, and the task."""
        self._end_all(RuntimeError("the session was closed while it waited; make a new one"))
        await self._stop()

    async def _stop(self) -> None:
        """Stop polling. A wait that begins meanwhile starts a task of its own."""
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])

    def _end_all(self, error: Exception) -> None:
        for call in self._all_calls():
            call.end(error)

    # Polls

    async def _run(self) -> None:
        try:
            await self._poll_on()
        except Exception as error:  # noqa: BLE001  (the waits raise it)
            self._end_all(error)

    async def _poll_on(self) -> None:
        """Poll until no wait is left."""
        loop = asyncio.get_running_loop()
        interval, polls = _FIRST_INTERVAL, 0
        while True:
            began = loop.time()
            self._bell.clear()
            self._changed = False
            await self._poll()
            calls = [call for call in self._all_calls() if not call.future.done()]
            if not calls:
                return
            if self._plan.has_single_looks:
                continue  # a request for each of many new instances would take long at this pace
            longest = min(call.longest for call in calls)
            polls = 0 if self._plan.round_over else polls + 1
            if polls > _LONG_ROUND and (self._changed or self._plan.unlooked):
                interval = _SOON
            elif self._changed or not self._plan.round_over or any(call.unknown_since for call in calls):
                interval = _FIRST_INTERVAL
            else:
                interval = min(interval * _GROWTH, longest)
            await self._rest(began, self._with_jitter(interval, longest))

    def _with_jitter(self, interval: float, longest: float) -> float:
        longer = interval * self._rng.uniform(1.0, 1.0 + _JITTER)
        return longer if longer <= longest else longest * self._rng.uniform(1.0 - _JITTER, 1.0)

    async def _rest(self, began: float, seconds: float) -> None:
        """Sleep until the next poll. A new wait shortens the sleep, but polls stay a second apart."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(began + min(seconds, _FIRST_INTERVAL) - loop.time())
        with suppress(TimeoutError):
            async with asyncio.timeout_at(began + seconds):
                await self._bell.wait()

    async def _poll(self) -> None:
        budget = _BUDGET - (not self._parts.zones.is_known(_ZONE_AGE))
        zone = await self._parts.zones.find(_ZONE_AGE)
        for name in self._new:
            self._plan.watch(name, hinted_ms(name, zone))
        self._new.clear()
        self._plan.begin(budget, {call.until for call in self._all_calls()})
        while (look := self._plan.look()) is not None:
            self._sent += 1
            if isinstance(look, InstanceLook):
                await self._look_at_instance(look.instance_id, zone)
            else:
                await self._look_at_window(look, zone)

    async def _look_at_instance(self, name: str, zone: Zone) -> None:
        sent = self._sent
        try:
            read = await self._parts.operations.instance(name)
            one = read(attrs.evolve(zone, clocks=None), None)
            assert one.trigger_time is not None, "an answer without a trigger time is refused"
            instance = await self._dates.read(read, [one.trigger_time.replace(tzinfo=None)], [name], zone)
        except NotFound as error:
            self._plan.unknown(name)
            self._not_found(name, error)
        except (ServiceError, AnswerError) as error:
            if type(error) is not ServiceError and not isinstance(error, _OF_ONE_INSTANCE):
                raise
            for call in list(self._calls.get(name, ())):
                call.end(error)
            self._plan.unknown(name)
        else:
            assert instance.trigger_time is not None
            await self._zone_check.warn(zone, [instance], None, self._plan.spend)
            self._plan.shown((name, _ms(instance.trigger_time)))
            self._deliver(name, instance, sent)

    def _not_found(self, name: str, error: NotFound) -> None:
        now = asyncio.get_running_loop().time()
        for call in list(self._calls.get(name, ())):
            if now - call.unknown_since.setdefault(name, now) >= call.grace:
                call.end(error)

    async def _look_at_window(self, look: WindowLook, zone: Zone) -> None:
        sent, service = self._sent, self._parts.service
        query = FlowQuery(look.from_ms, look.to_ms, type=look.type, status=look.status)
        try:
            page = await self._first(query, look)
        except (ServiceError, TransportError, AnswerError) as error:
            if isinstance(error, Denied):
                raise
            self._plan.failed()
            return
        picked = [at for at, name in enumerate(page.ids) if name in self._calls]
        instances = await self._dates.read(
            lambda zone, offsets: page.instances(zone, picked, offset=offsets),
            page.walls,
            page.ids,
            zone,
            query,
        )
        rows: list[ShownRow] = [(one.instance_id, _time_of(one)) for one in instances]
        if page.ids and (not picked or picked[-1] != len(page) - 1):
            rows.append((page.ids[-1], _ms(zone.aware(page.walls[-1:])[0])))
        last = len(page) < look.page_size and (service.cap is None or len(page) < service.cap)
        self._plan.page(rows, len(page), last=last)
        await self._zone_check.warn(zone, instances, [look.type], self._plan.spend)
        for instance in instances:
            self._deliver(instance.instance_id, instance, sent)

    async def _first(self, query: FlowQuery, look: WindowLook) -> SearchPage:
        """Return the first page. While its number is unknown, page 1 is tried where page 0 has no rows."""
        known = self._parts.service.first_page
        if known is not None or self._page_seen:
            return await self._page(query, look, self._first_page if known is None else known)
        try:
            page = await self._page(query, look, 0)
        except (ServiceError, AnswerError):
            if not self._plan.spend():
                raise
        else:
            self._page_seen = len(page) > 0
            if self._page_seen or not self._plan.spend():
                return page
        page = await self._page(query, look, 1)
        if len(page):
            self._first_page, self._page_seen = 1, True
        return page

    async def _page(self, query: FlowQuery, look: WindowLook, number: int) -> SearchPage:
        size = self._parts.service.usual(look.page_size)
        return await self._parts.operations.page(query, look.type, number, size, tries=_SEARCH_TRIES)

    def _deliver(self, name: str, instance: FlowInstance, sent: int) -> None:
        """Pass an instance to the calls that began before its request was sent."""
        for call in list(self._calls.get(name, ())):
            if call.joined >= sent:
                continue
            before = call.shown.get(name)
            call.unknown_since.pop(name, None)
            call.shown[name] = instance
            self._changed |= before is None or before.status != instance.status
            if instance.status in call.until:
                call.ids.discard(name)
                self._drop(call, name)
                if not call.ids:
                    call.end()


def _timed_out(call: _WaitCall, timeout: float | None) -> WaitTimeout:
    left = {name: call.shown[name].status if name in call.shown else None for name in sorted(call.ids)}
    return WaitTimeout(timeout or 0.0, left)


def _ms(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(milliseconds=1)


def _time_of(instance: FlowInstance) -> int:
    assert instance.trigger_time is not None, "a page without trigger times is refused"
    return _ms(instance.trigger_time)
