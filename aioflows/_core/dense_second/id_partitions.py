"""Reading one instant by what its ids contain, where page numbers do not reach its end, or may not.

A search can be narrowed to rows whose id contains a text (the vendor's "List Flow Instances": ``expression``, a fuzzy
match on the id and the flow's name). Ids have a shape, as in ``2809-20190812080700``: characters before a separator that
all have. One search for each character that may stand there makes parts that leave no such row out, and that are small
enough to be read by first pages, which neither ties nor changes nor a limit on page numbers can spoil. A part that is
still too large is read by page numbers, which reach its end where they did not reach that of the whole. Two characters
would leave out ids that begin with the first of them, so one has to be enough.

It rests on ids being of the shape that all ids seen have, so what is read like this counts as counted, not as proven.
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
from aioflows._core.pages.reading import Page, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts

__all__ = ["IdPartitions", "IdShape"]

_LOOKS = 3
"""Answers after which a part is believed to be empty."""

_LOOKS_AGAINST_ROWS = 6
"""The same where rows were seen that should be in it: they may have gone, but more likely the answers are wrong."""

_ROWS_OF_A_LIE = 3
"""Rows that should be in a part that was answered without them, from which that was false rather than a change."""

_LOOKS_AT_A_LIAR = 24
"""The same once the service has left out what was there."""


_LONGEST = 8
"""Characters that may be asked for beside the one that tells ids apart: the fewer, the less rests on those that were seen."""


_CROWDED = 2
"""How many times as many ids as belong to the largest part may have a part's text, since it stands elsewhere in them as well."""


@attrs.frozen
class IdShape:
    """What the ids of an instant have in common.

    Args:
        separator: a *character* that all of them have, with as many of those beside it as keep a part's text from
            standing elsewhere in them.
        before: whether the characters that tell them apart stand before it, or after it.
        letters: the *characters* that may stand there.
    """

    separator: str
    before: bool
    letters: str

    @classmethod
    def of(cls, ids: Iterable[str]) -> IdShape | None:
        """Find the shape that tells ids apart best; None: they have nothing in common."""
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
        """Texts of which every id holds at least one."""
        return [
            letter + self.separator if self.before else self.separator + letter for letter in self.letters
        ]


def _beside(names: list[str], separator: str, *, before: bool, last: bool) -> set[str]:
    """Return the characters beside the first or last separator of every id; nothing, if not every id has one there."""
    found = set()
    for name in names:
        place = (name.rfind if last else name.find)(separator) + (-1 if before else 1)
        if separator not in name or not 0 <= place < len(name):
            return set()
        found.add(name[place])
    return found


def _lengthened(names: list[str], separator: str, *, before: bool, last: bool) -> str:
    """Return a separator with the next characters that all ids have there, as few as make parts small."""
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
    """Return all characters that may stand where some were seen; nothing, if that cannot be told."""
    if not all(char.isascii() and char.isalnum() for char in found):
        return ""
    letters = digits if found & set(digits) else ""
    for case in (ascii_lowercase, ascii_uppercase):
        seen = found & set(case)
        if seen:
            letters += case[:6] if letters.startswith(digits) and seen <= set(case[:6]) else case
    return letters


