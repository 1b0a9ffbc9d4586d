"""A flow instance as a line of JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.json
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows import FlowInstance, FlowStatus
from aioflows._tables.columns import COLUMNS, Layout
from aioflows.export import export, json_line
from aioflows.export.formats.json_lines import JsonLinesEncoder
from tests.support.export_cases import QUERY, Rows

floats = st.floats(allow_nan=False, allow_infinity=False)


def values(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner) | st.dictionaries(st.text(), inner)


CHINA = timezone(timedelta(hours=8))


def members(instance: FlowInstance) -> dict[str, object]:
    read: dict[str, object] = json.loads(json_line(instance))
    return read


def test_a_line_ends_with_the_only_line_feed() -> None:
    line = json_line(FlowInstance("a", flow_name="one\ntwo\r\u2028three"))
    assert line.endswith(b"}\n")
    assert len(line.splitlines()) == 1


def test_every_field_has_a_member() -> None:
    names = "instance_id flow_id flow_name freq cycle parameters do_as graph status status_desc trigger_time start_time "
    names += "end_time timestamp virtual owner has_edit_pri has_read_pri is_cancelled alert_mode cal_dt extra"
    assert list(members(FlowInstance("a"))) == names.split()


def test_times_are_in_utc() -> None:
    instance = FlowInstance("a", trigger_time=datetime(2024, 1, 1, tzinfo=CHINA))
    assert members(instance)["trigger_time"] == "2023-12-31T16:00:00+00:00"


@pytest.mark.parametrize("status", [FlowStatus.FAIL, 99])
def test_a_status_is_its_code(status: int) -> None:
    instance = FlowInstance("a", status=status, status_desc="what it says")
    assert members(instance)["status"] == int(status)
    assert members(instance)["status_desc"] == "what it says"


def test_graph_and_parameters_are_decoded() -> None:
    instance = FlowInstance("a", graph='{"tasks":[{"taskId":"1"}]}', parameters="[]")
    assert members(instance)["graph"] == {"tasks": [{"taskId": "1"}]}
    assert members(instance)["parameters"] == []


@pytest.mark.parametrize("graph", ["{not json", '{"x":NaN}', "[" * 100_000 + "]" * 100_000])
def test_a_graph_that_is_no_json_stays_a_text(graph: str) -> None:
    assert members(FlowInstance("a", graph=graph))["graph"] == graph


def test_a_graph_that_was_encoded_twice_is_decoded_twice() -> None:
    assert members(FlowInstance("a", graph=json.dumps('{"tasks":[]}')))["graph"] == {"tasks": []}


@given(st.recursive(st.none() | st.booleans() | st.integers() | floats | st.text(), values))
def test_any_json_is_kept(graph: object) -> None:
    assert members(FlowInstance("a", graph=json.dumps({"graph": graph})))["graph"] == {"graph": graph}


def test_members_that_the_service_added_are_kept() -> None:
    assert members(FlowInstance("a", extra={"newField": [1, None]}))["extra"] == {"newField": [1, None]}


@pytest.mark.parametrize("name", ["风机", "\x1b]52;c;x\x07", "\x7f", "\x9b31m", "\u202e", "\ud800", "🔋"])
def test_a_line_is_harmless_ascii_and_still_holds_the_name(name: str) -> None:
    line = json_line(FlowInstance("a", flow_name=name))
    assert all(0x20 <= byte < 0x7F for byte in line[:-1])
    assert json.loads(line)["flow_name"] == name


GRAPHS = ['{"id":1}', '{"id":"x","tasks":[{"taskId":1},{"taskId":"a"}]}', "{not json", None]


def test_a_line_of_an_export_has_the_documented_columns_and_its_graph_as_text() -> None:
    row = FlowInstance("a", graph='{"tasks":[]}', parameters="[]", extra={"new": 1}, status=FlowStatus.FAIL)
    read = json.loads(JsonLinesEncoder(Layout()).encode([row]))
    assert list(read) == [column.name for column in COLUMNS]
    assert (read["graph"], read["parameters"], read["extra"]) == ('{"tasks":[]}', "[]", '{"new":1}')
    assert (read["status"], read["status_name"], read["duration"]) == (-1, "FAIL", None)


def test_graphs_are_values_where_that_is_asked_for() -> None:
    row = FlowInstance("a", graph='{"tasks":[]}', parameters="[]", extra={"new": 1})
    read = json.loads(JsonLinesEncoder(Layout(["graph", "parameters", "extra"]), nested=True).encode([row]))
    assert read == {"graph": {"tasks": []}, "parameters": [], "extra": {"new": 1}}


@pytest.mark.real_time
@pytest.mark.parametrize("tasks", [False, True])
async def test_readers_of_tables_find_one_type_in_each_column(tasks: bool, tmp_path: Path) -> None:
    """Graphs of different shapes are texts, which Polars, Arrow and DuckDB read."""
    rows = [
        FlowInstance(f"{number}", graph=graph, trigger_time=datetime(2024, 1, 1 + number, tzinfo=UTC))
        for number, graph in enumerate(GRAPHS)
    ]
    target = tmp_path / "out.jsonl"
    await export(Rows(rows), QUERY, target, tasks=tasks)
    read = [json.loads(line) for line in target.read_text().splitlines()]
    found = [
        pl.read_ndjson(target).to_dicts(),
        pyarrow.json.read_json(target).to_pylist(),
        duckdb.sql(f"FROM read_json('{target}')").to_arrow_table().to_pylist(),
    ]
    column = "task" if tasks else "graph"
    for one in found:
        assert [row[column] for row in one] == [row[column] for row in read]


@pytest.mark.parametrize(
    "name", ["风机", "\x1b]52;c;x\x07", "\x7f", "\x9b31m", "\u202e", "\u2028", "\ud800", "🔋"]
)
def test_a_line_in_utf8_holds_the_name_and_no_control_character(name: str) -> None:
    line = JsonLinesEncoder(Layout(["flow_name"]), utf8=True).encode([FlowInstance("a", flow_name=name)])
    assert json.loads(line) == {"flow_name": name}
    assert len(line.decode().splitlines()) == 1
    assert (name in line.decode()) == (name in ("风机", "🔋"))
