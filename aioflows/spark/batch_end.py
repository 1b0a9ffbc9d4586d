"""Where a batch of a stream ends, so that it has at most so many rows.

A page of one row with the number ``k`` shows the ``k``-th row of a schedule type, or the one after it where pages
count from 0. So at most ``k`` rows come before the second of that row, and at most ``k`` rows are there if
there is no such page. Nothing else is believed. If a row is not shown, the batch is only shorter or longer.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["batch_end", "first_pages", "further_pages"]

Shown = Mapping[tuple[int, int], int | None]
"""The time of a row (seconds since the epoch), or None, by the schedule type and the number of the page."""

_SHARES = (1 / 128, 1 / 32, 1 / 8, 1 / 4, 1 / 2, 3 / 4)
"""The shares of the limit at which a type is asked, where several have rows."""


def first_pages(limit: int, types: int) -> list[tuple[int, int]]:
    """Return the pages to ask for first: the first row of each type, and the row at which the limit is reached.

    Args:
        limit: the greatest number of rows.
        types: how many schedule types are read.
    """
    most = max(1, limit - (types - 1))
    return [(type, page) for type in range(types) for page in sorted({1, most})]


def further_pages(limit: int, types: int, shown: Shown) -> list[tuple[int, int]]:
    """Return the pages to ask for next. There are none if one type at most has rows, and its page was shown."""
    with_rows = [type for type in range(types) if shown.get((type, 1)) is not None]
    most = max(1, limit - (types - 1))
    if len(with_rows) < 2 and all((type, most) in shown for type in with_rows):
        return []
    pages = sorted({max(1, int(limit * share)) for share in _SHARES})
    return [(type, page) for type in with_rows for page in pages if (type, page) not in shown]


def batch_end(limit: int, begin: int, end: int, types: int, shown: Shown) -> int:
    """Return the end of a batch (seconds since the epoch): the latest before which there are not too many rows.

    A second is never cut, so a batch of one second may have more rows.

    Args:
        limit: the greatest number of rows.
        begin: the start of the batch (seconds since the epoch).
        end: the latest end.
        types: how many schedule types are read.
        shown: the rows that were shown. A page that was refused is left out.
    """
    times = {time for time in shown.values() if time is not None and begin < time < end} | {end}
    fitting = [time for time in times if _most_before(time, types, shown) <= limit]
    return max(fitting, default=min(begin + 1, end))


def _most_before(time: int, types: int, shown: Shown) -> float:
    """Return the greatest number of rows that may come before a time."""
    return sum(
        min(
            (page for (one, page), row in shown.items() if one == type and (row is None or row >= time)),
            default=float("inf"),
        )
        for type in range(types)
    )
