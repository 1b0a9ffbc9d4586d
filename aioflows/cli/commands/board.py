"""``aioflows board``: serves a live board of a service until Ctrl-C, or of an emulated one if none is named."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit

import attrs
from rich.console import Console
from rich.text import Text

from aioflows import FlowQuery, FlowSession, Limits, QueryError
from aioflows._worker import run_in_thread
from aioflows.board import application
from aioflows.board.aiohttp_application import serve
from aioflows.cli.first_contact import open_session
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.options.groups import ServerOptions
from aioflows.cli.output.meters import meter_of
from aioflows.emulator import EmulatorProcess

__all__ = ["BoardJob", "board", "board_duration", "with_url"]

_TOKEN = "AIOFLOWS_BOARD_TOKEN"  # noqa: S105  (a name, not a token)
_TOKEN_FORM = re.compile(r"[A-Za-z0-9_-]{16,200}")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_EMULATED = {"instances": 20_000, "days": 4, "seed": 1, "live": True, "missed": 40, "late": 40}


@attrs.frozen
class BoardJob:
    """The settings of ``aioflows board``.

    Args:
        query: its type, owner and expression select the instances.
        last: how far back the board looks.
        late: the longest time from a trigger time to the start that is not late.
        server: where the board is served, and how often it asks.
        limits: limits of the session.
        as_json: True to print waits and errors as JSON objects.
    """

    query: FlowQuery
    last: timedelta
    late: timedelta
    server: ServerOptions
    limits: Limits
    as_json: bool = False

    @property
    def is_local(self) -> bool:
        """True if only this machine can reach the board."""
        host = self.server.host
        try:
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def shown_host(self) -> str:
        """The host as it stands in an address."""
        host = self.server.host
        return f"[{host}]" if ":" in host else host

    @property
    def hosts(self) -> tuple[str, ...] | None:
        """The names that requests may have as their ``Host``. None means all.

        A page of another site could have its name resolve to this machine (DNS rebinding).
        """
        return (*_LOCAL_NAMES, self.shown_host.lower()) if self.is_local else None

    def token(self) -> str:
        """Return the token that addresses of the board begin with. "" means that there is none.

        Raises:
            QueryError: the token in the environment is too easy to guess.
        """
        given = os.environ.get(_TOKEN, "")
        if given and not _TOKEN_FORM.fullmatch(given):
            raise QueryError(f"{_TOKEN} must have at least 16 letters, digits, - or _")
        return given or ("" if self.is_local else secrets.token_urlsafe(24))


async def board(connection: ConnectionOptions, job: BoardJob, console: Console) -> None:
    """Serve a board until the task is cancelled.

    Raises:
        QueryError: the board cannot listen, or an option is invalid.
    """
    async with _service(connection, job.limits, as_json=job.as_json) as (session, title):
        token = job.token()
        made = application(
            session,
            last=job.last,
            query=job.query,
            late=job.late,
            min_wait=board_duration(job.server.least, "--min-wait", "seconds"),
            max_wait=board_duration(job.server.most, "--max-wait", "seconds"),
            checkpoint=job.server.checkpoint,
            title=title,
            token=token,
            hosts=job.hosts,
        )
        async with serve(made, job.server.host, job.server.port) as port:
            address = f"http://{job.shown_host}:{port}/{token and token + '/'}"
            console.print(
                Text.assemble(("board of ", "bold"), f"{title} at ", (address, "bold cyan")), soft_wrap=True
            )
            console.print("until Ctrl-C")
            console.file.flush()  # a parent process may wait for the address on a pipe
            await made.ended()


@asynccontextmanager
async def _service(
    connection: ConnectionOptions, limits: Limits, *, as_json: bool
) -> AsyncIterator[tuple[FlowSession, str]]:
    """Open the session with the service, or with an emulated one if no service is named."""
    if _names_no_service(connection):
        # In a process of its own, which ends with this one. A thread starts it, so that Ctrl-C need not wait.
        emulator = await run_in_thread(EmulatorProcess(**_EMULATED).start)
        try:
            async with FlowSession(emulator.url, user_id="u", org_id="o", limits=limits) as session:
                yield session, "an emulated service"
        finally:
            await asyncio.to_thread(emulator.stop)
        return
    named = connection.resolved
    parts = urlsplit(named.url)
    title = f"{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')} as {named.user_id} of {named.org_id}"
    async with open_session(
        connection, limits, meter_of(None, None, quiet=False, as_json=as_json)
    ) as session:
        yield session, title


def _names_no_service(connection: ConnectionOptions) -> bool:
    given = (connection.url, connection.user_id, connection.org_id, connection.profile)
    return not any(given) and not os.environ.get("AIOFLOWS_URL")


def with_url(connection: ConnectionOptions, url: str | None) -> ConnectionOptions:
    """Return the options with an address that was given as an argument.

    Raises:
        QueryError: the option ``--url`` is another address.
    """
    if url is None:
        return connection
    if connection.url not in (None, url) and connection.profile is None:
        raise QueryError("the address and --url differ; remove one")
    return attrs.evolve(connection, url=url)


def board_duration(number: float, option: str, unit: str) -> timedelta:
    """Return the duration that a number of an option describes.

    Args:
        number: the number.
        option: the option, for an error.
        unit: "seconds" or "minutes".

    Raises:
        QueryError: the number is not above 0, or is too large.
    """
    try:
        found = timedelta(**{unit: number})
    except (OverflowError, ValueError):
        found = timedelta()
    if found <= timedelta():
        raise QueryError(f"{option} must be a number of {unit} above 0, not {number}")
    return found
