"""What a real deployment may do, switch by switch."""

from __future__ import annotations

import gzip
import json
import re
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from aioflows.emulator import Emulator
from aioflows.errors import QueryError
from tests.support.asking import BASE, NOW, USER, ids, post, rows, search, search_body, search_reply


def one_type(instances: int = 100, **switches: object) -> Emulator:
    return Emulator(instances, schedule_types=[1], **switches)  # type: ignore[arg-type]


class TestPageNumbers:
    def test_pages_can_count_from_one(self) -> None:
        with one_type() as zero, one_type(first_page=1) as one:
            assert ids(one, page_no=2, page_size=10) == ids(zero, page_no=1, page_size=10)

    @pytest.mark.parametrize(("way", "code", "rows"), [("first", 0, 10), ("empty", 0, 0)])
    def test_page_zero_may_then_be_answered(self, way: str, code: int, rows: int) -> None:
        with one_type(first_page=1, page_zero=way) as emulator:
            answer = search(emulator, page_no=0, page_size=10)
            assert (answer["code"], answer["data"]["count"]) == (code, rows)

    @pytest.mark.parametrize(("way", "code"), [("error", 62109), ("parameter", 1004)])
    def test_or_refused(self, way: str, code: int) -> None:
        with one_type(first_page=1, page_zero=way) as emulator:
            assert search(emulator, page_no=0)["code"] == code


class TestPageSizes:
    @pytest.mark.parametrize("way", ["1004", "400", "413"])
    def test_one_that_is_too_large_may_be_refused_in_several_ways(self, way: str) -> None:
        with one_type(refuse_page_size_above=60, page_size_refusal=way) as emulator:
            assert search_reply(emulator, page_size=60).status == 200
            reply = search_reply(emulator, page_size=61)
            assert (reply.status, b"1004" in reply.body) == (
                (200, True) if way == "1004" else (int(way), False)
            )

    def test_every_search_may_be_answered_as_the_first_one_was(self) -> None:
        with one_type(same_answer=True) as emulator:
            first = ids(emulator, page_size=10)
            assert ids(emulator, page_size=50, page_no=1, sort=["-trigger_time"]) == first

    def test_a_cap_shortens_pages_without_a_word(self) -> None:
        with one_type(page_cap=37) as emulator:
            assert len(rows(emulator, page_size=1_000)) == 37

    def test_capped_pages_follow_each_other(self) -> None:
        with one_type(page_cap=37) as emulator:
            pages = [ids(emulator, page_no=number, page_size=50) for number in range(3)]
            assert [len(page) for page in pages] == [37, 37, 26]
            assert len({id for page in pages for id in page}) == 100

    def test_or_leave_out_the_rows_between_cap_and_size(self) -> None:
        with one_type() as whole, one_type(page_cap=37, cap_offset="requested") as emulator:
            assert ids(emulator, page_no=1, page_size=50) == ids(whole)[50:87]

    def test_a_large_size_may_be_refused(self) -> None:
        with one_type(refuse_page_size_above=50) as emulator:
            assert search(emulator, page_size=50)["code"] == 0
            assert search(emulator, page_size=51)["code"] == 1004

    def test_no_row_is_answered_from_deeper_than_the_deepest(self) -> None:
        with one_type(deepest_row=25) as emulator:
            assert [len(rows(emulator, page_no=number, page_size=10)) for number in range(4)] == [
                10,
                10,
                5,
                0,
            ]

    def test_count_may_be_the_total(self) -> None:
        with one_type(count="total") as emulator:
            assert search(emulator, page_size=10)["data"]["count"] == 100


