"""One request, done well: attempt after attempt, with waits between, until it is answered or not worth another try.

The retry is the outermost layer: it sleeps between attempts and holds nothing meanwhile, neither a slot nor a socket.
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
from aioflows._net.call import Again, Call, CallTally
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
    """Makes requests of one session, each until it is answered or not worth another try.

    Args:
        transport: carries *one attempt*.
        gate: lets attempts through.
        credentials: signs them.
        policy: how often again, after how long, and how long an attempt may take.
        rng: draws the *jitter*.
        table: which *errors* are tried again.
        watch: is told what happens.
        turns: when to *read* an answer; None: whenever it comes, as far as nobody else shares the loop's time.
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
        self._policy = policy
        self._rng = rng or random.Random()
        self._table = table
        self._watch = watch or Observers()
        self._budget = RetryBudget(
            max(_LEAST_BUDGET, 8 * gate.limit) if policy.budget is None else policy.budget
        )
        self._attempts = Attempts(
            transport,
            gate,
            credentials,
            policy,
            self._budget,
            turns=turns or LoopSlices(),
            fetch=self._fetch_token,
            watch=self._watch,
        )
        # The one door to backoff. Its own jitter would also shorten a wait that the service dictates, its own time limit
        # never fires in time, and its log would show what was sent: so it gets the waits from us, ready to be slept.
        # Decorated once, since each decoration of a function adds to its handlers.
        self._retried = backoff.on_exception(
            self._waits,
            Again,
            max_tries=policy.max_tries,
            jitter=None,
            giveup=_spent,
            on_backoff=self._backing_off,
            logger=None,
        )(self._attempts.make)

    async def call(
        self,
        request: Request,
        read: Callable[[bytes], T],
        *,
        tally: CallTally | None = None,
        tries: int | None = None,
        scan: int | None = None,
    ) -> T:
        """Makes a request and gives what *read* makes of the answer.

        Args:
            request: *what* to send.
            read: understands the *body*; raises an `AioflowsError` where it cannot.
            tally: counts what it costs.
            tries: *attempts* that the service may fail or be too slow at, where that is fewer than the policy's; what
                may go wrong on the way there and back says nothing about the request, and is tried again in any case.
            scan: the *number* of the scan that it belongs to.

        Raises:
            AioflowsError: the error of the last attempt.
        """
        tries = tries or self._policy.max_tries
        return await self._run(Call(lambda: request, read, tally or CallTally(), tries, scan))

    async def _fetch_token(self, make: Callable[[], Request]) -> Token:
        # All wait for it, so it waits for nobody.
        call = Call(make, read_token, CallTally(), self._policy.max_tries, signed=False, ticket=FIRST)
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
        # Outside the except block, and without the frames of the attempt, which held headers and bodies.
        error.__context__ = None
        raise error.with_traceback(None)

    def _waits(self) -> Generator[float, Any, None]:
        seconds = waits(self._policy, self._rng, self._table)
        wait = next(seconds)
        while True:
            again: Again = yield wait
            try:
                wait = seconds.send(again.error)
            except StopIteration:
                return
            # An idle connection that was closed as it was used again is nobody's fault.
            free = isinstance(again.error, Disconnected) and again.call.sent == 1
            if _now() + wait > again.call.deadline or not (free or self._budget.spend()):
                return

    def _backing_off(self, details: Mapping[str, Any]) -> None:
        again: Again = details["exception"]
        call, wait = again.call, details["wait"]
        call.tally.waited += wait
        if self._watch.wanted(Retried):
            self._watch.tell(Retried(**call.facts, wait=wait, error=again.error))

    def __repr__(self) -> str:
        return f"<Caller {self._attempts!r}>"


def _spent(again: Exception) -> bool:
    return isinstance(again, Again) and again.call.failures >= again.call.tries


def _now() -> float:
    return asyncio.get_running_loop().time()
