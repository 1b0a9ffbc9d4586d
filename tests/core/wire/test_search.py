"""The search: what is sent, and the pages that come back."""

# ruff: noqa: DTZ001  (answered times have no zone)

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioflows._core.wire.search import read_search
from aioflows._core.wire.search_page import SearchPage
from aioflows._core.wire.search_request import search_body
from aioflows._core.wire.zone import Zone
from aioflows.errors import (
    AioflowsError,
    AnswerError,
    BrokenBody,
    Denied,
    ServerFault,
    Throttled,
)
from aioflows.models import FlowStatus, ScheduleType
from aioflows.query import FlowQuery

SAMPLES = Path(__file__).parents[2] / "samples"
SAMPLE = (SAMPLES / "list-flow-instances.answer.json").read_bytes()
CHINA = Zone.parse("GMT+8")
WHOLE = pytest.mark.parametrize("whole", [False, True])


def row(number: int = 1, **members: object) -> dict[str, object]:
    return {
        "instanceId": f"7-{number}",
        "triggerTime": f"2024-01-01 00:00:{number:02}",
        "status": 1,
    } | members


def body(*rows: object, **members: object) -> bytes:
    return json.dumps(
        {"code": 0, "msg": "OK", "data": {"flowInsts": rows, "count": len(rows)}} | members
    ).encode()


class TestBody:
    query = FlowQuery(
        0, 1573698120000, status={FlowStatus.SUCCESS, FlowStatus.FAIL}, owner="张伟", expression="roll"
    )

    def sent(self, **arguments: Any) -> Any:
        given: dict[str, Any] = {
            "type": ScheduleType.PERIODIC,
            "from_ms": 0,
            "to_ms": 1,
            "page_no": 0,
            "page_size": 9,
        }
        return json.loads(search_body(self.query, **given | arguments))

    def test_it_has_the_members_of_the_documented_example(self) -> None:
        example = json.loads((SAMPLES / "list-flow-instances.request.json").read_bytes())
        sent = self.sent(sorters=[("update_time", False)])
        assert sent.keys() == example.keys()
        assert sent["pagination"].keys() == example["pagination"].keys()
        assert sent["pagination"]["sorters"] == example["pagination"]["sorters"]
        assert [type(value) for _, value in sorted(sent.items())] == [
            type(value) for _, value in sorted(example.items())
        ]

    def test_the_window_and_the_page_are_those_asked_for(self) -> None:
        sent = self.sent(from_ms=1573648355000, to_ms=1573698120000, page_no=3, page_size=10)
        assert (sent["fromTriggerTime"], sent["toTriggerTime"]) == (1573648355000, 1573698120000)
        assert (sent["pagination"]["pageNo"], sent["pagination"]["pageSize"], sent["type"]) == (3, 10, 1)

    def test_statuses_are_codes_in_ascending_order(self) -> None:
        assert self.sent()["status"] == "-1,1"

    def test_texts_are_as_the_user_gave_them(self) -> None:
        assert (self.sent()["owner"], self.sent()["expression"]) == ("张伟", "roll")

    def test_no_filter_is_an_empty_text(self) -> None:
        arguments: dict[str, Any] = {
            "type": ScheduleType.MANUAL,
            "from_ms": 0,
            "to_ms": 1,
            "page_no": 0,
            "page_size": 1,
        }
        sent = json.loads(search_body(FlowQuery(0, 1573698120000), **arguments))
        assert (sent["status"], sent["owner"], sent["expression"]) == ("", "", "")

    def test_sorters_say_their_direction(self) -> None:
        sent = self.sent(sorters=[("trigger_time", True), ("end_time", False)])
        assert sent["pagination"]["sorters"] == [
            {"field": "trigger_time", "order": "DESC"},
            {"field": "end_time", "order": "ASC"},
        ]


