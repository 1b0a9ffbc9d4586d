"""Does a scan keep its promise while rows come, go and change?

Thirty days hold 200 rows at random moments, and one millisecond in the middle that holds 120 more: six times what the
service gives in an answer. Before every search it is answered, rows are inserted, deleted or change their status, all
over the range or all in that millisecond; where statuses flip, the question asks for one status. Answers overtake each
other. Each scan is judged by what the emulator knows to have matched throughout, and to have matched ever.

Broken is the promise by a row that is lost, wrong (it never matched), given twice or misplaced. A scan may also end with
a `CompletenessError`, which says that nothing was proven; more than one in ten must not. Any other error, and a scan
that goes on for thousands of searches, breaks the promise too.

    python benchmarks/change.py [--seeds 3] [--first-seed 1] [--per-search 1] [--only "flip,desc"]

Each line of the table has scans in three orders. Searches are compared with the fewest that could have brought the rows.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(
    0, str(Path(__file__).resolve().parents[1])
)  # what is measured is the clone that this lies in

from aioflows import FlowQuery, FlowStatus, ScheduleType
from aioflows.emulator import Emulator
from benchmarks.worlds import ORDERS, Table, Verdict, arguments, judged, judgement, session_to, virtually

KINDS = {"flips": ["flip"], "inserts": ["insert"], "deletes": ["delete"], "all": ["insert", "delete", "flip"]}
PLACES = ("spread", "one ms")
TIES = ("stable", "unstable", "replicas")
CAP, DENSE, SPARSE = 20, 120, 200


async def scan(
    kind: str, place: str, ties: str, first_page: int, order: str, seed: int, per_search: float
) -> Verdict:
    """One scan of a world of its own."""
    dense = Emulator(0, days=30).start_ms + 15 * 86_400_000
    emulator = Emulator(
        SPARSE,
        seed,
        profile="uniform",
        days=30,
        schedule_types=(1,),
        page_cap=CAP,
        ties=ties,
        first_page=first_page,
        latency_spread=0.03,
        changes_per_search=per_search,
        change_kinds=KINDS[kind],
        changes_in=(dense, dense + 1) if place == "one ms" else None,
    )
    with emulator:
        for number in range(DENSE):
            emulator.insert(dense, status=FlowStatus.FAIL if number % 6 == 0 else FlowStatus.SUCCESS)
        query = FlowQuery(
            emulator.start,
            emulator.end,
            type=ScheduleType.PERIODIC,
            status=FlowStatus.SUCCESS if kind == "flips" else (),
            order_by=ORDERS[order],
        )
        async with session_to(emulator) as session:
            return await judged(session, emulator, query)


def main() -> int:
    options = arguments(__doc__, seeds=3, first_seed=1, per_search=1.0)
    print(
        f"{SPARSE} rows in 30 days and {DENSE} in one millisecond, {CAP} in an answer, {options.per_search:g} changes a "
        f"search, 8 in flight, {options.seeds} seeds from {options.first_seed} in each of {len(ORDERS)} orders"
    )
    table = Table(
        changes=8, where=6, ties=8, pages_from=10, scans=5, lost=4, wrong=5, twice=5, misplaced=9, endless=7,
        other_errors=12, unprovable=10, x_least=7,
    )  # fmt: skip
    broken: list[str] = []
    for kind, place, ties, first_page in itertools.product(KINDS, PLACES, TIES, (0, 1)):
        line, verdicts = f"{kind}, {place}, {ties}, from {first_page}", []
        for order, seed in itertools.product(
            ORDERS, range(options.first_seed, options.first_seed + options.seeds)
        ):
            if not all(word in f"{line}, {order}".split(", ") for word in options.only):
                continue
            one = virtually(scan(kind, place, ties, first_page, order, seed, options.per_search))
            verdicts.append(one)
            if one.ending not in ("exact", "CompletenessError"):
                broken.append(f"{line}, {order}, seed {seed}: {one}")
        if not verdicts:
            continue
        endings = Counter(one.ending for one in verdicts)
        unprovable, endless = endings["CompletenessError"], endings["endless"]
        others = len(verdicts) - unprovable - endless - endings["exact"] - endings["broken"]
        if unprovable * 10 > len(verdicts):
            broken.append(f"{line}: {unprovable} of {len(verdicts)} are unprovable")
        breaches = (
            sum(getattr(one, name) for one in verdicts) for name in ("lost", "wrong", "twice", "misplaced")
        )
        cost = sum(one.searches for one in verdicts) / sum(one.least for one in verdicts)
        table.row(
            kind, place, ties, str(first_page), len(verdicts), *breaches, endless, others, unprovable, cost
        )  # fmt: skip
    return judgement(broken)


if __name__ == "__main__":
    sys.exit(main())
