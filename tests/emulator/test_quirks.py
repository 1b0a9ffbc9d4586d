"""What a real deployment may do, switch by switch."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta

import pytest

from aioflows.emulator import Emulator
from tests.emulator.asking import ids, post, rows, search, search_body, search_reply


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

    @pytest.mark.parametrize("side", ["from", "to"])
    def test_an_end_of_the_window(self, side: str) -> None:
        with one_type(ignore={side}) as emulator:
            edge = emulator.end_ms if side == "from" else emulator.start_ms
            assert len(rows(emulator, **{f"{side}_ms": edge})) == 100

    def test_the_page_and_its_size(self) -> None:
        with one_type(ignore={"page", "size"}) as emulator:
            assert ids(emulator, page_no=5, page_size=3) == ids(emulator)
            assert len(ids(emulator)) == 10
