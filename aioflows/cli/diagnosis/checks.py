"""Judges what was seen of a service: one check for each part of the set-up, with what to do where it fails.

1. A check judges only what was seen. What could not be seen, since an earlier check failed, is skipped.
2. No request is sent here, and no clock is read.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import timedelta, tzinfo

import attrs

from aioflows import (
    AioflowsError,
    AnswerError,
    BadCredentials,
    BrokenBody,
    Denied,
    ServerFault,
    ServiceError,
    Throttled,
    TimedOut,
    TokenExpired,
    TransportError,
)
from aioflows.cli.diagnosis.examination import Examination
from aioflows.cli.diagnosis.page_checks import first_page, pages_text
from aioflows.cli.exit_codes import Exit

__all__ = ["CheckOutcome", "SetupCheck", "exit_of", "judge"]

_SKEW_WARNED = 5.0
"""Seconds. A gateway refuses signatures that are minutes old."""
_SLOW = 1.0
"""Seconds. A page takes longer than the requests that are measured here."""
_KEY_CODES = {1001, 1004, 1202, 1203, 1204, 401, 403}
"""Codes by which gateways refuse a request without keys, or with wrong ones."""

_HTTP_REFUSALS = {401, 403}


class CheckOutcome(enum.StrEnum):
    """The outcome of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@attrs.frozen
class SetupCheck:
    """The outcome of one check.

    Args:
        name: the part of the set-up that was checked.
        outcome: the outcome.
        message: what was seen.
        advice: what to do. An empty text means nothing.
    """

    name: str
    outcome: CheckOutcome
    message: str
    advice: str = ""


_EXITS = {"keys": Exit.AUTH, "user": Exit.AUTH, "rows": Exit.INCONSISTENT}


def judge(seen: Examination) -> list[SetupCheck]:
    """Return the checks of what was seen, in the order in which a request meets these parts."""
    return list(_checks(seen))


def exit_of(checks: list[SetupCheck]) -> Exit:
    """Return the exit code for checks: that of the first one that failed, or `Exit.COMPLETE`."""
    failed = [check.name for check in checks if check.outcome is CheckOutcome.FAILED]
    return _EXITS.get(failed[0], Exit.INCOMPLETE) if failed else Exit.COMPLETE


def _checks(seen: Examination) -> Iterator[SetupCheck]:
    error = seen.time if isinstance(seen.time, AioflowsError) else None
    failed = False
    for name, check in (("reach", _reach), ("gateway", _gateway), ("keys", _keys)):
        made = SetupCheck(name, CheckOutcome.SKIPPED, "not checked") if failed else check(seen, error)
        failed = failed or made.outcome is CheckOutcome.FAILED
        yield made
    yield _clock(seen)
    for name, look in (("user", _user), ("zone", _zone), ("rows", _rows), ("pages", _pages)):
        yield SetupCheck(name, CheckOutcome.SKIPPED, "not checked") if failed else look(seen)
    yield _rate(seen, error)


def _reach(seen: Examination, error: AioflowsError | None) -> SetupCheck:
    answers = [one for one in seen.received if one.status is not None]
    if answers or not isinstance(error, TransportError):
        fastest = min((one.seconds for one in answers), default=0.0)
        text = f"{seen.url} answers, the fastest request took {fastest * 1000:,.0f} ms"
        if fastest >= _SLOW:
            return SetupCheck(
                "reach",
                CheckOutcome.WARNING,
                text,
                "ask who runs the service; with a higher --concurrency more requests wait at the same time",
            )
        return SetupCheck("reach", CheckOutcome.OK, text)
    return SetupCheck("reach", CheckOutcome.FAILED, str(error), _way_to(error))


def _way_to(error: TransportError) -> str:
    text = str(error).lower()
    if "proxy" in text:
        return "check --proxy, or HTTPS_PROXY with --trust-env"
    if "no address was found" in text:
        return "check the host in --url, and the name service of this machine"
    if "certificate" in text:
        return "give the authority of that certificate with --cacert"
    if "tls" in text:
        return "check that the port in --url is for https, or use http:// with --allow-http"
    if isinstance(error, TimedOut):
        return "check the port in --url, and firewalls in between; some networks need --proxy"
    if isinstance(error, BrokenBody):
        return "run the command again; if that does not help, ask who runs the gateway"
    return "check the port in --url, and that the gateway runs"


