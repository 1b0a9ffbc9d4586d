"""Random worlds, the real client against services of any mixture of quirks: ``python -m tests.random_worlds --worlds 5000``.

Each seed draws a service, its rows, a query and a way of reading it (`tests.support.worlds.draw`). The service is honest: whatever
is odd about it, it does not say what is not so. Reading it must end exact. An error is a false alarm, but where no set of
requests can read the service (`tests.worlds.judge.unreadable`). Fewer rows without an error are silent, which is never right.
With ``--dishonest`` the service lies as well (`tests.support.worlds.lies`): any error is right, and rows may be lost in silence only
where nothing told the lie from the truth (`tests.worlds.judge.untellable`).

Nothing is drawn but from the seed, so ``--seed N --verbose`` tells any world again, request by request.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import Pool

from tests.support.worlds.draw import World, draw
from tests.support.worlds.judge import BAD, Ending, Judged, judge, line
from tests.support.worlds.play import Played, play

__all__ = ["Outcome", "Summary", "main", "run", "summarize"]


DEAREST = 10


@dataclass
class Outcome:
    """How one world went.

    Args:
        seed: its seed.
        world: the world in a line.
        quirks: the names of its quirks and lies.
        judged: the judgement.
    """

    seed: int
    world: str
    quirks: tuple[str, ...]
    judged: Judged


@dataclass
class Summary:
    """How many worlds went.

    Args:
        ends: how many ended in which way.
        by_quirk: the same for each quirk.
        prices: requests and ideal numbers of pages of the exact ones, for each quirk.
        told: the outcomes that are worth a line.
        dearest: the exact ones that took most requests for their pages.
    """

    ends: Counter[Ending] = field(default_factory=Counter)
    by_quirk: dict[str, Counter[Ending]] = field(default_factory=lambda: defaultdict(Counter))
    prices: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    told: list[Outcome] = field(default_factory=list)
    dearest: list[Outcome] = field(default_factory=list)

    @property
    def bad(self) -> list[Outcome]:
        """The worlds that went wrong."""
        return [one for one in self.told if one.judged.ending in BAD]


def run(seed: int, *, dishonest: bool = False) -> Outcome:
    """Play the world of a seed."""
    return _run(seed, dishonest=dishonest)[0]


def _run(seed: int, *, dishonest: bool) -> tuple[Outcome, World, list[Played]]:
    world = draw(seed, dishonest=dishonest)
    played = play(world)
    return Outcome(seed, str(world), _names(world), judge(world, played)), world, played


def _names(world: World) -> tuple[str, ...]:
    return (*world.quirk_names, *(lie.name for lie in world.lies))


def _outcomes(seeds: Sequence[int], jobs: int, *, dishonest: bool) -> Iterator[Outcome]:
    each = partial(run, dishonest=dishonest)
    if jobs == 1:
        yield from map(each, seeds)
        return
    with Pool(jobs, initializer=gc.freeze) as pool:
        yield from pool.imap(each, seeds, chunksize=10)


def summarize(outcomes: Iterable[Outcome]) -> Summary:
    """Count outcomes."""
    summary = Summary()
    for one in outcomes:
        ending = one.judged.ending
        summary.ends[ending] += 1
        for name in one.quirks or ("no quirks",):
            summary.by_quirk[name][ending] += 1
            if ending is Ending.EXACT:
                summary.prices[name].append((one.judged.requests, one.judged.ideal))
        if one.judged.why:
            summary.told.append(one)
        elif ending is Ending.EXACT:
            summary.dearest = heapq.nlargest(DEAREST, [*summary.dearest, one], key=_dear)
    return summary


def _dear(one: Outcome) -> float:
    # Twenty requests are what a small question may cost.
    return one.judged.requests / (one.judged.ideal + 20)


def _tell(summary: Summary, seconds: float, *, most: int) -> None:
    _say(f"{'quirk':32}" + "".join(f"{ending.value:>12}" for ending in Ending) + "   requests / pages")
    for name in sorted(summary.by_quirk):
        counts = summary.by_quirk[name]
        _say(
            f"{name:32.32}"
            + "".join(f"{counts[ending]:>12,}" for ending in Ending)
            + _price(summary.prices[name])
        )
    _say(f"{'worlds':32}" + "".join(f"{summary.ends[ending]:>12,}" for ending in Ending))
    for ending in Ending:
        ones = [one for one in summary.told if one.judged.ending is ending]
        for one in ones[:most]:
            _say(f"--seed {one.seed} {ending.value}: {one.judged.why}", f"    {one.world}")
        if len(ones) > most:
            _say(f"... and {len(ones) - most:,} more: {ending.value}")
    for one in summary.dearest:
        _say(
            f"--seed {one.seed} took {one.judged.requests:,} requests for {one.judged.ideal:,} pages",
            f"    {one.world}",
        )
    worlds = sum(summary.ends.values())
    _say(
        f"{worlds:,} worlds, {len(summary.bad):,} bad, {seconds:.0f} s, {worlds / max(seconds, 0.001):.1f}/s"
    )


def _price(prices: list[tuple[int, int]]) -> str:
    if not prices:
        return ""
    requests, pages = sum(one for one, _ in prices), sum(one for _, one in prices)
    ratios = sorted(one / other for one, other in prices)
    return f"   {requests / pages:6.2f} mean {ratios[len(ratios) // 2]:7.2f} median {ratios[-1]:8.1f} most"


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{one}\n" for one in lines)
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if a world went wrong."""
    about = (__doc__ or "").split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m tests.random_worlds", description=about)
    parser.add_argument("--worlds", type=int, default=1_000, help="how many")
    parser.add_argument("--first-seed", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--dishonest", action="store_true", help="services that lie")
    parser.add_argument(
        "--with", dest="having", default="", help="only worlds that have a quirk or lie of such a name"
    )
    parser.add_argument("--lines", type=int, default=1_000_000, help="seeds that are told of each ending")
    parser.add_argument("--seed", type=int, help="play this one only")
    parser.add_argument("--verbose", action="store_true", help="tell it request by request")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        outcome, world, played = _run(options.seed, dishonest=options.dishonest)
        for one in played if options.verbose else ():
            _say(*(line(heard) for heard in one.heard))
            _say(f"{len(one.given):,} rows given, {one.asked:,} requests, {one.error!r:.500}")
        _say(str(world), f"{outcome.judged.ending.value}: {outcome.judged.why}")
        return int(outcome.judged.ending in BAD)
    began = time.monotonic()
    seeds: Sequence[int] = range(options.first_seed, options.first_seed + options.worlds)
    if options.having:
        drawn = ((seed, draw(seed, dishonest=options.dishonest)) for seed in seeds)
        seeds = [seed for seed, world in drawn if any(options.having in name for name in _names(world))]
    summary = summarize(_outcomes(seeds, options.jobs, dishonest=options.dishonest))
    _tell(summary, time.monotonic() - began, most=options.lines)
    return int(bool(summary.bad))


if __name__ == "__main__":
    sys.exit(main())
