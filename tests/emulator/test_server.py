"""The emulator behind a real socket, and in a process of its own."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable

import pytest

from aioflows.emulator import Emulator, EmulatorProcess, Fault
from aioflows.emulator.command import as_arguments, parser, switches
from aioflows.errors import QueryError
from tests.support.asking import BASE, search_body, search_reply

pytestmark = pytest.mark.real_time


async def exchanged(emulator: Emulator, *, headers: str = "", times: int = 1) -> bytes:
    """All bytes that answer a search, or several on one connection, until the server closes it or the answer is whole."""
    host, port = emulator.url.removeprefix("http://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    body = json.dumps(search_body(emulator)).encode()
    head = (
        f"POST {BASE}/flowInstances?action=search&userId=u&orgId=o HTTP/1.1\r\nHost: {host}\r\n{headers}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    try:
        for left in range(times - 1, -1, -1):
            closing = "" if left else "Connection: close\r\n"
            writer.write(f"{head}{closing}\r\n".encode() + body)
        return await reader.read()
    finally:
        writer.close()


class TestSocket:
    async def test_it_answers_what_respond_answers(self) -> None:
        async with Emulator(50) as emulator:
            answer = await exchanged(emulator)
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert b"Content-Type: application/json;charset=UTF-8" in head
            assert body == search_reply(emulator).body

    async def test_query_values_are_decoded(self) -> None:
        async with Emulator(5, user_id="a b+c/ü") as emulator:
            url = f"{emulator.url}{BASE}/flowInstances?action=get&userId=a%20b%2Bc%2F%C3%BC&orgId=o&flowInstId=1"

            def ask() -> bytes:
                with urllib.request.urlopen(url) as answer:
                    body: bytes = answer.read()
                    return body

            assert json.loads(await asyncio.to_thread(ask))["code"] == 62104

    async def test_a_connection_serves_many_requests(self) -> None:
        async with Emulator(5) as emulator:
            assert (await exchanged(emulator, times=3)).count(b"HTTP/1.1 200 OK") == 3

    async def test_a_page_of_megabytes_is_served(self) -> None:
        async with Emulator(5, faults=[Fault(1, "huge", size=3_000_000)]) as emulator:
            assert len(await exchanged(emulator)) > 3_000_000

    async def test_it_may_listen_on_the_other_loopback_address(self) -> None:
        try:
            async with Emulator(5, host="::1") as emulator:
                assert emulator.url.startswith("http://[::1]:")
                assert b"200 OK" in await exchanged(emulator)
        except OSError as error:
            pytest.skip(f"this machine has no IPv6: {error}")

    async def test_a_port_can_be_chosen_and_is_free_again_afterwards(self) -> None:
        async with Emulator(5) as emulator:
            port = int(emulator.url.rsplit(":", 1)[1])
        async with Emulator(5, port=port) as emulator:
            assert emulator.url == f"http://127.0.0.1:{port}"
            with pytest.raises(OSError, match="address"):
                await Emulator(5, port=port).__aenter__()

    async def test_many_rows_are_made_in_a_thread(self) -> None:
        async with Emulator(20_001, profile="uniform") as emulator:
            assert b"200 OK" in await exchanged(emulator)

    async def test_giving_up_while_they_are_made_leaves_nothing_open(self) -> None:
        emulator = Emulator(20_001, profile="uniform")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001), emulator:
                pass
        assert repr(emulator).endswith("closed>")

    async def test_delayed_answers_overlap(self) -> None:
        async with Emulator(5, latency=0.1) as emulator:
            before = asyncio.get_running_loop().time()
            await asyncio.gather(*(exchanged(emulator) for _ in range(8)))
            assert asyncio.get_running_loop().time() - before < 0.5
            assert emulator.peak_in_flight == 8

    async def test_gzip_is_what_it_says(self) -> None:
        async with Emulator(5, compress=True) as emulator:
            head, _, body = (await exchanged(emulator, headers="Accept-Encoding: gzip\r\n")).partition(
                b"\r\n\r\n"
            )
            assert b"Content-Encoding: gzip" in head
            assert json.loads(gzip.decompress(body))["code"] == 0


class TestWireFaults:
    async def befallen(self, kind: str, **details: float) -> bytes:
        fault = Fault(1, kind, **details)  # type: ignore[arg-type]
        async with Emulator(50, faults=[fault]) as emulator:
            return await exchanged(emulator)

    async def test_reset(self) -> None:
        with pytest.raises(ConnectionResetError):
            await self.befallen("reset")

    async def test_reset_in_body(self) -> None:
        with pytest.raises(ConnectionResetError):
            await self.befallen("reset-in-body")

    async def test_close(self) -> None:
        assert await self.befallen("close") == b""

    async def test_close_of_a_connection_that_is_being_reused(self) -> None:
        async with Emulator(5, faults=[Fault(2, "close")]) as emulator:
            assert (await exchanged(emulator, times=2)).count(b"HTTP/1.1") == 1

    async def test_cut(self) -> None:
        head, _, body = (await self.befallen("cut")).partition(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
        assert 0 < len(body) < int(length.split()[1])

    async def test_cut_gzip(self) -> None:
        head, _, body = (await self.befallen("cut-gzip")).partition(b"\r\n\r\n")
        assert b"Content-Encoding: gzip" in head
        with pytest.raises(EOFError):
            gzip.decompress(body)

    async def test_garbage(self) -> None:
        assert await self.befallen("garbage") == b"SSH-2.0-OpenSSH_9.6\r\n"

    async def test_reset_after_head(self) -> None:
        with pytest.raises(ConnectionResetError):
            await self.befallen("reset-after-head")

    @pytest.mark.parametrize("kind", ["sliced", "early-hints"])
    async def test_an_honest_answer_that_comes_in_an_odd_way(self, kind: str) -> None:
        usual = (await self.befallen("code-0")).partition(b"\r\n\r\n")[0]
        answer = await self.befallen(kind)
        assert answer.startswith(b"HTTP/1.1 103" if kind == "early-hints" else usual[:15])
        assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["code"] == 0

    async def test_chunks(self) -> None:
        head, _, rest = (await self.befallen("chunked")).partition(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in head
        body = b""
        while size := int(rest.partition(b";")[0].partition(b"\r")[0], 16):
            piece, rest = rest.partition(b"\r\n")[2][:size], rest.partition(b"\r\n")[2][size + 2 :]
            body += piece
        assert json.loads(body)["code"] == 0

    @pytest.mark.parametrize(
        ("kind", "part"),
        [
            ("bad-status-line", b"HTTP/1.1 2OO OK\r\n"),
            ("long-header", b"X-Long: " + b"a" * 9_000),
            ("many-headers", b"X-149: 1\r\n"),
        ],
    )
    async def test_a_head_that_is_not_as_it_should_be(self, kind: str, part: bytes) -> None:
        assert part in (await self.befallen(kind)).partition(b"\r\n\r\n")[0] + b"\r\n"

    async def test_two_lengths(self) -> None:
        assert (await self.befallen("two-lengths")).count(b"Content-Length: ") == 2

    async def test_bytes_after_the_body(self) -> None:
        assert (await self.befallen("bytes-after")).count(b"HTTP/1.1 200 OK") == 2

    async def test_a_header_twice(self) -> None:
        async with Emulator(5, faults=[Fault(1, "http-429", retry_after="5|9")]) as emulator:
            answer = await exchanged(emulator)
        assert b"Retry-After: 5\r\n" in answer
        assert b"Retry-After: 9\r\n" in answer

    async def test_drip(self) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await self.befallen("drip", seconds=0.01)

    async def test_black_hole_and_an_emulator_that_stops_nevertheless(self) -> None:
        before = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await self.befallen("black-hole")
        assert asyncio.get_running_loop().time() - before < 1

    async def test_a_request_given_up_is_no_longer_in_flight(self) -> None:
        async with Emulator(5, latency=60) as emulator:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await exchanged(emulator)
            async with asyncio.timeout(5):
                while emulator.in_flight:  # noqa: ASYNC110 - the server notices whenever it does
                    await asyncio.sleep(0)


class TestProcess:
    def test_it_serves_until_the_block_ends(self) -> None:
        with EmulatorProcess(instances=50, schedule_types=(1,), app_key="k", app_secret="s") as emulator:
            process = emulator._process
            assert process is not None
            assert emulator.instances == 50
            assert emulator.end_ms - emulator.start_ms == 366 * 86_400_000
            assert emulator.requests == {}
            assert emulator.peak_in_flight == 0
        assert process.returncode == 0

    async def test_it_is_an_async_context_manager_too(self) -> None:
        async with EmulatorProcess(instances=5) as emulator:
            assert emulator.url.startswith("http://127.0.0.1:")

    async def test_giving_up_while_it_starts_leaves_no_process(self) -> None:
        emulator = EmulatorProcess(instances=5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), emulator:
                pass
        assert emulator._process is None

    def test_nonsense_is_refused_before_or_told(self, capfd: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(RuntimeError, match="does not run"), EmulatorProcess(profile="random"):
            pass
        assert "profile must be one of" in capfd.readouterr().err

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_stops_it(self, number: signal.Signals) -> None:
        self.stopped(lambda process: process.send_signal(number))

    def stopped(self, stop: Callable[[subprocess.Popen[str]], None]) -> None:
        command = [sys.executable, "-m", "aioflows.emulator", "--instances=5"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline().startswith("http://")
                stop(process)
                assert process.wait(5) == 0
            finally:
                process.kill()


class TestCommandLine:
    def test_every_switch_survives_the_way_to_a_process(self) -> None:
        keywords = {
            "instances": 7,
            "profile": "one-second",
            "schedule_types": (0, 2),
            "page_cap": 37,
            "ignore": {"to"},
            "null_list": True,
            "compress": False,
            "latency": 0.25,
            "app_key": "123",
            "app_secret": "s",
            "claimed_zone": "GMT+9",
            "start_zone_shift": -8,
            "token_uses": None,
            "zone_turn": (1_700_000_000_000, -0.5),
            "changes_in": (1_700_000_000_000, 1_700_000_000_001),
            "change_kinds": ["flip"],
            "changes_per_search": 0.5,
            "faults": [
                Fault(3, "http-302", location="http://127.0.0.1:9/a=b?c", on="any"),
                Fault(4, "http-429", retry_after="Wed, 21 Oct 2015 07:28:00 GMT|5"),
            ],
        }
        told = switches(vars(parser().parse_args(as_arguments(keywords))))
        one, other = Emulator(**told), Emulator(**keywords)  # type: ignore[arg-type]
        assert [one.world, one.quirks, one.meanwhile, one.access, one.trouble] == [
            other.world,
            other.quirks,
            other.meanwhile,
            other.access,
            other.trouble,
        ]

    def test_what_cannot_be_said_is_refused(self) -> None:
        with pytest.raises(QueryError, match="user_id=None"):
            as_arguments({"user_id": None})
        with pytest.raises(QueryError, match="list of Fault"):
            as_arguments({"faults": ["third"]})
