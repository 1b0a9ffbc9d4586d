"""A model of the service for the machine's tests: a sorted list, a page of it, and the oddities as switches.

It shares no code with the package: what it knows of pages and windows it says again in its own words.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.reorder_buffer import ProvenRun
from aioflows._core.scans.keyset import KeysetScan
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.wire.zone import Zone
from aioflows.errors import AioflowsError, ServiceError
from aioflows.models import FlowInstance

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (the service's texts have no zone)
START = 1_704_067_200_000  # 2024-01-01 00:00 UTC
NEVER = 1 << 40

Row = tuple[int, str]
"""The trigger time in milliseconds, and the id."""


@dataclass
class ModelPage:
    """A page as the machine sees it."""

    ids: Sequence[str]
    times: Sequence[str]
    body: bytes = b""
    count: int | None = None
    plan: None = None

    def __post_init__(self) -> None:
        self.body = self.body or b"a row that was not decoded yet" * len(self.ids)

    @property
    def size(self) -> int:
        return len(self.body)

    def instances(self, zone: Zone, rows: Sequence[int], *, offset: int | None = None) -> list[FlowInstance]:
        return [
            FlowInstance(
                self.ids[row],
                trigger_time=datetime.fromisoformat(self.times[row]).replace(tzinfo=zone.tzinfo),
            )
            for row in rows
        ]


@dataclass
class ModelService:
    """Answers asks from a list of rows."""

    rows: list[Row]
    cap: int = NEVER
    base: int = 0
    page_zero: str = "first"  # what a service that counts from 1 says to page 0: "first", "empty", "refused"
    unstable: bool = False
    grain: int = 1  # milliseconds that it sorts by: those of one grain are ties
    largest: int = NEVER  # rows; a larger page is refused
    offset: int = 0  # seconds that its clock is ahead of UTC
    seed: int = 0
    heeds_expression: bool = True
    deepest: int = NEVER  # rows into a result, beyond which nothing is answered
    before_answer: Callable[[ModelService, PageRequest], None] = lambda service, ask: None
    asked: list[PageRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.rows = sorted(self.rows)

    def answer(self, ask: PageRequest) -> ModelPage:
        self.asked.append(ask)
        self.before_answer(self, ask)
        number = ask.page_no - self.base
        if number < 0 and self.page_zero == "empty":
            return ModelPage([], [])
        if (number < 0 and self.page_zero == "refused") or ask.page_size > self.largest:
            raise ServiceError(1004, "parameter is not legal")
        window = self.rows[
            bisect_left(self.rows, (ask.from_ms, "")) : bisect_left(self.rows, (ask.to_ms, ""))
        ]
        if ask.expression and self.heeds_expression:
            window = [row for row in window if ask.expression in row[1]]
        skip = max(0, number) * ask.page_size
        stop = min(skip + min(ask.page_size, self.cap), self.deepest)
        page = self.page(window, ask.descending, skip, stop)
        return ModelPage([name for _, name in page], [self.text(ms) for ms, _ in page])

    def page(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
        """Rows *start* to *stop* of a window, sorted; rows of one grain are ties."""
        if self.unstable:
            self.rng.shuffle(window)
        if self.unstable or self.grain > 1:
            window.sort(key=lambda row: (row[0] // self.grain, "" if self.unstable else row[1]))
        if descending:
            window.reverse()
        return window[start:stop]

    def text(self, ms: int) -> str:
        return str(EPOCH + timedelta(seconds=ms // 1000 + self.offset))


def rows_at(ms: int, count: int) -> list[Row]:
    """Rows of one millisecond, whose ids do not come in the order of their numbers."""
    return [(ms, f"1{number * 7919 % count:04d}-{number:06d}") for number in range(count)]


def in_order(rows: Iterable[Row], *, descending: bool = False) -> list[str]:
    """The ids as a scan has to give them: by whole second, then by id."""
    return [name for _, name in sorted(((ms // 1000, name) for ms, name in rows), reverse=descending)]


def ids_of(run: ProvenRun) -> list[str]:
    names = [page.ids[row] for page, rows in run.batch.parts for row in rows]
    return names if run.batch.order is None else [names[place] for place in run.batch.order]


def read(
    scan: KeysetScan,
    service: ModelService,
    *,
    zone: str = "UTC",
    slots: int = 4,
    rng: random.Random | None = None,
    most_asks: int = 100_000,
) -> list[str]:
    """Run a scan to its end; answers arrive in an order that *rng* draws, or in the order they were asked for."""
    scan.set_zone(Zone.parse(zone))
    under_way: list[PageRequest] = []
    got: list[str] = []
    while True:
        item = scan.next_item()
        under_way += scan.wanted(slots - len(under_way))
        if item is DONE:
            return got
        if item is not NEED_PAGES:
            got += ids_of(item)
            continue
        assert under_way, f"{scan!r} needs pages and asks for none"
        assert len(service.asked) < most_asks, f"{scan!r} does not come to an end"
        feed(scan, service, under_way.pop(rng.randrange(len(under_way)) if rng else 0))


def feed(scan: KeysetScan, service: ModelService, ask: PageRequest) -> None:
    """Give a scan the service's answer, or its refusal."""
    try:
        page = service.answer(ask)
    except AioflowsError as error:
        scan.failed(ask, error)
    else:
        scan.received(ask, page)
