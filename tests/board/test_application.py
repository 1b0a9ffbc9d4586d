"""A board over a service that lives on, in virtual time: its counts are those of a scan, whatever happens."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aioflows import (
    AioflowsError,
    Denied,
    FlowQuery,
    FlowSession,
    FlowStatus,
    QueryError,
    ServerFault,
    Throttled,
)
from aioflows._core.board.numbered_changes import NumberedChanges
from aioflows._core.board.state import BoardState
from aioflows._net.transport import Answer, Request
from aioflows.board import BoardApplication, application
from aioflows.board.aiohttp_application import serve
from aioflows.board.hub import BoardHub
from aioflows.board.instance_details import InstanceDetails
from aioflows.board.service_clock import ServiceClock
from aioflows.emulator import Emulator
from tests.support.board_client import BoardClient
from tests.support.fakes import EmulatorTransport, answer, loop_time

EPOCH = 1_735_689_600_000


class ThrottledTransport(EmulatorTransport):
    """Refuses every request from one time until another (seconds)."""

    refuses = (0.0, 0.0)

    async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer:
        if self.refuses[0] <= loop_time() < self.refuses[1]:
            await asyncio.sleep(0.01)
            return answer(b"too many", 429, retry_after="5")
        return await super().send(request, headers, timeout)


class Browser:
    """A client of an ASGI application, which asks and follows as the page does."""

    def __init__(self, board: BoardApplication, root: str = "") -> None:
        self.board = board
        self.root = root
        self.client = BoardClient()
        self.id = ""
        self.resets = 0

    async def get(
        self, path: str, query: str = "", method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request"}

        await self.board(self._scope(path, query, method, headers), receive, send)
        found = {name.decode(): text.decode() for name, text in sent[0]["headers"]}
        return sent[0]["status"], found, b"".join(one.get("body", b"") for one in sent[1:])

    def _scope(self, path: str, query: str, method: str, headers: Mapping[str, str]) -> dict[str, Any]:
        pairs = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
        path = f"{self.root}{path}"
        return {
            "type": "http", "method": method, "path": path, "root_path": self.root, "headers": pairs,
            "query_string": query.encode(),
        }  # fmt: skip

    async def load(self) -> None:
        _, _, body = await self.get("/state")
        state = json.loads(gzip.decompress(body))
        self.client, self.id = BoardClient(), state["id"]
        self.client.take(state)

    async def listen(self) -> None:
        """Take events until the stream ends, as with `EventSource`."""
        buffer = b""

        async def send(message: Any) -> None:
            nonlocal buffer
            buffer += message.get("body", b"")
            while b"\n\n" in buffer:
                event, buffer = buffer.split(b"\n\n", 1)
                self._event(event.decode())

        async def receive() -> dict[str, Any]:
            return dict(await asyncio.get_running_loop().create_future())

        await self.board(self._scope("/events", f"after={self.id}", "GET", {}), receive, send)

    def _event(self, text: str) -> None:
        fields = dict(line.split(": ", 1) for line in text.splitlines())
        if fields.get("event") == "reset":
            self.resets += 1
        elif "id" in fields:
            self.client.take(json.loads(fields["data"]))
            self.id = fields["id"]


@asynccontextmanager
async def served(
    instances: int = 3_000, **options: Any
) -> AsyncIterator[tuple[Emulator, ThrottledTransport, FlowSession, BoardApplication]]:
    with Emulator(instances, days=2, seed=4, live=True, now=lambda: EPOCH + loop_time() * 1000) as emulator:
        transport = ThrottledTransport(emulator, epoch_ms=EPOCH, latency=0.02)
        session = FlowSession("http://gateway.test", user_id="u", org_id="o", http=transport, allow_http=True)
        board = application(session, **options)
        async with session, board:
            yield emulator, transport, session, board


async def scanned(session: FlowSession, client: BoardClient) -> Counter[str]:
    first = client.info["first"] * 600_000
    rows = await session.scan(FlowQuery(first, await session.server_time())).list()
    return Counter(str(one.status) for one in rows)


async def agrees(session: FlowSession, browser: Browser) -> None:
    """Wait until the board and a scan of its range agree. A scan in a moment of change may be ahead of a poll."""
    async with asyncio.timeout(60):
        while browser.client.info["history"]["share"] < 1:  # noqa: ASYNC110  (a page polls nothing, a test may)
            await asyncio.sleep(0.1)
        while browser.client.by_status != await scanned(session, browser.client):  # noqa: ASYNC110
            await asyncio.sleep(0.7)


@pytest.mark.long
async def test_counts_are_those_of_a_scan_after_changes_and_a_throttled_minute() -> None:
    async with served() as (emulator, transport, session, board):
        browser = Browser(board)
        await browser.load()
        listening = asyncio.create_task(browser.listen())
        await agrees(session, browser)
        assert browser.client.info["history"] == {"share": 1}
        transport.refuses = loop_time(), loop_time() + 60
        await asyncio.sleep(30)
        assert browser.client.info["service"]["state"] in ("throttled", "down")
        await asyncio.sleep(40)
        await agrees(session, browser)
        assert browser.client.info["service"] == {"state": "ok"}
        now = int(EPOCH + loop_time() * 1000)
        late = [emulator.insert(now - hours * 3_600_000, status=-1) for hours in range(1, 20)]
        for id in late[:5]:
            emulator.delete(id)
        emulator.set_status(late[7], int(FlowStatus.SUCCESS))
        await asyncio.sleep(40)  # a scan finds what no poll shows
        await agrees(session, browser)
        again = Browser(board)
        await again.load()
        assert again.client.by_status == browser.client.by_status
        listening.cancel()


@pytest.mark.long
async def test_clients_cost_the_service_nothing_and_a_client_that_stops_reading_holds_nobody() -> None:
    async def requests(clients: int) -> int:
        async with served(600) as (_, transport, _, board):
            readers = [Browser(board) for _ in range(clients)]
            for one in readers:
                await one.load()
            listening = [asyncio.create_task(one.listen()) for one in readers]
            blocked = asyncio.get_running_loop().create_future()

            async def stuck(_: Any) -> None:
                await blocked

            for one in readers[1::10]:
                scope = one._scope("/events", f"after={one.id}", "GET", {})
                listening.append(asyncio.create_task(board(scope, blocked.__await__, stuck)))  # type: ignore[arg-type]
            await asyncio.sleep(100)
            sent = len(transport.sent)
            for one in readers:
                assert one.client.by_status == readers[0].client.by_status
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
            return sent

    assert await requests(40) <= 1.1 * await requests(1)


async def test_a_client_that_lacks_too_much_is_told_to_load_the_whole() -> None:
    async with served(300) as (_, _, _, board):
        browser = Browser(board)
        await browser.load()
        browser.id = "of-another-board"
        async with asyncio.timeout(5):
            await browser.listen()
        assert browser.resets == 1


async def test_an_address_needs_its_token_and_a_host_that_is_known() -> None:
    async with served(100, token="a-long-token-of-letters", hosts=("localhost",)) as (_, _, _, board):
        browser = Browser(board, root="/below")
        ask = browser.get
        assert (await ask("/a-long-token-of-letters/", host="localhost:80"))[0] == 200
        for path in ("/", "/state", "/a-long-token-of-letter/state", "/wrong/"):
            assert (await ask(path, host="localhost"))[0] == 403
        assert (await ask("/a-long-token-of-letters/", host="evil.example"))[0] == 403
        assert (await ask("/a-long-token-of-letters/", method="POST", host="localhost"))[0] == 405
        assert (await ask("/a-long-token-of-letters/nothing", host="localhost"))[0] == 404


async def test_the_page_loads_nothing_and_cannot_be_framed() -> None:
    async with served(100) as (_, _, _, board):
        status, headers, body = await Browser(board).get("/")
        text = gzip.decompress(body).decode()
        assert status == 200
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in text
        assert len(text) < 200_000
        for path in ("/state", "/runs", "/instance", "/nothing"):
            assert "frame-ancestors 'none'" in (await Browser(board).get(path))[1]["content-security-policy"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"last": timedelta(seconds=1)},
        {"last": 24},
        {"late": timedelta(0)},
        {"query": FlowQuery(0, 0, status=FlowStatus.FAIL)},
    ],
)
async def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    async with FlowSession("https://gateway.test", user_id="u", org_id="o") as session:
        with pytest.raises(QueryError):
            application(session, **wrong)


@pytest.mark.real_time
async def test_a_port_that_cannot_be_had_is_said() -> None:
    async with FlowSession("https://gateway.test", user_id="u", org_id="o") as session:
        with pytest.raises(QueryError, match=r"cannot listen at 127\.0\.0\.1, port 99999"):
            async with serve(application(session), "127.0.0.1", 99_999):
                pass


async def test_no_work_is_left_where_the_session_is_closed() -> None:
    with Emulator(50, days=2, live=True, now=lambda: EPOCH + loop_time() * 1000) as emulator:
        transport = EmulatorTransport(emulator, epoch_ms=EPOCH)
        session = FlowSession("http://gateway.test", user_id="u", org_id="o", http=transport, allow_http=True)
        async with session:
            board = application(session)
            board.start()
            await asyncio.sleep(10)
        async with asyncio.timeout(20):
            await board.ended()
        assert board._feed.state.fact("service")["state"] == "stopped"


async def until_read(board: BoardApplication) -> None:
    async with asyncio.timeout(60):
        while (board._feed.state.fact("history") or {}).get("share", 0) < 1:  # noqa: ASYNC110  (as above)
            await asyncio.sleep(0.1)


@pytest.mark.long
async def test_each_restart_has_the_whole_history_that_was_read_once(tmp_path: Path) -> None:
    """A checkpoint holds what an earlier board has read, and not only what has changed since then."""
    async with served(200) as (_, _, session, _):
        known: list[set[str]] = []
        for _ in range(3):
            async with application(session, checkpoint=tmp_path / "board.json") as board:
                await until_read(board)
                known.append(set(board._feed.state.runs))
        assert known[0]
        assert known[0] <= known[1] <= known[2]


@pytest.mark.long
async def test_a_board_that_ran_longer_than_its_range_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    async with served(50) as (_, _, session, _):
        settings: dict[str, Any] = {"last": timedelta(minutes=10), "checkpoint": tmp_path / "board.json"}
        ranges = []
        for minutes in (11, 0):
            async with application(session, max_wait=timedelta(minutes=2), **settings) as board:
                await until_read(board)
                await asyncio.sleep(60 * minutes)
                assert board._feed._scans is not None
                ranges.append(board._feed._scans.history)
        assert ranges[0] == ranges[1]


@pytest.mark.long
async def test_nothing_is_missing_in_an_outage() -> None:
    """Runs are missing up to the time up to which the board has read, and the page says that this is not now."""
    async with served(50, last=timedelta(hours=2)) as (_, transport, _, board):
        await until_read(board)
        transport.refuses = loop_time(), loop_time() + 1800
        began = EPOCH + loop_time() * 1000
        await asyncio.sleep(1800)
        assert board._feed.state.fact("due")["checked"] <= began + 1000
        assert board._feed.state.fact("history")["share"] < 0.8
        assert board._feed.state.fact("beat") >= (began + 1_790_000) // 10_000, (
            "a page hears that the board is there"
        )
        await asyncio.sleep(400)
        assert board._feed.state.fact("due")["checked"] > began + 1_800_000
        assert board._feed.state.fact("history") == {"share": 1}


async def test_an_error_of_the_board_itself_stops_it_and_is_shown() -> None:
    async with served(50) as (_, _, _, board):
        await until_read(board)
        board._feed.state.told_time = None  # type: ignore[assignment, method-assign]
        with pytest.raises(TypeError):
            await board.ended()
        assert board._feed.state.fact("service")["state"] == "stopped"
        board._work = None


async def test_the_runs_of_a_cell_are_filtered_before_the_list_is_cut() -> None:
    async with served(200) as (_, _, _, board):
        await until_read(board)
        state, ask = board._feed.state, Browser(board).get
        run = next(iter(state.runs.values()))
        cell = f"flow={run.flow}&bin={run.trigger_ms // state.bin_ms}"
        status = state.whole()["status"]
        (number,) = (number for number, name in status.items() if name == str(run.status))
        for filters, found in (
            ("", True),
            (f"&series={run.series}&status={number}", True),
            (f"&series={run.series + 1},{run.series + 2}", False),
            (f"&status={number + 1}", False),
            ("&status=", False),
        ):
            answered = json.loads((await ask("/runs", cell + filters))[2])
            assert (run.instance_id in {one["id"] for one in answered["runs"]}) == found
        assert (await ask("/runs", f"{cell}&series=x"))[0] == 400


async def test_until_the_service_tells_its_time_the_board_has_that_of_its_machine() -> None:
    assert abs(ServiceClock(10).now_ms() - time.time() * 1000) < 60_000


@pytest.mark.parametrize(
    ("error", "pause"),
    [(Throttled(429, "later", 45.0), 45), (Denied(62101, "no such user"), 600), (ServerFault(1, "oh"), 1)],
)
async def test_a_board_asks_again_when_that_makes_sense(error: Exception, pause: float) -> None:
    clock, asked = ServiceClock(10), list[float]()

    async def ask() -> None:
        asked.append(loop_time())
        if len(asked) < 2:
            raise error

    await clock.persist(ask)
    assert asked[1] - asked[0] == pytest.approx(pause)


async def test_the_whole_state_is_never_too_old_to_follow() -> None:
    state = BoardState(86_400_000, 600_000)
    hub = BoardHub(state)
    hub._changes = NumberedChanges(most=10)
    hub.whole()
    hub._fresh_until = loop_time() + 1000
    for number in range(20):
        state.tell("beat", number)
        hub.publish(0)
    id = json.loads(gzip.decompress(hub.whole()))["id"]
    assert hub._changes.reaches(hub.number(id))


async def test_who_asks_for_an_instance_gets_an_error_if_too_many_others_do() -> None:
    async with served(50) as (_, _, session, _):
        details = InstanceDetails(session)
        waiting = [asyncio.create_task(details.read(f"{n}-20250101000000")) for n in range(201)]
        with pytest.raises(AioflowsError, match="too many instances"):
            await waiting[0]
        await details.aclose()
        await asyncio.gather(*waiting, return_exceptions=True)
