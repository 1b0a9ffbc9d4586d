"""One attempt at a request: signed, sent through the gate, understood; and what its error means for the next.

The gate is held from signing to the last byte and no longer, so that the signature bears the time of sending, and no slot
is lost to sleeping or reading. A token that has died is renewed outside the gate, as a request of its own that passes
the gate like any other; so no slot waits for another one, even if there is only one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import attrs

from aioflows._core.answers import decipher
from aioflows._net.credentials import Credentials, Fetch
from aioflows._net.gate import Gate
from aioflows._net.transport import Request, SecretHeaders, Transport
from aioflows._net.turns import Turns
from aioflows.errors import (
    AioflowsError,
    AnswerError,
    BadCredentials,
    ServiceError,
    Throttled,
    TokenExpired,
)
from aioflows.events import Paused, Retried
from aioflows.settings import RetryPolicy

__all__ = ["Again", "Attempts", "Call", "Event", "Tally"]

T = TypeVar("T")
Event = Retried | Paused

_log: Final = logging.getLogger("aioflows")
_MOST_REFUSALS: Final = 50
_CLOCK_STEP: Final = 5.0


@attrs.define
class Tally:
    """Counts what a group of calls has cost.

    Args:
        requests: *attempts* sent.
        retries: *attempts* that were not the first of their request.
        throttled: *answers* that said "too many requests".
        waited: *seconds* between attempts, added up.
    """

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    waited: float = 0.0


@attrs.define
class Call(Generic[T]):
    """A request on its way through its attempts."""

    make: Callable[[], Request]
    read: Callable[[bytes], T]
    tally: Tally
    tries: int
    signed: bool = True
    ticket: int | None = None  # its place at the gate, for all of its attempts
    deadline: float = 0.0
    sent: int = 0
    failures: int = 0
    refusals: int = 0
    detours: int = 0  # times that the token died while the call waited at the gate
    clock_corrected: bool = False
    doubt: BadCredentials | None = None
    # Of the latest attempt:
    entered: float = 0.0
    generation: int = 0
    offset: float = 0.0
    status: int = 0


class Again(Exception):
    """Wraps the error of an attempt that may be worth another, so that the retry sees which call it belongs to."""

    def __init__(self, error: AioflowsError, call: Call[Any]) -> None:
        super().__init__()
        self.error = error
        self.call = call


class _TokenDied(Exception):
    """The token died while a call waited at the gate."""


class Attempts:
    """Makes the attempts of all calls of a session.

    Args:
        transport: carries *one attempt*.
        gate: lets attempts through.
        credentials: signs them.
        policy: how long an attempt may take, and what is an answer of "too many requests".
        fetch: gets a new *token*, as a call of its own.
        observer: is called with each event; what it raises is ignored.
        turns: when to *read* an answer.
    """

    def __init__(
        self,
        transport: Transport,
        gate: Gate,
        credentials: Credentials,
        policy: RetryPolicy,
        *,
        turns: Turns,
        fetch: Fetch,
        observer: Callable[[Event], object] | None,
    ) -> None:
        self._transport = transport
        self._gate = gate
        self._credentials = credentials
        self._policy = policy
        self._turns = turns
        self._fetch = fetch
        self._observer = observer

    async def make(self, call: Call[T]) -> T:
        """Makes one attempt; a token that has died is not the request's fault, and costs it no try.

        Raises:
            Again: the attempt failed; whether another is worth it is not known here.
            AioflowsError: it failed for good.
        """
        while True:
            if call.signed:
                await self._credentials.ensure(self._fetch)  # whose errors were tried again already
            if call.doubt is not None and not self._credentials.is_proven(call.generation):
                raise call.doubt
            failure: Exception | None = None
            try:
                return await self._attempt(call)
            except _TokenDied:
                call.detours += 1
            except AioflowsError as error:
                self._credentials.censor(error)
                failure = self._judged(error, call)
            if failure is not None:
                raise failure

    async def _attempt(self, call: Call[T]) -> T:
        if call.ticket is None:
            call.ticket = self._gate.ticket()
        await self._gate.enter(call.ticket)
        try:
            body = await self._exchange(call)
        finally:
            others = self._gate.waiting
            self._gate.leave()
        if others:
            # The next request gets under way before this answer is read: one step until its task runs, another until
            # its bytes are written. Reading is work for the loop, and would keep the slot idle.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await self._turns.take()
        with self._turns:
            return call.read(body)

    async def _exchange(self, call: Call[Any]) -> bytes:
        call.entered, call.status = _now(), 0
        request, headers = self._signed(call)
        sent = self._credentials.local_time()
        self._count(call)
        answer = await self._transport.send(request, headers, self._policy.attempt_timeout)
        call.status = answer.status
        self._credentials.heard(answer.headers.get("Date"), sent)
        now = self._credentials.local_time()
        body = decipher(answer.status, answer.headers, answer.body, self._policy.throttle_codes, now)
        self._gate.accepted()
        if call.signed:
            self._credentials.accepted(call.generation)
        return body

    def _signed(self, call: Call[Any]) -> tuple[Request, SecretHeaders]:
        request = call.make()
        call.generation, call.offset = self._credentials.generation, self._credentials.offset
        if not call.signed:
            return request, SecretHeaders()
        # Where tokens die faster than the gate lets through, the service may judge.
        headers = self._credentials.headers(request.query, request.body, insist=call.detours > 1)
        if headers is None:
            raise _TokenDied
        return request, headers

    def _count(self, call: Call[Any]) -> None:
        call.tally.requests += 1
        if call.sent:
            call.tally.retries += 1
        else:
            call.deadline = call.entered + self._policy.max_elapsed
        call.sent += 1

    # What an error means

    def _judged(self, error: AioflowsError, call: Call[Any]) -> Exception | None:
        """Gives what an error of an attempt leads to: itself, if it is final; `Again`; or None: at once again."""
        if isinstance(error, TokenExpired) and call.signed:
            return self._expired(error, call)
        if isinstance(error, ServiceError) and self._clock_was_wrong(call):
            return None
        if isinstance(error, AnswerError) and not 200 <= call.status < 300 and call.status:
            return error  # a redirect will be one the next time as well
        if isinstance(error, Throttled):
            self._slow_down(error, call)
        call.failures += 1
        return Again(error, call)

    def _expired(self, error: TokenExpired, call: Call[Any]) -> BadCredentials | None:
        if not self._credentials.needed:
            return BadCredentials(error.code, "the service wants to know who asks: pass auth=AppKey(...)")
        call.refusals += 1
        refused = BadCredentials(error.code, f"refused again with a new token: {error.message}")
        if call.refusals >= _MOST_REFUSALS:
            return refused
        # Was it the credentials, or just one more token that has died? While the next one is fetched, it turns out
        # whether the service has taken this one from anybody.
        call.doubt = refused if call.refusals > 1 else None
        self._credentials.refused(call.generation)
        return None

    def _clock_was_wrong(self, call: Call[Any]) -> bool:
        """Whether the refusal itself has told the right time; believed once."""
        wrong = abs(self._credentials.offset - call.offset) > _CLOCK_STEP and not call.clock_corrected
        call.clock_corrected = call.clock_corrected or wrong
        return wrong

    def _slow_down(self, error: Throttled, call: Call[Any]) -> None:
        call.tally.throttled += 1
        wait = error.retry_after or 0.0
        if not wait <= self._policy.max_retry_after:
            return  # too long to wait for, so whoever called decides
        self._gate.throttled(call.entered, wait)
        if self._gate.pause(wait):
            self.tell(Paused(error, wait))

    def tell(self, event: Event) -> None:
        """Lets the observer know."""
        if self._observer is not None:
            try:
                self._observer(event)
            except Exception:  # noqa: BLE001  (it looks on; what it does wrong is not the request's business)
                _log.warning("the observer failed", exc_info=True)

    def __repr__(self) -> str:
        return f"{self._transport!r}, {self._gate!r}, {self._credentials!r}"


def _now() -> float:
    return asyncio.get_running_loop().time()
