"""What does a board of a large platform cost a browser, and what do 200 clients cost the service and the memory?

Two questions. ``page``: a board of a day with 200,000 runs is opened in Chromium while it reads, and again when it has read
everything; then the grid is scrolled. ``clients``: one client and then many are connected to a board of an emulated
platform that lives on; some of them stop reading. The board and the emulator run in processes of their own.

    python benchmarks/board.py [page] [clients] [--instances 200000] [--clients 200] [--stuck 20] [--seconds 600]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # measure the clone that this file lies in

import aiohttp

from aioflows.emulator import EmulatorProcess

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FIRST_PICTURE, LEAST_FRAMES, MOST_BYTES = 2.0, 30.0, 2_000_000
MOST_REQUESTS, MOST_MB, MOST_DELAY = 1.1, 60.0, 0.5
SCROLL = """async seconds => {
  const box = document.getElementById("grid"), begun = performance.now();
  let frames = 0, longest = 0, before = begun, down = 1;
  while (performance.now() - begun < 1000 * seconds) {
    box.scrollTop += 90 * down;
    if (box.scrollTop + box.clientHeight >= box.scrollHeight - 1 || box.scrollTop <= 0) down = -down;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    longest = Math.max(longest, now - before);
    before = now;
    frames += 1;
  }
  return [frames / seconds, longest];
}"""
WEIGHT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce(([sent, held], one) => [sent + one.transferSize, held + one.decodedBodySize], [0, 0])"""


class Verdict:
    """Prints figures with their limits, and keeps whether one was missed."""

    failed = False

    def show(
        self, name: str, value: float, unit: str, *, most: float | None = None, least: float | None = None
    ) -> None:
        limit = "" if most is None and least is None else f"limit {most if least is None else least:,g}"
        missed = (most is not None and value > most) or (least is not None and value < least)
        self.failed |= missed
        print(f"  {name:<58}{value:>12,.2f} {unit:<10}{limit} {'MISSED' if missed else ''}", flush=True)


@asynccontextmanager
async def board_process(url: str, *options: str) -> AsyncIterator[tuple[str, int]]:
    """Start ``aioflows board`` in another process; yield its address and its process id."""
    arguments = [sys.executable, "-m", "aioflows", "board", url, "--user-id", "u", "--org-id", "o", *options]
    process = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        found = re.search(r"http://\S+/", line.partition(" at ")[2])
        assert found, line
        yield found[0], process.pid
    finally:
        process.terminate()
        await process.wait()


def resident(pid: int) -> float:
    """Return what a process holds, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


async def page(instances: int, verdict: Verdict) -> None:
    from playwright.async_api import async_playwright  # noqa: PLC0415  (the other question needs no browser)

    if CHROMIUM is None:
        print("there is no Chromium here")
        return
    yesterday = (datetime.now(UTC) + timedelta(hours=8) - timedelta(days=1)).strftime("%Y-%m-%d")
    async with (
        EmulatorProcess(
            instances=instances, days=1, first_day=yesterday, profile="uniform", latency=0.02
        ) as emulator,
        async_playwright() as playwright,
        board_process(emulator.url, "--last", "48h") as (address, pid),
    ):
        chromium = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        looking = await chromium.new_page(viewport={"width": 1400, "height": 900})
        began = time.perf_counter()
        await looking.goto(address)
        await looking.wait_for_function(
            "() => grid.rows.length > 0 && Number(document.body.dataset.drawn) > 0"
        )
        verdict.show(
            "first picture after the page was opened, while it reads",
            time.perf_counter() - began,
            "s",
            most=FIRST_PICTURE,
        )
        verdict.show("frames while the past is read", (await looking.evaluate(SCROLL, 2))[0], "a second")
        await looking.wait_for_selector("#history", state="hidden", timeout=600_000)
        verdict.show("the past is read after", time.perf_counter() - began, "s")
        await asyncio.sleep(15)  # audit, and figures of all flows
        shown = await looking.evaluate(
            "[document.getElementById('tile-runs').textContent, board.flows.length]"
        )
        print(f"  it shows {shown[0]} runs of {shown[1]:,} flows")
        frames, longest = await looking.evaluate(SCROLL, 5)
        verdict.show("frames while scrolling", frames, "a second", least=LEAST_FRAMES)
        verdict.show("longest frame", longest, "ms")
        await looking.close()
        looking = await chromium.new_page(viewport={"width": 1400, "height": 900})
        began = time.perf_counter()
        await looking.goto(address)
        await looking.wait_for_function(
            "() => grid.rows.length > 0 && Number(document.body.dataset.drawn) > 0"
        )
        verdict.show(
            "picture of the whole in a new page", time.perf_counter() - began, "s", most=FIRST_PICTURE
        )
        sent, held = await looking.evaluate(WEIGHT)
        verdict.show("sent to it", sent, "bytes", most=MOST_BYTES)
        verdict.show("the same, unpacked", held, "bytes", most=MOST_BYTES)
        verdict.show("memory of the board's process", resident(pid), "MB")
        await chromium.close()


class EventClient:
    """A client that notes when it has seen which run begin."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.seen: dict[str, float] = {}

    async def run(self, session: aiohttp.ClientSession) -> None:
        async with session.get(f"{self.address}state") as answer:
            state = json.loads(await answer.read())
        async with session.get(f"{self.address}events?after={state['id']}") as events:
            async for line in events.content:
                if line.startswith(b"data: {"):
                    now = time.perf_counter()
                    for id, value in json.loads(line[6:]).get("run", ()):
                        if value is not None:
                            self.seen.setdefault(id, now)


