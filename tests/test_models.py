"""Flow instances as values."""

from __future__ import annotations

import copy
import json
import pickle
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast
from zoneinfo import ZoneInfo

import attrs
import pytest

from aioflows._core.wire.search import read_search
from aioflows._core.wire.zone import Zone
from aioflows.errors import QueryError
from aioflows.models import FlowInstance, FlowPage, FlowStatus

CHINA = timezone(timedelta(hours=8))
FIELDS = [
    "instance_id", "flow_id", "flow_name", "freq", "cycle", "parameters", "do_as",
    "graph", "status", "status_desc", "trigger_time", "start_time", "end_time",
    "timestamp", "virtual", "owner", "has_edit_pri", "has_read_pri", "is_cancelled",
    "alert_mode", "cal_dt", "extra",
]  # fmt: skip


def decoded(**members: object) -> FlowInstance:
    """Give an instance as it comes out of an answer."""
    row = {
        "instanceId": "2809-1",
        "triggerTime": "2019-08-12 08:07:22",
        "flowName": "roll up",
        "status": 1,
    } | members
    body = json.dumps({"code": 0, "data": {"flowInsts": [row]}}).encode()
    (instance,) = read_search(body).instances(Zone.parse("GMT+8"))
    return instance


def made(**fields: Any) -> FlowInstance:
    """Give the same, made by hand."""
    given: dict[str, Any] = {
        "trigger_time": datetime(2019, 8, 12, 8, 7, 22, tzinfo=CHINA),
        "flow_name": "roll up",
        "status": 1,
    }
    return FlowInstance("2809-1", **given | fields)


@pytest.fixture(params=[decoded, made])
def instance(request: pytest.FixtureRequest) -> FlowInstance:
    value = request.param()
    assert isinstance(value, FlowInstance)
    return value


class TestValue:
    """What holds for every instance, decoded or made by hand."""

    def test_its_fields_have_the_public_names(self) -> None:
        assert [field.name for field in attrs.fields(FlowInstance)] == FIELDS

    def test_as_a_dictionary_it_shows_what_reading_shows(self, instance: FlowInstance) -> None:
        members = attrs.asdict(instance)
        assert list(members) == FIELDS
        assert members["trigger_time"] == datetime(2019, 8, 12, 0, 7, 22, tzinfo=UTC)
        assert members["trigger_time"].tzinfo is not None
        assert members["status"] is FlowStatus.SUCCESS

    @pytest.mark.parametrize("name", FIELDS)
    def test_no_field_can_be_set(self, instance: FlowInstance, name: str) -> None:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(instance, name, None)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            delattr(instance, name)

    def test_no_other_attribute_can_be_set(self, instance: FlowInstance) -> None:
        with pytest.raises(AttributeError):
            instance.other = 1  # type: ignore[attr-defined]
        assert not hasattr(instance, "__dict__")

    def test_a_changed_copy_leaves_the_rest(self, instance: FlowInstance) -> None:
        changed = attrs.evolve(instance, status=FlowStatus.FAIL)
        assert changed.status is FlowStatus.FAIL
        assert attrs.evolve(changed, status=1) == instance != changed

    def test_copies_and_pickles_are_equal_and_hash_alike(self, instance: FlowInstance) -> None:
        for other in (copy.copy(instance), copy.deepcopy(instance), pickle.loads(pickle.dumps(instance))):
            assert type(other) is FlowInstance
            assert other == instance
            assert hash(other) == hash(instance)
            assert attrs.asdict(other) == attrs.asdict(instance)

    def test_it_can_stand_in_sets_and_be_referred_to_weakly(self, instance: FlowInstance) -> None:
        assert len({instance, copy.copy(instance)}) == 1
        assert weakref.ref(instance)() is instance

    def test_its_repr_is_short_and_says_which_when_and_how(self, instance: FlowInstance) -> None:
        assert repr(instance) == (
            "FlowInstance('2809-1', flow_name='roll up', status=SUCCESS, trigger_time=2019-08-12T08:07:22+08:00)"
        )


def test_a_decoded_instance_equals_one_made_by_hand() -> None:
    assert decoded(graph='{"a":1}') == made(graph='{"a":1}')


class TestMaking:
    def test_the_id_is_all_that_is_needed(self) -> None:
        instance = FlowInstance("a")
        assert attrs.asdict(instance) == dict.fromkeys(FIELDS) | {"instance_id": "a", "extra": {}}
        assert repr(instance) == "FlowInstance('a', flow_name=None, status=None, trigger_time=None)"

    def test_only_the_id_may_stand_without_its_name(self) -> None:
        with pytest.raises(TypeError):
            FlowInstance("a", 1)

    @pytest.mark.parametrize("name", ["", None, 7])
    def test_an_id_that_is_none_is_refused(self, name: Any) -> None:
        with pytest.raises(QueryError, match="instance_id"):
            FlowInstance(name)

    @pytest.mark.parametrize("field", ["trigger_time", "start_time", "end_time", "timestamp"])
    @pytest.mark.parametrize("time", [datetime(2024, 1, 1), "2024-01-01 00:00:00", 0])  # noqa: DTZ001
    def test_a_time_without_zone_is_refused(self, field: str, time: Any) -> None:
        with pytest.raises(QueryError, match=f"{field} must be an aware datetime"):
            FlowInstance("a", **{field: time})

    def test_a_graph_of_bytes_is_refused(self) -> None:
        with pytest.raises(QueryError, match="graph must be decoded JSON or a text"):
            FlowInstance("a", graph=cast("Any", b"{}"))


