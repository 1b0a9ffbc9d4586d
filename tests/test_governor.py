"""The governor as programs use it: sessions of several processes behind one limit, and an account in the end."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import attrs
import pytest

import aioflows.sync
from aioflows import FlowQuery, FlowSession, Limits, QueryError
from aioflows._core.governor.address import GovernorAddress
from aioflows._core.governor.frames import Hello, encode_frame
from aioflows.emulator import Emulator, EmulatorProcess
from aioflows.governor import Governor, GovernorAccount
from tests.support.fakes import EmulatorTransport

pytestmark = pytest.mark.real_time


@contextmanager
def connection(governor: Governor) -> Iterator[socket.socket]:
    address = GovernorAddress.parse(governor.address)
    with socket.create_connection((address.host, address.port), timeout=10) as one:
        yield one


def said(one: socket.socket) -> bytes:
    """Return what comes until the connection ends."""
    try:
        return b"".join(iter(lambda: one.recv(4096), b""))
    except ConnectionError:
        return b""


def nonce_of(one: socket.socket) -> str:
    return str(json.loads(one.makefile("rb").readline())["nonce"])


async def read(governor: Governor, emulator: Emulator, queries: list[FlowQuery], **options: Any) -> list[str]:
    transport = EmulatorTransport(emulator, epoch_ms=emulator.end_ms, **options)
    async with FlowSession(
        "http://127.0.0.1", user_id="u", org_id="o", http=transport, governor=governor.address
    ) as session:
        return [one.instance_id for query in queries for one in await session.scan(query).list()]


async def test_windows_of_several_sessions_are_accounted_for() -> None:
    with Emulator(600, seed=3) as emulator, Governor() as governor:
        query = FlowQuery(emulator.start_ms, emulator.end_ms)
        transport = EmulatorTransport(emulator, epoch_ms=emulator.end_ms)
        async with FlowSession(
            "http://127.0.0.1", user_id="u", org_id="o", http=transport, governor=governor.address
        ) as planner:
            windows = await planner.cuts(query, 4)
        assert not governor.account().ok
        assert governor.account().missing == ((query.from_ms, query.to_ms),)
        parts = await asyncio.gather(
            read(governor, emulator, windows[::2]),
            read(governor, emulator, windows[1::2] + windows[1:2]),  # a window twice, as of a repeated task
        )
        ids = [one for part in parts for one in part]
    account = governor.account()
    assert account.ok
    assert len(set(ids)) == account.rows == 600
    assert [(one.from_ms, one.to_ms) for one in account.windows] == [
        (one.from_ms, one.to_ms) for one in windows
    ]
    assert all(one.proofs for one in account.windows)
    assert account.requests >= sum(one.requests for one in account.windows)


async def test_what_was_read_is_in_the_account_as_soon_as_its_session_is_closed() -> None:
    with Emulator(10, seed=3) as emulator, Governor() as governor:
        query = FlowQuery(emulator.start_ms, emulator.end_ms)
        for _ in range(15):
            governor.expect(query)
            await read(governor, emulator, [query])
            assert governor.account().ok


async def test_a_scan_with_a_limit_is_not_taken_for_a_window() -> None:
    with Emulator(600, seed=3) as emulator, Governor() as governor:
        query = FlowQuery(emulator.start_ms, emulator.end_ms)
        governor.expect(query)
        transport = EmulatorTransport(emulator, epoch_ms=emulator.end_ms)
        async with FlowSession(
            "http://127.0.0.1", user_id="u", org_id="o", http=transport, governor=governor.address
        ) as session:
            await session.scan(query, limit=5_000).list()
            await session.scan(query, confirm=False).list()
        assert governor.account().missing == ((query.from_ms, query.to_ms),)


async def test_a_session_goes_on_without_its_governor_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Emulator(300, seed=3) as emulator:
        with Governor(400, parallel=2) as governor:
            query = FlowQuery(emulator.start_ms, emulator.end_ms)
            transport = EmulatorTransport(emulator, epoch_ms=emulator.end_ms)
            session = FlowSession(
                "http://127.0.0.1", user_id="u", org_id="o", http=transport, governor=governor.address
            )
            await session.open()
            assert len(await session.scan(query).list()) == 300
        with caplog.at_level(logging.WARNING, "aioflows"):
            assert len(await session.scan(query).list()) == 300
            assert len(await session.scan(query).list()) == 300
        await session.aclose()
        assert [message.split(";")[0].rpartition(" ")[2] for message in caplog.messages] == ["gone"]
        assert GovernorAddress.parse(governor.address).secret.reveal() not in caplog.text


async def test_strangers_and_faulty_sessions_are_cut_off_without_harm_to_others() -> None:
    def trouble(governor: Governor) -> None:
        address = GovernorAddress.parse(governor.address)
        for line in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"x" * 100_000,
            encode_frame(Hello(1, "0" * 64)),
            b"\n",
            b"{}\n",
        ):
            with connection(governor) as one:
                nonce_of(one)
                one.sendall(line)
                assert said(one) == b""
        for version, after in ((2, b""), (1, b'{"done":1}\n'), (1, b'{"ask":5000}\n'), (1, b"no\n")):
            with connection(governor) as one:
                one.sendall(encode_frame(Hello(version, address.proof(nonce_of(one)))) + after)
                assert b"go" not in said(one)

    with Emulator(100, seed=3) as emulator, Governor() as governor:
        query = FlowQuery(emulator.start_ms, emulator.end_ms)
        governor.expect(query)
        reading = asyncio.create_task(read(governor, emulator, [query] * 10, latency=0.005))
        await asyncio.to_thread(trouble, governor)
        assert len(await reading) == 1_000
        assert governor.account().ok


async def test_something_else_that_listens_there_does_not_stop_a_session() -> None:
    def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * 200_000)

    foreign = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = foreign.sockets[0].getsockname()[1]
    address = f"aioflows://127.0.0.1:{port}/?secret={'0' * 64}&share=500"
    with Emulator(100, seed=3) as emulator:
        transport = EmulatorTransport(emulator, epoch_ms=emulator.end_ms)
        async with FlowSession(
            "http://127.0.0.1", user_id="u", org_id="o", http=transport, governor=address
        ) as session:
            rows = await session.scan(FlowQuery(emulator.start_ms, emulator.end_ms)).list()
    foreign.close()
    assert len(rows) == 100


def test_a_secret_is_told_by_the_address_only() -> None:
    with Governor() as governor, Governor() as other:
        secret = GovernorAddress.parse(governor.address).secret.reveal()
        assert secret not in repr(governor)
        assert secret not in other.address
        session = FlowSession("http://127.0.0.1", user_id="u", org_id="o", governor=governor.address)
        assert secret not in repr(session)
        for copied in (pickle.dumps, copy.copy):
            with pytest.raises(TypeError, match=r"pass governor\.address"):
                copied(governor)
        with connection(governor) as one:
            assert secret not in nonce_of(one)


async def test_a_rate_beyond_all_measure_limits_nothing_and_breaks_nothing() -> None:
    with Emulator(100, seed=3) as emulator, Governor(1e12, parallel=1) as governor:
        query = FlowQuery(emulator.start_ms, emulator.end_ms)
        governor.expect(query)
        assert len(await read(governor, emulator, [query])) == 100
        assert governor.account().ok


def test_an_address_of_ipv6_may_have_its_brackets() -> None:
    assert repr(Governor(host="[::1]")) == repr(Governor(host="::1"))


def test_what_makes_no_sense_is_refused() -> None:
    for arguments in (
        {"rate": 0},
        {"concurrency": 0},
        {"parallel": 0},
        {"port": 70_000},
        {"host": "0.0.0.0"},
    ):
        with pytest.raises(QueryError):
            Governor(**arguments)
    with pytest.raises(QueryError, match=r"Governor\.address"):
        FlowSession("http://127.0.0.1", user_id="u", org_id="o", governor="127.0.0.1:9")
    governor = Governor()
    with pytest.raises(RuntimeError, match="not open"):
        _ = governor.address
    with governor:
        pass
    governor.close()
    with pytest.raises(RuntimeError, match="cannot be opened again"):
        governor.open()
    assert governor.account() == GovernorAccount(0, 0, 0, (), (), ())


WORKER = """
import json, sys
from aioflows import FlowQuery, Limits
from aioflows.sync import FlowSession
url, address, page_size = sys.argv[1], sys.argv[2], int(sys.argv[3])
with FlowSession(url, user_id="u", org_id="o", governor=address, limits=Limits(page_size=page_size)) as session:
    for line in sys.stdin:
        begin, end = json.loads(line)
        print(len(session.scan(FlowQuery(begin, end)).list()), flush=True)
