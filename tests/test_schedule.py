"""`Schedule`: the runs of a flow's cron expression, judged by Quartz' own answers."""

from __future__ import annotations

import copy
import itertools
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from aioflows import QueryError
from aioflows.schedule import Schedule

BERLIN = ZoneInfo("Europe/Berlin")
LINES = (Path(__file__).parent / "samples" / "quartz-fires.tsv").read_text(encoding="utf-8").splitlines()
FIRES = [line.split("\t") for line in LINES if not line.startswith("#")]


def seconds(one: datetime | None) -> str:
    return "end" if one is None else str(round(one.timestamp()))


@pytest.mark.parametrize(
    ("expression", "zone", "start", "runs"), FIRES, ids=[f"{one[0]} {one[1]}" for one in FIRES]
)
def test_runs_are_those_of_quartz(expression: str, zone: str, start: str, runs: str) -> None:
    """The samples end with `end` if there is no further run, and with `later` if the next one is after 2099."""
    schedule, at = Schedule(expression, zone), datetime.fromisoformat(start)
    wanted = [one for one in runs.split() if one.isdigit()]
    ending = (*runs.split(), "")[len(wanted)]

    listed = schedule.between(at + timedelta(seconds=1), datetime(2127, 1, 1, tzinfo=UTC))
    assert [seconds(one) for one in itertools.islice(listed, len(wanted))] == wanted

    for one in wanted:
        found = schedule.next(at)
        assert seconds(found) == one
        assert found is not None
        assert schedule.matches(found)
        at = found
    if ending:
        assert (schedule.next(at) is None) == (ending == "end")


def test_the_samples_are_whole() -> None:
    assert len(FIRES) == 500


class TestNext:
    def test_a_run_at_the_time_itself_does_not_count(self) -> None:
        schedule, at = Schedule("0 0 * * * ?", "UTC"), datetime(2026, 1, 1, 5, tzinfo=UTC)
        assert schedule.next(at) == at + timedelta(hours=1)
        assert schedule.next(at - timedelta(microseconds=1)) == at

    def test_it_is_a_time_of_the_zone_of_the_schedule(self) -> None:
        found = Schedule("0 30 2 * * ?", BERLIN).next(datetime(2026, 1, 1, tzinfo=UTC))
        assert (str(found), found and found.tzinfo) == ("2026-01-01 02:30:00+01:00", BERLIN)

    def test_the_second_pass_of_an_hour_is_marked_by_fold(self) -> None:
        found = Schedule("0 30 2 * * ?", BERLIN).next(datetime(2019, 10, 27, tzinfo=BERLIN))
        assert found is not None
        assert (found.fold, found.astimezone(UTC).hour) == (1, 1)

    def test_there_may_be_none(self) -> None:
        assert Schedule("0 0 0 1 1 ? 2019", "UTC").next(datetime(2019, 1, 1, tzinfo=UTC)) is None


