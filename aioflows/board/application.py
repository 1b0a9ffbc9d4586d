"""A board as an application: for ASGI as it is, and for aiohttp.web by `BoardApplication.aiohttp_application`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from aioflows.board.answers import BoardAnswers, WholeAnswer
from aioflows.board.feed import BoardFeed
from aioflows.board.instance_details import InstanceDetails
from aioflows.board.settings import BoardSettings
from aioflows.errors import QueryError
from aioflows.query import FlowQuery
from aioflows.session import FlowSession
from aioflows.web.answers import StreamAnswer
from aioflows.web.response_base import Receive, Scope, Send

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["BoardApplication", "application"]


class BoardApplication:
    """A board as an ASGI application, for instance for ``app.mount("/board", application(session))``.

    Its work begins with the first request, with the start-up event of ASGI, or with `start`. It ends with `aclose`, or
    when the session is closed. All clients share one follow.

    `application` makes it.
    """

    def __init__(self, session: FlowSession, settings: BoardSettings) -> None:
        self._session = session
        self._feed = BoardFeed(session, settings)
        self._details = InstanceDetails(session)
        self._answers = BoardAnswers(self._feed, self._details, settings)
        self._work: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def start(self) -> None:
        """Begin to read, if that has not begun. Safe to call more than once.

        Raises:
            RuntimeError: no event loop runs.
        """
        if self._work is None:
            self._work = asyncio.create_task(self._feed.run())

    async def aclose(self) -> None:
        """End the work of the board and the streams of its clients, and save its checkpoint. Safe to call more than once.

        Raises:
            SinkError: the checkpoint cannot be written.
        """
        self._feed.hub.close()
        work = self._work
        if work is None:
            return
        work.cancel()
        await asyncio.wait({work})
        await self._details.aclose()
        if not work.cancelled():
            work.result()

    async def ended(self) -> None:
        """Begin to read, and wait until that has ended: by `aclose`, by a closed session, or by an error.

        Raises:
            Exception: the error that ended it.
        """
        self.start()
        assert self._work is not None
        await asyncio.wait({self._work})
        if not self._work.cancelled():
            self._work.result()

    async def respond(
        self, method: str, path: str, query: str, headers: Mapping[str, str]
    ) -> WholeAnswer | StreamAnswer:
        """Return the answer to a request.

        Args:
            method: the HTTP method.
            path: the path below the board.
            query: the query string.
            headers: the headers, by their names in small letters.
        """
        self.start()
        return await self._answers.answer(method, path, query, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or an event of the server's life: an ASGI application."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"a board answers HTTP requests, not {scope['type']!r}")
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        query = scope.get("query_string", b"").decode("latin-1")
        answer = await self.respond(scope["method"], _path(scope), query, headers)
        if isinstance(answer, StreamAnswer):
            await answer(scope, receive, send)
            return
        body = b"" if scope["method"] == "HEAD" else answer.body
        pairs = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        pairs.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    async def _live(self, receive: Receive, send: Send) -> None:
        """Begin and end with the server: https://asgi.readthedocs.io/en/latest/specs/lifespan.html"""
        while True:
            event = (await receive())["type"]
            if event == "lifespan.startup":
                self.start()
            else:
                await self.aclose()
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return

    def aiohttp_application(self) -> web.Application:
        """Return the board as an application of aiohttp.web, for ``app.add_subapp("/board/", ...)``.

        Its shutdown ends the work of the board.
        """
        from aioflows.board.aiohttp_application import aiohttp_application  # noqa: PLC0415  (who uses ASGI needs no server)

        return aiohttp_application(self)


def application(
    session: FlowSession,
    *,
    last: timedelta = timedelta(hours=24),
    query: FlowQuery | None = None,
    late: timedelta = timedelta(minutes=10),
    min_wait: timedelta = timedelta(seconds=2),
    max_wait: timedelta = timedelta(seconds=10),
    checkpoint: str | os.PathLike[str] | None = None,
    title: str = "",
    token: str = "",
    hosts: Sequence[str] | None = None,
) -> BoardApplication:
    """Return a live board of a service, as an ASGI application.

    Nothing is sent before the first request. The board opens the session if that is not open, and does not close it. Whoever mounts the board decides who
    may see it.

    Args:
        session: the session.
        last: how far back the board looks: 10 minutes to 31 days. Default: 24 hours.
        query: its type, owner and expression select the instances. Its range and its order are not used. Default:
            None, which means all instances.
        late: the longest time from a trigger time to the start that is not late. Default: 10 minutes.
        min_wait: the shortest wait between two polls. Default: 2 seconds.
        max_wait: the longest wait between two polls. Default: 10 seconds.
        checkpoint: a file from which the board goes on after a restart. Default: None.
        title: the name of the service on the page. A checkpoint belongs to a title. Default: "".
        token: a text with which each path has to begin. Default: "", which means that none is asked for.
        hosts: the names that requests may have as their ``Host``. Default: None, which means all.

    Raises:
        QueryError: a value is invalid, or the file is not a checkpoint of this board.
    """
    if not isinstance(session, FlowSession):
        raise QueryError(f"application() takes a FlowSession, not {session!r:.200}")
    given: dict[str, Any] = {
        "last": last,
        "query": query,
        "late": late,
        "min_wait": min_wait,
        "max_wait": max_wait,
        "checkpoint": checkpoint,
        "title": title,
        "token": token,
        "hosts": hosts,
    }
    return BoardApplication(session, BoardSettings(**given))


def _path(scope: Scope) -> str:
    """Return the path below the place where the application is mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(root) else path
