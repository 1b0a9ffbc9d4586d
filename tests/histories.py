"""Random histories of larger worlds against the pure machine: ``python -m tests.histories --seeds 20000``.

Each seed is one scan from its start to its end: a service with a few of its oddities, rows that come and go between
answers, answers in any order, requests that fail, a consumer that stops and goes on from where it was. It must end
exact (`Account`), or with an error that says why not, after everything before it was given. Nothing is drawn but from
the seed, so ``--seed N --verbose`` tells any history again, ask by ask.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from multiprocessing import Pool

from tests.support.history import KINDS, Ending, History

__all__ = ["main", "run"]


def run(seed: int, *, verbose: bool = False) -> tuple[str, Ending, str, list[str]]:
    """Run one history; give its kind, its ending, what is to be said about it, and its story."""
    history = History(seed, verbose=verbose)
    ending, why = history.run()
    return history.kind.name, ending, why, history.lines


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.histories", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--seeds", type=int, default=20_000, help="how many histories")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, help="run this one only")
    parser.add_argument("--verbose", action="store_true", help="tell it ask by ask")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        kind, ending, why, lines = run(options.seed, verbose=options.verbose)
        _say(*lines, f"{kind}: {ending.value} {why}")
        return int(ending is Ending.WRONG)
    began = time.monotonic()
    ends: Counter[tuple[str, Ending]] = Counter()
    wrong: list[tuple[int, str, str]] = []
    names = [kind.name for kind in KINDS]
    seeds = range(options.first, options.first + options.seeds)
    with Pool(options.jobs) as pool:
        for seed, (kind, ending, why, _) in zip(
            seeds, pool.imap(partial(run), seeds, chunksize=50), strict=True
        ):
            ends[kind, ending] += 1
            if ending is Ending.WRONG:
                wrong.append((seed, kind, why))
    _say(f"{'kind of history':34}" + "".join(f"{ending.value:>12}" for ending in Ending))
    for name in names:
        _say(f"{name:34}" + "".join(f"{ends[name, ending]:>12,}" for ending in Ending))
    for name in names:
        for seed, _, why in [one for one in wrong if one[1] == name][:3]:
            _say(f"--seed {seed} ({name}): {why:.200}")
    _say(f"{options.seeds:,} histories, {len(wrong)} wrong, {time.monotonic() - began:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
