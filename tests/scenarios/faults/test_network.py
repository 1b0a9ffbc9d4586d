"""The network fails: connections, names, TLS, and what becomes of an answer on its way (faults N1 to N16).

What the transport alone can show, for instance which error each damage becomes, is in ``tests/net/test_http.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from aioflows import (
    AioflowsError,
    ConnectFailed,
    FlowQuery,
    RequestSent,
    RetryPolicy,
    ServiceError,
    TimedOut,
    TransportError,
)
from aioflows._net.http import AiohttpTransport
from aioflows.emulator import Fault
from aioflows.query import SortKey
from tests.support.fakes import loop_time
from tests.support.long import long_but
from tests.support.story import ORDERS, expected, session_with, told, world_of
from tests.support.wire import EXPIRED, OK, SELF_SIGNED, Script, certified, reply, serving

REAL = pytest.mark.real_time
IMPATIENT = RetryPolicy(base=0.0, attempt_timeout=0.15)
YEAR = FlowQuery(1_704_038_400_000, 1_735_660_800_000, type=1)


class Names(AbstractResolver):
    """Says where a name leads: what a test says, lookup after lookup, and then where the emulator is.

    Args:
        answers: an *address* and port, an error, or None: the lookup hangs.
        home: the port that the emulator listens at.
    """

    def __init__(self, answers: Iterator[tuple[str, int] | OSError | None], home: int) -> None:
        self.lookups = 0
        self._answers = answers
        self._home = ("127.0.0.1", home)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.lookups += 1
        answer = next(self._answers, self._home)
        if answer is None:
            await asyncio.get_running_loop().create_future()
        if isinstance(answer, OSError):
            raise answer
        assert answer is not None
        address, where = answer
        return [
            ResolveResult(hostname=host, host=address, port=where, family=socket.AF_INET, proto=0, flags=0)
        ]

    async def close(self) -> None:
        pass


@contextlib.asynccontextmanager
async def looked_up(names: Names, *, keep: bool = False) -> AsyncIterator[aiohttp.ClientSession]:
    """A session that asks *names*, for every request unless it may *keep* its connections."""
    options: dict[str, Any] = {} if keep else {"force_close": True}
    connector = aiohttp.TCPConnector(resolver=names, use_dns_cache=False, **options)
    async with aiohttp.ClientSession(connector=connector) as http:
        yield http


class Busy:
    """Another service, which the application asks: it takes its time, or all time there is."""

    def __init__(self, *, forever: bool = False) -> None:
        self.url = ""
        self._forever = forever

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Busy]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await (reader.read() if self._forever else asyncio.sleep(0.3))
            writer.write(OK)

        async with serving(answer) as self.url:
            yield self

    async def get(self, http: aiohttp.ClientSession) -> None:
        async with http.get(self.url) as response:
            await response.read()


def nobody() -> int:
    """A port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def unreached(kind: str) -> tuple[str, int] | OSError:
    """Where a name leads if nobody can be reached there."""
    if kind == "refused":
        return ("127.0.0.1", nobody())
    # Nobody can connect to a broadcast address: the system says at once that this network is unreachable.
    return (
        ("255.255.255.255", 80)
        if kind == "unreachable"
        else socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    )


async def lost(
    query: FlowQuery, url: str, http: aiohttp.ClientSession | None = None, **session: Any
) -> AioflowsError:
    """The error that a scan ends in before it has brought a row; it has to tell where to go on."""
    with world_of() as emulator:
        async with (
            session_with(emulator, url=url, http=http, **session) as (asked, _),
            asked.scan(query) as scan,
        ):
            with pytest.raises(AioflowsError) as caught:
                await anext(scan)
    assert caught.value.checkpoint is not None
    assert [(one.from_ms, one.to_ms) for one in caught.value.checkpoint.remaining] == [
        (query.from_ms, query.to_ms)
    ]
    return caught.value


