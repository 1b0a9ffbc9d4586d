"""Queries from the parameters of requests, and what is said of wrong ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from multidict import MultiDict

from aioflows import FlowQuery, FlowStatus, QueryError, ScheduleType
from aioflows.web import ErrorAnswer, ParameterError, limit_from, query_from

RANGE = {"from_ms": "1704067200000", "to_ms": "1704153600000"}
NOW = datetime(2024, 3, 1, tzinfo=UTC)


class Werkzeug(dict[str, list[str]]):
    """A multi-dict in the way of Werkzeug, Django and Starlette."""

    def getlist(self, name: str) -> list[str]:
        return super().get(name, [])


@pytest.mark.parametrize(
    "params",
    [
        RANGE | {"status": "FAIL,timeout"},
        {"from_ms": [RANGE["from_ms"]], "to_ms": [RANGE["to_ms"]], "status": ["-1", "7"]},
        MultiDict([*RANGE.items(), ("status", "fail"), ("status", "7")]),
        Werkzeug({name: [text] for name, text in RANGE.items()} | {"status": ["FAIL", "TIMEOUT"]}),
        "from=2024-01-01T08:00:00%2B08:00&to=2024-01-02T00:00:00Z&status=FAIL&status=TIMEOUT",
        b"from=2024-01-01T08:00:00+08:00&to=2024-01-02T00:00:00Z&status=FAIL,TIMEOUT",
    ],
    ids=lambda params: type(params).__name__,
)
def test_every_kind_of_parameters_gives_the_same_query(params: Any) -> None:
    query = query_from(params)
    assert (query.from_ms, query.to_ms) == (1704067200000, 1704153600000)
    assert query.status == {FlowStatus.FAIL, FlowStatus.TIMEOUT}


def test_all_filters_are_read() -> None:
    given = {"type": "manual", "owner": "陈", "expression": "a b", "order_by": "-start_time,trigger_time"}
    query = query_from(RANGE | given | {"limit": "3", "cursor": "x", "page": "2"}, also=["page"])
    assert (query.type, query.owner, query.expression) == (ScheduleType.MANUAL, "陈", "a b")
    assert query.order_by == ("-start_time", "trigger_time")
    assert query_from(RANGE | {"order_by": "none"}).order_by is None


def test_a_duration_ends_now() -> None:
    query = query_from({"last": "7d"}, now=NOW)
    assert query == FlowQuery(NOW - timedelta(days=7), NOW)
    assert query_from({}, default_last=timedelta(hours=1), now=NOW) == FlowQuery(
        NOW - timedelta(hours=1), NOW
    )


@pytest.mark.parametrize(
    ("params", "wrong", "advice"),
    [
        ({}, "from", "2024-01-31"),
        ({"from": "1704067200000"}, "to", "missing"),
        (RANGE | {"from": "1"}, "from", "from_ms"),
        ({"from": "2024-01-01T00:00:00", "to": "5"}, "from", "offset"),
        ({"from_ms": "1704067200", "to_ms": "1704153600"}, "from_ms", "seconds"),
        ({"from_ms": "x" * 10_000, "to_ms": "1"}, "from_ms", "not a time"),
        ({"from_ms": RANGE["to_ms"], "to_ms": RANGE["from_ms"]}, "from_ms", "to_ms"),
        (RANGE | {"last": "7d"}, "last", "not both"),
        ({"last": "7 days"}, "last", "7d"),
        ({"last": "9999999w"}, "last", "far"),
        ({"last": "7d", "cursor": "x"}, "last", "cursor"),
        (RANGE | {"status": "FAILED"}, "status", "FAIL (-1)"),
        (RANGE | {"status": ""}, "status", "FAIL (-1)"),
        (RANGE | {"type": "3"}, "type", "PERIODIC"),
        (RANGE | {"order_by": "trigger"}, "order_by", "trigger_time"),
        (RANGE | {"order_by": "trigger_time,-trigger_time"}, "order_by", "twice"),
        (RANGE | {"owner": "a\x00"}, "owner", "control"),
        (RANGE | {"expression": "x" * 1_001}, "expression", "1,000"),
        (RANGE | {"stauts": "FAIL"}, "stauts", "status"),
        (RANGE | {"type": ["1", "2"]}, "type", "once"),
        ("a=1&" * 300, "query string", "200"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_parameter_is_named_with_what_is_right(params: Any, wrong: str, advice: str) -> None:
    with pytest.raises(ParameterError) as caught:
        query_from(params)
    assert caught.value.parameter == wrong
    assert advice in str(caught.value)
    assert len(str(caught.value)) < 500
    assert isinstance(caught.value, QueryError)


@pytest.mark.parametrize("text", ["0", "1001", "x", "-1", "١"])
def test_a_limit_is_a_whole_number_up_to_the_greatest(text: str) -> None:
    with pytest.raises(ParameterError, match="1 to 1,000"):
        limit_from({"limit": text})
    assert limit_from({}) == 100
    assert limit_from({"limit": "7"}) == 7


def test_nothing_of_a_request_is_shown_as_markup() -> None:
    with pytest.raises(ParameterError) as caught:
        query_from(RANGE | {"status": "<script>\u2028&"})
    answer = ErrorAnswer(caught.value)
    assert answer.status_code == 400
    body = bytes(answer.body)
    assert body.isascii()
    assert not set(b"<>&") & set(body)
