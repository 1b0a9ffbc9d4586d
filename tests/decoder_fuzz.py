"""The compiled decoder against the pure way, on damaged answers: ``python -m tests.decoder_fuzz --answers 1000000``.

Each answer is one of the emulator's, honest or hostile, with one to three changes. The decoder may refuse any of them. One
that it reads must be read without it as well, and give the same ids, times and rows, in parts and in other
zones too. Nothing is drawn but from the seed of a batch, so ``--first N --answers 1000`` repeats any batch of a thousand.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from multiprocessing import Pool
from typing import TYPE_CHECKING, Any

import attrs

from aioflows import AioflowsError, FlowInstance
from aioflows._compiled import compiled_decoder
from aioflows._core.clocks.field_clocks import FieldClocks
from aioflows._core.wire.search import read_purely, read_search
from aioflows._core.wire.search_page import SearchPage
from aioflows._core.wire.zone import Zone
from tests.support.mutations import honest_answers, hostile_answers, mutated

if TYPE_CHECKING:
    from aioflows_decoder import Decoder

__all__ = ["answers", "compare", "main", "run"]

_BATCH = 1_000
_ZONES = [Zone.parse(name) for name in ("GMT+8", "Europe/Berlin")]


@cache
def answers() -> list[bytes]:
    """Return the answers that are changed."""
    honest = honest_answers()
    return [*honest * 200, *hostile_answers(honest)]


def _state(rows: Sequence[FlowInstance]) -> list[Any]:
    """Return all that rows hold, with its types, since 1 equals True.

    The last value, `extra`, is None or an empty dictionary in rows without unknown members.
    """
    states = [row.__getstate__() for row in rows]
    return [[(type(value), value) for value in (*state[:-1], state[-1] or None)] for state in states]


def _rows(page: SearchPage, zone: Zone, numbers: Sequence[int] | None) -> Any:
    try:
        return _state(page.instances(zone, numbers))
    except (AioflowsError, OverflowError) as error:  # a start in the year 1 cannot be shown in UTC
        return repr(error)


def _seen(read: Callable[..., SearchPage], body: bytes, *, whole: bool) -> list[Any]:
    """Return all that a page shows: as it is planned by, and its rows in parts, in another order, and all of them."""
    try:
        page = read(body, whole=whole)
    except AioflowsError as error:
        return [repr(error)]
    found: list[Any] = [page.ids, tuple(page.times), tuple(page.walls), page.count, page.needs_no_zone]
    for zone in _ZONES:
        if page.body:
            found.append(_rows(page, zone, None))
        dated = attrs.evolve(zone, clocks=FieldClocks())
        found += [_rows(page, dated, numbers) for numbers in (range(1), [len(page) - 1, 0], None)]
    packed = read(body)
    return [*found, packed.pack(), _rows(packed, _ZONES[0], [0]), _rows(packed, _ZONES[0], None)]


def compare(decoder: Decoder, body: bytes) -> bool:
    """Check that an answer that the decoder reads is the same page without it. Return False if it refuses the answer.

    Raises:
        AssertionError: the pages differ, or the answer cannot be read without the decoder.
    """
    if decoder.plan(body) is None:
        return False
    for whole in (False, True):
        found, expected = _seen(read_search, body, whole=whole), _seen(read_purely, body, whole=whole)
        assert found == expected, f"{body!r}\nis read as {found}\ninstead of  {expected}"
    return True


def run(seed: int, count: int = _BATCH) -> tuple[int, list[str]]:
    """Compare the answers of one seed. Return how many of them the decoder read, and what was wrong."""
    decoder = compiled_decoder()
    assert decoder is not None, "the compiled decoder is not installed: pip install ./decoder"
    rng, read, wrong = random.Random(seed), 0, []
    for _ in range(count):
        try:
            read += compare(decoder, mutated(answers(), rng))
        except AssertionError as error:
            wrong.append(f"--first {seed}: {error}")
    return read, wrong


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.decoder_fuzz", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--answers", type=int, default=100_000, help="how many answers")
    parser.add_argument("--first", type=int, default=0, help="the first seed, of a thousand answers each")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args(arguments)
    began, read, wrong = time.monotonic(), 0, []
    seeds = range(options.first, options.first + -(-options.answers // _BATCH))
    with Pool(options.jobs) as pool:
        for some, problems in pool.imap_unordered(run, seeds):
            read += some
            wrong += problems
            for problem in problems[: max(0, 3 - len(wrong))]:
                sys.stdout.write(f"{problem}\n")
    count = len(seeds) * _BATCH
    sys.stdout.write(
        f"{count:,} answers, {read:,} read by the decoder, {len(wrong)} differ, {time.monotonic() - began:.0f} s\n"
    )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
