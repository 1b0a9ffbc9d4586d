"""The board in a real Chromium: its figures are those of a scan, it can be used without a mouse, and it complains of nothing."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from aioflows import FlowInstance, FlowQuery, FlowSession, FlowStatus
from aioflows.board import application
from aioflows.board.aiohttp_application import serve
from aioflows.emulator import Emulator

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.long,
    pytest.mark.real_time,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE = 60.0
FAST = timedelta(seconds=0.4)
TILES = {
    "succeeded": {"SUCCESS"},
    "failed": {"FAIL", "INTERNAL_ERROR", "TIMEOUT"},
    "running": {"RUNNING", "RERUN"},
    "waiting": {"INIT", "WAIT", "READY", "SUSPEND"},
    "cancelled": {"CANCEL", "SKIP"},
}


class Scene:
    """A service, a board of it, and a page in a browser."""

    def __init__(self, emulator: Emulator, session: FlowSession, page: Any, address: str) -> None:
        self.emulator, self.session, self.page, self.address = emulator, session, page, address
        self.faults: list[str] = []
        page.on("console", lambda said: self.faults.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda sent: self._asked(sent.url))

    def _asked(self, url: str) -> None:
        if not url.startswith(self.address):
            self.faults.append(f"asked for {url}")

    async def open(self, query: str = "") -> None:
        await self.page.goto(f"{self.address}{query}")
        await self.page.wait_for_selector("body[data-drawn]")
        await self.page.wait_for_selector("#history", state="hidden")

    async def tiles(self) -> dict[str, int]:
        shown = await self.page.eval_on_selector_all(
            "#tiles strong", "all => all.map(one => [one.id.slice(5), one.textContent])"
        )
        return {name: int(text.replace(",", "")) for name, text in shown if text != "–"}

    async def rows(self) -> list[FlowInstance]:
        first = await self.page.evaluate("board.first * board.binMs")
        return await self.session.scan(FlowQuery(int(first), await self.session.server_time())).list()

    async def agrees(self, **filters: Any) -> None:
        """Wait until every tile shows what a scan counts."""
        async with asyncio.timeout(PATIENCE):
            while True:
                expected = counted([one for one in await self.rows() if fits(one, **filters)])
                shown = await self.tiles()
                if {name: shown.get(name) for name in expected} == expected:
                    return
                await asyncio.sleep(0.4)


def fits(row: FlowInstance, owner: str | None = None, flow: str = "") -> bool:
    return (owner is None or row.owner == owner) and flow in f"{row.flow_name} {row.flow_id}".lower()


def counted(rows: list[FlowInstance]) -> dict[str, int]:
    statuses = Counter(one.status_name for one in rows)
    return {"runs": len(rows)} | {name: sum(statuses[one] for one in names) for name, names in TILES.items()}


@asynccontextmanager
async def scene(instances: int = 3_000, **looks: Any) -> AsyncIterator[Scene]:
    from playwright.async_api import async_playwright

    async with (
        Emulator(instances, days=2, seed=5, live=True, missed=20, late=20) as emulator,
        FlowSession(emulator.url, user_id="u", org_id="o") as session,
        serve(application(session, title="test", min_wait=FAST, max_wait=FAST), "127.0.0.1", 0) as port,
        async_playwright() as playwright,
    ):
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        context = await chromium.new_context(**looks)
        context.set_default_timeout(PATIENCE * 1000)
        made = Scene(emulator, session, await context.new_page(), f"http://127.0.0.1:{port}/")
        yield made
        await chromium.close()


async def test_every_tile_counts_what_a_scan_counts_after_inserts_and_changes_and_under_filters() -> None:
    async with scene() as here:
        await here.open()
        await here.agrees()
        now = here.emulator.end_ms
        ids = [here.emulator.insert(now - 1000 * age, status=2) for age in range(40)]
        for id in ids[:15]:
            here.emulator.set_status(id, int(FlowStatus.FAIL))
        await here.agrees()
        owner = (await here.rows())[0].owner
        await here.page.select_option("#owner", owner)
        await here.agrees(owner=owner)
        assert "owner=" in here.page.url
        await here.page.fill("#flow", "sync")
        await here.agrees(owner=owner, flow="sync")
        await here.page.reload()
        await here.agrees(owner=owner, flow="sync")
        await here.page.click("#reset")
        await here.agrees()
        assert here.faults == []


async def test_a_change_is_on_the_page_within_a_poll_and_half_a_second() -> None:
    async with scene(600) as here:
        await here.open()
        await here.agrees()
        delays = []
        for _ in range(5):
            id = here.emulator.insert(here.emulator.end_ms, status=int(FlowStatus.RUNNING))
            began = asyncio.get_running_loop().time()
            await here.page.wait_for_function("id => board.runs.has(id)", arg=id)
            delays.append(asyncio.get_running_loop().time() - began)
        assert min(delays) < FAST.total_seconds() + 0.5, delays  # of five, since the machine may be busy
        assert here.faults == []


class Link:
    """A way to a server that can be cut."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._to = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in [*self._writers]:
            writer.transport.abort()
        await asyncio.sleep(0.1)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {writer, there[1]}
        with suppress(ConnectionError):
            await asyncio.gather(self._copy(reader, there[1]), self._copy(there[0], writer))
        self._writers -= {writer, there[1]}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.transport.abort()


