"""The service behind the gateway: List Flow Instances and its siblings, as a function of request and time.

v2.0 of the service (``/dataflow-batch-service/v2.0``) has the same operations under other paths, and ``status``
instead of ``code`` in the envelope.
"""

from __future__ import annotations

import json
import random
from itertools import accumulate

import attrs

from aioflows.emulator.reply import Reply, json_reply, plain
from aioflows.emulator.service.constraints import Constraints
from aioflows.emulator.service.find import Chance, FoundPage, find_page
from aioflows.emulator.service.options import Quirks
from aioflows.emulator.service.render import PageRow, Renderer
from aioflows.emulator.service.search import (
    EMPTY_PARAMETER,
    ILLEGAL_PARAMETER,
    Refusal,
    Search,
    read_search,
)
from aioflows.emulator.world.clock import Clock, gmt, zone_named
from aioflows.emulator.world.options import World
from aioflows.emulator.world.store import Store

NO_SUCH_USER, DENIED = 62101, 62103
NO_SUCH_INSTANCE = 62104
"""A guess: the documentation names no code for an instance that does not exist."""

_NOTHING = {
    "empty-data": b',"data":{}',
    "empty-array": b',"data":[]',
    "null-data": b',"data":null',
    "no-data": b"",
    "text-data": b',"data":""',
    "false-data": b',"data":false',
    "object-list": b',"data":{"flowInsts":{},"count":0}',
    "text-list": b',"data":{"flowInsts":"","count":"0"}',
    "false-list": b',"data":{"flowInsts":false}',
}
_BASES = {"/batch-processing-service/v2.1": "code", "/dataflow-batch-service/v2.0": "status"}
_ACTIONS = {
    ("flowInstances", "search"): ("POST", "search"),
    ("flowInstances", "get"): ("GET", "get"),
    ("time", "getTimeZone"): ("GET", "timezone"),
    ("time", "getCurrentTime"): ("GET", "time"),
}


@attrs.frozen
class Route:
    """The operation of a request.

    Attributes:
        operation: "search", "get", "timezone", "time", "token", "refresh", "state" or "other".
        key: the name of the member with the code in the envelope.
        problem: the answer to an unknown operation. None means that the operation is known.
    """

    operation: str
    key: str = "code"
    problem: Reply | None = None


def route(method: str, path: str, query: dict[str, str]) -> Route:
    """Return the operation of a request to the service."""
    base, _, resource = path.rpartition("/")
    if base not in _BASES or resource not in ("flowInstances", "time"):
        return Route("other", problem=plain(404, "404 Not Found"))
    key = _BASES[base]
    known = _ACTIONS.get((resource, query.get("action", "")))
    if known is None:
        code = ILLEGAL_PARAMETER if query.get("action") else EMPTY_PARAMETER
        return Route("other", key, json_reply(envelope(key, code, "parameter action is not legal")))
    allowed, operation = known
    if method != allowed:
        return Route("other", key, plain(405, "405 Method Not Allowed", Allow=allowed))
    return Route(operation, key)


def envelope(key: str, code: int, message: str, data: str = "null") -> str:
    """Return the service's envelope around `data`, a JSON text."""
    return f'{{"{key}":{code},"msg":{json.dumps(message)},"data":{data}}}'


