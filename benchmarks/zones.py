"""Does a scan notice that the service's times are not what it says, and that its empty answers are false?

The service names a wrong zone; or a zone whose offset is another at some moment inside the range, by summer time or at
any instant; or writes an instance's times in two zones; or rounds times otherwise than down; or answers every n-th
search with an empty page, though there are rows. Each scan of a world of its own is exact or ends with a
`CompletenessError`; every other ending breaks the promise: rows lost, wrong, twice or in a wrong order, other errors,
searches without end. Rows are "misdated" whose time is not the one they were triggered at, though the scan ended well.

    python benchmarks/zones.py [--seeds 20] [--first-seed 1] [--only "every 2nd,unordered"]

Each line of the table has scans in three orders. 400 rows are spread over the range, or lie in bursts, by turns.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(
    0, str(Path(__file__).resolve().parents[1])
)  # what is measured is the clone that this lies in

from aioflows import FlowQuery, ScheduleType
from aioflows.emulator import Emulator
from benchmarks.worlds import ORDERS, Table, Verdict, arguments, judged, judgement, session_to, virtually

HOUR = 3_600_000
SPRING = {"zone": "Europe/Berlin", "first_day": "2024-03-01"}
AUTUMN = {"zone": "Europe/Berlin", "first_day": "2024-10-01"}
PROFILES = ("uniform", "bursty", "midnight", "cron")

# Without a zone of its own, a world is at +08:00; a turn is a share of the range, and hours.
CONDITIONS: dict[str, dict[str, Any]] = {
    "the zone it names": {},
    "names 1 h more": {"claimed_zone": "GMT+9"},
    "names 1 h less": {"claimed_zone": "GMT+7"},
    "names 8 h less": {"claimed_zone": "GMT+0"},
    "names 30 min more": {"claimed_zone": "+08:30"},
    "names 15 min less": {"claimed_zone": "+07:45"},
    "names another day": {"claimed_zone": "GMT-11"},
    "summer time begins": {**SPRING},
    "summer time begins, named": {**SPRING, "claimed_zone": "GMT+2"},
    "summer time ends": {**AUTUMN},
    "summer time ends, named": {**AUTUMN, "claimed_zone": "GMT+2"},
    "1 h on from some moment": {"turn": 1},
    "1 h back from some moment": {"turn": -1},
    "15 min on from some moment": {"turn": 0.25},
    "30 min back from some moment": {"turn": -0.5},
    "9 h on from some moment": {"turn": 9},
    "9 h back from some moment": {"turn": -9},
    "7 min on from some moment": {"turn": 7 / 60},
    "7 s back from some moment": {"turn": -7 / 3600},
    "other times in another zone": {"start_zone_shift": -8},
    "other times 30 min further": {"start_zone_shift": 0.5},
    "times rounded up": {"round_times": "up"},
    "times to the nearest second": {"round_times": "nearest"},
    **{f"every {n} is empty": {"empty_answers": int(n[:-2])} for n in ("2nd", "3rd", "5th", "7th", "20th")},
    **{
        f"every {n} is empty, all types": {"empty_answers": int(n[:-2]), "schedule_types": (0, 1, 2)}
        for n in ("2nd", "3rd", "5th", "7th", "20th")
    },
}


async def scan(switches: dict[str, Any], order: str, seed: int) -> Verdict:
    """One scan of a world of its own."""
    switches = {"schedule_types": (1,), "days": 60, "profile": PROFILES[seed % len(PROFILES)], **switches}
    turn = switches.pop("turn", None)
    if turn is not None:
        plain = Emulator(0, days=switches["days"])
        moment = plain.start_ms + (plain.end_ms - plain.start_ms) * (seed * 37 % 100) // 100
        switches["zone_turn"] = (moment + seed * 1_234_567 % HOUR, turn)
    with Emulator(400, seed, latency_spread=0.03, **switches) as emulator:
        type = ScheduleType.PERIODIC if len(switches["schedule_types"]) == 1 else None
        query = FlowQuery(emulator.start, emulator.end, type=type, order_by=ORDERS[order])
        async with session_to(emulator, page_size=20) as session:
            return await judged(session, emulator, query)


def main() -> int:
    options = arguments(__doc__, seeds=20, first_seed=1)
    print(
        f"400 rows in 60 days, 20 in an answer, 8 in flight, {options.seeds} seeds from {options.first_seed} in each of "
        f"{len(ORDERS)} orders"
    )
    table = Table(
        the_service=30, scans=5, exact=5, completeness_error=18, broken=6, endless=7, other_errors=12, misdated=8,
        x_least=7,
    )  # fmt: skip
    broken: list[str] = []
    for name, switches in CONDITIONS.items():
        verdicts = []
        for order, seed in itertools.product(
            ORDERS, range(options.first_seed, options.first_seed + options.seeds)
        ):
            if not all(word in f"{name}, {order}" for word in options.only):
                continue
            one = virtually(scan(switches, order, seed))
            verdicts.append(one)
            if one.ending not in ("exact", "CompletenessError"):
                broken.append(f"{name}, {order}, seed {seed}: {one}")
        if not verdicts:
            continue
        endings = Counter(one.ending for one in verdicts)
        known = [endings.pop(one, 0) for one in ("exact", "CompletenessError", "broken", "endless")]
        misdated = sum(one.misdated for one in verdicts if one.ending == "exact")
        cost = sum(one.searches for one in verdicts) / sum(one.least for one in verdicts)
        table.row(name, len(verdicts), *known, endings.total(), misdated, cost)
    return judgement(broken)


if __name__ == "__main__":
    sys.exit(main())
