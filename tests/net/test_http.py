"""HTTP through aiohttp, against servers on this machine that speak it well or badly."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from aioflows._core.resilience.retry import (
    FINAL,
    Disconnected,
    Garbled,
    PoolExhausted,
    Refused,
    TooLarge,
    rule_of,
)
from aioflows._net.http import LARGEST_BODY, AiohttpTransport
from aioflows._net.transport import Answer, Queue, Request
from aioflows.errors import AioflowsError, BrokenBody, ConnectFailed, TimedOut, TransportError
from tests.support.wire import OK, SELF_SIGNED, Handler, Script, certified, reply, serving

pytestmark = pytest.mark.real_time

SECRETS = {"apim-accesstoken": "TOKEN-CANARY", "apim-signature": "SIGNATURE-CANARY"}


def post(url: str, body: bytes = b"{}") -> Request:
    return Request("POST", f"{url}/flowInstances", (("action", "search"),), body)


@contextlib.asynccontextmanager
async def transport(
    connections: int = 16, largest_body: int = LARGEST_BODY
) -> AsyncIterator[AiohttpTransport]:
    carrier = AiohttpTransport(connections=connections, largest_body=largest_body)
    try:
        yield carrier
    finally:
        await carrier.close()


async def ask(handler: Handler, timeout: float = 5.0, **options: int) -> Answer:
    async with serving(handler) as url, transport(**options) as carrier:
        return await carrier.send(post(url), SECRETS, timeout)


class TestRequest:
    async def test_it_is_sent_as_it_was_signed(self) -> None:
        script = Script(OK)
        async with serving(script) as url, transport() as carrier:
            request = Request("POST", f"{url}/a/b", (("userId", "a b&=描+%"), ("k", "")), b'{"a": 1}')
            await carrier.send(request, SECRETS, 5.0)
        assert script.heads[0].startswith("POST /a/b?userId=a+b%26%3D%E6%8F%8F%2B%25&k= HTTP/1.1\r\n")
        assert script.bodies == [b'{"a": 1}']
        assert "apim-accesstoken: TOKEN-CANARY\r\n" in script.heads[0]
        assert "Content-Type: application/json\r\n" in script.heads[0]
        assert "Accept-Encoding: gzip, deflate\r\n" in script.heads[0]

    async def test_one_without_a_body_has_none(self) -> None:
        script = Script(OK)
        async with serving(script) as url, transport() as carrier:
            await carrier.send(Request("GET", f"{url}/time"), {}, 5.0)
        assert script.heads[0].startswith("GET /time HTTP/1.1\r\n")
        assert script.bodies == [b""]

    async def test_connections_are_used_again(self) -> None:
        script = Script(OK, OK, OK)
        async with serving(script) as url, transport() as carrier:
            for _ in range(3):
                await carrier.send(post(url), {}, 5.0)
        assert script.connections == 1

    async def test_no_cookie_is_kept(self) -> None:
        script = Script(reply(b"{}", Set_Cookie="JSESSIONID=1"), OK)
        async with serving(script) as url, transport() as carrier:
            await carrier.send(post(url), {}, 5.0)
            await carrier.send(post(url), {}, 5.0)
        assert "Cookie" not in script.heads[1]

    async def test_as_many_as_the_gate_lets_through_travel_at_once(self) -> None:
        together = asyncio.Event()
        waiting = 0

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal waiting
            await Script().read_request(reader)
            waiting += 1
            if waiting == 150:
                together.set()
            await together.wait()
            writer.write(OK)

        async with serving(handler) as url, transport(connections=150) as carrier:
            answers = await asyncio.gather(*(carrier.send(post(url), {}, 10.0) for _ in range(150)))
        assert {one.status for one in answers} == {200}


class TestAnswer:
    @pytest.mark.parametrize(
        "status", ["200 OK", "204 No Content", "407 Proxy", "429 Slow", "500 Oops", "503 Busy"]
    )
    async def test_whatever_the_status_it_is_an_answer(self, status: str) -> None:
        answer = await ask(Script(reply(b"", status, Retry_After="7")))
        assert answer.status == int(status[:3])
        assert answer.headers["retry-after"] == "7"

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_no_redirect_is_followed(self, status: int) -> None:
        elsewhere = Script(OK)
        async with serving(elsewhere) as other:
            answer = await ask(Script(reply(b"", f"{status} Moved", Location=f"{other}/x")))
        assert answer.status == status
        assert elsewhere.connections == 0

    async def test_chunks_are_put_together(self) -> None:
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n2\r\n}\n\r\n0\r\n\r\n"
        assert (await ask(Script(chunked))).body == b"{}\n"

    async def test_single_bytes_are_put_together(self) -> None:
        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await Script().read_request(reader)
            for byte in reply(b'{"code": 0}'):
                writer.write(bytes([byte]))
                await writer.drain()

        assert (await ask(drip)).body == b'{"code": 0}'

    async def test_a_body_that_ends_with_the_connection_is_whole(self) -> None:
        assert (await ask(Script(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}"))).body == b"{}"

    @pytest.mark.parametrize("encode", [gzip.compress, zlib.compress])
    async def test_a_compressed_body_is_decompressed(self, encode: Callable[[bytes], bytes]) -> None:
        name = "gzip" if encode is gzip.compress else "deflate"
        assert (await ask(Script(reply(encode(b"[1]"), Content_Encoding=name)))).body == b"[1]"

    async def test_a_header_that_comes_twice_is_joined(self) -> None:
        twice = b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nRetry-After: 5\r\nretry-after: 9\r\nX: 1\r\n\r\n"
        answer = await ask(Script(twice))
        assert (answer.headers["Retry-After"], answer.headers["X"]) == ("5, 9", "1")

    @pytest.mark.parametrize("encoding", ["br", "gzip"])
    async def test_a_refusal_that_cannot_be_unpacked_is_still_one(self, encoding: str) -> None:
        answer = await ask(Script(reply(b"x", "503 Busy", Content_Encoding=encoding, Retry_After="7")))
        assert (answer.status, answer.headers["Retry-After"], answer.body) == (503, "7", b"")

    async def test_two_gzip_members_are_read_whole(self) -> None:
        body = gzip.compress(b"[1,") + gzip.compress(b"2]")
        assert (await ask(Script(reply(body, Content_Encoding="gzip")))).body == b"[1,2]"


class TestLargestBody:
    async def test_a_body_of_just_that_size_is_read(self) -> None:
        assert len((await ask(Script(reply(b"x" * 1000)), largest_body=1000)).body) == 1000

    async def test_a_larger_one_is_refused_by_its_length(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"
        with pytest.raises(TooLarge, match="larger than 1,000 bytes"):
            await ask(Script(head, stay=True), largest_body=1000)

    async def test_a_larger_one_of_unknown_length_is_refused_while_it_is_read(self) -> None:
        endless = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 1000 + b"\r\n1\r\nx\r\n"
        )
        with pytest.raises(TooLarge):
            await ask(Script(endless, stay=True), largest_body=1000)

    async def test_a_bomb_is_not_blown_up(self) -> None:
        bomb = gzip.compress(bytes(50_000_000), 1)
        with pytest.raises(TooLarge):
            await ask(Script(reply(bomb, Content_Encoding="gzip"), stay=True), largest_body=1_000_000)


WHOLE = reply(b'{"code": 0, "data": []}', X="1")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class TestFailures:
    @pytest.mark.parametrize(
        ("handler", "expected"),
        [
            pytest.param(Script(b""), Disconnected, id="closed without a word"),
            pytest.param(Script(b"", reset=True), Disconnected, id="reset without a word"),
            pytest.param(Script(b"HTTP/1.1 200 OK\r\nConte"), Disconnected, id="cut in the head"),
            pytest.param(
                Script(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), BrokenBody, id="cut in the body"
            ),
            pytest.param(
                Script(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", reset=True),
                BrokenBody,
                id="reset in the body",
            ),
            pytest.param(Script(CHUNKED + b"5\r\n{}"), BrokenBody, id="cut in a chunk"),
            pytest.param(Script(CHUNKED + b"2\r\n{}\r\n"), BrokenBody, id="without the last chunk"),
            pytest.param(
                Script(reply(b"no", Content_Encoding="gzip")), BrokenBody, id="not the gzip it says"
            ),
            pytest.param(Script(b"220 smtp.example.com ESMTP\r\n\r\n"), Garbled, id="another protocol"),
            pytest.param(Script(reply(b"", X="a" * 9000)), Garbled, id="a header that is too long"),
            pytest.param(
                Script(reply(b"", **{f"X{n}": "1" for n in range(200)})), Garbled, id="too many headers"
            ),
            pytest.param(Script(reply(b"ab", Content_Length="3")), Garbled, id="two lengths"),
        ],
    )
    async def test_a_broken_answer_is_named(self, handler: Script, expected: type[AioflowsError]) -> None:
        with pytest.raises(expected, match=r"127\.0\.0\.1"):
            await ask(handler)

    @pytest.mark.parametrize("stray", [reply(b'{"stray": 1}'), b"garbage\r\n\r\n", b"x"])
    async def test_what_came_before_it_was_asked_for_is_no_answer(self, stray: bytes) -> None:
        # As where a gateway answers twice, or takes leave of an idle connection with a status.
        asked: list[str] = []

        async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            script = Script()
            while True:
                await script.read_request(reader)
                asked.append("")
                writer.write(reply(b'{"number": %d}' % len(asked)))
                if len(asked) == 1:
                    await asyncio.sleep(0.02)
                    writer.write(stray)

        async with serving(twice) as url, transport() as carrier:
            answers = []
            for _ in range(3):
                try:
                    answers.append((await carrier.send(post(url), {}, 5.0)).body)
                except Disconnected:  # which is tried again at once, on another connection
                    answers.append((await carrier.send(post(url), {}, 5.0)).body)
                await asyncio.sleep(0.05)
        assert answers == [b'{"number": 1}', b'{"number": 2}', b'{"number": 3}']

    @pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
    async def test_an_encoding_that_was_not_asked_for_is_none(self, encoding: str) -> None:
        with pytest.raises(Garbled, match=r"127\.0\.0\.1.* has an encoding that was not requested"):
            await ask(Script(reply(b"{}", Content_Encoding=encoding)))

    @pytest.mark.parametrize("cut", range(len(WHOLE)))
    async def test_an_answer_cut_anywhere_is_never_taken_for_whole(self, cut: int) -> None:
        with pytest.raises(TransportError) as caught:
            await ask(Script(WHOLE[:cut]))
        assert rule_of(caught.value) != FINAL

    async def test_silence_is_a_time_out(self) -> None:
        with pytest.raises(TimedOut, match=r"within 0\.05 s"):
            await ask(Script(b"", stay=True), 0.05)

    async def test_a_drip_that_takes_too_long_is_a_time_out(self) -> None:
        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)

        with pytest.raises(TimedOut):
            await ask(drip, 0.05)

    async def test_nobody_listens(self) -> None:
        async with transport() as carrier:
            with pytest.raises(Refused, match=r"127\.0\.0\.1:1: "):
                await carrier.send(post("http://127.0.0.1:1"), SECRETS, 5.0)

    @pytest.mark.parametrize(
        "url", ["http://[::1", "ftp://127.0.0.1", "nothing", "http:///x", "http://127.0.0.1:99999"]
    )
    async def test_what_is_no_url_is_final(self, url: str) -> None:
        async with transport() as carrier:
            with pytest.raises(TransportError) as caught:
                await carrier.send(post(url), {}, 5.0)
        assert rule_of(caught.value) == FINAL

    async def test_no_user_or_password_of_a_url_is_shown(self) -> None:
        async with transport() as carrier:
            with pytest.raises(ConnectFailed) as caught:
                await carrier.send(post("http://user:CANARY@127.0.0.1:1"), {}, 5.0)
        assert "CANARY" not in str(caught.value)

    async def test_nothing_of_aiohttp_hangs_on_an_error(self) -> None:
        with pytest.raises(Garbled) as caught:
            await ask(Script(b"garbage TOKEN-CANARY\r\n\r\n"))
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        assert "CANARY" not in repr(caught.value)

    async def test_local_variables_in_its_traceback_hold_no_secret(self) -> None:
        with pytest.raises(Disconnected) as caught:
            await ask(Script(b""))
        found, step = [], caught.value.__traceback__
        while step is not None:
            if (
                "aioflows" in step.tb_frame.f_code.co_filename
                and "tests" not in step.tb_frame.f_code.co_filename
            ):
                found += [name for name, value in step.tb_frame.f_locals.items() if "CANARY" in repr(value)]
            step = step.tb_next
        assert set(found) <= {"headers"}, (
            "only what the caller itself passed, which is a SecretHeaders in real life"
        )


class TestTls:
    async def test_an_unknown_certificate_is_refused_for_good_with_advice(self, tmp_path: Path) -> None:
        script = Script(OK)
        async with serving(script, certified(tmp_path, SELF_SIGNED)) as url, transport() as carrier:
            with pytest.raises(
                TransportError, match=r"the certificate of 127\.0\.0\.1:\d+ cannot be verified"
            ) as caught:
                await carrier.send(post(url), SECRETS, 5.0)
        assert rule_of(caught.value) == FINAL
        assert "SSL_CERT_FILE" in str(caught.value)
        assert not script.heads, "nothing was sent to whoever that was"

    async def test_plain_http_on_that_port_is_final(self) -> None:
        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        async with serving(plain) as url, transport() as carrier:
            with pytest.raises(TransportError, match="no TLS with") as caught:
                await carrier.send(post(url.replace("http", "https")), {}, 5.0)
        assert rule_of(caught.value) == FINAL

    async def test_a_connection_lost_in_the_handshake_is_tried_again(self) -> None:
        async def lost(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)

        async with serving(lost) as url, transport() as carrier:
            with pytest.raises(ConnectFailed) as caught:
                await carrier.send(post(url.replace("http", "https")), {}, 5.0)
        assert rule_of(caught.value).times is None


class TestSessions:
    async def test_a_given_session_is_neither_changed_nor_closed(self) -> None:
        async with aiohttp.ClientSession(raise_for_status=True, headers={"X-Own": "1"}) as session:
            script = Script(reply(b"", "500 Oops", Set_Cookie="a=1"))
            async with serving(script) as url:
                carrier = AiohttpTransport(session)
                assert (await carrier.send(post(url), {}, 5.0)).status == 500
                await carrier.close()
            assert "X-Own: 1\r\n" in script.heads[0]
            assert not session.closed
            assert dict(session.headers) == {"X-Own": "1"}

    async def test_a_given_session_that_does_not_decompress_changes_nothing(self) -> None:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            script = Script(reply(gzip.compress(b"[1]"), Content_Encoding="gzip"))
            async with serving(script) as url:
                assert (await AiohttpTransport(session).send(post(url), {}, 5.0)).body == b"[1]"
        assert "Accept-Encoding: gzip, deflate\r\n" in script.heads[0]

    async def test_it_may_be_closed_twice_and_without_having_been_used(self) -> None:
        carrier = AiohttpTransport()
        await carrier.close()
        await carrier.close()

    async def test_a_closed_one_says_so(self) -> None:
        carrier = AiohttpTransport()
        await carrier.close()
        with pytest.raises(RuntimeError, match="closed"):
            await carrier.send(post("http://127.0.0.1:1"), {}, 5.0)

    def test_it_is_made_without_a_loop(self) -> None:
        assert repr(AiohttpTransport()) == "<AiohttpTransport not opened yet>"


class Slow:
    """Answers each request after some seconds, and counts how many it has at once."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.peak = self._now = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await Script().read_request(reader)
            self._now += 1
            self.peak = max(self.peak, self._now)
            await asyncio.sleep(self.seconds)
            self._now -= 1
            writer.write(OK)


