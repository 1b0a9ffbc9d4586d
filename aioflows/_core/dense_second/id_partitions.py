"""Id partitions: reads one instant in parts, by a text in the ids, where page numbers may not reach its end.

A search can be narrowed to rows whose id contains a text. (In the vendor's "List Flow Instances",
``expression`` is a fuzzy match on the id and the flow's name.) All ids seen share a separator, as in
``2809-20190812080700``.

1. One search for each character that may stand beside the separator gives one part. The parts leave out no
   row of that shape.
2. Most parts fit on a first page. Ties, changes and limits on page numbers do not affect first pages.
3. A part that is still too large is read by page numbers. They reach its end more easily than the end of the
   whole.
4. Only one character tells ids apart. Two would leave out ids that have only one there.
5. Ids not yet seen are assumed to have the shape of those seen. So rows read in this way are counted, not
   proven.

See docs/algorithms/dense-seconds.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import product
from string import ascii_lowercase, ascii_uppercase, digits

import attrs

from aioflows._core.dense_second.instant import Instant, InstantPage
from aioflows._core.dense_second.page_walk import Ending, PageWalk
from aioflows._core.dense_second.repeated_passes import RepeatedPasses
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.ordered_page import Page, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts

__all__ = ["IdPartitions", "IdShape"]

_LOOKS = 3
"""Empty answers after which a part counts as empty."""

_LOOKS_AGAINST_ROWS = 6
"""The same, if rows were seen that belong to the part. They may have been deleted, but wrong answers are
more likely."""

_ROWS_OF_A_LIE = 3
"""The number of rows missing from a part's answer from which the answer counts as false, not as a change."""

_LOOKS_AT_A_LIAR = 24
"""Empty answers after which a part counts as empty, once the service has returned a false empty answer."""


_LONGEST = 8
"""The most characters in a search besides the one that tells ids apart. With fewer characters, less
depends on the ids seen so far."""


_CROWDED = 2
"""The most ids that may contain a part's text, as a multiple of the ids in the largest part. A text may
also stand elsewhere in an id."""


@attrs.frozen
class IdShape:
    """The shape that the ids of an instant share.

    Args:
        separator: a character that all ids have, with as many shared neighbours as are needed. With them, a
            part's text rarely stands elsewhere in an id.
        before: True if the characters that tell ids apart stand before the separator, False if after it.
        letters: characters that may stand there.
    """

    separator: str
    before: bool
    letters: str

    @classmethod
    def of(cls, ids: Iterable[str]) -> IdShape | None:
        """Return the shape that makes the most parts. None means that the ids share no shape."""
        names = list(ids)
        most, best = 1, None
        for separator in sorted({char for char in names[0] if not char.isalnum()} if names else ()):
            for before, last in product((True, False), repeat=2):
                found = _beside(names, separator, before=before, last=last)
                letters = _alphabet(found)
                if letters and len(found) > most:
                    most = len(found)
                    best = cls(_lengthened(names, separator, before=before, last=last), before, letters)
        return best

    @property
    def parts(self) -> list[str]:
        """The texts of the parts. Every id contains at least one of them."""
        return [
            letter + self.separator if self.before else self.separator + letter for letter in self.letters
        ]


def _beside(names: list[str], separator: str, *, before: bool, last: bool) -> set[str]:
    """Return the characters beside the first or last separator of the ids. Empty if an id has none there."""
    found = set()
    for name in names:
        place = (name.rfind if last else name.find)(separator) + (-1 if before else 1)
        if separator not in name or not 0 <= place < len(name):
            return set()
        found.add(name[place])
    return found


def _lengthened(names: list[str], separator: str, *, before: bool, last: bool) -> str:
    """Return a separator with as many shared neighbouring characters as are needed to make parts small."""
    places = [(name.rfind if last else name.find)(separator) for name in names]
    apart = Counter(
        name[place - 1 if before else place + 1] for name, place in zip(names, places, strict=True)
    )
    for more in range(_LONGEST):
        texts = {
            name[place : place + 1 + more] if before else name[max(0, place - more) : place + 1]
            for name, place in zip(names, places, strict=True)
        }
        if len(texts) > 1 or len(text := texts.pop()) <= more:
            break
        parts = (char + text if before else text + char for char in apart)
        if max(sum(part in name for name in names) for part in parts) <= _CROWDED * max(apart.values()):
            return text
    return separator


def _alphabet(found: set[str]) -> str:
    """Return all characters that may stand where those in *found* were seen. Empty if that is unknown."""
    if not all(char.isascii() and char.isalnum() for char in found):
        return ""
    letters = digits if found & set(digits) else ""
    for case in (ascii_lowercase, ascii_uppercase):
        seen = found & set(case)
        if seen:
            letters += case[:6] if letters.startswith(digits) and seen <= set(case[:6]) else case
    return letters


