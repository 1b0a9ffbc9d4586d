"""Flow instances as columns, and which of them there are."""

from __future__ import annotations

import attrs
import pytest

from aioflows import FlowInstance, QueryError
from aioflows._tables.columns import COLUMNS, FIELDS, TASK_COLUMNS, Layout
from tests.support.export_cases import instances

ROWS = instances(4)


def test_every_field_of_an_instance_is_a_column() -> None:
    assert [column.name for column in FIELDS] == [field.name for field in attrs.fields(FlowInstance)]


def test_a_column_has_a_value_for_each_row_in_the_order_of_the_names() -> None:
    layout = Layout(["status_name", "instance_id", "duration"])
    assert layout.values(ROWS) == [
        ["FAIL", "SUCCESS", "SUCCESS", "FAIL"],
        [row.instance_id for row in ROWS],
        [None, 2.0, 2.0, 2.0],
    ]


def test_a_status_that_is_not_in_the_table_is_named_by_its_code() -> None:
    assert Layout(["status_name"]).values([FlowInstance("a", status=99), FlowInstance("b")]) == [["99", None]]


def test_an_instance_becomes_a_row_for_each_task() -> None:
    layout = Layout(["instance_id", "task_number", "task_id", "task_name", "task_status"], tasks=True)
    first = ROWS[0].instance_id
    rows = list(zip(*layout.values(ROWS[:1]), strict=True))
    assert rows == [(first, 0, "0", "t", None), (first, 1, "x", None, 1)]


@pytest.mark.parametrize("graph", [None, "{}", '{"tasks":[]}', '{"tasks":3}', "no json", "[1]"])
def test_an_instance_without_tasks_still_has_a_row(graph: str | None) -> None:
    layout = Layout(["instance_id", "task_number", "task"], tasks=True)
    assert layout.values([FlowInstance("a", graph=graph)]) == [["a"], [None], [None]]


def test_a_task_of_another_shape_is_kept_as_it_is() -> None:
    values = Layout(["task_id", "task"], tasks=True).values(
        [FlowInstance("a", graph='{"tasks":[7,{"taskId":[]}]}')]
    )
    assert values == [[None, None], [7, {"taskId": []}]]


def test_a_graph_that_is_taken_apart_is_not_there_a_second_time() -> None:
    names = Layout(tasks=True).names
    assert "graph" not in names
    assert names[-len(TASK_COLUMNS) :] == tuple(column.name for column in TASK_COLUMNS)
    assert "graph" in Layout(["graph"], tasks=True).names


def test_nothing_is_left_out_unless_it_is_asked_for() -> None:
    assert Layout().names == tuple(column.name for column in COLUMNS)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["instanceid"], "did you mean 'instance_id'"),
        (["status", "status"], "named twice"),
        ([], "columns must hold at least one name"),
        (["task_id"], "needs one row for each task"),
        ("status", "must be several names"),
    ],
)
def test_a_name_that_makes_no_sense_is_refused(names: list[str], words: str) -> None:
    with pytest.raises(QueryError, match=words):
        Layout(names)
