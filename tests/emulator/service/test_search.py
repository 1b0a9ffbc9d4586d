"""List Flow Instances: filters, order, pages and refusals, each judged against the rows themselves."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from aioflows.emulator import Emulator
from tests.support.asking import BASE, JSON, USER, get, ids, post, rows, search, search_body, search_reply


@pytest.fixture(scope="module")
def platform() -> Iterator[Emulator]:
    with Emulator(3_000) as emulator:
        yield emulator


def seconds(emulator: Emulator, **filter: Any) -> list[str]:
    return [id for _, id in emulator.matching(**filter)]


class TestFilters:
    @pytest.mark.parametrize("type", [0, 1, 2])
    def test_one_type_is_answered(self, platform: Emulator, type: int) -> None:
        assert set(ids(platform, type=type, page_size=3_000)) == set(seconds(platform, type=type))

    def test_the_window_is_half_open_in_milliseconds(self) -> None:
        with Emulator(0) as emulator:
            at = emulator.start_ms + 500
            first, second = emulator.insert(at), emulator.insert(at + 1)
            assert ids(emulator, from_ms=at, to_ms=at + 1) == [first]
            assert ids(emulator, from_ms=at + 1, to_ms=at + 2) == [second]

    def test_an_inverted_window_is_empty(self, platform: Emulator) -> None:
        assert rows(platform, from_ms=platform.end_ms, to_ms=platform.start_ms) == []

    def test_several_states_may_be_asked_for(self, platform: Emulator) -> None:
        found = rows(platform, status="-1,7", page_size=3_000)
        assert {row["status"] for row in found} == {-1, 7}
        assert {row["statusDesc"] for row in found} == {"FAIL", "TIMEOUT"}

    def test_an_owner_is_matched_as_a_whole(self, platform: Emulator) -> None:
        found = rows(platform, owner="li.wei", page_size=3_000)
        assert {row["owner"] for row in found} == {"li.wei"}
        assert rows(platform, owner="li") == []

    def test_an_expression_is_found_in_ids(self, platform: Emulator) -> None:
        known = platform.matching(type=1)[5][1]
        assert known in ids(platform, expression=known[:-2])

    def test_an_expression_is_found_in_flow_names(self, platform: Emulator) -> None:
        found = rows(platform, expression="sync", page_size=3_000)
        assert found
        assert all("sync" in row["flowName"] for row in found)

    def test_percent_and_underscore_are_letters(self, platform: Emulator) -> None:
        assert all(
            "_" in row["flowName"] + row["instanceId"]
            for row in rows(platform, expression="_", page_size=3_000)
        )
        assert all("%" in row["flowName"] for row in rows(platform, expression="%", page_size=3_000))

    def test_a_quote_in_an_expression_harms_nothing(self, platform: Emulator) -> None:
        assert search(platform, expression="' OR 1=1 --")["code"] == 0

    def test_the_optional_expression_may_be_absent_or_null(self, platform: Emulator) -> None:
        body = search_body(platform)
        absent = {name: value for name, value in body.items() if name != "expression"}
        for one in (absent, {**body, "expression": None}):
            assert post(platform, one).body == post(platform, body).body


class TestOrder:
    @pytest.mark.parametrize(
        ("field", "wire"), [("trigger_time", "triggerTime"), ("create_time", "timestamp")]
    )
    def test_rows_are_sorted_by_a_field_in_both_directions(
        self, platform: Emulator, field: str, wire: str
    ) -> None:
        rising = [row[wire][:19] for row in rows(platform, sort=[field], page_size=3_000)]
        falling = [row[wire][:19] for row in rows(platform, sort=[f"-{field}"], page_size=3_000)]
        assert rising == sorted(rising)
        assert falling == sorted(rising, reverse=True)

    @pytest.mark.parametrize(("field", "wire"), [("start_time", "startTime"), ("end_time", "endTime")])
    def test_times_that_do_not_exist_are_the_smallest(
        self, platform: Emulator, field: str, wire: str
    ) -> None:
        rising = [row[wire] or "" for row in rows(platform, sort=[field], page_size=3_000)]
        assert rising[0] == ""
        assert rising == sorted(rising)
        assert rows(platform, sort=[f"-{field}"], page_size=3_000)[-1][wire] is None

    @pytest.mark.parametrize(("nulls", "place"), [("first", 0), ("last", -1)])
    def test_they_can_stand_at_one_end_in_either_direction(self, nulls: str, place: int) -> None:
        with Emulator(500, nulls=nulls) as emulator:
            for field in ("end_time", "-end_time"):
                assert rows(emulator, sort=[field], page_size=500)[place]["endTime"] is None

    def test_update_time_moves_with_a_change_of_status(self) -> None:
        with Emulator(50, schedule_types=[1]) as emulator:
            changed = emulator.matching()[3][1]
            emulator.set_status(changed, 9)
            assert ids(emulator, sort=["update_time"])[-1] == changed

    def test_a_second_sorter_breaks_the_ties_of_the_first(self) -> None:
        with Emulator(500, profile="midnight", schedule_types=[1]) as emulator:
            found = rows(emulator, sort=["trigger_time", "-start_time"], page_size=500)
            for one, other in itertools.pairwise(found):
                if one["triggerTime"] == other["triggerTime"]:
                    assert (one["startTime"] or "") >= (other["startTime"] or "")

    def test_ties_are_not_broken_by_id(self) -> None:
        with Emulator(100, profile="one-second", schedule_types=[1]) as emulator:
            found = ids(emulator)
            assert found == ids(emulator)
            assert found not in (sorted(found), sorted(found, reverse=True))

    def test_without_sorters_the_newest_come_first(self, platform: Emulator) -> None:
        found = [row["triggerTime"] for row in rows(platform, sort=[])]
        assert found == sorted(found, reverse=True)

    def test_rising_is_the_default_direction(self, platform: Emulator) -> None:
        body = search_body(platform)
        del body["pagination"]["sorters"][0]["order"]
        assert post(platform, body).body == search_reply(platform).body


class TestPages:
    def test_pages_follow_each_other(self, platform: Emulator) -> None:
        pages = [ids(platform, page_no=number, page_size=7) for number in range(4)]
        assert [id for page in pages for id in page] == ids(platform, page_size=28)

    def test_the_page_after_the_last_is_empty(self, platform: Emulator) -> None:
        assert search(platform, page_no=2, page_size=3_000)["data"] == {"flowInsts": [], "count": 0}

    def test_count_is_the_length_of_the_page(self, platform: Emulator) -> None:
        assert search(platform, page_size=7)["data"]["count"] == 7

    def test_a_page_number_may_be_enormous(self, platform: Emulator) -> None:
        assert rows(platform, page_no=2**62, page_size=2**62) == []


class TestRefusals:
    def code(self, platform: Emulator, **changes: Any) -> int:
        body = search_body(platform)
        for name, value in changes.items():
            if name in ("pageNo", "pageSize", "sorters"):
                body["pagination"][name] = value
            else:
                body[name] = value
        reply = post(platform, body)
        assert reply.status == 200
        code: int = json.loads(reply.body)["code"]
        return code

    @pytest.mark.parametrize(
        "name",
        ["type", "owner", "fromTriggerTime", "toTriggerTime", "status", "pagination", "pageNo", "pageSize"],
    )
    def test_what_is_required_must_be_there(self, platform: Emulator, name: str) -> None:
        assert self.code(platform, **{name: None}) == 1202

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("type", "1"), ("type", True), ("type", 3), ("type", 1.0), ("owner", 5), ("fromTriggerTime", "0"),
            ("toTriggerTime", 2**63), ("status", 1), ("status", "1,,2"), ("status", "77"), ("status", "SUCCESS"),
            ("pagination", []), ("pageNo", -1), ("pageSize", 0), ("pageSize", -5), ("pageSize", 2.5),
            ("expression", 4), ("sorters", {}), ("sorters", ["trigger_time"]),
            ("sorters", [{"field": "trigger_time", "order": "asc"}]),
        ],
    )  # fmt: skip
    def test_what_is_mistyped_or_illegal_is_refused(
        self, platform: Emulator, name: str, value: object
    ) -> None:
        assert self.code(platform, **{name: value}) == 1004

    @pytest.mark.parametrize("field", ["updateTime", "id", "", None, 5])
    def test_another_sort_field_is_illegal(self, platform: Emulator, field: object) -> None:
        assert self.code(platform, sorters=[{"field": field, "order": "ASC"}]) == 62102

    @pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"null", b"\xff", b"[" * 100_000])
    def test_a_body_that_is_no_object_is_refused(self, platform: Emulator, body: bytes) -> None:
        query = [("action", "search"), *USER]
        reply = platform.respond("POST", f"{BASE}/flowInstances", query, JSON, body)
        assert json.loads(reply.body)["code"] == 1004

    def test_a_body_that_does_not_say_it_is_json_is_refused(self, platform: Emulator) -> None:
        reply = platform.respond("POST", f"{BASE}/flowInstances", [("action", "search"), *USER])
        assert reply.status == 415

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ([("userId", "u")], 1202),
            ([("orgId", "o")], 1202),
            ([("userId", "x"), ("orgId", "o")], 62101),
            ([("userId", "u"), ("orgId", "x")], 62101),
        ],
    )
    def test_the_user_must_exist_and_belong(
        self, platform: Emulator, query: list[tuple[str, str]], code: int
    ) -> None:
        body = json.dumps(search_body(platform)).encode()
        reply = platform.respond("POST", f"{BASE}/flowInstances", [("action", "search"), *query], JSON, body)
        assert json.loads(reply.body)["code"] == code

    def test_a_user_without_privilege_is_refused(self) -> None:
        with Emulator(10, denied=True) as emulator:
            assert search(emulator)["code"] == 62103

    def test_any_user_will_do_if_so_told(self) -> None:
        with Emulator(10, user_id=None, org_id=None, schedule_types=[1]) as emulator:
            body = json.dumps(search_body(emulator)).encode()
            query = [("action", "search"), ("userId", "anyone"), ("orgId", "any")]
            reply = emulator.respond("POST", f"{BASE}/flowInstances", query, JSON, body)
            assert json.loads(reply.body)["data"]["count"] == 10


class TestSiblings:
    def test_get_answers_one_instance_as_search_does(self, platform: Emulator) -> None:
        row = rows(platform)[0]
        found = get(platform, "flowInstances", action="get", flowInstId=row["instanceId"])
        assert found == {"code": 0, "msg": "OK", "data": row}

    def test_an_instance_that_does_not_exist_is_an_error(self, platform: Emulator) -> None:
        assert get(platform, "flowInstances", action="get", flowInstId="1-2")["code"] == 62104
        assert get(platform, "flowInstances", action="get")["code"] == 1202

    def test_the_zone_is_an_offset(self, platform: Emulator) -> None:
        assert get(platform, "time", action="getTimeZone")["data"] == {"timezone": "GMT+8"}

    @pytest.mark.parametrize(
        ("zone", "said"),
        [("UTC", "GMT+0"), ("+05:30", "GMT+5:30"), ("-03:30", "GMT-3:30"), ("Europe/Berlin", "GMT+1")],
    )
    def test_every_offset_can_be_said(self, zone: str, said: str) -> None:
        with Emulator(0, zone=zone) as emulator:
            assert get(emulator, "time", action="getTimeZone")["data"]["timezone"] == said

    @pytest.mark.parametrize(
        ("claimed", "said"), [("GMT+25", "GMT+25"), ("+02:00", "GMT+2"), ("UTC", "GMT+0")]
    )
    def test_it_may_be_a_lie(self, claimed: str, said: str) -> None:
        with Emulator(0, claimed_zone=claimed) as emulator:
            assert get(emulator, "time", action="getTimeZone")["data"]["timezone"] == said

    def test_the_time_is_epoch_milliseconds_of_the_servers_clock(self) -> None:
        with Emulator(0, clock_skew=-5.5) as emulator:
            reply = emulator.respond("GET", f"{BASE}/time", [("action", "getCurrentTime")], now_ms=10_000)
            assert json.loads(reply.body)["data"] == 4_500
            assert reply.headers["Date"] == "Thu, 01 Jan 1970 00:00:04 GMT"

    def test_v2_0_has_another_path_and_says_status(self, platform: Emulator) -> None:
        old = json.loads(post(platform, search_body(platform), base="/dataflow-batch-service/v2.0").body)
        new = search(platform)
        assert old == {"status": new.pop("code"), **new}

    @pytest.mark.parametrize(
        ("method", "path", "action", "status"),
        [
            ("GET", f"{BASE}/flowInstances", "search", 405),
            ("POST", f"{BASE}/flowInstances", "get", 405),
            ("POST", f"{BASE}/time", "getTimeZone", 405),
            ("GET", "/apim-token-service/v2.0/token/get", "", 405),
            ("GET", f"{BASE}/flows", "search", 404),
            ("POST", "/batch-processing-service/v3.0/flowInstances", "search", 404),
            ("GET", "/", "", 404),
        ],
    )
    def test_wrong_methods_and_paths_are_told_by_http(
        self, platform: Emulator, method: str, path: str, action: str, status: int
    ) -> None:
        assert platform.respond(method, path, [("action", action), *USER], JSON).status == status

    def test_an_unknown_action_is_a_parameter_error(self, platform: Emulator) -> None:
        assert get(platform, "time", action="getMoon")["code"] == 1004
        assert get(platform, "time")["code"] == 1202


def test_a_row_has_the_members_of_the_documented_sample(platform: Emulator) -> None:
    assert list(rows(platform)[0]) == [
        "instanceId", "flowId", "flowName", "freq", "cycle", "parameters", "doAs", "graph", "status", "statusDesc",
        "triggerTime", "startTime", "endTime", "timestamp", "virtual", "owner", "hasEditPri", "hasReadPri",
        "isCancelled",
    ]  # fmt: skip