class IdPartitions:
    """A reading of one instant in parts, by a text in the ids.

    Args:
        instant: instant to read.
        page_size: largest useful page size (rows).
        service: facts of the session about the service.
        evidence: facts of this scan.
        rows: rows that were seen already, at least one.
        shape: shape that their ids share.
        count: rows that passes over the whole instant counted. None means that there was no such pass.
            Default: None.
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
        self._unsure = 0
        """The depth (rows) of the deepest part whose passes ended without evidence that no row follows."""
        self.rows = rows
        self.failed = False
        """True if the service ignores the text, or a part cannot be read either."""
        self.depth: int | None = None
        """The depth (rows) of a part that ended with a short page, deeper than page numbers were seen to
        reach. None means that no part needs such a look."""
        self._todo = shape.parts
        self._sent: dict[PageRequest, str] = {}
        self._readings: dict[str, PageWalk | RepeatedPasses] = {}
        self._reading: dict[PageRequest, str] = {}
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
                self._reading[ask] = text
                yield ask

    def received(self, ask: PageRequest, sheet: InstantPage) -> None:
        """Add a page."""
        for row, name in enumerate(sheet.ids):
            self.rows.setdefault(name, (sheet.page, row))
        if ask in self._sent:
            self._opened(self._sent.pop(ask), sheet)
        elif (text := self._reading.pop(ask, None)) in self._readings:
            self._readings[text].received(ask, sheet)
            self._judge(text)
        if self._unsure and self.done and len(self.rows) != self._count:
            # Page numbers may have ended before the rows: no count of the whole and no deeper row shows
            # otherwise.
            self.depth = self._unsure

    def refused(self, ask: PageRequest) -> None:
        """Note that a page was refused. Its number may be too high for the service."""
        reading = self._readings.get(self._reading.get(ask, ""))
        if isinstance(reading, RepeatedPasses) and reading.refused(ask):
            self._judge(self._reading.pop(ask))
            return
        self.failed = self.failed or ask in self._sent or ask in self._reading

    def deepened(self, *, reached: bool) -> None:
        """Continue after a look for depth.

        Args:
            reached: True if page numbers reach deeper than the ends of the parts.
        """
        self.depth, self._unsure, self.failed = None, 0, self.failed or not reached
        for text in list(self._readings):
            if not self.failed:
                self._judge(text)

    def give_up_sorters(self, ask: PageRequest) -> None:
        """Continue a part without further sorters, because the service does not accept them."""
        text = self._reading.pop(ask, None)
        if text in self._readings:
            part = self._instant.narrowed(text)
            full = self._evidence.full(self._size)
            self._readings[text] = RepeatedPasses(part, full, self._service, self._evidence, varied=True)

    def _opened(self, text: str, sheet: InstantPage) -> None:
        """Read a part by its first page, or begin to walk its pages if it has more."""
        names = sheet.ids
        meant = sum(text.lower() in name.lower() for name in names)
        if meant * 2 < len(names):  # some rows may have the text in the flow's name instead
            self.failed, self._service.texts_help = True, False
        elif not names or self._evidence.ends_short(self._size, len(names), len(sheet.page.body)):
            self._short(text, set(names))
        else:
            part = self._instant.narrowed(text)
            self._readings[text] = self._walk(part, sheet)
            self._judge(text)

    def _short(self, text: str, names: set[str]) -> None:
        """Accept a part that fits on one page, or request it again if it lacks all rows known to be in it."""
        known = {name for name in self.rows if text in name}
        if not (known.isdisjoint(names) if known else not names):
            self._service.false_empty_seen = self._service.false_empty_seen or (
                self._looks[text] > 0 and len(names) >= _ROWS_OF_A_LIE
            )
            return
        self._service.false_empty_seen = self._service.false_empty_seen or len(known) >= _ROWS_OF_A_LIE
        self._looks[text] += 1
        if self._looks[text] < self._looks_needed(known):
            # Two requests in a row: if every n-th answer is empty by fault, at most one of the two is hit.
            self._todo += [text] * (1 if text in self._sent.values() else 2)

    def _looks_needed(self, known: Collection[str]) -> int:
        looks = _LOOKS_AGAINST_ROWS if known else _LOOKS
        return max(looks, _LOOKS_AT_A_LIAR) if self._service.false_empty_seen else looks

    def _walk(self, part: Instant, first: InstantPage | None = None, most: int | None = None) -> PageWalk:
        most = self._evidence.full(self._size) if most is None else most
        return PageWalk(part, most, self._service, self._evidence, first)

    def _judge(self, text: str) -> None:
        """Finish a part that was read, or read it another way if its pages do not join."""
        reading = self._readings[text]
        if isinstance(reading, RepeatedPasses):
            over, failed = reading.done, reading.failed
            if reading.done and not reading.clean:
                self._unsure = max(self._unsure, reading.depth)
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
            self.depth = max(self.depth or 0, reading.total)
            return
        else:
            over, failed = reading.clean, reading.ending is not None and not reading.clean
        self.failed = self.failed or failed
        if over:
            del self._readings[text]
