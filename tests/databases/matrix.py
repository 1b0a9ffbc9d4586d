"""Which services are scanned how: everything, a quick part of it, and the part that the tests run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

from aioflows.query import SortKey
from tests.databases.comparison import Combination, Outcome, compare
from tests.databases.instances import OWNERS, Instance, world
from tests.databases.service import READINGS, Service
from tests.databases.tables import COLUMNS, INDEXES, Database, Layout

__all__ = ["CAPS", "HEAD", "ORDERS", "Tables", "full", "line", "quick", "sampled"]

CAPS = (None, 1000, 200, 100, 20)
ORDERS: tuple[SortKey | None, ...] = ("trigger_time", "-trigger_time", None)
OTHER_ORDERS: tuple[SortKey, ...] = (
    "start_time",
    "-start_time",
    "create_time",
    "-create_time",
    "-end_time",
    "update_time",
)

_MIDNIGHT_IDS = "20260915000000"
_TEXTS = (
    "daily",
    "DÁILY",
    "load 100%",
    "load_",
    "load\\stage",
    "it's",
    "ß",
    "ss",
    "日报",
    "%",
    _MIDNIGHT_IDS,
)


def full() -> list[Combination]:
    """Return everything, which takes hours."""
    layouts = [Layout(*parts) for parts in product(("second", "instants"), COLUMNS, INDEXES, (2, 8))]
    return sorted(
        [
            *(
                Combination(layout=layout, reading=reading, cap=cap, order=order)
                for layout, reading, cap, order in product(layouts, READINGS, CAPS, ORDERS)
            ),
            *(
                Combination(layout=layout, reading=reading, cap=cap, order=order, changing=True)
                for layout, reading, cap, order in product(
                    [layout for layout in layouts if (layout.world, layout.tasks) == ("second", 2)],
                    READINGS,
                    (200, 100),
                    ORDERS,
                )
            ),
            *_others("milliseconds", READINGS, CAPS),
            *_filtered(INDEXES, (None, 100, 20)),
        ],
        key=_table,
    )


def quick() -> list[Combination]:
    """Return a part that meets each column, index, reading, cap and order, which takes some minutes."""
    still = [
        Combination(layout=Layout(world, column, index), reading=reading, cap=100, order=order)
        for world, column, index, (reading, order) in product(
            ("second", "few_instants"), COLUMNS, INDEXES, zip(READINGS, ORDERS, strict=False)
        )
    ]
    capped: tuple[tuple[int | None, SortKey | None], ...] = (
        (None, None),
        (1000, "-trigger_time"),
        (200, "trigger_time"),
        (20, None),
    )
    caps = [
        Combination(layout=Layout("second", "seconds", index), reading="keys", cap=cap, order=order)
        for index, (cap, order) in product(INDEXES, capped)
    ]
    long_rows = [
        Combination(layout=Layout("second", column, "none", tasks=8), reading=reading, cap=100, order=order)
        for column, (reading, order) in product(COLUMNS, zip(READINGS, ORDERS, strict=False))
    ]
    under_change: tuple[tuple[int, SortKey], ...] = ((100, "trigger_time"), (200, "-trigger_time"))
    changing = [
        Combination(layout=Layout("second", "seconds", index), cap=cap, order=order, changing=True)
        for index, (cap, order) in product(INDEXES, under_change)
    ]
    return sorted(
        [
            *still,
            *caps,
            *long_rows,
            *changing,
            *_others("seconds", ("rows",), (100,)),
            *_filtered(("none",), (20,)),
        ],
        key=_table,
    )


def sampled() -> list[Combination]:
    """Return those that the tests run on each database: what was lost once, and one of each kind."""
    worst = Layout("second", "seconds", "none")
    return [
        Combination(layout=Layout("few_instants", "seconds", "none"), cap=100),
        Combination(layout=Layout("few_instants", "number", "time"), cap=100, order="-trigger_time"),
        Combination(layout=worst, cap=100),
        Combination(layout=worst, reading="keys"),
        Combination(layout=worst, reading="keys", cap=100, order="-trigger_time"),
        Combination(layout=worst, cap=200, type=None, order=None),
        Combination(layout=worst, cap=100, order="-create_time"),
        Combination(layout=Layout("second", "seconds", "type, time"), cap=100, order="-trigger_time"),
        Combination(layout=Layout("second", "seconds", "type, time"), cap=1000),
        Combination(layout=Layout("second", "milliseconds", "type, time"), reading="keys", cap=100),
        Combination(layout=Layout("second", "number", "type, time"), cap=20, order=None),
        Combination(layout=Layout("second", "seconds", "none", tasks=8), reading="keys", cap=100),
        Combination(layout=worst, cap=20, type=None, owner="alice"),
        Combination(layout=worst, cap=100, type=None, expression="load_", order="start_time"),
        Combination(layout=worst, cap=100, expression=_MIDNIGHT_IDS),
        Combination(layout=worst, cap=100, changing=True),
        Combination(
            layout=Layout("second", "seconds", "type, time"), cap=200, order="-trigger_time", changing=True
        ),
        Combination(
            layout=Layout("second", "milliseconds", "time"),
            reading="keys",
            cap=20,
            type=None,
            status=(-1, 2, 8),
            order=None,
            changing=True,
        ),
    ]


def _others(column: str, readings: Sequence[str], caps: Sequence[int | None]) -> Iterator[Combination]:
    """Yield scans in other orders: merged as they are handed out, and collected first."""
    layout = Layout("second", column, "none")
    for reading, cap, order, proven in product(readings, caps, OTHER_ORDERS, (False, True)):
        if not (
            proven and order == "update_time"
        ):  # which answers do not tell, so nothing can be collected by it
            yield Combination(layout=layout, reading=reading, cap=cap, order=order, proven=proven)


def _filtered(indexes: Sequence[str], caps: Sequence[int | None]) -> Iterator[Combination]:
    """Yield scans with each filter."""
    for index, cap in product(indexes, caps):
        layout = Layout("second", "seconds", index)
        for owner in OWNERS:
            yield Combination(layout=layout, cap=cap, type=None, owner=owner)
        for expression in _TEXTS:
            yield Combination(layout=layout, cap=cap, type=None, expression=expression)
        for status in ((-1,), (2, 8), (0, 1)):
            yield Combination(layout=layout, cap=cap, type=None, status=status, order="-trigger_time")


def _table(one: Combination) -> tuple[str, bool]:
    """Return what combinations are sorted by, so that a table is made once, and made anew only after changes."""
    return one.layout.table, one.changing


class Tables:
    """The tables that exist on one server, made when they are first asked for.

    Args:
        rows: How many instances a world has.
    """

    def __init__(self, rows: int = 50_000) -> None:
        self._rows = rows
        self._worlds: dict[str, list[Instance]] = {}
        self._there: set[Layout] = set()

    async def outcome(
        self, database: Database, service: Service, url: str, one: Combination, *, timeout: float = 600.0
    ) -> Outcome:
        """Compare one scan with its table, which is made if it is not there."""
        await self.prepare(database, one.layout)
        try:
            return await compare(database, service, url, one, timeout=timeout)
        finally:
            if one.changing:
                await self.drop(database, one.layout)

    async def prepare(self, database: Database, layout: Layout) -> None:
        """Make a table, if it is not there."""
        if layout in self._there:
            return
        if layout.world not in self._worlds:
            self._worlds[layout.world] = world(layout.world, self._rows)
        await database.create(layout, self._worlds[layout.world])
        self._there.add(layout)

    async def drop(self, database: Database, layout: Layout) -> None:
        """Drop a table, if it is there."""
        if layout in self._there:
            self._there.remove(layout)
            await database.drop(layout)


_COLUMNS: tuple[tuple[str, int, Callable[[str, Combination, Outcome], object]], ...] = (
    ("database", 10, lambda database, _, __: database),
    ("world", 8, lambda _, one, __: one.layout.world),
    ("column", 12, lambda _, one, __: one.layout.column),
    ("index", 10, lambda _, one, __: one.layout.index),
    ("reading", 7, lambda _, one, __: one.reading),
    ("cap", 5, lambda _, one, __: one.cap or "none"),
    ("order", 13, lambda _, one, __: one.order or "none"),
    ("else", 24, lambda _, one, __: _else(one)),
    ("rows", 6, lambda _, __, outcome: outcome.rows),
    ("lost", 6, lambda _, __, outcome: outcome.lost),
    ("twice", 6, lambda _, __, outcome: outcome.twice),
    ("alien", 6, lambda _, __, outcome: outcome.alien),
    ("disorder", 8, lambda _, __, outcome: outcome.disorder),
    ("requests x", 10, lambda _, __, outcome: f"{outcome.ratio:.2f}"),
    ("seconds", 7, lambda _, __, outcome: f"{outcome.seconds:.1f}"),
    ("ending", 0, lambda _, __, outcome: _ending(outcome)),
)

HEAD = "  ".join(name.ljust(width) for name, width, _ in _COLUMNS)


def line(database: str, one: Combination, outcome: Outcome) -> str:
    """Return a combination and what came of it as a line under `HEAD`."""
    return "  ".join(str(value(database, one, outcome)).ljust(width) for _, width, value in _COLUMNS)


def _else(one: Combination) -> str:
    words = [
        f"{name}={getattr(one, name)!r}" for name in ("owner", "expression", "status") if getattr(one, name)
    ]
    words += ["long rows"] if one.layout.tasks > 2 else []
    words += ["all types"] if one.type is None else []
    words += ["collected"] if one.proven else []
    words += ["changing"] if one.changing else []
    return ", ".join(words)


def _ending(outcome: Outcome) -> str:
    verdict = "" if outcome.right else "WRONG: "
    return f"{verdict}{outcome.ending}{' (cannot be settled)' if outcome.allowed else ''}"
