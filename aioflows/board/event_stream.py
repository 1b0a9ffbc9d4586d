"""The stream of server-sent events to one client."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import ClassVar

from aioflows.board.hub import BoardHub
from aioflows.board.page import SAFE_HEADERS
from aioflows.errors import AioflowsError
from aioflows.web.bodies import EventsBody, StreamBody

__all__ = ["BoardEvents"]

_PIECE = 65_536  # bytes that a server may hold for a client that does not read
_BEGIN = b"retry: 1000\n\n"  # ms until a browser connects again
_RESET = b"event: reset\ndata: {}\n\n"


class BoardEvents(StreamBody):
    """The changes of a board after a number, as server-sent events.

    The next event is made when the one before it was sent. So a slow client gets fewer events, each with all changes
    since the one before. A client that lacks changes that were dropped gets an event ``reset``, and then has to
    ask for the whole state.

    Args:
        hub: the messages of the board.
        number: the number of the last change that the client has. -1 means that it has none of this board.
    """

    media_type = EventsBody.media_type
    headers: ClassVar[dict[str, str]] = EventsBody.headers | SAFE_HEADERS
    keep_alive = EventsBody.keep_alive

    def __init__(self, hub: BoardHub, number: int) -> None:
        self._hub = hub
        self._number = number

    @property
    def patience(self) -> float | None:
        """The head of the answer is sent with the first chunk."""
        return None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the events, in pieces."""
        yield _BEGIN
        while (found := await self._hub.after(self._number)) is not None:
            self._number, event = found
            for start in range(0, len(event), _PIECE):
                yield event[start : start + _PIECE]
        if not self._hub.closed:
            yield _RESET

    def last_words(self, error: AioflowsError) -> bytes:  # noqa: ARG002  (no rows, so no error of rows)
        """Return nothing: the board itself tells of errors."""
        return b""

    async def aclose(self) -> None:
        """Do nothing: the follow belongs to all clients."""
