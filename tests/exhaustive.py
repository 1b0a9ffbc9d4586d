"""Walks every history of many small worlds against the pure machine: ``python -m tests.exhaustive``.

A world is a few rows over a few seconds, and what may happen to them (`tests.support.branches`). A kind of world is a product of choices
of these, walked in an order that spreads over all of it, world by world, each through all of its histories. A kind ends
when it has seen its share of the states, or all of its worlds. What is counted is states of the machine: where it can
be after one more answer, each once in a world.

What is pruned among the worlds, and why nothing is lost by it: rows of one instant are the same but for their ids, so
that which of them are there at the start is a number and no set. Ids within a second run against the milliseconds, one
order of many: the machine knows no milliseconds of rows, and what it does to the order within a second is to sort it.

``--replay WORLD --choices 0,1,0`` tells one history, ask by ask, as it is named where a gap is found.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations_with_replacement, groupby, product
from multiprocessing import Pool
from typing import Any

from tests.support.branches import Choices, End, Gap, History, Walk, World, walk
from tests.support.model import NEVER

__all__ = ["KINDS", "Kind", "Tally", "explore", "shrunk", "told"]

_LONG = 4_000
_MOST = 3_000
"""States of one world after which it is left: a few have very many."""

_TO_SHRINK = 1_500
"""States of a smaller world that are looked through for a gap."""

_STEP = 2_654_435_761  # a prime: its multiples visit a product from all sides

Rows = tuple[tuple[int, bool], ...]


def _rows(instants: Sequence[int], counts: Sequence[int], *, all_there: bool) -> list[Rows]:
    """Every choice of so many rows at these instants, and of those that are there at the start."""
    found = []
    for count in counts:
        for times in combinations_with_replacement(instants, count):
            ties = [len(list(same)) for _, same in groupby(times)]
            for there in product(*(range(0 if not all_there else size, size + 1) for size in ties)):
                flags = [at < most for size, most in zip(ties, there, strict=True) for at in range(size)]
                found.append(tuple(zip(times, flags, strict=True)))
    return found


CLOSE = (0, 500, 1000, 2000, 2500, 3000)
WIDE = (0, 500, 1_200_000, 2_400_000, 3_600_000)  # seconds that a window of a quarter of an hour tells apart
CAPS = ((4, NEVER), (4, 3), (4, 2), (3, 3), (3, 2), (2, 2), (2, NEVER), (1, NEVER))
BASES = ((0, "first"), (1, "first"), (1, "empty"), (1, "refused"))


@dataclass(frozen=True)
class Kind:
    """A kind of world.

    Args:
        name: what sets it apart.
        share: how much of the states it gets, next to those of others.
        rows: which rows there are.
        pages: rows asked for, and rows that a page brings at most.
        fits: whether a world is of this kind.
        hopeless: whether no client can read every such world whole.
    """

    name: str
    share: float
    rows: Sequence[Rows]
    pages: Sequence[tuple[int, int]] = CAPS
    bases: Sequence[tuple[int, str]] = BASES
    known: Sequence[bool] = (False, True)
    turns: Sequence[int] = (NEVER,)
    grains: Sequence[int] = (1,)
    changes: Sequence[int] = (0,)
    lies: Sequence[int] = (0,)
    cuts: Sequence[int] = (0,)
    slots: int = 1
    largest: Sequence[int] = (NEVER,)
    ordered: Sequence[bool] = (True,)
    fits: Callable[[World], bool] = field(default=lambda world: True)
    hopeless: bool = False

    def __len__(self) -> int:
        return math.prod(map(len, self._dimensions()))

    def _dimensions(self) -> list[Sequence[object]]:
        return [
            self.rows, self.pages, self.bases, self.known, self.turns, self.grains, self.changes, self.lies,
            self.cuts, self.largest, self.ordered, (False, True),
        ]  # fmt: skip

    def worlds(self) -> Iterator[World]:
        """Give all of them once."""
        dimensions, size = self._dimensions(), len(self)
        step = next(step for step in range(_STEP % size or 1, 2 * size + 2) if math.gcd(step, size) == 1)
        for number in range(size):
            at = number * step % size
            values: list[Any] = []
            for dimension in dimensions:
                at, place = divmod(at, len(dimension))
                values.append(dimension[place])
            world = self._world(*values)
            if self.fits(world):
                yield world

    def _world(
        self,
        rows: Rows,
        page: tuple[int, int],
        base: tuple[int, str],
        known: bool,
        turns: int,
        grain: int,
        changes: int,
        lies: int,
        cut: int,
        largest: int,
        ordered: bool,
        descending: bool,
    ) -> World:  # fmt: skip
        last = max((ms for ms, _ in rows), default=0)
        return World(
            rows, _LONG if last < _LONG else 4 * WIDE[2], *page, *base, largest, turns, grain, known, changes, lies,
            self.slots, cut, descending, ordered,
        )  # fmt: skip


def _cap(world: World) -> int:
    """Rows that one page can bring, however large it is asked for."""
    return min(4 * world.size if 4 * world.size <= world.largest else world.size, world.cap)


def _crowd(world: World) -> int:
    """The most rows that one second may hold."""
    seconds = [ms // 1000 for ms, _ in world.rows]
    return max(map(seconds.count, seconds), default=0)


def _roomy(world: World) -> bool:
    return _crowd(world) < _cap(world)


def _crowded(world: World) -> bool:
    return not _roomy(world)


_STILL = _rows(CLOSE, (0, 1, 2, 3, 4), all_there=True)
_MOVING = _rows((0, 1000, 1500, 3000), (1, 2, 3, 4), all_there=False)
_FAR = _rows(WIDE, (2, 3, 4), all_there=False)
_FULL = _rows((0, 500, 1000), (3, 4), all_there=True)

KINDS = [
    Kind("nothing changes", 1.0, _STILL, grains=(1, 1000), largest=(NEVER, 4), fits=_roomy),
    Kind("1 change", 2.0, _MOVING, changes=(1,), fits=_roomy),
    Kind("2 or 3 changes", 3.0, _MOVING, turns=(0, 1), changes=(2, 3), fits=_roomy),
    Kind("changes, far apart", 2.0, _FAR, turns=(0, 1), changes=(1, 2), fits=_roomy),
    Kind("a false empty answer", 1.0, _MOVING, turns=(0, 1), changes=(0, 1), lies=(1,), fits=_roomy),
    Kind("two asks at once", 2.0, _MOVING, turns=(0, 1), changes=(0, 1, 2), cuts=(1000, 2000), slots=2, ordered=(True, False),
         fits=_roomy),
    Kind("two asks, a false empty answer", 1.0, _MOVING, turns=(0,), changes=(0, 1), lies=(1,), cuts=(2000,),
         slots=2, fits=_roomy),
    Kind("more rows in a second than in a page", 2.0, _FULL, pages=((4, 3), (4, 2), (3, 3), (2, 2)), turns=(0, 1, 2),
         changes=(0,), fits=_crowded),
    Kind("the same, 1 change", 2.0, _FULL, pages=((4, 3), (4, 2), (3, 3), (2, 2)), turns=(0, 1), changes=(1,),
         fits=_crowded),
    Kind("pages of 1 row, ties as they stand", 0.5, _STILL, pages=((4, 1), (1, 1)), turns=(0,)),
    Kind("pages of 1 row, ties in any order", 1.0, _rows((0, 500, 1000), (1, 2, 3), all_there=True),
         pages=((4, 1), (1, 1)), turns=(1, 2), fits=_crowded, hopeless=True),
]  # fmt: skip
"""A second that fits a page is never counted; one that does not has its ties turned in a few answers, any few, since in
all of them it has more histories than can be walked."""


@dataclass
class Tally:
    """What came of a kind."""

    kind: Kind
    worlds: int = 0
    whole: int = 0
    """Those that were walked to the end."""
    states: int = 0
    ends: dict[End, int] = field(default_factory=lambda: dict.fromkeys(End, 0))
    gaps: list[tuple[World, list[int], str]] = field(default_factory=list)

    def add(self, world: World, found: Walk) -> None:
        self.worlds += 1
        self.whole += found.whole
        self.states += found.states
        for end, count in found.ends.items():
            self.ends[end] += count
        if found.gaps:
            choices, wrong = min(found.gaps, key=lambda gap: (len(gap[0]), gap[0]))
            self.gaps.append((world, choices, wrong))

    def __str__(self) -> str:
        exact, unprovable = self.ends[End.EXACT], self.ends[End.UNPROVABLE]
        return (
            f"{self.kind.name:38}{self.worlds:>8,}{self.whole:>8,}{self.states:>10,}{exact:>10,}"
            f"{unprovable:>10,}{unprovable / max(1, exact + unprovable):>8.2%}{len(self.gaps):>6,}"
        )


HEAD = f"{'kind of world':38}{'worlds':>8}{'whole':>8}{'states':>10}{'exact':>10}{'unprov.':>10}{'share':>8}{'gaps':>6}"


def explore(
    kind: Kind,
    states: int,
    walks: Callable[[Callable[[World], Walk], Iterator[World]], Iterator[Walk]],
    most: int = _MOST,
) -> Tally:
    """Walk worlds of a kind until so many *states* were seen; *walks* maps a function over them, in order.

    No more than *most* states of a world are seen.
    """
    tally = Tally(kind)
    for world, found in zip(kind.worlds(), walks(partial(walk, most=most), kind.worlds()), strict=False):
        tally.add(world, found)
        if tally.states >= states:
            break
    return tally


def told(world: World, choices: Sequence[int]) -> list[str]:
    """Tell a history in lines."""
    history = History(world, Choices(choices), told=True)
    try:
        while history.step() is None:
            pass
    except Gap as gap:
        history.lines.append(f"GAP: {gap}")
    return history.lines


def shrunk(world: World, choices: list[int]) -> tuple[World, list[int]]:
    """Find a smaller world that has a gap, and its shortest history that shows it."""
    while True:
        for smaller in _smaller(world):
            if gaps := walk(smaller, _TO_SHRINK).gaps:
                world, choices = smaller, min((gap for gap, _ in gaps), key=_size)
                break
        else:
            return world, choices


def _size(choices: list[int]) -> tuple[int, int, list[int]]:
    return sum(map(bool, choices)), len(choices), choices


def _smaller(world: World) -> Iterator[World]:
    for at in range(len(world.rows)):
        yield replace(world, rows=(*world.rows[:at], *world.rows[at + 1 :]))
    less: dict[str, Any] = {"changes": world.changes - 1, "lies": 0, "slots": 1, "cut": 0}
    for name, value in less.items():
        if 0 <= value < getattr(world, name):
            yield replace(world, **{name: value})
    plain: dict[str, Any] = {
        "descending": False,
        "base": 0,
        "page_zero": "first",
        "known": False,
        "grain": 1,
        "turns": 0,
        "largest": NEVER,
    }
    for name, value in plain.items():
        if getattr(world, name) != value:
            yield replace(world, **{name: value})
    if world.turns > 2:
        yield replace(world, turns=2)


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.exhaustive", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--states", type=int, default=420_000, help="states to see in all")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--kind", default="", help="only kinds of this name")
    parser.add_argument("--replay", metavar="WORLD", help="tell one history of this world")
    parser.add_argument("--choices", default="", help="its choices, as in 0,1,0")
    options = parser.parse_args(arguments)
    if options.replay:
        lines = told(World.parse(options.replay), [int(one) for one in options.choices.split(",") if one])
        _say(*lines)
        return int(lines[-1].startswith("GAP"))
    kinds = [kind for kind in KINDS if options.kind in kind.name]
    whole = sum(kind.share for kind in kinds)
    began = time.monotonic()
    _say(HEAD)
    tallies = []
    for kind in kinds:
        with Pool(options.jobs) as pool:
            tally = explore(kind, math.ceil(options.states * kind.share / whole), pool.imap)
        tallies.append(tally)
        _say(str(tally))
    gaps = [gap for tally in tallies for gap in tally.gaps]
    states = sum(tally.states for tally in tallies)
    _say(f"\n{states:,} states, {len(gaps):,} worlds with a gap, {time.monotonic() - began:.0f} s")
    _say(
        "An unprovable ending is a CompletenessError. Worlds that were not walked whole have more histories than is worth it."
    )
    for tally in tallies:
        for world, choices, wrong in tally.gaps[:1]:
            _say(
                f"\nGap, {tally.kind.name}: {wrong}\n  --replay '{world}' --choices {','.join(map(str, choices))}"
            )
            least, shortest = shrunk(world, choices)
            _say(f"the least of its kind:\n  --replay '{least}' --choices {','.join(map(str, shortest))}")
            _say(*(f"  {line}" for line in told(least, shortest)))
    return int(bool(gaps))


if __name__ == "__main__":
    sys.exit(main())
