"""The machine beside a model of the service, in whatever order things happen to them.

A run of rules is one scan: rows come and go, answers arrive in any order, requests fail, an answer is falsely empty, the
consumer takes rows or stops and goes on with what is left. The page cap is drawn once, since a steady cap is what a
proof leans on.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.keyset import KeysetScan
from aioflows._core.scans.machine import Requester, Rows
from aioflows._core.scans.partition import Partition
from aioflows._core.scans.partitions import PartitionedScan
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.wire.zone import Zone
from aioflows._tables.raw_rows import RawRows
from aioflows.errors import AioflowsError, CompletenessError, ServerFault, TimedOut
from aioflows.models import FlowInstance, ScheduleType
from tests.support.history import Account
from tests.support.model import NEVER, START, ModelPage, ModelService, Row

LENGTH = 3_600_000
MOST_ASKS = 3_000
FAILURES, LIES, STOPS = 3, 1, 3
UTC = Zone.parse("UTC")

instants = st.one_of(
    st.integers(0, 6_000),  # close together
    st.integers(0, LENGTH - 1),
    st.integers(0, 59).map(lambda minute: minute * 60_000),  # as crons fire
).map(lambda ms: START + ms)
places = st.integers(0, 1 << 16)


class Reading(RuleBasedStateMachine):
    """One scan, and what happens while it reads."""

    @initialize(
        size=st.integers(4, 12),
        missing=st.integers(0, 3),
        first=st.lists(instants, max_size=60),
        crowd=st.one_of(st.just(0), st.integers(1, 30)),
        base=st.sampled_from([(0, "first"), (1, "first"), (1, "empty"), (1, "refused")]),
        grain=st.sampled_from([1, 1000]),
        descending=st.booleans(),
        ordered=st.booleans(),
        slots=st.sampled_from([1, 3, 8]),
        buffer=st.sampled_from([1, 30, 1000]),
        most=st.sampled_from([None, 1, 3]),
    )
    def begin(
        self,
        size: int,
        missing: int,
        first: list[int],
        crowd: int,
        base: tuple[int, str],
        grain: int,
        descending: bool,
        ordered: bool,
        slots: int,
        buffer: int,
        most: int | None,
    ) -> None:
        self.size, self.slots, self.buffer, self.most = size, slots, buffer, most
        self.cap = size - missing if missing and size - missing > 2 else NEVER
        self.roomy = not crowd
        self.account = Account(descending=descending and ordered, ordered=ordered)
        self.service = ModelService([], cap=self.cap, base=base[0], page_zero=base[1], grain=grain)
        self.session = ServiceFacts(smallest_cap=1)
        self.gone: list[Row] = []
        self.failures, self.lies, self.stops, self.pulls = FAILURES, LIES, STOPS, 0
        self.ended = self.changed = False
        for ms in [*first, *[START + 2_000] * crowd]:
            self.put(ms, from_the_start=True)
        self.resume(Partition(ScheduleType.MANUAL, self.scan([(START, START + LENGTH)])))

    # What happens to the rows

    @rule(ms=instants)
    def insert(self, ms: int) -> None:
        self.changed = True
        self.put(ms)

    @precondition(lambda self: self.service.rows)
    @rule(place=places)
    def delete(self, place: int) -> None:
        self.take(self.service.rows[place % len(self.service.rows)])

    @precondition(lambda self: self.gone)
    @rule(place=places)
    def come_back(self, place: int) -> None:
        row = self.gone.pop(place % len(self.gone))
        if self.fits(row[0]):
            self.service.rows = sorted([*self.service.rows, row])

    # What happens to the requests

    @precondition(lambda self: self.under_way)
    @rule(place=places)
    def answer(self, place: int) -> None:
        self.answered(self.pop(place))

    @precondition(lambda self: self.under_way and self.failures)
    @rule(place=places, late=st.booleans())
    def fail(self, place: int, late: bool) -> None:
        self.failures -= 1
        asker, ask = self.pop(place)
        # Before the first page is found, a fault cannot be told from the refusal of a page number.
        late = late or self.session.first_page is None
        asker.failed(ask, TimedOut("late") if late else ServerFault(62109, "internal exception"))
        self.ask()

    @precondition(lambda self: self.under_way and self.lies)
    @rule(place=places)
    def lie(self, place: int) -> None:
        self.lies -= 1
        asker, ask = self.pop(place)
        asker.received(ask, ModelPage([], []))
        self.ask()

    # What the consumer does

    @precondition(lambda self: not self.ended)
    @rule()
    def pull(self) -> None:
        self.pulled()

    @precondition(lambda self: not self.ended and self.stops)
    @rule(place=places, forgets=st.booleans())
    def stop_and_go_on(self, place: int, forgets: bool) -> None:
        self.stops -= 1
        rows, begun, all_handed = self.next_rows(), False, True
        if isinstance(rows, RawRows):  # nobody takes a part of it
            self.hand_out_undecoded(rows)
        elif isinstance(rows, list) and rows:  # all of a batch may have been handed out before
            handed = rows[: place % len(rows) + 1]
            self.hand_out(handed)
            begun, all_handed = True, len(handed) == len(rows)
        if rows is DONE or self.ended:
            return
        left = self.partitions.remaining(self.last, begun=begun, all_handed=all_handed)
        if forgets:
            self.session = ServiceFacts(smallest_cap=1)
        handed_in = {
            (~one.after[0] if self.account.descending else one.after[0]): one.after[1]
            for one in left
            if one.after
        }
        windows = [(one.from_ms, one.to_ms) for one in left]
        self.resume(Partition(ScheduleType.MANUAL, self.scan(windows), handed_in))

    # What has to hold

    @invariant()
    def everything_given_was_there_is_given_once_and_is_in_order(self) -> None:
        wrong = self.account.wrong(ended=False)
        assert not wrong, wrong

    def teardown(self) -> None:
        if not hasattr(self, "partitions"):
            return
        most = len(self.service.asked) + MOST_ASKS
        while not self.ended:
            self.pulled()
            if not self.ended and self.under_way:
                assert len(self.service.asked) < most, f"{self.partitions.partitions} do not come to an end"
                self.answered(self.pop(0))
        if isinstance(self.error, CompletenessError):
            assert self.changed or self.lies < LIES or not self.roomy, (
                f"nothing is in its way: {self.error!r}"
            )
        elif self.error is not None:
            assert self.failures < FAILURES, f"nothing has failed: {self.error!r}"
        wrong = self.account.wrong(ended=self.error is None)
        assert not wrong, f"{wrong} (ends with {self.error!r})"

    # How it is done

    def put(self, ms: int, *, from_the_start: bool = False) -> None:
        if (from_the_start and not self.roomy) or self.fits(ms):
            number = len(self.account.when)
            row = ms, f"{number * 7 % 10}-{number:04d}"
            self.service.rows = sorted([*self.service.rows, row])
            self.account.comes(row, from_the_start=from_the_start)

    def fits(self, ms: int) -> bool:
        """Tell whether a second has room for one more row, so that it still fits a page."""
        return sum(one // 1000 == ms // 1000 for one, _ in self.service.rows) + 1 < min(self.size, self.cap)

    def take(self, row: Row) -> None:
        self.changed = True
        self.service.rows.remove(row)
        self.account.goes(row)
        self.gone.append(row)

    def scan(self, windows: list[tuple[int, int]]) -> KeysetScan:
        return KeysetScan(
            windows, service=self.session, descending=self.account.descending, ordered=self.account.ordered,
            page_size=self.size, concurrency=self.slots, buffer=self.buffer,
        )  # fmt: skip

    def resume(self, partition: Partition) -> None:
        self.partitions = PartitionedScan(
            [partition], ordered=self.account.ordered, descending=self.account.descending
        )
        self.partitions.set_zone(UTC)
        if self.most is not None:
            self.partitions.hand_out_at_most(self.most)
        self.under_way: list[tuple[Requester, PageRequest]] = []
        self.last: FlowInstance | None = None
        self.error: AioflowsError | None = None
        self.ask()

    def ask(self) -> None:
        self.under_way += self.partitions.wanted(self.slots - len(self.under_way))

    def pop(self, place: int) -> tuple[Requester, PageRequest]:
        return self.under_way.pop(place % len(self.under_way))

    def answered(self, asked: tuple[Requester, PageRequest]) -> None:
        asker, ask = asked
        try:
            page = self.service.answer(ask)
        except AioflowsError as error:
            asker.failed(ask, error)
        else:
            asker.received(ask, page)
        self.ask()

    def pulled(self) -> None:
        rows = self.next_rows()
        if isinstance(rows, RawRows):
            self.hand_out_undecoded(rows)
        elif isinstance(rows, list) and rows:  # all of a batch may have been handed out before
            self.hand_out(rows)
        elif rows is NEED_PAGES and not self.ended:
            assert self.under_way, f"{self.partitions.partitions} need pages and ask for none"

    def next_rows(self) -> Rows | RawRows:
        """Take what is there; the scan's error ends it."""
        self.pulls += 1
        rows: Rows | RawRows
        try:
            rows = self.partitions.next_raw() if self.pulls % 2 else self.partitions.next_rows()
        except (CompletenessError, TimedOut, ServerFault) as error:
            rows, self.error = DONE, error
        self.ended = rows is DONE
        self.ask()
        return rows

    def hand_out(self, rows: list[FlowInstance]) -> None:
        self.account.got += [row.instance_id for row in rows]
        self.last = rows[-1]

    def hand_out_undecoded(self, rows: RawRows) -> None:
        self.hand_out(rows.read())
        read, self.last = self.last, rows.last
        assert read is not None
        assert (read.instance_id, read.trigger_time) == (self.last.instance_id, self.last.trigger_time)


TestReading = Reading.TestCase
TestReading.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
