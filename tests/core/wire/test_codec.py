"""Rows become flow instances: the documented ones, those with more, and those with something odd."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioflows._core.wire.rows import NAMES, Row, RowDecoder
from aioflows._core.wire.search import read_search
from aioflows._core.wire.zone import Zone
from aioflows.errors import AnswerError
from aioflows.models import FlowInstance, FlowStatus, StoredInstance

CHINA = Zone.parse("GMT+8")
OTHERS = ("start_time", "end_time", "timestamp")


def answer(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"code": 0, "data": {"flowInsts": rows}}).encode()


def read(*rows: dict[str, Any]) -> list[FlowInstance]:
    needed = {"triggerTime": "2024-01-01 00:00:00"}
    named = [{"instanceId": f"7-{number}"} | needed | row for number, row in enumerate(rows)]
    return read_search(answer(*named)).instances(CHINA)


def test_the_wire_and_the_slots_have_the_same_fields_in_the_same_order() -> None:
    slots = tuple(name for name in StoredInstance.__init__.__annotations__ if name != "return")
    assert (*Row.__struct_fields__, "extra") == slots


@pytest.mark.parametrize("graphs", [[b"\xff"], ["\u62a5".encode(), b"\xe6\x8a"], [b"\xe6\x8a", b"\xa5"]])
def test_a_graph_that_is_not_utf_8_is_refused_before_anybody_reads_it(graphs: list[bytes]) -> None:
    body = answer(*({"instanceId": "7-1", "graph": f"here {number}"} for number in range(len(graphs))))
    for number, graph in enumerate(graphs):
        body = body.replace(b"here %d" % number, graph)
    with pytest.raises(AnswerError, match="not UTF-8"):
        RowDecoder().answer(body)


class TestUnknownMembers:
    def test_they_are_kept_as_they_are_decoded(self) -> None:
        (instance,) = read({"region": {"name": "north", "ids": [1, None]}, "my-field": "x", "flowId": 7})
        assert instance.extra == {"region": {"name": "north", "ids": [1, None]}, "my-field": "x"}
        assert instance.flow_id == 7

    def test_a_row_without_them_has_none(self) -> None:
        assert [one.extra for one in read({"region": 1}, {"zone": None}, {})] == [
            {"region": 1},
            {"zone": None},
            {},
        ]

    def test_any_number_of_them_is_kept(self) -> None:
        members = {f"member{number}": number for number in range(500)}
        assert [one.extra for one in read(members, {})] == [members, {}]

    @pytest.mark.parametrize(
        "name", ["", "tab\t", 'quote"', "back\\slash", "名", "\ud800", "x" * 1000, "unknown_0"]
    )
    def test_any_name_is_kept(self, name: str) -> None:
        assert read({name: 1})[0].extra == {name: 1}

    def test_one_of_a_name_in_python_s_spelling_is_not_taken_for_the_field(self) -> None:
        (instance,) = read({"flow_id": 9})
        assert (instance.flow_id, instance.extra) == (None, {"flow_id": 9})

    def test_their_names_are_learnt_once(self) -> None:
        reader = RowDecoder()
        rows = [{"instanceId": "a", "region": 1}, {"instanceId": "b", "zone": 2}]
        first = reader.answer(answer(*rows)).data.flow_insts
        again = reader.answer(answer(rows[1], {"instanceId": "c"})).data.flow_insts
        assert type(first[0]) is type(again[0])
        assert first[0].__struct_encode_fields__ == (*NAMES, "region", "zone")


class TestOddTypes:
    @pytest.mark.parametrize(
        ("name", "value", "field", "expected"),
        [
            ("flowId", "2809", "flow_id", 2809),
            ("flowId", 2809.0, "flow_id", 2809),
            ("flowId", True, "flow_id", 1),
            ("status", "7", "status", FlowStatus.TIMEOUT),
            ("status", "-1.0", "status", FlowStatus.FAIL),
            ("alertMode", "3", "alert_mode", 3),
            ("flowName", 21, "flow_name", "21"),
            ("owner", True, "owner", "true"),
            ("calDt", 20190812, "cal_dt", "20190812"),
            ("virtual", 1, "virtual", True),
            ("virtual", "false", "virtual", False),
            ("hasEditPri", "0", "has_edit_pri", False),
            ("hasReadPri", "TRUE", "has_read_pri", True),
            ("isCancelled", 0.0, "is_cancelled", False),
            ("graph", 5, "graph", 5),
            ("parameters", [{"a": 1}], "parameters", [{"a": 1}]),
            (
                "startTime",
                "2024-01-01T00:00:00.5",
                "start_time",
                datetime(2023, 12, 31, 16, 0, 0, 500_000, UTC),
            ),
            ("startTime", "2024-01-01T00:00:00Z", "start_time", datetime(2024, 1, 1, tzinfo=UTC)),
            ("startTime", 1704067200000, "start_time", datetime(2024, 1, 1, tzinfo=UTC)),
            ("endTime", "", "end_time", None),
        ],
    )
    def test_a_scalar_of_another_type_is_read_if_it_can_be(
        self, name: str, value: object, field: str, expected: object
    ) -> None:
        plain, odd = read({}, {name: value})
        assert getattr(odd, field) == expected
        assert type(getattr(odd, field)) is type(expected)
        assert (plain.extra, odd.extra) == ({}, {})

    @pytest.mark.parametrize(
        ("name", "value", "field"),
        [
            ("flowId", "two", "flow_id"),
            ("flowId", 1.5, "flow_id"),
            ("status", "SUCCESS", "status"),
            ("alertMode", "9" * 5000, "alert_mode"),
            ("virtual", "maybe", "virtual"),
            ("virtual", 2, "virtual"),
            ("endTime", "2024-02-30 00:00:00", "end_time"),
            ("endTime", "2024-01-01 24:00:00", "end_time"),
            ("startTime", 7, "start_time"),
            ("timestamp", False, "timestamp"),
            ("timestamp", "\ud800", "timestamp"),
        ],
    )
    def test_one_that_cannot_be_read_is_set_aside(self, name: str, value: object, field: str) -> None:
        instance, other = read({name: value, "region": 1}, {"flowId": 3})
        assert getattr(instance, field) is None
        assert instance.extra == {"region": 1, name: value}
        assert (other.flow_id, other.extra) == (3, {})

    @pytest.mark.parametrize(
        ("name", "value", "problem"),
        [
            ("flowName", ["x"], "expected a text, not list"),
            ("status", {"code": 1}, "expected a whole number, not dict"),
            ("virtual", [], "expected true or false, not list"),
            ("endTime", {}, "expected a time, not dict"),
        ],
    )
    def test_an_object_or_a_list_in_its_place_is_an_error_that_says_where(
        self, name: str, value: object, problem: str
    ) -> None:
        with pytest.raises(AnswerError) as caught:
            read({}, {}, {}, {name: value})
        assert (caught.value.problem, caught.value.path) == (problem, f"$.data.flowInsts[3].{name}")

    def test_it_says_where_among_the_rows_of_the_page_not_of_those_asked_for(self) -> None:
        rows = [{"instanceId": str(number), "triggerTime": "2024-01-01 00:00:00"} for number in range(3)]
        page = read_search(answer(*rows, rows[0] | {"owner": []}))
        assert len(page.instances(CHINA, range(2))) == 2
        with pytest.raises(AnswerError, match=r"\$\.data\.flowInsts\[3\]\.owner"):
            page.instances(CHINA, range(2, 4))

    def test_rows_beside_an_odd_one_read_as_ever(self) -> None:
        row = {
            "flowId": 1,
            "startTime": "2024-01-01 00:00:08",
            "endTime": "2024-01-01 00:00:10",
            "graph": '{"a":1}',
        }
        alone, beside, _ = *read(row), *read(row, {"flowId": "x"})
        assert alone == beside
        assert beside.duration == timedelta(seconds=2)


ANY_TIME = st.one_of(
    st.none(),
    st.sampled_from([1_704_067_200_123, 99_999_999_999, 10**14 - 1, 10**14, 10**20, -1, 0, 1.7e12, True, "", [2024, 1, 1, 0, 0], "1704067200000"]),
    st.integers(10**11, 10**14),
    st.builds(
        "".join,
        st.tuples(
            st.sampled_from(["2024-01-01", "2024-02-30", "0001-01-01", "9999-12-31"]),
            st.sampled_from(["T", " ", "t"]),
            st.sampled_from(["00:00:00", "23:59:60", "24:00:00", "07:30"]),
            st.sampled_from(["", ".5", ",5", ".1234567", ".9999999"]),
            st.sampled_from(["", "Z", "z", " Z", "+08:00", "+0800", "+08", "-18:30", "+23:59", "+01:60"]),
        ),
    ),
)  # fmt: skip


@settings(max_examples=40)
@given(
    st.lists(
        st.fixed_dictionaries(dict.fromkeys(("startTime", "endTime", "timestamp"), ANY_TIME)),
        min_size=1,
        max_size=3,
    )
)
def test_times_of_a_page_are_what_they_are_if_its_rows_are_read_one_by_one(
    rows: list[dict[str, Any]],
) -> None:
    another = {"flowName": 21}  # which is not a text
    found, wanted = read(*rows), read(*rows, another)[:-1]
    for row, one in zip(found, wanted, strict=True):
        assert [
            (getattr(row, name), getattr(row, name) and getattr(row, name).tzinfo) for name in OTHERS
        ] == [(getattr(one, name), getattr(one, name) and getattr(one, name).tzinfo) for name in OTHERS]
        assert row.extra == one.extra


TRIGGERS = ANY_TIME.filter(lambda time: time is not None)


@settings(max_examples=40)
@given(st.lists(TRIGGERS, min_size=2, max_size=3))
def test_trigger_times_of_a_page_are_those_that_its_rows_have_alone(times: list[Any]) -> None:
    def triggers(*some: Any) -> list[Any]:
        return [row.trigger_time for row in read(*({"triggerTime": time} for time in some))]

    try:
        wanted = [triggers(time)[0] for time in times]
    except AnswerError:
        with pytest.raises(AnswerError):
            triggers(*times)
    else:
        assert triggers(*times) == wanted
