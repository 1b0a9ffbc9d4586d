"""A deployment, gateway and service with all their quirks, as a function of a request and the time.

A request passes these steps: throttling, scripted faults, the check of its token and signature, and the
answer. A real gateway also throttles before it checks a token.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterable, Mapping

import attrs

from aioflows.emulator.faults.script import Script, replacement, spoil
from aioflows.emulator.gateway.options import Access, Trouble
from aioflows.emulator.gateway.throttling import Limiter, http_date
from aioflows.emulator.gateway.tokens import TOKEN_PATHS, Gateway
from aioflows.emulator.reply import Reply, json_reply, plain
from aioflows.emulator.service.changes import Changes
from aioflows.emulator.service.live import Life
from aioflows.emulator.service.operations import Route, Service, envelope, route
from aioflows.emulator.service.options import Quirks
from aioflows.emulator.service.request_log import Record
from aioflows.emulator.service.search import Refusal, Search


@attrs.frozen(kw_only=True)
class ReceivedRequest:
    """A request, with header names in lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes


@attrs.define
class _Visit:
    """The state of a request while it is answered."""

    request: ReceivedRequest
    arguments: dict[str, str]
    route: Route
    number: int
    now_ms: float
    search: Search | None = None
    rows: int = 0
    outcome: str = "ok"


