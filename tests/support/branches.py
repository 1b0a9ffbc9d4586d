"""Every history of one small world: each answer, each change between two answers, each order of ties.

A history is a list of choices. The walk runs the machine from its beginning along the choices given, takes the first
branch of every further one, and goes on with the last choice that has branches left: the machine holds closures and
generators, which cannot be copied, and such a world is run in well under a millisecond.

What is pruned, and why nothing is lost by it:

- a state that was seen before is not gone on from again (`state`): everything that can follow from it was seen. One
  that comes again within one history is a scan without an end, and is reported.
- orders of ties are told apart by the page that they make, since no more of them can be seen.
- a false empty answer is not told where the true one is empty.

At the end of each history, and at each release on its way: every row that was there from the start is released before
any row behind it, nothing is released twice, nothing that never matched, all in order. Or a `CompletenessError`.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.planning.read_ahead import BATCHES_BEFORE_ALL
from aioflows._core.scans.keyset import KeysetScan
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.wire.zone import Zone
from aioflows.errors import AioflowsError, CompletenessError
from tests.support.model import NEVER, START, ModelPage, ModelService, Row, ids_of
from tests.support.state import state_of

__all__ = ["Choices", "End", "Gap", "History", "Walk", "World", "walk"]

_MOST_ASKS = 3_000
_UTC = Zone.parse("UTC")


@dataclass(frozen=True)
class World:
    """What is there, what may happen to it, and how it is read.

    Args:
        rows: when each row is triggered, in milliseconds, and whether it is there at the start.
        length: milliseconds of the range.
        size: rows asked for in a page.
        cap: rows that a page brings at most.
        base: the number of the first page.
        page_zero: what a service that counts from 1 says to page 0.
        largest: rows; a larger page is refused.
        turns: answers, in all, whose ties may come in any order; those of others come in one that stands.
        grain: milliseconds that the service sorts by.
        known: whether the session has seen a full page before.
        changes: rows that may come or go, in all.
        lies: answers that may be empty although there are rows, in all.
        slots: asks that may be under way; with more than one, answers come in any order, and the consumer has taken
            rows before, since it is only then that the scan reads ahead.
        cut: where the range is cut into two windows that are read as one scan, in milliseconds; 0: nowhere.
        descending: whether it is read backwards.
        ordered: whether it is read in order.
    """

    rows: tuple[tuple[int, bool], ...]
    length: int
    size: int = 4
    cap: int = NEVER
    base: int = 0
    page_zero: str = "first"
    largest: int = NEVER
    turns: int = NEVER
    grain: int = 1
    known: bool = False
    changes: int = 0
    lies: int = 0
    slots: int = 1
    cut: int = 0
    descending: bool = False
    ordered: bool = True

    def __str__(self) -> str:
        rows = " ".join(f"{ms}{'+' if there else '-'}" for ms, there in self.rows)
        named = [f"{name}={getattr(self, name)}" for name in _FIELDS if getattr(self, name) != _FIELDS[name]]
        return "; ".join([rows, f"length={self.length}", *named])

    def service(self) -> ServiceFacts:
        """What the session knows at the start."""
        service = ServiceFacts(self.base if self.known else None, smallest_cap=1)
        if self.known:
            service.saw(self.size, min(self.size, self.cap), self.length)
        return service

    @classmethod
    def parse(cls, text: str) -> World:
        """Read what `str` wrote."""
        rows, *named = text.split(";")
        values: dict[str, object] = {}
        for one in named:
            name, _, value = one.strip().partition("=")
            kind = type(_FIELDS.get(name, 0))
            values[name] = value == "True" if kind is bool else kind(value)
        return cls(tuple((int(row[:-1]), row.endswith("+")) for row in rows.split()), **values)  # type: ignore[arg-type]


_FIELDS = {name: value for name, value in vars(World).items() if name in World.__annotations__}


class Choices:
    """Takes the branches that are given, then always the first."""

    def __init__(self, given: Sequence[int] = ()) -> None:
        self.given = given
        self.taken: list[int] = []
        self.widths: list[int] = []

    def pick(self, width: int) -> int:
        """Choose among so many branches."""
        if width < 2:
            return 0
        at = len(self.taken)
        choice = self.given[at] if at < len(self.given) else 0
        if choice >= width:
            raise ValueError(f"there is no branch {choice} at choice {at}: it has {width}")
        self.taken.append(choice)
        self.widths.append(width)
        return choice

    def later(self) -> list[int] | None:
        """Give the next history, or None if this was the last."""
        at = next(
            (at for at in reversed(range(len(self.taken))) if self.taken[at] + 1 < self.widths[at]), None
        )
        return None if at is None else [*self.taken[:at], self.taken[at] + 1]


class End(enum.Enum):
    """How a history ends."""

    EXACT = "exact"
    UNPROVABLE = "unprovable"
    SEEN = "goes on as another did"


class Gap(AssertionError):
    """A row was lost, repeated, misplaced or invented, or the machine broke down."""


class _Chosen(ModelService):
    """A model service whose ties come in the order that is chosen."""

    choices: Choices
    turns = 0

    def page(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
        standing = super().page(list(window), descending, start, stop)
        if not self.turns:
            return standing
        page = self.chosen(window, descending, start, stop)
        self.turns -= page != standing
        return page

    def chosen(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
        window.sort(key=lambda row: row[0] // self.grain, reverse=descending)
        page: list[Row] = []
        first = 0
        for _, ties in groupby(window, key=lambda row: row[0] // self.grain):
            left = sorted(ties, reverse=descending)
            behind = first + len(left)
            for _ in range(max(start, first), min(stop, behind)):
                page.append(left.pop(self.choices.pick(len(left))))
            first = behind
        return page


@dataclass
class History:
    """One run of the machine in a world."""

    world: World
    choices: Choices
    got: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    told: bool = False

    def __post_init__(self) -> None:
        world = self.world
        # Within a second, ids come in the opposite order of the milliseconds: the one that a scan sorts by.
        names = [f"{chr(122 - at)}{ms}" for at, (ms, _) in enumerate(world.rows)]
        self.universe: list[Row] = [
            (START + ms, name) for (ms, _), name in zip(world.rows, names, strict=True)
        ]
        there = [row for row, (_, first) in zip(self.universe, world.rows, strict=True) if first]
        self.lasting = {name for _, name in there}
        self.ever = set(self.lasting)
        self.service = _Chosen(
            there,
            cap=world.cap,
            base=world.base,
            page_zero=world.page_zero,
            grain=world.grain,
            largest=world.largest,
        )
        self.service.choices, self.service.turns = self.choices, world.turns
        self.changes, self.lies = world.changes, world.lies
        self.under_way: list[PageRequest] = []
        edges = (
            [START, START + world.cut, START + world.length] if world.cut else [START, START + world.length]
        )
        self.scan = KeysetScan(
            list(pairwise(edges)),
            service=world.service(),
            descending=world.descending,
            ordered=world.ordered,
            page_size=world.size,
            concurrency=world.slots,
        )
        if world.slots > 1:
            for _ in range(BATCHES_BEFORE_ALL):
                self.scan._read_ahead.handed_out()
                self.scan._read_ahead.asked_for_more()
        self.scan.set_zone(_UTC)
        key = [(ms // 1000, name) for ms, name in self.universe]
        self.order = [name for _, name in sorted(key, reverse=world.descending)]

    def tell(self, line: str) -> None:
        if self.told:
            self.lines.append(line)

    def state(self) -> bytes:
        """Everything that what follows depends on."""
        return state_of(
            self.under_way, self.scan.__dict__ | {"_under_way": None}, self.service.rows, sorted(self.lasting),
            sorted(self.ever), self.changes, self.lies, self.service.turns, self.got,
        )  # fmt: skip

    def step(self) -> End | None:
        """Take one answer, and release what it proves."""
        if len(self.service.asked) > _MOST_ASKS:
            raise Gap("the scan does not come to an end")
        if self.under_way:
            self.answer(self.under_way.pop(self.choices.pick(len(self.under_way))))
        try:
            while (item := self.scan.next_item()) is not NEED_PAGES:
                if item is DONE:
                    self.check_end()
                    return End.EXACT
                self.release(ids_of(item))
        except CompletenessError as error:
            self.tell(f"unprovable: {error}")
            return End.UNPROVABLE
        self.under_way += self.scan.wanted(self.world.slots - len(self.under_way))
        if not self.under_way:
            raise Gap(f"{self.scan!r} needs pages and asks for none")
        return None

    def answer(self, ask: PageRequest) -> None:
        while self.changes and (change := self.choices.pick(len(self.universe) + 1)):
            self.change(self.universe[change - 1])
        try:
            page = self.service.answer(ask)
        except AioflowsError as error:
            self.tell(f"{_asked(ask)} -> refused")
            self.scan.failed(ask, error)
            return
        told = ""
        if self.lies and page.ids and self.choices.pick(2):
            self.lies -= 1
            page, told = ModelPage([], []), " (false)"
        self.tell(f"{_asked(ask)} -> {' '.join(page.ids) or 'empty'}{told}")
        self.scan.received(ask, page)

    def change(self, row: Row) -> None:
        self.changes -= 1
        comes = row not in self.service.rows
        self.tell(f"  {row[1]} {'comes' if comes else 'goes'}")
        if comes:
            self.service.rows = sorted([*self.service.rows, row])
            self.ever.add(row[1])
        else:
            self.service.rows = [one for one in self.service.rows if one != row]
            self.lasting.discard(row[1])

    def release(self, names: list[str]) -> None:
        self.tell(f"  released: {' '.join(names)}")
        self.got += names
        if len(set(self.got)) < len(self.got):
            raise Gap(f"released twice: {self.got}")
        if not self.ever.issuperset(self.got):
            raise Gap(f"released what never matched: {self.got}")
        if self.world.ordered:
            if self.got != [name for name in self.order if name in set(self.got)]:
                raise Gap(f"out of order: {self.got}")
            before = self.order[: self.order.index(self.got[-1])]
            self.check(self.lasting.intersection(before))

    def check_end(self) -> None:
        self.tell("done")
        self.check(self.lasting)

    def check(self, due: set[str]) -> None:
        if lost := due.difference(self.got):
            raise Gap(f"lost: {' '.join(sorted(lost))}; released: {' '.join(self.got)}")


def _asked(ask: PageRequest) -> str:
    window = f"{ask.from_ms - START}–{ask.to_ms - START} ms {'DESC' if ask.descending else 'ASC'}"
    return f"ask {window}, page {ask.page_no} of {ask.page_size}"


@dataclass
class Walk:
    """What a walk found.

    Args:
        states: states of the machine that were seen, each once.
        ends: histories that came to an end of their own, by how.
        gaps: histories that must not be, with what is wrong.
    """

    states: int = 0
    ends: dict[End, int] = field(default_factory=lambda: dict.fromkeys(End, 0))
    gaps: list[tuple[list[int], str]] = field(default_factory=list)
    whole: bool = True


def walk(world: World, most: int = 1 << 60) -> Walk:
    """Walk a world through every history, or through the first *most* states of it."""
    found = Walk()
    seen: set[bytes] = set()
    trail: list[tuple[int, bytes]] = []
    given: list[int] | None = []
    while given is not None:
        if found.states >= most:
            found.whole = False
            break
        choices = Choices(given)
        while trail and trail[-1][0] >= len(given) > 0:
            trail.pop()
        try:
            found.ends[_run(History(world, choices), found, seen, trail)] += 1
        except Gap as gap:
            found.gaps.append((choices.taken, str(gap)))
        given = choices.later()
    return found


def _run(history: History, found: Walk, seen: set[bytes], trail: list[tuple[int, bytes]]) -> End:
    choices = history.choices
    while True:
        end = history.step()
        if len(choices.taken) < len(choices.given):
            continue
        found.states += 1
        if end is not None:
            return end
        state = history.state()
        if state in seen:
            if any(state == one for _, one in trail):
                raise Gap("the scan does not come to an end: the same state comes again")
            found.states -= 1
            return End.SEEN
        seen.add(state)
        trail.append((len(choices.taken), state))
