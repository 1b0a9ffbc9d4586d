"""The settings of a session: limits, retries and credentials."""

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
    """Limits of requests and of memory, of a session or of one scan.

    Args:
        concurrency: the greatest number of requests in flight, 1 to 1,024. An ``aiohttp.ClientSession`` that
            you pass may lower it by its own limits of connections. Default: 16.
        rate: the greatest rate (requests per second). None means as fast as the service allows. Default:
            None.
        page_size: the number of rows per request, 1 to 10,000. A larger page is requested only for a second
            that may have more rows. Default: 500.
        buffer: the number of rows read ahead of the consumer. Requests in flight may add as many again. For
            large rows the limit is 15 MB of answers, or 2.5 rounds of requests if that is more. Default:
            20,000.
    """

    concurrency: int = attrs.field(default=16, validator=_whole(1, 1024))
    rate: float | None = attrs.field(default=None, validator=_rate)
    page_size: int = attrs.field(default=500, validator=_whole(1, 10_000))
    buffer: int = attrs.field(default=20_000, validator=_whole(1, 100_000_000))


@attrs.frozen
class RetryPolicy:
    """The rules for retries of failed requests.

    Args:
        max_tries: the greatest number of attempts of one request, the first included. Default: 24.
        max_elapsed: the time for one request with all its attempts and waits (seconds). A wait that would
            exceed this is not started. The wait for a connection of your own ``aiohttp.ClientSession`` is not
            included, and may last as long again. Default: 300.
        base: the base of the waits (seconds). The wait before attempt ``n + 1`` is drawn from
            ``0 .. min(cap, base * 2**n)`` ("full jitter"). Default: 0.25.
        cap: the longest such wait (seconds). A wait that the service asks for is never shortened. Default: 3.
        max_retry_after: the longest wait that the service may ask for, by ``Retry-After`` or a reset header
            (seconds). A longer one is not waited for: the caller gets a ``Throttled``. Default: 300.
        attempt_timeout: the time for one attempt, from sending to the last byte (seconds). The wait for a
            connection of your own ``aiohttp.ClientSession`` is not included. Default: 60.
        throttle_codes: envelope codes that mean "too many requests". The vendor documents none. Default: 429.
        budget: the retries that all requests of a session may spend together. Each answer returns two of
            them. When they are spent, a failed request is not repeated. None means 100, or eight for each
            request that may be in flight if that is more. Default: None.
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
    # No message shows the value, because even a wrong one may be close to the secret.
    text: object = value.reveal()
    if not isinstance(text, str) or not text.strip():
        raise QueryError(
            f"{field.alias} of AppKey is missing or blank; pass the one that the EnOS console shows"
        )
    if text != text.strip() or not text.isprintable():
        raise QueryError(
            f"{field.alias} of AppKey has white space or a control character; remove it "
            "(a line break may have been copied along)"
        )


def _hidden(value: str) -> Secret:
    given: object = value  # `attrs.evolve` passes the Secret, which signatures do not name
    return given if isinstance(given, Secret) else Secret(value or "")


@attrs.frozen(repr=False)
class AppKey:
    """The credentials of an EnOS application: its access key and secret key.

    ``repr``, ``str``, ``format``, ``attrs.asdict``, JSON and pickle never show them. Make a new key instead
    of unpickling one. Source: EnOS "API authentication": both keys sign the token request, and the secret
    signs all others.

    Args:
        access_key: the access key, by which the gateway knows the application.
        secret_key: the secret key, by which the application proves its identity.
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
