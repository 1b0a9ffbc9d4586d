"""Read-ahead: how far a scan reads ahead of its consumer."""

from __future__ import annotations

import math

from aioflows._core.pages.page import Page

__all__ = ["BATCHES_BEFORE_ALL", "ReadAhead"]

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