class TestStatus:
    @pytest.mark.parametrize("status", FlowStatus)
    def test_a_code_of_the_table_reads_as_its_name(self, status: FlowStatus) -> None:
        assert decoded(status=int(status)).status is status

    @pytest.mark.parametrize("code", [11, -2, 10**30])
    def test_any_other_code_stays_a_number(self, code: int) -> None:
        status = decoded(status=code).status
        assert status == code
        assert type(status) is int
        assert str(code) in repr(decoded(status=code))


class TestTimes:
    def test_all_four_are_read_in_the_service_s_zone(self) -> None:
        text = "2019-08-12 08:07:30"
        instance = decoded(startTime=text, endTime=text, timestamp=f"{text}.5")
        aware = datetime(2019, 8, 12, 0, 7, 30, tzinfo=UTC)
        assert (instance.start_time, instance.end_time) == (aware, aware)
        assert instance.timestamp == aware + timedelta(seconds=0.5)
        assert instance.timestamp.utcoffset() == timedelta(hours=8)

    def test_one_that_is_missing_is_none(self) -> None:
        assert decoded(startTime=None).start_time is None
        assert decoded().end_time is None


class TestDuration:
    def test_it_is_from_start_to_end(self) -> None:
        instance = decoded(startTime="2019-08-12 08:07:30", endTime="2019-08-12 08:07:32")
        assert instance.duration == timedelta(seconds=2)

    def test_without_an_end_there_is_none(self) -> None:
        assert decoded(startTime="2019-08-12 08:07:30").duration is None

    def test_an_hour_that_clocks_skip_does_not_count(self) -> None:
        berlin = ZoneInfo("Europe/Berlin")
        start, end = datetime(2024, 3, 31, 1, 59, tzinfo=berlin), datetime(2024, 3, 31, 3, 1, tzinfo=berlin)
        assert made(start_time=start, end_time=end).duration == timedelta(minutes=2)

    def test_an_end_in_the_last_year_there_is_does_not_break_it(self) -> None:
        start, end = (
            datetime(2024, 1, 1, tzinfo=CHINA),
            datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-8))),
        )
        duration = made(start_time=start, end_time=end).duration
        assert duration is not None
        assert duration.days > 2_900_000


class TestGraph:
    def test_it_is_decoded_once(self) -> None:
        instance = decoded(graph='{"tasks":[]}')
        assert instance.graph == {"tasks": []}
        assert instance.graph is instance.graph

    def test_its_text_is_still_there_afterwards(self) -> None:
        instance = decoded(graph='{"tasks" : []}')
        assert isinstance(instance.graph, Mapping)
        assert instance.graph_text == '{"tasks" : []}'
        assert pickle.loads(pickle.dumps(instance)).graph_text == '{"tasks" : []}'

    def test_one_that_is_encoded_twice_is_decoded_twice(self) -> None:
        assert decoded(graph=json.dumps('{"a":1}')).graph == {"a": 1}

    @pytest.mark.parametrize("text", ['{"a":', "{a:1}", '{"a":NaN}', "[" * 100_000, "9" * 5000, "\x00"])
    def test_one_that_is_no_json_is_given_as_it_is(self, text: str) -> None:
        instance = decoded(graph=text)
        assert instance.graph == instance.graph_text == text
        assert attrs.evolve(instance) == instance

    @pytest.mark.parametrize("text", [None, ""])
    def test_one_that_is_missing_is_none(self, text: str | None) -> None:
        assert decoded(graph=text).graph is None

    def test_one_that_comes_as_an_object_is_given_as_one(self) -> None:
        instance = decoded(graph={"name": "风机"})
        assert instance.graph == {"name": "风机"}
        assert instance.graph_text == '{"name":"风机"}'

    def test_parameters_are_read_likewise(self) -> None:
        instance = decoded(parameters="[1]")
        assert instance.parameters == [1]
        assert instance.parameters_text == "[1]"


def test_a_page_has_its_instances_as_a_tuple() -> None:
    page = FlowPage([made()], 7)
    assert page.instances == (made(),)
    assert page == FlowPage(instances=(made(),), count=7)


class TestTasks:
    def test_the_tasks_of_a_graph_have_its_members(self) -> None:
        task = {
            "taskName": "sync",
            "taskInstId": "4-1",
            "x": 0.002,
            "y": 1,
            "taskId": 4,
            "nodeId": "t_4",
            "status": "1",
        }
        (one,) = decoded(graph=json.dumps({"tasks": [task]})).tasks
        assert (one.id, one.name, one.instance_id, one.node_id) == ("4", "sync", "4-1", "t_4")
        assert (one.status, one.status_name, one.is_final) == (FlowStatus.SUCCESS, "SUCCESS", True)
        assert (one.x, one.y, one.members) == (0.002, 1.0, task)

    @pytest.mark.parametrize("graph", [None, "", "no JSON", "[]", '{"tasks":{}}', '{"tasks":null}', "{}"])
    def test_a_graph_without_tasks_has_none(self, graph: str | None) -> None:
        assert decoded(graph=graph).tasks == ()

    def test_what_a_task_lacks_is_none(self) -> None:
        odd = [
            7,
            None,
            {},
            {"taskId": ["a"], "taskName": {}, "x": "wide", "y": True, "status": 99.5},
            {"status": 42},
        ]
        tasks = decoded(graph={"tasks": odd}).tasks
        assert [(one.id, one.name, one.x, one.y, one.status) for one in tasks[:2]] == [
            (None, None, None, None, None)
        ] * 2
        assert (tasks[2].status, tasks[2].status_name, tasks[2].is_final) == (42, "42", False)
