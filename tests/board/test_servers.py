"""A board on real servers: mounted in FastAPI and in aiohttp, and as a command that is killed and goes on."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from aioflows import FlowQuery, FlowSession
from aioflows.board import BoardApplication, application
from aioflows.emulator import Emulator
from tests.support.board_client import BoardClient
from tests.support.commands import command, environment

pytestmark = [pytest.mark.real_time, pytest.mark.long]
PATIENCE = 60.0


@asynccontextmanager
async def fastapi_server(session: FlowSession, board: BoardApplication) -> AsyncIterator[str]:
    import uvicorn
    from fastapi import FastAPI

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with session, board:
            yield

    app = FastAPI(lifespan=lifespan)
    app.mount("/board", board)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  (another process sets no event)
        await asyncio.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/board/"
    server.should_exit = True
    await serving


@asynccontextmanager
async def aiohttp_server(session: FlowSession, board: BoardApplication) -> AsyncIterator[str]:
    app = web.Application()
    app.add_subapp("/board/", board.aiohttp_application())
    runner = web.AppRunner(app, shutdown_timeout=1)
    async with session:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/board/"
        await runner.cleanup()


async def state_of(client: aiohttp.ClientSession, address: str) -> dict[str, Any]:
    async with client.get(f"{address}state") as answer:
        assert answer.status == 200
        state: dict[str, Any] = await answer.json()
        return state


async def whole_state(client: aiohttp.ClientSession, address: str) -> dict[str, Any]:
    """Return the state once the past is read."""
    async with asyncio.timeout(PATIENCE):
        while (state := await state_of(client, address))["info"]["history"]["share"] < 1:  # noqa: ASYNC110  (another process sets no event)
            await asyncio.sleep(0.1)
        return state


@pytest.mark.parametrize("serve", [fastapi_server, aiohttp_server])
async def test_it_is_mounted_in_an_application_and_follows_on_real_sockets(serve: Any) -> None:
    async with Emulator(800, days=2, seed=3, live=True) as emulator:
        session = FlowSession(emulator.url, user_id="u", org_id="o")
        board = application(session)
        async with serve(session, board) as address, aiohttp.ClientSession() as client:
            async with client.get(address) as page:
                assert page.status == 200
                assert "<title>Flow board</title>" in await page.text()
            state = await whole_state(client, address)
            mine = BoardClient()
            mine.take(state)
            new = emulator.insert(emulator.end_ms, status=2)
            async with client.get(f"{address}events", headers={"Last-Event-ID": state["id"]}) as events:
                async with asyncio.timeout(PATIENCE):
                    while new not in mine.open:
                        line = (await events.content.readline()).decode()
                        if line.startswith("data: {"):
                            mine.take(json.loads(line[6:]))
            async with client.get(f"{address}instance", params={"id": new}) as found:
                assert (await found.json())["status"] == "RUNNING"
            async with client.get(f"{address}instance", params={"id": "1-20200101000000"}) as found:
                assert found.status in (400, 502)


class Command:
    """``aioflows board`` in a process of its own."""

    def __init__(self, emulator: Emulator, checkpoint: Path) -> None:
        arguments = (
            "board",
            emulator.url,
            "--user-id",
            "u",
            "--org-id",
            "o",
            "--checkpoint",
            str(checkpoint),
        )
        self.process = subprocess.Popen(
            command(*arguments), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.address = ""

    async def start(self) -> str:
        assert self.process.stdout is not None
        line = await asyncio.to_thread(self.process.stdout.readline)
        found = re.search(r"http://\S+/", line.partition(" at ")[2])
        assert found, line
        return found[0]

    async def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        await asyncio.to_thread(self.process.communicate, None, 20)
        return self.process.returncode


async def test_killed_and_started_again_it_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    async with Emulator(12_000, days=2, seed=3, live=True) as emulator, aiohttp.ClientSession() as client:
        file = tmp_path / "board.json"
        one = Command(emulator, file)
        address = await one.start()
        first = BoardClient()
        first.take(await whole_state(client, address))
        async with asyncio.timeout(PATIENCE):
            while not file.exists():  # noqa: ASYNC110  (another process sets no event)
                await asyncio.sleep(0.2)
        await one.end(signal.SIGKILL)
        emulator.insert(emulator.end_ms - 1000, status=-1)
        before = emulator.requests.get("search", 0)
        other = Command(emulator, file)
        address = await other.start()
        state = await whole_state(client, address)
        mine = BoardClient()
        mine.take(state)
        assert emulator.requests["search"] - before < 15, "the past is not read again"
        async with FlowSession(emulator.url, user_id="u", org_id="o") as session, asyncio.timeout(PATIENCE):
            while True:
                mine = BoardClient()
                mine.take(await state_of(client, address))
                query = FlowQuery(mine.info["first"] * 600_000, await session.server_time())
                rows = await session.scan(query).list()
                if mine.by_status == Counter(str(row.status) for row in rows):
                    break
                await asyncio.sleep(0.5)
        saved = file.stat().st_mtime_ns
        async with asyncio.timeout(PATIENCE):
            while file.stat().st_mtime_ns == saved:  # noqa: ASYNC110  (another process sets no event)
                await asyncio.sleep(0.2)
        await other.end(signal.SIGKILL)
        third = Command(emulator, file)
        mine = BoardClient()
        mine.take(await whole_state(client, await third.start()))
        assert mine.by_status.total() >= 0.99 * first.by_status.total(), "a second kill loses no history"
        assert await third.end(signal.SIGINT) == 0


async def test_a_damaged_checkpoint_and_one_of_another_board_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "board.json"
    file.write_text('{"version": 1}')
    async with Emulator(100) as emulator:
        one = Command(emulator, file)
        out, err = await asyncio.to_thread(one.process.communicate, None, 30)
        assert one.process.returncode == 2
        assert "board.json" in err
        assert out == ""
