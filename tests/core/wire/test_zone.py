"""Zones and wall clocks."""

# ruff: noqa: DTZ001  (wall clocks have no zone)

from __future__ import annotations

import copy
import itertools
import pickle
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.wire.zone import ClockChanges, Zone, wall_seconds
from aioflows.errors import AnswerError, QueryError

BERLIN = Zone.parse("Europe/Berlin")
HOUR = 3600


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


class TestParse:
    @pytest.mark.parametrize(
        ("text", "hours"),
        [
            ("GMT+8", 8.0), ("GMT-3", -3.0), ("GMT+5:30", 5.5), ("GMT-03:00", -3.0), ("GMT+0530", 5.5), ("GMT", 0.0),
            ("UTC", 0.0), ("UT", 0.0), ("UTC+14", 14.0), ("+08:00", 8.0), ("-0930", -9.5), ("+8", 8.0), (" GMT+8 ", 8.0),
            ("GMT+0", 0.0), ("Asia/Shanghai", 8.0), ("Asia/Kolkata", 5.5), ("Z", 0.0), ("z", 0.0), ("utc", 0.0),
            ("gmt+8", 8.0), ("Utc-03:30", -3.5), ("UTC +8", 8.0), ("+0800", 8.0), ("GMT+-5", -5.0), ("GMT+5.5", 5.5), ("GMT+-3.5", -3.5), ("GMT+8.0", 8.0), ("utc+-03:30", -3.5),
        ],
    )  # fmt: skip
    def test_every_accepted_form_has_its_offset(self, text: str, hours: float) -> None:
        assert Zone.parse(text).offset_at(1_700_000_000) == hours * HOUR

    def test_gmt_plus_eight_is_east_of_greenwich(self) -> None:
        assert Zone.parse("GMT+8") == Zone(timezone(timedelta(hours=8)))

    def test_the_database_name_of_it_keeps_the_sign_that_posix_gave_it(self) -> None:
        assert Zone.parse("Etc/GMT+8").offset_at(0) == -8 * HOUR

    @pytest.mark.parametrize(
        "value",
        ["", " ", "+", "8", "UTC8", "GMT+25", "GMT+8:75", "GMT+８", "Z+8", "GMT-+5", "GMT--5", "GMT+-", "+08:00:00", "Mars/Olympus", "America", "../passwd",
         "/etc/localtime", "a\0b", "x" * 5000, 8, None, timedelta(hours=8)],
    )  # fmt: skip
    def test_what_is_no_zone_is_refused_with_the_accepted_forms(self, value: str) -> None:
        with pytest.raises(QueryError, match=r'"GMT\+8".*"Asia/Shanghai"'):
            Zone.parse(value)

    @pytest.mark.parametrize("value", [UTC, timezone(timedelta(hours=-3)), ZoneInfo("Asia/Shanghai")])
    def test_a_tzinfo_is_taken_as_it_is(self, value: tzinfo) -> None:
        assert Zone.parse(value).tzinfo is value

    def test_a_zone_is_taken_as_it_is(self) -> None:
        assert Zone.parse(BERLIN) is BERLIN

    def test_a_zone_of_pytz_is_refused_since_its_times_would_be_off(self) -> None:
        class Pytz(ZoneInfo):
            localize = None

        with pytest.raises(QueryError, match=r"zoneinfo.ZoneInfo\('Europe/Berlin'\)"):
            Zone.parse(Pytz("Europe/Berlin"))

    def test_an_offset_of_pytz_is_the_same_offset_of_the_standard_library(self) -> None:
        class FixedOffset(tzinfo):
            localize = None

            def utcoffset(self, _: datetime | None) -> timedelta:
                return timedelta(minutes=480)

            def dst(self, _: datetime | None) -> None:
                return None

            def tzname(self, _: datetime | None) -> None:
                return None

        assert repr(Zone.parse(FixedOffset()).tzinfo) == repr(timezone(timedelta(hours=8)))

    def test_zones_are_values(self) -> None:
        zone = Zone.parse("GMT+8")
        assert zone == pickle.loads(pickle.dumps(zone))
        assert hash(zone) == hash(Zone.parse("+08:00"))


class TestOffset:
    def test_it_is_the_one_in_force_at_the_instant(self) -> None:
        assert BERLIN.offset_at(instant("2024-03-31 00:59:59")) == HOUR
        assert BERLIN.offset_at(instant("2024-03-31 01:00:00")) == 2 * HOUR

    @pytest.mark.parametrize("seconds", [-(10**18), 10**18, 253_402_300_799])
    def test_the_ends_of_time_have_one_too(self, seconds: int) -> None:
        assert Zone.parse("GMT+8").offset_at(seconds) == 8 * HOUR


