"""What a follow makes of a service in which instances show late, change, and go, whenever it looks and however it fails."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioflows import FlowInstance, FlowStatus, QueryError
from aioflows._core.follow.poll_steps import DONE, TIME, LightPoll, Read, Wait
from aioflows._core.follow.poll_timing import PollTiming
from aioflows._core.follow.polling import FollowMachine
from aioflows._core.follow.seen_instances import FINISHED, UNFINISHED
from aioflows.checkpoint import FollowCheckpoint

BASE = 1_735_689_600_000
START, END = BASE + 10_500, BASE + 90_250
FAR = BASE + 10_000_000
UNSETTLED = sorted(UNFINISHED)
SETTLED = sorted(FINISHED)


@attrs.frozen
class Life:
    """An instance of the model: when it was triggered, when it shows, and what becomes of it."""

    id: str
    trigger: int
    shows: int
    turns: tuple[tuple[int, int], ...]  # moments and statuses, the last of them finished

    def at(self, now: int) -> int | None:
        """Its status, or None while it does not show."""
        return None if now < self.shows else [code for since, code in self.turns if since <= now][-1]

    def row(self, status: int) -> FlowInstance:
        shown = datetime.fromtimestamp(self.trigger // 1000, UTC)
        return FlowInstance(self.id, trigger_time=shown, status=FlowStatus(status))


@attrs.define
class Service:
    """All instances, and the time."""

    lives: list[Life]
    now: int = START

    def page(self, read: Read | LightPoll) -> list[FlowInstance]:
        """What a read gives at this moment, in order."""
        found = [
            (life.trigger // 1000, life.id, life.row(status))
            for life in self.lives
            if read.from_ms <= life.trigger < read.to_ms and (status := life.at(self.now)) is not None
            if not read.status or status in read.status
        ]
        return [row for _, _, row in sorted(found, key=lambda one: one[:2])]


@st.composite
def lives(draw: st.DrawFn, settle: int) -> list[Life]:
    made = []
    for number in range(draw(st.integers(0, 12))):
        trigger = draw(st.integers(BASE, END + 5_000))
        shows = trigger + draw(st.integers(0, settle))
        turns, moment = [], shows - draw(st.integers(0, 1_000))
        for status in draw(st.lists(st.sampled_from(UNSETTLED), max_size=3)):
            turns.append((moment, int(status)))
            moment += draw(st.integers(1, 40_000))
        turns.append((moment, int(draw(st.sampled_from(SETTLED)))))
        made.append(Life(f"{number}-x", trigger, shows, tuple(turns)))
    return made


@attrs.define
class Run:
    """A follow beside its service, driven by what was drawn."""

    service: Service
    chance: random.Random
    follow: FollowMachine
    got: list[FlowInstance] = attrs.field(factory=list)
    known: int = 0

    def to_the_end(self, again: bool) -> Iterator[FollowCheckpoint]:
        """Drives it; where it may be stopped and resumed, gives its checkpoint."""
        part: list[FlowInstance] = []
        rows: list[FlowInstance] | None = None
        for _ in range(5_000):
            if again and self.chance.random() < 0.1:
                yield FollowCheckpoint.from_json(self.follow.checkpoint("f").to_json())
                rows = None
            row = self.follow.next_instance()
            if row is not None:
                self.got.append(row)
                continue
            self.known = max(self.known, self.follow.stats.known)
            step = self.follow.step()
            assert step == self.follow.step()
            fails = again and self.chance.random() < 0.07
            if step is DONE:
                return
            if fails and not isinstance(step, Wait):
                self.follow.failed()
                rows = None
            elif step is TIME:
                self.service.now += self.chance.randint(0, 50)
                self.follow.told_time(self.service.now)
            elif isinstance(step, Wait):
                self.service.now += int(step.seconds * 1000)
                self.follow.waited()
            elif isinstance(step, LightPoll):
                self.service.now += self.chance.randint(0, 50)
                # It may be answered with nothing, in part, or not at all.
                shown = self.chance.choice([1, 1, 1, 0, 0.5]) if again else 1
                page = [row for row in self.service.page(step) if self.chance.random() < shown]
                self.follow.glanced(page, whole=not again or self.chance.random() >= 0.1)
            elif isinstance(step, Read):
                if rows is None:
                    rows = self.service.page(step)
                if rows:
                    size = self.chance.randint(1, 4)
                    part, rows = rows[:size], rows[size:]
                    self.follow.received(part)
                    self.service.now += 40  # answers take their time
                else:
                    rows = None
                    self.follow.read()
        raise AssertionError("it comes to no end")


def follow(
    settle: float,
    *,
    changes: bool = False,
    status: tuple[int, ...] = (),
    resume: FollowCheckpoint | None = None,
    since: int | None = START,
    to: int = END,
    watch: float = 86_400.0,
) -> FollowMachine:
    pace = PollTiming(settle, watch, 1.0, 10.0)
    return FollowMachine(since, BASE, to, status=status, changes=changes, pace=pace, resume=resume)


def run(
    world: tuple[int, list[Life]], seed: int, *, changes: bool = False, status: tuple[int, ...] = ()
) -> Run:
    settle, alive = world
    here = Run(Service(alive), random.Random(seed), follow(settle / 1000, changes=changes, status=status))
    for checkpoint in here.to_the_end(again=seed > 0):
        here.follow = follow(settle / 1000, changes=changes, status=status, resume=checkpoint)
        here.service.now += here.chance.randint(0, 30_000)
    return here


WORLDS = st.sampled_from([0, 700, 5_000, 30_000]).flatmap(
    lambda settle: st.tuples(st.just(settle), lives(settle))
)
SEEDS = st.integers(0, 2**32)
"""0: it is never stopped, and nothing fails."""


@settings(max_examples=150, deadline=None)
@given(WORLDS, SEEDS)
def test_each_instance_that_shows_within_the_margin_is_given_once(
    world: tuple[int, list[Life]], seed: int
) -> None:
    here = run(world, seed)
    expected = sorted(life.id for life in here.service.lives if START <= life.trigger < END)
    assert sorted(row.instance_id for row in here.got) == expected


@settings(max_examples=150, deadline=None)
@given(WORLDS, SEEDS)
def test_changes_are_given_in_their_order_up_to_the_last(world: tuple[int, list[Life]], seed: int) -> None:
    here = run(world, seed, changes=True)
    for life in here.service.lives:
        told = [row.status for row in here.got if row.instance_id == life.id]
        if not START <= life.trigger < END:
            assert not told
            continue
        history = iter(code for _, code in life.turns)
        assert all(any(code == status for code in history) for status in told), "not in their order"
        assert all(one != next for one, next in pairwise(told)), "twice"
        assert told[-1] == life.turns[-1][1]


@settings(max_examples=150, deadline=None)
@given(WORLDS, SEEDS, st.sampled_from(SETTLED))
def test_with_statuses_each_instance_is_given_once_when_it_comes_to_one_of_them(
    world: tuple[int, list[Life]], seed: int, status: FlowStatus
) -> None:
    here = run(world, seed, status=(int(status),))
    expected = sorted(
        life.id for life in here.service.lives if START <= life.trigger < END and life.turns[-1][1] == status
    )
    assert sorted(row.instance_id for row in here.got) == expected
    assert {row.status for row in here.got} <= {status}


def instance(name: str, second: int, status: FlowStatus = FlowStatus.SUCCESS) -> Life:
    trigger = BASE + second * 1000
    return Life(name, trigger, trigger, ((trigger, int(status)),))


def poll(machine: FollowMachine, service: Service) -> list[str]:
    """Makes one poll, and gives what it brought."""
    got: list[str] = []
    while True:
        while (row := machine.next_instance()) is not None:
            got.append(row.instance_id)
        step = machine.step()
        if step is TIME:
            machine.told_time(service.now)
        elif isinstance(step, Read):
            machine.received(service.page(step))
            machine.read()
        elif isinstance(step, LightPoll):
            machine.glanced(service.page(step))
        else:
            if isinstance(step, Wait):
                machine.waited()
            return got


def test_memory_is_that_of_one_margin() -> None:
    service = Service([instance(f"{second}", second) for second in range(12, 5_000)])
    machine = follow(30.0, to=FAR)
    most, got = 0, []
    for _ in range(500):
        service.now += 10_000
        got += poll(machine, service)
        most = max(most, machine.stats.known)
    assert got == [f"{second}" for second in range(12, 5_000)]
    assert most <= 30 + 10 + 2


def catch_up(machine: FollowMachine, service: Service) -> tuple[int, int]:
    """Makes one poll in pages of 100; gives how many rows it brought, and the most that were known meanwhile."""
    got = most = 0
    rows: list[FlowInstance] | None = None
    while not isinstance(step := machine.step(), Wait):
        if step is TIME:
            machine.told_time(service.now)
            continue
        assert isinstance(step, Read)
        rows = service.page(step) if rows is None else rows
        if rows:
            machine.received(rows[:100])
            rows = rows[100:]
        else:
            machine.read()
            rows = None
        while machine.next_instance() is not None:
            got += 1
        most = max(most, machine.stats.known)
    machine.waited()
    return got, most


def test_a_long_past_is_not_kept_in_memory_either() -> None:
    many = [instance(f"{minute}", minute * 60) for minute in range(1, 10_000)]
    service = Service(many, now=BASE + 10_000 * 60_000)
    got, most = catch_up(follow(30.0, since=BASE, to=BASE + 10**12), service)
    assert got == len(many)
    assert most <= 100 + 2 * 3 * 60 + 2


def test_what_is_unfinished_since_long_is_watched_though_all_else_of_its_time_is_forgotten() -> None:
    old = instance("old", 61, FlowStatus.RUNNING)
    many = [instance(f"{minute}", minute * 60) for minute in range(2, 1_000)]
    service = Service([old, *many], now=BASE + 1_000 * 60_000)
    machine = follow(30.0, since=BASE, to=FAR * 2, changes=True)
    assert catch_up(machine, service)[0] == 999
    service.lives[0] = attrs.evolve(old, turns=((old.trigger, int(FlowStatus.SUCCESS)),))
    service.now += 30_000
    assert poll(machine, service) == ["old"]
    assert machine.stats.watched == 0


def test_what_never_finishes_is_watched_for_as_long_as_was_asked_for() -> None:
    service = Service([instance("stuck", 20, FlowStatus.WAIT)])
    machine = follow(5.0, changes=True, to=BASE + 60_000, watch=600.0)
    steps = 0
    while machine.step() is not DONE:
        service.now += 30_000
        poll(machine, service)
        steps += 1
    assert machine.stats.given_up == 1
    assert 600 <= steps * 30 <= 700


def test_what_is_deleted_is_watched_no_longer() -> None:
    service = Service([instance("gone", 20, FlowStatus.RUNNING)])
    machine = follow(5.0, changes=True, to=BASE + 60_000)
    service.now += 30_000
    assert poll(machine, service) == ["gone"]
    service.lives.clear()
    for _ in range(3):
        service.now += 30_000
        poll(machine, service)
    assert machine.stats.watched == 0
    assert machine.step() is DONE


def test_a_status_without_a_name_is_watched_and_told() -> None:
    service = Service([instance("odd", 20, FlowStatus.RUNNING)])
    machine = follow(5.0, changes=True, to=FAR)
    service.now += 60_000
    assert poll(machine, service) == ["odd"]
    read = []
    machine.told_time(service.now + 60_000)
    while isinstance(step := machine.step(), Read):
        read.append(step)
        if not step.status and not step.fresh:
            shown = datetime.fromtimestamp(BASE / 1000 + 20, UTC)
            machine.received([FlowInstance("odd", trigger_time=shown, status=17)])
        machine.read()
        if machine.next_instance() is not None:
            break
    assert [bool(one.status) for one in read] == [False, True, False]
    assert machine.stats.watched == 1


def test_waits_grow_while_nothing_comes_and_shrink_while_something_does() -> None:
    service = Service([])
    machine = follow(5.0, to=FAR)
    waits = []
    for number in range(12):
        service.now += 10_000
        if number >= 8:
            service.lives.append(instance(f"{number}", (service.now - BASE) // 1000 - 1))
        poll(machine, service)
        waits.append(machine.stats.wait)
    assert waits == [1.5, 2.25, 3.375, 5.0625, 7.59375, 10, 10, 10, 5, 2.5, 1.25, 1]


def steps(machine: FollowMachine, service: Service, shown: bool) -> list[object]:
    """Makes one poll, whose glances show all there is or nothing, and gives its steps."""
    made: list[object] = []
    while not isinstance(step := machine.step(), Wait):
        if step is TIME:
            machine.told_time(service.now)
        elif isinstance(step, LightPoll):
            machine.glanced(service.page(step) if shown else [])
            made.append(LightPoll)
        elif isinstance(step, Read):
            machine.received(service.page(step))
            machine.read()
            made.append(Read)
        while machine.next_instance() is not None:
            pass
    machine.waited()
    return made


def test_a_glance_settles_nothing_and_what_it_was_not_shown_is_found_by_the_next_whole_read() -> None:
    service = Service([])
    machine = follow(5.0, to=FAR)
    for _ in range(40):
        service.now += 2_000
        steps(machine, service, shown=True)
    service.lives.append(instance("hidden", (service.now - BASE) // 1000))
    settled = machine.stats.settled_ms
    glances = 0
    while steps(machine, service, shown=False) != [Read]:
        service.now += 10_000
        glances += 1
        assert machine.stats.settled_ms == settled
    assert glances > 5
    assert machine.stats.rows_yielded == 1


def test_whole_reads_grow_rare_while_nothing_comes_but_half_an_hour_is_never_without() -> None:
    service = Service([])
    machine = follow(5.0, to=FAR * 2)
    whole = []
    for poll in range(100):
        service.now += 10_000
        if steps(machine, service, shown=True) == [Read]:
            whole.append(poll)
    assert whole == [0, 2, 5, 10, 19, 36, 69]
    service.now += 1_900_000
    assert steps(machine, service, shown=True) == [Read]


def test_a_glance_that_lacks_what_is_known_or_shows_it_changed_is_followed_by_a_whole_read() -> None:
    for change in ("nothing", "gone", "turned"):
        service = Service([instance("one", 80, FlowStatus.RUNNING)], now=BASE + 81_000)
        machine = follow(600.0, changes=True, to=FAR)
        assert [steps(machine, service, shown=True) for _ in range(2)] == [[Read], [Read]]
        if change == "gone":
            service.lives.clear()
        elif change == "turned":
            service.lives = [instance("one", 80, FlowStatus.SUCCESS)]
        expected = [LightPoll] if change == "nothing" else [LightPoll, Read]
        assert steps(machine, service, shown=True) == expected, change
        assert machine.stats.rows_yielded == 1 + (change == "turned")


def test_what_a_glance_has_shown_counts_as_seen_where_the_whole_read_after_it_lacks_it() -> None:
    service = Service([])
    machine = follow(5.0, to=FAR)
    service.now += 2_000
    steps(machine, service, shown=True)
    row = instance("hidden", (service.now - BASE) // 1000)
    service.now += 2_000
    assert machine.step() is TIME
    machine.told_time(service.now)
    glance = machine.step()
    assert isinstance(glance, LightPoll)
    machine.glanced(Service([row], now=service.now).page(glance), whole=False)
    assert isinstance(machine.step(), Read)
    machine.read()
    given = machine.next_instance()
    assert given is not None
    assert given.instance_id == row.id
    assert isinstance(machine.step(), Wait)
    machine.waited()
    service.now += 2_000
    assert steps(machine, service, shown=True) == [Read]
    assert machine.stats.rows_yielded == 1


def test_a_clock_that_is_put_back_asks_for_nothing_that_was_settled() -> None:
    service = Service([instance("a", 20), instance("b", 70)])
    machine = follow(0.0, to=FAR)
    service.now = BASE + 60_000
    assert poll(machine, service) == ["a"]
    service.now = BASE + 30_000
    assert poll(machine, service) == []
    service.now = BASE + 80_000
    assert poll(machine, service) == ["b"]


def test_an_instance_that_is_dated_an_hour_early_is_given_once() -> None:
    machine = follow(30.0, to=FAR)
    row = FlowInstance(
        "odd", trigger_time=datetime.fromtimestamp(BASE / 1000 + 50, UTC) - timedelta(hours=1), status=1
    )
    got = 0
    for now in range(55, 80, 5):
        machine.told_time(BASE + now * 1000)
        while isinstance(step := machine.step(), Read):
            if step.fresh and step.from_ms <= BASE + 50_000 < step.to_ms:
                machine.received([row])
            while machine.next_instance() is not None:
                got += 1
            machine.read()
        machine.waited()
    assert got == 1


@pytest.mark.parametrize(
    "wrong",
    [(-1, 1, 1, 1), (0, -1, 1, 1), (0, 1, 0, 1), (0, 1, 2, 1), (float("nan"), 1, 1, 1), (True, 1, 1, 1)],
)
def test_a_pace_that_makes_no_sense_is_refused(wrong: tuple[float, float, float, float]) -> None:
    with pytest.raises(QueryError):
        PollTiming(*wrong)
