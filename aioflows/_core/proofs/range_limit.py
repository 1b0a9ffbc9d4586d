"""How long a range the service answers about, where what is asked for matches too little to show it.

Services cut long ranges without a word, to the last 31 days of them, say, or answer them with nothing at all. A filter that
matches nothing, or a few rows at one end, shows the same then as where there is no more. Other questions tell:

1. The rows of everybody, that is without the filters: the first row and the last one of the range, and those of what lies
   before and behind them (`cut_to`).
2. Where the whole range is answered with nothing, windows inside it that are narrower than any limit that is reckoned with, or
   than most (`looks_into`). One of them that has rows contradicts the answer about the whole, and how wide a window may be is
   found out around such a row then (`answered_width`).

Neither shows all. The looks of 2 are two at most, at the middle and at the end, so rows are found that lie dense there: a row a
day suffices, half of the range with rows and half without does. A burst of one day in a year is found only if a look happens to
hit it, or if the whole range is not answered with nothing; to ask for each week of a year would cost 52 searches where there is nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from math import isqrt
from typing import TypeAlias

import attrs

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.reading import OrderedPage, Page, PageReader, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.planning.gaps import Gaps
from aioflows.errors import CompletenessError

__all__ = ["LEAST", "Reach", "answered_width", "cut_to", "in_parts", "looks_into"]

Reach: TypeAlias = Generator[PageRequest, "Page | None", "int | None"]
"""It yields a request, is sent its page, or None where that failed, and returns the milliseconds that a range is cut to."""

_MOST_PARTS = 128
"""Windows that one stretch is asked about by, at most, if it is not known how wide they may be."""

_WIDE = 0.05
"""The share of a range from which a stretch without any row is asked about by itself."""

LEAST = 86_400_000
"""Milliseconds; no service is reckoned with that cuts ranges to less than a day."""

_PLACES = ((6 * LEAST, 1, 2), (30 * LEAST, 1, 1))
"""Looks into a range that was answered with nothing: how wide they are at most, and where in the range their middle lies, if they
fit there. Limits are a week, a month, or more; what is wider is likelier to have rows in it, and so is the end of a range."""

_AGAIN = 2
"""How often the whole range is asked about again, once a narrower window has rows: a service that lies now and then tells the
truth to one of two questions that follow each other."""

_CLOSE = 1.7
"""How many times wider than one that is answered about a window may be that is not: more looks would save few requests."""


def cut_to(ask: PageRequest, reader: PageReader) -> Reach:
    """Find out whether the window of a request was answered in part only; None: nothing shows that; 0: nobody has a row there.

    Args:
        ask: the request.
        reader: reads answers.
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
            return None  # it has said the opposite a moment ago
        if not page.ids:
            answered = yield from answered_width(row, reader, looks_into(row, (row.page_no, row.page_no)))
            return answered or 0
        try:
            seen.append(reader.read(one, page).first * 1000)
        except CompletenessError:
            return None  # the rows of others are not what is to be read
    first, until = seen[0], seen[1] + 1000
    for low, high in ((ask.first, first), (until, ask.until)):
        if high - low > _WIDE * width:
            page = yield attrs.evolve(row, first=low, until=high)
            if page is not None and page.ids:
                return max(until - first, LEAST)
    return None


def looks_into(ask: PageRequest, numbers: Sequence[int]) -> list[PageRequest]:
    """Return requests for narrower windows of a range, one for each page number; one alone where that is no longer than a day."""
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
            )  # a number that is no page's may be answered with an error each time
        )
    return looks if width > LEAST else looks[:1]


def answered_width(ask: PageRequest, reader: PageReader, looks: Sequence[PageRequest]) -> Reach:
    """Find out how long windows may be, where one was answered with nothing; None: narrower ones show nothing either.

    It is all of that window, if that is answered with rows when it is asked for again.

    Args:
        ask: the request for that window.
        reader: reads answers.
        looks: the requests for narrower ones.
    """
    for look in looks:
        reading = yield from _read(look, reader)
        if reading is None:
            continue
        if look.page_no == 1:  # a second page may have been asked for
            other = attrs.evolve(look, page_no=0)
            first = yield from _read(other, reader)
            look, reading = (look, reading) if first is None else (other, first)  # noqa: PLW2901
        whole = attrs.evolve(look, first=ask.first, until=ask.until)
        for _ in range(_AGAIN):
            if (yield from _read(whole, reader)) is not None:
                return (
                    ask.until - ask.first
                )  # that there is nothing was false, and not said of so long a window only
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
    """Find out whether windows of some width show a row (*milliseconds* of scan time) at either of their ends."""
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
        return None  # the rows of others are not what is to be read


def in_parts(
    gaps: Gaps,
    first: int,
    until: int,
    evidence: ScanEvidence,
    service: ServiceFacts,
    width: int | None = None,
) -> None:
    """Cut a stretch into windows no wider than the service was seen to look, and have them asked about one by one.

    Args:
        gaps: what is not proven yet.
        first: *milliseconds* of scan time, where the stretch starts.
        until: *milliseconds* of scan time, where it ends.
        evidence: what this scan was shown.
        service: what the session knows of the service.
        width: the *milliseconds* that windows may span, if that was found out; None: as far as was seen.
    """
    if width is None:
        width = max(evidence.seen, (until - first) // _MOST_PARTS)
    else:
        evidence.shown(width)
    seen = max(1000, width // 1000 * 1000)
    service.cuts_to(seen)
    for cut in range(first // 1000 * 1000 + seen, until, seen):
        for gap in gaps.within(cut - 1, cut + 1):
            if gap.first < cut < gap.until:
                gaps.split(gap, cut)
    for gap in gaps.within(first, until):
        gap.halvings = max(1, gap.halvings)
