"""The messages of a board for all its clients: made once, and handed to each as fast as it reads."""

from __future__ import annotations

import asyncio
import gzip
import secrets

from aioflows._core.board.messages import message_json
from aioflows._core.board.numbered_changes import NumberedChanges
from aioflows._core.board.state import BoardState

__all__ = ["BoardHub"]

_LEVEL = 5
_REST_FACTOR = 5  # a text that takes a second to make serves for five seconds


class BoardHub:
    """The numbered messages of a board.

    An id of a message is that of the board and its number, so that a client of an earlier board is recognised.

    Args:
        state: the state of the board.
    """

    def __init__(self, state: BoardState) -> None:
        self._state = state
        self._changes = NumberedChanges()
        self._news = asyncio.Event()
        self._board = secrets.token_hex(4)
        self._messages: dict[int, bytes] = {}
        self._whole: tuple[int, bytes] | None = None
        self._fresh_until = 0.0
        self.closed = False
        """True if no change follows, so that streams end."""
        self._now_ms = 0

    def publish(self, now_ms: int) -> None:
        """Number the changes of the state, if there are any, and wake the clients.

        Args:
            now_ms: the present time of the service (ms since the epoch).
        """
        self._now_ms = now_ms
        changes = self._state.changes()
        if not changes:
            return
        self._changes.add(changes)
        self._messages.clear()
        self._news.set()
        self._news = asyncio.Event()

    def close(self) -> None:
        """End the streams of all clients."""
        self.closed = True
        self._news.set()

    def number(self, id: str) -> int:
        """Return the number in the id of a message. -1 means that it is of no message of this board."""
        board, _, number = id.partition("-")
        return int(number) if board == self._board and number.isdecimal() and len(number) < 15 else -1

    async def after(self, number: int) -> tuple[int, bytes] | None:
        """Wait for changes after a number. Return the last number and the changes as a server-sent event.

        None means that some of the changes were dropped, or that the board is closed.
        """
        while self._changes.last == number and not self.closed:
            await self._news.wait()
        if self.closed:
            return None
        changes = self._changes.since(number)
        if changes is None:
            return None
        last = self._changes.last
        message = self._messages.get(number)
        if message is None:
            data = message_json(changes, self._state.first_bin, now=self._now_ms)
            message = self._messages[number] = b"id: %s-%d\ndata: %s\n\n" % (
                self._board.encode(),
                last,
                data,
            )
        return last, message

    def whole(self) -> bytes:
        """Return the whole state as compressed JSON, with the id of its last change.

        An earlier text serves for a moment: the changes since then follow as events.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        whole, changes = self._whole, self._changes
        if (
            whole is None
            or not changes.reaches(whole[0])  # else its client would have to ask for the whole again
            or (whole[0] != changes.last and began > self._fresh_until)
        ):
            self.publish(self._now_ms)
            last, state = self._changes.last, self._state
            id = f"{self._board}-{last}"
            data = message_json(state.whole(), state.first_bin, id=id, bin_ms=state.bin_ms, now=self._now_ms)
            whole = self._whole = last, gzip.compress(data, _LEVEL, mtime=0)
            self._fresh_until = clock() + _REST_FACTOR * (clock() - began)
        return whole[1]
