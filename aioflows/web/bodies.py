"""The bodies of answers: the rows of a scan or of a follow as chunks of bytes.

1. A chunk is made when the one before it was sent, so a slow client slows the scan.
2. A chunk holds at most `_ROWS` rows, or a little more than `_LINES` bytes, so little waits in the buffers of a server.
3. `StreamBody.last_words` follows the rows if an error ends them, and then the connection is cut. So no client
   takes a part for the whole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from asyncio import to_thread
from collections.abc import AsyncGenerator, Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

from aioflows._extras import require_extra
from aioflows._tables.columns import Kind, Layout
from aioflows._tables.json_lines import line_encoder
from aioflows._tables.raw_rows import encoded_rows
from aioflows.arrow import arrow_schema, is_imported, pyarrow, text_batch
from aioflows.checkpoint import Checkpoint, FollowCheckpoint
from aioflows.errors import AioflowsError, QueryError, Throttled
from aioflows.follow import FlowFollow
from aioflows.models import FlowInstance
from aioflows.scan import FlowScan
from aioflows.web.cursor import CursorSigner
from aioflows.web.failures import json_bytes, reason

__all__ = ["BUFFER", "KEEP_ALIVE", "ArrowBody", "EventsBody", "LinesBody", "PageBody", "Rows", "StreamBody"]

Rows: TypeAlias = FlowScan | FlowFollow

BUFFER = 500
"""The rows that a scan behind an answer reads ahead of its client."""
KEEP_ALIVE = 15.0  # seconds: https://html.spec.whatwg.org/multipage/server-sent-events.html (9.2.7)
_ROWS = 100  # about 100 kB
_LINES = 100_000  # bytes
_LONGEST_ID = 7_500  # characters: servers accept headers of 8 kB, and the id comes back as one
_FOLLOW_PATIENCE = 1.0  # seconds

_encoder = line_encoder()
_encode_lines, _convert_lines = _encoder.encode, encoded_rows(_encoder.convert)


class StreamBody(ABC):
    """The body of an answer.

    Args:
        rows: the scan or the follow. The body closes it.
        signer: signs the checkpoints that clients get. None means that they are not signed.
        buffer: the greatest number of rows that a scan reads ahead. None means that of its limits.
    """

    media_type: ClassVar[str]
    headers: ClassVar[dict[str, str]] = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    keep_alive: ClassVar[bytes | None] = None
    """The bytes to send while there is nothing else. None means that nothing is sent."""

    def __init__(self, rows: Rows, signer: CursorSigner | None, buffer: int | None) -> None:
        if not isinstance(rows, (FlowScan, FlowFollow)):
            raise QueryError(f"an answer is made from session.scan(...) or session.follow(...), not {rows!r}")
        if isinstance(rows, FlowScan) and buffer is not None:
            rows.reader.read_ahead_at_most(buffer)
        self.rows = rows
        self._signer = signer
        self._count = 0

    @property
    def patience(self) -> float | None:
        """The longest wait for the first rows before the head of the answer is sent (seconds).

        None means that the head waits for them. A follow may have its first instance tomorrow.
        """
        return _FOLLOW_PATIENCE if isinstance(self.rows, FlowFollow) else None

    @abstractmethod
    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the chunks of the body, and its end if it has one."""

    @abstractmethod
    def last_words(self, error: AioflowsError) -> bytes:
        """Return the bytes that tell a client of an error."""

    async def aclose(self) -> None:
        """Close the scan or the follow."""
        await self.rows.aclose()

    async def _next_rows(self) -> list[FlowInstance]:
        """Return the next rows of a chunk. An empty list means that there are no more."""
        try:
            if isinstance(self.rows, FlowScan):
                rows = await self.rows.reader.next_page(_ROWS)
            else:
                await self.rows.reader.refill()
                rows = [self.rows.reader.take() for _ in range(min(_ROWS, self.rows.reader.ready))]
        except StopAsyncIteration:
            return []
        self._count += len(rows)
        return rows

    def _mark(self, checkpoint: Checkpoint | FollowCheckpoint) -> str:
        return checkpoint.to_json() if self._signer is None else self._signer.cursor(checkpoint)

    def _told(self, error: AioflowsError) -> dict[str, object]:
        """Return the reason of an error, with the checkpoint to resume from."""
        checkpoint = error.followed or error.checkpoint
        if checkpoint is None:
            return reason(error)
        return reason(error) | {"checkpoint" if self._signer is None else "cursor": self._mark(checkpoint)}


class LinesBody(StreamBody):
    """JSON lines, one instance a line.

    Args:
        complete: True for a last line ``{"complete":true,"rows":...}`` after the rows.
    """

    media_type = "application/x-ndjson"

    def __init__(
        self, rows: Rows, signer: CursorSigner | None, buffer: int | None, *, complete: bool = False
    ) -> None:
        super().__init__(rows, signer, buffer)
        self._complete = complete

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        while lines := await self._next_lines():
            start = 0
            while start < len(lines):
                end = lines.find(b"\n", start + _LINES) + 1 or len(lines)
                yield lines[start:end]
                start = end
        if self._complete:
            yield json_bytes({"complete": True, "rows": self._count}) + b"\n"

    async def _next_lines(self) -> bytes:
        """Return the next lines. No bytes mean that there are no more."""
        if not isinstance(self.rows, FlowScan):
            return _encode_lines(await self._next_rows())
        try:
            rows = await self.rows.reader.next_as(_convert_lines, _ROWS)
        except StopAsyncIteration:
            return b""
        self._count += len(rows)
        lines: bytes = _encode_lines(rows) if isinstance(rows, list) else rows.chunk
        return lines

    def last_words(self, error: AioflowsError) -> bytes:
        return json_bytes(self._told(error)) + b"\n"