class TestTransitions:
    def test_a_fixed_zone_has_none(self) -> None:
        assert Zone.parse("GMT+8").transitions(0, 10**13) == []

    def test_a_year_with_daylight_saving_has_two(self) -> None:
        year = BERLIN.transitions(instant("2024-01-01") * 1000, instant("2025-01-01") * 1000)
        assert year == [instant("2024-03-31 01:00:00") * 1000, instant("2024-10-27 01:00:00") * 1000]

    def test_a_change_at_an_end_of_the_range_does_not_cut_it(self) -> None:
        spring, autumn = instant("2024-03-31 01:00:00") * 1000, instant("2024-10-27 01:00:00") * 1000
        assert BERLIN.transitions(spring, autumn) == []
        assert BERLIN.transitions(spring - 1, autumn + 1) == [spring, autumn]

    @pytest.mark.parametrize(
        "name", ["Africa/Casablanca", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Tehran"]
    )
    def test_the_offset_is_one_between_two_changes(self, name: str) -> None:
        zone = Zone.parse(name)
        first, last = instant("2010-01-01"), instant("2026-01-01")
        cuts = [first, *(ms // 1000 for ms in zone.transitions(first * 1000, last * 1000)), last]
        for start, end in itertools.pairwise(cuts):
            assert len({zone.offset_at(moment) for moment in range(start, end, 6 * HOUR)}) == 1
            assert zone.offset_at(start) == zone.offset_at(end - 1)


class TestAware:
    def test_wall_clocks_stay_and_get_the_zone(self) -> None:
        wall = datetime(2024, 1, 1, 12, 30, 15, 5)
        assert Zone.parse("GMT+8").aware([wall]) == [wall.replace(tzinfo=timezone(timedelta(hours=8)))]

    @pytest.mark.parametrize(("offset", "utc"), [(2 * HOUR, "00:30"), (HOUR, "01:30"), (None, "00:30")])
    def test_of_two_equal_hours_the_offset_tells_which(self, offset: int | None, utc: str) -> None:
        (time,) = BERLIN.aware([datetime(2024, 10, 27, 2, 30)], offset)
        assert f"{time.astimezone(UTC):%H:%M}" == utc

    def test_a_time_after_the_hour_that_comes_twice_is_left_alone(self) -> None:
        times = BERLIN.aware([datetime(2024, 10, 27, 2, 30), datetime(2024, 10, 27, 3, 30)], HOUR)
        assert [time.fold for time in times] == [1, 0]

    @given(st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)))
    def test_it_is_what_replace_gives(self, wall: datetime) -> None:
        assert BERLIN.aware([wall]) == [wall.replace(tzinfo=BERLIN.tzinfo)]


class TestWallSeconds:
    @given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
    def test_it_inverts_the_text(self, wall: datetime) -> None:
        text = wall.isoformat(" ", "seconds")
        assert datetime(1970, 1, 1) + timedelta(seconds=wall_seconds(text)) == wall.replace(microsecond=0)

    @pytest.mark.parametrize("text", ["2019-08-12 08:07:22", "2019-08-12T08:07:22", "2019-08-12 08:07:22.0"])
    def test_a_t_and_a_fraction_change_nothing(self, text: str) -> None:
        assert wall_seconds(text) == 1_565_597_242

    @pytest.mark.parametrize(
        "text",
        ["", "null", "2019-08-12", "2019-08-12 24:00:00", "2019-02-30 00:00:00", "2019-08-12 08:07:60", "2019-13-01 00:00:00",
         "2019-08-12 08:07:22Z", "2019-08-12 08:07:22+08:00", "2019-W33-1T08:07:22", "20190812 080722", "2019-08-12 08:07:22.",
         "２019-08-12 08:07:22", "0000-01-01 00:00:00", " 2019-08-12 08:07:22", "2019-08-12 08:07:22\n", "9" * 5000],
    )  # fmt: skip
    def test_what_is_no_time_is_refused_by_name(self, text: str) -> None:
        with pytest.raises(AnswerError, match="is not a time") as caught:
            wall_seconds(text)
        assert repr(text)[:20] in str(caught.value)
        assert len(str(caught.value)) < 200


class TestTurns:
    """Offsets that a service has named one after the other: the zone of a follow that outlives a change of clocks."""

    @pytest.mark.parametrize(
        "name", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
    )
    def test_it_means_what_the_zone_with_these_offsets_means(self, name: str) -> None:
        """Every half hour of two years, there and back, also in the hours that are shown twice or never."""
        true = ZoneInfo(name)
        first, last = instant("2023-01-01"), instant("2025-01-01")
        zone = Zone.of_offsets(Zone(true).offsets(first * 1000, last * 1000))
        for second in range(first, last, 1_800):
            here = datetime.fromtimestamp(second, UTC).astimezone(zone.tzinfo)
            there = datetime.fromtimestamp(second, UTC).astimezone(true)
            assert (here.replace(tzinfo=None), here.fold) == (there.replace(tzinfo=None), there.fold)
            assert here.utcoffset() == there.utcoffset()
            for fold in (0, 1):
                wall = there.replace(fold=fold)
                assert wall.replace(tzinfo=zone.tzinfo).utcoffset() == wall.utcoffset()

    def test_it_is_a_value(self) -> None:
        """Rows that carry it can be copied, compared and pickled, and it tells its offsets."""
        zone = ClockChanges(7_200, ((1_729_990_800, 3_600),))
        assert pickle.loads(pickle.dumps(zone)) == zone == copy.deepcopy(zone)
        assert hash(zone) == hash(ClockChanges(7_200, ((1_729_990_800, 3_600),)))
        assert zone != ClockChanges(7_200, ())
        assert str(zone) == "UTC+02:00, UTC+01:00 from 2024-10-27 01:00:00 UTC"
        assert datetime(2024, 12, 1, tzinfo=zone).tzname() == "UTC+01:00"

    def test_one_offset_is_a_fixed_zone(self) -> None:
        """Then nothing has changed yet."""
        assert Zone.of_offsets([(0, 3_600)]).fixed


class TestOfOtherLibraries:
    def test_a_zone_of_dateutil_becomes_one_of_the_standard_library(self) -> None:
        tz = pytest.importorskip("dateutil.tz")
        assert Zone.parse(tz.gettz("Asia/Shanghai")) == Zone.parse("Asia/Shanghai")
        assert Zone.parse(tz.tzoffset("CST", 28_800)) == Zone.parse("+08:00")
        assert Zone.parse(tz.UTC) == Zone.parse("UTC")

    def test_any_other_zone_is_used_by_its_offsets(self) -> None:
        tz = pytest.importorskip("dateutil.tz")
        zone = Zone.parse(tz.tzstr("CET-1CEST,M3.5.0,M10.5.0/3"))
        year = range(1_704_067_200, 1_735_689_600, 3_600)
        assert [zone.offset_at(at) for at in year] == [BERLIN.offset_at(at) for at in year]
        assert {zone: 1} == {Zone.parse(tz.tzstr("CET-1CEST,M3.5.0,M10.5.0/3")): 1}
        assert pickle.loads(pickle.dumps(zone)) == zone
        (noon,) = zone.aware([datetime(2024, 7, 1, 12)])
        assert (noon.tzname(), noon.dst()) == ("CEST", timedelta(hours=1))

    def test_one_without_an_offset_is_refused(self) -> None:
        with pytest.raises(QueryError, match="cannot be used as a time zone"):
            Zone.parse(tzinfo())  # type: ignore[abstract]


class TestInstants:
    @pytest.mark.parametrize(
        "name", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai", "+05:30"]
    )
    def test_a_time_stands_for_the_instants_at_which_clocks_show_it(self, name: str) -> None:
        """For each half hour of a year: what is shown then stands for it, and for at most one other."""
        zone = Zone.parse(name)
        for half in range(2 * 24 * 366):
            instant = datetime(2024, 1, 1) + timedelta(minutes=30 * half)
            shown = zone.shown_at(instant)
            assert shown.replace(tzinfo=zone.tzinfo).timestamp() == instant.replace(tzinfo=UTC).timestamp()
            instants = zone.instants(shown.replace(tzinfo=None, fold=0))
            assert instant in instants
            assert (len(instants) == 2) == (zone.shown_twice(shown.replace(tzinfo=None, fold=0)) is not None)
            assert instants[-1] == instant or shown.tzinfo is None, "the second pass has its zone"

    @pytest.mark.parametrize("zone", ["+08:00", "Asia/Shanghai", "-07:00", "America/New_York"])
    def test_the_first_and_the_last_time_of_all_have_an_instant_too(self, zone: str) -> None:
        for wall in (datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)):
            [found] = Zone.parse(zone).instants(wall)
            assert abs(found - wall) <= timedelta(hours=15)
