"""``aioflows doctor`` before set-ups that are broken, each in one way: it names the fault, and what to do.

The service is in this process, and time is virtual. To look at what it prints, run
``python -m pytest tests/cli/commands/test_doctor.py -s -k printed``.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from datetime import tzinfo
from typing import Any

import attrs
import pytest

from aioflows import AppKey, ConnectFailed, FlowSession, Limits, TimedOut, Transport, TransportError
from aioflows.cli.commands.doctor import _RETRY, RecordingTransport, examine
from aioflows.cli.diagnosis.checks import CheckOutcome, SetupCheck, exit_of, judge
from aioflows.cli.diagnosis.examination import Examination
from aioflows.cli.exit_codes import Exit
from aioflows.cli.output.checklist import json_lines, print_checks
from aioflows.cli.output.console import console_on
from aioflows.emulator import Emulator, Fault
from tests.support.fakes import EmulatorTransport, FakeTransport, answer, loop_time
from tests.support.virtual import run_virtual

SECRET = "canary-secret-8f21"
KEYS: dict[str, Any] = {"app_key": "access-key", "app_secret": SECRET}
GOOD: dict[str, Any] = {"instances": 700, "schedule_types": (1,)}
YEAR = 1_735_689_600


@attrs.frozen
class SetUp:
    """A service and what its user gave."""

    service: dict[str, Any] = attrs.field(factory=dict)
    user_id: str = "u"
    auth: AppKey | None = None
    page_size: int = 500
    zone: str | None = None
    first_page: int | None = None
    transport: Callable[[], Transport] | None = None


def examined(setup: SetUp) -> tuple[list[SetupCheck], Examination]:
    """Examine a service in virtual time."""

    async def run() -> Examination:
        seen = Examination("http://127.0.0.1", setup.user_id, "o", setup.auth is not None)
        seen.first_page_given = setup.first_page
        with Emulator(**GOOD | setup.service) as emulator:

            def session(zone: tzinfo | None) -> FlowSession:
                inner = EmulatorTransport(emulator) if setup.transport is None else setup.transport()
                return FlowSession(
                    seen.url,
                    user_id=seen.user_id,
                    org_id="o",
                    auth=setup.auth,
                    http=RecordingTransport(inner, seen.received, now, loop_time),
                    limits=Limits(page_size=setup.page_size),
                    retry=_RETRY,
                    server_timezone=setup.zone if zone is None else zone,
                )

            await examine(session, seen, now)
        return seen

    seen = run_virtual(run())
    return judge(seen), seen


def now() -> float:
    return YEAR + loop_time()


def failing(error: Exception) -> Callable[[], Transport]:
    return lambda: FakeTransport(lambda _: error)


def telling(*outcomes: Any) -> Callable[[], Transport]:
    return lambda: FakeTransport(lambda _: outcomes[0])


BROKEN = {
    "no such host": (
        SetUp(transport=failing(ConnectFailed("no address was found for gw.example: unknown"))),
        ("reach", "no address was found", "check the host in --url", Exit.INCOMPLETE),
    ),
    "nobody listens": (
        SetUp(transport=failing(ConnectFailed("no connection to gw.example:1: refused"))),
        ("reach", "no connection to", "check the port in --url", Exit.INCOMPLETE),
    ),
    "nobody answers": (
        SetUp(transport=failing(TimedOut("no connection to gw.example in time"))),
        ("reach", "in time", "firewalls in between", Exit.INCOMPLETE),
    ),
    "a certificate of its own": (
        SetUp(
            transport=failing(TransportError("the certificate of gw.example cannot be verified: self-signed"))
        ),
        ("reach", "cannot be verified", "--cacert", Exit.INCOMPLETE),
    ),
    "no TLS": (
        SetUp(transport=failing(TransportError("no TLS with gw.example; check that the port is for https"))),
        ("reach", "no TLS", "use http:// with --allow-http", Exit.INCOMPLETE),
    ),
    "a proxy that is down": (
        SetUp(transport=failing(ConnectFailed("no connection to the proxy: refused"))),
        ("reach", "the proxy", "check --proxy", Exit.INCOMPLETE),
    ),
    "another path": (
        SetUp(transport=telling(answer("404 page not found", 404))),
        ("gateway", "nothing serves that address", "check the path in --url", Exit.INCOMPLETE),
    ),
    "a web page": (
        SetUp(transport=telling(answer("<html>log in</html>"))),
        ("gateway", "not that of an EnOS service", "check the path in --url", Exit.INCOMPLETE),
    ),
    "a redirect": (
        SetUp(transport=telling(answer("", 302, location="https://other.example/login"))),
        ("gateway", "a redirect to https://other.example", "the address that it leads to", Exit.INCOMPLETE),
    ),
    "a service that fails": (
        SetUp(transport=telling(answer("", 503))),
        ("gateway", "the service fails", "run the command again later", Exit.INCOMPLETE),
    ),
    "no keys": (SetUp(KEYS), ("keys", "asks for keys", "set AIOFLOWS_ACCESS_KEY", Exit.AUTH)),
    "an unknown key": (
        SetUp(KEYS, auth=AppKey("other-key", SECRET)),
        ("keys", "appKey does not exist", "check AIOFLOWS_ACCESS_KEY", Exit.AUTH),
    ),
    "a wrong secret": (
        SetUp(KEYS, auth=AppKey("access-key", SECRET + "x")),
        ("keys", "encryption is not legal", "check the secret key", Exit.AUTH),
    ),
    "an unknown user": (
        SetUp(user_id="nobody"),
        ("user", "refuses user nobody", "check --user-id and --org-id", Exit.AUTH),
    ),
    "a user without rights": (
        SetUp({"denied": True}),
        ("user", "62103", "ask for the privilege", Exit.AUTH),
    ),
    "a zone that is not that of the rows": (
        SetUp({"claimed_zone": "GMT+3"}),
        ("rows", "are printed in UTC+08:00, not in UTC+03:00", "--server-timezone +08:00", Exit.INCONSISTENT),
    ),
    "a wrong zone of its user": (
        SetUp(zone="GMT+3"),
        ("rows", "are printed in UTC+08:00, not in UTC+03:00", "--server-timezone +08:00", Exit.INCONSISTENT),
    ),
    "a page size that is refused": (
        SetUp({"refuse_page_size_above": 100}),
        ("pages", "a page of 500 rows is refused", "give --page-size 50 or", Exit.INCOMPLETE),
    ),
    "a firewall before the gateway": (
        SetUp(transport=telling(answer("<html>Forbidden</html>", 403))),
        ("keys", "asks for keys", "set AIOFLOWS_ACCESS_KEY", Exit.AUTH),
    ),
    "another first page": (
        SetUp(first_page=1),
        ("pages", "pages count from 0, and not from 1", "give --first-page 0", Exit.INCOMPLETE),
    ),
    "too many requests": (
        SetUp({"rate": 0.001, "throttle": "429-seconds", "burst": 2}),
        ("rate", "too many requests", "a lower --rate", Exit.INCOMPLETE),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_is_named_with_what_to_do(name: str) -> None:
    setup, (where, what, advice, code) = BROKEN[name]
    checks, seen = examined(setup)
    failed = [check for check in checks if check.outcome is CheckOutcome.FAILED]
    assert [check.name for check in failed] == [where]
    assert what in failed[0].message
    assert advice in failed[0].advice
    assert exit_of(checks) == code
    assert seen.attempts <= 18


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ({}, "pages count from 0; a page of 500 rows is given"),
        ({"first_page": 1}, "pages count from 1"),
        ({"first_page": 1, "page_zero": "empty"}, "pages count from 1"),
        ({"first_page": 1, "page_zero": "error"}, "pages count from 1"),
        ({"first_page": 1, "page_zero": "parameter"}, "pages count from 1"),
        ({"bounds": "open"}, "pages count from 0"),
        ({"bounds": "minutes-down"}, "pages count from 0"),
        ({"page_cap": 100}, "500 rows were asked for, a page holds 100"),
        ({"instances": 0}, "no instance was found"),
        (KEYS, "pages count from 0"),
    ],
    ids=str,
)
def test_a_set_up_that_is_only_peculiar_is_described(service: dict[str, Any], words: str) -> None:
    auth = AppKey(KEYS["app_key"], SECRET) if "app_key" in service else None
    checks, seen = examined(SetUp(service, auth=auth))
    assert not [check for check in checks if check.outcome in (CheckOutcome.FAILED, CheckOutcome.WARNING)]
    assert words in next(check.message for check in checks if check.name == "pages")
    assert seen.attempts <= 18


@pytest.mark.parametrize(("skew", "words"), [(90.0, "90 s behind"), (-3600.0, "3,600 s ahead of")])
@pytest.mark.parametrize("keys", [False, True])
def test_a_clock_that_is_wrong_is_a_warning(skew: float, words: str, keys: bool) -> None:
    """It is no fault, since signatures are made by the service's clock."""
    auth = AppKey("access-key", SECRET) if keys else None
    checks, _ = examined(SetUp((KEYS if keys else {}) | {"clock_skew": skew}, auth=auth))
    clock = next(check for check in checks if check.name == "clock")
    assert clock.outcome is CheckOutcome.WARNING
    assert words in clock.message
    assert exit_of(checks) == Exit.COMPLETE


