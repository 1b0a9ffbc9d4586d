"""The web applications of examples/ on real servers, with real clients that leave, dawdle, and are told of errors."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web

from aioflows.emulator import Emulator, Fault
from tests.support.applications import APPLICATIONS as CODE
from tests.support.long import long_but

pytestmark = pytest.mark.real_time

FRAMEWORKS = ["aiohttp", "fastapi"]
ROWS = 30_000
MORE = 50_000
"""More than an application and the buffers of two sockets hold."""
PATIENCE = 20.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what sockets will bring about."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  (nobody sets an event when a socket is gone)
            await asyncio.sleep(0.01)


def at_work(task: asyncio.Task[Any]) -> bool:
    """Say whether a task is more than a kept connection that waits for its next request."""
    coroutine = task.get_coro()
    assert inspect.iscoroutine(coroutine)
    kept = coroutine.__qualname__ == "RequestHandler.start" and not inspect.iscoroutine(coroutine.cr_await)
    return not kept


class World:
    """An emulated service, and an application in front of it."""

    def __init__(self, emulator: Emulator, port: int) -> None:
        self.emulator = emulator
        self.port = port

    @property
    def path(self) -> str:
        return f"/instances?from_ms={self.emulator.start_ms}&to_ms={self.emulator.end_ms}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def searches(self) -> int:
        return self.emulator.requests.get("search", 0)

    async def read(self) -> list[Any]:
        """Read all lines as a client that behaves."""
        async with aiohttp.ClientSession() as http, http.get(self.url) as response:
            assert response.status == 200
            return [json.loads(line) async for line in response.content]

    async def quiet(self) -> None:
        """Wait until the service has had nothing to do for a while."""
        still, before = 0, -1
        async with asyncio.timeout(PATIENCE):
            while still < 15:
                await asyncio.sleep(0.02)
                idle = self.emulator.in_flight == 0 and self.searches == before
                still, before = still + 1 if idle else 0, self.searches

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Callable[[int], Awaitable[bytes]]]:
        """A client that has asked, and reads no more than it is told to."""
        loop = asyncio.get_running_loop()
        with socket.socket() as mine:
            mine.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            mine.setblocking(False)
            await loop.sock_connect(mine, ("127.0.0.1", self.port))
            await loop.sock_sendall(mine, f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            yield lambda most: asyncio.wait_for(loop.sock_recv(mine, most), PATIENCE)


@asynccontextmanager
async def served(framework: str) -> AsyncIterator[int]:
    """Serve an application in this very process; give its port."""
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(CODE[framework], f"examples/{framework}_app.py", "exec"), names)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        port = listening.getsockname()[1]
        if framework == "aiohttp":
            runner = web.AppRunner(names["application"](), handler_cancellation=True, shutdown_timeout=1)
            await runner.setup()
            await web.SockSite(runner, listening).start()
            try:
                yield port
            finally:
                await runner.cleanup()
        else:
            config = uvicorn.Config(names["app"], log_config=None, timeout_graceful_shutdown=1)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            await until(lambda: server.started)
            try:
                yield port
            finally:
                server.should_exit = True
                await serving


@asynccontextmanager
async def world(
    framework: str, monkeypatch: pytest.MonkeyPatch, instances: int = ROWS, **switches: Any
) -> AsyncIterator[World]:
    async with Emulator(instances, seed=2, schedule_types=(1,), **{"latency": 0.02} | switches) as emulator:
        monkeypatch.setenv("AIOFLOWS_URL", emulator.url)
        async with served(framework) as port:
            yield World(emulator, port)


def test_both_frameworks_have_an_application() -> None:
    assert sorted(CODE) == FRAMEWORKS


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_a_client_gets_every_row_in_order(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(framework, monkeypatch, 3_000) as here:
        lines = await here.read()
    keys = [(line["trigger_time"], line["instance_id"]) for line in lines]
    assert len(set(keys)) == 3_000
    assert keys == sorted(keys)


@pytest.mark.long
@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_nothing_more_is_asked_for_a_client_that_has_gone(
    framework: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(framework, monkeypatch) as here:
        tasks = asyncio.all_tasks()
        async with here.client() as received:
            assert (await received(200)).startswith(b"HTTP/1.1 200")
        sent = here.searches
        await here.quiet()
        assert here.searches - sent <= 16  # what was on its way to the service
        assert here.searches * 500 < ROWS / 2
        await until(lambda: not any(map(at_work, asyncio.all_tasks() - tasks)))
        assert len(await here.read()) == ROWS  # and the session serves the next one


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_a_client_that_leaves_while_the_service_is_slow_is_not_waited_for(
    framework: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = tuple(Fault(at=number, kind="black-hole") for number in range(20, 200))
    async with world(framework, monkeypatch, faults=faults) as here:
        async with here.client() as received:
            assert (await received(200)).startswith(b"HTTP/1.1 200")
            await until(lambda: here.searches >= 20)
        await here.quiet()
        assert here.emulator.in_flight == 0


@pytest.mark.long
@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_a_client_that_does_not_read_stops_the_requests(
    framework: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(framework, monkeypatch, MORE, latency=0.002) as here:
        async with here.client() as received:
            head = await received(200)
            await here.quiet()
            stopped = here.searches
            # What the application holds ahead, and what fits into the buffers of both sockets.
            assert stopped * 500 < MORE * 0.8
            body = bytearray(head)
            while b"\r\n0\r\n\r\n" not in body[-16:]:
                part = await received(1 << 20)
                assert part, "the connection was closed before the end"
                body += part
        assert here.searches > stopped
        assert body.count(b'"instance_id"') == MORE


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_an_error_in_the_middle_is_a_last_line_and_a_broken_connection(
    framework: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    faults = tuple(Fault(at=number, kind="code-62103") for number in range(20, 200))
    async with world(framework, monkeypatch, faults=faults) as here:
        lines: list[Any] = []
        async with aiohttp.ClientSession() as http, http.get(here.url) as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                async for line in response.content:
                    lines.append(json.loads(line))
    *rows, last = lines
    assert 500 <= len(rows) < ROWS
    assert "62103" in last["error"]
    assert all("error" not in row for row in rows)


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_an_error_before_the_first_row_is_a_bad_gateway(
    framework: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        world(framework, monkeypatch, 100, denied=True) as here,
        aiohttp.ClientSession() as http,
        http.get(here.url) as response,
    ):
        assert response.status == 502
        assert "62103" in await response.text()


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("question", ["", "from_ms=1&to_ms=x", "from_ms=9&to_ms=1"])
async def test_a_question_that_makes_no_sense_is_the_clients_fault(
    framework: str, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(framework, monkeypatch, 100) as here, aiohttp.ClientSession() as http:
        async with http.get(f"http://127.0.0.1:{here.port}/instances?{question}") as response:
            assert 400 <= response.status < 500
        assert here.searches == 0


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_no_rows_are_an_empty_answer(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(framework, monkeypatch, 0) as here:
        assert await here.read() == []


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_a_shutdown_in_the_middle_of_a_stream_leaves_nothing(
    framework: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left behind, a task, a socket or a complaint of the loop, fails the test."""
    async with world(framework, monkeypatch) as here:
        mine = socket.create_connection(("127.0.0.1", here.port))
        mine.sendall(f"GET {here.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await until(lambda: here.searches >= 3)
    mine.close()


@pytest.mark.parametrize("framework", long_but("fastapi", of=FRAMEWORKS))
async def test_the_program_serves_the_emulator_and_ends_when_told_to(framework: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "AIOFLOWS_URL"}
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-c",
        CODE[framework],
        env=environment | {"PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        year = "from_ms=1704038400000&to_ms=1704124800000"
        async with asyncio.timeout(3 * PATIENCE), aiohttp.ClientSession() as http:
            while True:
                with suppress(aiohttp.ClientConnectorError):
                    async with http.get(f"http://127.0.0.1:{port}/instances?{year}") as response:
                        lines = (await response.text()).splitlines()
                        break
                await asyncio.sleep(0.05)
        program.send_signal(signal.SIGTERM)
        _, complaints = await asyncio.wait_for(program.communicate(), PATIENCE)
    finally:
        with suppress(ProcessLookupError):
            program.kill()
        await program.wait()
    assert len(lines) > 50
    assert program.returncode in (0, -signal.SIGTERM)  # uvicorn ends by the signal that it was sent
    assert b"Traceback" not in complaints
