"""``aioflows emulate``: serves an emulated deployment until Ctrl-C."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.text import Text

from aioflows import QueryError
from aioflows.emulator import Emulator
from aioflows.emulator.command import switches

__all__ = ["emulate", "parse_switches"]


def parse_switches(texts: Iterable[str]) -> dict[str, Any]:
    """Return the switches of the emulator that texts of the form ``name=value`` set.

    Raises:
        QueryError: a text has another form, or its value is invalid.
    """
    given: dict[str, object] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise QueryError(f"--set {text!r} is invalid; give name=value, as in --set ties=unstable")
        name = name.strip().replace("-", "_")
        given[name] = value
    known = switches(given)
    return {name: known.get(name, value) for name, value in given.items()}


async def emulate(emulator: Emulator, console: Console) -> None:
    """Serve a deployment until the task is cancelled.

    Raises:
        QueryError: the server cannot listen, as when the port is in use.
    """
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(emulator)
        except OSError as error:
            raise QueryError(f"the emulator cannot be started: {error.strerror or error}") from error
        address = (emulator.url, "bold cyan")
        console.print(Text.assemble(("serving ", "bold"), f"{emulator.instances:,} instances at ", address))
        console.print("read them with")
        console.print(Text(f"  {example_command(emulator)}"), soft_wrap=True)
        if emulator.meanwhile.live:
            console.print("follow what happens with")
            console.print(Text(f"  {example_command(emulator, 'follow')}"), soft_wrap=True)
        console.print("until Ctrl-C")
        console.file.flush()  # a parent process may wait for the address on a pipe
        await asyncio.Event().wait()


def example_command(emulator: Emulator, name: str = "scan") -> str:
    """Return a command line that reads or follows the deployment."""
    arguments = ["aioflows", name, "--url", emulator.url]
    arguments += ["--user-id", emulator.quirks.user_id or "u", "--org-id", emulator.quirks.org_id or "o"]
    if name == "scan":
        second = timedelta(seconds=1 if emulator.meanwhile.live else 0)
        end = (emulator.end + second).replace(microsecond=0)
        arguments += ["--from", emulator.start.isoformat(), "--to", end.isoformat()]
    else:
        arguments.append("--changes")
    if emulator.quirks.claimed_zone is not None:
        arguments += ["--server-timezone", emulator.world.zone]
    keys = "AIOFLOWS_ACCESS_KEY=… AIOFLOWS_SECRET_KEY=… " if emulator.access.app_key is not None else ""
    return keys + shlex.join(arguments)
