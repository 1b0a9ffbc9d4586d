"""Make the pictures of the README from the program itself.

    python docs/images/make.py

``progress.svg`` shows the line of ``aioflows scan`` while it runs and after it has ended, as `rich` records it.
``report.png`` is a page of ``aioflows report`` and ``board.png`` that of ``aioflows board``, in Chromium, if one is
installed. All read the emulator.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
import tempfile
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from aioflows import FlowQuery, FlowScan, FlowSession
from aioflows.board import application
from aioflows.board.aiohttp_application import serve
from aioflows.cli.output.meters import live_meter
from aioflows.cli.output.scan_summary import ScanSummary
from aioflows.emulator import EmulatorProcess
from aioflows.export import export
from aioflows.report import report

HERE = Path(__file__).parent
MOMENTS = (0.15, 0.4, 0.7)
"""Shares of the time range at which the line is shown."""
COMMAND = "$ aioflows scan --from 2024-01-01 --to 2025-01-01 --zone Asia/Shanghai -o year.parquet"
WIDTH = 124
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


async def progress(file: Path) -> None:
    """Record the line of an export at three moments, and the account at its end."""
    shown = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    shown.print(COMMAND, style="bold", highlight=False)
    moments = list(MOMENTS)
    scans: list[FlowScan] = []
    meter = live_meter(Console(width=WIDTH, file=io.StringIO(), force_terminal=True))

    def watch(scan: FlowScan) -> None:
        scans[:] = [scan]
        meter.show(scan)
        if moments and scan.progress >= moments[0]:
            moments.pop(0)
            shown.print(meter._bar.get_renderable())  # type: ignore[attr-defined]  # noqa: SLF001

    async with (
        EmulatorProcess(instances=100_000, seed=1, latency=0.2) as emulator,
        FlowSession(emulator.url, user_id="u", org_id="o", observer=meter.on_event) as session,
    ):
        query = FlowQuery(emulator.start_ms, emulator.end_ms)
        with meter:
            await export(session, query, file, watch=watch)
        stats = scans[0].stats
    account = ScanSummary(
        query, stats, stats.rows_yielded, output=str(file), zone=ZoneInfo("Asia/Shanghai")
    ).line()
    shown.print(Text(account.replace(str(file), file.name)))
    (HERE / "progress.svg").write_text(shown.export_svg(title="aioflows scan"), encoding="utf-8")


async def page(file: Path) -> None:
    """Take a picture of a report."""
    if CHROMIUM is None:
        print("there is no Chromium here, so report.png stays as it is")
        return
    async with (
        EmulatorProcess(instances=30_000, seed=1, days=60) as emulator,
        FlowSession(emulator.url, user_id="u", org_id="o") as session,
    ):
        await report(session.scan(FlowQuery(emulator.start_ms, emulator.end_ms)), file)
    picture = [f"--screenshot={HERE / 'report.png'}", "--window-size=1280,900", "--hide-scrollbars"]
    still = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000"]
    await asyncio.to_thread(
        subprocess.run, [CHROMIUM, *still, *picture, file.as_uri()], check=True, capture_output=True
    )


async def live_board() -> None:
    """Take a picture of a board, as `aioflows board` shows it."""
    from playwright.async_api import async_playwright  # noqa: PLC0415  (only this picture needs it)

    if CHROMIUM is None:
        print("there is no Chromium here, so board.png stays as it is")
        return
    async with (
        EmulatorProcess(instances=20_000, days=4, seed=1, live=True, missed=40, late=40) as emulator,
        FlowSession(emulator.url, user_id="u", org_id="o") as session,
        serve(application(session, title="an emulated service"), "127.0.0.1", 0) as port,
        async_playwright() as playwright,
    ):
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await chromium.new_page(viewport={"width": 1280, "height": 720})
        await page.goto(f"http://127.0.0.1:{port}/")
        await page.wait_for_selector("#history", state="hidden")
        await asyncio.sleep(8)  # the rows are put in order every few seconds
        await page.screenshot(path=HERE / "board.png")
        await chromium.close()


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        await progress(Path(folder) / "year.parquet")
        await page(Path(folder) / "report.html")
    await live_board()


if __name__ == "__main__":
    asyncio.run(main())
