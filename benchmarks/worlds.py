"""What the programs that measure the promise share: scans in virtual time, judged by the emulator's oracle, and tables.

The emulator knows what matched from a scan's first request to its last, and what matched at any time meanwhile; a scan is
judged by that alone. Nothing here knows how the client reads.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import math
import operator
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import attrs

from aioflows import (
    AioflowsError,
    FlowInstance,
    FlowQuery,
    FlowSession,
    Limits,
    RetryPolicy,
)
from aioflows.emulator import Emulator, Watch
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport
from tests.support.virtual import run_virtual

T = TypeVar("T")

ORDERS: dict[str, SortKey | None] = {"asc": "trigger_time", "desc": "-trigger_time", "unordered": None}

PATIENCE = 60.0
"""Seconds of virtual time after which a scan is endless: thousands of requests for a few hundred rows, or hundreds where
windows that time out are tried again with waits between."""

_SECONDS: dict[str, Callable[[int], int]] = {
    "down": lambda ms: ms // 1000,
    "nearest": lambda ms: (ms + 500) // 1000,
    "up": lambda ms: -(-ms // 1000),
}


def session_to(
    emulator: Emulator, *, page_size: int = 50, concurrency: int = 8, latency: float = 0.01, **settings: Any
) -> FlowSession:
    """A session with an emulated service in this process, which loses no time over retries."""
    return FlowSession(
        "https://enos.test",
        user_id="u",
        org_id="o",
        http=EmulatorTransport(emulator, latency=latency),
        limits=Limits(page_size=page_size, concurrency=concurrency),
        retry=RetryPolicy(base=0.01, cap=0.1),
        rng=random.Random(emulator.world.seed),
        **settings,
    )


@attrs.frozen(kw_only=True)
class Verdict:
    """What became of the promise in one scan.

    Attributes:
        rows: how many were given.
        lost: lasting rows that were not given, though the scan ended well, or gave rows behind them.
        wrong: rows that never matched.
        twice: rows that were given before.
        misplaced: rows that precede the one given before them.
        misdated: rows whose trigger time is not theirs.
        error: what the scan ended with, if it did not end well; a `TimeoutError`: it did not end.
        searches: how many requests it took.
        least: how many would have done, if all were known in advance.
    """

    rows: int
    lost: int
    wrong: int
    twice: int
    misplaced: int
    misdated: int
    error: Exception | None
    searches: int
    least: int

    @property
    def ending(self) -> str:
        """In a word: "broken", "endless", "exact", or the name of the error."""
        if self.lost or self.wrong or self.twice or self.misplaced:
            return "broken"
        if isinstance(self.error, TimeoutError):
            return "endless"
        return "exact" if self.error is None else type(self.error).__name__

    def __str__(self) -> str:
        counts = {name: getattr(self, name) for name in ("lost", "wrong", "twice", "misplaced", "misdated")}
        said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        return f"{said or 'nothing amiss'} in {self.rows} rows, {self.searches} searches, {self.error!r:.300}"


async def judged(
    session: FlowSession, emulator: Emulator, query: FlowQuery, *, patience: float = PATIENCE
) -> Verdict:
    """Scan, and let the oracle judge what came."""
    before = emulator.requests.get("search", 0)
    got: list[FlowInstance] = []
    error: Exception | None = None
    with watching(emulator, query) as watch:
        try:
            async with asyncio.timeout(patience), session.scan(query) as scan:
                async for instance in scan:
                    got.append(instance)  # noqa: PERF401 - what came before an error counts
        except (AioflowsError, TimeoutError) as caught:
            error = caught
    searches = emulator.requests.get("search", 0) - before
    size = min(session.limits.page_size, emulator.quirks.page_cap or session.limits.page_size)
    return verdict(got, watch, query, emulator, error=error, searches=searches, size=size)


def watching(emulator: Emulator, query: FlowQuery) -> Watch:
    """The oracle of a query."""
    return emulator.watch(
        query.from_ms,
        query.to_ms,
        type=query.type,
        status=query.status,
        owner=query.owner,
        expression=query.expression,
    )


def verdict(
    got: Sequence[FlowInstance],
    watch: Watch,
    query: FlowQuery,
    emulator: Emulator,
    *,
    error: Exception | None = None,
    searches: int = 0,
    size: int = 1,
) -> Verdict:
    """Judge rows.

    Args:
        got: what was *given*.
        watch: what *matched*.
        query: what was asked.
        emulator: who answered.
        error: what it *ended* with.
        searches: how many *requests* it took.
        size: *rows* that an answer may have.
    """
    shown = _SECONDS[emulator.quirks.round_times]
    keys = {id: (shown(ms), id) for id, ms in watch.times.items()}
    ids = [one.instance_id for one in got]
    given = Counter(ids)
    places = [keys[id] for id in ids if id in keys]
    before = operator.gt if query.order_by == "-trigger_time" else operator.lt
    owed = watch.lasting
    if error is not None:  # in order, what lies before the last row that was given is owed all the same
        last = places[-1][0] if places and query.order_by is not None else None
        owed = {id for id in owed if last is not None and before(keys[id][0], last)}
    return Verdict(
        rows=len(got),
        lost=len(owed - given.keys()),
        wrong=sum(id not in keys for id in ids),
        twice=len(ids) - len(given),
        misplaced=sum(before(two, one) for one, two in pairwise(places)) if query.order_by else 0,
        misdated=sum(one.instance_id in keys and _second(one) != keys[one.instance_id][0] for one in got),
        error=error,
        searches=searches,
        least=max(1, math.ceil(len(watch.lasting) / size)),
    )


def _second(instance: FlowInstance) -> int | None:
    """The second that a row says it was triggered in."""
    return None if instance.trigger_time is None else int(instance.trigger_time.timestamp())


# Programs


def virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run in virtual time; fail if anything is left behind."""
    if not gc.get_freeze_count():
        gc.freeze()  # each run ends with a collection, which is ten times faster without what the imports made
    return run_virtual(main)


def arguments(text: str, **defaults: float) -> argparse.Namespace:
    """Read the options of a program, all of them numbers, beside ``--only``."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in defaults.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(value), default=value, help=f"default: {value}"
        )
    parser.add_argument(
        "--only", default="", help="conditions that have all these words, such as 'flip,desc'"
    )
    options = parser.parse_args()
    options.only = [word.strip() for word in options.only.split(",") if word.strip()]
    return options


def judgement(broken: Sequence[str]) -> int:
    """Print where the promise was broken; the program's exit code."""
    print(
        "\n".join(["", f"The promise is broken, {len(broken)} times:", *broken])
        if broken
        else "\nThe promise holds."
    )
    return 1 if broken else 0


class Table:
    """A table that is printed as it grows: texts to the left, numbers to the right.

    Args:
        columns: *names*, each with its least width.
    """

    def __init__(self, **columns: int) -> None:
        heads = [name.replace("_", " ") for name in columns]
        self._widths = [max(len(name), width) for name, width in zip(heads, columns.values(), strict=True)]
        self._heads: list[str] | None = heads

    def row(self, *cells: str | float) -> None:
        """Print a row."""
        if self._heads is not None:
            heads, self._heads = self._heads, None
            self._print(heads, cells)
        self._print([one if isinstance(one, str) else f"{one:,.4g}" for one in cells], cells)

    def _print(self, texts: Sequence[str], cells: Sequence[str | float]) -> None:
        print(
            "  ".join(
                text.ljust(width) if isinstance(cell, str) else text.rjust(width)
                for text, cell, width in zip(texts, cells, self._widths, strict=True)
            ).rstrip(),
            flush=True,
        )
