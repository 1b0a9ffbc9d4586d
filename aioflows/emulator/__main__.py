"""``python -m aioflows.emulator``: the emulator as a separate process."""

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
        with contextlib.suppress(NotImplementedError):  # asyncio on Windows has no signal handlers
            loop.add_signal_handler(number, stop.set)
    async with emulator:
        # `EmulatorProcess.start` reads the URL from the first line.
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
    except (NotImplementedError, PermissionError):
        # epoll_ctl(2) refuses files and the null device with EPERM. Both end at once.
        stop.set()


def _emulator(keywords: dict[str, object], host: str, port: int, path: str | None) -> Emulator:
    instances, seed = keywords.pop("instances", 10_000), keywords.pop("seed", 1)
    if not isinstance(instances, int) or not isinstance(seed, int):
        raise QueryError(f"instances and seed must be whole numbers, not {instances!r} and {seed!r}")
    return Emulator(instances, seed, host=host, port=port, path=path, now=wall_ms, **keywords)


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal comes. Return the exit code: 2 if an option is not valid, else 0."""
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