"""


def start_worker(url: str, address: str, page_size: int, windows: list[FlowQuery]) -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, url, address, str(page_size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdin is not None
    worker.stdin.write("".join(json.dumps([one.from_ms, one.to_ms]) + "\n" for one in windows))
    worker.stdin.close()
    worker.stdin = None
    return worker


@pytest.mark.long
def test_two_processes_use_the_rate_of_a_service_and_are_hardly_refused() -> None:
    # The emulator allows 40 requests a second and 10 at once.
    with (
        EmulatorProcess(
            instances=12_000,
            seed=1,
            profile="uniform",
            rate=40,
            burst=10,
            throttle="429-seconds",
            latency=0.03,
        ) as emulator,
        Governor() as governor,
    ):
        query = FlowQuery(emulator.start_ms, emulator.end_ms)
        with aioflows.sync.FlowSession(
            emulator.url, user_id="u", org_id="o", governor=governor.address, limits=Limits(page_size=50)
        ) as planner:
            windows = planner.cuts(query, 8)
        workers = [start_worker(emulator.url, governor.address, 50, windows[place::2]) for place in (0, 1)]
        planned = governor.account()
        while governor.account().requests == planned.requests:
            time.sleep(0.01)
        began = time.monotonic()
        rows = [worker.communicate()[0].split() for worker in workers]
        seconds = time.monotonic() - began
        account = governor.account()
    assert account.ok
    assert account.rows == sum(int(one) for part in rows for one in part) == 12_000
    answered = account.requests - account.refused - planned.requests + planned.refused
    assert answered / seconds / 40 > 0.7  # the start and the end of both processes are part of the time
    # The first seconds, in which the rate is found out, are a large part of so short a read.
    assert account.refused / account.requests < 0.1


@pytest.mark.long
def test_a_worker_that_is_killed_takes_no_permits_with_it() -> None:
    with (
        EmulatorProcess(instances=6_000, seed=1, latency=0.3) as emulator,
        Governor(concurrency=4) as governor,
    ):
        query = FlowQuery(emulator.start_ms, emulator.end_ms)
        governor.expect(query)
        bounds = [query.from_ms + (query.to_ms - query.from_ms) * part // 3 for part in range(4)]
        windows = [
            attrs.evolve(query, from_trigger_time=begin, to_trigger_time=end)
            for begin, end in pairwise(bounds)
        ]
        killed = start_worker(emulator.url, governor.address, 100, windows)
        while "4/4 in flight" not in repr(governor):
            time.sleep(0.01)
        os.kill(killed.pid, signal.SIGKILL)
        killed.communicate()
        begun = time.monotonic()
        rows = start_worker(emulator.url, governor.address, 500, windows).communicate()[0].split()
        assert sum(int(one) for one in rows) == 6_000
        assert time.monotonic() - begun < 30
        account = governor.account()
    assert account.ok
    assert account.rows == 6_000
