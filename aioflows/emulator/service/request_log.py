"""The log of searches, and the counters of requests."""

from __future__ import annotations

from collections import Counter, deque

import attrs

from aioflows.emulator.service.search import Search


@attrs.frozen(kw_only=True)
class SearchRecord:
    """A search that was received.

    If the request was not understood, all attributes between `at_ms` and `rows` are None or empty.

    Attributes:
        number: the number of the search, from 1.
        at_ms: the time at which the search came (ms since the epoch, by the emulator's clock).
        type: the schedule type.
        from_ms: the start of the window (ms since the epoch).
        to_ms: the end of the window (ms since the epoch), exclusive.
        status: the status codes.
        page_no: the page number.
        page_size: the page size.
        sorters: pairs of a field and True if it is descending.
        rows: the rows that were answered.
        outcome: "ok", "empty" (wrongly), the code of an error ("62102"), or the kind of a fault ("reset").
    """

    number: int
    at_ms: float
    type: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    status: tuple[int, ...] = ()
    page_no: int | None = None
    page_size: int | None = None
    sorters: tuple[tuple[str, bool], ...] = ()
    rows: int = 0
    outcome: str = "ok"


class Record:
    """The log and the counters of an emulator."""

    def __init__(self, keep: int) -> None:
        self.searches: deque[SearchRecord] = deque(maxlen=keep)
        self.requests: Counter[str] = Counter()
        self.rows_answered = 0
        self.in_flight = 0
        self.peak_in_flight = 0

    def begin(self) -> None:
        """Count a request as in flight."""
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def end(self) -> None:
        """Stop counting a request as in flight."""
        self.in_flight -= 1

    def note(self, number: int, at_ms: float, search: Search | None, rows: int, outcome: str) -> None:
        """Add a search to the log."""
        self.rows_answered += rows
        if search is None:
            record = SearchRecord(number=number, at_ms=at_ms, outcome=outcome)
        else:
            asked = search.filter
            record = SearchRecord(
                number=number,
                at_ms=at_ms,
                type=asked.type,
                from_ms=asked.from_ms,
                to_ms=asked.to_ms,
                status=asked.status,
                page_no=search.page_no,
                page_size=search.page_size,
                sorters=search.sorters,
                rows=rows,
                outcome=outcome,
            )
        self.searches.append(record)
