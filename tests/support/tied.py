"""Services that break ties in an order that depends on what is asked, the same one each time: ``python -m tests.support.tied``.

A database may keep a heap of the first rows, or change its plan at some offset. Then the same page always has the same rows,
but two pages need not fit together, and passes over them miss the same rows each time. Every world here stands still, so
a scan has to give all of its rows or to end in a `CompletenessError`.
"""

from __future__ import annotations

import argparse
import heapq
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.keyset import KeysetScan
from aioflows.errors import CompletenessError, ServiceError
from tests.support.model import NEVER, START, ModelPage, ModelService, Row, in_order, read

__all__ = ["KINDS", "Tied", "World", "draw", "play"]

DAY = 86_400_000
NOON = START + DAY // 2
_MASK = (1 << 64) - 1


def mixed(*numbers: int) -> int:
    """A number that looks like one drawn at random, and is the same each time."""
    mix = 0x9E3779B97F4A7C15
    for number in numbers:
        mix = ((mix ^ number & _MASK) * 0xBF58476D1CE4E5B9) & _MASK
        mix = ((mix ^ mix >> 29) * 0x94D049BB133111EB) & _MASK
        mix ^= mix >> 32
    return mix


CONTEXTS: dict[str, Callable[[PageRequest, int, int], tuple[int, ...]]] = {
    "offset": lambda _, start, __: (start,),
    "offset and limit": lambda _, start, stop: (start, stop),
    "limit": lambda _, start, stop: (stop - start,),
    "last row": lambda _, __, stop: (stop,),
    "sorters": lambda ask, _, __: (len(ask.ties), ask.descending),
    "number": lambda ask, _, __: (ask.page_no,),
    "window": lambda ask, start, _: (ask.from_ms, ask.to_ms, start),
}
"""What an order that looks random depends on."""

KINDS = ("still", *CONTEXTS, "heap", "odd pages", "sixes", "neighbours", "flip", "rotation", "random")


class _First:
    """A row in a heap whose top sorts last; ties are not told apart."""

    def __init__(self, key: int, row: Row) -> None:
        self.key, self.row = key, row

    def __lt__(self, other: _First) -> bool:
        return self.key > other.key


def heaped(rows: list[Row], stop: int, key: Callable[[Row], int]) -> list[Row]:
    """The first rows as a bounded heap gives them, or all of them where half of them are wanted."""
    if 2 * stop >= len(rows):
        return sorted(rows, key=key)
    heap: list[_First] = []
    for row in rows:
        one = _First(key(row), row)
        if len(heap) < stop:
            heapq.heappush(heap, one)
        elif one.key < heap[0].key:
            heapq.heapreplace(heap, one)
    return [heapq.heappop(heap).row for _ in range(len(heap))][::-1]