def _gateway(_: Examination, error: AioflowsError | None) -> SetupCheck:
    if isinstance(error, AnswerError):
        what = "give the address that it leads to as --url" if "redirect" in str(error) else _PATH
        return SetupCheck(
            "gateway", CheckOutcome.FAILED, f"the answer is not that of an EnOS service: {error}", what
        )
    if isinstance(error, ServerFault):
        return SetupCheck(
            "gateway", CheckOutcome.FAILED, f"the service fails: {error}", "run the command again later"
        )
    if isinstance(error, TransportError):
        return SetupCheck(
            "gateway", CheckOutcome.FAILED, f"answers break off: {error}", "run the command again later"
        )
    is_refusal = isinstance(error, (BadCredentials, TokenExpired, Throttled, Denied))
    if isinstance(error, ServiceError) and not is_refusal and error.code not in _KEY_CODES:
        return SetupCheck("gateway", CheckOutcome.FAILED, f"nothing serves that address: {error}", _PATH)
    if isinstance(error, ServiceError) and error.code in _HTTP_REFUSALS:
        return SetupCheck(
            "gateway",
            CheckOutcome.WARNING,
            f"HTTP status {error.code} came, without the code of an EnOS service, as from a firewall or a login before it",
            "check that --url is the address of the API gateway, and that this machine may reach it",
        )
    return SetupCheck("gateway", CheckOutcome.OK, "the answer is that of an EnOS gateway")


_PATH = "check the path in --url; it is the address of the API gateway, without the path of an operation"


def _keys(seen: Examination, error: AioflowsError | None) -> SetupCheck:
    if isinstance(error, Throttled):
        return SetupCheck("keys", CheckOutcome.SKIPPED, "not checked")
    if error is None:
        accepted = "the keys are accepted" if seen.has_keys else "no key was given, and none is asked for"
        return SetupCheck("keys", CheckOutcome.OK, accepted)
    if not seen.has_keys:
        advice = "set AIOFLOWS_ACCESS_KEY and AIOFLOWS_SECRET_KEY, or name the keys in a profile"
        return SetupCheck("keys", CheckOutcome.FAILED, f"the gateway asks for keys: {error}", advice)
    code = getattr(error, "code", 0)
    advice = {
        1002: "check AIOFLOWS_ACCESS_KEY: the gateway does not know it",
        1003: "check the secret key: it is not that of the access key",
    }.get(code, "check both keys, and the clock of this machine")
    return SetupCheck("keys", CheckOutcome.FAILED, f"the gateway refuses the keys: {error}", advice)


def _clock(seen: Examination) -> SetupCheck:
    skew = seen.skew
    if skew is None:
        return SetupCheck("clock", CheckOutcome.SKIPPED, "no answer tells the time")
    if abs(skew) < _SKEW_WARNED:
        return SetupCheck("clock", CheckOutcome.OK, f"the clocks differ by {abs(skew):.1f} s")
    side = "behind" if skew > 0 else "ahead of"
    return SetupCheck(
        "clock",
        CheckOutcome.WARNING,
        f"this machine's clock is {abs(skew):,.0f} s {side} that of the service",
        "set the clock of this machine, or ask who runs the service; --last and today use this machine's clock",
    )


def _user(seen: Examination) -> SetupCheck:
    who = f"user {seen.user_id} of organization {seen.org_id}"
    refused = next((one.error for one in seen.pages if isinstance(one.error, Denied)), None)
    if refused is not None:
        advice = (
            "ask for the privilege to read flow instances"
            if refused.code == 62103
            else "check --user-id and --org-id, and that this user belongs to the organization"
        )
        return SetupCheck("user", CheckOutcome.FAILED, f"the service refuses {who}: {refused}", advice)
    if not any(one.error is None for one in seen.pages):
        reason = next((str(one.error) for one in seen.pages), "nothing was read")
        return SetupCheck("user", CheckOutcome.SKIPPED, f"not checked: {reason}")
    return SetupCheck("user", CheckOutcome.OK, f"{who} may read flow instances")


