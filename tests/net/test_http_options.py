"""A session as people configure one: proxy, certificates, headers, timeouts, and a gateway below a path."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import traceback
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

import aioflows.sync
from aioflows import (
    AioflowsError,
    AppKey,
    ConnectFailed,
    FlowQuery,
    FlowSession,
    QueryError,
    RetryPolicy,
    ServiceError,
    Timeouts,
    TransportError,
    __version__,
)
from aioflows._net.http_options import Proxy
from aioflows._net.transport import Answer
from tests.support.fakes import FakeTransport, Sent, answer, envelope
from tests.support.wire import SELF_SIGNED, Script, certified, reply, serving

TIME = reply(b'{"code":0,"data":1735689600000}')
ONCE = RetryPolicy(max_tries=1)


def make(base_url: str = "https://enos.test", **given: Any) -> FlowSession:
    return FlowSession(base_url, user_id="u", org_id="o", **given)


def respond(sent: Sent) -> Answer:
    if "/token/" in sent.request.url:
        return envelope({"accessToken": "the-token", "expire": 7200})
    if dict(sent.request.query)["action"] == "getTimeZone":
        return envelope({"timezone": "GMT+8"})
    if dict(sent.request.query)["action"] == "search":
        return envelope({"flowInsts": [], "count": 0})
    return envelope(1_735_689_600_000)


class TestHeaders:
    async def test_they_are_added_to_each_request_and_the_token_request_as_well(self) -> None:
        transport = FakeTransport(respond)
        headers = {"X-Team": "data", "Authorization": "Bearer abc"}
        async with make(auth=AppKey("access-key", "secret-key"), http=transport, headers=headers) as session:
            await session.server_time()
        assert len(transport.sent) == 2
        assert all(headers.items() <= sent.headers.items() for sent in transport.sent)
        assert transport.sent[1].headers["apim-accesstoken"] == "the-token"

    @pytest.mark.parametrize(
        ("headers", "words"),
        [
            ({"X": "CANARY\r\nHost: other"}, "the value of the header X must be"),
            ({"X": "CANARY\n"}, "without line breaks"),
            ({"X": "CANARY\0"}, "visible ASCII"),
            ({"X": " CANARY"}, "blanks at its ends"),
            ({"X": "描CANARY"}, "visible ASCII"),
            ({"X": b"CANARY"}, "must be a text"),
            ({"X: CANARY\r\nY": "1"}, "the name of header number 1 is not valid"),
            ({"": "CANARY"}, "number 1 is not valid"),
            ({"A": "1", 5: "CANARY"}, "number 2 is not valid"),
            ({"X-A": "1", "x-a": "CANARY"}, "given twice"),
            ({"host": "CANARY"}, "aioflows sets it itself"),
            ({"Content-Length": "5"}, "aioflows sets it itself"),
            ({"Transfer-Encoding": "chunked"}, "aioflows sets it itself"),
            ({"APIM-AccessToken": "CANARY"}, "aioflows sets it itself"),
            ({"Proxy-Authorization": "CANARY"}, "in the URL of the proxy"),
            ({"User-Agent": "CANARY"}, "give user_agent="),
            ("X: CANARY", "must be a mapping"),
        ],
        ids=str,
    )
    def test_one_that_cannot_be_sent_is_refused_without_its_value(self, headers: Any, words: str) -> None:
        with pytest.raises(QueryError, match=words) as caught:
            make(headers=headers)
        assert "CANARY" not in str(caught.value)

    async def test_their_values_are_in_no_repr_and_no_error(self) -> None:
        secret = "Bearer SECRET-CANARY"

        def echo(_: Sent) -> Answer:
            return answer(
                {"code": 7, "msg": "headers were Authorization: Bearer SECRET-CANARY, k=COOKIE-CANARY"}
            )

        headers = {"Authorization": secret, "Cookie": "k=COOKIE-CANARY; b=1"}
        events: list[object] = []
        async with make(
            http=FakeTransport(echo), headers=headers, retry=ONCE, observer=events.append
        ) as session:
            with pytest.raises(ServiceError) as caught:
                await session.server_time()
            shown = [repr(session), repr(session._caller), repr(events)]
        text = "".join(
            traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
        )
        own = [line for line in text.splitlines() if "secret" not in line and "headers = " not in line]
        assert "CANARY" not in repr(caught.value) + str(shown)
        assert not [line for line in own if "CANARY" in line and "echo" not in line]

    def test_the_user_agent_has_the_version(self) -> None:
        transport: Any = make()._transport
        assert transport._options.user_agent == f"aioflows/{__version__}"

    @pytest.mark.parametrize("agent", ["", "a\nb", "ü"])
    def test_a_user_agent_that_cannot_be_sent_is_refused(self, agent: str) -> None:
        with pytest.raises(QueryError, match="user_agent"):
            make(user_agent=agent)

    @pytest.mark.real_time
    async def test_the_user_agent_is_sent_also_by_a_session_of_the_caller(self) -> None:
        script = Script(TIME, TIME, TIME, TIME)
        async with serving(script) as url, aiohttp.ClientSession(headers={"User-Agent": "own"}) as http:
            for given in ({}, {"user_agent": "me/1"}, {"http": http}, {"http": http, "user_agent": "me/1"}):
                async with make(url, **given) as session:
                    await session.server_time()
        agents = [head.split("User-Agent: ")[1].split("\r\n")[0] for head in script.heads]
        assert agents == [f"aioflows/{__version__}", "me/1", "own", "me/1"]


class TestCertificates:
    @pytest.mark.real_time
    async def test_a_file_of_an_authority_is_trusted(self, tmp_path: Path) -> None:
        tls = certified(tmp_path, SELF_SIGNED)
        file = tmp_path / "certificate.pem"
        contexts = [file, str(file), ssl.create_default_context(cafile=file)]
        async with serving(Script(*[TIME] * 3), tls) as url:
            for given in contexts:
                async with make(url, ssl=given) as session:
                    await session.server_time()
            async with make(url) as session:
                with pytest.raises(TransportError, match=r"cannot be verified.* by ssl="):
                    await session.server_time()

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (None, "cannot be read: No such file"),
            (b"", "holds no certificate in PEM form"),
            (b"\x30\x82\x01\x8a", "holds no certificate in PEM form"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificate"),
            (SELF_SIGNED.split("-----BEGIN CERT")[0].encode(), "holds no certificate in PEM form"),
        ],
        ids=["missing", "empty", "der", "damaged", "a key only"],
    )
    def test_a_file_that_is_none_is_refused_where_it_is_given(
        self, tmp_path: Path, content: bytes | None, words: str
    ) -> None:
        file = tmp_path / "ca.pem"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(QueryError, match=rf"ca\.pem' {words}"):
            make(ssl=file)

    def test_a_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(QueryError, match="cannot be read"):
            make(ssl=tmp_path)

    def test_nothing_switches_verification_off(self) -> None:
        blind = ssl.create_default_context()
        blind.check_hostname = False
        blinder = ssl.create_default_context()
        blinder.check_hostname = False
        blinder.verify_mode = ssl.CERT_NONE
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for context in (blind, blinder, server):
            with pytest.raises(QueryError, match="does not verify"):
                make(ssl=context)
        for value in (False, 0, True):
            with pytest.raises(QueryError, match="cannot be switched off"):
                make(ssl=value)


class Tunnel:
    """An HTTP proxy that opens tunnels, and remembers what it was told in the clear."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if not head.startswith(b"CONNECT "):
            writer.write(TIME)
            return
        host, port = head.split()[1].decode().split(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(65_536):
        target.write(piece)
        await target.drain()
    target.close()


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


def proxy_of(session: FlowSession) -> str | None:
    transport: Any = session._transport
    proxy: Proxy | None = transport._options.proxy
    return None if proxy is None else proxy.url


class TestProxy:
    @pytest.mark.real_time
    @pytest.mark.parametrize("way", ["given", "environment"])
    async def test_it_sees_a_tunnel_and_its_own_password_only(
        self, way: str, tmp_path: Path, no_environment: pytest.MonkeyPatch
    ) -> None:
        tls, tunnel, script = certified(tmp_path, SELF_SIGNED), Tunnel(), Script(TIME)
        async with serving(script, tls) as url, serving(tunnel) as proxy:
            address = proxy.replace("//", "//user:p%40ss%2Fword@")
            if way == "environment":
                no_environment.setenv("HTTPS_PROXY", address)
            given: dict[str, Any] = {"proxy": address} if way == "given" else {"trust_env": True}
            async with make(
                url, ssl=tmp_path / "certificate.pem", headers={"Authorization": "CANARY"}, **given
            ) as session:
                await session.server_time()
        (head,) = tunnel.heads
        assert head.startswith(b"CONNECT 127.0.0.1:")
        assert b64encode(b"user:p@ss/word") in head
        assert b"CANARY" not in head
        assert b"userId" not in head
        assert "Authorization: CANARY\r\n" in script.heads[0]
        assert "Proxy-Authorization" not in script.heads[0]

    @pytest.mark.real_time
    async def test_one_that_is_away_is_named_without_its_password(self) -> None:
        async with make(proxy="http://user:CANARY-PASSWORD@127.0.0.1:1", retry=ONCE) as session:
            with pytest.raises(ConnectFailed, match="no connection to the proxy") as caught:
                await session.server_time()
            assert "CANARY" not in repr(session) + repr(session._transport) + repr(caught.value)

    @pytest.mark.parametrize(
        ("proxy", "words"),
        [
            ("socks5://user:CANARY@proxy:1080", "SOCKS"),
            ("ftp://user:CANARY@proxy", "must be the URL of an HTTP proxy"),
            ("http://", "must be the URL"),
            ("", "must be the URL"),
            ("http://user:CAN/ARY@proxy:3128", "must be the URL"),
            ("http://user:CAN#ARY@proxy:3128", "must be the URL"),
            ("http://proxy:3128/path", "percent-encode"),
            ("http://proxy:3128?CANARY", "percent-encode"),
            ("http://proxy:CANARY", "must be the URL"),
            ("http://a%3Ab:CANARY@proxy", "colon"),
            ("http://user:%E6%8F%8F@proxy", "Latin-1"),
            ("http://pro xy", "must be the URL"),
            (5, "must be the URL"),
        ],
        ids=str,
    )
    def test_what_is_none_is_refused_without_being_shown(self, proxy: Any, words: str) -> None:
        with pytest.raises(QueryError, match=words) as caught:
            make(proxy=proxy)
        assert not {"CAN", "ARY"} & {caught.value.args[0][at : at + 3] for at in range(999)}

    def test_a_url_of_yarl_or_without_a_scheme_will_do(self) -> None:
        assert proxy_of(make(proxy=URL("http://proxy:3128"))) == "http://proxy:3128"
        assert proxy_of(make(proxy="proxy.example.com:3128/")) == "http://proxy.example.com:3128"
        assert proxy_of(make(proxy="https://[::1]")) == "https://[::1]"

    @pytest.mark.parametrize(
        ("variables", "url", "expected"),
        [
            ({"HTTPS_PROXY": "http://p:1"}, "https://enos.test", "http://p:1"),
            ({"https_proxy": "http://p:1"}, "https://enos.test", "http://p:1"),
            ({"HTTP_PROXY": "http://p:1"}, "https://enos.test", None),
            ({"HTTP_PROXY": "http://p:1"}, "http://127.0.0.1", "http://p:1"),
            ({"ALL_PROXY": "p:1"}, "https://enos.test", "http://p:1"),
            ({"HTTPS_PROXY": "http://p:1", "ALL_PROXY": "socks5://q:1"}, "https://enos.test", "http://p:1"),
            ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".test"}, "https://enos.test", None),
            ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "enos.test:443"}, "https://enos.test:443", None),
            ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://enos.test", None),
            ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "other"}, "https://enos.test", "http://p:1"),
            ({}, "https://enos.test", None),
        ],
        ids=str,
    )
    def test_the_environment_is_read_when_asked_for(
        self,
        variables: Mapping[str, str],
        url: str,
        expected: str | None,
        no_environment: pytest.MonkeyPatch,
    ) -> None:
        for name, value in variables.items():
            no_environment.setenv(name, value)
        assert proxy_of(make(url, trust_env=True)) == expected
        assert proxy_of(make(url)) is None
        assert proxy_of(make(url, trust_env=True, proxy="given:1")) == "http://given:1"

    def test_a_variable_that_holds_none_is_named(self, no_environment: pytest.MonkeyPatch) -> None:
        no_environment.setenv("ALL_PROXY", "socks5://u:CANARY@p:1")
        with pytest.raises(QueryError, match="ALL_PROXY names a SOCKS proxy") as caught:
            make(trust_env=True)
        assert "CANARY" not in str(caught.value)