@pytest.mark.parametrize(
    ("setup", "where", "words"),
    [
        (BROKEN["a firewall before the gateway"][0], "gateway", "HTTP status 403 came, without the code of"),
        (SetUp({"latency": 3.0}), "reach", "the fastest request took 3,0"),
    ],
)
def test_what_need_not_be_a_fault_is_a_warning(setup: SetUp, where: str, words: str) -> None:
    warned = [check for check in examined(setup)[0] if check.outcome is CheckOutcome.WARNING]
    assert [check.name for check in warned] == [where]
    assert words in warned[0].message


def test_a_fault_that_passes_is_lived_through() -> None:
    checks, _ = examined(SetUp({"faults": [Fault(at=1, kind="http-500")]}))
    assert exit_of(checks) == Exit.COMPLETE


@pytest.mark.parametrize("claimed", ["GMT+3", "Asia/Kathmandu"])
def test_a_wrong_zone_is_found_by_few_requests(claimed: str) -> None:
    """Two show the neighbours of a row's time, and one or a few more show the row."""
    seen = examined(SetUp({"claimed_zone": claimed}))[1]
    assert str(seen.row_zone) == "UTC+08:00"
    assert seen.attempts <= examined(SetUp())[1].attempts + 5


@pytest.mark.parametrize("name", ["a wrong secret", "a zone that is not that of the rows"])
def test_it_is_printed_and_written_as_json_without_a_secret(name: str) -> None:
    checks, seen = examined(BROKEN[name][0])
    screen = io.StringIO()
    print_checks(checks, seen, console_on(screen))
    sys.stdout.write(screen.getvalue())
    records = [json.loads(line) for line in json_lines(checks, seen)]
    assert [one["check"] for one in records[:-1]] == [check.name for check in checks]
    assert records[-1]["failed"] == [BROKEN[name][1][0]]
    assert "✗ " in screen.getvalue()
    assert SECRET not in screen.getvalue() + json.dumps(records)
