"""Answers as ASGI applications: NDJSON, server-sent events and Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aioflows.errors import AioflowsError
from aioflows.scan import FlowScan
from aioflows.web.bodies import BUFFER, ArrowBody, EventsBody, LinesBody, PageBody, Rows, StreamBody
from aioflows.web.cursor import CursorSigner
from aioflows.web.delivery import deliver, run_while
from aioflows.web.failures import ErrorAnswer
from aioflows.web.response_base import Receive, Response, Scope, Send

__all__ = ["NDJSON", "ArrowStream", "JSONPage", "ServerSentEvents", "StreamAnswer"]


class StreamAnswer(Response):
    """An answer that streams: an ASGI application, and a Starlette ``Response`` where Starlette is installed.

    It answers one request. The head waits for the first rows, so an error before them is a status of its own
    (see `ErrorAnswer`). After them, the client is told of an error, and the connection is cut. A client that
    leaves ends the scan at once, also before the first row.

    Args:
        body: the body.
        status_code: the HTTP status. Default: 200.
        headers: further headers.
    """

    def __init__(
        self, body: StreamBody, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status_code = status_code
        self.media_type = body.media_type
        self.background = None
        self.stream_body = body
        given = {name.lower(): text for name, text in (headers or {}).items()}
        self.init_headers({"content-type": body.media_type} | body.headers | given)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an HTTP request: an ASGI application.

        Raises:
            AioflowsError: the scan failed after rows were sent. The server then cuts the connection.
        """
        if scope["type"] != "http":
            raise RuntimeError(f"{type(self).__name__} answers HTTP requests, not {scope['type']!r}")
        begun = False

        async def begin() -> None:
            nonlocal begun
            begun = True
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )

        async def write(chunk: bytes) -> None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

        if scope["method"] == "HEAD":
            await self.stream_body.aclose()
            await begin()
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            stayed = await run_while(_left(receive), deliver(self.stream_body, begin, write))
        except AioflowsError as error:
            if begun:
                raise
            await ErrorAnswer(error)(scope, receive, send)
            return
        except OSError:  # ASGI 2.4: sending to a client that has gone
            return
        if stayed:
            await send({"type": "http.response.body", "body": b""})
            if self.background is not None:
                await self.background()


async def _left(receive: Receive) -> None:
    """Wait until the client has gone. It is called once: some servers take a cancelled call for that."""
    while (await receive())["type"] != "http.disconnect":
        pass


class NDJSON(StreamAnswer):
    """A scan or a follow as JSON lines (``application/x-ndjson``), one instance a line.

    An error after the first rows is a last line ``{"error": "...", "checkpoint": "..."}``. A complete answer
    ends as HTTP says: with the last chunk, or the end of the HTTP/2 stream.

    Args:
        rows: the scan or the follow. The answer closes it.
        complete: True for a last line ``{"complete":true,"rows":...}``, for clients that are not shown how the
            connection ends. Default: False.
        signer: signs the checkpoint in an error, which is then ``"cursor"``. Default: None.
        buffer: the greatest number of rows that a scan reads ahead of its client. None means that of its
            limits. Default: 500.
        status_code: the HTTP status. Default: 200.
        headers: further headers.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        complete: bool = False,
        signer: CursorSigner | None = None,
        buffer: int | None = BUFFER,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(LinesBody(rows, signer, buffer, complete=complete), status_code, headers)


class ServerSentEvents(StreamAnswer):
    """A follow or a scan as server-sent events (``text/event-stream``), for ``EventSource`` of browsers.

    The data of an event is an instance as JSON. Its id is a checkpoint: a browser that connects again sends the
    last one as ``Last-Event-ID``. Comments keep the connection alive. A complete answer ends with an event
    ``end``, at which the client should close its ``EventSource``. An error is an event ``error`` with
    ``{"error": "...", "checkpoint": "..."}``, and then the connection is cut.

    Args:
        rows: the follow or the scan. The answer closes it.
        signer: signs the ids, which are then cursors. Default: None.
        buffer: the greatest number of rows that a scan reads ahead of its client. None means that of its
            limits. Default: 500.
        status_code: the HTTP status. Default: 200.
        headers: further headers.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        signer: CursorSigner | None = None,
        buffer: int | None = BUFFER,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(EventsBody(rows, signer, buffer), status_code, headers)


class ArrowStream(StreamAnswer):
    """A scan or a follow as an Arrow IPC stream (``application/vnd.apache.arrow.stream``).

    All texts are plain, not dictionary-encoded. A complete answer ends with the end of the stream. After an
    error the stream breaks off inside a message, so every reader raises an error.

    Args:
        rows: the scan or the follow. The answer closes it.
        columns: the names of the columns, in this order. None means every column. Default: None.
        tasks: True for one row per task of an instance's graph. Default: False.
        buffer: the greatest number of rows that a scan reads ahead of its client. None means that of its
            limits. Default: 500.
        status_code: the HTTP status. Default: 200.
        headers: further headers.

    Raises:
        QueryError: a column is unknown, or pyarrow is not installed.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        columns: Iterable[str] | None = None,
        tasks: bool = False,
        buffer: int | None = BUFFER,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(ArrowBody(rows, None, buffer, columns=columns, tasks=tasks), status_code, headers)


class JSONPage(StreamAnswer):
    """A page as JSON: ``{"instances": [...], "next": "...", "from_ms": ..., "to_ms": ...}``.

    ``next`` is the cursor of the next page, or null after the last one. The next request sends it as
    ``cursor``, with the same query:

        query = query_from(params)
        resume = signer.checkpoint(params.get("cursor"), query)
        return JSONPage(session.scan(query, limit=limit_from(params), resume=resume), signer)

    The page is sent when it is whole, so an error is always a status of its own.

    Args:
        scan: the scan, with a limit. The answer closes it.
        signer: signs the cursor.
        headers: further headers.

    Raises:
        QueryError: the scan has no limit, or its order cannot be resumed.
    """

    def __init__(
        self, scan: FlowScan, signer: CursorSigner, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(PageBody(scan, signer), 200, headers)
