"""``python -m aioflows.emulator``: the emulator as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

from aioflows.emulator.assembly import wall_ms
from aioflows.emulator.command import parser, switches
from aioflows.emulator.emulator import Emulator
from aioflows.errors import QueryError


async def _serve(emulator: Emulator, until_stdin_closes: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # not on every platform
            loop.add_signal_handler(number, stop.set)
    async with emulator:
        # The first line is the contract of whoever started this process.
        print(emulator.url, flush=True)  # noqa: T201
        if until_stdin_closes:
            _watch_stdin(loop, stop)
        await stop.wait()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    def read() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin)
            stop.set()

    try:
        loop.add_reader(sys.stdin, read)
    except (NotImplementedError, PermissionError):  # a file or the null device: it has ended already
        stop.set()


def _emulator(told: dict[str, object], host: str, port: int, path: str | None) -> Emulator:
    instances, seed = told.pop("instances", 10_000), told.pop("seed", 1)
    if not isinstance(instances, int) or not isinstance(seed, int):
        raise QueryError(f"instances and seed must be whole numbers, not {instances!r} and {seed!r}")
    return Emulator(instances, seed, host=host, port=port, path=path, now=wall_ms, **told)


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; 2 if a setting makes no sense."""
    given = vars(parser().parse_args(arguments))
    try:
        emulator = _emulator(switches(given), given["host"], given["port"], given["path"])
        asyncio.run(_serve(emulator, given["until_stdin_closes"]))
    except (QueryError, OSError) as error:
        print(f"{parser().prog}: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
