"""One request with its retries, until it is answered or another attempt is not allowed.

The retry is the outermost layer. Between attempts it sleeps, and holds neither a slot of the gate nor a
socket.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

import backoff

from aioflows._core.resilience.retry import TABLE, Disconnected, Table, waits
from aioflows._core.resilience.retry_budget import RetryBudget
from aioflows._core.wire.responses import Token, read_token
from aioflows._net.access_token import AccessTokens
from aioflows._net.attempt import Attempts
from aioflows._net.call import Again, Call, CallRules, CallTally
from aioflows._net.gate import FIRST, Gate
from aioflows._net.loop_slices import LoopSlices
from aioflows._net.observers import Observers
from aioflows._net.transport import Request, Transport
from aioflows.errors import AioflowsError
from aioflows.events import Retried
from aioflows.settings import RetryPolicy

__all__ = ["CallTally", "RetryingCaller"]

T = TypeVar("T")

_LEAST_BUDGET = 100


class RetryingCaller:
    """The caller of one session: it sends each request with its retries.

    Args:
        transport: carries one attempt.
        gate: limits attempts.
        credentials: signs attempts.
        policy: the rules for retries, and the time limit of an attempt.
        rng: the random generator for jitter. Default: a new one.
        table: the errors that are retried. Default: `TABLE`.
        watch: receives events. Default: only the log does.
        turns: limits decoding to short slices of the loop. Default: slices that no other caller shares.
    """

    def __init__(
        self,
        transport: Transport,
        gate: Gate,
        credentials: AccessTokens,
        policy: RetryPolicy,
        *,
        rng: random.Random | None = None,
        table: Table = TABLE,
        watch: Observers | None = None,
        turns: LoopSlices | None = None,
    ) -> None:
        self._rng = rng or random.Random()
        self._table = table
        self._watch = watch or Observers()
        size = max(_LEAST_BUDGET, 8 * gate.limit) if policy.budget is None else policy.budget
        self._rules = CallRules(policy, RetryBudget(size))
        self._attempts = Attempts(
            transport,
            gate,
            credentials,
            turns=turns or LoopSlices(),
            fetch=self._fetch_token,
            watch=self._watch,
        )
        # Only this module uses backoff. Its jitter would also shorten a wait that the service asked for, its
        # time limit is checked only after a wait, and its log would show the request. So it gets complete
        # waits from `_waits`, which also counts the attempts, since the rules depend on the call. The function
        # is decorated once, because each decoration adds to its handlers.
        self._retried = backoff.on_exception(
            self._waits,
            Again,
            jitter=None,
            giveup=_is_last,
            on_backoff=self._backing_off,
            logger=None,
        )(self._attempts.make)

    def rules(self, policy: RetryPolicy | None, gate: Gate | None = None) -> CallRules:
        """Return rules for a group of calls.

        Args:
            policy: the rules for its retries. None means those of the session. The calls share the retry
                budget of the session, unless the policy has one.
            gate: a gate of the group. Default: None.
        """
        policy = policy or self._rules.policy
        own = policy is not self._rules.policy and policy.budget is not None
        return CallRules(policy, RetryBudget(policy.budget or 0) if own else self._rules.budget, gate)

    async def call(
        self,
        request: Request,
        read: Callable[[bytes], T],
        *,
        tally: CallTally | None = None,
        tries: int | None = None,
        reads: int | None = None,
    ) -> T:
        """Send a request with its retries. Return the decoded answer.

        Args:
            request: the request.
            read: decodes the body, or raises an `AioflowsError`.
            tally: the costs, which the call adds to. Default: they are not counted.
            tries: the greatest number of attempts that fail by the service, or are too slow. Errors of the
                network do not count. Default: the policy's.
            reads: the greatest number of attempts whose answer cannot be read. A large page may be asked for
                in another way then. Default: the policy's.

        Raises:
            AioflowsError: the error of the last attempt.
        """
        tally = tally or CallTally()
        rules = tally.rules or self._rules
        return await self._run(
            Call(lambda: request, read, tally, rules, tries or rules.policy.max_tries, reads)
        )

    async def _fetch_token(self, make: Callable[[], Request]) -> Token:
        # All requests wait for the token, so its request enters the gate first.
        tries = self._rules.policy.max_tries
        call = Call(make, read_token, CallTally(), self._rules, tries, signed=False, ticket=FIRST)
        return await self._run(call)

    async def _run(self, call: Call[T]) -> T:
        try:
            answer: T = await self._retried(call)
        except Again as again:
            error = again.error
        except AioflowsError as final:
            error = final
        else:
            return answer
        # Raised outside the except block and without its traceback, whose frames hold headers and bodies.
        error.__context__ = None
        raise error.with_traceback(None)

    def _waits(self) -> Generator[float, Any, None]:
        again: Again = yield 0.0
        rules = again.call.rules
        seconds = waits(rules.policy, self._rng, self._table)
        next(seconds)
        for _ in range(1, rules.policy.max_tries):
            try:
                wait = seconds.send(again.error)
            except StopIteration:
                return
            # A server may close an idle connection at the moment of its reuse. Such a retry costs nothing
            # (RFC 9112, 9.3.1).
            free = isinstance(again.error, Disconnected) and again.call.sent == 1
            if _now() + wait > again.call.deadline or not (free or rules.budget.spend()):
                return
            again = yield wait

    def _backing_off(self, details: Mapping[str, Any]) -> None:
        again: Again = details["exception"]
        call, wait = again.call, details["wait"]
        call.tally.waited += wait
        if self._watch.wanted(Retried):
            self._watch.emit(Retried(**call.event_fields, wait=wait, error=again.error))

    def __repr__(self) -> str:
        return f"<RetryingCaller {self._attempts!r}>"


def _is_last(again: Exception) -> bool:
    if not isinstance(again, Again):
        return False
    call = again.call
    return call.failures >= call.tries or (call.reads is not None and call.unread >= call.reads)


def _now() -> float:
    return asyncio.get_running_loop().time()
