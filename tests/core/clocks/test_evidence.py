"""What distances between the times of rows show about a clock."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from aioflows._core.clocks.evidence import Distances, advance_of, backs, lead_of

HOUR, QUARTER = 3_600, 900
UTC_IN_CHINA = -8 * HOUR


def distances(
    values: Sequence[float], *, flows: int = 10, apart: int = 600, offset: int = 8 * HOUR
) -> Distances:
    """Distances of rows of some flows with two schedules, whose trigger times lie some seconds apart."""
    numbers = range(len(values))
    return Distances(
        values,
        [apart * number for number in numbers],
        [number % flows for number in numbers],
        [number % 2 for number in numbers],
        offset,
    )


DELAYS = [8, 12, 31, 5, 50, 9, 700, 14, 22, 6, 41, 17]


@pytest.mark.parametrize("hours", [0, -8, -3.5, -0.25, 5.5, 8, 13])
def test_delays_of_seconds_show_how_far_a_clock_is_ahead(hours: float) -> None:
    seen = distances([hours * HOUR + delay for delay in DELAYS])
    assert advance_of(seen, 0, utc=UTC_IN_CHINA) == (hours * HOUR, "")


def test_no_rows_show_nothing() -> None:
    assert advance_of(distances([]), -QUARTER, utc=UTC_IN_CHINA) == (-QUARTER, "")
    assert lead_of(distances([]), -QUARTER) == (-QUARTER, "")


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_few_rows_show_a_clock_of_utc(rows: int) -> None:
    seen = distances([UTC_IN_CHINA + delay for delay in DELAYS[:rows]])
    assert advance_of(seen, 0, utc=UTC_IN_CHINA) == (UTC_IN_CHINA, "")


@pytest.mark.parametrize(
    "values",
    [
        [UTC_IN_CHINA + 8, -3 * HOUR, -1200, 5, 10],
        [-5000, 9, 12, 40, 8, 6, 33],
        [-5000],
        [-600, -1500, -7200],
    ],
    ids=str,
)
def test_rows_that_contradict_each_other_decide_nothing(values: list[float]) -> None:
    assert advance_of(distances(values), 0, utc=UTC_IN_CHINA) == (0, "contradicted")


def test_one_run_in_fifty_may_have_started_early() -> None:
    assert advance_of(distances([-5000, *DELAYS * 5]), 0) == (0, "")
    assert advance_of(
        distances([UTC_IN_CHINA - 5000, *(UTC_IN_CHINA + one for one in DELAYS * 5)]), 0, utc=UTC_IN_CHINA
    ) == (
        UTC_IN_CHINA,
        "",
    )


@pytest.mark.parametrize("early", [1_800, 8_400, 20_000])
@pytest.mark.parametrize("hours", [-8, 5.5, 8])
def test_one_run_in_ten_may_have_started_early_if_the_others_agree(hours: float, early: int) -> None:
    """None of these is on time by the trigger's clock, so they are not read as late runs and a few that are not."""
    starts = [hours * HOUR + delay for delay in DELAYS * 5]
    starts[::12] = [start - early - 20 * row for row, start in enumerate(starts[::12])]
    for base in (0, int(hours * HOUR)):
        seen = distances(starts).without_early(base)
        assert advance_of(seen, base, [0], utc=UTC_IN_CHINA) == (hours * HOUR, "")


def test_a_few_runs_on_time_show_that_the_others_are_late() -> None:
    starts = [HOUR + delay for delay in DELAYS * 5]
    starts[::12] = [2, 5, 9, 3, 7]
    seen = distances(starts)
    assert seen.without_early(0) is seen
    assert not seen.hardly_on_time(0)
    assert advance_of(seen, 0) == (0, "")


def test_runs_that_mostly_lie_hours_late_are_a_doubt_if_others_are_not_on_time() -> None:
    starts = distances([5.5 * HOUR + 60 * row for row in range(20)] + [3 * HOUR, -200.0])
    assert starts.hardly_on_time(0)
    assert not starts.hardly_on_time(int(5.5 * HOUR))
    assert not distances([HOUR + 977 * row for row in range(40)]).hardly_on_time(0), "they wait in a queue"
    assert not distances([]).hardly_on_time(0)


@pytest.mark.parametrize("step", [-1, -0.5, 0.5, 1])
def test_distances_that_change_by_an_hour_from_a_moment_on_are_no_waits(step: float) -> None:
    """A clock was changed there. Waits come and go."""
    before, after = DELAYS, [step * HOUR + delay for delay in DELAYS[:5]]
    assert distances([*before, *after]).stepped(0)
    assert distances([*after, *before]).stepped(0)
    assert not distances([*before, *after, *before]).stepped(0)
    assert not distances([*before, *(step * HOUR / 2 + 400 * row for row in range(5))]).stepped(0)
    assert not distances([*before, *after[:2]]).stepped(0), "two rows are few"


def test_a_minute_is_allowed_for_clocks_that_are_not_set_exactly() -> None:
    assert advance_of(distances([one - 50 for one in DELAYS]), 0) == (0, "")


def test_runs_that_wait_in_a_queue_are_no_clock() -> None:
    """They wait for different times, or have one schedule, or all wait for one moment."""
    waited = [HOUR + 977 * number for number in range(12)]
    assert advance_of(distances(waited), 0) == (0, "late"), "the least may lie close above an hour by chance"
    assert advance_of(distances([one + 400 for one in waited]), 0) == (0, "")
    assert advance_of(distances([8 * HOUR + one for one in DELAYS], flows=1), 0) == (0, "late")
    assert advance_of(distances([8 * HOUR + one for one in DELAYS], apart=1), 0) == (0, "late")


