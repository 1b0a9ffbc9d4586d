"""The answers on real servers: all rows, clients that leave, clients that read nothing, and errors in the middle.

A server that is not installed is skipped. `tests/scenarios/test_embedding.py` has uvicorn and aiohttp in the quick part.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from aioflows.emulator import Emulator, Fault
from benchmarks.web import SERVERS

pytestmark = [pytest.mark.real_time, pytest.mark.long]

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
AT_MOST = 0.3
"""Seconds from a client's leaving to the end of its requests."""


@asynccontextmanager
async def served(name: str, emulator: Emulator) -> AsyncIterator[int]:
    """Serve the applications of the benchmarks; give the port."""
    server = SERVERS[name]
    if not server.is_installed:
        pytest.skip(f"{server.modules} is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {
        "AIOFLOWS_URL": emulator.url,
        "FROM_MS": str(emulator.start_ms),
        "TO_MS": str(emulator.end_ms),
        "PORT": str(port),
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.Popen(  # noqa: ASYNC220  (it starts at once)
        [sys.executable, "-m", *server.command.format(port=port).split()],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(OSError, http.client.HTTPException):
                    await asyncio.to_thread(get, port, "/")
                    break
                assert process.poll() is None, f"{name} did not start"
                await asyncio.sleep(0.1)
        yield port
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, 10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        with connection.getresponse() as response:
            return response.status, response.read()
    finally:
        connection.close()


def ask(port: int, path: str = "/rows") -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    client.connect(("127.0.0.1", port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return client


@pytest.mark.parametrize("name", SERVERS)
async def test_clients_that_leave_before_and_after_the_first_row_end_their_requests(name: str) -> None:
    async with (
        Emulator(20_000, seed=2, schedule_types=(1,), latency=0.5) as emulator,
        served(name, emulator) as port,
    ):
        clients = [await asyncio.to_thread(ask, port) for _ in range(8)]
        began = time.monotonic()
        async with asyncio.timeout(PATIENCE):
            while not emulator.in_flight:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        for number, client in enumerate(clients):
            await asyncio.sleep(max(0.0, began + 0.3 * number - time.monotonic()))
            client.close()
        await asyncio.sleep(AT_MOST)
        assert emulator.in_flight == 0
        sent = emulator.requests.get("search", 0)
        await asyncio.sleep(1)
        assert emulator.requests.get("search", 0) == sent


@pytest.mark.parametrize("name", SERVERS)
async def test_every_row_arrives_and_a_client_that_reads_nothing_stops_the_requests(name: str) -> None:
    async with Emulator(30_000, seed=2, schedule_types=(1,)) as emulator, served(name, emulator) as port:
        status, body = await asyncio.to_thread(get, port, "/rows")
        assert status == 200
        assert body.count(b'"instance_id"') == 30_000
        with await asyncio.to_thread(ask, port):
            before = -1
            while before != (before := emulator.requests.get("search", 0)):  # noqa: ASYNC110
                await asyncio.sleep(2)
            whole = 30_000 / 250
            assert emulator.requests.get("search", 0) < 2 * whole


@pytest.mark.parametrize("name", SERVERS)
async def test_an_error_in_the_middle_is_a_last_line_and_a_cut_connection(name: str) -> None:
    faults = tuple(Fault(at=number, kind="code-62103") for number in range(12, 500))
    async with (
        Emulator(20_000, seed=2, schedule_types=(1,), faults=faults) as emulator,
        served(name, emulator) as port,
    ):
        with pytest.raises(http.client.IncompleteRead) as caught:
            await asyncio.to_thread(get, port, "/rows")
    last = caught.value.partial.splitlines()[-1]
    assert "62103" in json.loads(last)["error"]


@pytest.mark.parametrize("name", SERVERS)
async def test_an_error_before_the_first_row_is_a_bad_gateway(name: str) -> None:
    async with Emulator(100, denied=True) as emulator, served(name, emulator) as port:
        status, body = await asyncio.to_thread(get, port, "/rows")
        assert status == 502
        assert "62103" in json.loads(body)["error"]