@WHOLE
class TestPage:
    def test_it_is_planned_by_ids_times_and_count(self, whole: bool) -> None:
        page = read_search(SAMPLE, whole=whole)
        assert list(page.ids) == ["2809-20190812080700", "2957-20190812075600"]
        assert list(page.times) == ["2019-08-12 08:07:22", "2019-08-12 07:56:56"]
        assert (page.count, len(page)) == (2, 2)

    def test_the_documented_sample_reads_as_it_stands(self, whole: bool) -> None:
        first, second = read_search(SAMPLE, whole=whole).instances(CHINA)
        sample = json.loads(SAMPLE)["data"]["flowInsts"][0]
        assert first.instance_id == sample["instanceId"]
        assert (first.flow_id, first.flow_name, first.freq, first.cycle) == (2809, "21", "0 0 0 * * ? *", "D")
        assert (first.do_as, first.owner, first.status_desc) == ("your_bd_account", "yourOwners", "SUCCESS")
        assert (first.parameters, first.graph) == ([], json.loads(sample["graph"]))
        assert first.status is FlowStatus.SUCCESS
        assert first.trigger_time == datetime(2019, 8, 12, 0, 7, 22, tzinfo=UTC)
        assert first.start_time == datetime(2019, 8, 12, 0, 7, 30, tzinfo=UTC)
        assert first.timestamp == datetime(2019, 8, 12, 0, 9, 48, tzinfo=UTC)
        assert first.duration == timedelta(seconds=2)
        assert (first.virtual, first.has_edit_pri, first.has_read_pri, first.is_cancelled) == (
            False,
            True,
            True,
            False,
        )
        assert (first.alert_mode, first.cal_dt, first.extra) == (None, None, {})
        assert second.instance_id == "2957-20190812075600"

    @pytest.mark.parametrize(
        "rows",
        [
            range(1, 4),
            range(3, 0, -1),
            range(4, -1, -1),
            range(-1, -1, -1),
            range(2, 2),
            [4, 0, 0],
            [],
            range(5),
        ],
    )
    def test_some_rows_come_in_the_order_asked_for(self, whole: bool, rows: list[int]) -> None:
        page = read_search(body(*map(row, range(5))), whole=whole)
        assert [one.instance_id for one in page.instances(CHINA, rows)] == [f"7-{number}" for number in rows]

    @pytest.mark.parametrize("odd", [{}, {"flowId": "x"}, {"region": 1}])
    def test_rows_can_be_handed_out_again(self, whole: bool, odd: dict[str, object]) -> None:
        page = read_search(body(row(1, **odd), row(2, **odd)), whole=whole)
        first = page.instances(CHINA, [1])
        assert page.instances(CHINA) == [page.instances(CHINA, [0])[0], first[0]] == page.instances(CHINA)

    def test_times_of_another_form_are_made_alike(self, whole: bool) -> None:
        times = ["2024-01-01T00:00:00", "2024-01-01 00:00:00.999", "2024-01-01 00:00:01"]
        page = read_search(body(*(row(triggerTime=time) for time in times)), whole=whole)
        assert list(page.times) == ["2024-01-01 00:00:00", "2024-01-01 00:00:00", "2024-01-01 00:00:01"]
        assert [one.trigger_time and one.trigger_time.second for one in page.instances(CHINA)] == [0, 0, 1]

    def test_a_fraction_of_any_length_is_no_harm(self, whole: bool) -> None:
        page = read_search(body(row(triggerTime="9999-12-31 23:59:59.9999999999999")), whole=whole)
        assert list(page.times) == ["9999-12-31 23:59:59"]
        assert str(page.instances(CHINA)[0].trigger_time) == "9999-12-31 23:59:59+08:00"

    def test_the_offset_in_force_tells_two_equal_hours_apart(self, whole: bool) -> None:
        page = read_search(body(row(triggerTime="2024-10-27 02:30:00")), whole=whole)
        berlin = Zone.parse("Europe/Berlin")
        (first,), (second,) = page.instances(berlin, offset=7200), page.instances(berlin, offset=3600)
        assert first.trigger_time
        assert second.trigger_time
        assert second.trigger_time.astimezone(UTC) - first.trigger_time.astimezone(UTC) == timedelta(hours=1)

    @pytest.mark.parametrize("code", ['"code":0', '"code":"0","msg":"OK"', '"status":0', '"stauts":0.0'])
    @pytest.mark.parametrize(
        ("data", "count"),
        [
            (',"data":{"flowInsts":[],"count":0}', 0),
            (',"data":{"flowInsts":null,"count":0}', 0),
            (',"data":{"flowInsts":null,"count":null}', None),
            (',"data":{"flowInsts":[]}', None),
            (',"data":{"flowInsts":null}', None),
            (',"data":{"count":0}', 0),
            (',"data":{"count":"0"}', 0),
            (',"data":{"count":-1}', -1),
            (',"data":{"pageNo":0}', None),
            (',"data":{}', None),
            (',"data":[]', None),
            (',"data":null', None),
            (',"data":""', None),
            (',"data":false', None),
            (',"data":{"flowInsts":{}}', None),
            (',"data":{"flowInsts":""}', None),
            (',"data":{"flowInsts":false,"count":0}', 0),
            (',"data":{"flowInsts":[],"pagination":null}', None),
            (',"data":{"pagination":{"pageNo":1,"totalSize":"0"}}', None),
            (',"data":{"totalSize":null}', None),
            ("", None),
        ],
    )
    def test_nothing_is_an_empty_page_however_it_is_said(
        self, whole: bool, code: str, data: str, count: int | None
    ) -> None:
        """No list, no data, or null where the list or the data is due: with a code that says yes, each means no rows."""
        page = read_search(f"{{{code}{data}}}".encode(), whole=whole)
        assert (len(page), list(page.ids), list(page.times), page.count) == (0, [], [], count)
        assert page.instances(CHINA) == page.instances(CHINA, []) == page.instances(CHINA, range(0)) == []

    @pytest.mark.parametrize("data", ["{}", '{"flowInsts":[]}'])
    def test_so_it_is_where_the_answer_is_a_long_one(self, whole: bool, data: str) -> None:
        """What the service says besides, and at whatever length, makes no difference to an empty page."""
        answer = f'{{"code":0,"msg":"OK","trace":"{"x" * 9000}","data":{data}}}'.encode()
        assert len(read_search(answer, whole=whole)) == 0

    @pytest.mark.parametrize("rows", [0, 3])
    @pytest.mark.parametrize("count", [7, 10**300])
    def test_a_count_beside_a_list_is_told_and_not_judged(self, whole: bool, rows: int, count: int) -> None:
        """An answer that counts more rows than it lists is a page; what it proves is decided by who asked."""
        listed = json.dumps([row(number) for number in range(rows)])
        page = read_search(
            f'{{"code":0,"data":{{"flowInsts":{listed},"count":{count}}}}}'.encode(), whole=whole
        )
        assert (len(page), page.count) == (rows, count)

    @pytest.mark.parametrize(
        "answer",
        [
            '{"code":0,"data":{"flowInsts":[],"total":7}}',
            '{"code":0,"data":{"flowInsts":[],"count":0,"pagination":{"totalSize":"7"}}}',
            '{"code":0,"data":{"flowInsts":[],"totalCount":7}}',
        ],
    )
    def test_a_total_by_another_name_is_told_where_nothing_is_listed(self, whole: bool, answer: str) -> None:
        assert read_search(answer.encode(), whole=whole).count == 7

    @pytest.mark.parametrize("list", ['"flowInsts":null,', ""])
    def test_beyond_the_first_page_a_count_may_be_that_of_all_rows(self, whole: bool, list: str) -> None:
        """A service that counts all pages, and leaves an empty list out, says so on the page after the last one."""
        page = read_search(f'{{"code":0,"data":{{{list}"count":7}}}}'.encode(), whole=whole, page_no=1)
        assert (len(page), page.count) == (0, 7)

    @pytest.mark.parametrize(
        ("count", "read"),
        [
            ("7", 7),
            ("7.0", 7),
            ('"7"', 7),
            ("null", None),
            ('"x"', None),
            ('"-"', None),
            ("true", None),
            ("[]", None),
            ("{}", None),
            ("1.5", None),
        ],
    )
    def test_the_count_is_a_hint(self, whole: bool, count: str, read: int | None) -> None:
        answer = f'{{"code":0,"data":{{"flowInsts":[{json.dumps(row())}],"count":{count}}}}}'.encode()
        assert read_search(answer, whole=whole).count == read

    def test_a_byte_order_mark_is_no_harm(self, whole: bool) -> None:
        assert read_search(b"\xef\xbb\xbf" + SAMPLE, whole=whole).instances(CHINA)

    def test_numbers_as_ids_become_texts(self, whole: bool) -> None:
        page = read_search(body(row(instanceId=7), row(instanceId="8")), whole=whole)
        assert list(page.ids) == [one.instance_id for one in page.instances(CHINA)] == ["7", "8"]

    def test_graphs_printed_unescaped_are_mended(self, whole: bool) -> None:
        bare = (SAMPLES / "list-flow-instances.unescaped.txt").read_bytes()
        assert read_search(bare, whole=whole).instances(CHINA) == read_search(SAMPLE).instances(CHINA)

    def test_a_lone_surrogate_is_kept(self, whole: bool) -> None:
        answer = body(row(flowName="\ud800 lone"), row(2, flowName="\U0001f600 pair"))
        names = [one.flow_name for one in read_search(answer, whole=whole).instances(CHINA)]
        assert names == ["\ud800 lone", "\U0001f600 pair"]

    def test_its_repr_says_how_much_it_holds(self, whole: bool) -> None:
        assert repr(read_search(SAMPLE, whole=whole)).startswith("Page(2 rows, ")


