"""The retry table, and the waits between retries.

The table is read from the top, and the first line that fits an error has the rule of the error. A line is for
a class of errors, or for a code of the service's envelope. An error that fits no line is final.
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
    NotFound,
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
    "{error}, while it answered other requests: most likely too many requests at a time or a second; if waiting does not "
    "help, set Limits(rate=...), or a lower Limits(concurrency=...)"
)


class Disconnected(TransportError):
    """The connection was closed before any byte of an answer."""


class Rejected(Disconnected):
    """One of several `Disconnected` beside good answers, which mean "too many requests"."""


class Refused(ConnectFailed):
    """The other side refused the connection, or closed it while it was being made."""


class PoolExhausted(TransportError):
    """No connection of the caller's own pool was free. Nothing was sent."""


class Garbled(TransportError):
    """The answer is not HTTP."""


class TooLarge(AnswerError):
    """The answer is larger than the memory limit allows."""


@attrs.frozen
class Rule:
    """The number of retries of an error.

    Args:
        times: retries of one request by this line of the table. Default: None, which means as many as the retry
            policy allows.
        at_once: True if the first retry needs no wait. Default: False.
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
    # A server may close an idle connection just as the connection is used again. The search only reads, so it
    # may be sent twice (RFC 9110, section 9.2.2), and a new connection needs no wait.
    (Disconnected, Rule(at_once=True)),
    (Garbled, THRICE),  # on a new connection, since the old one may have held a part of another answer
    # The other transport errors: an untrusted certificate, an invalid URL, an exhausted pool.
    (TransportError, FINAL),
    (
        1001,
        AS_THE_POLICY_SAYS,
    ),  # "repeated request with the same encryption": a retry has a later timestamp
    # An answer without an instance gets a second look before it is believed, as an empty page does.
    (NotFound, Rule(times=1, at_once=True)),
    (ServerFault, AS_THE_POLICY_SAYS),
    (Throttled, AS_THE_POLICY_SAYS),
    (TooLarge, FINAL),
    # A failing gateway, or a service that is being deployed, returns HTML, text or a part of an answer for
    # some seconds. If answers cannot be read for longer, the fault lasts.
    (AnswerError, THRICE),
)
"""The default rules."""


def crowded(error: Disconnected | Refused) -> TransportError:
    """Return the error for a closed or refused connection beside answered requests."""
    kind = Rejected if isinstance(error, Disconnected) else Refused
    return error if isinstance(error, Rejected) else kind(_CROWDED.format(error=error))


_LARGEST_EXPONENT = 32
_SPREAD = 0.1


def rule_of(error: AioflowsError, table: Table = TABLE) -> Rule:
    """Return the rule of an error: the rule of the first line that fits."""
    return _line(error, table)[1]


def _line(error: AioflowsError, table: Table) -> tuple[int, Rule]:
    for number, (kind, rule) in enumerate(table):
        if getattr(error, "code", None) == kind if isinstance(kind, int) else isinstance(error, kind):
            return number, rule
    return len(table), FINAL


def waits(
    policy: RetryPolicy, rng: Random, table: Table = TABLE
) -> Generator[float, AioflowsError | None, None]:
    """Receive the errors of one request, and yield the wait (s) after each error. End at a final error.

    The first value is yielded before any error and means nothing (the protocol of ``backoff.runtime``). The
    total number of attempts is limited elsewhere.

    Args:
        policy: the bounds of the waits.
        rng: the source of the jitter.
        table: the rules.
    """
    tried: Counter[int] = Counter()
    failures = 0
    error = yield 0.0
    while error is not None:
        line, rule = _line(error, table)
        dictated = (error.retry_after if isinstance(error, Throttled) else None) or 0.0
        # "not <=" also ends the retries if the requested wait is NaN.
        if (rule.times is not None and tried[line] >= rule.times) or not dictated <= policy.max_retry_after:
            return
        tried[line] += 1
        if rule.at_once and tried[line] == 1:
            error = yield 0.0
            continue
        failures += 1
        if dictated > 0:
            # RFC 9110, section 10.2.3: not less than the dictated wait. Jitter spreads the clients.
            error = yield dictated * (1 + _SPREAD * rng.random())
        else:
            ceiling = min(policy.cap, policy.base * 2.0 ** min(failures, _LARGEST_EXPONENT))
            error = yield rng.uniform(0, ceiling)