class TestTies:
    def test_unstable_ties_stand_in_another_order_in_every_answer(self) -> None:
        with one_type(profile="one-second", ties="unstable") as emulator:
            answers = [ids(emulator) for _ in range(5)]
            assert len({tuple(answer) for answer in answers}) == 5
            assert all(set(answer) == set(answers[0]) for answer in answers)

    def test_the_order_is_that_of_the_seed_and_the_number_of_the_search(self) -> None:
        with (
            one_type(profile="one-second", ties="unstable") as one,
            one_type(profile="one-second", ties="unstable") as other,
        ):
            assert [ids(one) for _ in range(3)] == [ids(other) for _ in range(3)]

    def test_rows_that_differ_in_a_millisecond_are_no_ties(self) -> None:
        with one_type(0, ties="unstable") as emulator:
            made = [emulator.insert(emulator.start_ms + ms) for ms in range(20)]
            assert ids(emulator) == made

    def test_unless_the_server_compares_seconds(self) -> None:
        with one_type(0, ties="unstable", sort_by="second") as emulator:
            made = [emulator.insert(emulator.start_ms + ms) for ms in range(20)]
            later = emulator.insert(emulator.start_ms + 1000)
            found = ids(emulator)
            assert found != [*made, later]
            assert (set(found[:-1]), found[-1]) == (set(made), later)

    @pytest.mark.parametrize("ties", ["stable", "unstable"])
    @pytest.mark.parametrize("sort_by", ["ms", "second"])
    @pytest.mark.parametrize("sort", ["trigger_time", "-trigger_time", "end_time"])
    def test_nothing_is_lost_or_repeated(self, ties: str, sort_by: str, sort: str) -> None:
        with one_type(300, profile="bursty", ties=ties, sort_by=sort_by) as emulator:
            assert sorted(ids(emulator, sort=[sort], page_size=300)) == sorted(
                id for _, id in emulator.matching()
            )


class TestTimes:
    def test_other_times_may_be_in_another_zone_than_the_trigger_time(self) -> None:
        with one_type() as honest, one_type(start_zone_shift=-8) as shifted:
            one, other = rows(honest)[0], rows(shifted)[0]
            assert other["triggerTime"] == one["triggerTime"]
            moved = datetime.fromisoformat(other["startTime"]) - datetime.fromisoformat(one["startTime"])
            assert moved == timedelta(hours=-8)

    def test_a_time_that_does_not_exist_may_be_absent(self) -> None:
        with one_type(null_times="absent") as emulator:
            found = rows(emulator, sort=["end_time"])
            assert "endTime" not in found[0]
            assert "endTime" in found[-1]
            assert all(value is not None for row in found for value in row.values())

    def test_creation_times_have_a_fraction_without_trailing_zeros(self) -> None:
        with one_type(1_000) as emulator:
            fractions = {row["timestamp"].split(".")[1] for row in rows(emulator, page_size=1_000)}
            assert "0" in fractions
            assert all(fraction == "0" or not fraction.endswith("0") for fraction in fractions)
            assert {len(fraction) for fraction in fractions} >= {1, 3}


class TestAnswers:
    def test_every_nth_search_may_be_falsely_empty(self) -> None:
        with one_type(empty_answers=3) as emulator:
            assert [len(rows(emulator, page_size=5)) for _ in range(6)] == [5, 5, 0, 5, 5, 0]

    def test_an_empty_list_may_be_null(self) -> None:
        with one_type(null_list=True) as emulator:
            assert search(emulator, type=0)["data"] == {"flowInsts": None, "count": 0}
            assert len(rows(emulator)) == 100

    def test_members_of_the_sibling_operation_may_be_there(self) -> None:
        with one_type(sibling_fields=True) as emulator:
            row = rows(emulator)[0]
            assert (row["alertMode"], row["calDt"]) == (3, row["triggerTime"][:10])

    def test_the_graph_may_be_printed_unescaped(self) -> None:
        with one_type(unescaped_graph=True) as emulator:
            body = search_reply(emulator, page_size=1).body
            assert b'"graph":"{"creator":"' in body
            with pytest.raises(ValueError, match="delimiter"):
                json.loads(body)

    def test_answers_are_compressed_where_both_sides_want_it(self) -> None:
        with one_type(compress=True) as emulator:
            asked = search_body(emulator)
            plain = post(emulator, asked)
            packed = post(emulator, asked, {"Accept-Encoding": "gzip, deflate"})
            assert "Content-Encoding" not in plain.headers
            assert packed.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(packed.body) == plain.body

    def test_latency_is_a_delay_of_the_reply(self) -> None:
        with one_type(latency=0.5, latency_per_row=0.01) as emulator:
            assert search_reply(emulator, page_size=10).delay == pytest.approx(0.6)

    def test_latency_may_spread_at_random(self) -> None:
        with one_type(latency=1, latency_spread=1) as emulator:
            delays = [search_reply(emulator).delay for _ in range(20)]
            assert len(set(delays)) == 20
            assert all(1 <= delay < 2 for delay in delays)


