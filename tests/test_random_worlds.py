"""Services that are drawn at random, read by the real client: nothing is lost in silence, and there is no false alarm."""

from __future__ import annotations

import pytest

from tests.random_worlds import run, summarize
from tests.worlds.draw import draw
from tests.worlds.judge import Ending, judge
from tests.worlds.play import Given, Played, play

SLICE = 40
LONG = 1_000


def _check(first: int, worlds: int, *, dishonest: bool = False) -> None:
    summary = summarize(run(seed, dishonest=dishonest) for seed in range(first, first + worlds))
    assert not summary.bad, "\n".join(
        f"--seed {one.seed} {one.judged.ending.value}: {one.judged.why}\n    {one.world}"
        for one in summary.bad
    )


def test_a_slice_of_honest_worlds_is_read() -> None:
    """Forty services with any mixture of quirks are read exactly, or not where no set of requests can read them."""
    _check(0, SLICE)


def test_a_slice_of_dishonest_worlds_is_not_believed() -> None:
    """Forty services that lie make an error, and nothing is lost without a word where a request tells the lie."""
    _check(0, SLICE, dishonest=True)


@pytest.mark.long
def test_honest_worlds_are_read() -> None:
    """A thousand services with any mixture of quirks are read exactly, or not where no set of requests can read them."""
    _check(0, LONG)


@pytest.mark.long
def test_dishonest_worlds_are_not_believed() -> None:
    """A thousand services that lie make an error, and nothing is lost without a word where a request tells the lie."""
    _check(0, LONG, dishonest=True)


class TestTheJudgeItself:
    """What a judge is worth: that it sees what is wrong."""

    def test_a_seed_draws_the_same_world_again(self) -> None:
        """A seed draws the same world, and the world is played the same way, each time."""
        for seed in range(5):
            assert str(draw(seed)) == str(draw(seed))
            one, again = run(seed), run(seed)
            assert (one.judged.ending, one.judged.requests) == (again.judged.ending, again.judged.requests)

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
