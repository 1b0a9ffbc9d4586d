"""Read-ahead: how far a scan reads ahead of its consumer."""

from __future__ import annotations

import math

import attrs

from aioflows._core.pages.page import Page

__all__ = ["BATCHES_BEFORE_ALL", "ReadAhead", "RowReserve", "RowsElsewhere"]

_LOOK_AHEAD = (1, 4)
"""The most requests under way before the consumer has asked for a second and a third batch.

So a consumer that stops within the first batch costs one request beyond that batch. From the third batch on,
all slots are used. An unordered scan uses all slots from the second batch on.
"""

BATCHES_BEFORE_ALL = len(_LOOK_AHEAD)
"""The batches after which everything is read ahead. Before, the consumer may stop after a few rows."""

_WEIGHT, _ROUNDS = 15_000_000, 2.5
"""The bytes of answers that may wait, and the rounds of requests that may wait although they have more bytes.

The buffer is a number of rows, and rows may be wide.
"""


class ReadAhead:
    """The limits on requests and rows that a scan may have ahead of its consumer.

    Args:
        buffer: rows to read ahead of the consumer, if they are not large.
        concurrency: requests that may be under way.
        ordered: True if rows are released in order.
    """

    def __init__(self, buffer: int, concurrency: int, *, ordered: bool) -> None:
        self._buffer = buffer
        self._concurrency = concurrency
        self._ordered = ordered
        self._bytes = 0
        self._handed_out = False
        self.rows_received = 0
        """Rows in all answers."""
        self.batches = 0
        """The number of batches after which the consumer asked for more rows."""
        self.unlimited = False
        """True after `BATCHES_BEFORE_ALL` batches: all slots are used."""

    def received(self, page: Page) -> None:
        """Count the rows of an answer, and their bytes."""
        self.rows_received += len(page.ids)
        self._bytes += page.size

    def handed_out(self) -> None:
        """Note that the consumer got a batch."""
        self._handed_out = True

    def asked_for_more(self) -> None:
        """Note that the consumer asks for rows, which means that it took the last batch."""
        if self._handed_out:
            self._handed_out = False
            self.batches += 1
            self.unlimited = self.batches >= BATCHES_BEFORE_ALL

    def slots(self, free: int, under_way: int, *, stuck: bool, zone_checked: bool) -> int:
        """Return how many requests may be started.

        Args:
            free: the number of free slots.
            under_way: the number of requests under way.
            stuck: True if a full page has come and proved nothing.
            zone_checked: True if the rows handed out last had to wait for the check of the zone.
        """
        if self.unlimited or (self.batches and not self._ordered):
            return free
        most = max(_LOOK_AHEAD[self.batches], 2 if stuck else 0)
        # The check of the zone already sent one request more than the first batch needs.
        most -= zone_checked and self._handed_out and not self.batches
        return min(free, most - under_way)

    def room(self, page_size: int) -> float:
        """Return the number of rows that may wait: the buffer, or fewer if the rows are large."""
        rows = _WEIGHT * self.rows_received / self._bytes if self._bytes else math.inf
        return min(self._buffer, max(rows, _ROUNDS * self._concurrency * page_size))

    def most(self, page_size: int) -> float:
        """Return the number of rows that may wait or come.

        It is a quarter more than the number that may wait, or one round of requests more if that is less.
        """
        room = self.room(page_size)
        return room + min(room / 4, self._concurrency * page_size)


@attrs.frozen
class RowsElsewhere:
    """The rows of the buffer that the rest of a merged scan uses.

    Args:
        held: rows that other partitions hold. Default: 0.
        reserved: rows that the consumer got last, and rows that requests of other partitions may bring. Default: 0.
        must: True if the consumer waits and no request is under way, so that one request is sent although the
            buffer has no room for it. None means that the partition is alone, and decides this itself. Default: None.
        first: True if no partition is farther behind. Default: True.
        partitions: the number of other partitions that are not read to their ends. Each of them may be the one that
            the consumer waits for next. Default: 0.
    """

    held: int = 0
    reserved: int = 0
    must: bool | None = None
    first: bool = True
    partitions: int = 0


@attrs.define
class RowReserve:
    """The rows that are reserved before requests are started, since every request brings its rows some time.

    1. All rows together stay under `most`: rows that wait, rows that the consumer got last, and rows that may come.
    2. The last part of it, a page at least, is for requests near the first gap of the partition that is farthest
       behind. Only rows of that gap free the rows behind it.
    3. A page of each other partition is left free, since the consumer may wait for it next.

    Args:
        room: rows that may wait.
        most: rows that may wait or come.
        page: the rows of a request.
        taken: rows that wait or may come now.
        must: True if one request is started whatever the room.
        first: True if no other partition is farther behind.
    """

    room: float
    most: float
    page: int
    taken: float
    must: bool
    first: bool

    @property
    def _far(self) -> float:
        """Rows in all at which only requests near the first gap may be started."""
        return max(min(self.room, self.most - self.page), self.most - 2 * self.page)

    def fits(self, rows: int) -> bool:
        """Return True if another request may be started, which may bring at least so many rows."""
        limit = self.most if self.first else self._far
        return self.must or self.taken + max(rows, self.page) <= limit

    def start(self, rows: int) -> None:
        """Reserve the rows of a request."""
        self.taken += rows
        self.must = False

    @property
    def share(self) -> float:
        """The part of the buffer, from its start, in which another request may begin: from 0 to 1."""
        far, after = self._far, self.taken + self.page
        if self.must or after <= far:
            return 1.0
        return max(0.0, (self.most - after) / (self.most - far))