class TestIgnoring:
    def test_sorters(self) -> None:
        with one_type(ignore={"sorters"}) as emulator:
            found = [row["triggerTime"] for row in rows(emulator)]
            assert found == sorted(found, reverse=True)

    def test_type(self) -> None:
        with Emulator(100, ignore={"type"}) as emulator:
            assert len(rows(emulator, type=0)) == 100

    def test_status_and_owner_and_expression(self) -> None:
        with one_type(ignore={"status", "owner", "expression"}) as emulator:
            assert len(rows(emulator, status="6", owner="nobody", expression="nothing")) == 100

    def test_type_0_alone(self) -> None:
        """A search for manual instances brings those of every type, and any other search its own."""
        with Emulator(1_000, ignore={"type-0"}) as emulator:
            assert len(rows(emulator, type=0, page_size=2_000)) == 1_000
            for type in (1, 2):
                assert len(rows(emulator, type=type, page_size=2_000)) == len(emulator.matching(type=type))

    @pytest.mark.parametrize(("read", "kept"), [("first", 1), ("last", -1)])
    def test_all_but_one_of_several_statuses(self, read: str, kept: int) -> None:
        """One of the list is read, in the order that it was sent in; a single status is read as it is."""
        with one_type(instances=1_000, status_filter=read) as emulator:
            found = rows(emulator, status="1,-1", page_size=1_000)
            assert {row["status"] for row in found} == {kept}
            assert {row["status"] for row in rows(emulator, status="7", page_size=1_000)} == {7}

    @pytest.mark.parametrize("side", ["from", "to"])
    def test_an_end_of_the_window(self, side: str) -> None:
        with one_type(ignore={side}) as emulator:
            edge = emulator.end_ms if side == "from" else emulator.start_ms
            assert len(rows(emulator, **{f"{side}_ms": edge})) == 100

    def test_the_page_and_its_size(self) -> None:
        with one_type(ignore={"page", "size"}) as emulator:
            assert ids(emulator, page_no=5, page_size=3) == ids(emulator)
            assert len(ids(emulator)) == 10


class TestComparing:
    @pytest.mark.parametrize(
        ("way", "found", "missed"),
        [
            ("exact", ["li.wei"], ["Li.Wei", "li.wei ", "li%"]),
            ("any-case", ["li.wei", "LI.WEI"], ["li.wei ", "lí.wei", "li"]),
            ("trailing-spaces", ["li.wei", "li.wei  "], [" li.wei", "LI.WEI"]),
            ("collated", ["li.wei", "LI.WEI ", "lí.weī", "ｌｉ.wei"], ["li_wei", "li"]),
            ("like", ["li.wei", "LI.%", "l_.wei", "li\\.wei"], ["li", "l\\_.wei", "li.wei "]),
        ],
    )
    def test_owners(self, way: str, found: list[str], missed: list[str]) -> None:
        """An owner is compared as a whole, by the rule that was chosen."""
        with one_type(instances=1_000, owner_compare=way) as emulator:
            for owner in found:
                assert {row["owner"] for row in rows(emulator, owner=owner)} == {"li.wei"}
            for owner in missed:
                assert rows(emulator, owner=owner) == []

    @pytest.mark.parametrize(
        ("way", "found", "missed"),
        [
            ("contains", ["hourly"], ["HOURLY", "h_urly", "h%ly"]),
            ("collated", ["HOURLY", "HÖŪRLY"], ["h_urly", "h%ly"]),
            ("like", ["HOURLY", "h_urly", "battery%hourly", "h\\ourly"], ["h\\_urly", "h\\%ly"]),
        ],
    )
    def test_expressions(self, way: str, found: list[str], missed: list[str]) -> None:
        """A text is looked for in ids and names, by the rule that was chosen."""
        with one_type(instances=1_000, expression=way) as emulator:
            for text in found:
                assert {row["flowName"] for row in rows(emulator, expression=text)} == {"battery_hourly_agg"}
            for text in missed:
                assert rows(emulator, expression=text) == []


