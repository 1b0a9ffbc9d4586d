"""The flow instances that the tables are filled with: three worlds, each of the same rows on every machine.

*Second* has 50,000 instances over two months. One second at midnight holds 5,012 of them, 4,027 of one schedule type,
2,000 of these in one millisecond, as a platform that starts everything at midnight does.
*Instants* has 72,000 instances, nearly all of them in 200 instants of 105 to 605 rows, and *few instants* a fifth of that.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import attrs

__all__ = ["END_MS", "NAMES", "OWNERS", "START_MS", "WORLDS", "ZONE", "Instance", "newcomer", "world"]

ZONE = timezone(timedelta(hours=8))
"""What the service's wall clocks show."""

START_MS = int(datetime(2026, 9, 1, tzinfo=ZONE).timestamp() * 1000)
END_MS = int(datetime(2026, 11, 1, tzinfo=ZONE).timestamp() * 1000)
MIDNIGHT_MS = int(datetime(2026, 9, 15, tzinfo=ZONE).timestamp() * 1000)

WORLDS = ("second", "instants", "few_instants")

STATUSES = (-1, 0, 1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)

OWNERS = (
    "alice",
    "Alice",
    "ALICE",
    "álice",
    "alice ",
    "al%ce",
    "al_ce",
    "bob",
    "bób",
    "o'neil",
    "O'Neil",
    "svc\\etl",
    "straße",
    "strasse",
    "张伟",
    "ａｌｉｃｅ",
)
"""Owners that differ by what a collation may or may not see."""

NAMES = (
    "daily report",
    "Daily Report",
    "DAILY REPORT",
    "dáily report",
    "daily report ",
    "daily  report",
    "load 100%",
    "load 1000",
    "load_stage",
    "load-stage",
    "load\\stage",
    "loadstage",
    "it's late",
    "its late",
    "Straßenbau",
    "Strassenbau",
    "日报",
    "ｄａｉｌｙ",
)

_EDGES_MS = (0, 1, 2, 499, 500, 501, 998, 999)
"""Where seconds are rounded or cut."""


@attrs.frozen
class Instance:
    """One row; times in milliseconds since the epoch."""

    instance_id: str
    flow_id: int
    name: str
    type: int
    status: int
    trigger_ms: int
    start_ms: int | None
    end_ms: int | None
    create_ms: int
    update_ms: int
    owner: str


def world(name: str, rows: int = 50_000) -> list[Instance]:
    """Return the instances of a world, in the order in which a platform would insert them.

    Args:
        name: "second", "instants" or "few_instants".
        rows: How many there are in "second". The others have as many as their instants hold, and some more.
    """
    dice = random.Random(f"{name} {rows}")
    triggers = list(
        _second(dice, rows) if name == "second" else _instants(dice, 200 if name == "instants" else 40)
    )
    made = _Maker(dice)
    found = [made.instance(trigger, type) for trigger, type in triggers]
    # Rows of one batch have one create time and no order among them.
    dice.shuffle(found)
    found.sort(key=lambda one: one.create_ms)
    return found


def newcomer(dice: random.Random, number: int) -> Instance:
    """Return an instance that no world has; every fourth is in the crowded second."""
    crowded = number % 4 == 0
    trigger = MIDNIGHT_MS + dice.choice(_EDGES_MS) if crowded else dice.randrange(START_MS, END_MS)
    return _Maker(dice, first_flow=500_000 + number * 7).instance(trigger, dice.choice((0, 1, 1, 1, 2)))


def _second(dice: random.Random, rows: int) -> Iterator[tuple[int, int]]:
    """Yield trigger times and types of the world with one crowded second."""
    yield from ((MIDNIGHT_MS, 1) for _ in range(2_000))
    yield from ((MIDNIGHT_MS + _inside_second(dice), 1) for _ in range(2_027))
    yield from ((MIDNIGHT_MS + _inside_second(dice), dice.choice((0, 2))) for _ in range(985))
    yield from _ordinary(dice, rows - 5_012)


def _instants(dice: random.Random, instants: int) -> Iterator[tuple[int, int]]:
    """Yield those of a world of crowded instants."""
    for second in dice.sample(range((END_MS - START_MS) // 1000), instants):
        for _ in range(dice.randint(105, 605)):
            yield START_MS + second * 1000, 1
    yield from _ordinary(dice, 2_000)


def _inside_second(dice: random.Random) -> int:
    return dice.choice(_EDGES_MS) if dice.random() < 0.5 else dice.randrange(1000)


def _ordinary(dice: random.Random, rows: int) -> Iterator[tuple[int, int]]:
    """Yield what is not crowded: half on whole minutes as timers fire, with ties of a few; half anywhere."""
    minutes = (END_MS - START_MS) // 60_000
    for number in range(rows):
        minute = dice.randrange(minutes) * 60_000
        inside = 0 if number % 2 else dice.randrange(60) * 1000 + _inside_second(dice)
        yield START_MS + minute + inside, dice.choices((0, 1, 2), (13, 75, 12))[0]


class _Maker:
    """Makes instances whose ids are those of the platform: the flow's number and the second, once each."""

    def __init__(self, dice: random.Random, first_flow: int | None = None) -> None:
        self._dice = dice
        self._first_flow = first_flow
        self._taken: set[str] = set()

    def instance(self, trigger_ms: int, type: int) -> Instance:
        """Return an instance of that trigger time and type."""
        dice = self._dice
        second = datetime.fromtimestamp(trigger_ms / 1000, ZONE).strftime("%Y%m%d%H%M%S")
        flow = self._first_flow
        while flow is None or (name := f"{flow}-{second}") in self._taken:
            # Four digits to six; a few families hold most flows, as numbers given out in order do.
            flow = dice.choice((2_000, 31_000, 310_000)) + int(dice.triangular(0, 9_000, 800))
        self._taken.add(name)
        started = None if dice.random() < 0.06 else trigger_ms + dice.randrange(90_000)
        ended = None if started is None or dice.random() < 0.08 else started + dice.randrange(7_200_000)
        # The scheduler creates the runs of a day in batches on the evening before.
        day = trigger_ms - (trigger_ms - START_MS) % 86_400_000
        batch = dice.random() < 0.6
        created = day - 3_600_000 + (dice.randrange(8) if batch else dice.randrange(3_500_000))
        return Instance(
            instance_id=name,
            flow_id=flow,
            name=dice.choice(NAMES),
            type=type,
            status=dice.choice(STATUSES),
            trigger_ms=trigger_ms,
            start_ms=started,
            end_ms=ended,
            create_ms=created,
            update_ms=ended or started or created,
            owner=dice.choice(OWNERS),
        )
