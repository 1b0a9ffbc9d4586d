"""Which error is worth another try, and after how long: one table and one generator, with no clock.

The table is read from the top, and the first line that fits an error is its rule. A line names a class of errors, or a
code of the service's envelope. What no line fits is final.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from random import Random

import attrs

from aioflows.errors import (
    AioflowsError,
    AnswerError,
    BrokenBody,
    ConnectFailed,
    ServerFault,
    Throttled,
    TimedOut,
    TransportError,
)
from aioflows.settings import RetryPolicy

__all__ = [
    "FINAL",
    "TABLE",
    "Disconnected",
    "Garbled",
    "PoolExhausted",
    "Refused",
    "Rejected",
    "Rule",
    "Table",
    "TooLarge",
    "crowded",
    "rule_of",
    "waits",
]

_CROWDED = (
    "{error}, while it answered other requests: most likely too many requests at a time or a second; where waiting does not "
    "help, set Limits(rate=...) to what it bears, or a lower Limits(concurrency=...)"
)


class Disconnected(TransportError):
    """The connection was closed before any byte of an answer."""


class Rejected(Disconnected):
    """The same as one of several, beside good answers: a way to say "too many requests"."""


class Refused(ConnectFailed):
    """The other side refused the connection, or closed it as it was made."""


class PoolExhausted(TransportError):
    """No connection of the caller's own pool came free; nothing was sent."""


class Garbled(TransportError):
    """What came back is not HTTP."""


class TooLarge(AnswerError):
    """An answer larger than may be held in memory."""


@attrs.frozen
class Rule:
    """How often an error may be tried again.

    Args:
        times: *retries* of one request for this line of the table; None: as many as the policy allows.
        at_once: whether the first of them goes without a wait.
    """

    times: int | None = None
    at_once: bool = False


AS_THE_POLICY_SAYS = Rule()
THRICE = Rule(times=3)
FINAL = Rule(times=0)

Table = Sequence[tuple[type[AioflowsError] | int, Rule]]

TABLE: Table = (
    (Rejected, AS_THE_POLICY_SAYS),
    (ConnectFailed, AS_THE_POLICY_SAYS),
    (TimedOut, AS_THE_POLICY_SAYS),
    (BrokenBody, AS_THE_POLICY_SAYS),
    # A server may close an idle connection just as it is used again. The search only reads, so there is nothing to
    # fear from sending it twice (RFC 9110, section 9.2.2), and a new connection needs no wait.
    (Disconnected, Rule(at_once=True)),
    (Garbled, THRICE),  # on a fresh connection, in case the old one was out of step
    # What is left: a certificate that cannot be trusted, a URL that cannot be sent, a pool that others keep to themselves.
    (TransportError, FINAL),
    (
        1001,
        AS_THE_POLICY_SAYS,
    ),  # "repeated request with the same encryption": the next one has a later timestamp
    (ServerFault, AS_THE_POLICY_SAYS),
    (Throttled, AS_THE_POLICY_SAYS),
    (TooLarge, FINAL),
    # A gateway that hiccups, or a service that is being deployed, answers with a page of HTML, a text, or half an answer,
    # for some seconds. What cannot be read after that is not a hiccup.
    (AnswerError, THRICE),
)
"""The rules that hold unless others are given."""


def crowded(error: Disconnected | Refused) -> TransportError:
    """Return the error of a connection that was closed or refused, and not by itself."""
    kind = Rejected if isinstance(error, Disconnected) else Refused
    return error if isinstance(error, Rejected) else kind(_CROWDED.format(error=error))


_LARGEST_EXPONENT = 32
_SPREAD = 0.1


def rule_of(error: AioflowsError, table: Table = TABLE) -> Rule:
    """Finds the rule for an error: that of the first line that fits it."""
    return _line(error, table)[1]


def _line(error: AioflowsError, table: Table) -> tuple[int, Rule]:
    for number, (kind, rule) in enumerate(table):
        if getattr(error, "code", None) == kind if isinstance(kind, int) else isinstance(error, kind):
            return number, rule
    return len(table), FINAL


def waits(
    policy: RetryPolicy, rng: Random, table: Table = TABLE
) -> Generator[float, AioflowsError | None, None]:
    """Is sent the errors of one request and yields the seconds to wait after each; ends where an error is final.

    The first value is yielded before any error is known and means nothing (the protocol of ``backoff.runtime``).
    How many tries there are altogether is not its business.

    Args:
        policy: the *bounds* of the waits.
        rng: draws the *jitter*.
        table: which errors are tried again.
    """
    tried: Counter[int] = Counter()
    failures = 0
    error = yield 0.0
    while error is not None:
        line, rule = _line(error, table)
        dictated = (error.retry_after if isinstance(error, Throttled) else None) or 0.0
        # A wait that is not a number is not one to obey either, hence "not <=".
        if (rule.times is not None and tried[line] >= rule.times) or not dictated <= policy.max_retry_after:
            return
        tried[line] += 1
        if rule.at_once and tried[line] == 1:
            error = yield 0.0
            continue
        failures += 1
        if dictated > 0:
            # Never less than the service asked for (RFC 9110, section 10.2.3), and not everybody at that very moment.
            error = yield dictated * (1 + _SPREAD * rng.random())
        else:
            ceiling = min(policy.cap, policy.base * 2.0 ** min(failures, _LARGEST_EXPONENT))
            error = yield rng.uniform(0, ceiling)
