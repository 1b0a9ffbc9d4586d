"""Numbers and times of NumPy and pandas, as tables give them, where users give numbers and times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from aioflows import FlowQuery, FlowSession, Limits, QueryError, RetryPolicy, ScheduleType, Timeouts

numpy: Any = pytest.importorskip("numpy")

FROM, TO = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
FROM_MS, TO_MS = 1_704_067_200_000, 1_735_689_600_000


def test_whole_numbers_of_numpy_are_bounds_types_and_statuses() -> None:
    plain = FlowQuery(FROM_MS, TO_MS, type=1, status={-1, 1})
    query = FlowQuery(
        numpy.int64(FROM_MS), numpy.uint64(TO_MS), type=numpy.int8(1), status=numpy.array([1, -1])
    )
    assert query == plain
    assert type(query.from_trigger_time) is int
    assert query.type is ScheduleType.PERIODIC
    assert FlowQuery(FROM, TO, status=numpy.int64(-1)).status == {-1}


def test_an_array_of_names_is_an_order() -> None:
    query = FlowQuery(FROM, TO, order_by=numpy.array(["-start_time", "end_time"]))
    assert query.sorters == (("start_time", True), ("end_time", False))
    assert [type(key) for key in query.order_by or ()] == [str, str]


def test_numbers_of_numpy_are_settings() -> None:
    limits = Limits(
        numpy.int64(2), rate=numpy.float32(2.5), page_size=numpy.int16(9), buffer=numpy.uint32(70)
    )
    assert limits == Limits(2, rate=2.5, page_size=9, buffer=70)
    assert [type(one) for one in attrs.astuple(limits)[:4]] == [int, float, int, int]
    policy = RetryPolicy(numpy.int64(3), max_elapsed=numpy.int64(9), throttle_codes=numpy.array([429]))
    assert policy == RetryPolicy(3, max_elapsed=9, throttle_codes=frozenset({429}))
    assert Timeouts(numpy.float64(3.5)) == Timeouts(3.5)


def test_a_limit_of_numpy_is_a_number_of_instances() -> None:
    session = FlowSession("https://enos.test", user_id="u", org_id="o", first_page=numpy.int64(1))
    session.scan(FlowQuery(FROM, TO), limit=numpy.int64(5))
    for limit in (numpy.int64(-1), numpy.True_, numpy.float64(5)):
        with pytest.raises(QueryError, match="limit must be a whole number"):
            session.scan(FlowQuery(FROM, TO), limit=limit)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (numpy.datetime64("2024-01-01"), "numpy.datetime64 has no zone"),
        (numpy.datetime64("NaT"), "numpy.datetime64 has no zone"),
        (numpy.float64(1.7e12), "whole epoch milliseconds"),
        (numpy.True_, "whole epoch milliseconds"),
        (numpy.array([FROM_MS]), "whole epoch milliseconds"),
        (numpy.int64(1_704_067_200), "looks like seconds"),
    ],
    ids=str,
)
def test_a_doubtful_bound_of_numpy_is_refused_with_what_to_do(value: object, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        FlowQuery(value, TO)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given",
    [
        {"status": numpy.array("FAIL")},
        {"status": numpy.array([])},
        {"status": numpy.float64(1)},
        {"type": numpy.True_},
        {"order_by": numpy.array([])},
        {"order_by": numpy.int64(1)},
    ],
    ids=str,
)
def test_what_arrays_cannot_mean_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(QueryError, match=next(iter(given))):
        FlowQuery(FROM, TO, **given)


@pytest.mark.long
def test_times_of_pandas_are_bounds_if_they_have_a_zone() -> None:
    pandas: Any = pytest.importorskip("pandas")
    times = pandas.Series(pandas.to_datetime([FROM, TO])).dt.tz_convert("Asia/Shanghai")
    query = FlowQuery(*times, status=pandas.Series(["FAIL", "SUCCESS"]), order_by="-trigger_time")
    assert (query.from_ms, query.to_ms, query.status) == (FROM_MS, TO_MS, {-1, 1})
    for value, words in (
        (pandas.NaT, "is not a moment"),
        (pandas.NA, "must be an aware datetime"),
        (pandas.Timestamp("2024-01-01"), "has no time zone"),
    ):
        with pytest.raises(QueryError, match=words):
            FlowQuery(value, TO)
