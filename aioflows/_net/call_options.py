"""The limits, the rules for retries and the deadline that one scan or one call has beside its session."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import attrs

from aioflows._net.call import CallRules
from aioflows._net.gate import Gate
from aioflows._net.retrying import RetryingCaller
from aioflows._numbers import as_seconds
from aioflows.errors import DeadlineExceeded, QueryError
from aioflows.settings import Limits, RetryPolicy

__all__ = ["deadline_seconds", "in_time", "limits_within", "rules_for"]

T = TypeVar("T")


def limits_within(session: Limits, limits: Limits | None) -> Limits:
    """Return the limits of a scan, which may lower those of its session on requests, but not raise them.

    Args:
        session: the limits of the session.
        limits: the limits that were given for the scan. None means those of the session.

    Raises:
        QueryError: they are not `Limits`.
    """
    if limits is None:
        return session
    if not isinstance(limits, Limits):
        raise QueryError(f"limits must be Limits(...) or None, not {limits!r}")
    rates = [rate for rate in (session.rate, limits.rate) if rate is not None]
    return attrs.evolve(
        limits,
        concurrency=min(session.concurrency, limits.concurrency),
        rate=min(rates, default=None),
    )


def rules_for(
    caller: RetryingCaller, retry: RetryPolicy | None, session: Limits, limits: Limits
) -> CallRules | None:
    """Return the rules for the requests of a scan or a call. None means that they are those of the session.

    Args:
        caller: the caller of the session.
        retry: the rules for retries that were given. None means those of the session.
        session: the limits of the session.
        limits: the limits of the scan.

    Raises:
        QueryError: the rules for retries are not a `RetryPolicy`.
    """
    if retry is not None and not isinstance(retry, RetryPolicy):
        raise QueryError(f"retry must be RetryPolicy(...) or None, not {retry!r}")
    lowered = (limits.concurrency, limits.rate) != (session.concurrency, session.rate)
    if retry is None and not lowered:
        return None
    return caller.rules(retry, Gate(limits.concurrency, limits.rate) if lowered else None)


def deadline_seconds(value: float | timedelta | None) -> float | None:
    """Return a deadline in seconds. None means that there is none.

    Raises:
        QueryError: the value is not a positive duration.
    """
    if value is None:
        return None
    seconds = as_seconds(value)
    if seconds is None or seconds <= 0:
        raise QueryError(
            f"deadline must be a number of seconds above 0, a timedelta above 0, or None, not {value!r}"
        )
    return seconds


async def in_time(
    work: Coroutine[Any, Any, T], seconds: float | None, advice: str, *, began: float | None = None
) -> T:
    """Return the result of work, if it ends before its deadline.

    Args:
        work: the work. It is cancelled at the deadline.
        seconds: the deadline, from the start (seconds). None means that there is none.
        advice: what the caller can do, for the text of the error.
        began: the time of the start (seconds of the loop's clock). Default: now.

    Raises:
        DeadlineExceeded: the work did not end in time.
    """
    if seconds is None:
        return await work
    due = (asyncio.get_running_loop().time() if began is None else began) + seconds
    timer = asyncio.timeout_at(due)
    try:
        async with timer:
            return await work
    except TimeoutError:
        if not timer.expired():
            raise
    raise DeadlineExceeded(f"not complete within the deadline of {seconds:g} s; {advice}")
