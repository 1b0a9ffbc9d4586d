"""The polls of all waits: few requests, and every instance looked at, whatever the service shows."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioflows._core.wait.looks import InstanceLook, Look, WindowLook
from aioflows._core.wait.shared_poll import SharedPoll

FINAL = frozenset({-1, 1, 4, 7, 8, 10})
DAY = 86_400_000


@attrs.define
class Service:
    """Rows by their ids (schedule type, trigger time, status), and how pages of them are answered."""

    rows: Mapping[str, tuple[int, int, int]]
    cap: int = 10_000
    refuses_above: int = 10_000
    hides: frozenset[str] = frozenset()
    """What no search shows."""

    def answer(self, plan: SharedPoll, look: Look) -> list[str]:
        """Feed the answer to a request; return the watched ids that it shows."""
        if isinstance(look, InstanceLook):
            if look.instance_id not in self.rows:
                plan.unknown(look.instance_id)
                return []
            plan.shown((look.instance_id, self.rows[look.instance_id][1]))
            return [look.instance_id]
        if look.page_size > self.refuses_above:
            plan.failed()
            return []
        found = sorted(
            (at, name)
            for name, (type, at, status) in self.rows.items()
            if type == look.type
            and look.from_ms <= at < look.to_ms
            and (not look.status or status in look.status)
            and name not in self.hides
        )[: min(self.cap, look.page_size)]
        watched = [(name, at) for at, name in found if name in plan.instance_ids]
        rows = watched if not found or found[-1][1] in plan.instance_ids else [*watched, found[-1][::-1]]
        plan.page(rows, len(found), last=len(found) < look.page_size)
        return [name for name, _ in watched]


def poll(plan: SharedPoll, service: Service, shown: set[str], budget: int = 3) -> list[Look]:
    """One poll; adds the ids that it shows, and returns its requests."""
    plan.begin(budget, {FINAL})
    looks = []
    while (look := plan.look()) is not None:
        looks.append(look)
        shown.update(service.answer(plan, look))
    return looks


def one_round(plan: SharedPoll, service: Service) -> tuple[set[str], list[list[Look]]]:
    shown: set[str] = set()
    polls = [poll(plan, service, shown)]
    while not plan.round_over:
        polls.append(poll(plan, service, shown))
    return shown, polls


def watching(service: Service, names: list[str], *, hints: bool = True, page_size: int = 500) -> SharedPoll:
    plan = SharedPoll(page_size)
    for name in names:
        plan.watch(name, service.rows[name][1] if hints and name in service.rows else None)
    return plan


def running(
    number: int, *, apart: int = 1_000, type: int = 1, first: int = 0
) -> dict[str, tuple[int, int, int]]:
    return {f"{type}-{at}": (type, DAY + first + at * apart, 2) for at in range(number)}


@pytest.mark.parametrize("hints", [True, False])
def test_a_thousand_instances_of_each_type_are_shown_by_one_request_a_poll_and_type(hints: bool) -> None:
    rows = running(1_000) | running(1_000, type=0) | running(1_000, type=2)
    service = Service(rows)
    plan = watching(service, list(rows), hints=hints)
    one_round(plan, service)
    shown, polls = one_round(plan, service)
    assert (shown, len(polls), len(polls[0])) == (set(rows), 1, 3)


def test_instances_among_many_finished_ones_are_searched_for_by_the_statuses_that_keep_them_open() -> None:
    wanted = running(200, apart=100_000)
    others = {f"other-{at}": (1, DAY + at * 1_000, 1) for at in range(20_000)}
    service = Service(wanted | others)
    plan = watching(service, list(wanted))
    one_round(plan, service)
    _, polls = one_round(plan, service)
    (look,) = polls[0]
    assert isinstance(look, WindowLook)
    assert set(look.status) == set(range(-1, 11)) - FINAL


def test_few_instances_are_requested_by_their_ids() -> None:
    rows = running(3)
    service = Service(rows)
    _, polls = one_round(watching(service, list(rows)), service)
    assert polls == [[InstanceLook(name) for name in rows]]


def test_an_instance_that_is_waited_for_again_is_looked_at_again_in_the_same_round() -> None:
    rows = running(2)
    service = Service(rows)
    plan = watching(service, list(rows))
    plan.begin(3, {FINAL})
    for _ in range(2):
        look = plan.look()
        assert look is not None
        service.answer(plan, look)
    plan.watch("1-0", None)
    assert plan.look() == InstanceLook("1-0")


ROWS = st.dictionaries(
    st.integers(0, 40).map(str),
    st.tuples(st.integers(0, 2), st.integers(DAY, DAY + 30).map(lambda at: at * 1_000), st.integers(-1, 10)),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(
    ROWS,
    st.sets(st.integers(0, 45).map(str), min_size=1),
    st.integers(1, 12),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sets(st.integers(0, 40).map(str)),
    st.booleans(),
)
def test_each_round_shows_every_instance_that_exists_and_no_poll_has_more_requests_than_its_budget(
    rows: dict[str, tuple[int, int, int]],
    names: set[str],
    page_size: int,
    cap: int,
    refuses_above: int,
    hides: set[str],
    hints: bool,
) -> None:
    service = Service(rows, cap, max(refuses_above, 1), frozenset(hides))
    plan = watching(service, sorted(names), hints=hints, page_size=page_size)
    for _ in range(3):
        shown, polls = one_round(plan, service)
        assert shown == names & rows.keys()
        assert all(len(looks) <= 3 for looks in polls)
