"""The operations of the service, one request each, by their documented names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TypeVar

import attrs

from aioflows._core.pages.filter_checks import checks_of
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.wire.endpoints import Address
from aioflows._core.wire.responses import read_instance, read_time, read_zone
from aioflows._core.wire.search import read_search
from aioflows._core.wire.search_page import SearchPage
from aioflows._core.wire.search_request import search_body
from aioflows._core.wire.zone import Zone
from aioflows._net.retrying import CallTally, RetryingCaller
from aioflows._net.transport import Request
from aioflows.models import FlowInstance, ScheduleType
from aioflows.query import FlowQuery

__all__ = ["Operations", "checked_instances"]

T = TypeVar("T")

_ANY_ZONE = Zone.parse("UTC")


class Operations:
    """The operations of one service, for one user.

    Args:
        address: the URLs of the operations.
        identity: the query parameters of the user and the organization.
        caller: sends requests.
        usable: raises an error if the session may not send requests.
        throttle_codes: the envelope codes that mean "too many requests".
    """

    def __init__(
        self,
        address: Address,
        identity: tuple[tuple[str, str], ...],
        caller: RetryingCaller,
        usable: Callable[[], None],
        throttle_codes: Collection[int],
    ) -> None:
        self._address = address
        self._identity = identity
        self._caller = caller
        self._check_usable = usable
        self._throttle_codes = throttle_codes

    async def search(
        self, query: FlowQuery, tally: CallTally, type: ScheduleType, ask: PageRequest
    ) -> SearchPage:
        """Return one page of a scan ("List Flow Instances").

        Args:
            query: the query of the scan.
            tally: the costs of the scan.
            type: the schedule type of the request.
            ask: the request.
        """
        body = search_body(
            attrs.evolve(query, status=(), owner="", expression="") if ask.bare else query,
            type=type,
            from_ms=ask.from_ms,
            to_ms=ask.to_ms,
            page_no=ask.page_no,
            page_size=ask.page_size,
            sorters=ask.sorters,
            expression=ask.expression,
            status=ask.status,
        )
        read = partial(
            read_search,
            throttle_codes=self._codes(tally),
            whole=ask.whole,
            page_no=ask.page_no,
            sorter=ask.sorters[0],
        )
        return await self._call(self._search(body), read, tally, tries=ask.tries, reads=ask.reads)

    async def page(
        self,
        query: FlowQuery,
        type: ScheduleType,
        page_no: int,
        page_size: int,
        *,
        tries: int | None = None,
        tally: CallTally | None = None,
    ) -> SearchPage:
        """Return one page of a query's own order ("List Flow Instances").

        Args:
            query: the query.
            type: the schedule type of the request.
            page_no: the number of the page.
            page_size: rows per page.
            tries: the greatest number of attempts. None means the policy's. Default: None.
            tally: the costs of the request, and its rules. Default: None, not counted.
        """
        body = search_body(
            query,
            type=type,
            from_ms=query.from_ms,
            to_ms=query.to_ms,
            page_no=page_no,
            page_size=page_size,
            sorters=query.sorters,
        )
        sorter = query.sorters[0] if query.sorters else None
        read = partial(read_search, throttle_codes=self._codes(tally), page_no=page_no, sorter=sorter)
        return await self._call(self._search(body), read, tally, tries=tries)

    def _codes(self, tally: CallTally | None) -> Collection[int]:
        rules = None if tally is None else tally.rules
        return self._throttle_codes if rules is None else rules.policy.throttle_codes

    def _search(self, body: bytes) -> Request:
        return Request(
            "POST", self._address.instances, (("action", "search"), *self._identity), body, "search"
        )

    async def instance(
        self, name: str, *, tally: CallTally | None = None
    ) -> Callable[[Zone, Sequence[int] | None], FlowInstance]:
        """Ask for one flow instance by its id ("Get Flow Instance").

        Return a function that decodes it in a zone, with the offset at its trigger time, if that is known.
        """
        where = (("action", "get"), ("flowInstId", name), *self._identity)
        request = Request("GET", self._address.instances, where, operation="get")

        def read(body: bytes) -> Callable[[Zone, Sequence[int] | None], FlowInstance]:
            read_instance(body, _ANY_ZONE)  # an error here causes a retry
            return partial(read_instance, body)

        return await self._call(request, read, tally)

    async def time_ms(self) -> int:
        """Return the service's time ("Get Current Time") in milliseconds since 1970-01-01 UTC."""
        return await self._call(self._time("getCurrentTime"), read_time)

    async def zone(self) -> Zone:
        """Return the zone of the service's times ("Get Timezone")."""
        return await self._call(self._time("getTimeZone"), read_zone)

    def _time(self, action: str) -> Request:
        return Request("GET", self._address.time, (("action", action),), operation=action)

    async def _call(
        self,
        request: Request,
        read: Callable[[bytes], T],
        tally: CallTally | None = None,
        *,
        tries: int | None = None,
        reads: int | None = None,
    ) -> T:
        self._check_usable()
        return await self._caller.call(request, read, tally=tally, tries=tries, reads=reads)


def checked_instances(
    query: FlowQuery, page: SearchPage, zone: Zone, offsets: Sequence[int] | None = None
) -> list[FlowInstance]:
    """Return the instances of a page.

    Args:
        query: the query.
        page: the page.
        zone: the zone of the trigger times.
        offsets: the offset at each trigger time (s east of Greenwich). Default: None, unknown.

    Raises:
        CompletenessError: an instance does not match the query's filters.
    """
    instances = page.instances(zone, offset=offsets)
    if (checks := checks_of(query)) is not None:
        checks.check(instances)
    return instances
