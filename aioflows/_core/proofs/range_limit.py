"""Whether the service answers about all of a long range, where what is asked for matches too little to show it.

Services cut long ranges without a word, to the last 31 days of them, say. A filter that matches nothing, or a few rows at
one end, shows the same then as where there is no more. The rows of everybody show it: without the filters, the first
row and the last one of the range, and those of what lies before and behind them.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias

import attrs

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.reading import Page, PageReader, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.planning.gaps import Gaps
from aioflows.errors import CompletenessError

__all__ = ["Reach", "cut_to", "in_parts"]

Reach: TypeAlias = Generator[PageRequest, "Page | None", "int | None"]
"""It yields a request, is sent its page, or None where that failed, and returns the milliseconds that a range is cut to."""

_MOST_PARTS = 128
"""Windows that one stretch is asked about by, at most."""

_WIDE = 0.05
"""The share of a range from which a stretch without any row is asked about by itself."""

_LEAST = 86_400_000
"""Milliseconds; no service is reckoned with that cuts ranges to less than a day."""


def cut_to(ask: PageRequest, reader: PageReader) -> Reach:
    """Find out whether the window of a request was answered in part only; None: nothing shows that.

    Args:
        ask: the request.
        reader: reads answers.
    """
    width = ask.until - ask.first
    if width <= _LEAST:
        return None
    row = attrs.evolve(ask, bare=True, page_size=1, backward=False, tries=2)
    seen = []
    for backward in (False, True):
        one = attrs.evolve(row, backward=backward)
        page = yield one
        if page is None or not page.ids:
            return None
        try:
            seen.append(reader.read(one, page).first * 1000)
        except CompletenessError:
            return None  # the rows of others are not what is to be read
    first, until = seen[0], seen[1] + 1000
    for low, high in ((ask.first, first), (until, ask.until)):
        if high - low > _WIDE * width:
            page = yield attrs.evolve(row, first=low, until=high)
            if page is not None and page.ids:
                return max(until - first, _LEAST)
    return None


def in_parts(gaps: Gaps, first: int, until: int, evidence: ScanEvidence, service: ServiceFacts) -> None:
    """Cut a stretch into windows no wider than the service was seen to look, and have them asked about one by one."""
    seen = max(evidence.seen, (until - first) // _MOST_PARTS) // 1000 * 1000
    service.cuts_to(seen)
    for cut in range(first // 1000 * 1000 + seen, until, seen):
        for gap in gaps.within(cut - 1, cut + 1):
            if gap.first < cut < gap.until:
                gaps.split(gap, cut)
    for gap in gaps.within(first, until):
        gap.halvings = max(1, gap.halvings)