class TestNoConnection:
    # N1, N2, N3

    @REAL
    @pytest.mark.parametrize("kind", ["refused", "unreachable", "unknown"])
    async def test_where_there_was_none_for_a_moment_the_scan_goes_on(self, kind: str) -> None:
        async with world_of() as emulator:
            home = ("127.0.0.1", int(emulator.url.rpartition(":")[2]))
            names = Names(iter([home] * 5 + [unreached(kind)] * 3), home[1])
            query = FlowQuery(emulator.start, emulator.end, type=1)
            url = emulator.url.replace("127.0.0.1", "names.test")
            async with (
                looked_up(names) as http,
                session_with(emulator, url=url, http=http) as (session, _),
                session.scan(query) as scan,
            ):
                assert [one.instance_id async for one in scan] == expected(emulator, query)
            assert scan.stats.retries == 3
            assert scan.stats.throttled == 0, "nobody was asked too much"

    @REAL
    @pytest.mark.parametrize("kind", ["refused", "unreachable", "unknown"])
    async def test_where_there_is_none_the_tries_are_spent(self, kind: str) -> None:
        names = Names(itertools.repeat(unreached(kind)), 0)
        async with looked_up(names) as http:
            error = await lost(YEAR, "http://names.test", http, retry=RetryPolicy(base=0.0, max_tries=3))
        assert isinstance(error, ConnectFailed)
        assert "names.test" in str(error)
        assert 3 <= names.lookups <= 6, "the zone is asked for beside the search"

    # N4

    async def test_a_name_that_is_looked_up_for_ever_is_given_up_before_the_attempt_is(self) -> None:
        names = Names(itertools.repeat(None), 0)
        carrier = AiohttpTransport()
        async with looked_up(names) as http:
            carrier._session = http  # its own, but for the names
            error = await lost(YEAR, "https://enos.test", carrier, retry=RetryPolicy(max_tries=1))  # type: ignore[arg-type]
            assert type(error) is TimedOut
            assert loop_time() == pytest.approx(10, abs=1), (
                "the time for a connection, not that for an attempt"
            )
        await carrier.close()

    @REAL
    async def test_while_one_name_hangs_the_other_windows_go_on(self) -> None:
        async with world_of(latency=0.002) as emulator:
            home = int(emulator.url.rpartition(":")[2])
            names = Names(iter([("127.0.0.1", home), None, None, None, None]), home)
            query = FlowQuery(emulator.start, emulator.end, type=1)
            url = emulator.url.replace("127.0.0.1", "names.test")
            async with (
                looked_up(names, keep=True) as http,
                session_with(emulator, url=url, http=http, retry=IMPATIENT) as (session, _),
                session.scan(query) as scan,
            ):
                assert [one.instance_id async for one in scan] == expected(emulator, query)
            assert 1 <= scan.stats.retries <= names.lookups


class TestTls:
    # N5; a chain that nobody signed and plain HTTP are in tests/net/test_http.py as well

    @REAL
    @pytest.mark.parametrize(
        ("certificate", "host", "reason"),
        [
            (SELF_SIGNED, "127.0.0.1", "self-signed"),
            (EXPIRED, "127.0.0.1", "expired"),
            (SELF_SIGNED, "localhost", "mismatch"),
        ],
        ids=["a bad chain", "expired", "another host"],
    )
    async def test_a_certificate_that_cannot_be_trusted_ends_it_at_once(
        self, certificate: str, host: str, reason: str, tmp_path: Path
    ) -> None:
        script = Script(OK)
        trusted = tmp_path / "trusted.pem"
        trusted.write_text(certificate[certificate.index("-----BEGIN CERT") :])
        context = ssl.create_default_context(cafile=None if reason == "self-signed" else str(trusted))
        connector = aiohttp.TCPConnector(ssl=context)
        async with (
            serving(script, certified(tmp_path, certificate)) as url,
            aiohttp.ClientSession(connector=connector) as http,
        ):
            error = await lost(YEAR, url.replace("127.0.0.1", host), http)
        assert type(error) is TransportError
        assert host in str(error)
        assert reason in str(error).lower()
        assert "SSL_CERT_FILE" in str(error)
        assert not any(word in str(error).lower() for word in ("disable", "ssl=false", "verify=", "insecure"))
        assert script.heads == [], "nothing was sent to whoever that was"

    @REAL
    async def test_plain_http_at_a_port_for_tls_ends_it_at_once(self) -> None:
        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        async with serving(plain) as url:
            error = await lost(YEAR, url.replace("http", "https"))
        assert type(error) is TransportError
        assert "check that the port is for https" in str(error)

    # N6

    @REAL
    async def test_a_connection_lost_in_the_handshake_is_tried_again(self) -> None:
        connections = 0

        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await reader.read(10)

        async with serving(hang_up) as url:
            error = await lost(
                YEAR, url.replace("http", "https"), retry=RetryPolicy(base=0.0, max_tries=3), concurrency=1
            )
        assert isinstance(error, ConnectFailed)
        assert connections >= 3


