"""Comma-separated values, as RFC 4180 has them, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows import FlowInstance, FlowStatus
from aioflows._tables.columns import Layout
from aioflows.export.formats.csv import CsvEncoder


def cell(name: str, *, raw: bool = False, zone: tzinfo = UTC, **fields: object) -> str:
    content = CsvEncoder(Layout([name]), raw=raw, zone=zone).encode([FlowInstance("a", **fields)])  # type: ignore[arg-type]
    ((value,),) = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    return value


def test_there_is_a_header_and_every_line_ends_as_the_standard_says() -> None:
    cells = CsvEncoder(Layout(["instance_id", "status"]))
    assert cells.head == b"instance_id,status\r\n"
    assert cells.encode([FlowInstance("a", status=FlowStatus.FAIL)]) == b"a,-1\r\n"


@pytest.mark.parametrize("start", [*"=+-@\t\r\n\0", *"\uff1d\uff0b\uff0d\uff20"])
def test_what_looks_like_a_formula_gets_a_mark_unless_it_is_wanted_raw(start: str) -> None:
    assert cell("flow_name", flow_name=f"{start}1+1") == f"'{start}1+1"
    assert cell("flow_name", flow_name=f"{start}1+1", raw=True) == f"{start}1+1"
    assert cell("graph", graph=f"{start}1") == f"'{start}1"


def test_a_number_stays_a_number() -> None:
    assert cell("status", status=-1) == "-1"
    assert cell("flow_id", flow_id=-7) == "-7"


def test_times_have_the_offset_of_utc_or_of_a_zone() -> None:
    china = timezone(timedelta(hours=8))
    time = datetime(2024, 1, 1, tzinfo=china)
    assert cell("trigger_time", trigger_time=time) == "2023-12-31T16:00:00+00:00"
    assert cell("trigger_time", trigger_time=time, zone=china) == "2024-01-01T00:00:00+08:00"
    assert cell("timestamp", timestamp=time) == "2023-12-31T16:00:00.000000+00:00"


def test_a_time_that_utc_does_not_have_keeps_its_offset() -> None:
    time = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=8)))
    assert cell("trigger_time", trigger_time=time) == "0001-01-01T00:00:00+08:00"


def test_what_is_missing_is_told_from_what_is_empty() -> None:
    cells = CsvEncoder(Layout(["instance_id", "flow_name", "owner"]))
    assert cells.encode([FlowInstance("a", owner="")]) == b'a,,""\r\n'


def test_a_line_is_never_empty() -> None:
    assert CsvEncoder(Layout(["flow_name"])).encode([FlowInstance("a")]) == b'""\r\n'


@given(st.lists(st.tuples(st.text(min_size=1), st.text(), st.text()), min_size=1))
def test_any_text_is_read_back_by_another_reader(texts: list[tuple[str, str, str]]) -> None:
    rows = [FlowInstance(one, flow_name=two, graph=three) for one, two, three in texts]
    content = CsvEncoder(Layout(["instance_id", "flow_name", "graph"]), raw=True).encode(rows)
    assert [tuple(row) for row in csv.reader(io.StringIO(content.decode(), newline=""), strict=True)] == texts


def test_a_lone_surrogate_does_not_stop_it() -> None:
    assert cell("flow_name", flow_name="a\ud800") == "a\\ud800"
