"""What can be asked, and what is refused before anything is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, cast
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows import AppKey, FlowQuery, FlowStatus, Limits, QueryError, RetryPolicy, ScheduleType
from aioflows.query import SORT_FIELDS, StatusName

FROM, TO = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def test_datetimes_and_milliseconds_mean_the_same() -> None:
    assert FlowQuery(FROM, TO).from_ms == FlowQuery(1_704_067_200_000, TO).from_ms == 1_704_067_200_000


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.sampled_from([UTC, BERLIN])))  # noqa: DTZ001
def test_an_aware_datetime_keeps_its_millisecond(when: datetime) -> None:
    if when.astimezone(UTC).astimezone(when.tzinfo).replace(tzinfo=None) != when.replace(tzinfo=None):
        return  # it does not exist
    exact = (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert FlowQuery(when, when).from_ms == exact


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (datetime(2024, 1, 1), "time zone"),  # noqa: DTZ001
        (datetime(2024, 3, 31, 2, 30, tzinfo=BERLIN), "does not exist"),
        (1_704_067_200, "looks like seconds"),
        (1_704_067_200_000_000, "looks like microseconds"),
        (-1, "before 1970"),
        (True, "not True"),
        (1.5e12, "whole epoch milliseconds"),
        ("2024-01-01", "aware datetime"),
        (None, "aware datetime"),
        (datetime(2026, 1, 1, tzinfo=UTC), "is after"),
        (date(2024, 1, 1), "a date has no time of day"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-8))), "is not a moment"),
    ],
)
def test_a_doubtful_time_is_refused_with_what_to_do(first: Any, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        FlowQuery(first, TO)


def test_the_hour_that_comes_twice_follows_its_fold() -> None:
    early = datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN)
    late = early.replace(fold=1)
    assert FlowQuery(early, TO).from_ms + 3_600_000 == FlowQuery(late, TO).from_ms


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"type": 3}, "PERIODIC"),
        ({"type": "periodical"}, "did you mean 'periodic'"),
        ({"type": 1.0}, "PERIODIC"),
        ({"type": True}, "PERIODIC"),
        ({"status": 11}, "FAIL"),
        ({"status": "SUCCES"}, "did you mean FlowStatus.SUCCESS"),
        ({"status": []}, "omit it"),
        ({"status": [1, "FAILED"]}, "'FAILED'"),
        ({"status": "1"}, "'1'"),
        ({"status": {"FAIL": True}}, "one FlowStatus or several"),
        ({"status": 1.5}, "status"),
        ({"owner": 5}, "text"),
        ({"owner": "a\nb"}, "control character"),
        ({"expression": "x" * 1001}, "1,001"),
        ({"order_by": "updateTime"}, "did you mean 'update_time'"),
        ({"order_by": "name"}, "trigger_time"),
        ({"order_by": []}, "None for no order"),
        ({"order_by": ["start_time", "-start_time"]}, "twice"),
        ({"order_by": 5}, "sort field"),
        ({"order_by": {"start_time"}}, "a list of them"),
        ({"order_by": {"start_time": "DESC"}}, "a list of them"),
    ],
    ids=str,
)
def test_what_the_service_does_not_know_is_refused(given_: dict[str, Any], words: str) -> None:
    with pytest.raises(QueryError, match=words):
        FlowQuery(FROM, TO, **given_)


def test_one_status_or_several_may_be_given() -> None:
    assert FlowQuery(FROM, TO, status=FlowStatus.FAIL).status == {-1}
    assert FlowQuery(FROM, TO, status=[1, FlowStatus.TIMEOUT]).status == {1, 7}
    assert FlowQuery(FROM, TO).status == frozenset()


def test_a_status_may_be_given_by_its_name() -> None:
    assert FlowQuery(FROM, TO, status="FAIL").status == {-1}
    assert FlowQuery(FROM, TO, status={"FAIL", "INTERNAL_ERROR", FlowStatus.SUCCESS}).status == {-1, 1, 4}
    assert FlowQuery(FROM, TO, status=cast("StatusName", "internal-error")).status == {4}


def test_a_type_may_be_given_by_its_number_or_its_name() -> None:
    for given_ in (1, "periodic", "PERIODIC", ScheduleType.PERIODIC):
        assert FlowQuery(FROM, TO, type=given_).type is ScheduleType.PERIODIC


def test_sorters_tell_field_and_direction() -> None:
    assert FlowQuery(FROM, TO, order_by=["-start_time", "end_time"]).sorters == (
        ("start_time", True),
        ("end_time", False),
    )
    assert FlowQuery(FROM, TO, order_by=None).sorters == ()


def test_a_query_is_a_value() -> None:
    zone = timezone(timedelta(hours=8))
    assert FlowQuery(FROM, TO) == FlowQuery(FROM.astimezone(zone), TO)
    assert len({FlowQuery(FROM, TO), FlowQuery(FROM, TO)}) == 1


_QUERIES = st.builds(
    FlowQuery,
    st.integers(978_307_200_000, 1_700_000_000_000),
    st.integers(1_700_000_000_000, 9_000_000_000_000) | st.datetimes(datetime(2024, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    type=st.none() | st.sampled_from(ScheduleType),
    status=st.just(()) | st.sets(st.sampled_from(FlowStatus), min_size=1),
    owner=st.sampled_from(["", "alice"]),
    expression=st.sampled_from(["", "daily"]),
    order_by=st.none() | st.lists(st.sampled_from(SORT_FIELDS), min_size=1, unique=True),
)  # fmt: skip


@given(_QUERIES, _QUERIES, st.sampled_from(attrs.fields(FlowQuery)))
def test_each_field_of_a_query_can_be_changed_alone(
    query: FlowQuery, other: FlowQuery, field: attrs.Attribute[Any]
) -> None:
    changed = attrs.evolve(query, **{field.name: getattr(other, field.name)})
    assert getattr(changed, field.name) == getattr(other, field.name)
    assert attrs.evolve(changed, **{field.name: getattr(query, field.name)}) == query


@pytest.mark.parametrize(
    "given_",
    [
        {"concurrency": 0},
        {"concurrency": 2.0},
        {"concurrency": 10**6},
        {"page_size": True},
        {"page_size": 10**9},
        {"page_size": "100"},
        {"buffer": -1},
        {"rate": 0},
        {"rate": float("nan")},
        {"rate": float("inf")},
    ],
    ids=str,
)
def test_limits_that_make_no_sense_are_refused(given_: dict[str, Any]) -> None:
    with pytest.raises(QueryError, match=next(iter(given_))):
        Limits(**given_)


@pytest.mark.parametrize(
    "given_",
    [
        {"max_tries": 0},
        {"max_tries": 2.5},
        {"max_elapsed": float("nan")},
        {"max_elapsed": 0},
        {"base": -1},
        {"cap": float("inf")},
        {"attempt_timeout": 0},
        {"throttle_codes": "429"},
        {"throttle_codes": {True}},
    ],
    ids=str,
)
def test_a_retry_policy_that_makes_no_sense_is_refused(given_: dict[str, Any]) -> None:
    with pytest.raises(QueryError, match=next(iter(given_))):
        RetryPolicy(**given_)


@pytest.mark.parametrize(("access", "secret"), [("", "s"), (" ", "s"), ("a", ""), ("a", "s\n"), ("a", None)])
def test_keys_that_cannot_be_are_refused_without_being_shown(access: Any, secret: Any) -> None:
    with pytest.raises(QueryError) as caught:
        AppKey(access, secret)
    assert "AppKey" in str(caught.value)


def test_keys_do_not_show() -> None:
    assert "hidden" not in repr(AppKey("hidden-access", "hidden-secret"))
