"""What a secret, a hostile service and an application around us may expect; the rest stands where it is at home.

TLS, redirects, bodies that are too large or cut off: ``tests/net/test_http.py``. Signing: ``tests/core/wire/test_signing.py``
and ``tests/net/test_access_token.py``. Bodies that are no JSON, or not what they should be: ``tests/core/wire/test_search.py``
and ``tests/core/wire/test_responses.py``. Checkpoints: ``tests/test_session.py``. Marked secrets, searched for everywhere:
``tests/scenarios/test_canary.py``. Names that reach a terminal or a file: ``tests/cli/test_printable.py``,
``tests/cli/test_terminal.py``, ``tests/export/test_resume.py`` and ``tests/export/formats/test_json_lines.py``.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import itertools
import json
import pickle
import re
import ssl
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from aioflows import (
    AioflowsError,
    AnswerError,
    AppKey,
    CompletenessError,
    FlowQuery,
    FlowSession,
    Limits,
    RetryPolicy,
    ScheduleType,
    Throttled,
    Timeouts,
)
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.keyset import KeysetScan
from aioflows._core.scans.signals import NEED_PAGES
from aioflows._core.wire.zone import Zone
from aioflows._display.secret import Secret
from aioflows._net.http import LARGEST_BODY
from aioflows._net.transport import Answer
from aioflows.emulator import Emulator, EmulatorProcess, Fault
from tests.support.fakes import EmulatorTransport, FakeTransport, Sent, answer, envelope, loop_time
from tests.support.model import ModelPage

ROOT = Path(__file__).parents[2]
DAY = 86_400_000
FIRST_SECOND = "2024-01-01 00:00:00"
START = 1_704_067_200_000  # 2024-01-01 00:00 UTC

ACCESS, SECRET = "ACCESS-KEY-CANARY", "SECRET-KEY-CANARY"
KEY = AppKey(ACCESS, SECRET)


class TestKeys:
    @pytest.mark.parametrize(
        "shown",
        [
            repr,
            str,
            "{}".format,
            lambda key: f"{key._secret_key:>40}",
            lambda key: "%r %s" % (key, key),  # noqa: UP031  (that is the point)
            lambda key: repr(attrs.asdict(key)),
            lambda key: repr(attrs.astuple(key)),
            lambda key: json.dumps(attrs.asdict(key), default=str),
            lambda key: repr([getattr(key, field.name) for field in attrs.fields(AppKey)]),
            lambda key: repr(pickle.dumps(key)),
            lambda key: repr(pickle.loads(pickle.dumps(key))),
        ],
        ids=range(11),
    )
    def test_none_of_what_shows_a_value_shows_them(self, shown: Callable[[AppKey], str]) -> None:
        assert "CANARY" not in shown(KEY)

    def test_they_can_be_read_where_they_are_needed(self) -> None:
        assert (KEY.access_key, KEY.secret_key) == (ACCESS, SECRET)
        assert attrs.evolve(KEY, secret_key="another").secret_key == "another"
        assert copy.deepcopy(KEY).secret_key == SECRET

    def test_two_of_the_same_are_equal_and_others_are_not(self) -> None:
        assert AppKey(ACCESS, SECRET) == KEY
        assert hash(AppKey(ACCESS, SECRET)) == hash(KEY)
        assert AppKey(ACCESS, "another") != KEY
        assert Secret("a") != "a"

    def test_a_pickle_says_that_it_holds_none(self) -> None:
        with pytest.raises(RuntimeError, match="make a new AppKey"):
            pickle.loads(pickle.dumps(KEY)).secret_key  # noqa: B018
        assert pickle.loads(pickle.dumps(KEY)) != pickle.loads(pickle.dumps(KEY))

    def test_a_secret_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError, match="cannot be changed"):
            Secret("a")._text = "b"


@pytest.fixture(scope="module")
def other() -> Iterator[EmulatorProcess]:
    """Serve another origin, to which nothing may ever be sent."""
    with EmulatorProcess(instances=10) as served:
        yield served


class TestConnections:
    def test_nothing_switches_verification_off(self) -> None:
        # `ssl` refuses False and contexts that do not verify: tests/net/test_http_options.py
        words = re.compile("ssl|tls|verif|insecure|cert")
        for thing in (FlowSession, Limits, RetryPolicy, Timeouts, AppKey):
            names = {name for name in inspect.signature(thing).parameters if words.search(name)}
            assert names <= {"ssl"}

    @pytest.mark.real_time
    async def test_verification_is_on_and_the_process_s_own_is_left_alone(self) -> None:
        before = ssl._create_default_https_context
        async with (
            Emulator(10) as emulator,
            FlowSession(emulator.url, user_id="u", org_id="o") as session,
        ):
            await session.server_time()
            http: Any = session._transport
            assert http._session.connector._ssl is True
            assert http._session.trust_env is False
        assert ssl._create_default_https_context is before
        context = ssl.create_default_context()
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)

    @pytest.mark.real_time
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_another_origin_never_hears_of_it(self, status: int, other: EmulatorProcess) -> None:
        fault = Fault(1, f"http-{status}", times=100, location=f"{other.url}/batch-processing-service")
        async with (
            Emulator(10, faults=[fault]) as emulator,
            FlowSession(emulator.url, user_id="u", org_id="o") as session,
        ):
            with pytest.raises(AnswerError, match="a redirect to"):
                await session.page(FlowQuery(START, START + DAY, type=ScheduleType.MANUAL), 0, 1)
        assert not any(other.requests.values())

    @pytest.mark.real_time
    async def test_proxies_and_passwords_of_the_environment_are_not_used(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login u password p\n")
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        heads = []

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            body = b'{"code":0,"data":1735689600000}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await reader.read()
            writer.close()

        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with FlowSession(url, user_id="u", org_id="o") as session:
            await session.server_time()
        server.close()
        await asyncio.sleep(0.01)
        assert b"authorization" not in heads[0].lower()

    async def test_every_request_goes_to_the_address_that_was_given(self) -> None:
        with Emulator(200, app_key="the-access-key", app_secret="the-secret-key") as emulator:
            transport = EmulatorTransport(emulator)
            auth = AppKey("the-access-key", "the-secret-key")
            session = FlowSession("https://enos.test", user_id="u", org_id="o", auth=auth, http=transport)
            async with session:
                async for _ in session.flow_instances(FlowQuery(emulator.start, emulator.end)):
                    pass
                await session.server_time()
        assert {sent.request.url.split("/")[2] for sent in transport.sent} == {"enos.test"}


EMBEDDED = """
import asyncio, logging, signal, ssl, sys, warnings
def state():
    signals = [signal.getsignal(number) for number in signal.valid_signals()]
    policy = asyncio.get_event_loop_policy()
    return (signals, type(policy), logging.root.level, list(logging.root.handlers), list(warnings.filters),
            sys.excepthook, sys.unraisablehook, sys.getrecursionlimit(), ssl._create_default_https_context)
