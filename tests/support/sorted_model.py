"""A model of the service that sorts by any field: a list of rows, and the oddities as switches.

It shares no code with the package; what it says of orders, it says in words of its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.machine import Machine, Requester, SpillRead, SpillWrite
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.strategy import make_machine
from aioflows._core.wire.zone import Zone
from aioflows.errors import AioflowsError
from aioflows.models import FlowInstance
from aioflows.query import FlowQuery
from aioflows.settings import Limits
from tests.support.model import EPOCH, NEVER, ModelPage


@dataclass(frozen=True)
class FullRow:
    """One row; times in milliseconds, None where there is none."""

    id: str
    trigger_time: int
    start_time: int | None = None
    end_time: int | None = None
    create_time: int | None = None
    type: int = 1

    def shown(self, name: str) -> int | None:
        """A time as the answer shows it, in milliseconds: whole seconds, but for the creation."""
        value: int | None = getattr(self, name)
        return value if value is None or name == "create_time" else value // 1000 * 1000

    def instance(self) -> FlowInstance:
        def at(name: str) -> datetime | None:
            ms = self.shown(name)
            return None if ms is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)

        times = {"timestamp" if name == "create_time" else name: at(name) for name in FIELDS}
        return FlowInstance(self.id, **times)  # type: ignore[arg-type]


FIELDS = ("trigger_time", "start_time", "end_time", "create_time")


@dataclass
class FullPage(ModelPage):
    """A page with all fields."""

    rows: Sequence[FullRow] = ()

    def instances(self, zone: Zone, rows: Sequence[int], *, offset: int | None = None) -> list[FlowInstance]:
        return [self.rows[row].instance() for row in rows]


def lacks_first(nulls: str, *, descending: bool) -> bool:
    return nulls == "first" or (nulls == "smallest" and not descending)


def in_order(rows: Sequence[FullRow], sorters: Sequence[tuple[str, bool]], nulls: str) -> list[str]:
    """The ids as a scan has to give them: sorted again and again, the least field first."""
    found = sorted(rows, key=lambda row: row.id, reverse=sorters[0][1])
    for name, descending in reversed(sorters):
        there = sorted(
            (row for row in found if row.shown(name) is not None),
            key=lambda row: row.shown(name) or 0,
            reverse=descending,
        )
        lacking = [row for row in found if row.shown(name) is None]
        found = lacking + there if lacks_first(nulls, descending=descending) else there + lacking
    return [row.id for row in found]


@dataclass
class FullService:
    """Answers asks from a list of rows."""

    rows: list[FullRow]
    cap: int = NEVER
    base: int = 0
    page_zero: str = "first"
    unstable: bool = False
    nulls: str = "smallest"
    deepest: int = NEVER
    seed: int = 0
    before_answer: Callable[[FullService], None] = lambda service: None
    asked: list[PageRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def answer(self, asker: Requester, ask: PageRequest) -> FullPage:
        self.asked.append(ask)
        self.before_answer(self)
        number = ask.page_no - self.base
        if number < 0 and self.page_zero == "empty":
            return FullPage([], [])
        rows = [
            row for row in self.rows if row.type == asker.type and ask.from_ms <= row.trigger_time < ask.to_ms
        ]
        if self.unstable:
            self.rng.shuffle(rows)
        there = [row for row in rows if getattr(row, ask.field) is not None]
        there.sort(key=lambda row: int(getattr(row, ask.field)), reverse=ask.descending)
        lacking = [row for row in rows if getattr(row, ask.field) is None]
        rows = lacking + there if lacks_first(self.nulls, descending=ask.descending) else there + lacking
        skip = max(0, number) * min(ask.page_size, self.cap)
        page = rows[: self.deepest][skip : skip + min(ask.page_size, self.cap)]
        texts = [str(EPOCH + timedelta(seconds=row.trigger_time // 1000)) for row in page]
        return FullPage([row.id for row in page], texts, rows=page)


@dataclass
class Run:
    """A machine run to its end, and what it took."""

    got: list[str]
    peak: int
    machine: Machine


def run(
    query: FlowQuery,
    service: FullService,
    *,
    limits: Limits,
    proven: bool = False,
    limit: int | None = None,
    slots: int = 6,
    rng: random.Random | None = None,
    known: ServiceFacts | None = None,
    most_asks: int = 20_000,
) -> Run:
    """Run a machine; answers, and what was laid aside, arrive in an order that *rng* draws."""
    machine = make_machine(query, known or ServiceFacts(), limits, limit=limit, resume=None, proven=proven)
    machine.set_zone(Zone.parse("UTC"))
    rng = rng or random.Random(0)
    under_way: list[tuple[Requester, PageRequest]] = []
    beside: list[SpillWrite | SpillRead] = []
    shelf: list[list[FlowInstance]] = []
    got: list[str] = []
    peak = 0
    while True:
        rows = machine.next_rows()
        under_way += machine.wanted(slots - len(under_way))
        beside += machine.disk_tasks()
        peak = max(peak, getattr(machine, "held", 0))
        if rows is DONE or (limit is not None and len(got) >= limit):
            return Run(got[:limit], peak, machine)
        if rows is not NEED_PAGES:
            got += [row.instance_id for row in rows]
            continue
        assert under_way or beside, f"{machine!r} needs pages and asks for none"
        assert len(service.asked) < most_asks, f"{machine!r} does not come to an end"
        if beside and (not under_way or rng.random() < 0.5):
            _perform(beside.pop(rng.randrange(len(beside))), shelf)
        else:
            asker, ask = under_way.pop(rng.randrange(len(under_way)))
            try:
                page = service.answer(asker, ask)
            except AioflowsError as error:
                asker.failed(ask, error)
            else:
                asker.received(ask, page)


def _perform(task: SpillWrite | SpillRead, shelf: list[list[FlowInstance]]) -> None:
    """Lay aside in a list: where something lies is its number, and its length is one."""
    if isinstance(task, SpillRead):
        task.done([row for unit in shelf[task.offset : task.offset + task.length] for row in unit])
        return
    units = [list(task.rows[start : start + task.unit]) for start in range(0, len(task.rows), task.unit)]
    places = [(len(shelf) + number, 1) for number in range(len(units))]
    shelf += units
    task.done(places)