class Deployment:
    """A deployment that answers requests.

    Args:
        service: the service behind the gateway.
        quirks: how the service answers.
        access: what the gateway requires.
        trouble: the faults.
        changes: the changes between answers.
        life: the runs that go on as time does. None means that time brings no run.
        record: the log of requests.
        seed: the seed of all random draws.
    """

    def __init__(
        self,
        service: Service,
        *,
        quirks: Quirks,
        access: Access,
        trouble: Trouble,
        changes: Changes,
        life: Life | None,
        record: Record,
        seed: int,
    ) -> None:
        self._service = service
        self._quirks = quirks
        self._changes = changes
        self._life = life
        self._record = record
        self._rng = random.Random(f"{seed} latency")
        self._script = Script(trouble, seed)
        self._received = 0
        self._date = (0, "")
        self._first_answer = b""
        self.gateway = Gateway(access, seed)
        self.limiter = Limiter(access)
        self.hooks: list[Callable[[int], object]] = []

    def respond(self, request: ReceivedRequest, now_ms: float) -> Reply:
        """Return the reply to a request that comes at a time (ms since the epoch)."""
        arguments = dict(request.query)
        visit = _Visit(request, arguments, _route(request, arguments), 0, now_ms)
        operation = visit.route.operation
        self._received += 1
        self._record.requests[operation] += 1
        visit.number = self._record.requests[operation]
        reply = self._answer(visit)
        if operation == "search":
            self._record.note(visit.number, now_ms, visit.search, visit.rows, visit.outcome)
        return self._with_headers_and_delay(reply, visit)

    def _answer(self, visit: _Visit) -> Reply:
        counts, key, now_ms = self._record.requests, visit.route.key, self._server_ms(visit)
        if self._script.down(now_ms):
            return self._unreachable(visit)
        if self.limiter.early(now_ms):
            counts["early"] += 1
        wait = self.limiter.wait(now_ms)
        if wait:
            counts["throttled"] += 1
            visit.outcome = "throttled"
            return self.limiter.refusal(wait, key, now_ms)
        fault = self._script.fault(visit.route.operation, visit.number, self._received)
        if fault is None:
            return self._honest(visit)
        if fault.kind == "outage":
            self._script.go_down(fault.seconds, now_ms)
            return self._unreachable(visit)
        counts["faults"] += 1
        reply = replacement(fault, key, self.limiter, now_ms) or spoil(self._honest(visit), fault)
        visit.outcome = fault.kind
        return reply

    def _unreachable(self, visit: _Visit) -> Reply:
        self._record.requests["faults"] += 1
        visit.outcome = "outage"
        return Reply(503, {}, b"", wire="reset")

    def _honest(self, visit: _Visit) -> Reply:
        found, request, now_ms = visit.route, visit.request, int(self._server_ms(visit))
        if found.problem is not None:
            return found.problem
        if found.operation in ("token", "refresh"):
            return self.gateway.token(found.operation, request.body, now_ms)
        problem = self.gateway.problem(found.key, request.query, request.headers, request.body, now_ms)
        if problem is not None:
            visit.outcome = "unauthorized"
            return problem
        try:
            return self._serve(visit, now_ms)
        except Refusal as refusal:
            if refusal.status != 200:
                visit.outcome = f"http-{refusal.status}"
                return plain(refusal.status, refusal.message)
            visit.outcome = str(refusal.code)
            return json_reply(envelope(found.key, refusal.code, refusal.message))

    def _serve(self, visit: _Visit, now_ms: int) -> Reply:
        service, found = self._service, visit.route
        if self._life is not None:
            self._life.advance(now_ms)
        if found.operation == "search":
            return self._search(visit)
        if found.operation == "get":
            return json_reply(service.get(found.key, visit.arguments))
        if found.operation == "timezone":
            return json_reply(service.timezone(found.key, now_ms))
        return json_reply(service.time(found.key, now_ms))

    def _search(self, visit: _Visit) -> Reply:
        content_type = visit.request.headers.get("content-type", "")
        search = self._service.read(visit.arguments, content_type, visit.request.body)
        if isinstance(search, Reply):
            visit.outcome = f"http-{search.status}"
            return search
        visit.search = search
        self._changes.before(visit.number, search.filter, visit.now_ms)
        for hook in self.hooks:
            hook(visit.number)
        quirks = self._quirks
        widest = quirks.widest_window
        if widest is not None and search.filter.to_ms - search.filter.from_ms > widest * 1000:
            visit.outcome = "http-504"
            return plain(504, "504 Gateway Time-out")
        with self._changes.as_seen(visit.number):
            page = self._service.find(search, visit.number)
        visit.rows = len(page.rows)
        every = quirks.empty_answers
        visit.outcome = "empty" if every and visit.number % every == 0 else "ok"
        body = self._service.print(visit.route.key, page)
        if quirks.same_answer:
            self._first_answer = body = self._first_answer or body
        return json_reply(body)

    def _server_ms(self, visit: _Visit) -> float:
        return visit.now_ms + self._quirks.clock_skew * 1000

    def _with_headers_and_delay(self, reply: Reply, visit: _Visit) -> Reply:
        """Return the reply with the server's date and a delay, compressed if the client accepts gzip."""
        quirks, headers = self._quirks, dict(reply.headers)
        second = int(self._server_ms(visit)) // 1000
        if self._date[0] != second:
            self._date = (second, http_date(second * 1000))
        headers["Date"] = self._date[1]
        body = reply.body
        accepted = visit.request.headers.get("accept-encoding", "")
        if quirks.compress and "gzip" in accepted and body and "Content-Encoding" not in headers:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, 1, mtime=0)
        delay = reply.delay + quirks.latency + quirks.latency_per_row * visit.rows
        if quirks.latency_spread:
            delay += self._rng.random() * quirks.latency_spread
        return attrs.evolve(reply, headers=headers, body=body, delay=delay)


def _route(request: ReceivedRequest, arguments: dict[str, str]) -> Route:
    operation = TOKEN_PATHS.get(request.path)
    if operation is None:
        return route(request.method, request.path, arguments)
    wrong = None if request.method == "POST" else plain(405, "405 Method Not Allowed", Allow="POST")
    return Route(operation, "status", wrong)


def as_request(
    method: str, path: str, query: Iterable[tuple[str, str]], headers: Mapping[str, str], body: bytes
) -> ReceivedRequest:
    """Return a request in its normal form: the method in upper case, header names in lower case."""
    return ReceivedRequest(
        method=method.upper(),
        path=path,
        query=tuple((str(name), str(value)) for name, value in query),
        headers={name.lower(): value for name, value in headers.items()},
        body=body,
    )