class TestCallersOwnConnections:
    @pytest.mark.parametrize(
        "given", [{"proxy": "http://p:1"}, {"ssl": ssl.create_default_context()}, {"trust_env": True}]
    )
    async def test_what_they_decide_is_refused(self, given: dict[str, Any]) -> None:
        async with aiohttp.ClientSession() as http:
            with pytest.raises(QueryError, match=f"{next(iter(given))}= and http= cannot be combined"):
                make(http=http, **given)
        with pytest.raises(QueryError, match="cannot be combined"):
            make(http=FakeTransport(respond), **given)

    @pytest.mark.parametrize("timeout", [Timeouts(connect=1), Timeouts(read=1)])
    def test_a_transport_decides_about_its_connections(self, timeout: Timeouts) -> None:
        with pytest.raises(QueryError, match=r"Timeouts\(total=\.\.\.\)"):
            make(http=FakeTransport(respond), timeout=timeout)


class TestTimeouts:
    async def test_a_number_is_the_time_for_an_attempt(self) -> None:
        transport = FakeTransport(respond)
        async with make(http=transport, timeout=7) as session:
            await session.server_time()
        assert transport.sent[0].timeout == 7

    def test_each_time_is_kept(self) -> None:
        transport: Any = make(timeout=Timeouts(9, connect=2, read=3))._transport
        assert transport._timeout(9) == aiohttp.ClientTimeout(9, connect=2, sock_connect=2, sock_read=3)
        usual: Any = make()._transport
        assert usual._timeout(60) == aiohttp.ClientTimeout(60, connect=10, sock_connect=10, sock_read=60)

    @pytest.mark.parametrize("timeout", [0, -1, float("nan"), "5", True, (1, 2)])
    def test_one_that_makes_no_sense_is_refused(self, timeout: Any) -> None:
        with pytest.raises(QueryError, match=r"total|timeout"):
            make(timeout=timeout)

    def test_two_that_differ_are_refused(self) -> None:
        with pytest.raises(QueryError, match="remove one"):
            make(timeout=5, retry=RetryPolicy(attempt_timeout=6))
        make(timeout=5, retry=RetryPolicy(attempt_timeout=5))


