"""What the emulator was asked: a log of searches, counters, and what was under way."""

from __future__ import annotations

from collections import Counter, deque

import attrs

from aioflows.emulator.service.search import Search


@attrs.frozen(kw_only=True)
class SearchRecord:
    """One search that was received.

    Attributes:
        number: its number, from 1.
        at_ms: when it came, as the emulator was told.
        type: the schedule type asked for; like all that follows None or empty if the request was not understood.
        from_ms: the window's start.
        to_ms: the window's end.
        status: the status codes asked for.
        page_no: as asked for.
        page_size: as asked for.
        sorters: field and whether it is descending.
        rows: how many rows were answered.
        outcome: "ok", "empty" (falsely), the code of an error ("62102"), or the kind of a fault ("reset").
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
    """The log and the counters of one emulator."""

    def __init__(self, keep: int) -> None:
        self.searches: deque[SearchRecord] = deque(maxlen=keep)
        self.requests: Counter[str] = Counter()
        self.rows_answered = 0
        self.in_flight = 0
        self.peak_in_flight = 0

    def begin(self) -> None:
        """Count a request that is under way."""
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def end(self) -> None:
        """Count it no longer."""
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