def _zone(seen: Examination) -> SetupCheck:
    zone = seen.zone
    if isinstance(zone, AioflowsError):
        return SetupCheck(
            "zone", CheckOutcome.FAILED, f"the service names no zone: {zone}", "give --server-timezone"
        )
    if zone is None:
        return SetupCheck("zone", CheckOutcome.SKIPPED, "not checked")
    source = "given by --server-timezone" if seen.zone_given else "named by the service"
    return SetupCheck("zone", CheckOutcome.OK, f"{zone}, {source}")


def _rows(seen: Examination) -> SetupCheck:
    if seen.row_error is not None or seen.row_again is None:
        reason = "no instance was read" if seen.row_error is None else str(seen.row_error)
        return SetupCheck("rows", CheckOutcome.SKIPPED, f"not checked: {reason}")
    if seen.row_again or seen.row_shift == timedelta():
        return SetupCheck("rows", CheckOutcome.OK, "trigger times are in that zone")
    if seen.row_zone is None:
        return SetupCheck(
            "rows",
            CheckOutcome.WARNING,
            "a row was not found again, neither at its trigger time nor up to 26 hours away from it",
            "run the command again; the row may have been deleted, or the service may not search for ids",
        )
    return SetupCheck(
        "rows",
        CheckOutcome.FAILED,
        f"trigger times are printed in {seen.row_zone}, not in {seen.zone}",
        f"give --server-timezone with the zone of that offset, as in --server-timezone {_option(seen.row_zone)}",
    )


def _option(zone: tzinfo) -> str:
    return (str(zone).removeprefix("UTC") or "+00:00") if str(zone).startswith("UTC") else str(zone)


def _pages(seen: Examination) -> SetupCheck:
    shown = first_page(seen.pages)
    if shown is not None and seen.first_page_given not in (None, shown):
        text = f"pages count from {shown}, and not from {seen.first_page_given}"
        return SetupCheck("pages", CheckOutcome.FAILED, text, f"give --first-page {shown}, or leave it out")
    bad = next((one.error for one in seen.pages if one.error is not None), None)
    if all(one.error is not None for one in seen.pages):
        text = "no page was read" if bad is None else f"no page can be read: {bad}"
        outcome = (
            CheckOutcome.SKIPPED
            if bad is None or isinstance(bad, (Denied, Throttled))
            else CheckOutcome.FAILED
        )
        return SetupCheck(
            "pages", outcome, text, "" if outcome is CheckOutcome.SKIPPED else "run the command again later"
        )
    text, advice = pages_text(seen.pages)
    return SetupCheck("pages", CheckOutcome.FAILED if advice else CheckOutcome.OK, text, advice)


def _rate(seen: Examination, error: AioflowsError | None) -> SetupCheck:
    refused = sum(one.status == 429 for one in seen.received)
    named = {name: text for one in seen.received for name, text in one.headers.items() if name != "date"}
    shown = ", ".join(f"{name}: {text}" for name, text in named.items())
    if isinstance(error, Throttled) or any(isinstance(one.error, Throttled) for one in seen.pages):
        first = error or next(one.error for one in seen.pages if isinstance(one.error, Throttled))
        return SetupCheck(
            "rate", CheckOutcome.FAILED, f"too many requests: {first}", "wait, or give a lower --rate"
        )
    if all(one.status is None for one in seen.received):
        return SetupCheck("rate", CheckOutcome.SKIPPED, "not checked")
    if refused:
        advice = "give a lower --rate if scans are slow"
        return SetupCheck(
            "rate", CheckOutcome.WARNING, f"{refused} requests were refused as too many; {shown}", advice
        )
    return SetupCheck("rate", CheckOutcome.OK, f"limits named: {shown}" if shown else "no limit is named")