class IdPartitions:
    """All rows of one instant, part by part.

    Args:
        instant: *what* to read.
        page_size: *rows* of the largest page worth asking for.
        service: what the session knows of the service.
        evidence: what this scan was shown.
        rows: the *rows* that were seen already; at least one.
        shape: what their *ids* have in common.
        count: the rows that passes over the pages of all of it have *counted*; None: there were none.
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
        """The rows of the largest part that passes have ended in without evidence that nothing follows."""
        self.rows = rows
        self.failed = False
        """Whether the service does not heed the text, or a part cannot be read either."""
        self.depth: int | None = None
        """The rows of a part that ended with a short page, deeper than any row that was brought by its number so far."""
        self._todo = shape.parts
        self._sent: dict[PageRequest, str] = {}
        self._readings: dict[str, PageWalk | RepeatedPasses] = {}
        self._reading: dict[PageRequest, str] = {}
        self._looks: Counter[str] = Counter()

    @property
    def done(self) -> bool:
        """Whether every part was read."""
        return not (self._todo or self._sent or self._readings or self.failed) and self.depth is None

    def wanted(self) -> Iterator[PageRequest]:
        """Name the pages to ask for now, one at a time: what is not taken is not noted as asked."""
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
        """Take a page."""
        for row, name in enumerate(sheet.ids):
            self.rows.setdefault(name, (sheet.page, row))
        if ask in self._sent:
            self._opened(self._sent.pop(ask), sheet)
        elif (text := self._reading.pop(ask, None)) in self._readings:
            self._readings[text].received(ask, sheet)
            self._judge(text)
        if self._unsure and self.done and len(self.rows) != self._count:
            # Neither a count of the whole nor a row behind them shows that page numbers have not ended before rows did.
            self.depth = self._unsure

    def refused(self, ask: PageRequest) -> None:
        """Take the refusal of a page, whose number may be too high for the service."""
        reading = self._readings.get(self._reading.get(ask, ""))
        if isinstance(reading, RepeatedPasses) and reading.refused(ask):
            self._judge(self._reading.pop(ask))
            return
        self.failed = self.failed or ask in self._sent or ask in self._reading

    def deepened(self, *, reached: bool) -> None:
        """Go on after it was found out whether page numbers reach deeper than parts have ended at."""
        self.depth, self._unsure, self.failed = None, 0, self.failed or not reached
        for text in list(self._readings):
            if not self.failed:
                self._judge(text)

    def give_up_sorters(self, ask: PageRequest) -> None:
        """Read a part on without further sorters, since the service takes none."""
        text = self._reading.pop(ask, None)
        if text in self._readings:
            part = self._instant.narrowed(text)
            full = self._evidence.full(self._size)
            self._readings[text] = RepeatedPasses(part, full, self._service, self._evidence, varied=True)

    def _opened(self, text: str, sheet: InstantPage) -> None:
        """Take the first page of a part."""
        names = sheet.ids
        meant = sum(text.lower() in name.lower() for name in names)
        if meant * 2 < len(names):  # a few may have it in the flow's name instead
            self.failed, self._service.texts_help = True, False
        elif not names or self._evidence.ends_short(self._size, len(names)):
            self._short(text, set(names))
        else:
            part = self._instant.narrowed(text)
            self._readings[text] = self._walk(part, sheet)
            self._judge(text)

    def _short(self, text: str, names: set[str]) -> None:
        """Take a part that one page holds, unless it lacks all that is known to be in it."""
        known = {name for name in self.rows if text in name}
        if not (known.isdisjoint(names) if known else not names):
            self._service.lied = self._service.lied or (
                self._looks[text] > 0 and len(names) >= _ROWS_OF_A_LIE
            )
            return
        self._service.lied = self._service.lied or len(known) >= _ROWS_OF_A_LIE
        self._looks[text] += 1
        if self._looks[text] < self._looks_needed(known):
            # Twice at once, with no other request between: then they are not both the n-th, whatever n is.
            self._todo += [text] * (1 if text in self._sent.values() else 2)

    def _looks_needed(self, known: Collection[str]) -> int:
        looks = _LOOKS_AGAINST_ROWS if known else _LOOKS
        return max(looks, _LOOKS_AT_A_LIAR) if self._service.lied else looks

    def _walk(self, part: Instant, first: InstantPage | None = None, most: int | None = None) -> PageWalk:
        most = self._evidence.full(self._size) if most is None else most
        return PageWalk(part, most, self._service, self._evidence, first)

    def _judge(self, text: str) -> None:
        """Let a part go that was read, and read it another way if its pages do not join."""
        reading = self._readings[text]
        if isinstance(reading, RepeatedPasses):
            over, self.failed = reading.done, reading.failed
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
            over, self.failed = reading.clean, reading.ending is not None and not reading.clean
        if over:
            del self._readings[text]
