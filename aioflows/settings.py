"""What a session is told once: how much at a time, how often again, and as whom."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from aioflows._display.secret import STARS, Secret
from aioflows.errors import QueryError

__all__ = ["AppKey", "Limits", "RetryPolicy"]


def _whole(low: int, high: int) -> Callable[[Any, attrs.Attribute[Any], object], None]:
    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise QueryError(f"{field.name} must be a whole number from {low:,} to {high:,}, not {value!r}")

    return check


def _seconds(low: float, high: float) -> Callable[[Any, attrs.Attribute[Any], object], None]:
    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise QueryError(
                f"{field.name} must be a number of seconds from {low:g} to {high:g}, not {value!r}"
            )

    return check


def _rate(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not math.isfinite(value)
        or value <= 0
    ):
        raise QueryError(f"{field.name} must be None or requests per second above 0, not {value!r}")


def _codes(value: Iterable[int]) -> frozenset[int]:
    if isinstance(value, (str, bytes)):
        raise QueryError(f"throttle_codes must be whole numbers, not the text {value!r}")
    codes = frozenset(value)
    for code in codes:
        if isinstance(code, bool) or not isinstance(code, int):
            raise QueryError(f"throttle_codes must be whole numbers, not {code!r}")
    return codes


@attrs.frozen
class Limits:
    """How much at a time.

    Args:
        concurrency: *requests* of this session in flight at once, 1 to 1,024; fewer where an ``aiohttp.ClientSession`` of
            yours lets out fewer connections at once, or to one host.
        rate: *requests per second* at most; None: as fast as the service allows.
        page_size: *rows* asked for in one request, 1 to 10,000. A larger page is asked for only where a second may hold
            more rows than that.
        buffer: *rows* read ahead of the consumer; what requests under way bring comes on top, as many again at most. Of rows
            that weigh much fewer are: 15 MB of answers, or what two and a half rounds of requests bring.
    """

    concurrency: int = attrs.field(default=16, validator=_whole(1, 1024))
    rate: float | None = attrs.field(default=None, validator=_rate)
    page_size: int = attrs.field(default=500, validator=_whole(1, 10_000))
    buffer: int = attrs.field(default=20_000, validator=_whole(1, 100_000_000))


@attrs.frozen
class RetryPolicy:
    """How often again, and after how long.

    Args:
        max_tries: *attempts* of one request, the first included.
        max_elapsed: *seconds* for one request with all its attempts and waits; a wait that would not fit is not begun. So
            long a request also waits for a connection of an ``aiohttp.ClientSession`` of yours, which is not counted here.
        base: *seconds*; the wait before try ``n + 1`` is drawn from ``0 .. min(cap, base * 2**n)`` ("full jitter").
        cap: *seconds*, the longest such wait. A wait that the service dictates is never shortened by it.
        max_retry_after: *seconds*; a service that dictates more than this, by ``Retry-After`` or a reset header of any
            refusal, gets no retry, the caller a ``Throttled``.
        attempt_timeout: *seconds* for one attempt, from sending to the last byte; not while it waits for a connection of
            an ``aiohttp.ClientSession`` of yours.
        throttle_codes: envelope codes that mean "too many requests" (the vendor documents none).
        budget: *retries* that all requests of a session may make together while nothing is answered; each answer gives
            two of them back. When they are spent, what fails is not tried again. None: 100, or eight for each request
            that may be in flight, whichever is more.
    """

    max_tries: int = attrs.field(default=24, validator=_whole(1, 1000))
    max_elapsed: float = attrs.field(default=300.0, validator=_seconds(0.001, 86_400.0 * 365))
    base: float = attrs.field(default=0.25, validator=_seconds(0.0, 3600.0))
    cap: float = attrs.field(default=3.0, validator=_seconds(0.0, 86_400.0))
    max_retry_after: float = attrs.field(default=300.0, validator=_seconds(0.0, 86_400.0 * 365))
    attempt_timeout: float = attrs.field(default=60.0, validator=_seconds(0.001, 86_400.0))
    throttle_codes: frozenset[int] = attrs.field(default=frozenset({429}), converter=_codes)
    budget: int | None = attrs.field(default=None, validator=attrs.validators.optional(_whole(0, 1_000_000)))


def _secret(_: object, field: attrs.Attribute[Any], value: Secret) -> None:
    # The value is never shown, not even where it is wrong.
    text: object = value.reveal()
    if not isinstance(text, str) or not text.strip():
        raise QueryError(
            f"{field.alias} of AppKey is missing or blank; pass the one that the EnOS console shows"
        )
    if text != text.strip() or not text.isprintable():
        raise QueryError(
            f"{field.alias} of AppKey holds white space or a control character; was a line break copied along?"
        )


def _hidden(value: str) -> Secret:
    given: object = value  # `attrs.evolve` passes the Secret, which signatures do not name
    return given if isinstance(given, Secret) else Secret(value or "")


@attrs.frozen(repr=False)
class AppKey:
    """The credentials of an EnOS application: its access key and secret key.

    Neither is shown by ``repr``, ``str``, ``format``, ``attrs.asdict``, JSON or pickle; a key that was pickled has to be
    made anew. Source: EnOS "API authentication": the token request is signed with both, every further request with the
    secret.

    Args:
        access_key: the application's *name* to the gateway.
        secret_key: what proves it.
    """

    _access_key: Secret = attrs.field(alias="access_key", converter=_hidden, validator=_secret)
    _secret_key: Secret = attrs.field(alias="secret_key", converter=_hidden, validator=_secret)

    def __repr__(self) -> str:
        return f"AppKey(access_key={STARS}, secret_key={STARS})"

    @property
    def access_key(self) -> str:
        """The access key itself."""
        return self._access_key.reveal()

    @property
    def secret_key(self) -> str:
        """The secret key itself."""
        return self._secret_key.reveal()
