"""A flow instance as a dictionary and as JSON, in any encoder: what its properties say, or a refusal."""

from __future__ import annotations

import json
from typing import Any

import attrs
import msgspec
import pytest

from aioflows import FlowInstance, FlowStatus
from aioflows._tables.columns import FIELDS, Layout
from aioflows.export import json_line
from aioflows.export.formats.json_lines import JsonLinesEncoder
from aioflows.stats import CountedWindow, Proof, ScanStats
from tests.support.instances import ODD_ROWS


def general(instance: FlowInstance) -> bytes:
    """Give the line of the encoder that takes any columns and any zone."""
    encoder = JsonLinesEncoder(Layout([column.name for column in FIELDS]), nested=True)
    return encoder.encode([instance])


@pytest.mark.parametrize("name", ODD_ROWS)
def test_the_json_of_an_instance_is_its_line_in_an_export(name: str) -> None:
    instance = ODD_ROWS[name]()
    assert instance.to_json() + b"\n" == general(instance) == json_line(instance)
    assert json.loads(instance.to_json()) == instance.to_dict()


@pytest.mark.parametrize("name", ODD_ROWS)
def test_reading_an_instance_does_not_change_its_json(name: str) -> None:
    instance = ODD_ROWS[name]()
    before = instance.to_json()
    assert instance.graph is instance.graph
    assert (instance.parameters, instance.start_time) == (instance.parameters, instance.start_time)
    assert instance.to_json() == before


def test_a_changed_dictionary_leaves_the_instance_alone() -> None:
    instance = FlowInstance("a", graph='{"tasks":[]}', extra={"more": {"x": 1}})
    members = instance.to_dict()
    members["graph"]["tasks"].append(1)
    members["extra"]["more"]["x"] = 2
    assert (instance.graph, instance.extra) == ({"tasks": []}, {"more": {"x": 1}})


@pytest.mark.parametrize("encode", [msgspec.json.encode, msgspec.msgpack.encode, msgspec.to_builtins])
@pytest.mark.parametrize("name", ODD_ROWS)
def test_msgspec_refuses_an_instance_that_it_would_read_past_its_properties(encode: Any, name: str) -> None:
    instance = ODD_ROWS[name]()
    with pytest.raises(TypeError, match="FlowInstance"):
        encode([instance])
    hooked = msgspec.to_builtins([instance], enc_hook=FlowInstance.to_dict)
    assert hooked == [instance.to_dict()]


def test_a_status_is_its_name_in_texts_and_a_number_in_json() -> None:
    status = FlowStatus.FAIL
    assert (str(status), f"{status}", f"{status:>5}") == ("FAIL", "FAIL", " FAIL")
    assert (f"{status:d}", json.dumps(status), status == -1) == ("-1", "-1", True)
    assert msgspec.json.encode(status) == b"-1"


def test_a_final_status_is_one_after_which_nothing_changes() -> None:
    final = {one.name for one in FlowStatus if one.is_final}
    assert final == {"FAIL", "SUCCESS", "INTERNAL_ERROR", "TIMEOUT", "CANCEL", "SKIP"}
    assert all(FlowStatus.is_final(one) is one.is_final for one in FlowStatus)
    assert [FlowStatus.is_final(code) for code in (1, 2, 99, None)] == [True, False, False, False]
    assert FlowStatus.is_final(FlowInstance("a", status=7))


@pytest.mark.parametrize(
    ("status", "name", "final"),
    [(-1, "FAIL", True), (2, "RUNNING", False), (99, "99", False), (None, None, False)],
)
def test_an_instance_names_its_status_and_knows_if_it_is_final(
    status: int | None, name: str | None, final: bool
) -> None:
    instance = FlowInstance("a", status=status)
    assert (instance.status_name, instance.is_final) == (name, final)


def test_statistics_become_json_values() -> None:
    stats = ScanStats(
        requests=3,
        proofs={Proof.EMPTY: 1},
        counted=(CountedWindow(1, 2, 3),),
        undated=((1, 2),),
        other_clocks={"end_time": "UTC"},
    )
    members = stats.to_dict()
    assert json.loads(json.dumps(members)) == members
    assert list(members) == [field.name for field in attrs.fields(ScanStats)]
    assert members["proofs"] == {"empty": 1}
    assert members["counted"] == [{"from_ms": 1, "to_ms": 2, "rows": 3}]
    assert members["undated"] == [[1, 2]]
