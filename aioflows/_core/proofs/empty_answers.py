"""A window that was answered with nothing.

An empty answer is the one that a broken service gives as easily as a whole one, so it is not believed at once:

1. where a row is known beside the window, it is asked for together with that row, which then proves the answer.
2. while such a row may soon be known, nothing is decided.
3. where there is none, as in a scan without any row, the window is looked at again, from its other end and with a small
   page, since a service may answer a page that is too large for it with nothing; and once more if requests about other
   windows come between. Where the whole scan has not brought a row, it is asked about in other ways: by the other number of the
   first page, where the number is known from others only, and by narrower windows inside it (`range_limit`), since a service may
   answer a range that is too long for it with nothing. Once that is seen, it is read in parts that are answered about.
4. one that says how many rows there are, and lists none, is never believed: only a row can show what is there.
5. a service that has said "nothing" of something is looked at far more often, and what it had been believed before, once
   more before the scan ends.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.reading import NOTHING, Batch, OrderedPage, Page, PageReader, PageRequest
from aioflows._core.pages.service_facts import SMALL_PAGE, ServiceFacts
from aioflows._core.planning.follow_ups import FollowUps
from aioflows._core.planning.frontier import Frontier, covered
from aioflows._core.planning.gaps import Gap
from aioflows._core.planning.reorder_buffer import ProvenRun
from aioflows._core.proofs.missing_rows import MissingRows
from aioflows._core.proofs.range_limit import LEAST, answered_width, cut_to, in_parts, looks_into
from aioflows._core.wire.envelope import Unlisted
from aioflows.errors import AioflowsError, CompletenessError
from aioflows.stats import Proof

__all__ = ["EmptyAnswers"]

_LOOKS = 3
"""Empty answers after which a window is believed to be empty, where no row is known that should have come along. The last
two of these looks are taken at once, with no other request between: a service whose every n-th answer is wrong, for
whatever n, gives the true one to one of them."""

_LOOKS_AT_ALL = 2
"""The same where the window is all there is to ask about, so that there are no others whose requests come between: the look
into its middle, which follows, is the third one."""

_INSIDES = 3
"""Empty windows of a scan without any row that are asked about in other ways: what such a look shows holds for all of them."""

_LOOKS_AGAINST_A_ROW = 6
"""The same where a row is known: it may have gone, but more likely the answers are wrong."""

_MOST_LOOKS = 4
"""How many times as many empty answers end the wait for a row beside a window: it may never be within reach."""

_LOOKS_AT_A_LIAR = 24
"""The same once the service has said that there is nothing where there was something."""

_NEARLY = 0.95
"""The share of a window as wide as which another one has to have been answered with rows."""

_ROWS_OF_A_LIE = 3
"""Rows in a window that was answered with nothing, from which that was false rather than true at that time."""


class EmptyAnswers:
    """Takes empty answers.

    Args:
        frontier: the gaps of the scan, and the runs that they become.
        errands: where requests go that answers make necessary.
        doubts: finds out what became of rows that are missed.
        reader: reads answers.
        service: what the session knows of the service.
        evidence: what this scan was shown.
        filtered: whether rows are left out for more than their type and time.
        alone: whether no other scan asks in turn with this one.
        growing: whether many rows may appear at once where there was nothing, so that they convict nobody.
    """

    def __init__(
        self,
        frontier: Frontier,
        errands: FollowUps,
        doubts: MissingRows,
        reader: PageReader,
        service: ServiceFacts,
        evidence: ScanEvidence,
        *,
        filtered: bool,
        alone: bool,
        growing: bool,
    ) -> None:
        self._frontier = frontier
        self._gaps = frontier.gaps
        self._errands = errands
        self._doubts = doubts
        self._service = service
        self._evidence = evidence
        self._filtered = filtered
        self._reader = reader
        self._alone = alone
        self._growing = growing
        self._believed: list[tuple[PageRequest, int]] = []
        """Requests whose window is believed to be empty, and how often it was looked at."""
        self._unsettled = 0
        self._insides = _INSIDES
        self._known = service.first_page is not None

    def answered(self, ask: PageRequest, gaps: Sequence[Gap], missing: int = 0) -> None:
        """Take an empty answer: it is not believed at once, and hardly ever against a row that was seen."""
        gaps = [gap for gap in gaps if gap.broken is None]
        for gap in gaps:
            for anchor in covered(gap, ask.first, ask.until):
                self._doubts.raise_for(anchor, gap, ask, NOTHING)
                return
        by_another_number = self._service.first_page not in (None, ask.page_no)
        for gap in gaps:
            if not (ask.first <= gap.first and gap.until <= ask.until):
                continue
            if (
                by_another_number
            ):  # it was asked for before the number of the first page was found to be another one
                gap.looks = gap.empty_size = 0
                continue
            if gap.witness is None and gap.beyond is None and self._too_wide(gap):
                self._read_in_parts(gap, self._service.silent_beyond)
                continue
            gap.looks += 1
            gap.empty_size = max(gap.empty_size, ask.page_size)
            gap.missing = missing
            witness = gap.witness if ask.first < gap.first else gap.beyond if gap.until < ask.until else None
            gap.denied = gap.denied if witness is None else witness
            needed = self._looks_needed(witness)
            if witness is None and gap.looks < _MOST_LOOKS * needed and self._may_know_more(gap):
                continue
            if gap.looks < needed:
                known = self._service.first_page is not None
                if witness is None and known and gap.looks == 1 and needed > 2:
                    self._look_twice_at_once(gap, ask)
            elif witness is None and not self._evidence.rows and not gap.looked_inside and self._insides:
                self._look_inside(gap, ask)
            elif witness is None and self._evidence.cuts and gap.until - gap.first > self._evidence.seen:
                gap.looks = gap.empty_size = 0
                in_parts(self._gaps, gap.first, gap.until, self._evidence, self._service)
            elif witness is None:
                self._believe(gap, ask, witness)
            else:
                self._look_at_the_row(gap, ask, witness)

    def _believe(self, gap: Gap, ask: PageRequest, witness: int | None) -> None:
        if gap.missing:
            problem = (
                f"the window {ask.from_ms}–{ask.to_ms} ms was answered with no rows, {gap.looks} times, while its count says "
                f"that there are {gap.missing:,}: ask for shorter ranges, or for what the user may see"
            )
            self._frontier.fail(gap, Unlisted(problem, "$.data"))
            return
        if witness is None:
            self._believed.append((ask, gap.looks))
        self._frontier.settle(gap, [ProvenRun(gap.first, gap.until, Batch())], Proof.EMPTY)

    def _look_at_the_row(self, gap: Gap, ask: PageRequest, second: int) -> None:
        """Ask for the row beside a window alone, before it is believed to have gone from there.

        If it is there, the window was answered falsely, perhaps since it is too wide: its parts are asked about alone then.
        """
        near = attrs.evolve(ask, first=second * 1000, until=second * 1000 + 1000, tries=None)
        gap.held = True

        def looked(answer: Page | AioflowsError) -> None:
            gap.held = False
            if gap not in self._gaps:
                return
            try:
                if isinstance(answer, AioflowsError):
                    raise answer
                if answer.ids:
                    self._reader.read(near, answer)
                elif not self._reader.pinned:
                    raise self._doubts.misread(ask, second)
            except AioflowsError as error:
                self._frontier.fail(gap, error)
                return
            if not answer.ids:
                self._believe(gap, ask, second)
                return
            gap.witness = gap.beyond = gap.denied = None
            self._halve(gap)

        self._errands.add(near, looked)

    def _halve(self, gap: Gap) -> None:
        """Have the halves of a gap asked about, each by itself."""
        cut = (gap.first + gap.until) // 2000 * 1000
        gap.looks = gap.empty_size = 0
        gap.halvings += 1
        if gap.first < cut < gap.until:
            self._gaps.split(gap, cut)

    def _too_wide(self, gap: Gap) -> bool:
        """Return True if the service has answered a window as wide as this with nothing that had rows in it."""
        return gap.until - gap.first > self._service.silent_beyond

    def _read_in_parts(self, gap: Gap, width: int) -> None:
        """Have a gap asked about by windows of so many milliseconds, since a wider one was answered with nothing."""
        if width >= gap.until - gap.first:  # it was answered after all
            self._service.lied = self._service.lied or not self._growing
            gap.looks = gap.empty_size = 0
            return
        self._service.silent_beyond = width
        gap.looks = gap.empty_size = 0
        in_parts(self._gaps, gap.first, gap.until, self._evidence, self._service, width)

    def _look_inside(self, gap: Gap, ask: PageRequest) -> None:
        """Ask about a window in other ways, before a scan ends without any row.

        First without the query's filters, whether the service answers about all of it (`reach`). Where the number of the
        first page is known from others, the other number is asked for: a service that was changed to count from there
        answers the known one with nothing, or with what follows the first page. Then narrower windows inside it are asked about,
        unless the service is known to have answered one as wide with rows.
        """
        gap.looked_inside = True
        self._insides -= 1
        gap.held = True
        whole = attrs.evolve(ask, first=gap.first, until=gap.until, backward=False)
        if self._filtered and not self._service.looks_as_far_as(ask.until - ask.first):
            self._errands.run(cut_to(whole, self._reader), lambda width: self._looked_bare(gap, whole, width))
        else:
            self._look_at_another_page(gap, whole)

    def _looked_bare(self, gap: Gap, whole: PageRequest, width: int | None) -> None:
        """Read a window by parts, if the service answers about so many milliseconds of it only."""
        if not width:
            self._look_at_another_page(gap, whole, nobody=width == 0)
            return
        gap.held = False
        if gap in self._gaps:
            self._read_in_parts(gap, width)

    def _look_at_another_page(self, gap: Gap, whole: PageRequest, *, nobody: bool = False) -> None:
        """Ask for another page of a window where its number is known from others; then for narrower windows.

        Args:
            gap: the window.
            whole: the request for it.
            nobody: whether narrower windows were asked about, without the filters.
        """
        known = self._service.first_page
        if known is None:
            # Page 1 has a row where pages count from 1, and where a window has two or more as well.
            self._look_narrower(gap, whole, () if nobody else (0,) if self._filtered else (1, 1))
            return
        other = attrs.evolve(
            whole,
            page_size=1,
            page_no=1 - known,
            tries=1,  # a number that is no page's may be answered with an error each time
        )

        def looked(answer: Page | AioflowsError) -> None:
            if gap not in self._gaps:
                gap.held = False
            elif isinstance(answer, AioflowsError) or not answer.ids:
                width = gap.until - gap.first
                wide = width > LEAST and not self._filtered and self._service.widest < _NEARLY * width
                self._look_narrower(gap, whole, (known,) if wide else ())
            else:
                gap.held = False
                self._service.first_page = self._service.base = None  # the other number is the first page's
                gap.looks = gap.empty_size = 0

        self._errands.add(other, looked)

    def _look_narrower(self, gap: Gap, whole: PageRequest, numbers: Sequence[int]) -> None:
        """Ask for a page of each of these numbers by narrower windows; believe that all is empty if these are, too."""

        def looked(width: int | None) -> None:
            gap.held = False
            if gap not in self._gaps:
                return
            if width is not None:
                self._read_in_parts(gap, width)
            elif self._known and self._service.first_page != whole.page_no:
                # Another scan has found, or is finding out, that another page is the first.
                gap.looks = gap.empty_size = 0
            else:
                self._believe(gap, whole, None)

        self._errands.run(answered_width(whole, self._reader, looks_into(whole, numbers)), looked)

    def disproved(self, ask: PageRequest, reading: OrderedPage, gaps: Sequence[Gap]) -> None:
        """Note that the service has answered falsely with nothing, if a page of the same size shows that.

        One that was too large for the service may have been answered with nothing (`MissingRows` finds that out).
        """
        for gap in gaps:
            if gap.looks and ask.page_size >= gap.empty_size and self._shows(reading, gap):
                self._service.lied = True
            if ask.page_size < gap.empty_size and reading.index(gap.first // 1000) < reading.index(
                -(-gap.until // 1000)
            ):
                gap.looks = gap.empty_size = 0  # it was looked at with a small page only

    def unsettled(self) -> bool:
        """Return True if something has to be looked at once more before the scan may end.

        That a window is empty may have been believed before the service was found to say so falsely.
        """
        while self._service.lied and self._believed:
            ask, looks = self._believed.pop()
            if looks < _LOOKS_AT_A_LIAR:
                self._unsettled += 1
                self._look_at_the_end(ask, looks)
        return self._unsettled > 0

    def _look_at_the_end(self, ask: PageRequest, looks: int, shown: int = 0) -> None:
        again = attrs.evolve(
            ask, tries=None, backward=not ask.backward, page_no=self._service.first_page or 0
        )

        def looked(answer: Page | AioflowsError) -> None:
            if isinstance(answer, AioflowsError):
                self._frontier.error = answer
            elif answer.ids:
                # These rows were there all the time, or have come since. A service that says "nothing" falsely does
                # so again, if it is asked as often.
                if shown + 1 < _LOOKS_AT_A_LIAR:
                    self._look_at_the_end(again, looks, shown + 1)
                    return
            elif shown:
                self._frontier.error = CompletenessError(
                    f"the window {ask.from_ms}–{ask.to_ms} ms was answered with nothing, {looks} times, then with rows, "
                    "and with nothing again: what this service says of emptiness cannot be relied on"
                )
            elif looks + 1 < _LOOKS_AT_A_LIAR:
                self._look_at_the_end(again, looks + 1)
                return
            self._unsettled -= 1

        self._errands.add(again, looked)

    def _may_know_more(self, gap: Gap) -> bool:
        """Return True if a row beside a gap is known meanwhile, or may soon be, so that another look is a proof."""
        known = gap.beside(self._service.reach) is not None
        return known or any(one.asked and not one.looks for one in self._gaps)

    def _look_twice_at_once(self, gap: Gap, ask: PageRequest) -> None:
        """Ask about a gap from both its ends, with no other request between, and with a small page."""
        window = attrs.evolve(
            ask,
            first=gap.first,
            until=gap.until,
            page_size=min(ask.page_size, SMALL_PAGE),
            tries=None,
            page_no=self._service.first_page or 0,
        )
        gap.forward, gap.backward = attrs.evolve(window, backward=False), attrs.evolve(window, backward=True)
        self._errands.add(gap.forward)
        self._errands.add(gap.backward)

    def _shows(self, reading: OrderedPage, gap: Gap) -> bool:
        """Return True if a page has a row that was left out, or more than may have come since there was nothing."""
        if gap.denied is not None and reading.index(gap.denied + 1) > reading.index(gap.denied):
            return True
        rows = reading.index(-(-gap.until // 1000)) - reading.index(gap.first // 1000)
        return rows >= _ROWS_OF_A_LIE and not self._growing

    def _looks_needed(self, witness: int | None) -> int:
        """Tell how many empty answers are believed, about a window beside which a row is known or not."""
        looks = _LOOKS if witness is None else _LOOKS_AGAINST_A_ROW
        if witness is None and self._alone and len(self._gaps) == 1 and not self._frontier.proofs:
            looks = _LOOKS_AT_ALL
        return max(looks, _LOOKS_AT_A_LIAR) if self._service.lied else looks
