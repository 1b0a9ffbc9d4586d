"""The emulator in another process, for tests and benchmarks that must not share its loop or memory."""

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
from aioflows.emulator.emulator import PLANTED_PATH, STATE_PATH
from aioflows.emulator.world.irregular_runs import PlantedRun

_STOP_SECONDS = 5.0


class EmulatorProcess:
    """An emulator in another process: ``with EmulatorProcess(instances=..., latency=...) as emulator:``.

    ``async with`` works too. The process ends with the block. If this process dies, the standard input of the
    emulator closes, which ends the emulator.

    Args:
        keywords: as for `Emulator`.

    Attributes:
        url: the base URL.
        start_ms: the first instant that a row may have (ms since the epoch).
        end_ms: the first instant after all rows (ms since the epoch).
        instances: the number of rows at the start.
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
        # Started in this folder, the child finds the package even if the package is not installed.
        root = str(Path(__file__).parents[2])
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            start_new_session=True,  # Ctrl-C of the terminal does not reach another session
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
        """Stop the process, and wait for its end. Safe to call more than once."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def state(self) -> dict[str, Any]:
        """Return the answer to ``GET /_emulator/state``, such as requests by operation and rows answered.

        Raises:
            RuntimeError: the process does not run.
        """
        state: dict[str, Any] = self._inspect(STATE_PATH)
        return state

    @property
    def planted(self) -> list[PlantedRun]:
        """The runs that were planted by `World.missed`, `doubled` and `late`, in the order of trigger times."""
        return [PlantedRun(**one) for one in self._inspect(PLANTED_PATH)]

    def _inspect(self, path: str) -> Any:
        if not self.url:
            raise RuntimeError(
                f"the emulator does not run; start it, and check its options: {' '.join(self._arguments)}"
            )
        # A proxy from the environment may not reach the loopback interface of this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, timeout=30) as answer:
            return json.load(answer)

    @property
    def requests(self) -> dict[str, int]:
        """The number of requests, by operation."""
        counts: dict[str, int] = self.state()["requests"]
        return counts

    @property
    def peak_in_flight(self) -> int:
        """The most requests that were ever in flight at once."""
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
            # A thread cannot be cancelled, and the process can be stopped only after its start has ended.
            await asyncio.wait([starting])
            await asyncio.to_thread(self.stop)
            raise

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)