class Connector(aiohttp.TCPConnector):
    """A connector of the application's own kind."""


def queue(patience: float = 5.0) -> tuple[Queue, list[float]]:
    waited: list[float] = []
    return Queue(patience, waited.append), waited


class TestPool:
    @pytest.mark.parametrize(
        "limits", [{"limit": 1}, {"limit_per_host": 1}, {"limit": 1, "force_close": True}]
    )
    @pytest.mark.parametrize("kind", [aiohttp.TCPConnector, Connector])
    async def test_waiting_for_a_connection_is_no_time_of_the_attempts(
        self, kind: type[aiohttp.TCPConnector], limits: dict[str, int]
    ) -> None:
        slow, (line, waited) = Slow(0.1), queue()
        async with serving(slow) as url, aiohttp.ClientSession(connector=kind(**limits)) as session:  # type: ignore[arg-type]
            carrier = AiohttpTransport(session)
            answers = await asyncio.gather(
                *(carrier.send_queued(post(url), {}, 0.25, line) for _ in range(5))
            )
        assert {one.status for one in answers} == {200}
        assert [round(seconds, 1) for seconds in sorted(waited)][-1] == pytest.approx(0.4, abs=0.11)
        assert slow.peak == 1

    async def test_a_request_of_the_applications_own_is_waited_for_as_well(self) -> None:
        slow, (line, waited) = Slow(0.3), queue()
        async with (
            serving(slow) as url,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        ):
            own = asyncio.create_task(session.get(url))
            await asyncio.sleep(0.05)
            slow.seconds = 0.05
            answer = await AiohttpTransport(session).send_queued(post(url), {}, 0.2, line)
            (await own).release()
        assert answer.status == 200
        assert waited == [pytest.approx(0.25, abs=0.1)]

    async def test_once_there_is_a_connection_the_clock_runs(self) -> None:
        slow, (line, waited) = Slow(0.2), queue()
        async with (
            serving(slow) as url,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        ):
            carrier = AiohttpTransport(session)
            first = asyncio.create_task(carrier.send_queued(post(url), {}, 5.0, line))
            await asyncio.sleep(0.05)
            slow.seconds = 0.6
            with pytest.raises(TimedOut, match=r"within 0\.3 s"):
                await carrier.send_queued(post(url), {}, 0.3, line)
            assert (await first).status == 200
        assert len(waited) == 1

    async def test_a_connection_that_never_comes_free_is_not_the_services_fault(self) -> None:
        line, _ = queue(0.1)
        async with (
            serving(Slow(0.5)) as url,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        ):
            own = asyncio.create_task(session.get(url))
            await asyncio.sleep(0.05)
            with pytest.raises(PoolExhausted, match=r"opens 1 at once.*higher limit") as caught:
                await AiohttpTransport(session).send_queued(post(url), {}, 5.0, line)
            own.cancel()
            await asyncio.wait([own])
        assert rule_of(caught.value) == FINAL

    async def test_who_is_cancelled_in_line_leaves_it(self) -> None:
        line, waited = queue()
        async with (
            serving(Slow(0.1)) as url,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        ):
            carrier = AiohttpTransport(session)
            first, second, third = (
                asyncio.create_task(carrier.send_queued(post(url), {}, 5.0, line)) for _ in range(3)
            )
            await asyncio.sleep(0.05)
            second.cancel()
            await asyncio.wait([first, second, third])
            assert second.cancelled()
            assert (await third).status == 200
        assert len(waited) == 1

    async def test_the_sessions_own_middlewares_and_traces_see_what_they_saw(self) -> None:
        seen: list[str] = []

        async def own(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            seen.append("middleware")
            return await handler(request)

        async def queued(*_: object) -> None:
            seen.append("queued")

        traces = aiohttp.TraceConfig()
        traces.on_connection_queued_end.append(queued)
        line, waited = queue()
        async with (
            serving(Slow(0.05)) as url,
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=1), middlewares=[own], trace_configs=[traces]
            ) as session,
        ):
            carrier = AiohttpTransport(session)
            await asyncio.gather(*(carrier.send_queued(post(url), {}, 5.0, line) for _ in range(2)))
            assert session.trace_configs == [traces]
        assert sorted(seen) == ["middleware", "middleware", "queued"]
        assert len(waited) == 1

    @pytest.mark.parametrize(
        ("limits", "most"),
        [
            ({}, 100),
            ({"limit": 0}, None),
            ({"limit": 5}, 5),
            ({"limit": 5, "limit_per_host": 2}, 2),
            ({"limit": 0, "limit_per_host": 3}, 3),
            ({"limit": 4, "limit_per_host": 0}, 4),
        ],
    )
    async def test_it_tells_how_many_connections_the_pool_lets_out(
        self, limits: dict[str, int], most: int | None
    ) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(**limits)) as session:  # type: ignore[arg-type]
            assert AiohttpTransport(session).connections == most
        assert AiohttpTransport(session).connections is None, "it was closed"
        assert AiohttpTransport().connections is None


class TestCancellation:
    @pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8, 13])
    async def test_wherever_it_comes_it_comes_out_and_the_next_request_is_served(self, after: int) -> None:
        script = Script(*[OK] * 3, stay=True)
        async with serving(script) as url, transport(connections=1) as carrier:
            first = asyncio.create_task(carrier.send(post(url), {}, 5.0))
            for _ in range(after):
                await asyncio.sleep(0)
            first.cancel()
            await asyncio.wait([first])
            assert (await carrier.send(post(url), {}, 5.0)).body == b"{}"

    async def test_in_the_middle_of_a_body(self) -> None:
        begun = asyncio.Event()

        async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await Script().read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            await writer.drain()
            begun.set()
            await reader.read()

        async with serving(half) as url, transport() as carrier:
            task = asyncio.create_task(carrier.send(post(url), {}, 5.0))
            await begun.wait()
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    async def test_closing_does_not_wait_for_a_black_hole(self) -> None:
        async with serving(Script(b"", stay=True)) as url:
            carrier = AiohttpTransport(connections=64)
            tasks = [asyncio.create_task(carrier.send(post(url), {}, 60.0)) for _ in range(64)]
            await asyncio.sleep(0.05)
            async with asyncio.timeout(0.5):
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                await carrier.close()