def test_two_rows_that_agree_on_whole_hours_suffice_against_a_contradicted_clock() -> None:
    assert advance_of(distances([-5 * HOUR + 4, -5 * HOUR + 31]), 0) == (-5 * HOUR, "")
    assert advance_of(distances([-5 * HOUR + 4, -5 * HOUR + 31], apart=1), 0) == (0, "contradicted")
    assert advance_of(distances([-5.25 * HOUR + 4, -5.25 * HOUR + 31]), 0) == (0, "contradicted")


def test_a_queue_delays_no_creation() -> None:
    """Creations that are as late as the starts show a clock that is ahead, however few there are."""
    late = distances([5 * HOUR + delay for delay in DELAYS[:3]])
    assert advance_of(late, 0) == (0, "late")
    assert advance_of(late, 0, backed=True) == (5 * HOUR, "")
    assert backs(distances([5 * HOUR, 5 * HOUR + 2, 4.2 * HOUR]), 5 * HOUR)
    assert not backs(distances([5 * HOUR, 5 * HOUR + 2, 3.9 * HOUR]), 5 * HOUR), "hours before the trigger"
    assert not backs(distances([0, 2, 5 * HOUR]), 5 * HOUR)


def test_a_quarter_of_an_hour_needs_more_rows_than_a_whole_one() -> None:
    late = [2.75 * HOUR + delay for delay in DELAYS]
    assert advance_of(distances(late), 0) == (0, "late")
    assert advance_of(distances(late * 2), 0) == (2.75 * HOUR, "")


def test_the_end_has_the_clock_of_the_start_unless_rows_show_another() -> None:
    ran = [one + 20 for one in DELAYS]
    ahead = -8 * HOUR
    assert advance_of(distances([ahead + one for one in ran]), ahead, [0, ahead], sure=False) == (ahead, "")
    assert advance_of(distances(ran), ahead, [0, ahead], sure=False) == (0, "")
    assert advance_of(distances(ran[:1]), ahead, [0, ahead], sure=False) == (0, ""), "one row suffices then"
    assert advance_of(distances(ran[:1]), ahead, [0, ahead]) == (ahead, "late"), (
        "but not against what others have shown"
    )


@pytest.mark.parametrize("hours", [-8, 8, -3.5])
def test_creation_times_have_a_clock_of_their_own_if_most_lie_at_one_distance(hours: float) -> None:
    created = [hours * HOUR + one for one in (0, 1, 2, 1, 0, 2, 1, 3, 1, 1)]
    assert lead_of(distances([*created, -HOUR * 20]), 0) == (hours * HOUR, "")
    assert lead_of(distances(created), int(hours * HOUR)) == (hours * HOUR, ""), "and keep it"


def test_creation_ahead_of_the_trigger_is_no_clock() -> None:
    """Instances may be created once a day, or some time before they are triggered."""
    assert lead_of(distances([-600.0 * number for number in range(40)]), 0) == (0, "")
    assert lead_of(distances([-1800.0] * 20), 0) == (0, "")
    assert lead_of(distances([-5400.0] * 20), 0) == (0, "lead")


def test_nothing_is_created_hours_after_its_start() -> None:
    created = distances([8 * HOUR + 1, 8 * HOUR, 7.5 * HOUR])
    assert lead_of(created, 0) == (0, "lead")
    assert lead_of(created, 0, started=True) == (8 * HOUR, "")


def test_few_creation_times_follow_the_start() -> None:
    assert lead_of(distances([-8 * HOUR + 1]), 0, [-8 * HOUR]) == (-8 * HOUR, "")
    assert lead_of(distances([1.0]), 0, [-8 * HOUR]) == (0, "")
    assert lead_of(distances([-8 * HOUR + 1]), 0) == (0, "lead"), (
        "a single one decides nothing, but is reported"
    )


@pytest.mark.parametrize("hours", [-8, -3, 5.5, 8])
@pytest.mark.parametrize("rows", [4, 40])
def test_creation_times_that_show_nothing_follow_the_start(rows: int, hours: float) -> None:
    """Instances are created some minutes, or up to a day, ahead of their trigger time."""
    ahead = int(hours * HOUR)
    for seconds in (300, 86_400):
        created = [ahead - seconds * (row + 0.5) / rows for row in range(rows)]
        assert lead_of(distances(created), 0, [ahead])[0] == ahead
        assert lead_of(distances(created), ahead, [ahead])[0] == ahead


def test_a_clock_less_than_an_hour_behind_shows_in_creations_of_the_same_minutes() -> None:
    assert lead_of(distances([-1_800.0, -1_799.0, -1_801.0]), 0, [-1_800]) == (-1_800, "")
    assert lead_of(distances([0.0, -1.0, -2.0]), 0, [-1_800]) == (0, "")


def test_creation_times_do_not_follow_the_start_if_that_is_hours_before_them() -> None:
    soon = [-7.0 * row for row in range(40)]
    assert lead_of(distances(soon), 0, [UTC_IN_CHINA]) == (0, "")
    assert lead_of(distances(soon), 0, [8 * HOUR]) == (0, ""), "or if they lie close to the trigger time"
    ahead = distances([-2_000.0 * row for row in range(40)])
    assert lead_of(ahead, 0, [UTC_IN_CHINA], follows=False) == (0, "")
