"""The wait that an answer asks for, by its headers.

1. A header that names a wait goes first, as the IETF's draft "RateLimit header fields for HTTP" says.
   ``Retry-After`` (RFC 9110, section 10.2.3) holds seconds or a date. Many services send decimals, services
   in Go send a duration such as ``1m30s``, and some send the seconds since the epoch. ``X-`` or ``RateLimit``
   may stand before the name. ``Retry-After-Ms`` and ``x-ms-retry-after-ms`` (Azure) hold milliseconds.
2. A reset header holds the moment when a quota is renewed. Many gateways send it with every answer, even with
   a plain 404. So it counts as a wait only if the quota is used up: if the ``...-Remaining`` header beside it
   is 0, or if no header reports the remaining quota. If good answers have a reset header alone as well, it
   does not count alone (`resets_alone`).

These reset headers are known. All of them may come with or without ``X-``, and with ``RateLimit`` as one word
or two:

- ``X-RateLimit-Reset``: seconds since the epoch (GitHub, GitLab), milliseconds since the epoch, or seconds
  from now (Envoy, Kong, the draft until version 6). Their size shows which, since no wait is as long as the
  time since the epoch. Also a date, or a duration such as ``6m0s`` (OpenAI, with ``-Requests`` or ``-Tokens``
  after the name; each is paired with its own ``Remaining``).
- ``X-RateLimit-Reset-After``: seconds from now, with decimals (Discord). ``X-RateLimit-Reset-Ms``:
  milliseconds from now.
- ``anthropic-ratelimit-requests-reset``: a date. The name of the quota stands before the kind of the header.
- ``RateLimit: "default";r=0;t=12`` (the draft from version 8 on), and ``RateLimit: limit=10, remaining=0,
  reset=12`` (version 7).

Moments are compared with the answer's own ``Date``, so a wrong local clock does not matter. See
docs/algorithms/rate.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["resets_alone", "retry_after", "wait_named"]

_LONGEST_WAIT = 1e9  # seconds; larger numbers are cut to this
_NUMBER = r"-?[0-9]{1,5000}(?:\.[0-9]{1,50})?"
_NUMBER_ALONE = re.compile(_NUMBER)
_NUMBERS = re.compile(rf"{_NUMBER}(?:\s*,\s*{_NUMBER})*")
_IN_MILLISECONDS = ("Retry-After-Ms", "X-Retry-After-Ms", "x-ms-retry-after-ms")
_IN_SECONDS = ("Retry-After", "X-Retry-After", "X-RateLimit-Retry-After", "RateLimit-Retry-After")
_QUOTA = re.compile(r"(?:x-)?rate-?limit(?:-(limit|remaining|reset)(?:-(.+))?)?", re.IGNORECASE)
_QUOTA_BY_NAME = re.compile(r"(?:[a-z]+-)?rate-?limit-(.+)-(limit|remaining|reset)", re.IGNORECASE)
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|h|m|s))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|h|m|s)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_MEMBER = re.compile(rf"(?:^|[;,\s])(r|t|remaining|reset)\s*=\s*({_NUMBER})(?=\s*(?:$|[;,]))")
_EPOCH = 1e9  # larger numbers are moments: 2001 as seconds since the epoch, 31 years as a wait
_IN_MS = 1e11  # larger numbers are milliseconds: 1973, or the year 5138 as seconds


def wait_named(headers: Mapping[str, str], now: float | None = None, *, resets: bool = True) -> float | None:
    """Return the seconds that a refusal asks to wait. None means that it names no readable wait.

    Args:
        headers: the headers, by case-insensitive name.
        now: the time for an answer without ``Date`` (s since the epoch). Default: None, which means unknown.
        resets: True if a reset header counts when no header reports the remaining quota. Default: True.
    """
    wait = retry_after(headers, now)
    return _renewal(headers, now, alone=resets) if wait is None else wait


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Return the seconds that a header names as a wait. None means that no header names a readable one.

    A date is compared with the answer's own ``Date``. A proxy may add a wait to that of the service; the
    longest one counts. Source: RFC 9110, sections 10.2.3 and 5.6.7.

    Args:
        headers: the headers, by case-insensitive name.
        now: the time for an answer without ``Date`` (s since the epoch). Default: None, which means unknown.
    """
    milliseconds = [
        wait for name in _IN_MILLISECONDS if (wait := _longest(headers.get(name, ""))) is not None
    ]
    if milliseconds:
        return max(milliseconds) / 1000
    sent = _sent(headers, now)
    waits = (_after(headers.get(name, "").strip(), sent) for name in _IN_SECONDS)
    return next((wait for wait in waits if wait is not None), None)