@WHOLE
class TestRefusal:
    @pytest.mark.parametrize(
        "answer",
        [b'{"code":62101,"msg":"no user"}', b'{"code":"62101","msg":"no user","data":null}',
         b'{"status":62101,"msg":"no user","data":""}', b'{"msg":"no user","data":[],"code":62101}',
         b'{"code":62101,"msg":"no user","data":{"flowInsts":"none"}}',
         b'{"code":62101,"msg":"no user","data":{}}', b'{"code":62101,"msg":"no user","data":{"count":0}}'],
    )  # fmt: skip
    def test_a_code_in_either_dialect_outweighs_whatever_the_data_is(
        self, whole: bool, answer: bytes
    ) -> None:
        with pytest.raises(Denied, match=r"no user \(code 62101\)"):
            read_search(answer, whole=whole)

    def test_a_code_after_the_rows_counts_as_well(self, whole: bool) -> None:
        with pytest.raises(ServerFault):
            read_search(b'{"data":{"flowInsts":[]},"code":62109,"errors":[]}', whole=whole)

    def test_a_code_may_mean_too_many_requests(self, whole: bool) -> None:
        with pytest.raises(Throttled):
            read_search(b'{"code":33,"data":{"flowInsts":[]}}', {33}, whole=whole)


@WHOLE
class TestMalformed:
    @pytest.mark.parametrize(
        ("answer", "problem", "path"),
        [
            (b"null", "Expected `object`, got `null`", "$"),
            (b"[]", "Expected `object`, got `array`", "$"),
            (b'"x"', "Expected `object`, got `str`", "$"),
            (b"{}", "there is no data", "$.data"),
            (b'{"msg":"OK","data":null}', "there is no data", "$.data"),
            (b'{"code":null,"data":[]}', "there is no data", "$.data"),
            (b'{"data":{}}', "there is neither a list nor a code", "$.data"),
            (b'{"data":{"flowInsts":null,"count":0}}', "there is neither a list nor a code", "$.data"),
            (b'{"code":0,"data":[7]}', "Expected `array` of length <= 0", "$.data"),
            (b'{"code":0,"data":"x"}', "Expected `str` of length <= 0", "$.data"),
            (b'{"code":0,"data":true}', "there is `true` instead of data", "$.data"),
            (b'{"code":0,"data":{"flowInsts":true}}', "there is `true` instead of a list", "$.data.flowInsts"),
            (b'{"code":0,"data":{"count":7}}', "the answer reports 7 rows, but has no list of them", "$.data.flowInsts"),
            (b'{"code":0,"data":{"count":"1","flowInsts":null}}', "the answer reports 1 rows, but has no list of them", "$.data.flowInsts"),
            (b'{"code":0,"data":{"flowInsts":{"1":{}}}}', "Expected `object` of length <= 0", "$.data.flowInsts"),
            (b'{"code":0,"data":{"flowInsts":"x"}}', "Expected `str` of length <= 0", "$.data.flowInsts"),
            (b'{"code":0,"data":[],"total":7}', "the answer reports 7 rows, but has no list of them", "$.data.flowInsts"),
            (b'{"code":0,"data":{"flowInsts":"","pagination":{"totalSize":7}}}', "the answer reports 7 rows, but has no list of them", "$.data.flowInsts"),
            (b'{"code":0,"data":{"flowInsts":[7]}}', "Expected `object`, got `int`", "$.data.flowInsts[0]"),
            (b'{"code":"OK","data":{"flowInsts":[]}}', "'OK' is not a code", "$.code"),
            (b'{"code":true,"data":{"flowInsts":[]}}', "True is not a code", "$.code"),
            (b'{"code":0,"status":1,"data":{"flowInsts":[]}}', "code 0 and status 1 contradict each other", "$.status"),
        ],
    )  # fmt: skip
    def test_it_says_what_is_wrong_and_where(
        self, whole: bool, answer: bytes, problem: str, path: str
    ) -> None:
        with pytest.raises(AnswerError) as caught:
            read_search(answer, whole=whole)
        assert (caught.value.problem, caught.value.path) == (problem, path)

    @pytest.mark.parametrize(
        ("members", "problem", "path"),
        [
            ({"instanceId": ""}, "there is no id", "instanceId"),
            ({"instanceId": None}, "None is not an id", "instanceId"),
            ({"instanceId": True}, "True is not an id", "instanceId"),
            ({"instanceId": ["7"]}, "['7'] is not an id", "instanceId"),
            ({"triggerTime": None}, "instance '7-2' has no trigger time that can be read: None is not a time", "triggerTime"),
            ({"triggerTime": 0}, "instance '7-2' has no trigger time that can be read: 0 is not a time", "triggerTime"),
            ({"triggerTime": "2024-01-01 24:00:00"}, "instance '7-2' has no trigger time that can be read: ", "triggerTime"),
            ({"triggerTime": "2024-02-30 00:00:00"}, "instance '7-2' has no trigger time that can be read: ", "triggerTime"),
            ({"triggerTime": "2024-01-01 00:00:00+19:00"}, "instance '7-2' has no trigger time that can be read: ", "triggerTime"),
            ({"triggerTime": {}}, "instance '7-2' has no trigger time that can be read: ", "triggerTime"),
            ({"triggerTime": "0001-01-01T00:00:00Z"}, "instance '7-2' has no trigger time that can be read: ", "triggerTime"),
            ({"triggerTime": ""}, "instance '7-2' has no trigger time that can be read: ", "triggerTime"),
        ],
    )  # fmt: skip
    def test_a_row_without_id_or_trigger_time_is_named(
        self, whole: bool, members: dict[str, object], problem: str, path: str
    ) -> None:
        with pytest.raises(AnswerError) as caught:
            read_search(body(row(1), row(2, **members)), whole=whole)
        assert caught.value.problem.startswith(problem)
        assert caught.value.path == f"$.data.flowInsts[1].{path}"

    def test_a_row_may_not_lack_them_either(self, whole: bool) -> None:
        for name in ("instanceId", "triggerTime"):
            given = {key: value for key, value in row().items() if key != name}
            with pytest.raises(AnswerError) as caught:
                read_search(body(given), whole=whole)
            assert caught.value.path == f"$.data.flowInsts[0].{name}"

    @pytest.mark.parametrize(
        "answer",
        [
            b'{"code":0,"code":0,"data":{"flowInsts":[]}}',
            b'{"code":0,"data":{"flowInsts":[],"count":0},"data":{"flowInsts":[]}}',
            body(row(1))[:-2] + b',"flowInsts":[]}}',
            body(row(1))[:-2] + b',"flowInsts":[' + json.dumps(row(2)).encode() + b"]}}",
            body(row(1))[:-1] + b',"data":' + json.dumps({"flowInsts": [row(2)]}).encode() + b"}",
        ],
    )
    def test_a_member_of_the_envelope_that_comes_twice_is_refused(self, whole: bool, answer: bytes) -> None:
        json.loads(answer)
        with pytest.raises(AnswerError, match="twice"):
            read_search(answer, whole=whole)

    @pytest.mark.parametrize(
        "first", [[row(n, owner="x" * 500) for n in range(1, 20)], [row(1, owner="x" * 9000)]]
    )
    @pytest.mark.parametrize("second", [[], [row(2)], [row(n, owner="x" * 500) for n in range(20, 40)]])
    @pytest.mark.parametrize("again", ['}, "data": {"flowInsts": ', ', "flowInsts": '])
    def test_so_is_one_that_is_long(
        self, whole: bool, first: list[object], second: list[object], again: str
    ) -> None:
        answer = f'{{"code": 0, "data": {{"flowInsts": {json.dumps(first)}{again}{json.dumps(second)}}}}}'
        with pytest.raises(AnswerError, match="twice"):
            read_search(answer.encode(), whole=whole)

    @pytest.mark.parametrize(
        ("answer", "problem"),
        [
            (b"<html><body>Please log in</body></html>", "a web page came instead of JSON: <html>"),
            (b"  <!DOCTYPE html>", "a web page"),
            (
                b'{"code":0,"data":{"flowInsts":[{"instanceId":"\xff","triggerTime":""}]}}',
                "not UTF-8: invalid",
            ),
            (b'{"code":0,"data":{"flowInsts":[{"instanceId":"\xed\xa0\x80"}]}}', "not UTF-8: invalid"),
            (
                b'{"code":0,"msg":"\\ud800","data":{"flowInsts":[{"instanceId":"\xb3"}]}}',
                "not UTF-8: invalid",
            ),
            ('{"code":62101,"msg":"用户不存在"}'.encode("gbk"), "not UTF-8: invalid"),
            ('{"code":0,"data":{"flowInsts":[]}}'.encode("utf-16"), "not UTF-8: invalid"),
            ("<html><body>Zugriff für Gäste</body></html>".encode("latin-1"), "a web page came"),
            ('{"code":0,} "né'.encode()[:-1], "JSON is malformed"),
            (b'{"code":NaN}', "JSON is malformed"),
            (b'{"code":Infinity}', "JSON is malformed"),
            (b'{"code":0}}', "trailing characters"),
            (b'{"code":0,"data":{"flowInsts":[' + b"[" * 100_000, "nested too deeply"),
            (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
            (b'{"code":' + b"9" * 5000 + b"}", "out of range"),
        ],
    )
    def test_what_is_no_json_is_said_to_be_none(self, whole: bool, answer: bytes, problem: str) -> None:
        with pytest.raises(AnswerError, match=problem):
            read_search(answer, whole=whole)

    @pytest.mark.parametrize("answer", [b"", b"  ", b"\xef\xbb\xbf"])
    def test_an_empty_body_is_a_broken_one(self, whole: bool, answer: bytes) -> None:
        with pytest.raises(BrokenBody):
            read_search(answer, whole=whole)

    @pytest.mark.parametrize("answer", [SAMPLE, body(row(flowName="风机 \ud83d\ude00"))])
    def test_a_body_cut_anywhere_is_a_broken_one(self, whole: bool, answer: bytes) -> None:
        for end in range(len(answer.rstrip())):
            with pytest.raises(BrokenBody):
                read_search(answer[:end], whole=whole)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
WIRE_NAMES = (
    *row(),
    "flowId",
    "flowName",
    "parameters",
    "graph",
    "startTime",
    "virtual",
    "isCancelled",
    "calDt",
    "new",
)


class TestAnything:
    """Whatever comes, only errors of this library come out of it, and both ways of reading agree."""

    @staticmethod
    def outcome(answer: bytes, *, whole: bool) -> object:
        try:
            return read_search(answer, whole=whole).instances(CHINA)
        except AioflowsError:  # of two faults, each way finds another one first
            return AioflowsError

    @given(st.dictionaries(st.sampled_from(WIRE_NAMES), json_values))
    @settings(max_examples=300, deadline=None)
    def test_rows_of_any_members(self, members: dict[str, object]) -> None:
        answer = body(row(1), row(2, **members))
        assert self.outcome(answer, whole=False) == self.outcome(answer, whole=True)

    @given(st.binary(max_size=60))
    @settings(max_examples=300, deadline=None)
    def test_any_bytes(self, answer: bytes) -> None:
        assert self.outcome(answer, whole=False) == self.outcome(answer, whole=True)

    @given(st.data())
    @settings(max_examples=500, deadline=None)
    def test_the_sample_with_bytes_exchanged(self, data: st.DataObject) -> None:
        answer = bytearray(SAMPLE)
        for _ in range(data.draw(st.integers(1, 3))):
            start = data.draw(st.integers(0, len(answer) - 1))
            answer[start : start + data.draw(st.integers(0, 4))] = data.draw(
                st.sampled_from(
                    [b"", b'"', b"\\", b"{", b"]", b",", b":", b"null", b"\xff", b"\\ud800", b"1e999", b"-"]
                )
            )
        assert self.outcome(bytes(answer), whole=False) == self.outcome(bytes(answer), whole=True)

    @given(
        st.lists(
            st.fixed_dictionaries(
                {
                    "instanceId": st.text(min_size=1),
                    "triggerTime": st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)).map(
                        lambda time: time.isoformat(" ", "seconds")
                    ),
                    "flowId": st.integers(-(2**63), 2**63 - 1),
                    "flowName": st.text() | st.none(),
                    "virtual": st.booleans() | st.none(),
                    "other": json_values,
                }
            ),
            max_size=5,
        )
    )
    @settings(deadline=None)
    def test_what_was_written_is_read(self, rows: list[dict[str, Any]]) -> None:
        page = read_search(body(*rows))
        read = page.instances(CHINA)
        assert [one.instance_id for one in read] == list(page.ids) == [given["instanceId"] for given in rows]
        assert list(page.times) == [given["triggerTime"] for given in rows]
        for one, sent in zip(read, rows, strict=True):
            assert one.trigger_time
            assert one.trigger_time.isoformat(" ") == sent["triggerTime"] + "+08:00"
            assert (one.flow_id, one.flow_name, one.virtual) == (
                sent["flowId"],
                sent["flowName"],
                sent["virtual"],
            )
            assert one.extra == {"other": sent["other"]}


