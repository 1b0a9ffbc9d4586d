"""The operations of the service, one request each, by their documented names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TypeVar

from aioflows._core.wire.endpoints import Address
from aioflows._core.wire.responses import read_instance, read_time, read_zone
from aioflows._core.wire.search import SearchPage, read_search, search_body
from aioflows._core.wire.zone import Zone
from aioflows._net.retrying import CallTally, RetryingCaller
from aioflows._net.transport import Request
from aioflows.models import FlowInstance, ScheduleType
from aioflows.query import FlowQuery

__all__ = ["Operations"]

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
        self._read_page = partial(read_search, throttle_codes=throttle_codes)

    async def search(
        self,
        query: FlowQuery,
        type: ScheduleType,
        from_ms: int,
        to_ms: int,
        *,
        page_no: int,
        page_size: int,
        sorters: Sequence[tuple[str, bool]],
        expression: str = "",
        status: Collection[int] | None = None,
        whole: bool = False,
        tally: CallTally | None = None,
        tries: int | None = None,
        reads: int | None = None,
        scan: int | None = None,
    ) -> SearchPage:
        """Return one page ("List Flow Instances").

        The arguments are those of `search_body`, `read_search` and `RetryingCaller.call`.
        """
        body = search_body(
            query,
            type=type,
            from_ms=from_ms,
            to_ms=to_ms,
            page_no=page_no,
            page_size=page_size,
            sorters=sorters,
            expression=expression,
            status=status,
        )
        where = (("action", "search"), *self._identity)
        request = Request("POST", self._address.instances, where, body, "search")
        read = partial(self._read_page, whole=whole, page_no=page_no, sorter=sorters[0] if sorters else None)
        return await self._call(request, read, tally=tally, tries=tries, reads=reads, scan=scan)

    async def instance(self, name: str) -> Callable[[Zone, Sequence[int] | None], FlowInstance]:
        """Ask for one flow instance by its id ("Get Flow Instance").

        Return a function that decodes it in a zone, with the offset at its trigger time, if that is known.
        """
        where = (("action", "get"), ("flowInstId", name), *self._identity)
        request = Request("GET", self._address.instances, where, operation="get")

        def read(body: bytes) -> Callable[[Zone, Sequence[int] | None], FlowInstance]:
            read_instance(body, _ANY_ZONE)  # an error here causes a retry
            return partial(read_instance, body)

        return await self._call(request, read)

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
        *,
        tally: CallTally | None = None,
        tries: int | None = None,
        reads: int | None = None,
        scan: int | None = None,
    ) -> T:
        self._check_usable()
        return await self._caller.call(request, read, tally=tally, tries=tries, reads=reads, scan=scan)
