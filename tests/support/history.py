"""One random history: a service, what happens to it, and a consumer, all drawn from a seed.

The consumer is what `aioflows.FlowScan` is, without a loop: it takes rows from the partitions, stops wherever it likes, and
goes on with what they say is left. The account that is kept beside it knows nothing of how they were read.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.keyset import KeysetScan
from aioflows._core.scans.machine import Requester, Rows
from aioflows._core.scans.partition import Partition
from aioflows._core.scans.partitions import PartitionedScan
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.wire.zone import Zone
from aioflows._tables.raw_rows import RawRows
from aioflows.checkpoint import Remainder
from aioflows.errors import AioflowsError, CompletenessError, ServerFault, TimedOut
from aioflows.models import FlowInstance, ScheduleType
from tests.support.model import NEVER, START, ModelPage, ModelService, Row

__all__ = ["KINDS", "Account", "Ending", "History", "Kind"]

_MOST_ASKS = 20_000


class Ending(enum.Enum):
    """How a history ends."""

    EXACT = "exact"
    UNPROVABLE = "unprovable"
    FAILED = "failed"
    WRONG = "WRONG"


@dataclass(frozen=True)
class Kind:
    """What is likely in a history.

    Args:
        name: what sets it apart.
        changes: how likely rows come or go before an answer.
        crowds: seconds, at most, that hold more rows than a page may.
        unstable: how likely ties are broken at random in every answer.
        lies: answers that are falsely empty, at most.
        failures: how likely a request fails.
        stops: how likely the consumer stops after a row, to go on from there.
        types: schedule types that are read as one.
        zone: what the service's clocks show.
        limited: whether only the first rows are taken.
    """

    name: str
    changes: float = 0.0
    crowds: int = 0
    unstable: float = 0.3
    lies: int = 0
    failures: float = 0.0
    stops: float = 0.0
    types: int = 1
    zone: str = "UTC"
    limited: bool = False


KINDS = [
    Kind("nothing changes"),
    Kind("rows come and go", changes=0.3),
    Kind("more rows than a page in a second", crowds=2, unstable=0.0),
    Kind("the same, ties at random", crowds=2, unstable=1.0),
    Kind("the same, rows come and go", crowds=1, changes=0.1, unstable=0.5),
    Kind("a false empty answer", changes=0.1, lies=1),
    Kind("requests fail", changes=0.1, failures=0.1),
    Kind("stopped and resumed", changes=0.2, stops=0.03),
    Kind("three types, stopped and resumed", changes=0.1, stops=0.02, types=3),
    Kind("three types, all at once", changes=0.1, crowds=1, lies=1, failures=0.03, stops=0.01, types=3),
    Kind("only the first rows", changes=0.2, limited=True),
    Kind("clocks are put back", changes=0.1, zone="Europe/Berlin"),
]


@dataclass
class Account:
    """What was given, held against what was there.

    Args:
        descending: whether the latest row comes first.
        ordered: whether rows have an order at all.
    """

    descending: bool
    ordered: bool
    when: dict[str, int] = field(default_factory=dict)
    lasting: set[str] = field(default_factory=set)
    got: list[str] = field(default_factory=list)

    def comes(self, row: Row, *, from_the_start: bool = False) -> None:
        """Note that a row is there."""
        self.when[row[1]] = row[0] // 1000
        if from_the_start:
            self.lasting.add(row[1])

    def goes(self, row: Row) -> None:
        """Note that a row is not there."""
        self.lasting.discard(row[1])

    def wrong(self, *, ended: bool) -> str:
        """Say what is wrong with what was given, if it is all there is, or all there is before the last of it."""
        given = set(self.got)
        if len(given) < len(self.got):
            return f"given twice: {[name for name in given if self.got.count(name) > 1]}"
        if invented := given - set(self.when):
            return f"never matched: {invented}"
        due = self.lasting
        if self.ordered:
            ranks = [(self.when[name], name) for name in self.got]
            if ranks != sorted(ranks, reverse=self.descending):
                return f"out of order: {self.got}"
            if not ended:
                last = (
                    max(ranks, default=(0, ""), key=lambda rank: rank)
                    if not self.descending
                    else min(ranks, default=(NEVER, ""))
                )
                due = {
                    name for name in due
                    if ((self.when[name], name) > last if self.descending else (self.when[name], name) < last)
                }  # fmt: skip
        elif not ended:
            return ""
        lost = due - given
        return f"lost: {sorted(lost)}" if lost else ""


class _Zoned(ModelService):
    """A service whose clocks are put forward and back."""

    zone = ZoneInfo("UTC")

    def text(self, ms: int) -> str:
        return (
            datetime.fromtimestamp(ms // 1000, UTC).astimezone(self.zone).replace(tzinfo=None).isoformat(" ")
        )


class History:
    """One scan of one seed.

    Args:
        seed: all that it depends on.
        verbose: whether to tell it in lines.
    """

    def __init__(self, seed: int, *, verbose: bool = False) -> None:
        self.kind = KINDS[seed % len(KINDS)]
        self.rng = random.Random(seed)
        self.lines: list[str] = []
        self._verbose = verbose
        rng, kind = self.rng, self.kind
        self.first = START if kind.zone == "UTC" else START + 300 * 86_400_000 + 23 * 3_600_000
        self.length = 1000 * rng.choice([7, 60, 3600, 4 * 3600])
        self.account = Account(descending=rng.random() < 0.5, ordered=rng.random() < 0.75)
        self.size = rng.choice([5, 8, 20, 50])
        self.crowds = [
            self.first + 1000 * rng.randrange(self.length // 1000) for _ in range(rng.randint(0, kind.crowds))
        ]
        self.limit = rng.randint(1, 40) if kind.limited else None
        self.lies, self.stopped = kind.lies, 0
        self.widest = rng.choice([NEVER, self.length // 3]) if kind.failures else NEVER
        self.session = ServiceFacts(smallest_cap=1)
        self.services = self._services()
        self.asked = self.pulls = 0
        self.slots = rng.choice([1, 3, 8, 21])
        self.buffer = rng.choice([1, 30, 1000])
        self.tell(f"seed {seed}: {kind.name}; {self.account}")

    def tell(self, line: str) -> None:
        if self._verbose:
            self.lines.append(line)

    def _services(self) -> list[ModelService]:
        """One for each type, alike in all but their rows."""
        rng = self.rng
        base, zero = rng.choice([(0, "first"), (0, "first"), (1, "first"), (1, "empty"), (1, "refused")])
        # More than may come at one instant of those that come by themselves, so that nothing has to be counted for them.
        cap = rng.choice([NEVER, NEVER, max(self.size - 3, 5), self.size])
        unstable = rng.random() < self.kind.unstable
        largest = rng.choice([NEVER, NEVER, self.size, 4 * self.size])
        services: list[ModelService] = []
        for number in range(self.kind.types):
            service = _Zoned(
                self._rows(number), cap=cap, base=base, page_zero=zero, unstable=unstable, largest=largest,
                grain=rng.choice([1, 1000]), seed=rng.randrange(1 << 30),
            )  # fmt: skip
            service.zone = ZoneInfo(self.kind.zone)
            for row in service.rows:
                self.account.comes(row, from_the_start=True)
            services.append(service)
        self.tell(f"cap {cap}, base {base} {zero}, unstable {unstable}, page {self.size}, largest {largest}")
        return services

    def _rows(self, type: int) -> list[Row]:
        rng = self.rng
        rows = [self._row(type, number) for number in range(rng.choice([0, 1, 3, 20, 60, 150]))]
        for crowd, ms in enumerate(self.crowds):
            at_once = rng.random() < 0.5
            for number in range(rng.choice([self.size, 2 * self.size, 90])):
                rows.append(
                    (
                        ms if at_once else ms + rng.randrange(1000),
                        f"{rng.randrange(10)}-{type}c{crowd}{number:03d}",
                    )
                )
        return _thinned(rows, self.crowds)

    def _row(self, type: int, number: int) -> Row:
        rng = self.rng
        minute = rng.randrange(self.length // 60_000 + 1) * 60_000
        ms = minute if rng.random() < 0.3 and minute < self.length else rng.randrange(self.length)
        return self.first + ms, f"{rng.randrange(10)}-{type}r{number}"

    # Running

    def run(self) -> tuple[Ending, str]:
        """Run to the end; give how it ended, and what is wrong or why it failed."""
        left: Sequence[Remainder] | None = None
        while True:
            try:
                left = self._read(left)
            except CompletenessError as error:
                return self._judge(Ending.UNPROVABLE, str(error), ended=False)
            except AssertionError as error:
                return Ending.WRONG, str(error)
            except AioflowsError as error:
                return self._judge(Ending.FAILED, repr(error), ended=False)
            if left is None:
                ended = self.limit is None or len(self.account.got) < self.limit
                return self._judge(Ending.EXACT, "", ended=ended)
            self.stopped += 1
            self.tell(f"resumed with {left}")
            if self.rng.random() < 0.5:
                self.session = ServiceFacts(smallest_cap=1)  # in another process

    def _judge(self, ending: Ending, why: str, *, ended: bool) -> tuple[Ending, str]:
        wrong = self.account.wrong(ended=ended)
        return (Ending.WRONG, f"{wrong} (ends: {ending.value} {why})") if wrong else (ending, why)

    def _partitions(self, left: Sequence[Remainder] | None) -> PartitionedScan:
        axis_descending = self.account.descending and self.account.ordered
        partitions = []
        for type in list(ScheduleType)[: self.kind.types]:
            windows = [(self.first, self.first + self.length)]
            handed: dict[int, str] = {}
            if left is not None:
                mine = [one for one in left if one.type == type]
                windows = [(one.from_ms, one.to_ms) for one in mine]
                handed = {
                    (~one.after[0] if axis_descending else one.after[0]): one.after[1]
                    for one in mine
                    if one.after
                }
            scan = KeysetScan(
                windows, service=self.session, descending=axis_descending, ordered=self.account.ordered,
                page_size=self.size, concurrency=self.slots, buffer=self.buffer, limit=self.limit,
                alone=self.kind.types == 1,
            )  # fmt: skip
            partitions.append(Partition(type, scan, handed))
        whole = PartitionedScan(partitions, ordered=self.account.ordered, descending=axis_descending)
        whole.set_zone(Zone.parse(self.kind.zone))
        return whole

    def _read(self, left: Sequence[Remainder] | None) -> Sequence[Remainder] | None:
        """Read on; give what is left where the consumer stops, or None at the end."""
        partitions = self._partitions(left)
        under_way: list[tuple[Requester, PageRequest]] = []
        last: FlowInstance | None = None
        while True:
            self.pulls += 1
            taken: Rows | RawRows
            try:
                # A scan with a limit has its rows decoded.
                undecoded = self.limit is None and self.pulls % 2
                taken = partitions.next_raw() if undecoded else partitions.next_rows()
            except CompletenessError:
                raise
            except AioflowsError:
                if self.stopped >= 3 or self.rng.random() < 0.1:
                    raise
                return self._unless_done(partitions.remaining(last, begun=False, all_handed=True))
            under_way += partitions.wanted(self.slots - len(under_way))
            if taken is DONE:
                return None
            if taken is NEED_PAGES:
                assert under_way, f"{partitions.partitions} need pages and ask for none"
                self._answer(*under_way.pop(self.rng.randrange(len(under_way))))
                continue
            rows = taken.read() if isinstance(taken, RawRows) else taken
            for at, row in enumerate(rows):
                if len(self.account.got) == self.limit:
                    return None
                last, all_handed = row, at + 1 == len(rows)
                self.account.got.append(row.instance_id)
                self.tell(f"  given: {row.instance_id}")
                if self.rng.random() < self.kind.stops and self.stopped < 5:
                    if not isinstance(taken, RawRows):
                        return self._unless_done(
                            partitions.remaining(last, begun=True, all_handed=all_handed)
                        )
                    if all_handed:  # nobody takes a part of it
                        return self._unless_done(
                            partitions.remaining(taken.last, begun=False, all_handed=True)
                        )
            if isinstance(taken, RawRows):
                last = taken.last
            if len(self.account.got) == self.limit:
                return None

    @staticmethod
    def _unless_done(left: Sequence[Remainder]) -> Sequence[Remainder] | None:
        return left or None

    # What happens

    def _answer(self, asker: Requester, ask: PageRequest) -> None:
        self.asked += 1
        assert self.asked < _MOST_ASKS, "it does not come to an end"
        service, rng = self.services[list(ScheduleType).index(asker.type)], self.rng
        while rng.random() < self.kind.changes:
            self._change(service, list(ScheduleType).index(asker.type))
        told = (
            f"{asker.type.name} {ask.from_ms - START}–{ask.to_ms - START} {'DESC' if ask.descending else 'ASC'} "
            f"page {ask.page_no} of {ask.page_size} {ask.expression}"
        )
        if self.stopped < 3 and rng.random() < (
            1 if ask.until - ask.first > self.widest else self.kind.failures
        ):
            error: AioflowsError = TimedOut("late")
            # While the first page is being found, a fault cannot be told from the refusal of a page number.
            if self.session.first_page is not None and rng.random() < 0.5:
                error = ServerFault(62109, "internal exception")
            self.tell(f"{told} -> {error!r}")
            asker.failed(ask, error)
            return
        try:
            page = service.answer(ask)
        except AioflowsError as error:
            self.tell(f"{told} -> {error!r}")
            asker.failed(ask, error)
            return
        if page.ids and self.lies and rng.random() < 0.1:
            self.lies -= 1
            page = ModelPage([], [])
            told += " (falsely)"
        self.tell(f"{told} -> {' '.join(page.ids) or 'empty'}")
        asker.received(ask, page)

    def _change(self, service: ModelService, type: int) -> None:
        rng = self.rng
        comes = rng.random() < 0.5 or not service.rows
        row = self._row(type, 1000 + len(self.account.when)) if comes else rng.choice(service.rows)
        if comes and _most_in(service.rows, row[0]) >= 3:
            return
        self.tell(f"  {row[1]} {'comes' if comes else 'goes'} at {row[0] - START}")
        service.rows = sorted([*service.rows, row] if comes else [one for one in service.rows if one != row])
        self.account.comes(row) if comes else self.account.goes(row)
        if (
            not comes and rng.random() < 0.5
        ):  # a flip: it is there again before the next answer, or one of the next
            self.tell(f"  {row[1]} comes again")
            service.rows = sorted([*service.rows, row])


def _most_in(rows: Sequence[Row], ms: int) -> int:
    return sum(one // 1000 == ms // 1000 for one, _ in rows)


def _thinned(rows: list[Row], crowds: Sequence[int]) -> list[Row]:
    """Leave no more than a few rows in a second that is no crowd."""
    counts: dict[int, int] = {}
    kept = []
    for row in rows:
        second = row[0] // 1000
        counts[second] = counts.get(second, 0) + 1
        if counts[second] <= 3 or any(second == crowd // 1000 for crowd in crowds):
            kept.append(row)
    return kept
