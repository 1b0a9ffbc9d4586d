"""Which number the first page has."""

from __future__ import annotations

from itertools import product

import pytest

from aioflows._core.pages.first_page import Outcome, Step, next_step, refusal
from aioflows.errors import (
    BadCredentials,
    Denied,
    ServerFault,
    ServiceError,
    Throttled,
    TimedOut,
    TokenExpired,
)

ROWS, EMPTY, REFUSED = Outcome


def follow(page_zero: list[Outcome], page_one: Outcome) -> tuple[Step, int]:
    """Ask a service that answers pages 0 and 1 in a given way; give the end of the trail and its length."""
    outcomes: tuple[Outcome, ...] = ()
    zero = iter(page_zero)
    number = 0
    while True:
        outcomes += (next(zero) if number == 0 else page_one,)
        step = next_step(outcomes)
        if step not in (Step.ASK_0, Step.ASK_1):
            return step, len(outcomes)
        number = 0 if step is Step.ASK_0 else 1


def test_rows_on_page_0_settle_it_at_once() -> None:
    assert follow([ROWS], ROWS) == (Step.TAKE_0, 1)


@pytest.mark.parametrize("zero", [EMPTY, REFUSED])
def test_page_1_is_the_first_only_after_page_0_brought_nothing_twice(zero: Outcome) -> None:
    assert follow([zero, zero], ROWS) == (Step.TAKE_1, 3)


@pytest.mark.parametrize(("accident", "one"), [(EMPTY, ROWS), (REFUSED, ROWS)])
def test_one_accident_on_page_0_does_not_make_page_1_the_first(accident: Outcome, one: Outcome) -> None:
    assert follow([accident, ROWS], one)[0] is Step.TAKE_0


def test_two_empty_pages_teach_nothing_about_numbers() -> None:
    assert follow([EMPTY], EMPTY) == (Step.EMPTY, 2)


def test_every_trail_ends_after_four_requests_at_most() -> None:
    for first, one, second in product(Outcome, repeat=3):
        assert follow([first, second], one)[1] <= 4


def test_where_page_0_is_refused_page_1_is_looked_at_twice_before_nothing_is_there() -> None:
    assert follow([REFUSED], EMPTY) == (Step.EMPTY, 3)


@pytest.mark.parametrize(
    "error",
    [ServerFault(62109, "internal exception"), ServiceError(1004, "parameter"), ServiceError(400, "")],
)
def test_errors_that_may_speak_of_the_page_number_are_refusals(error: ServiceError) -> None:
    assert refusal(error)


@pytest.mark.parametrize(
    "error",
    [
        Denied(62103, ""),
        BadCredentials(1002, ""),
        TokenExpired(1203, ""),
        Throttled(429, ""),
        TimedOut("late"),
    ],
)
def test_errors_that_speak_of_something_else_are_none(error: ServiceError) -> None:
    assert not refusal(error)
