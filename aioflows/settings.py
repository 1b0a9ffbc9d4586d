"""The settings of a session: limits, retries and credentials."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, SupportsFloat, SupportsIndex

import attrs

from aioflows._display.secret import STARS, Secret
from aioflows._numbers import as_number, as_whole
from aioflows.errors import QueryError

__all__ = ["AppKey", "Limits", "RetryPolicy", "Timeouts"]


def _int(value: SupportsIndex) -> int:
    whole: Any = as_whole(value)
    return value if whole is None else whole  # type: ignore[return-value]  # the validator refuses other values


def _int_or_none(value: SupportsIndex | None) -> int | None:
    return None if value is None else _int(value)


def _float(value: SupportsFloat | SupportsIndex) -> float:
    number = as_number(value)
    return value if number is None else number  # type: ignore[return-value]  # the validator refuses other values


def _float_or_none(value: SupportsFloat | SupportsIndex | None) -> float | None:
    return None if value is None else _float(value)


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
    codes = []
    for code in value:
        number = as_whole(code)
        if number is None:
            raise QueryError(f"throttle_codes must be whole numbers, not {code!r}")
        codes.append(number)
    return frozenset(codes)


@attrs.frozen
class Limits:
    """Limits of requests and of memory, of a session or of one scan.

    Args:
        concurrency: the greatest number of requests in flight, 1 to 1,024. An ``aiohttp.ClientSession`` that
            you pass may lower it by its own limits of connections. Default: 16.
        rate: the greatest rate (requests per second). None means as fast as the service allows. Default:
            None.
        page_size: the number of rows per request, 1 to 10,000. A larger page is requested only for a second
            that may have more rows, and smaller pages if *buffer* has no room for a few. Default: 500.
        buffer: the number of rows read ahead of the consumer, to a quarter more. It counts rows that wait, rows
            that the consumer got last, and rows that requests in flight may bring. Pages have at least 100 rows, or
            *page_size* if that is less, so 400 rows, or four pages, is the smallest buffer that is kept. A scan that waits
            for rows may always have one request in flight, and holds a second with more rows as a whole. Orders by
            start, end or creation time hold up to twice as much, and the rows that requests in flight bring. For
            large rows the limit is 15 MB of answers, or 2.5 rounds of requests if that is more. Default: 20,000.
        memory: the memory that the scans of a session share (bytes), from 1,000,000. It counts pages that were
            read, answers that may come, and the rows that each consumer got last, but no rows that you keep. Each
            scan has an equal part. If parts are small, pages that wait are compressed, and `FlowScan.pages` returns
            shorter lists. A scan that waits for rows may always have one request under way, whatever the budget.
            So give at least 600,000 for each scan that is open at a time, or more for rows larger than 1,000 bytes.
            Orders by other times than the trigger time hold up to twice *buffer* rows on top of it. None means that
            only *buffer* limits each scan. Default: None.
    """

    concurrency: int = attrs.field(default=16, converter=_int, validator=_whole(1, 1024))
    rate: float | None = attrs.field(default=None, converter=_float_or_none, validator=_rate)
    page_size: int = attrs.field(default=500, converter=_int, validator=_whole(1, 10_000))
    buffer: int = attrs.field(default=20_000, converter=_int, validator=_whole(1, 100_000_000))
    memory: int | None = attrs.field(
        default=None, converter=_int_or_none, validator=attrs.validators.optional(_whole(1_000_000, 2**50))
    )


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

    max_tries: int = attrs.field(default=24, converter=_int, validator=_whole(1, 1000))
    max_elapsed: float = attrs.field(
        default=300.0, converter=_float, validator=_seconds(0.001, 86_400.0 * 365)
    )
    base: float = attrs.field(default=0.25, converter=_float, validator=_seconds(0.0, 3600.0))
    cap: float = attrs.field(default=3.0, converter=_float, validator=_seconds(0.0, 86_400.0))
    max_retry_after: float = attrs.field(
        default=300.0, converter=_float, validator=_seconds(0.0, 86_400.0 * 365)
    )
    attempt_timeout: float = attrs.field(default=60.0, converter=_float, validator=_seconds(0.001, 86_400.0))
    throttle_codes: frozenset[int] = attrs.field(default=frozenset({429}), converter=_codes)
    budget: int | None = attrs.field(
        default=None,
        converter=_int_or_none,
        validator=attrs.validators.optional(_whole(0, 1_000_000)),
    )


def _timeout() -> Any:
    return attrs.field(
        default=None,
        converter=_float_or_none,
        validator=attrs.validators.optional(_seconds(0.001, 86_400.0)),
    )


@attrs.frozen
class Timeouts:
    """The times that one attempt at a request may take.

    Args:
        total: the time from sending to the last byte (seconds). None means `RetryPolicy.attempt_timeout`.
            Default: None.
        connect: the time until there is a connection, its TLS included (seconds). It is at most *total*.
            None means 10. Default: None.
        read: the longest time without a byte of the answer (seconds). None means *total*. Default: None.
    """

    total: float | None = _timeout()
    connect: float | None = _timeout()
    read: float | None = _timeout()


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