@dataclass
class Tied(ModelService):
    """The service."""

    kind: str = "still"
    sorters: str = "ignored"  # what further sorters do: "unique" (no ties are left), "ignored", "refused"

    def __post_init__(self) -> None:
        super().__post_init__()
        table = list(self.rows)
        random.Random(self.seed).shuffle(table)
        self.place = {row: place for place, row in enumerate(table)}
        self.now: PageRequest | None = None

    def answer(self, ask: PageRequest) -> ModelPage:
        if ask.ties and self.sorters == "refused":
            raise ServiceError(1004, "parameter is not legal")
        self.now = ask
        return super().answer(ask)

    def page(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
        sign, place = -1 if descending else 1, self.place
        assert self.now is not None
        if self.kind == "heap" and not (self.now.ties and self.sorters == "unique"):
            rows = sorted(window, key=place.__getitem__)
            return heaped(rows, stop, lambda row: sign * row[0])[start:stop]
        tie = self._tie(self.now, len(window), start, stop)
        return sorted(window, key=lambda row: (sign * row[0], *tie(row)))[start:stop]

    def _tie(self, ask: PageRequest, rows: int, start: int, stop: int) -> Callable[[Row], tuple[float, ...]]:
        place, seed = self.place, self.seed
        if self.kind == "still" or (ask.ties and self.sorters == "unique"):
            return lambda row: (place[row],)
        if self.kind in CONTEXTS:
            context = mixed(seed, *CONTEXTS[self.kind](ask, start, stop))
            return lambda row: (mixed(context, place[row]),)
        if self.kind == "odd pages":
            return lambda row: (-place[row] if ask.page_no % 2 else place[row],)
        if self.kind == "sixes":
            return lambda row: (place[row] // 6, mixed(seed, stop, place[row]))
        if self.kind == "neighbours":
            return lambda row: (place[row] + 1.5 * (mixed(seed, start, stop, place[row]) % 20 == 0),)
        if self.kind == "flip":
            turned = start >= 1 + seed % max(1, rows)
            return lambda row: (mixed(seed, place[row]) if turned else place[row],)
        if self.kind == "rotation":
            turn = mixed(seed, start, stop) % 7
            return lambda row: ((place[row] + turn) % len(place),)
        return lambda row: (self.rng.random(),)


@dataclass
class World:
    """A service and how it is read."""

    service: Tied
    page_size: int
    descending: bool
    ordered: bool
    about: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.about.items())


def _ids(count: int, how: str, rng: random.Random) -> list[str]:
    numbers = rng.sample(range(1_000, 1_000 + 20 * count), count)
    if how == "stamped":
        return [f"{number}-20240101000000" for number in numbers]
    return [f"{mixed(number):016x}" if how == "hex" else f"7{number}" for number in numbers]


def draw(seed: int, most: int = 700) -> World:
    """Draw a world, of instants of at most so many rows."""
    rng = random.Random(seed)
    size = rng.choice([10, 100, 500])
    about: dict[str, object] = {
        "kind": (kind := rng.choice(KINDS)),
        "page size": size,
        "rows": (count := rng.choice([one for one in (12, 35, 120, 700) if one <= most])),
        "descending": (descending := rng.random() < 0.3),
        "ordered": (ordered := rng.random() < 0.7),
        "base": (base := rng.choice([0, 1])),
        "page 0": (page_zero := rng.choice(["first", "empty", "refused"])),
        "capped": (capped := rng.random() < 0.8),
        "ids": (ids := rng.choice(["stamped", "hex", "numbers"])),
        "heeds texts": (heeds := rng.random() < 0.5),
        "sorters": (sorters := rng.choice(["unique", "ignored", "refused"])),
        "others": (others := rng.choice([0, 3, 40, 300])),
        "instants": (instants := rng.choice([1, 1, 2])),
        "milliseconds": (ms := rng.choice([0, 0, 437])),
    }
    names = _ids(count * instants + others, ids, rng)
    rows = [(NOON + ms + at // count * 60_000, name) for at, name in enumerate(names[: count * instants])]
    rows += [(START + rng.randrange(DAY), name) for name in names[count * instants :]]
    service = Tied(
        rows, cap=size if capped else NEVER, base=base, page_zero=page_zero, heeds_expression=heeds, seed=seed,
        kind=kind, sorters=sorters,
    )  # fmt: skip
    return World(service, size, descending, ordered, about)


def play(world: World) -> str:
    """Read it; "exact", "refused", or what is wrong."""
    service = world.service
    scan = KeysetScan(
        [(START, START + DAY)],
        service=ServiceFacts(),
        descending=world.descending,
        ordered=world.ordered,
        page_size=world.page_size,
        concurrency=4,
    )
    try:
        names = read(scan, service, most_asks=20_000)
    except CompletenessError:
        return "refused"
    truth = in_order(service.rows, descending=world.descending)
    right = names == truth if world.ordered else sorted(names) == sorted(truth)
    return "exact" if right else f"{len(truth)} rows, {len(set(truth) - set(names))} of them lost"


def main() -> int:
    """Run the command; return 1 if a world went wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.tied", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--worlds", type=int, default=1_000, help="how many")
    parser.add_argument("--first-seed", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    ends: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for seed in range(options.first_seed, options.first_seed + options.worlds):
        world = draw(seed)
        end = play(world)
        wrong = end not in ("exact", "refused")
        ends["wrong" if wrong else end] += 1
        asked[end] += len(world.service.asked)
        if wrong:
            sys.stdout.write(f"seed {seed}: {end}: {world}\n")
    sys.stdout.write(f"{dict(ends)}, {asked['exact']:,} requests of exact ones\n")
    return int(ends["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