def test_a_page_can_be_made_for_a_test() -> None:
    page = SearchPage(b"", ["a"], ["2024-01-01 00:00:00"])
    assert len(page) == 1


class TestPackedPage:
    @given(st.data())
    @settings(deadline=None)
    def test_a_packed_page_returns_the_rows_that_were_asked_for(self, data: st.DataObject) -> None:
        """It holds several parts, one of them with a row of an undocumented type."""
        texts = [
            row(number % 60, graph={"n": number}) | {"instanceId": f"{number:04}"} for number in range(300)
        ]
        texts[100]["flowId"] = "not a number"
        plain, packed = read_search(body(*texts)), read_search(body(*texts))
        assert packed.pack()
        rows = data.draw(st.lists(st.integers(0, 299), max_size=20, unique=True))
        assert packed.instances(CHINA, rows) == plain.instances(CHINA, rows)
        turn = range(299, 150, -1)
        assert packed.instances(CHINA, turn, offset=28_800) == plain.instances(CHINA, turn, offset=28_800)
        assert packed.instances(CHINA) == plain.instances(CHINA)

    def test_its_columns_stay_the_same(self) -> None:
        times = ["2024-01-01 00:00:00.0", "2024-01-01T00:00:01", "2024-01-01 00:00:02"]
        plain = read_search(body(*(row(number, triggerTime=time) for number, time in enumerate(times))))
        packed = read_search(body(*(row(number, triggerTime=time) for number, time in enumerate(times))))
        assert packed.pack()
        assert (len(packed), packed.ids, [*packed.times]) == (3, plain.ids, [*plain.times])
        assert [*packed.walls] == [*plain.walls]
        assert [*packed.times[1:]] == [*plain.times[1:]]
        assert packed.times[-1] == plain.times[-1]

    def test_times_that_say_the_instant_are_shown_in_the_zone(self) -> None:
        texts = [row(number, triggerTime=f"2024-01-01T00:00:{number:02}Z") for number in range(10)]
        plain, packed = read_search(body(*texts)), read_search(body(*texts))
        assert packed.pack()
        assert packed.needs_no_zone
        packed.show_in(CHINA)
        assert packed.instances(CHINA, [3, 1]) == plain.instances(CHINA, [3, 1])

    def test_an_error_names_the_row_of_the_answer(self) -> None:
        page = read_search(body(*(row(number % 60) for number in range(99)), row(7, flowName=["no text"])))
        assert page.pack()
        with pytest.raises(AnswerError) as caught:
            page.instances(CHINA, [99])
        assert "flowInsts[99]" in str(caught.value)

    def test_it_takes_less_memory(self) -> None:
        texts = [row(number % 60, graph={"a long name": "a long text"}) for number in range(500)]
        page = read_search(body(*texts))
        before = page.weight
        assert page.pack()
        assert not page.pack()
        assert page.weight < before / 2

    def test_decoded_rows_are_not_packed(self) -> None:
        assert not read_search(body(row(), row(2)), whole=True).pack()
        assert not read_search(body()).pack()
