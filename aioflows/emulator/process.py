"""The emulator in another process, for tests and benchmarks in which it must not share the client's loop or memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

from aioflows.emulator.command import as_arguments
from aioflows.emulator.emulator import STATE_PATH

_PATIENCE = 5.0


class EmulatorProcess:
    """``with EmulatorProcess(instances=..., latency=...) as emulator:`` and ``async with`` alike.

    The process ends with the block, and with this process however that ends: its standard input closes then.

    Args:
        keywords: as for `Emulator`.

    Attributes:
        url: where it is served.
        start_ms: the first instant that a row may have.
        end_ms: the first instant that no row has any more.
        instances: how many rows there were at the start.
    """

    def __init__(self, **keywords: object) -> None:
        self._arguments = as_arguments(keywords)
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.start_ms = 0
        self.end_ms = 0
        self.instances = 0

    def start(self) -> Self:
        """Start the process, and wait until it serves."""
        command = [sys.executable, "-m", "aioflows.emulator", "--until-stdin-closes", *self._arguments]
        # Found even where the package is not installed and this process has another working directory.
        root = str(Path(__file__).parents[2])
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            start_new_session=True,  # Ctrl-C on a terminal is for this process; that one ends with its input
        )
        try:
            assert self._process.stdout is not None
            self.url = self._process.stdout.readline().strip()
            state = self.state()
        except BaseException:
            self.stop()
            raise
        self.start_ms, self.end_ms, self.instances = state["start_ms"], state["end_ms"], state["instances"]
        return self

    def stop(self) -> None:
        """End the process, and reap it."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def state(self) -> dict[str, Any]:
        """What ``GET /_emulator/state`` answers: requests by operation, rows answered, peak in flight, and more."""
        # Straight to the loopback interface, whatever proxies the environment names.
        if not self.url:
            raise RuntimeError(f"the emulator does not run; it was told {' '.join(self._arguments)}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + STATE_PATH, timeout=30) as answer:
            state: dict[str, Any] = json.load(answer)
        return state

    @property
    def requests(self) -> dict[str, int]:
        """How many requests there were, by operation."""
        counts: dict[str, int] = self.state()["requests"]
        return counts

    @property
    def peak_in_flight(self) -> int:
        """The most requests that were ever being answered at once."""
        peak: int = self.state()["peak_in_flight"]
        return peak

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        starting = asyncio.create_task(asyncio.to_thread(self.start))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait(
                [starting]
            )  # a thread cannot be cancelled, and its process must not be left behind
            await asyncio.to_thread(self.stop)
            raise

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)