class EventsBody(StreamBody):
    """Server-sent events, one instance an event.

    https://html.spec.whatwg.org/multipage/server-sent-events.html (9.2.5)

    The data is a line of ASCII, so it cannot hold a line end, which would end the event. The id of an event is
    the checkpoint behind it. An id that a browser could not send back as ``Last-Event-ID`` is left out. A client
    then resumes from the id before it, and gets some instances again.
    """

    media_type = "text/event-stream"
    headers: ClassVar[dict[str, str]] = StreamBody.headers | {"x-accel-buffering": "no"}  # for nginx
    keep_alive = b": keep-alive\n\n"

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        while events := await self._next_events():
            yield events
        yield self._id() + b"event: end\ndata: " + json_bytes({"rows": self._count}) + b"\n\n"

    async def _next_events(self) -> bytes:
        if isinstance(self.rows, FlowScan):
            rows = await self._next_rows()
            return self._events(rows, [b""] * (len(rows) - 1) + [self._id()]) if rows else b""
        reader = self.rows.reader
        try:
            await reader.refill()
        except StopAsyncIteration:
            return b""
        rows, ids = [], []
        # A checkpoint for each row of a large batch would cost the square of its length.
        step = -(-reader.ready // _ROWS)
        for number in range(1, min(_ROWS, reader.ready) + 1):
            rows.append(reader.take())
            ids.append(self._id() if not number % step or not reader.ready else b"")
        self._count += len(rows)
        return self._events(rows, ids)

    def _id(self) -> bytes:
        mark = self._mark(self.rows.checkpoint())
        return b"" if len(mark) > _LONGEST_ID else b"id: %s\n" % mark.encode("ascii")

    @staticmethod
    def _events(rows: Sequence[FlowInstance], ids: Iterable[bytes]) -> bytes:
        lines = _encode_lines(rows).split(b"\n")
        return b"".join([b"%sdata: %s\n\n" % one for one in zip(ids, lines, strict=False)])

    def last_words(self, error: AioflowsError) -> bytes:
        again = b""
        if isinstance(error, Throttled) and error.retry_after is not None:
            again = b"retry: %d\n" % (error.retry_after * 1000)
        return again + b"event: error\ndata: " + json_bytes(self._told(error)) + b"\n\n"


class ArrowBody(StreamBody):
    """An Arrow IPC stream, whose texts are plain, so that each batch can be read without those before it.

    https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format

    Args:
        columns: the names of the columns. None means every column.
        tasks: True for one row per task.

    Raises:
        QueryError: a column is unknown, or pyarrow is not installed.
    """

    media_type = "application/vnd.apache.arrow.stream"

    _END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
    # The head of a message that never comes: a reader takes an end between two messages for the end of the stream.
    _TORN = b"\xff\xff\xff\xff\x08\x00\x00\x00"

    def __init__(
        self,
        rows: Rows,
        signer: CursorSigner | None,
        buffer: int | None,
        *,
        columns: Iterable[str] | None = None,
        tasks: bool = False,
    ) -> None:
        super().__init__(rows, signer, buffer)
        self._layout = Layout(columns, tasks=tasks)
        require_extra("pyarrow")
        if isinstance(rows, FlowScan):
            self._batches = rows.record_batches(self._layout.names, tasks=tasks)

    @cached_property
    def _schema(self) -> Any:
        text = pyarrow().string()
        fields = zip(self._layout.columns, arrow_schema(self._layout), strict=True)
        return pyarrow().schema(
            [field.with_type(text) if column.kind is Kind.NAME else field for column, field in fields]
        )

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        if not is_imported():  # the event loop goes on meanwhile
            await to_thread(pyarrow)
        head = self._schema.serialize().to_pybytes()
        while (batch := await self._batch()) is not None:
            for start in range(0, batch.num_rows, _ROWS):
                yield head + batch.slice(start, _ROWS).serialize().to_pybytes()
                head = b""
        yield head + self._END

    async def _batch(self) -> Any:
        if isinstance(self.rows, FlowFollow):
            rows = await self._next_rows()
            batch = text_batch(self._layout, rows) if rows else None
        else:
            batch = await anext(self._batches, None)
        if batch is None:
            return None
        is_name = pyarrow().types.is_dictionary
        arrays = [array.dictionary_decode() if is_name(array.type) else array for array in batch.columns]
        return pyarrow().RecordBatch.from_arrays(arrays, schema=self._schema)

    def last_words(self, error: AioflowsError) -> bytes:  # noqa: ARG002  (Arrow has no place for it)
        return self._TORN


class PageBody(StreamBody):
    """A page: a JSON object with instances and the cursor of the next page. It is sent when it is whole."""

    media_type = "application/json"

    def __init__(self, rows: FlowScan, signer: CursorSigner) -> None:
        super().__init__(rows, signer, BUFFER)
        if not isinstance(rows, FlowScan) or not rows.reader.handout.limited:
            raise QueryError("a page is made from a scan with a limit: session.scan(query, limit=100)")
        if "update_time" in dict(rows.query.sorters):
            raise QueryError(
                "a scan by update_time cannot be resumed, so it has no pages; choose another order"
            )
        self._scan = rows

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        parts = []
        while rows := await self._next_rows():
            parts.append(_encode_lines(rows)[:-1].replace(b"\n", b","))
        checkpoint, query = self._scan.checkpoint(), self._scan.query
        cursor = self._mark(checkpoint) if checkpoint.remaining else None
        end = json_bytes({"next": cursor, "from_ms": query.from_ms, "to_ms": query.to_ms})
        yield b'{"instances":[' + b",".join(parts) + b"]," + end[1:]

    def last_words(self, error: AioflowsError) -> bytes:
        return json_bytes(reason(error))