class TestAnswerLost:
    # N7, N8, N9

    @REAL
    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("kind", ["reset", "reset-after-head", "reset-in-body", "cut"])
    async def test_an_answer_that_is_lost_on_its_way_is_asked_for_again(
        self, kind: str, order: SortKey | None
    ) -> None:
        story = await told(Fault(3, kind, times=2), order=order, sockets=True)
        assert story.error is None
        assert 1 <= story.stats.retries <= 2, "one of the two may have been asked for nothing"

    @pytest.mark.parametrize("at", [1, 2])
    @pytest.mark.parametrize("kind", ["reset", "reset-in-body"])
    async def test_that_says_nothing_of_how_much_was_asked_for_three_times(self, kind: str, at: int) -> None:
        # The first questions of a scan are wide, and the service gets few tries at them, so as to be asked for less. An answer
        # that was cut four times running may have been too long for something on its way.
        story = await told(Fault(at, kind, times=3), session={"concurrency": 1})
        assert story.error is None
        assert story.stats.retries == 3

    @pytest.mark.parametrize("kind", ["reset", "reset-in-body"])
    async def test_and_then_fewer_rows_are_asked_for(self, kind: str) -> None:
        story = await told(Fault(1, kind, times=12), session={"concurrency": 1})
        assert story.error is None
        assert 8 <= story.stats.retries <= 12

    # N10

    @REAL
    async def test_a_connection_closed_while_idle_is_replaced_without_a_wait(self) -> None:
        story = await told(Fault(5, "close"), sockets=True)
        assert (story.stats.retries, story.stats.waited) == (1, 0.0)

    @pytest.mark.parametrize("kind", ["reset", "reset-after-head", "cut"])
    async def test_when_the_tries_are_spent_the_scan_ends_where_it_stands(self, kind: str) -> None:
        story = await told(Fault(6, kind, times=1000), session={"retry": RetryPolicy(base=0.0, max_tries=3)})
        assert isinstance(story.error, TransportError)
        assert story.before

    # N11

    async def test_an_answer_that_never_comes_is_asked_for_again(self) -> None:
        story = await told(Fault(4, "black-hole"), session={"retry": RetryPolicy(attempt_timeout=7.0)})
        assert story.stats.retries == 1
        assert 7.0 < story.stats.elapsed < 9.0

    async def test_where_no_answer_ever_comes_it_times_out(self) -> None:
        story = await told(Fault(1, "black-hole", times=1000), session={"retry": RetryPolicy(max_tries=2)})
        assert type(story.error) is TimedOut

    @REAL
    async def test_closing_waits_for_no_black_hole(self) -> None:
        async with world_of(Fault(60, "black-hole", times=1000), instances=3_000) as emulator:
            async with session_with(emulator, sockets=True, concurrency=64, page_size=10) as (session, _):
                query = FlowQuery(emulator.start, emulator.end, type=1, order_by=None)
                scan = session.scan(query)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.5):
                        async for _ in scan:
                            pass
                assert scan.reader._engine.under_way >= 64
                began = loop_time()
                await scan.aclose()
                await session.aclose()
            assert loop_time() - began < 0.1

    # N12

    async def test_an_answer_that_drips_is_asked_for_again(self) -> None:
        story = await told(Fault(4, "drip", seconds=1), session={"retry": RetryPolicy(attempt_timeout=60)})
        assert story.stats.retries == 1
        assert 60 < story.stats.elapsed < 62

    # N13

    @pytest.mark.parametrize("order", ORDERS)
    async def test_answers_that_overtake_each_other_keep_their_order(self, order: SortKey | None) -> None:
        story = await told(order=order, latency_spread=2.0, session={"concurrency": 16})
        assert story.error is None
        assert story.stats.retries == 0

    async def test_while_one_answer_is_late_no_more_is_read_ahead_than_the_buffer_holds(self) -> None:
        emulator = world_of(Fault(2, "late", seconds=45), instances=3_000)
        with emulator:
            query = FlowQuery(emulator.start, emulator.end, type=1)
            async with (
                session_with(emulator, buffer=400, concurrency=8) as (session, _),
                session.scan(query) as scan,
            ):
                rows, most = [], 0
                async for one in scan:
                    rows.append(one.instance_id)
                    most = max(most, emulator.rows_answered - len(rows))
            assert rows == expected(emulator, query)
            assert scan.stats.retries == 0
            assert scan.stats.elapsed > 45
        assert most <= 2 * 400 + 8 * 20

    # N14

    @REAL
    @pytest.mark.parametrize("kind", ["sliced", "chunked", "early-hints"])
    async def test_however_an_answer_is_sliced_it_is_read(self, kind: str) -> None:
        story = await told(Fault(1, kind, times=4), instances=60, sockets=True)
        assert story.error is None
        assert story.stats.retries <= 1, (
            "where its last piece comes late, the connection is not taken up again"
        )


