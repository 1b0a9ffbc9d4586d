"""Texts of options as values, and what is said of those that make no sense."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from aioflows import FlowStatus, QueryError, ScheduleType
from aioflows.cli.options import moments, parsing

CHINA = timezone(timedelta(hours=8))


class TestZone:
    @pytest.mark.parametrize("text", ["+08:00", "GMT+8", "Asia/Shanghai"])
    def test_a_zone_is_read(self, text: str) -> None:
        assert moments.time("2024-01-01", "--from", parsing.zone(text)) == datetime(2024, 1, 1, tzinfo=CHINA)

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


class TestLatency:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("0", 0), ("0.02", 0.02), (".5", 0.5), ("20ms", 0.02), ("20 ms", 0.02), ("30s", 30)],
    )
    def test_it_is_in_seconds_as_in_the_emulator_or_has_its_unit(self, text: str, seconds: float) -> None:
        assert parsing.latency(text) == seconds

    def test_a_number_that_looks_like_milliseconds_is_refused(self) -> None:
        with pytest.raises(QueryError, match="give 20ms, or 20s if that is meant"):
            parsing.latency("20")

    @pytest.mark.parametrize("text", ["", "fast", "-1", "nan", "1m", "1e3"])
    def test_what_is_no_time_is_refused(self, text: str) -> None:
        with pytest.raises(QueryError, match="is not a time"):
            parsing.latency(text)


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