class TestReplicas:
    def test_each_of_several_servers_breaks_ties_in_an_order_of_its_own(self) -> None:
        with one_type(profile="one-second", ties="replicas", replicas=3) as emulator:
            answers = [tuple(ids(emulator)) for _ in range(30)]
            assert len(set(answers)) == 3
            assert {one == other for one, other in pairwise(answers)} == {True, False}

    def test_a_page_of_one_server_goes_on_where_another_page_of_it_ended(self) -> None:
        with one_type(profile="one-second", ties="replicas", replicas=1) as emulator:
            whole = ids(emulator, page_size=100)
            assert [id for number in range(4) for id in ids(emulator, page_no=number, page_size=25)] == whole

    def test_a_cap_may_change_from_answer_to_answer(self) -> None:
        with one_type(page_cap=30, cap_spread=10) as emulator:
            whole = ids(emulator, page_size=20)
            pages = [ids(emulator, page_size=50) for _ in range(50)]
            assert {len(page) for page in pages} == set(range(20, 31))
            assert all(page[:20] == whole for page in pages)
            assert {ids(emulator, page_no=1, page_size=50)[0] for _ in range(5)} == {
                ids(emulator, page_no=1, page_size=30)[0]
            }


class TestRounding:
    @pytest.mark.parametrize(
        ("way", "shown"),
        [("down", ["00", "00", "00"]), ("nearest", ["00", "01", "01"]), ("up", ["01", "01", "01"])],
    )
    def test_times_are_rounded_to_whole_seconds(self, way: str, shown: list[str]) -> None:
        with one_type(0, round_times=way) as emulator:
            for ms in (1, 500, 999):
                emulator.insert(emulator.start_ms + ms)
            assert [row["triggerTime"][-2:] for row in rows(emulator)] == shown

    @pytest.mark.parametrize("way", ["down", "nearest", "up"])
    def test_a_whole_second_is_itself(self, way: str) -> None:
        with one_type(0, round_times=way) as emulator:
            emulator.insert(emulator.start_ms)
            assert rows(emulator)[0]["triggerTime"] == "2024-01-01 00:00:00"


class TestZoneTurn:
    def test_the_clock_is_further_on_from_any_moment(self) -> None:
        turn = Emulator(0).start_ms + 3_601_234
        with one_type(0, zone_turn=(turn, 1)) as emulator:
            emulator.insert(turn - 1)
            emulator.insert(turn)
            assert [row["triggerTime"][-8:] for row in rows(emulator)] == ["01:00:01", "02:00:01"]

    def test_the_zone_that_is_named_is_that_of_now(self) -> None:
        for now, said in ((NOW, "GMT+5:30"), (0, "GMT+8")):
            with one_type(0, zone_turn=(NOW - 1, -2.5)) as emulator:
                reply = emulator.respond(
                    "GET", f"{BASE}/time", [("action", "getTimeZone"), *USER], now_ms=now
                )
                assert json.loads(reply.body)["data"]["timezone"] == said

    @pytest.mark.parametrize("wrong", [(1,), (1, 25), ("now", 1), 1])
    def test_a_turn_that_makes_no_sense_is_refused(self, wrong: object) -> None:
        with pytest.raises(QueryError):
            Emulator(zone_turn=wrong)


class TestBounds:
    @pytest.mark.parametrize(
        ("bounds", "found"),
        [
            ("ms", [1]),
            ("seconds", [0, 1]),
            ("closed", [1, 2]),
            ("closed-seconds", [0, 1, 2]),
            ("wall", [1]),
        ],
    )
    def test_the_ends_of_a_range_are_compared_in_one_of_several_ways(
        self, bounds: str, found: list[int]
    ) -> None:
        with one_type(0, bounds=bounds) as emulator:
            made = [emulator.insert(emulator.start_ms + ms) for ms in (400, 600, 1_000)]
            shown = ids(emulator, from_ms=emulator.start_ms + 500, to_ms=emulator.start_ms + 1_000)
            assert [made.index(id) for id in shown] == found

    @pytest.mark.parametrize(
        ("bounds", "found"),
        [
            ("ms", [1, 2]),
            ("open", [2]),
            ("minutes-down", [0, 1]),
            ("minutes-nearest", [2, 3]),
            ("minutes-up", [2, 3]),
        ],
    )
    def test_a_start_is_excluded_or_both_ends_are_rounded_to_minutes(
        self, bounds: str, found: list[int]
    ) -> None:
        with one_type(0, bounds=bounds) as emulator:
            made = [emulator.insert(emulator.start_ms + 1_000 * second) for second in (10, 40, 70, 110)]
            shown = ids(emulator, from_ms=emulator.start_ms + 40_000, to_ms=emulator.start_ms + 100_000)
            assert [made.index(id) for id in shown] == found

    @pytest.mark.parametrize(
        ("hours", "until", "found"), [(-1, -0.5, [0, 1]), (0, 0.5, [0, 1]), (-2, 0, []), (-2, 1, [0, 1])]
    )
    def test_wall_clocks_do_not_tell_the_passes_of_a_repeated_hour_apart(
        self, hours: float, until: float, found: list[int]
    ) -> None:
        """A question about either pass brings the rows of both, and one that ends where clocks turn back ends an hour early."""
        turn = 1_729_990_800_000
        switches: dict[str, Any] = {
            "zone": "Europe/Berlin",
            "first_day": "2024-10-26",
            "days": 3,
            "bounds": "wall",
        }
        with Emulator(instances=0, **switches) as emulator:
            made = [emulator.insert(turn + ms, type=1) for ms in (600_000 - 3_600_000, 600_000)]
            first, last = (turn + int(3_600_000 * one) for one in (hours, until))
            assert [made.index(id) for id in ids(emulator, from_ms=first, to_ms=last)] == found


