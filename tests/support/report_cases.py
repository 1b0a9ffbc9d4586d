"""Rows for reports, and what an outsider counts in them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone

import attrs

from aioflows import FlowInstance, FlowStatus, ScanStats
from aioflows.report import Facts

ZONE = timezone(timedelta(hours=8))
START = datetime(2024, 2, 27, 16, tzinfo=UTC)
"""Midnight in `ZONE`."""
FAILED = {"FAIL", "TIMEOUT", "INTERNAL_ERROR"}
FINISHED = FAILED | {"SUCCESS", "CANCEL", "SKIP"}
HOSTILE = [
    "</script><script>document.title='gone'</script>",
    "<img src=x onerror=\"document.title='gone'\">",
    "<b>bold</b> & <a href='javascript:alert(1)'>link</a>",
    "a\u2028b\u202ec",
    "plain",
]


def rows(count: int, seed: int = 1, days: int = 4, flows: int = 5) -> list[FlowInstance]:
    """Instances at random: some not started, some not ended, some of a status that is not in the table."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        flow, trigger = rng.randrange(flows), START + timedelta(seconds=rng.randrange(days * 86_400))
        start = trigger + timedelta(seconds=rng.randrange(60)) if rng.random() < 0.9 else None
        end = (
            start + timedelta(milliseconds=rng.randrange(4_000_000)) if start and rng.random() < 0.9 else None
        )
        made.append(
            FlowInstance(
                f"{flow}-{number:05}",
                flow_id=flow,
                flow_name=HOSTILE[flow % len(HOSTILE)],
                owner=("ann", "<i>bob</i>")[flow % 2],
                status=rng.choice([*FlowStatus, FlowStatus.SUCCESS, FlowStatus.SUCCESS, 42]),
                trigger_time=trigger,
                start_time=start,
                end_time=end,
            )
        )
    return made


def facts() -> Facts:
    begin = int(START.timestamp() * 1000)
    return Facts(
        begin, begin + 4 * 86_400_000, True, ScanStats(requests=3, windows=2, time_zone="GMT+8"), made=START
    )


@attrs.frozen
class Figures:
    """What somebody counts who has all the rows before him."""

    instances: int
    success: int
    finished: int
    failed: int
    running: int
    flows: int
    hours: Counter[tuple[str, int]]
    failures: Counter[tuple[str, int]]
    finishes: Counter[tuple[str, int]]
    ran: int
    longest: float


def name(instance: FlowInstance) -> str:
    status = instance.status
    return status.name if isinstance(status, FlowStatus) else f"status {status}"


def day(instance: FlowInstance) -> str:
    assert instance.trigger_time is not None
    return instance.trigger_time.astimezone(ZONE).strftime("%Y-%m-%d")


def counted(some: Iterable[FlowInstance], fits: Callable[[FlowInstance], bool] = lambda _: True) -> Figures:
    mine = [one for one in some if fits(one)]
    names = Counter(map(name, mine))
    hours: Counter[tuple[str, int]] = Counter()
    failures: Counter[tuple[str, int]] = Counter()
    finishes: Counter[tuple[str, int]] = Counter()
    for one in mine:
        assert one.trigger_time is not None
        at = (day(one), one.trigger_time.astimezone(ZONE).hour)
        hours[at] += 1
        if name(one) in FAILED:
            failures[at] += 1
        if name(one) in FINISHED:
            finishes[at] += 1
    took = [
        (one.end_time - one.start_time).total_seconds() for one in mine if one.start_time and one.end_time
    ]
    return Figures(
        len(mine),
        names["SUCCESS"],
        sum(names[one] for one in FINISHED),
        sum(names[one] for one in FAILED),
        names["RUNNING"],
        len({one.flow_id for one in mine}),
        hours,
        failures,
        finishes,
        len(took),
        max(took, default=0.0),
    )
