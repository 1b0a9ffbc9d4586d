"""One request, done well: attempt after attempt, with waits between, until it is answered or not worth another try.

The retry is the outermost layer: it sleeps between attempts and holds nothing meanwhile, neither a slot nor a socket.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

import backoff

from aioflows._core.answers import Token, read_token
from aioflows._core.retry import TABLE, Table, waits
from aioflows._net.attempt import Again, Attempts, Call, Event, Tally
from aioflows._net.credentials import Credentials
from aioflows._net.gate import FIRST, Gate
from aioflows._net.transport import Request, Transport
from aioflows._net.turns import Turns
from aioflows.errors import AioflowsError
from aioflows.events import Retried
from aioflows.settings import RetryPolicy

__all__ = ["Caller", "Tally"]

T = TypeVar("T")


class Caller:
    """Makes requests of one session, each until it is answered or not worth another try.

    Args:
        transport: carries *one attempt*.
        gate: lets attempts through.
        credentials: signs them.
        policy: how often again, after how long, and how long an attempt may take.
        rng: draws the *jitter*.
        table: which *errors* are tried again.
        observer: is called with each `Retried` and `Paused`; what it raises is ignored.
        turns: when to *read* an answer; None: whenever it comes, as far as nobody else shares the loop's time.
    """

    def __init__(
        self,
        transport: Transport,
        gate: Gate,
        credentials: Credentials,
        policy: RetryPolicy,
        *,
        rng: random.Random | None = None,
        table: Table = TABLE,
        observer: Callable[[Event], object] | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._policy = policy
        self._rng = rng or random.Random()
        self._table = table
        self._attempts = Attempts(
            transport,
            gate,
            credentials,
            policy,
            turns=turns or Turns(),
            fetch=self._fetch_token,
            observer=observer,
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
        tally: Tally | None = None,
        tries: int | None = None,
    ) -> T:
        """Makes a request and gives what *read* makes of the answer.

        Args:
            request: *what* to send.
            read: understands the *body*; raises an `AioflowsError` where it cannot.
            tally: counts what it costs.
            tries: *attempts*, where that is fewer than the policy's; 1: no retry.

        Raises:
            AioflowsError: the error of the last attempt.
        """
        return await self._run(Call(lambda: request, read, tally or Tally(), tries or self._policy.max_tries))

    async def _fetch_token(self, make: Callable[[], Request]) -> Token:
        # All wait for it, so it waits for nobody.
        call = Call(make, read_token, Tally(), self._policy.max_tries, signed=False, ticket=FIRST)
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
            if _now() + wait > again.call.deadline:
                return

    def _backing_off(self, details: Mapping[str, Any]) -> None:
        again: Again = details["exception"]
        again.call.tally.waited += details["wait"]
        self._attempts.tell(Retried(again.error, details["tries"], details["wait"]))

    def __repr__(self) -> str:
        return f"<Caller {self._attempts!r}>"


def _spent(again: Exception) -> bool:
    return isinstance(again, Again) and again.call.failures >= again.call.tries


def _now() -> float:
    return asyncio.get_running_loop().time()
