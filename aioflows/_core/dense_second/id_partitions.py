"""Id partitions: reads one instant in parts, by a text in the ids, if page numbers may not reach its end.

A search can be narrowed to rows whose id contains a text. (In the vendor's "List Flow Instances",
``expression`` is a fuzzy match on the id and the flow's name.) All ids seen share a separator, as in
``2809-20190812080700``.

1. One search for each character that may stand beside the separator gives one part. The parts leave out no
   row of that shape.
2. Most parts fit on a first page. Ties, changes and limits on page numbers do not affect first pages.
3. A part that is still too large is read by page numbers. Its end is less deep than the end of the whole.
4. Only one character tells ids apart. Two would leave out ids with a single character beside the separator.
5. Unseen ids are assumed to have the shape of the ids seen. So rows read in this way are counted, not proven.

See docs/algorithms/dense-seconds.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from aioflows._core.dense_second.id_shape import IdShape
from aioflows._core.dense_second.instant import Instant, InstantPage
from aioflows._core.dense_second.page_walk import Ending, PageWalk
from aioflows._core.dense_second.repeated_passes import RepeatedPasses
from aioflows._core.pages.empty_answer_policy import ROWS_OF_A_FALSE_ANSWER, empty_answers_needed
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts

__all__ = ["IdPartitions"]


class IdPartitions:
    """A reading of one instant in parts, by a text in the ids.

    Args:
        instant: instant to read.
        page_size: largest useful page size (rows).
        service: facts of the session about the service.
        evidence: facts of this scan.
        rows: rows that were seen before, at least one.
        shape: shape that their ids share.
        count: rows that passes over the whole instant counted. Default: None, which means no such pass.
    """

    def __init__(
        self,
        instant: Instant,
        page_size: int,
        service: ServiceFacts,
        evidence: ScanEvidence,
        rows: dict[str, tuple[Page, int]],
        shape: IdShape,
        count: int | None = None,
    ) -> None:
        self._instant = instant
        self._size = page_size
        self._service = service
        self._evidence = evidence
        self._shape = shape
        self._count = count
        self._unconfirmed = 0
        """The depth (rows) of the deepest part whose passes ended without evidence that no row follows."""
        self.rows = rows
        self.failed = False
        """True if the service ignores the text, or a part cannot be read."""
        self.depth: int | None = None
        """The depth (rows) of a part that ended deeper than page numbers were seen to reach. None means that
        no part needs a depth check."""
        self._todo = shape.parts
        self._sent: dict[PageRequest, str] = {}
        self._readings: dict[str, PageWalk | RepeatedPasses] = {}
        self._part_of: dict[PageRequest, str] = {}
        self._looks: Counter[str] = Counter()

    @property
    def done(self) -> bool:
        """True if every part was read."""
        return not (self._todo or self._sent or self._readings or self.failed) and self.depth is None

    def wanted(self) -> Iterator[PageRequest]:
        """Yield the next requests. A request that the caller does not take does not count as sent."""
        while self._todo and not self.failed:
            text = self._todo.pop()
            ask = self._instant.narrowed(text).ask(self._service.first_page or 0, self._size)
            self._sent[ask] = text
            yield ask
        for text, reading in list(self._readings.items()):
            for ask in reading.wanted():
                self._part_of[ask] = text
                yield ask

    def received(self, ask: PageRequest, shown: InstantPage) -> None:
        """Add a page."""
        for row, name in enumerate(shown.ids):
            self.rows.setdefault(name, (shown.page, row))
        if ask in self._sent:
            self._add_first_page(self._sent.pop(ask), shown)
        elif (text := self._part_of.pop(ask, None)) in self._readings:
            self._readings[text].received(ask, shown)
            self._go_on(text)
        if self._unconfirmed and self.done and len(self.rows) != self._count:
            # No count of the whole confirms the rows, so page numbers may have ended before the rows.
            self.depth = self._unconfirmed

    def refused(self, ask: PageRequest) -> None:
        """Note that a page was refused, for example because its number is too high for the service."""
        reading = self._readings.get(self._part_of.get(ask, ""))
        if isinstance(reading, RepeatedPasses) and reading.refused(ask):
            self._go_on(self._part_of.pop(ask))
            return
        self.failed = self.failed or ask in self._sent or ask in self._part_of

    def deepened(self, *, reached: bool) -> None:
        """Continue after a depth check.

        Args:
            reached: True if page numbers reach deeper than the ends of the parts.
        """
        self.depth, self._unconfirmed, self.failed = None, 0, self.failed or not reached
        for text in list(self._readings):
            if not self.failed:
                self._go_on(text)

    def give_up_sorters(self, ask: PageRequest) -> None:
        """Continue a part without further sorters, because the service does not accept these."""
        text = self._part_of.pop(ask, None)
        if text in self._readings:
            part = self._instant.narrowed(text)
            full = self._evidence.full(self._size)
            self._readings[text] = RepeatedPasses(part, full, self._service, self._evidence, varied=True)

    def _add_first_page(self, text: str, shown: InstantPage) -> None:
        """Read a part by its first page, or begin to walk its pages if rows may follow the first."""
        names = shown.ids
        matching = sum(text.lower() in name.lower() for name in names)
        if matching * 2 < len(names):  # a row may have the text in its flow's name only
            self.failed, self._service.texts_help = True, False
        elif not names or self._evidence.ends_short(self._size, len(names), shown.page.size):
            self._accept_or_repeat(text, set(names))
        else:
            part = self._instant.narrowed(text)
            self._readings[text] = self._walk(part, shown)
            self._go_on(text)

    def _accept_or_repeat(self, text: str, names: set[str]) -> None:
        """Accept a part that fits on one page. Request it again if the page lacks all known rows of it."""
        known = {name for name in self.rows if text in name}
        lacks_all = known.isdisjoint(names) if known else not names
        if len(known if lacks_all else names) >= ROWS_OF_A_FALSE_ANSWER and (lacks_all or self._looks[text]):
            self._service.false_empty_seen = True
        if not lacks_all:
            return
        self._looks[text] += 1
        if self._looks[text] < empty_answers_needed(self._service, row_known=bool(known)):
            # If every n-th answer is empty by fault, at most one of two requests in a row gets such an answer.
            self._todo += [text] * (1 if text in self._sent.values() else 2)

    def _walk(self, part: Instant, first: InstantPage | None = None, most: int | None = None) -> PageWalk:
        return PageWalk(part, most or self._evidence.full(self._size), self._service, self._evidence, first)

    def _go_on(self, text: str) -> None:
        """Finish a part that was read, or read it in another way if its pages do not join."""
        reading = self._readings[text]
        if isinstance(reading, RepeatedPasses):
            over, failed = reading.done, reading.failed
            if reading.done and not reading.clean:
                self._unconfirmed = max(self._unconfirmed, reading.depth)
        elif reading.ending is Ending.UNJOINED:
            part = self._instant.narrowed(text)
            if self._service.sorters_help and not reading.tied:
                self._readings[text] = self._walk(part.tied, most=reading.most)
            else:
                part = part.tied if self._service.sorters_help else part
                self._readings[text] = RepeatedPasses(
                    part, reading.most, self._service, self._evidence, varied=True
                )
            return
        elif reading.ending is Ending.SHORT and not reading.clean:
            self.depth = max(self.depth or 0, reading.depth)
            return
        else:
            over, failed = reading.clean, reading.ending is not None and not reading.clean
        self.failed = self.failed or failed
        if over:
            del self._readings[text]
