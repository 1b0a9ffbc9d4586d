"""Between what is proven and what is not: a window leaves the gaps, and its rows wait to be handed out."""

from __future__ import annotations

import pytest

from aioflows._core.pages.page import Batch
from aioflows._core.planning.frontier import covered
from aioflows._core.planning.gaps import Anchor, Gap
from aioflows._core.planning.reorder_buffer import ProvenRun
from aioflows.errors import ServerFault, TimedOut
from aioflows.stats import Proof
from tests.support.desk import Desk
from tests.support.model import START, ModelPage

MINUTE = 60_000


def run(first: int, until: int, *names: str) -> ProvenRun:
    page = ModelPage(names, ["2024-01-01 00:00:00"] * len(names))
    return ProvenRun(first, until, Batch(((page, range(len(names))),)))


def desk() -> Desk:
    return Desk((START, START + MINUTE))


def test_a_proven_window_is_no_longer_unproven_and_its_rows_wait_for_what_precedes_them() -> None:
    one = desk()
    one.frontier.settle(one.gap, [run(START + 10_000, START + 20_000, "b")], Proof.FIRST_PAGE)
    assert one.unproven == [(START, START + 10_000), (START + 20_000, START + MINUTE)]
    assert one.handed_out() == []
    one.frontier.settle(one.gaps[0], [run(START, START + 10_000, "a")], Proof.FIRST_PAGE)
    assert one.handed_out() == ["a", "b"]


def test_a_window_that_could_only_be_counted_is_told_with_its_rows_and_no_other_is() -> None:
    one = desk()
    one.frontier.settle(one.gap, [run(START, START + 1000, "a", "b")], Proof.COUNTED)
    one.frontier.settle(one.gap, [run(START + 1000, START + MINUTE, "c")], Proof.FIRST_PAGE)
    assert one.frontier.counted == [(START, START + 1000, 2)]
    assert [(rows, proof) for *_, rows, proof in one.frontier.news] == [
        (2, Proof.COUNTED),
        (1, Proof.FIRST_PAGE),
    ]


def test_an_error_about_a_window_that_was_proven_meanwhile_is_kept_and_the_first_of_them_counts() -> None:
    one = desk()
    gap = one.gap
    one.frontier.settle(gap, [run(START, START + MINUTE)], Proof.EMPTY)
    first, second = TimedOut("late"), ServerFault(62109, "internal exception")
    one.frontier.fail(gap, first)
    one.frontier.fail(gap, second)
    assert one.frontier.error is first


def test_a_request_that_takes_the_place_of_another_keeps_its_gap_from_being_asked_for_twice() -> None:
    one = desk()
    ask = one.ask(START, START + MINUTE)
    again = one.ask(START, START + MINUTE, page_no=1)
    one.gap.start.ask = ask
    one.frontier.replace(ask, again)
    assert one.gap.start.ask is again
    assert one.follow_ups.next() is again
    one.frontier.finish(ask)
    assert one.gap.asked, "the answer to the first request has freed the gap"
    one.frontier.finish(again)
    assert not one.gap.asked


@pytest.mark.parametrize(
    ("first", "until", "whole"),
    [(0, 6_000, True), (0, 5_700, False), (5_200, 6_000, True), (5_300, 6_000, False), (6_000, 9_000, False)],
)
def test_a_row_at_an_edge_has_to_come_again_if_a_window_holds_all_of_its_second_that_is_unread(
    first: int, until: int, whole: bool
) -> None:
    gap = Gap(5_200, 9_000, 0.0)
    one = desk()
    gap.start.anchor = Anchor(5, frozenset({"a"}), one.ask(START, START + 1000), 1)
    assert covered(gap, first, until) == ([gap.start.anchor] if whole else [])
