"""One attempt at a request, and the consequence of its error.

An attempt is signed, sent through the gate and decoded.

A slot of the gate is held from signing to the last byte. So the signature has the time of sending, and no
slot is held while a request sleeps or an answer is decoded. An expired token is renewed outside the gate. The
renewal is a separate request that passes the gate like any other, so no slot waits for another slot, even if
there is only one.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, TypeVar

from aioflows._core.resilience.retry import Disconnected, Garbled, Refused, crowded
from aioflows._core.wire.responses import decipher
from aioflows._core.wire.retry_after import resets_alone
from aioflows._core.wire.search_page import SearchPage
from aioflows._net.access_token import AccessTokens, Fetch
from aioflows._net.call import Again, Call
from aioflows._net.gate import Gate, Ticket
from aioflows._net.loop_slices import LoopSlices
from aioflows._net.observers import Observers
from aioflows._net.transport import Answer, PooledTransport, Queue, Request, SecretHeaders, Transport
from aioflows.errors import (
    AioflowsError,
    AnswerError,
    BadCredentials,
    BrokenBody,
    ServerFault,
    ServiceError,
    Throttled,
    TimedOut,
    TokenExpired,
)
from aioflows.events import Paused, RequestThrottled

__all__ = ["Attempts"]

T = TypeVar("T")

_MOST_REFUSALS: Final = 50
_CLOCK_STEP: Final = 5.0
_CLOSED: Final = (
    0.5  # how much an answer that cannot be read a closed connection counts for, beside good answers
)
_UNAVAILABLE: Final = 503  # "temporary overload", or something else (RFC 9110, section 15.6.4)


class _ExpiredAtGate(Exception):
    """The token expired while a call waited at the gate."""


class Attempts:
    """The attempts of all calls of a session.

    Args:
        transport: carries one attempt.
        gate: limits attempts.
        credentials: signs attempts.
        fetch: fetches a new token, by a separate call.
        turns: limits decoding to short slices of the loop.
        watch: receives events.
    """

    def __init__(
        self,
        transport: Transport,
        gate: Gate,
        credentials: AccessTokens,
        *,
        turns: LoopSlices,
        fetch: Fetch,
        watch: Observers,
    ) -> None:
        self._transport = transport
        self._gate = gate
        self._credentials = credentials
        self._turns = turns
        self._fetch = fetch
        self._watch = watch
        self._resets_count = True
        self._pool = transport if isinstance(transport, PooledTransport) else None

    async def make(self, call: Call[T]) -> T:
        """Make one attempt and return its answer. An expired token does not count as an attempt.

        Raises:
            Again: the attempt failed. The caller decides about another one.
            AioflowsError: the attempt failed, and another one cannot succeed.
        """
        while True:
            if call.signed:
                await self._credentials.ensure(self._fetch)  # the token request has retries of its own
            if call.unproven_refusal is not None and not self._credentials.is_proven(call.generation):
                raise call.unproven_refusal
            failure: Exception | None = None
            try:
                answer = await self._attempt(call)
            except _ExpiredAtGate:
                call.expiries += 1
            except AioflowsError as error:
                self._credentials.redact(error)
                # An observer may keep the error, and the frames of its traceback hold headers and bodies.
                error.__traceback__ = error.__context__ = None
                call.ended(self._watch, _now(), error=error)
                failure = self._consequence(error, call)
            except asyncio.CancelledError:
                call.ended(self._watch, _now(), cancelled=True)
                raise
            else:
                call.ended(self._watch, _now(), rows=len(answer) if isinstance(answer, SearchPage) else None)
                return answer
            if failure is not None:
                raise failure

    async def _attempt(self, call: Call[T]) -> T:
        if call.ticket is None:
            call.ticket = self._gate.ticket(call.tally.round)
            call.tally.round = call.ticket[0]
        if self._pool is not None:
            self._gate.limit_to(self._pool.connections)  # the pool of a given session may have changed
        own = call.rules.gate
        if own is not None:
            await own.enter(call.ticket)
        try:
            body, others = await self._pass_gate(call, call.ticket)
        finally:
            if own is not None:
                own.leave()
        if others:
            # The next request starts before this answer is decoded: one step until its task runs, another
            # until its bytes are written. Otherwise the slot would be idle during decoding.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await self._turns.take()
        with self._turns:
            return call.read(body)

    async def _pass_gate(self, call: Call[Any], ticket: Ticket) -> tuple[bytes, int]:
        """Return the body of an answer, and the number of attempts that waited when it came."""
        await self._gate.enter(ticket)
        try:
            body = await self._exchange(call)
        finally:
            others = self._gate.waiting
            self._gate.leave()
        return body, others

    async def _exchange(self, call: Call[Any]) -> bytes:
        call.entered, call.answered, call.status, call.size = _now(), 0.0, 0, None
        request, headers = self._signed(call)
        sent = self._credentials.local_time()
        self._count(call)
        call.sends(self._watch, request)
        answer = await self._send(call, request, headers)
        call.answered, call.status, call.size = _now(), answer.status, len(answer.body)
        self._credentials.adjust_clock(answer.headers.get("Date"), sent)
        now = self._credentials.local_time()
        body = decipher(
            answer.status,
            answer.headers,
            answer.body,
            call.rules.policy.throttle_codes,
            now,
            resets=self._resets_count,
        )
        if self._resets_count and resets_alone(answer.headers):
            # Good answers have the reset header as well, so that it means nothing without a wait or a
            # refusal.
            self._resets_count = False
        self._gate.accepted()
        if call.rules.gate is not None:
            call.rules.gate.accepted()
        call.rules.budget.earn()
        if call.signed:
            self._credentials.accepted(call.generation)
        return body

    async def _send(self, call: Call[Any], request: Request, headers: SecretHeaders) -> Answer:
        policy = call.rules.policy
        if self._pool is None:
            return await self._transport.send(request, headers, policy.attempt_timeout)
        queue = Queue(policy.max_elapsed, call.queued)
        return await self._pool.send_queued(request, headers, policy.attempt_timeout, queue)

    def _signed(self, call: Call[Any]) -> tuple[Request, SecretHeaders]:
        request = call.make()
        call.generation, call.offset = self._credentials.generation, self._credentials.offset
        if not call.signed:
            return request, SecretHeaders()
        # If tokens expire faster than the gate admits, the request is sent anyway and the service decides.
        headers = self._credentials.headers(request.query, request.body, insist=call.expiries > 1)
        if headers is None:
            raise _ExpiredAtGate
        return request, headers

    def _count(self, call: Call[Any]) -> None:
        call.tally.requests += 1
        if call.sent:
            call.tally.retries += 1
        else:
            call.deadline = call.entered + call.rules.policy.max_elapsed
        call.sent += 1

    # The consequence of an error

    def _consequence(self, error: AioflowsError, call: Call[Any]) -> Exception | None:
        """Return the exception to raise: the error if it is final, or `Again`.

        None means to repeat at once.
        """
        if isinstance(error, TokenExpired) and call.signed:
            return self._expired(error, call)
        if call.signed:
            # A lost request may have used up a token that is valid for a few requests only.
            self._credentials.accepted(call.generation)
        if isinstance(error, ServiceError) and self._clock_was_wrong(call):
            return None
        if isinstance(error, AnswerError) and not 200 <= call.status < 300 and call.status:
            return error  # as a redirect, which would be the same next time
        if isinstance(error, Throttled):
            self._slow_down(error, call)
        elif call.status == _UNAVAILABLE and self._gate.unavailable(call.entered):
            call.tally.throttled += 1
        elif isinstance(error, (Disconnected, Refused)) and self._gate.closed(call.entered):
            call.tally.throttled += 1
            call.unread += _CLOSED  # or it is what was asked for, and not too many
            return Again(crowded(error), call)
        elif isinstance(error, (ServerFault, TimedOut)):
            call.failures += 1  # other errors do not depend on what the request asks for
        elif isinstance(error, (AnswerError, BrokenBody, Garbled)) or (
            isinstance(error, Disconnected) and call.sent > 1
        ):
            call.unread += 1
        return Again(error, call)

    def _expired(self, error: TokenExpired, call: Call[Any]) -> BadCredentials | None:
        if not self._credentials.needed:
            return BadCredentials(
                error.code, "the service asks for a signature, and no keys were given; pass auth=AppKey(...)"
            )
        call.refusals += 1
        refused = BadCredentials(error.code, f"refused again with a new token: {error.message}")
        if call.refusals >= _MOST_REFUSALS:
            return refused
        # The second refusal may mean wrong credentials, or just another expired token. While the next token
        # is fetched, other requests show whether the service accepts this one.
        call.unproven_refusal = refused if call.refusals > 1 else None
        self._credentials.refused(call.generation)
        return None

    def _clock_was_wrong(self, call: Call[Any]) -> bool:
        """Return True if the refusal corrected the clock. It counts once per call."""
        if not self._credentials.needed:
            return False  # unsigned requests have no timestamp
        wrong = abs(self._credentials.offset - call.offset) > _CLOCK_STEP and not call.clock_corrected
        call.clock_corrected = call.clock_corrected or wrong
        return wrong

    def _slow_down(self, error: Throttled, call: Call[Any]) -> None:
        call.tally.throttled += 1
        if self._watch.wanted(RequestThrottled):
            self._watch.emit(
                RequestThrottled(**call.event_fields, retry_after=error.retry_after, error=error)
            )
        wait = error.retry_after or 0.0
        if not wait <= call.rules.policy.max_retry_after:
            return  # the wait is too long, so the retry gives up and the caller decides
        self._gate.throttled(call.entered, wait)
        if self._gate.pause(wait) and self._watch.wanted(Paused):
            self._watch.emit(Paused(seconds=wait, error=error))

    def __repr__(self) -> str:
        return f"{self._transport!r}, {self._gate!r}, {self._credentials!r}"


def _now() -> float:
    return asyncio.get_running_loop().time()