class Service:
    """The service, which answers requests that have passed the gateway.

    Args:
        store: the rows.
        renderer: writes rows as JSON.
        world: the switches of the rows.
        quirks: how the service answers.
        constraints: the limits of the service.
        clock: the clock of the server's zone.
    """

    def __init__(
        self,
        store: Store,
        renderer: Renderer,
        world: World,
        quirks: Quirks,
        constraints: Constraints,
        clock: Clock,
    ) -> None:
        self._store = store
        self._renderer = renderer
        self._world = world
        self._quirks = quirks
        self._constraints = constraints
        self._clock = clock

    def read(self, query: dict[str, str], content_type: str, body: bytes) -> Search | Reply:
        """Return the search in a request, or a `Reply` if its content type is not JSON.

        Raises:
            Refusal: the search is not legal.
        """
        if content_type.partition(";")[0].strip().lower() != "application/json":
            return plain(415, "415 Unsupported Media Type")
        self._check_user(query)
        return read_search(body)

    def find(self, search: Search, number: int) -> FoundPage:
        """Return the page that answers a search with a number."""
        if self._quirks.empty_answers and number % self._quirks.empty_answers == 0:
            return FoundPage([], 0)
        return find_page(
            self._store,
            search,
            self._quirks,
            self._constraints,
            self._chance(number),
            self._clock,
            self._sendable,
        )

    def _sendable(self, rows: list[PageRow]) -> list[PageRow]:
        """Return the rows of a page that the user may see, up to the cap on bytes."""
        rows = [row for row in rows if self._store.visible(row[0])]
        most = self._constraints.page_bytes
        if most is None:
            return rows
        ends = accumulate(map(len, self._renderer.rows(rows)))
        return rows[: max(1, sum(end <= most for end in ends))]

    def _chance(self, number: int) -> Chance:
        quirks, seed = self._quirks, self._world.seed
        rng = random.Random(f"{seed} search {number}")
        turns = {"replicas": rng.randrange(quirks.replicas), "two-plans": 0}
        turn = turns.get(quirks.ties, number)
        return Chance(seed * 1_000_003 + turn, rng.randint(0, quirks.cap_spread))

    def print(self, key: str, page: FoundPage) -> bytes:
        """Return the answer that holds a page."""
        rows = self._renderer.rows(page.rows)
        if not rows:
            return b'{"%b":0,"msg":"OK"%b}' % (key.encode(), self._nothing(page.count))
        listed = b",".join(rows)
        return b'{"%b":0,"msg":"OK","data":{"flowInsts":[%b],"count":%d}}' % (
            key.encode(),
            listed,
            page.count,
        )

    def _nothing(self, count: int) -> bytes:
        way = self._constraints.nothing_as
        if way in _NOTHING:
            return _NOTHING[way]
        if way == "no-list":
            return b',"data":{"count":%d}' % count
        listed = b"null" if way == "null" or self._quirks.null_list else b"[]"
        return b',"data":{"flowInsts":%b,"count":%d}' % (listed, count)

    def get(self, key: str, query: dict[str, str]) -> str:
        """Return the answer to Get Flow Instance."""
        self._check_user(query)
        id = query.get("flowInstId", "")
        if not id:
            raise Refusal(EMPTY_PARAMETER, "flowInstId must not be empty")
        columns = "id, flow, status, trigger_ms, start_ms, end_ms, create_ms"
        row = self._store.execute(f"SELECT {columns} FROM inst WHERE id = ?", (id,)).fetchone()  # noqa: S608
        if row is None:
            raise Refusal(NO_SUCH_INSTANCE, "flow instance does not exist")
        if not self._store.visible(id):
            raise Refusal(DENIED, "user has no privilege")
        return envelope(key, 0, "OK", self._renderer.rows([row])[0].decode())

    def timezone(self, key: str, now_ms: int) -> str:
        """Return the answer to Get Timezone: the offset at this time, even if the zone has summer time."""
        claimed = self._quirks.claimed_zone
        if self._quirks.full_zone_name:
            claimed = claimed or self._world.zone
        elif claimed is None:
            claimed = gmt(self._clock.offset_ms(now_ms))
        elif claimed != "Z" and not claimed.startswith("GMT"):
            claimed = gmt(Clock(zone_named(claimed)).offset_ms(now_ms))
        return envelope(key, 0, "OK", f'{{"timezone":{json.dumps(claimed)}}}')

    def time(self, key: str, now_ms: int) -> str:
        """Return the answer to Get Current Time."""
        return envelope(key, 0, "OK", str(now_ms))

    def _check_user(self, query: dict[str, str]) -> None:
        for name, expected in (("userId", self._quirks.user_id), ("orgId", self._quirks.org_id)):
            given = query.get(name, "")
            if not given:
                raise Refusal(EMPTY_PARAMETER, f"{name} must not be empty")
            if expected is not None and given != expected:
                raise Refusal(NO_SUCH_USER, "userId does not exist, or does not match orgId")
        if self._quirks.denied:
            raise Refusal(DENIED, "user has no privilege")