class TestBelowAPath:
    @pytest.mark.parametrize(
        ("base_url", "token", "service"),
        [
            ("https://enos.test", "", "/batch-processing-service/v2.1"),
            ("https://enos.test/", "", "/batch-processing-service/v2.1"),
            ("https://enos.test/gw/v1", "/gw/v1", "/gw/v1/batch-processing-service/v2.1"),
            ("https://enos.test/gw/v1//", "/gw/v1", "/gw/v1/batch-processing-service/v2.1"),
            (
                "https://enos.test/gw/dataflow-batch-service/v2.0/",
                "/gw",
                "/gw/dataflow-batch-service/v2.0",
            ),
            (
                "https://enos.test/my-service/v1/gw",
                "/my-service/v1/gw",
                "/my-service/v1/gw/batch-processing-service/v2.1",
            ),
            (URL("https://enos.test/gw"), "/gw", "/gw/batch-processing-service/v2.1"),
        ],
        ids=str,
    )
    async def test_every_operation_stands_below_it(self, base_url: Any, token: str, service: str) -> None:
        transport = FakeTransport(respond)
        async with make(base_url, auth=AppKey("access-key", "secret-key"), http=transport) as session:
            await session.server_time()
            await session.server_timezone()
            await session.scan(FlowQuery(1_704_067_200_000, 1_704_067_260_000)).list()
            with contextlib.suppress(AioflowsError):
                await session.get("1-2")
        paths = {sent.request.url.removeprefix("https://enos.test") for sent in transport.sent}
        assert paths == {
            f"{token}/apim-token-service/v2.0/token/get",
            f"{service}/time",
            f"{service}/flowInstances",
        }

    def test_a_password_in_an_address_is_not_shown(self) -> None:
        for url in (
            "https://u:CANARY@h", "u:CANARY@h", "ftp://u:CANARY@h", "https://u:CAN/ARY@h", "https://h?t=CANARY",
            "https://h#CANARY", "https://u:CANARY #@h",
        ):  # fmt: skip
            with pytest.raises(QueryError) as caught:
                make(url)
            assert "CAN" not in str(caught.value), url


OPTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "proxy": lambda: {"proxy": "http://u:p@127.0.0.1:1"},
    "headers": lambda: {"headers": {"X": "1"}},
    "user_agent": lambda: {"user_agent": "me"},
    "trust_env": lambda: {"trust_env": True},
    "timeout": lambda: {"timeout": Timeouts(5, connect=1)},
    "ssl": lambda: {"ssl": ssl.create_default_context()},
    "other_timezone": lambda: {"other_timezone": "UTC"},
    "base_url": lambda: {"base_url": URL("https://enos.test/gw")},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_both_doors_take_them(option: str) -> None:
    given = {"base_url": "https://enos.test", "user_id": "u", "org_id": "o"} | OPTIONS[option]()
    one, other = FlowSession(**given), aioflows.sync.FlowSession(**given)
    mine: Any = one._transport
    theirs: Any = other._session._transport
    assert mine._options == theirs._options or option == "ssl"