class TestExpression:
    @pytest.mark.parametrize(
        ("way", "found"),
        [("contains", {"1-report"}), ("any-case", {"1-report", "2-REPORT"}), ("word-start", {"1-report"})],
    )
    def test_case_counts_or_not(self, way: str, found: set[str]) -> None:
        with one_type(0, expression=way) as emulator:
            for id in ("1-report", "2-REPORT", "3-other"):
                emulator.insert(emulator.start_ms, instance_id=id)
            named = {row["instanceId"] for row in rows(emulator) if "report" in row["flowName"].lower()}
            assert set(ids(emulator, expression="report")) - named == found - named

    def test_only_the_start_of_a_word_may_count(self) -> None:
        with one_type(0, expression="word-start") as emulator:
            for id in ("7-20190812", "2019", "12019-x", "a_2019", "x2019"):
                emulator.insert(emulator.start_ms, instance_id=id)
            assert sorted(ids(emulator, expression="2019")) == ["2019", "7-20190812", "a_2019"]

    @pytest.mark.parametrize("way", ["contains", "any-case", "word-start"])
    @pytest.mark.parametrize("wanted", ["sync", "SYNC", "%", "_", "2024", "站点", "(", "\\"])
    def test_the_oracle_understands_it_alike(self, way: str, wanted: str) -> None:
        with one_type(1_000, expression=way) as emulator:
            truth = {id for _, id in emulator.matching(expression=wanted)}
            assert set(ids(emulator, expression=wanted, page_size=1_000)) == truth


class TestIds:
    PLAIN = re.compile(r"\d+-\d{14}(-r)?(-n?\d+)?")

    @pytest.mark.parametrize("shape", ["plain", "mixed", "opaque"])
    def test_they_are_unique_in_every_shape(self, shape: str) -> None:
        with one_type(2_000, profile="midnight", ids=shape) as emulator:
            found = {id for _, id in emulator.matching()}
            assert len(found) == 2_000
            plain = sum(self.PLAIN.fullmatch(id) is not None for id in found)
            assert {"plain": plain == 2_000, "opaque": plain == 0, "mixed": 100 < plain < 500}[shape]

    @pytest.mark.parametrize("shape", ["plain", "opaque"])
    def test_new_rows_have_the_same_shape(self, shape: str) -> None:
        with one_type(0, ids=shape) as emulator:
            new = emulator.insert(emulator.start_ms)
            assert (self.PLAIN.fullmatch(new) is not None) == (shape == "plain")


class TestGateway:
    def test_a_search_over_a_wide_window_may_time_out(self) -> None:
        with one_type(widest_window=3_600) as emulator:
            start = emulator.start_ms
            assert search_reply(emulator, to_ms=start + 3_600_000).status == 200
            assert search_reply(emulator, to_ms=start + 3_600_001).status == 504
            assert [record.outcome for record in emulator.searches] == ["ok", "http-504"]


class TestSorting:
    def test_a_descending_order_may_be_ignored(self) -> None:
        with one_type(ignore={"descending"}) as emulator:
            assert ids(emulator, sort=["-trigger_time"]) == ids(emulator, sort=["trigger_time"])

    @pytest.mark.parametrize(("count", "said"), [("page", 10), ("total", 100), ("fewer", 5), ("more", 21)])
    def test_a_count_may_be_wrong(self, count: str, said: int) -> None:
        with one_type(count=count) as emulator:
            assert search(emulator, page_size=10)["data"]["count"] == said
