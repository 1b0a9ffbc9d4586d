"""What a governor knows of windows: whether they tile the range that was asked for, each counted once."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from aioflows._core.governor.frames import BadFrame, WindowReport
from aioflows._core.governor.reads import Reads
from aioflows.stats import Proof


def window(begin: int, end: int, rows: int = 10, query: str = "q", source: str = "") -> WindowReport:
    return WindowReport(query, begin, end, rows, 3, {"first page": 2, "short page": 1}, source)


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


def test_windows_of_a_range_that_nothing_announced_prove_nothing() -> None:
    account = reads_of(window(5, 40), window(50, 60), asked=None).account(0, 0)
    assert not account.ok
    assert (len(account.windows), account.rows, account.missing) == (2, 20, ())


def test_other_windows_do_not_make_an_announced_range_wrong() -> None:
    reads = reads_of(window(0, 100), window(500, 600), window(550, 650), window(3, 9, 5, "other"))
    account = reads.account(0, 0)
    assert account.ok
    assert account.announced == ((0, 100),)


def test_an_empty_range_is_right() -> None:
    assert reads_of(window(7, 7, 0), asked=(7, 7)).account(0, 0).ok
    assert reads_of(asked=(7, 7)).account(0, 0).ok


def test_windows_of_another_service_or_user_do_not_fill_a_gap() -> None:
    reads = reads_of(asked=None)
    reads.announce("q", 0, 100, "one")
    reads.announce("q", 0, 100, "two")
    reads.add(window(0, 100, source="one"))
    assert reads.account(0, 0).missing == ((0, 100),)
    reads.add(window(0, 100, 7, source="two"))
    account = reads.account(0, 0)
    assert account.ok
    assert account.rows == 17


def test_a_range_that_was_announced_without_a_user_is_that_of_its_first_window() -> None:
    reads = reads_of(window(0, 40, source="one"), window(40, 100, source="two"))
    assert reads.account(0, 0).missing == ((40, 100),)
    reads.add(window(40, 100, source="one"))
    assert reads.account(0, 0).ok
    assert reads.account(0, 0).rows == 30


def test_a_stream_without_end_needs_no_more_and_no_more_memory() -> None:
    reads = Reads(most=50)
    for begin in range(0, 3_000, 3):
        reads.announce("q", begin, begin + 3, "one")
        for part in range(begin, begin + 3):
            reads.add(window(part, part + 1, 2, source="one"))
        reads.add(window(begin, begin + 1, 1, "unannounced"))
    account = reads.account(0, 0)
    assert account.ok
    assert account.rows == 7_000
    assert len(account.windows) <= 60
    assert account.announced[0][0] == 0
    assert len(account.announced) <= 60
    assert account.windows[-1].to_ms == 3_000


def test_a_gap_is_not_forgotten() -> None:
    reads = Reads(most=50)
    for begin in range(0, 900, 3):
        reads.announce("q", begin, begin + 3)
        reads.add(window(begin, begin + (2 if begin == 300 else 3)))
    assert reads.account(0, 0).missing == ((302, 303),)


@pytest.mark.parametrize(
    "report", [window(5, 4), WindowReport("q", 0, 1, 0, 0, {"hope": 1})], ids=["ends", "proof"]
)
def test_a_window_that_cannot_be_is_refused(report: WindowReport) -> None:
    with pytest.raises(BadFrame):
        Reads().add(report)