class TestOutage:
    # N15

    @pytest.mark.parametrize("order", ORDERS)
    async def test_a_network_that_is_down_for_long_ends_the_scan_and_a_resume_is_as_if_nothing_had_been(
        self, order: SortKey | None
    ) -> None:
        with world_of(Fault(6, "outage", seconds=600)) as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=1, order_by=order)
            async with session_with(emulator, retry=RetryPolicy()) as (session, _):
                rows: list[str] = []
                with pytest.raises(TransportError) as caught:
                    async for one in session.scan(query):
                        rows.append(one.instance_id)
                assert rows
                assert loop_time() < 120, "it gave up long before the network was back"
                await asyncio.sleep(600)
                async for one in session.scan(query, resume=caught.value.checkpoint):
                    rows.append(one.instance_id)
            due = expected(emulator, query)
        assert (rows if order else sorted(rows)) == (due if order else sorted(due))

    async def test_one_that_is_down_for_a_moment_is_waited_for(self) -> None:
        story = await told(Fault(6, "outage", seconds=2), session={"retry": RetryPolicy(base=1.0)})
        assert story.error is None
        assert story.stats.retries >= 1


class TestPool:
    # The application's own aiohttp session, whose connections are few, or in use

    @REAL
    @pytest.mark.parametrize(
        "limits", long_but({"limit": 3}, of=[{"limit": 1}, {"limit": 3}, {"limit": 50, "limit_per_host": 2}])
    )
    async def test_a_pool_of_few_connections_costs_time_and_no_try(self, limits: dict[str, int]) -> None:
        inside: list[int] = []

        def count(event: object) -> None:
            if isinstance(event, RequestSent):
                inside.append(session._gate.in_flight)

        async with world_of(latency=0.05, instances=200) as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=1)
            connector = aiohttp.TCPConnector(**limits)  # type: ignore[arg-type]
            retry = RetryPolicy(attempt_timeout=0.3)
            async with (
                aiohttp.ClientSession(connector=connector) as http,
                session_with(
                    emulator,
                    http=http,
                    sockets=True,
                    concurrency=16,
                    page_size=10,
                    retry=retry,
                    observer=count,
                ) as (session, _),
                session.scan(query) as scan,
            ):
                assert [one.instance_id async for one in scan] == expected(emulator, query)
            assert scan.stats.retries == 0
            assert emulator.peak_in_flight == min(limits.values())
            assert max(inside) == min(limits.values()), (
                "no request is signed before there may be a connection for it"
            )

    @REAL
    async def test_nor_does_one_that_the_application_uses_meanwhile(self) -> None:
        async with world_of(latency=0.02, instances=200) as emulator, Busy().serving() as busy:
            query = FlowQuery(emulator.start, emulator.end, type=1)
            retry = RetryPolicy(attempt_timeout=0.2)
            async with (
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=2)) as http,
                session_with(
                    emulator, http=http, sockets=True, concurrency=16, page_size=10, retry=retry
                ) as (session, _),
                session.scan(query) as scan,
            ):
                others = [asyncio.create_task(busy.get(http)) for _ in range(4)]
                await asyncio.sleep(0.05)
                assert [one.instance_id async for one in scan] == expected(emulator, query)
                await asyncio.gather(*others)
            assert scan.stats.retries == 0
            assert scan.stats.elapsed > 0.5, "the application had all connections at first"

    @REAL
    async def test_one_that_the_application_keeps_to_itself_is_named(self) -> None:
        async with (
            Busy(forever=True).serving() as busy,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http,
        ):
            other = asyncio.create_task(busy.get(http))
            await asyncio.sleep(0.05)
            error = await lost(YEAR, busy.url, http, retry=RetryPolicy(max_elapsed=0.2))
            other.cancel()
            await asyncio.wait([other])
        assert "opens 1 at once" in str(error)


class TestProxy:
    # N16

    async def test_a_proxy_that_asks_who_we_are_ends_it_at_once(self) -> None:
        story = await told(Fault(5, "http-407", times=1000))
        assert type(story.error) is ServiceError
        assert story.error.code == 407
        assert story.stats.retries == 0

    @REAL
    @pytest.mark.parametrize(
        ("status", "expected_error", "tries"),
        [("407 Proxy Authentication Required", TransportError, 1), ("502 Bad Gateway", ConnectFailed, 3)],
    )
    async def test_a_proxy_that_opens_no_tunnel_is_named(
        self, status: str, expected_error: type[AioflowsError], tries: int
    ) -> None:
        connections = 0

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await Script(reply(b"<html>CANARY</html>", status))(reader, writer)

        async with serving(refuse) as proxy, aiohttp.ClientSession(proxy=proxy) as http:
            error = await lost(
                YEAR, "https://enos.test", http, retry=RetryPolicy(base=0.0, max_tries=3), concurrency=1
            )
        assert type(error) is expected_error
        assert "proxy" in str(error)
        assert "CANARY" not in str(error)
        assert tries <= connections <= 2 * tries, "the zone is asked for beside the search"
