"""How much longer it takes: fair where it is said, and not said where nobody can know."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from statistics import median

import attrs
import pytest

from aioflows import Event, FlowQuery, FlowSession, Limits, WindowDone
from aioflows.cli.output.time_left import DensityEstimate, RowsLeft, TimeLeft
from aioflows.emulator import Emulator
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport

HOUR = 3_600_000


@attrs.frozen
class Told:
    """What was said at some moment of a run.

    Args:
        at: when, as a *share* of the run.
        left: the *seconds* that were left, as it was said.
        true: the *seconds* that were left.
    """

    at: float
    left: float | None
    true: float

    @property
    def error(self) -> float:
        assert self.left is not None
        return abs(self.left - self.true) / self.true


async def told(profile: str, order: SortKey | None, seed: int) -> list[Told]:
    """Read an emulated deployment in virtual time; give what was said in the middle four fifths of the run."""
    said: list[tuple[float, float | None]] = []
    time_left, loop = TimeLeft(), asyncio.get_running_loop()
    with Emulator(15_000, profile=profile, seed=seed) as emulator:
        density = DensityEstimate((kind, emulator.start_ms, emulator.end_ms) for kind in range(3))

        def heard(event: Event) -> None:
            if isinstance(event, WindowDone):
                density.add_window(int(event.type), event.from_ms, event.to_ms, event.rows)

        transport = EmulatorTransport(emulator, latency=0.4)
        limits = Limits(page_size=40, concurrency=4)
        began = loop.time()
        async with (
            FlowSession(
                "https://enos.test", user_id="u", org_id="o", http=transport, limits=limits, observer=heard
            ) as session,
            session.scan(FlowQuery(emulator.start, emulator.end, order_by=order)) as scan,
        ):
            async for _ in scan.pages():
                at = loop.time() - began
                if not said or at >= said[-1][0] + 0.25:
                    taken = scan.stats.rows_received - scan.stats.duplicates
                    said.append((at, time_left.update(at, taken, density.rows_left())))
        total = loop.time() - began
    return [Told(at / total, left, total - at) for at, left in said if 0.1 <= at / total <= 0.9]


ORDERS: tuple[SortKey | None, ...] = ("trigger_time", "-trigger_time", None)


@pytest.mark.long
@pytest.mark.parametrize("seeds", [2, 8])
@pytest.mark.parametrize("profile", ["uniform", "cron"])
async def test_it_is_within_a_third_for_much_of_the_time(profile: str, seeds: int) -> None:
    for order in ORDERS:
        said = [one for seed in range(1, seeds + 1) for one in await told(profile, order, seed)]
        spoken = [one for one in said if one.left is not None]
        assert len(spoken) > 0.4 * len(said), order
        assert median(one.error for one in spoken) < 0.35, order


@pytest.mark.long
async def test_a_dense_end_of_a_quiet_year_is_told_as_soon_as_it_is_reached() -> None:
    for order in ("trigger_time", None):
        said = [one for seed in (1, 2) for one in await told("sparse-then-dense", order, seed)]
        spoken = [one for one in said if one.left is not None]
        assert len(spoken) > 0.5 * len(said), order
        assert median(one.error for one in spoken) < 0.35, order


@pytest.mark.parametrize(
    ("profile", "seeds", "most"),
    [
        ("bursty", 1, 0.2),
        pytest.param("bursty", 6, 0.2, marks=pytest.mark.long),
        pytest.param("midnight", 6, 0.5, marks=pytest.mark.long),
    ],
)
async def test_little_is_told_of_moments_which_nobody_can_foresee(
    profile: str, seeds: int, most: float
) -> None:
    for order in ORDERS:
        said = [one for seed in range(1, seeds + 1) for one in await told(profile, order, seed)]
        assert sum(one.left is not None for one in said) < most * len(said), order


@pytest.mark.parametrize("profile", ["uniform", "cron", "midnight", "bursty", "sparse-then-dense"])
async def test_it_never_leaps_and_is_never_negative(profile: str) -> None:
    said = [one.left for one in await told(profile, "trigger_time", 3)]
    pairs = [(one, two) for one, two in pairwise(said) if one is not None and two is not None]
    assert all(left >= 0 for pair in pairs for left in pair)
    assert all(max(pair) <= 2 * max(min(pair), 1.0) for pair in pairs)


class TestDensityEstimate:
    def test_what_lies_around_a_stretch_tells_of_it(self) -> None:
        density = DensityEstimate([(1, 0, 10 * HOUR)])
        density.add_window(1, 0, 4 * HOUR, 400)
        density.add_window(1, 5 * HOUR, 10 * HOUR, 500)
        rest = density.rows_left()
        assert rest.rows == pytest.approx(100)
        assert rest.supported == 1.0

    def test_kinds_are_told_apart(self) -> None:
        density = DensityEstimate([(0, 0, 10 * HOUR), (1, 0, 10 * HOUR)])
        density.add_window(0, 0, 5 * HOUR, 50)
        density.add_window(1, 0, 5 * HOUR, 5_000)
        assert density.rows_left().rows == pytest.approx(5_050)

    def test_windows_may_come_in_any_order(self) -> None:
        density = DensityEstimate([(1, 0, 10 * HOUR)])
        for hour in (7, 2, 9, 0, 4):
            density.add_window(1, hour * HOUR, (hour + 1) * HOUR, 10)
        assert density.rows_left().rows == pytest.approx(50)

    def test_an_hour_speaks_for_no_month(self) -> None:
        density = DensityEstimate([(1, 0, 720 * HOUR)])
        density.add_window(1, 0, HOUR, 1_000)
        assert density.rows_left().supported == 0

    def test_two_sides_that_contradict_each_other_tell_nothing(self) -> None:
        density = DensityEstimate([(1, 0, 30 * HOUR)])
        density.add_window(1, 0, 10 * HOUR, 1_000)
        density.add_window(1, 20 * HOUR, 30 * HOUR, 1)
        assert density.rows_left().supported == 0

    def test_what_an_earlier_run_has_read_is_not_open(self) -> None:
        density = DensityEstimate([(1, 8 * HOUR, 10 * HOUR)])
        density.add_window(1, 8 * HOUR, 9 * HOUR, 70)
        assert density.rows_left().rows == pytest.approx(70)

    def test_when_all_is_read_nothing_is_left(self) -> None:
        density = DensityEstimate([(1, 0, HOUR)])
        density.add_window(1, 0, HOUR, 7)
        assert density.rows_left() == RowsLeft(0, 1.0)


class TestTimeLeft:
    def test_a_steady_rate_is_told_exactly(self) -> None:
        time_left = TimeLeft()
        for at in range(1, 50):
            left = time_left.update(at, at * 100, RowsLeft(10_000 - at * 100, 1.0))
        assert left == pytest.approx(51, abs=0.1)

    def test_nothing_is_told_before_there_is_ground(self) -> None:
        time_left = TimeLeft()
        assert time_left.update(1.0, 500, RowsLeft(500, 1.0)) is None
        assert time_left.update(3.0, 500, RowsLeft(500, 0.4)) is None
        assert TimeLeft().update(9.0, 0, RowsLeft(500, 1.0)) is None

    def test_nothing_is_told_while_the_end_moves_away(self) -> None:
        time_left = TimeLeft()
        left = [time_left.update(at, at * 100, RowsLeft(50, 1.0)) for at in range(1, 30)]
        assert left[10:] == [None] * 19

    def test_a_rate_that_drops_is_followed(self) -> None:
        time_left = TimeLeft()
        rows, left = 0, None
        for at in range(1, 200):
            rows += 100 if at < 40 else 25
            left = time_left.update(at, rows, RowsLeft(10_000 - rows, 1.0))
        assert left == pytest.approx((10_000 - rows) / 25, rel=0.25)
