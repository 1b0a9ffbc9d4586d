"""Texts of options as values, and what is said of those that make no sense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from aioflows import FlowStatus, QueryError, ScheduleType
from aioflows.cli.options import parsing

CHINA = timezone(timedelta(hours=8))


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
        assert parsing.time(text, "--from") == datetime(2024, 1, 1, tzinfo=CHINA)

    def test_a_date_means_its_midnight_in_the_zone_given(self) -> None:
        assert parsing.time("2024-01-01", "--from", CHINA) == datetime(2024, 1, 1, tzinfo=CHINA)

    def test_a_time_without_zone_is_read_in_the_zone_given(self) -> None:
        zone = parsing.zone("Europe/Berlin")
        assert parsing.time("2024-07-01T12:00", "--from", zone) == datetime(2024, 7, 1, 10, tzinfo=UTC)

    def test_a_zone_in_the_text_counts_more_than_the_one_given(self) -> None:
        assert parsing.time("2024-01-01T00:00Z", "--from", CHINA) == datetime(2024, 1, 1, tzinfo=UTC)

    @pytest.mark.parametrize("text", ["2024-01-01T00:00", "2024-01-01"])
    def test_a_time_without_any_zone_is_refused_with_an_example(self, text: str) -> None:
        with pytest.raises(QueryError, match=r"--from .* add .*a zone, as in 2024-01-01T00:00\+08:00"):
            parsing.time(text, "--from")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "yesterday",
            "2024-02-30T00:00Z",
            "2024-W01-1",
            "20240101",
            "1704067200000",
            "2024-01-01T25:00Z",
        ],
    )
    def test_what_is_no_time_is_refused(self, text: str) -> None:
        with pytest.raises(QueryError, match="is not a time"):
            parsing.time(text, "--to", UTC)

    def test_a_date_with_a_zone_is_refused(self) -> None:
        with pytest.raises(QueryError, match="give the time of day too"):
            parsing.time("2024-01-01+08:00", "--from")

    def test_a_time_that_the_clock_skips_is_refused_with_both_candidates(self) -> None:
        with pytest.raises(QueryError, match="does not exist") as caught:
            parsing.time("2024-03-31T02:30", "--from", ZoneInfo("Europe/Berlin"))
        assert str(caught.value).endswith("give 2024-03-31T01:30+01:00 or 2024-03-31T03:30+02:00")

    def test_a_time_that_the_clock_shows_twice_is_refused_with_both_candidates(self) -> None:
        with pytest.raises(QueryError, match="exists twice") as caught:
            parsing.time("2024-10-27T02:30", "--from", ZoneInfo("Europe/Berlin"))
        assert str(caught.value).endswith("give 2024-10-27T02:30+01:00 or 2024-10-27T02:30+02:00")

    def test_a_midnight_that_the_clock_skips_is_refused(self) -> None:
        with pytest.raises(QueryError, match="does not exist"):
            parsing.time("2018-11-04", "--from", ZoneInfo("America/Sao_Paulo"))


class TestZone:
    @pytest.mark.parametrize("text", ["+08:00", "GMT+8", "Asia/Shanghai"])
    def test_a_zone_is_read(self, text: str) -> None:
        assert parsing.time("2024-01-01", "--from", parsing.zone(text)) == datetime(2024, 1, 1, tzinfo=CHINA)

    @pytest.mark.parametrize("text", ["Middle/Earth", "UTC8", "GMT+25", "../../etc/passwd", ""])
    def test_an_unknown_zone_is_refused_with_examples(self, text: str) -> None:
        with pytest.raises(QueryError, match="Asia/Shanghai"):
            parsing.zone(text)


class TestStatuses:
    @pytest.mark.parametrize(
        "texts", [["FAIL", "TIMEOUT"], ["FAIL,TIMEOUT"], ["fail, timeout"], ["-1", "7"], ["FAIL,7", "fail"]]
    )
    def test_names_and_codes_are_read_in_any_form(self, texts: list[str]) -> None:
        assert parsing.statuses(texts) == (FlowStatus.FAIL, FlowStatus.TIMEOUT)

    def test_a_hyphen_does_for_an_underscore(self) -> None:
        assert parsing.statuses(["internal-error"]) == (FlowStatus.INTERNAL_ERROR,)

    def test_no_status_is_every_status(self) -> None:
        assert parsing.statuses([]) == ()

    def test_a_slip_is_answered_with_the_nearest_name(self) -> None:
        with pytest.raises(QueryError, match=r"did you mean SUCCESS\?"):
            parsing.statuses(["SUCCES"])

    @pytest.mark.parametrize("text", ["", "FAIL,,TIMEOUT", "11"])
    def test_what_is_no_status_is_refused(self, text: str) -> None:
        with pytest.raises(QueryError, match=r"--status .* is not one of"):
            parsing.statuses([text])


class TestTypeAndOrder:
    def test_a_type_is_read_by_its_name(self) -> None:
        assert parsing.schedule_type("Periodic") is ScheduleType.PERIODIC

    def test_all_types_are_no_filter(self) -> None:
        assert parsing.schedule_type("all") is None

    def test_a_wrong_type_is_answered_with_the_nearest_name(self) -> None:
        with pytest.raises(QueryError, match=r"did you mean periodic\?"):
            parsing.schedule_type("periodical")

    @pytest.mark.parametrize(
        ("text", "order"),
        [
            ("trigger_time", "trigger_time"),
            ("-trigger_time", "-trigger_time"),
            ("none", None),
            ("start_time, -end_time", ("start_time", "-end_time")),
        ],
    )
    def test_an_order_is_read(self, text: str, order: str | tuple[str, ...] | None) -> None:
        assert parsing.order(text) == order
