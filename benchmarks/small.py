"""How many searches does a question with fewer than ten matches take?

At most three where nothing is known of the service, and two where the session has read from it before. One of them is the
question, and one is a closing read from the other end, which has to reach a row that is known already: that an answer has
fewer rows than were asked for does not show that nothing was left out. (Where all matches lie in one second, the last of them
is asked for once more by its number instead.) The third asks about the stretch before the first match by itself, since a
service that answers about a part of a long range only shows the same otherwise; a session that has seen the service look as
far leaves it out. Matches that all lie in one second take a fourth where the service is asked for its zone: their second alone
shows the zone.

More is accepted for no match at all, since an empty answer is not believed at once: it is looked at again from the other end,
and in its middle; where all matches lie in one second and page 0 is another name for page 1, so that numbers have to be
understood first, once a session; and where page 0 is not answered with rows and has to be told from an accident. Rows are
spread over a year, or all in one second, by turns; each page-base quirk is tried, with the time zone given and asked for
(which is a request, but no search and no wait: it runs beside the first one).

    python benchmarks/small.py [--seeds 4] [--first-seed 1] [--only "page 0 is an error"]

Cells are the most searches that any scan took, over all seeds and three orders; a cell that is over the limit is marked.
"""

from __future__ import annotations

import itertools
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(
    0, str(Path(__file__).resolve().parents[1])
)  # what is measured is the clone that this lies in

from aioflows import FlowQuery, ScheduleType
from aioflows.emulator import Emulator
from benchmarks.worlds import ORDERS, Table, Verdict, arguments, judged, judgement, session_to, virtually

PAGES: dict[str, dict[str, Any]] = {
    "from 0": {},
    "from 1, page 0 is the first": {"first_page": 1, "page_zero": "first"},
    "from 1, page 0 is empty": {"first_page": 1, "page_zero": "empty"},
    "from 1, page 0 is an error": {"first_page": 1, "page_zero": "error"},
    "from 1, page 0 is illegal": {"first_page": 1, "page_zero": "parameter"},
}
FRESH = {
    "from 0": (6, 4, 3),
    "from 1, page 0 is the first": (6, 4, 5),  # 3 where the matches are not all in one second
    "from 1, page 0 is empty": (6, 6, 5),
    "from 1, page 0 is an error": (8, 9, 8),
    "from 1, page 0 is illegal": (8, 6, 5),
}
"""What a fresh session may take, for no match, one, and more."""
ZONES = {"zone given": "GMT+8", "zone asked": None}
YEAR = 366 * 86_400_000
MATCHES = range(10)


async def scan(pages: str, zone: str, matches: int, order: str, seed: int, *, known: bool) -> Verdict:
    """Ask a question with so many matches, after a large one if the service is to be known."""
    with Emulator(300, seed, profile="uniform", schedule_types=(0,), **PAGES[pages]) as emulator:
        start = emulator.start_ms
        for number in range(matches):
            apart = YEAR // 10 if seed % 2 else 0
            emulator.insert(start + YEAR // 20 + (number + seed) % 10 * apart, type=1)
        async with session_to(emulator, page_size=100, server_timezone=ZONES[zone]) as session:
            if known:
                await judged(session, emulator, FlowQuery(start, emulator.end_ms, type=ScheduleType.MANUAL))
            query = FlowQuery(start, emulator.end_ms, type=ScheduleType.PERIODIC, order_by=ORDERS[order])
            return await judged(session, emulator, query)


def main() -> int:
    options = arguments(__doc__, seeds=4, first_seed=1)
    print(
        f"a year, {options.seeds} seeds from {options.first_seed} in each of {len(ORDERS)} orders; columns: matches; cells: "
        "the most searches"
    )
    table = Table(session=7, zone=10, pages=28, **{str(count): 3 for count in MATCHES})
    worst: dict[str, str] = {}
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    for known, pages, zone in itertools.product((False, True), PAGES, ZONES):
        line = f"{'known' if known else 'fresh'}, {zone}, {pages}"
        if not all(word in line for word in options.only):
            continue
        most: dict[int, int] = defaultdict(int)
        for matches, order, seed in itertools.product(MATCHES, ORDERS, seeds):
            one = virtually(scan(pages, zone, matches, order, seed, known=known))
            most[matches] = max(most[matches], one.searches)
            if one.ending != "exact" or one.searches > _limit(pages, zone, matches, known=known):
                worst[f"{line}, {matches} matches"] = f"{order}, seed {seed}: {one}"
        cells = [
            f"{most[count]}{'!' if most[count] > _limit(pages, zone, count, known=known) else ''}"
            for count in MATCHES
        ]
        table.row("known" if known else "fresh", zone, pages, *cells)
    return judgement([f"{line}, {one}" for line, one in worst.items()])


def _limit(pages: str, zone: str, matches: int, *, known: bool) -> int:
    if known:
        # That page 0 is another name for page 1 is found out by the first matches that all lie in one second.
        return 3 if not matches else 4 if matches > 1 and PAGES[pages].get("page_zero") == "first" else 2
    if matches and ZONES[zone] is None:
        return max(FRESH[pages][1:]) + (matches > 1 and FRESH[pages][2] > 4)
    return FRESH[pages][0 if not matches else 1 if matches == 1 else 2]


if __name__ == "__main__":
    sys.exit(main())
