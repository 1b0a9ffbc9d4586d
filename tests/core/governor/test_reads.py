"""What a governor knows of windows: whether they tile the range that was asked for, each counted once."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from aioflows._core.governor.frames import BadFrame, WindowReport
from aioflows._core.governor.reads import Reads
from aioflows.stats import Proof


def window(begin: int, end: int, rows: int = 10, query: str = "q") -> WindowReport:
    return WindowReport(query, begin, end, rows, 3, {"first page": 2, "short page": 1})


def reads_of(*windows: WindowReport, asked: tuple[int, int] | None = (0, 100)) -> Reads:
    reads = Reads()
    if asked is not None:
        reads.announce("q", *asked)
    for one in windows:
        reads.add(one)
    return reads


def test_windows_in_any_order_that_tile_the_range_are_right() -> None:
    rng = Random(1)
    for _ in range(200):
        bounds = [0, *sorted(rng.sample(range(1, 100), rng.randrange(9))), 100]
        windows = [window(begin, end, rng.randrange(50)) for begin, end in pairwise(bounds)]
        shuffled = rng.sample(windows, len(windows))
        account = reads_of(*shuffled).account(9, 1)
        assert account.ok
        assert [one.from_ms for one in account.windows] == bounds[:-1]
        assert account.rows == sum(one.rows for one in windows)
        assert (account.requests, account.refused) == (9, 1)
        lost = rng.choice(windows)
        assert reads_of(*(one for one in shuffled if one is not lost)).account(0, 0).missing == (
            (lost.from_ms, lost.to_ms),
        ) or (len(windows) == 1)


def test_a_window_that_was_read_again_counts_once() -> None:
    account = reads_of(window(0, 50, 7), window(50, 100), window(0, 50, 8)).account(0, 0)
    assert account.ok
    assert account.rows == 18
    assert account.windows[0].proofs == {Proof.FIRST_PAGE: 2, Proof.SHORT_PAGE: 1}


def test_windows_that_overlap_are_named() -> None:
    account = reads_of(window(0, 60), window(50, 100)).account(0, 0)
    assert not account.ok
    assert account.overlapping == ((50, 60),)


def test_parts_that_no_window_covers_are_named() -> None:
    account = reads_of(window(10, 40), window(50, 90)).account(0, 0)
    assert not account.ok
    assert account.missing == ((0, 10), (40, 50), (90, 100))


def test_nothing_that_was_read_is_not_right() -> None:
    assert not Reads().account(0, 0).ok
    assert reads_of().account(0, 0).missing == ((0, 100),)


def test_a_range_that_is_announced_again_begins_anew() -> None:
    reads = reads_of(window(0, 40), window(40, 100))
    reads.announce("q", 0, 100)
    assert not reads.account(0, 0).ok
    reads.add(window(0, 70))
    reads.add(window(70, 100))
    assert reads.account(0, 0).ok


def test_queries_that_differ_in_more_than_their_range_are_told_apart() -> None:
    reads = reads_of(window(0, 100), window(0, 100, 5, "other"))
    reads.announce("other", 0, 200)
    assert reads.account(0, 0).missing == ((0, 200),)
    reads.add(window(0, 200, 6, "other"))
    account = reads.account(0, 0)
    assert account.missing == ()
    assert len(account.windows) == 3


def test_windows_of_a_range_that_nothing_announced_are_to_leave_no_gap() -> None:
    assert reads_of(window(5, 40), window(40, 60), asked=None).account(0, 0).ok
    assert reads_of(window(5, 40), window(50, 60), asked=None).account(0, 0).missing == ((40, 50),)


def test_an_empty_range_is_right_once_it_was_read() -> None:
    assert reads_of(window(7, 7, 0), asked=(7, 7)).account(0, 0).ok


@pytest.mark.parametrize(
    "report", [window(5, 4), WindowReport("q", 0, 1, 0, 0, {"hope": 1})], ids=["ends", "proof"]
)
def test_a_window_that_cannot_be_is_refused(report: WindowReport) -> None:
    with pytest.raises(BadFrame):
        Reads().add(report)