def _after(text: str, sent: float | None) -> float | None:
    """Return the seconds that a text asks to wait. None means that the text cannot be read."""
    seconds = _longest(text)
    if seconds is not None and seconds >= _EPOCH and sent is not None:
        moment = _from_now(float(text), sent) if _NUMBER_ALONE.fullmatch(text) else None
        return seconds if moment is None else moment
    if seconds is not None:
        return seconds
    if _DURATION.fullmatch(text):
        return _duration(text)
    until = _date(text)
    return None if until is None or sent is None else min(max(0.0, until - sent), _LONGEST_WAIT)


def _duration(text: str) -> float:
    return min(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)), _LONGEST_WAIT)


def resets_alone(headers: Mapping[str, str]) -> bool:
    """Return True if an answer says when a quota is renewed, and not how much of it remains."""
    kinds = {kind for kind, _, _ in _quotas(headers)}
    return "reset" in kinds and "remaining" not in kinds


def _renewal(headers: Mapping[str, str], now: float | None, *, alone: bool) -> float | None:
    """Return the seconds until a quota that is used up is renewed.

    If there are several, the longest wait counts.
    """
    remaining: dict[str, float] = {}
    resets: list[tuple[str, float]] = []
    sent = _sent(headers, now)
    for kind, name, text in _quotas(headers):
        if kind == "remaining":
            left = _least(text)
            if left is not None:
                remaining[name] = min(left, remaining.get(name, left))
        elif (wait := _milliseconds(text) if name == "ms" else _until(text, sent)) is not None:
            name = "" if name == "ms" else name  # noqa: PLW2901  (the unit is no quota)
            resets.append((name, wait))
    # If nothing is known about the remainder of one quota, the least remainder of the other quotas stands for
    # it.
    usual = min(remaining.values(), default=0.0 if alone else 1.0)
    waits = [wait for name, wait in resets if remaining.get(name, usual) <= 0]
    return max(waits, default=None)


def _quotas(headers: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield the quota headers: their kind ("remaining" or "reset"), the quota's name, and the text."""
    for header, text in headers.items():
        if "limit" not in header and "Limit" not in header and "LIMIT" not in header:
            continue
        found = _QUOTA.fullmatch(header)
        if found is None:
            named = _QUOTA_BY_NAME.fullmatch(header)
            if named is not None and named[2].lower() != "limit":
                yield named[2].lower(), named[1].lower(), text
            continue
        kind, name = (found[1] or "").lower(), (found[2] or "").lower()
        if not kind:
            yield from _structured(text)
        elif kind != "limit":
            yield kind, "" if name == "after" else name, text


def _milliseconds(text: str) -> float | None:
    wait = _longest(text)
    return None if wait is None else wait / 1000


def _structured(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the parts of a ``RateLimit`` header, for each policy in its list or for its only one."""
    members = _QUOTED.sub("policy", text)
    of_each = members.split(",") if "=" in members and ";" in members else [members]
    for number, policy in enumerate(of_each):
        for member, value in _MEMBER.findall(policy):
            yield (
                "remaining" if member.startswith("r") and member != "reset" else "reset",
                f"policy {number}",
                value,
            )


def _least(text: str) -> float | None:
    """Return the least of the numbers in a text. None means that the text is not a list of numbers."""
    first = text.split(";", maxsplit=1)[0].strip()
    return min(map(float, first.split(","))) if _NUMBERS.fullmatch(first) else None


def _longest(text: str) -> float | None:
    """Return the largest of the numbers in a text. None means that the text is not a list of numbers."""
    text = text.strip()
    return min(max(0.0, *map(float, text.split(","))), _LONGEST_WAIT) if _NUMBERS.fullmatch(text) else None


def _until(text: str, sent: float | None) -> float | None:
    """Return the seconds until the moment in a reset header. None means that the text cannot be read."""
    text = text.split(";", maxsplit=1)[0].strip()
    if _NUMBERS.fullmatch(text):
        waits = [_from_now(float(number), sent) for number in text.split(",")]
        return max((wait for wait in waits if wait is not None), default=None)
    if _DURATION.fullmatch(text):
        return _duration(text)
    until = _date(text)
    return None if until is None or sent is None else min(max(0.0, until - sent), _LONGEST_WAIT)


def _from_now(number: float, sent: float | None) -> float | None:
    if number < _EPOCH:
        return max(0.0, number)
    if sent is None:
        return None
    return min(max(0.0, (number / 1000 if number >= _IN_MS else number) - sent), _LONGEST_WAIT)


def _sent(headers: Mapping[str, str], now: float | None) -> float | None:
    """Return the moment in the ``Date`` header (s since the epoch). If there is none, return `now`."""
    sent = _date(headers.get("Date", ""))
    return now if sent is None else sent


def _date(text: str) -> float | None:
    """Return the moment of an HTTP or ISO 8601 date (s since the epoch).

    None means that the text is not a date.
    """
    try:
        date = datetime.fromisoformat(text) if text[10:11] == "T" else parsedate_to_datetime(text)
        # RFC 9110, section 5.6.7: the asctime form has no zone and means UTC. "-0000" means the same here.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