async def stuck(address: str) -> None:
    """Ask for the events, and never read them."""
    host, port = re.findall(r"//([^:/]+):(\d+)", address)[0]
    _, writer = await asyncio.open_connection(host, int(port), limit=1_024)
    writer.write(
        f"GET /events?after=none HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".replace(
            "?after=none", "?after=" + await first_id(address)
        ).encode()
    )
    try:
        await asyncio.Event().wait()
    finally:
        writer.transport.abort()


async def first_id(address: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{address}state") as answer:
        return str(json.loads(await answer.read())["id"])


async def clients(number: int, stopped: int, seconds: float, verdict: Verdict) -> None:
    async with (
        EmulatorProcess(instances=20_000, days=4, live=True, latency=0.01) as emulator,
        board_process(emulator.url) as (address, pid),
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
        ) as session,
    ):
        await asyncio.sleep(20)
        single = EventClient(address)
        task = asyncio.create_task(single.run(session))
        alone = await rate(emulator, max(60.0, seconds / 4))
        held = resident(pid)
        many = [EventClient(address) for _ in range(number - stopped)]
        tasks = [asyncio.create_task(one.run(session)) for one in many]
        tasks += [asyncio.create_task(stuck(address)) for _ in range(stopped)]
        peak = asyncio.create_task(largest(pid))
        connected = time.perf_counter() + 5
        together = await rate(emulator, seconds)
        peak.cancel()
        (grown,) = await asyncio.gather(peak)
        verdict.show(
            "requests to the service, times those of one client", together / alone, "", most=MOST_REQUESTS
        )
        verdict.show(
            f"memory for {number} clients, {stopped} of which do not read", grown - held, "MB", most=MOST_MB
        )
        delays = [
            max(one.seen.get(id, at + 99) for one in many) - at
            for id, at in single.seen.items()
            if at > connected and all(id in one.seen for one in many)
        ]
        verdict.show(
            f"the last client has {len(delays):,} changes after the first, at most",
            max(delays),
            "s",
            most=MOST_DELAY,
        )
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(20)
        verdict.show("memory kept when they have gone", resident(pid) - held, "MB", most=MOST_MB / 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def rate(emulator: EmulatorProcess, seconds: float) -> float:
    """Return the requests per second that the service gets."""
    before = sum((await asyncio.to_thread(emulator.state))["requests"].values())
    await asyncio.sleep(seconds)
    return float((sum((await asyncio.to_thread(emulator.state))["requests"].values()) - before) / seconds)


async def largest(pid: int) -> float:
    """Return the most memory that a process has held until this is cancelled (MB)."""
    most = 0.0
    try:
        while True:
            most = max(most, resident(pid))
            await asyncio.sleep(0.5)
    except asyncio.CancelledError:
        return most


async def main() -> None:
    given = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    given.add_argument("questions", nargs="*", default=["page", "clients"], metavar="page | clients")
    given.add_argument("--instances", type=int, default=200_000)
    given.add_argument("--clients", type=int, default=200)
    given.add_argument("--stuck", type=int, default=20)
    given.add_argument("--seconds", type=float, default=600)
    options: Any = given.parse_args()
    verdict = Verdict()
    print(f"Python {platform.python_version()}")
    if "page" in options.questions:
        print(f"a board of a day with {options.instances:,} runs")
        await page(options.instances, verdict)
    if "clients" in options.questions:
        print(f"{options.clients} clients for {options.seconds:g} s, {options.stuck} of which stop reading")
        await clients(options.clients, options.stuck, options.seconds, verdict)
    sys.exit(verdict.failed)


if __name__ == "__main__":
    asyncio.run(main())