async def test_it_connects_again_by_itself_and_misses_nothing() -> None:
    async with scene(600) as here:
        link = Link(int(here.address.rsplit(":", 1)[1].strip("/")))
        await link.open()
        here.address = f"http://127.0.0.1:{link.port}/"
        await here.open()
        await here.agrees()
        await here.page.evaluate("window.first = board.series")  # a page that loads the whole has others
        await link.cut()
        await here.page.wait_for_selector("body[data-state='lost']")
        ids = [here.emulator.insert(here.emulator.end_ms, status=2) for _ in range(30)]
        await asyncio.sleep(2)
        await link.open()
        await here.page.wait_for_selector("body[data-state='ok']")
        await here.page.wait_for_function("id => board.runs.has(id)", arg=ids[-1])
        await here.agrees()
        assert await here.page.evaluate("window.first === board.series")
        await link.cut()


async def test_it_can_be_used_with_a_keyboard_and_opens_a_run_with_its_tasks() -> None:
    async with scene(600) as here:
        await here.open("?order=runs")
        await here.page.focus("#grid")
        for key in ("ArrowDown", "ArrowDown", "ArrowUp", "Home", "End"):
            await here.page.keyboard.press(key)
        assert ":" in await here.page.text_content("#cell")
        cell = await here.page.evaluate(
            "(() => { const bins = binsOf(grid.rows[0].flow); grid.cell = { row: 0, bin: bins.findIndex(one => one) }; })()"
        )
        assert cell is None
        await here.page.keyboard.press("Enter")
        await here.page.click("#dialog-body tbody button")
        await here.page.wait_for_selector("#dialog-body .drawing svg rect")
        assert "instance=" in here.page.url
        await here.page.keyboard.press("Escape")
        await here.page.wait_for_selector("#dialog", state="hidden")
        await here.page.wait_for_function("!location.search.includes('instance=')")
        assert here.faults == []


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1400), ("dark", 1400), ("light", 390), ("dark", 390)]
)
async def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_screen(
    scheme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.async_playwright", reason="axe is not installed").Axe()
    async with scene(600, color_scheme=scheme, viewport={"width": width, "height": 800}) as here:
        await here.open()
        for step in ("", "#view", "#failing button"):
            if step:
                await here.page.locator(step).first.click()
                await asyncio.sleep(0.5)
            found = (await axe.run(here.page)).response["violations"]
            serious = [one for one in found if one["impact"] in ("serious", "critical")]
            assert serious == [], [
                (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"][:300])
                for one in serious
            ]
        assert await here.page.evaluate("document.documentElement.scrollWidth") <= width
        assert here.faults == []
