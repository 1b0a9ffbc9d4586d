"""The seconds of a scan that hold more rows than a page: their gaps, and the proof of their answers.

`aioflows._core.dense_second` decides how such a second is read.
"""

from __future__ import annotations

import attrs

from aioflows._core.dense_second.dense_second import DenseSecond
from aioflows._core.dense_second.instant import Instant
from aioflows._core.pages.first_page import refusal, unreadable
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.service_facts import LARGEST_PAGE
from aioflows._core.planning.gaps import Anchor, Gap, Gaps
from aioflows._core.planning.keyset_state import KeysetState
from aioflows._core.planning.reorder_buffer import ProvenRun
from aioflows.errors import AioflowsError, CompletenessError
from aioflows.stats import Proof

__all__ = ["DenseSeconds", "instants_of"]


class DenseSeconds:
    """The dense seconds of one scan."""

    def __init__(self, state: KeysetState) -> None:
        self._state = state
        self._frontier, self._gaps, self._service = state.frontier, state.gaps, state.service
        self._restarted = False

    def open(self, gap: Gap, anchor: Anchor, page: Page) -> None:
        """Begin to read a second that does not fit a page.

        Args:
            gap: a gap that contains the second, or the rest of it.
            anchor: the rows of the second that a page showed.
            page: the page.
        """
        second, options = anchor.second, self._state.options
        low, high = max(gap.first, second * 1000), min(gap.until, second * 1000 + 1000)
        if gap.first < low:
            gap = self._gaps.split(gap, low)
        if high < gap.until:
            self._gaps.split(gap, high)
        gap.dense = DenseSecond(
            instants_of(self._gaps, gap, anchor.ask.axis, self._service.reach),
            LARGEST_PAGE if self._service.larger_pages else self._state.page_size,
            self._service,
            self._state.evidence,
            (self._frontier.spans[0][0], self._frontier.spans[-1][1]),
            self._state.reader,
            page,
            backward=anchor.ask.backward,
            splits=options.splits,
        )

    def received(
        self, gap: Gap, ask: PageRequest, answer: Page | AioflowsError
    ) -> tuple[Instant, Page] | None:
        """Process an answer about a dense second.

        Once the second was read, return its instant and the page that reached beyond the second. Return None
        if there is no such page.
        """
        dense = gap.dense
        if not isinstance(dense, DenseSecond) or gap not in self._gaps:
            return None
        try:
            if isinstance(answer, AioflowsError):
                if self._too_large(ask, answer):
                    gap.dense = None  # the planner requests the gap again, with smaller pages
                    return None
                if not (dense.failed(ask) or (refusal(answer) and dense.refused(ask))):
                    raise dense.too_deep(ask, answer) from answer
            else:
                dense.received(ask, answer)
        except AioflowsError as error:
            if not (isinstance(error, CompletenessError) and self._restart(gap, dense)):
                self._frontier.fail(gap, error)
            return None
        if not dense.done:
            return None
        second = gap.first // 1000
        proof = Proof.COUNTED if dense.counted else Proof.MILLISECONDS
        run = ProvenRun(gap.first, gap.until, dense.batch())
        self._frontier.settle(gap, [run], proof, (second, second))
        return dense.overrun

    def _too_large(self, ask: PageRequest, error: AioflowsError) -> bool:
        """Return True if the service may have refused the page size, and a smaller one is left to try."""
        size = ask.page_size
        if refusal(error) and not self._state.evidence.answered(size) and self._service.refuse_size(size):
            return True
        return unreadable(error) and self._service.unread_size(size)

    def _restart(self, gap: Gap, dense: DenseSecond) -> bool:
        """Restart a dense second, once in a scan, if pages may count from another number than in earlier scans.

        Return True if the second is restarted.
        """
        service, base = self._service, dense.base
        if self._restarted or service.told or base in (None, service.first_page):
            return False
        self._restarted = True
        if service.base == base:
            service.base = None
        gap.dense = None
        return True


def instants_of(gaps: Gaps, gap: Gap, axis: Direction, widest: int) -> list[Instant]:
    """Return the ways to read a gap of one second by pages that reach a row of another second, best first.

    Each way reaches the first known row beside the gap, or the end of the unproven time beside the gap. A way
    that crosses a fence is left out. So is a way over an end of the gap within a second, since other rows of
    the second would look like rows of the gap. If no way is left, pages end with the gap.

    Args:
        gaps: the unproven gaps.
        gap: the second, or the part of a second, to read.
        axis: the direction of the scan.
        widest: the longest window that may be requested (milliseconds).
    """
    after, before = gaps.after(gap), gaps.before(gap)
    plain = Instant(gap.first, gap.until, axis, gap.until)
    ways = []
    if after is not None:
        ways.append(attrs.evolve(plain, reach=min(after.until, gap.first + widest)))
    elif gap.end.known is not None:
        ways.append(attrs.evolve(plain, reach=gap.end.known * 1000 + 1000, known=True))
    if before is not None:
        ways.append(attrs.evolve(plain, reach=max(before.first, gap.until - widest), backward=True))
    elif gap.start.known is not None:
        ways.append(attrs.evolve(plain, reach=gap.start.known * 1000, backward=True, known=True))
    return [way for way in ways if way.width <= widest and not _is_cut(gaps, way)] or [plain]


def _is_cut(gaps: Gaps, way: Instant) -> bool:
    edge = way.first if way.backward else way.until
    return edge % 1000 != 0 or gaps.fenced(min(edge, way.reach), max(edge, way.reach))
