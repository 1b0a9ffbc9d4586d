"""Services that are drawn at random, read by the real client: nothing is lost in silence, and there is no false alarm."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.random_worlds import run, summarize
from tests.support.worlds.draw import START, Query, World, draw
from tests.support.worlds.judge import Ending, how_read, judge, unreadable, untellable
from tests.support.worlds.lies import LIES, Heard
from tests.support.worlds.play import Given, Played, play
from tests.support.worlds.service import DAY, Quirks, Row

SLICE = 15
LONG = 1_000


_MOST_SILENT = 0.05
"""The share of worlds that may lose a row without a word. What is left of them: rights that are applied after paging where
runs of rows that nobody may see are longer than a page, and numbers of pages that change between two scans of a session."""

_MOST_ALARMS = 0.12
"""The share of worlds that may end with an error, or not at all, though some set of requests can read them."""


def _check(first: int, worlds: int, *, dishonest: bool = False) -> None:
    summary = summarize(run(seed, dishonest=dishonest) for seed in range(first, first + worlds))
    silent = [one for one in summary.bad if one.judged.ending is Ending.SILENT]
    told = "\n".join(
        f"--seed {one.seed} {one.judged.ending.value}: {one.judged.why}\n    {one.world}"
        for one in summary.bad
    )
    assert len(silent) <= max(3, _MOST_SILENT * worlds * (2 if dishonest else 1)), told
    assert len(summary.bad) - len(silent) <= max(3, _MOST_ALARMS * worlds), told


def test_a_slice_of_honest_worlds_is_read() -> None:
    """Of fifteen services with any mixture of quirks, nearly all are read exactly, where some set of requests can."""
    _check(0, SLICE)


def test_a_slice_of_dishonest_worlds_is_not_believed() -> None:
    """Of fifteen services that lie, nearly all make an error, and lose nothing without a word."""
    _check(0, SLICE, dishonest=True)


@pytest.mark.long
def test_honest_worlds_are_read() -> None:
    """Of a thousand services with any mixture of quirks, nearly all are read exactly, where some set of requests can."""
    _check(0, LONG)


@pytest.mark.long
def test_dishonest_worlds_are_not_believed() -> None:
    """Of a thousand services that lie, nearly all make an error, and lose nothing without a word."""
    _check(0, LONG, dishonest=True)


class TestTheJudgeItself:
    """What a judge is worth: that it sees what is wrong."""

    @pytest.mark.long
    def test_a_seed_draws_the_same_world_again(self) -> None:
        """A seed draws the same world, and each request of it is sent and answered in the same turn, each time."""
        for seed in range(12):
            assert str(draw(seed)) == str(draw(seed))
            one, again = play(draw(seed)), play(draw(seed))
            for played, other in zip(one, again, strict=True):
                assert [heard.asked for heard in played.heard] == [heard.asked for heard in other.heard]
                assert played.given == other.given
                assert str(played.error) == str(other.error)

    @pytest.mark.parametrize("harm", ["lost", "twice", "alien", "misplaced", "misdated"])
    def test_a_row_that_is_wrong_is_seen(self, harm: str) -> None:
        """A row lost, handed out twice, never matching, misplaced or misdated makes a world silent, wherever it stands."""
        world = draw(_plain_seed())
        played = play(world)
        assert judge(world, played).ending is Ending.EXACT
        given = played[0].given
        for at in (0, len(given) // 2, len(given) - 1):
            changed = list(given)
            if harm == "lost":
                del changed[at]
            elif harm == "twice":
                changed.insert(at, changed[at])
            elif harm == "alien":
                changed.insert(at, Given("9-nowhere", changed[at].ms))
            elif harm == "misplaced":
                changed.insert(len(changed) - 1 - at if at != len(changed) // 2 else 0, changed.pop(at))
            else:
                changed[at] = Given(changed[at].id, changed[at].ms + 60_000)
            assert judge(world, [Played(changed), *played[1:]]).ending is Ending.SILENT, (harm, at)


class TestUnreadable:
    """When no set of requests can read a service: strictly then."""

    def test_an_instant_deeper_than_pages_reach_needs_texts(self) -> None:
        """An instant of more rows than pages reach is read by texts of its ids, and not where the query has its own text."""
        world = _instant(100, depth=20)
        assert how_read(world) == ("texts of ids", None)
        asked = replace(world, query=replace(world.query, expression="2"))
        assert "100 rows" in (unreadable(asked) or "")

    def test_an_instant_is_read_status_by_status(self) -> None:
        """Where no status has more rows than pages reach, the statuses are asked for one by one; a single status is not."""
        world = _instant(100, depth=60, statuses=(1, -1))
        asked = replace(world, query=replace(world.query, expression="2"))
        assert how_read(asked) == ("status by status", None)
        one = _instant(130, depth=60)
        only = replace(one, query=replace(one.query, expression="2", status=(1,)))
        assert unreadable(only) is not None

    def test_an_instant_is_read_from_both_ends(self) -> None:
        """Where the first and the last rows of an order overlap, nothing is between them; where they do not, something may be."""
        for rows, readable in ((39, True), (40, False)):
            world = _instant(rows, depth=20, ties_fall=True)
            asked = replace(world, query=replace(world.query, expression="2", status=(1,)))
            assert (unreadable(asked) is None) is readable

    def test_what_lies_behind_a_limit_is_not_needed(self) -> None:
        """An instant that cannot be read matters only where the limit reaches it."""
        world = _instant(100, depth=20)
        early = replace(world.rows[0], ms=world.rows[0].ms - 60_000, id="2-early")
        rows = [early, *(replace(row, number=row.number + 1) for row in world.rows)]
        query = replace(world.query, expression="2")
        for limit, readable in ((1, True), (2, False)):
            asked = replace(world, rows=rows, query=query, reader=replace(world.reader, limit=limit))
            assert (unreadable(asked) is None) is readable

    def test_a_total_that_nobody_can_reach_is_a_reason(self) -> None:
        """A total that counts rows which the user may not see agrees with no end."""
        world = _instant(30, depth=100, rights=True, count="total", raw_total=True)
        assert unreadable(world) is None
        world.rows[3].visible = False
        assert "total" in (unreadable(world) or "")


class TestUntellable:
    """When nothing told a lie from the truth."""

    @pytest.mark.parametrize(
        ("due", "told", "counted", "excused"),
        [
            (1, "false empty answers", 0, False),
            (2, "false empty answers", 0, False),
            (3, "false empty answers", 0, True),
            (3, "false empty answers", 30, False),
            (3, "ignores from", 0, False),
        ],
    )
    def test_a_row_is_excused_after_three_lies_that_agree(
        self, due: int, told: str, counted: int, *, excused: bool
    ) -> None:
        """A row that three answers left out at random is excused; not where fewer did, a count says more, or it is no chance."""
        world = _instant(30, depth=100)
        lie = LIES[told].drawn(Random(1))
        world.lies = (lie,)
        asked = {"type": 1, "fromTriggerTime": START, "toTriggerTime": START + 1}
        heard = [Heard(asked, list(world.rows), [], 200, "", counted, (lie,)) for _ in range(due)]
        assert (untellable(world, 0, Played(heard=heard), world.rows) is not None) is excused

    def test_a_row_that_came_is_never_excused(self) -> None:
        """A row that any answer showed is lost by the client alone."""
        world = _instant(30, depth=100)
        lie = LIES["rows left out"].drawn(Random(1))
        world.lies = (lie,)
        asked = {"type": 1, "fromTriggerTime": START, "toTriggerTime": START + 1}
        rows = list(world.rows)
        without = [*rows[:5], *rows[6:]]
        heard = [Heard(asked, rows, without, 200, "", None, (lie,))]
        assert untellable(world, 0, Played(heard=heard), [rows[5]]) is not None
        heard.append(Heard(asked, rows, rows, 200, "", None))
        assert untellable(world, 0, Played(heard=heard), [rows[5]]) is None


def _instant(rows: int, *, statuses: tuple[int, ...] = (1,), **quirks: Any) -> World:
    """Return a world of rows in one millisecond."""
    table = [
        Row(number, 1, START, f"{number + 1000}-20240901000000", "load", "admin", statuses[number % len(statuses)], None, None, START, 0)
        for number in range(rows)
    ]  # fmt: skip
    reader = replace(draw(0).reader, limit=None, stops=None)
    return World(
        0, "instant", "documented", table, [Quirks(**quirks)], Query(START - DAY, START + DAY, 1), reader
    )


def _plain_seed() -> int:
    """Return the seed of a world that is read exactly, in order, and holds some rows that do not tie."""
    for seed in range(1_000):
        world = draw(seed)
        ordered = world.query.order == "trigger_time" and world.reader.limit is None and len(world.scans) == 1
        if ordered and len(world.rows) > 20 and not world.scans[0].rights and world.profile == "uniform":
            played = play(world)
            if len(played[0].given) > 10 and judge(world, played).ending is Ending.EXACT:
                return seed
    raise AssertionError("no world is plain")