class TestBetween:
    def test_the_start_counts_and_the_end_does_not(self) -> None:
        first = datetime(2026, 1, 1, tzinfo=UTC)
        runs = list(Schedule("0 0 * * * ?", "UTC").between(first, first + timedelta(hours=3)))
        assert runs == [first + timedelta(hours=hour) for hour in range(3)]

    def test_a_fraction_of_a_second_counts(self) -> None:
        first, bit = datetime(2026, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
        schedule = Schedule("* * * * * ?", "UTC")
        assert list(schedule.between(first + bit, first + timedelta(seconds=1))) == []
        assert list(schedule.between(first, first + bit)) == [first]

    def test_it_is_lazy(self) -> None:
        runs = Schedule("* * * * * ?", "UTC").between(
            datetime(1970, 1, 1, tzinfo=UTC), datetime(2126, 1, 1, tzinfo=UTC)
        )
        assert next(runs) == datetime(1970, 1, 1, tzinfo=UTC)

    def test_an_empty_range_has_no_run_and_a_range_that_ends_before_it_starts_is_refused(self) -> None:
        schedule, at = Schedule("* * * * * ?", "UTC"), datetime(2026, 1, 1, tzinfo=UTC)
        assert list(schedule.between(at, at)) == []
        with pytest.raises(QueryError, match="exchange the two"):
            schedule.between(at, at - timedelta(seconds=1))

    def test_a_range_that_starts_in_a_first_pass_has_all_runs_of_the_second(self) -> None:
        """A search of Quartz that starts there, as `next` does, skips the run at 02:00."""
        schedule, end = Schedule("0 0/30 2 * * ?", BERLIN), datetime(2019, 10, 27, 12, tzinfo=UTC)
        for minute in (0, 20, 59):
            start = datetime(2019, 10, 27, 0, minute, tzinfo=UTC)
            assert [one.astimezone(UTC).minute for one in schedule.between(start, end)] == [0, 30]
        assert str(schedule.next(datetime(2019, 10, 27, 0, 0, tzinfo=UTC))) == "2019-10-27 02:30:00+01:00"

    def test_ranges_side_by_side_have_the_runs_of_the_whole(self) -> None:
        schedule = Schedule("0 0/20 1-3 ? * *", BERLIN)
        days = [
            datetime(2019, 10, 20, tzinfo=UTC) + timedelta(minutes=20 * step) for step in range(24 * 3 * 11)
        ]
        parts = [one for a, b in itertools.pairwise(days) for one in schedule.between(a, b)]
        assert parts == list(schedule.between(days[0], days[-1]))
        assert len(parts) == 9 * 11 - 3


class TestMatches:
    def test_it_ignores_the_fraction_of_a_second(self) -> None:
        schedule, at = Schedule("0 0 * * * ?", "UTC"), datetime(2026, 1, 1, tzinfo=UTC)
        assert schedule.matches(at)
        assert schedule.matches(at + timedelta(milliseconds=999))
        assert not schedule.matches(at + timedelta(seconds=1))

    def test_the_first_pass_of_an_hour_has_no_run(self) -> None:
        schedule = Schedule("0 30 2 * * ?", BERLIN)
        assert not schedule.matches(datetime(2019, 10, 27, 0, 30, tzinfo=UTC))
        assert schedule.matches(datetime(2019, 10, 27, 1, 30, tzinfo=UTC))


@pytest.mark.parametrize("value", [datetime(2026, 1, 1), 1_700_000_000_000, "2026-01-01", None])  # noqa: DTZ001
def test_a_time_without_a_zone_is_refused(value: datetime) -> None:
    schedule, at = Schedule("* * * * * ?", "UTC"), datetime(2026, 1, 1, tzinfo=UTC)
    for call in (
        lambda: schedule.next(value), lambda: schedule.matches(value),
        lambda: schedule.between(value, at), lambda: schedule.between(at, value),
    ):  # fmt: skip
        with pytest.raises(QueryError, match=r"aware datetime|no time zone"):
            call()


@pytest.mark.parametrize(
    "zone", [UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12)), BERLIN], ids=str
)
@pytest.mark.parametrize("expression", ["0 0 2 * * ?", "0 0 0 29 2 ? 2124", "0 0 0 1W * ?", "* * * * * ?"])
def test_the_ends_of_time_are_times_without_a_run(expression: str, zone: tzinfo) -> None:
    earliest, latest = datetime.min.replace(tzinfo=zone), datetime.max.replace(tzinfo=zone)
    for schedule in (
        Schedule(expression, "GMT-12"),
        Schedule(expression, BERLIN),
        Schedule(expression, "GMT+14"),
    ):
        assert schedule.next(latest) is None
        assert not schedule.matches(latest)
        assert not schedule.matches(earliest)
        assert list(schedule.between(latest, latest)) == []
        (first,) = itertools.islice(schedule.between(earliest, latest), 1)
        assert first == schedule.next(earliest)
        assert 1970 <= first.year <= 2126