import aiohttp, backoff, cattrs, msgspec
logging.getLogger("backoff")
before = state()
import aioflows
assert "aioflows.emulator" not in sys.modules, "the client imports the emulator"
assert "aioflows.cli" not in sys.modules
ours = [name for name in logging.root.manager.loggerDict if name.startswith("aioflows")]
assert ours == ["aioflows"], ours
assert [type(one) for one in logging.getLogger("aioflows").handlers] == [logging.NullHandler]
async def main():
    async with aioflows.FlowSession(sys.argv[1], user_id="u", org_id="o") as session:
        query = aioflows.FlowQuery(int(sys.argv[2]), int(sys.argv[3]))
        print(len([row async for row in session.flow_instances(query)]))
    return [signal.getsignal(number) for number in signal.valid_signals()]
inside = asyncio.run(main())
assert state() == before
"""


class TestEmbedded:
    def test_nothing_of_the_process_is_changed(self) -> None:
        with EmulatorProcess(instances=300) as emulator:
            window = [str(emulator.start_ms), str(emulator.end_ms)]
            run = subprocess.run(
                [sys.executable, "-W", "error", "-c", EMBEDDED, emulator.url, *window],
                capture_output=True,
                text=True,
                timeout=60,
                cwd=ROOT,
                check=False,
            )
        assert (run.returncode, run.stdout, run.stderr) == (0, "300\n", "")

    async def test_sessions_with_different_keys_share_nothing(self) -> None:
        tokens: dict[str, set[str]] = {}
        times: dict[str, float] = {}

        def service(name: str) -> FakeTransport:
            def respond(sent: Sent) -> Answer:
                if "/token/" in sent.request.url:
                    return envelope({"accessToken": f"token-of-{name}", "expire": 7200})
                tokens.setdefault(name, set()).add(sent.headers["apim-accesstoken"])
                if name == "first" and loop_time() < 5:
                    return answer({"code": 429}, 429, Retry_After="10")
                return envelope(START)

            return FakeTransport(respond, latency=0.1)

        async def ask(name: str) -> None:
            auth = AppKey(f"{name}-access", f"{name}-secret")
            url, http = "https://enos.test", service(name)
            async with FlowSession(url, user_id="u", org_id="o", auth=auth, http=http) as session:
                await session.server_time()
            times[name] = loop_time()

        await asyncio.gather(ask("first"), ask("second"))
        assert tokens == {"first": {"token-of-first"}, "second": {"token-of-second"}}
        assert times["second"] < 1, "it does not wait"
        assert times["first"] >= 10, "it waits as it was told"

    @pytest.mark.real_time
    async def test_own_connections_are_nobody_else_s(self) -> None:
        async with (
            Emulator(10) as emulator,
            FlowSession(emulator.url, user_id="u", org_id="o") as one,
            FlowSession(emulator.url, user_id="u", org_id="o") as two,
        ):
            await asyncio.gather(one.server_time(), two.server_time())
            https: list[Any] = [one._transport, two._transport]
            assert https[0]._session.connector is not https[1]._session.connector


def page(*found: dict[str, Any]) -> Answer:
    return envelope({"flowInsts": list(found), "count": len(found)})


HOSTILE: dict[str, Callable[[Sent], Answer]] = {
    "the same page for ever": lambda sent: page(
        *({"instanceId": f"1-{n}", "triggerTime": FIRST_SECOND} for n in range(50))
    ),
    "nothing for ever": lambda sent: page(),
    "no list for ever": lambda sent: envelope({"flowInsts": None, "count": 10**9}),
    "a count that is too large": lambda sent: envelope({"flowInsts": [], "count": 10**300}),
    "a fault for ever": lambda sent: envelope(None, 62109, "try again"),
    "an expired token for ever": lambda sent: envelope(None, 1203, "expired"),
    "a short wait for ever": lambda sent: answer({"code": 429}, 429, Retry_After="1"),
    "a wait of a century": lambda sent: answer({"code": 429}, 429, Retry_After="3153600000"),
    "a wait that is no number": lambda sent: answer({"code": 429}, 429, Retry_After="9" * 5_000),
    "an empty body for ever": lambda sent: answer(b""),
    "another zone than it says": lambda sent: page(
        *({"instanceId": f"1-{n}", "triggerTime": "2024-01-01 09:00:00"} for n in range(50))
    ),
}


class TestHostileServices:
    @pytest.mark.parametrize("what", HOSTILE)
    async def test_none_makes_a_scan_loop_or_sleep_for_ever(self, what: str) -> None:
        def respond(sent: Sent) -> Answer:
            assert len(transport.sent) < 3_000, "it would go on for ever"
            if "/token/" in sent.request.url:
                return envelope({"accessToken": f"token {len(transport.sent)}", "expire": 10**12})
            if dict(sent.request.query)["action"] == "getTimeZone":
                return envelope({"timezone": "GMT+0"})
            return HOSTILE[what](sent)

        transport = FakeTransport(respond, latency=0.01)
        session = FlowSession(
            "https://enos.test",
            user_id="u",
            org_id="o",
            auth=AppKey("the-access-key", "the-secret-key"),
            http=transport,
            limits=Limits(page_size=50),
        )
        query = FlowQuery(START, START + DAY, type=ScheduleType.PERIODIC)
        error: AioflowsError | None = None
        async with session:
            try:
                got = [row.instance_id async for row in session.flow_instances(query)]
                assert len(got) == len(set(got)) <= 3_000 * 50
            except AioflowsError as caught:
                error = caught
        assert loop_time() < 900, "seconds of a clock that nobody sets"
        if "nothing" not in what and "no list" not in what and "count" not in what:
            assert error is not None, "it cannot be proven that this is all"
        if "century" in what or "no number" in what:
            assert isinstance(error, Throttled)
            assert loop_time() < 1
        if "same page" in what or "zone" in what:
            assert isinstance(error, CompletenessError)

    @pytest.mark.long
    def test_rows_that_are_made_up_as_they_are_asked_for_come_to_an_end(self) -> None:
        service = ServiceFacts(0)
        service.larger_pages = False
        scan = KeysetScan(
            [(START, START + DAY)],
            service=service,
            descending=False,
            ordered=True,
            page_size=2,
            concurrency=4,
            buffer=1_000,
        )
        scan.set_zone(Zone.parse("GMT+0"))
        made, asked = itertools.count(), 0
        with pytest.raises(CompletenessError, match="more rows keep coming"):
            while scan.next_item() is NEED_PAGES:
                for ask in scan.wanted(4):
                    asked += 1
                    assert asked < 200_000, "it would go on for ever"
                    scan.received(
                        ask, ModelPage([f"{next(made):08}", f"{next(made):08}"], 2 * [FIRST_SECOND])
                    )

    def test_what_it_answers_has_a_largest_size(self) -> None:
        assert LARGEST_BODY == 32 * 2**20
        assert Limits().concurrency <= 16

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "localhost", ""])
    def test_the_emulator_is_served_to_this_machine_alone(self, host: str) -> None:
        with pytest.raises(ValueError, match="is served on"):
            Emulator(1, host=host)

    async def test_the_emulator_tells_nobody_its_keys(self) -> None:
        with Emulator(10, app_key="ACCESS-CANARY", app_secret="SECRET-CANARY") as emulator:
            shown = [repr(emulator), repr(emulator.access), json.dumps(emulator.state(), default=str)]
        assert not any("CANARY" in text for text in shown)


def test_every_dependency_has_a_floor() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [one for group in project["optional-dependencies"].values() for one in group]
    for needed in [*project["dependencies"], *extras]:
        assert ">=" in needed or needed.startswith("enos-aioflows["), needed
    (aiohttp,) = [one for one in project["dependencies"] if one.startswith("aiohttp")]
    # 3.13.3: no decompression bombs (CVE-2025-69223); 3.14.3: no credentials to another origin.
    assert tuple(map(int, aiohttp.removeprefix("aiohttp>=").split("."))) >= (3, 14, 3)
