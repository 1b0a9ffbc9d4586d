"""Limits on the length of a range that the service answers about.

Some services answer about the last 31 days of a longer range only, or return no rows for such a range. If a
filter matches few rows or none, such an answer looks complete. Two other kinds of requests show the limit:

1. The rows without the filters: the first and the last row of the range, and the rows before and behind these
   two (`cut_to`).
2. If the whole range has no rows: windows inside the range that are narrower than most known limits
   (`looks_into`). If such a window has rows, the empty answer was false. Requests around a row then find out
   how wide a window may be (`answered_width`).

Neither is a proof. At most two windows are requested inside a range, at its middle and at its end. They find
rows that come daily, and rows that fill half of the range. A burst of one day in a year is found only by
chance. To request each week of a year would cost 52 searches. See docs/algorithms/empty-answers.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from math import isqrt
from typing import TypeAlias

import attrs

from aioflows._core.pages.ordered_page import OrderedPage, PageReader
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows.errors import CompletenessError

__all__ = ["LEAST", "Reach", "answered_width", "cut_to", "looks_into"]

Reach: TypeAlias = Generator[PageRequest, "Page | None", "int | None"]
"""A script that yields requests and returns the longest range that is answered (milliseconds).

The script receives the page of each request, or None if the request failed.
"""

_WIDE = 0.05
"""The share of a range from which a stretch without rows is requested by itself."""

LEAST = 86_400_000
"""The shortest expected limit of a service (milliseconds)."""

_PLACES = ((6 * LEAST, 1, 2), (30 * LEAST, 1, 1))
"""Windows inside a range that was answered with no rows.

Each window has a maximum width (milliseconds). Its middle lies at a fraction of the range, as far as possible.
Known limits are a week, a month, or more. A wide window and the end of a range are more likely to have rows.
"""

_AGAIN = 2
"""How often the whole range is requested again, once a narrower window has rows. If every n-th answer is
false, one of two answers in a row is right."""

_CLOSE = 1.7
"""The search for the limit stops when a refused width is at most this factor larger than an answered one.

More requests would save few.
"""


def cut_to(ask: PageRequest, reader: PageReader) -> Reach:
    """Return the length of a window that the service answers about (milliseconds).

    None means that nothing shows a limit. 0 means that the window has no row without the filters.

    Args:
        ask: the request for the window.
        reader: the reader of answers.
    """
    width = ask.until - ask.first
    if width <= LEAST:
        return None
    row = attrs.evolve(ask, bare=True, page_size=1, backward=False, tries=2)
    seen: list[int] = []
    for backward in (False, True):
        one = attrs.evolve(row, backward=backward)
        page = yield one
        if page is None:
            return None
        if not page.ids and seen:
            return None  # the first look had a row, so this empty answer is no evidence
        if not page.ids:
            answered = yield from answered_width(row, reader, looks_into(row, (row.page_no, row.page_no)))
            return answered or 0
        try:
            seen.append(reader.read(one, page).first * 1000)
        except CompletenessError:
            return None  # the rows are only evidence, and not handed out
    first, until = seen[0], seen[1] + 1000
    for low, high in ((ask.first, first), (until, ask.until)):
        if high - low > _WIDE * width:
            page = yield attrs.evolve(row, first=low, until=high)
            if page is not None and page.ids:
                return max(until - first, LEAST)
    return None


def looks_into(ask: PageRequest, numbers: Sequence[int]) -> list[PageRequest]:
    """Return requests for narrower windows of a range, one for each page number.

    A range that is not longer than a day gets only one request.
    """
    width = ask.until - ask.first
    looks = []
    for number, (widest, share, shares) in zip(numbers, _PLACES, strict=False):
        wide = min(widest, width // 2) // 1000 * 1000
        share = shares - share if ask.axis.descending else share  # noqa: PLW2901
        first = (ask.first + width * share // shares - wide // 2) // 1000 * 1000
        first = max(ask.first, min(first, ask.until - wide))
        until = first + wide if wide else ask.until
        looks.append(
            attrs.evolve(
                ask, first=first, until=until, page_size=1, page_no=number, backward=False, tries=1
            )  # one attempt: a page number that does not exist may be answered with an error each time
        )
    return looks if width > LEAST else looks[:1]


def answered_width(ask: PageRequest, reader: PageReader, looks: Sequence[PageRequest]) -> Reach:
    """Return the longest window that the service answers about (milliseconds), after an empty answer.

    None means that narrower windows have no rows either. If the window has rows when it is requested again, its
    whole length is returned.

    Args:
        ask: the request for the empty window.
        reader: the reader of answers.
        looks: the requests for narrower windows.
    """
    for look in looks:
        reading = yield from _read(look, reader)
        if reading is None:
            continue
        if look.page_no == 1:  # page 1 may be the second page, which proves nothing
            other = attrs.evolve(look, page_no=0)
            first = yield from _read(other, reader)
            look, reading = (look, reading) if first is None else (other, first)  # noqa: PLW2901
        whole = attrs.evolve(look, first=ask.first, until=ask.until)
        for _ in range(_AGAIN):
            if (yield from _read(whole, reader)) is not None:
                return (
                    ask.until - ask.first
                )  # the empty answer was false, and the length of the window is not the cause
        row, answered, refused = reading.first * 1000, look.until - look.first, ask.until - ask.first
        while refused > _CLOSE * answered:
            width = isqrt(answered * refused) // 1000 * 1000
            if (yield from _shows(row, width, attrs.evolve(look, first=ask.first, until=ask.until), reader)):
                answered = width
            else:
                refused = width
        return answered
    return None


def _shows(
    row: int, width: int, ask: PageRequest, reader: PageReader
) -> Generator[PageRequest, Page | None, bool]:
    """Return True if windows of some width show a row at either of their ends.

    Args:
        row: the time of the row (milliseconds of scan time).
        width: the length of the windows (milliseconds).
        ask: the request for the whole range.
        reader: the reader of answers.
    """
    ahead = attrs.evolve(ask, first=row, until=row + width)
    back = attrs.evolve(ask, first=row + 1000 - width, until=row + 1000, backward=True)
    ways = [way for way in (ahead, back) if ask.first <= way.first and way.until <= ask.until]
    if not ways:
        first = min(max(ask.first, row - width // 2), ask.until - width)
        reading = yield from _read(attrs.evolve(ask, first=first, until=first + width), reader)
        return reading is not None
    for way in ways:
        reading = yield from _read(way, reader)
        if reading is None or row not in (reading.first * 1000, reading.last * 1000):
            return False
    return True


def _read(ask: PageRequest, reader: PageReader) -> Generator[PageRequest, Page | None, OrderedPage | None]:
    page = yield ask
    if page is None or not page.ids:
        return None
    try:
        return reader.read(ask, page)
    except CompletenessError:
        return None  # the rows are only evidence, and not handed out