class TestZones:
    @pytest.mark.parametrize(
        "zone",
        [
            "+08:00",
            "GMT+8",
            "GMT+08:00",
            "Asia/Shanghai",
            timezone(timedelta(hours=8)),
            ZoneInfo("Asia/Shanghai"),
        ],
    )
    def test_whatever_a_session_accepts_is_accepted(self, zone: str | tzinfo) -> None:
        found = Schedule("0 0 2 * * ?", zone).next(datetime(2026, 1, 1, tzinfo=UTC))
        assert found == datetime(2026, 1, 1, 18, tzinfo=UTC)

    def test_a_zone_of_dateutil_has_the_runs_of_zoneinfo(self) -> None:
        zone = pytest.importorskip("dateutil.tz").gettz("Europe/Berlin")
        first, last = datetime(2019, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
        expression = "0 0/20 1-3 * * ?"
        runs = list(Schedule(expression, zone).between(first, last))
        assert [one.timestamp() for one in runs] == [
            one.timestamp() for one in Schedule(expression, BERLIN).between(first, last)
        ]
        assert hash(Schedule(expression, zone)) == hash(Schedule(expression, zone))

    def test_a_zone_of_pytz_is_refused_with_what_to_use(self) -> None:
        class Pytz(ZoneInfo):
            localize = None

        with pytest.raises(QueryError, match=r"use zoneinfo.ZoneInfo\('Europe/Berlin'\)"):
            Schedule("0 0 2 * * ?", Pytz("Europe/Berlin"))

    @pytest.mark.parametrize("zone", ["Mars/Olympus", "", None, 8])
    def test_anything_else_is_refused(self, zone: str) -> None:
        with pytest.raises(QueryError, match="time zone"):
            Schedule("0 0 2 * * ?", zone)


class TestValue:
    def test_it_shows_how_it_is_made(self) -> None:
        assert (
            repr(Schedule("0 0 2 ? * 2 *", "Asia/Shanghai")) == "Schedule('0 0 2 ? * 2 *', 'Asia/Shanghai')"
        )
        for zone in ("Asia/Shanghai", "+08:00", "GMT-3:30", "UTC"):
            schedule = Schedule("0 0 2 ? * 2 *", zone)
            assert eval(repr(schedule)) == schedule

    def test_equal_expressions_in_equal_zones_are_equal(self) -> None:
        schedule = Schedule("0 0 2 * * ?", "+08:00")
        assert schedule == Schedule("0 0 2 * * ?", "GMT+8")
        assert len({schedule, Schedule("0 0 2 * * ?", "GMT+8")}) == 1
        assert schedule not in (
            Schedule("0 0 3 * * ?", "+08:00"),
            Schedule("0 0 2 * * ?", "+09:00"),
            "0 0 2 * * ?",
        )

    def test_it_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            Schedule("0 0 2 * * ?", "UTC").zone = BERLIN  # type: ignore[misc]

    def test_a_copy_and_a_pickle_are_equal_and_work(self) -> None:
        schedule = Schedule("0 0 2 * * ?", BERLIN)
        at = datetime(2026, 1, 1, tzinfo=UTC)
        for one in (pickle.loads(pickle.dumps(schedule)), copy.copy(schedule), copy.deepcopy(schedule)):
            assert (one, one.next(at)) == (schedule, schedule.next(at))

    @pytest.mark.parametrize("expression", [None, 5, b"0 0 2 * * ?"])
    def test_an_expression_is_a_text(self, expression: str) -> None:
        with pytest.raises(QueryError, match="expression must be a text"):
            Schedule(expression, "UTC")


class TestDescribe:
    def test_it_tells_the_schedule_in_words(self) -> None:
        assert Schedule("0 0 2 ? * 2 *", "Asia/Shanghai").describe() == "At 02:00, only on Monday"

    def test_without_its_package_it_says_what_to_install_and_all_else_works(self) -> None:
        code = (
            "import sys; sys.modules['cron_descriptor'] = None\n"
            "from aioflows.schedule import Schedule\n"
            "schedule = Schedule('0 0 2 ? * 2 *', 'UTC')\n"
            "try: schedule.describe()\n"
            "except ValueError as error: print(error)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
        )
        assert "install enos-aioflows[schedule]" in done.stdout
