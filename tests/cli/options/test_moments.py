"""Times and ranges as people type them. The present time is given, so nothing here depends on the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from aioflows import QueryError
from aioflows.cli.options import moments, parsing
from aioflows.cli.options.moments import Period

CHINA = timezone(timedelta(hours=8))
NOW = datetime(2024, 3, 9, 20, 30, tzinfo=UTC)  # in China it is the 10th already


class TestTime:
    @pytest.mark.parametrize(
        "text",
        [
            "2024-01-01T00:00+08:00",
            "2024-01-01 00:00:00+08:00",
            "2024-01-01T00:00:00.000+0800",
            "2023-12-31T16:00Z",
            " 2024-01-01T00:00+08 ",
        ],
    )
    def test_a_time_with_its_zone_is_read(self, text: str) -> None:
        assert moments.time(text, "--from") == datetime(2024, 1, 1, tzinfo=CHINA)

    def test_a_date_means_its_midnight_in_the_zone_given(self) -> None:
        assert moments.time("2024-01-01", "--from", CHINA) == datetime(2024, 1, 1, tzinfo=CHINA)

    def test_a_time_without_zone_is_read_in_the_zone_given(self) -> None:
        zone = parsing.zone("Europe/Berlin")
        assert moments.time("2024-07-01T12:00", "--from", zone) == datetime(2024, 7, 1, 10, tzinfo=UTC)

    def test_a_zone_in_the_text_counts_more_than_the_one_given(self) -> None:
        assert moments.time("2024-01-01T00:00Z", "--from", CHINA) == datetime(2024, 1, 1, tzinfo=UTC)

    @pytest.mark.parametrize("text", ["2024-01-01T00:00", "2024-01-01"])
    def test_a_time_without_any_zone_is_refused_with_an_example(self, text: str) -> None:
        with pytest.raises(QueryError, match=r"--from .* add .*a zone, as in 2024-01-01T00:00\+08:00"):
            moments.time(text, "--from")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "2024-02-30T00:00Z",
            "2024-W01-1",
            "20240101",
            "17040672000",
            "17040672000000000",
            "7 fortnights",
            "2024-01-01T25:00Z",
        ],
    )
    def test_what_is_no_time_is_refused(self, text: str) -> None:
        with pytest.raises(QueryError, match="is not a time"):
            moments.time(text, "--to", UTC)

    def test_a_date_with_a_zone_is_refused(self) -> None:
        with pytest.raises(QueryError, match="give the time of day too"):
            moments.time("2024-01-01+08:00", "--from")

    def test_a_time_that_the_clock_skips_is_refused_with_both_candidates(self) -> None:
        with pytest.raises(QueryError, match="does not exist") as caught:
            moments.time("2024-03-31T02:30", "--from", ZoneInfo("Europe/Berlin"))
        assert str(caught.value).endswith("give 2024-03-31T01:30+01:00 or 2024-03-31T03:30+02:00")

    def test_a_time_that_the_clock_shows_twice_is_refused_with_both_candidates(self) -> None:
        with pytest.raises(QueryError, match="exists twice") as caught:
            moments.time("2024-10-27T02:30", "--from", ZoneInfo("Europe/Berlin"))
        assert str(caught.value).endswith("give 2024-10-27T02:30+01:00 or 2024-10-27T02:30+02:00")

    def test_a_midnight_that_the_clock_skips_is_refused(self) -> None:
        with pytest.raises(QueryError, match="does not exist"):
            moments.time("2018-11-04", "--from", ZoneInfo("America/Sao_Paulo"))

    @pytest.mark.parametrize(
        ("text", "meant"),
        [
            ("now", NOW),
            ("today", datetime(2024, 3, 10, tzinfo=CHINA)),
            ("Yesterday", datetime(2024, 3, 9, tzinfo=CHINA)),
            ("tomorrow", datetime(2024, 3, 11, tzinfo=CHINA)),
            ("30m", NOW - timedelta(minutes=30)),
            ("24h", NOW - timedelta(days=1)),
            ("7d", NOW - timedelta(days=7)),
            ("2w", NOW - timedelta(days=14)),
            ("1704067200", datetime(2024, 1, 1, tzinfo=UTC)),
            ("1704067200.25", datetime(2024, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)),
            ("1704067200250", datetime(2024, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)),
        ],
    )
    def test_days_durations_and_epochs_are_read(self, text: str, meant: datetime) -> None:
        assert moments.time(text, "--from", CHINA, now=NOW) == meant

    def test_a_day_begins_where_its_clocks_say_so(self) -> None:
        berlin = ZoneInfo("Europe/Berlin")
        after_the_change = datetime(2024, 3, 31, 20, tzinfo=UTC)
        assert moments.time("today", "--from", berlin, now=after_the_change) == datetime(
            2024, 3, 30, 23, tzinfo=UTC
        )

    def test_a_date_without_hyphens_is_answered_with_them(self) -> None:
        with pytest.raises(QueryError, match="as in 2024-01-31"):
            moments.time("20240131", "--from", UTC, now=NOW)

    @pytest.mark.parametrize("text", ["99999999w", "999999999d"])
    def test_a_duration_that_leads_before_1970_is_refused(self, text: str) -> None:
        with pytest.raises(QueryError, match=r"before 1970|longer than any range"):
            moments.time(text, "--from", UTC, now=NOW)

    @pytest.mark.parametrize(
        ("text", "needed"),
        [
            *(("today", True), ("2024-01-01", True), ("2024-01-01T00:00", True)),
            *(("2024-01-01T00:00Z", False), ("7d", False), ("now", False), ("1704067200", False)),
        ],
    )
    def test_only_local_times_need_a_zone(self, text: str, needed: bool) -> None:
        assert moments.needs_zone(text) is needed


class TestPeriod:
    @pytest.mark.parametrize(
        ("length", "first", "last"),
        [
            ("7d", NOW - timedelta(days=7), NOW),
            ("today", datetime(2024, 3, 10, tzinfo=CHINA), NOW),
            ("yesterday", datetime(2024, 3, 9, tzinfo=CHINA), datetime(2024, 3, 10, tzinfo=CHINA)),
        ],
    )
    def test_a_length_is_a_range_that_ends_now_and_yesterday_a_whole_day(
        self, length: str, first: datetime, last: datetime
    ) -> None:
        assert Period(NOW, length=length).times(CHINA) == (first, last)

    def test_a_range_without_an_end_ends_now(self) -> None:
        assert Period(NOW, "2024-03-01").times(UTC) == (datetime(2024, 3, 1, tzinfo=UTC), NOW)

    def test_a_range_that_ends_before_it_starts_is_told_in_the_words_of_its_options(self) -> None:
        with pytest.raises(
            QueryError, match=r"--from, 2024-03-11 00:00:00\+08:00, is after now, 2024-03-10 04:30:00\+08:00"
        ):
            Period(NOW, "tomorrow").times(CHINA)
        with pytest.raises(QueryError, match=r"--from, 2024-03-02 .* is after --to, 2024-03-01 "):
            Period(NOW, "2024-03-02", "2024-03-01").times(CHINA)

    @pytest.mark.parametrize(
        ("texts", "words"),
        [
            ((None, None, None), "--from is missing"),
            ((None, "today", None), "--from is missing"),
            (("today", None, "7d"), "--last cannot be used with --from or --to"),
            ((None, None, "0d"), "is an empty range"),
            ((None, None, "7x"), "30m, 24h, 7d or 2w"),
            (("today", "noon", None), "--to 'noon' is not a time"),
        ],
        ids=str,
    )
    def test_what_makes_no_sense_is_refused(
        self, texts: tuple[str | None, str | None, str | None], words: str
    ) -> None:
        with pytest.raises(QueryError, match=words):
            Period(NOW, *texts)

    def test_a_command_is_repeated_with_the_times_that_it_had(self) -> None:
        """So that an export of the last seven days is resumed with its own range, not with a later one."""
        period = Period(NOW, length="7d")
        arguments = ("scan", "--last", "7d", "-o", "a.csv", "--last=7d", "--limit", "5")
        assert period.fixed(arguments, period.times(None)) == (
            *("scan", "-o", "a.csv", "--limit", "5", "--from", "2024-03-02T20:30:00.000+00:00"),
            *("--to", "2024-03-09T20:30:00.000+00:00"),
        )

    def test_a_command_with_fixed_times_is_repeated_as_it_is(self) -> None:
        period = Period(NOW, "2024-01-01T00:00Z", "1704067200")
        arguments = ("scan", "--from", "2024-01-01T00:00Z", "--to=1704067200")
        assert period.fixed(arguments, period.times(None)) == arguments
