"""What a deployment gives at most, and how it answers what is beyond, switch by switch."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from aioflows.emulator import Emulator
from aioflows.emulator.command import as_arguments, parser, switches
from aioflows.emulator.service.constraints import NOTHING
from aioflows.errors import QueryError
from tests.support.asking import get, ids, rows, search, search_body, search_reply

DAY = 86_400_000


def one_type(instances: int = 100, **switches: Any) -> Emulator:
    return Emulator(instances, schedule_types=[1], **switches)


def paged(emulator: Emulator, size: int, pages: int, **asked: Any) -> list[str]:
    """The ids of all rows, page by page, as a client that pages by number reads them."""
    return [id for number in range(pages) for id in ids(emulator, page_no=number, page_size=size, **asked)]


class TestPageCaps:
    @pytest.mark.parametrize("caps", [{0: 5, 1: 30}, (5, 30, None), [5, 30, None]])
    def test_each_type_may_have_a_cap_and_one_may_have_none(self, caps: Any) -> None:
        """A cap may hold for one schedule type and not for another, so what one type shows says nothing of the others."""
        with Emulator(1_000, page_cap_by_type=caps) as emulator:
            assert len(ids(emulator, type=0, page_size=1_000)) == 5
            assert len(ids(emulator, type=1, page_size=1_000)) == 30
            assert len(ids(emulator, type=2, page_size=1_000)) == len(emulator.matching(type=2))

    def test_the_smaller_cap_holds(self) -> None:
        """A cap for a type holds beside the cap for all."""
        with one_type(page_cap=20, page_cap_by_type={1: 30}) as emulator:
            assert len(ids(emulator, page_size=100)) == 20

    @pytest.mark.parametrize("asked", ["status", "owner", "expression"])
    def test_one_may_hold_only_where_a_filter_is_asked_for(self, asked: str) -> None:
        """A query with a filter may have a smaller page than one without."""
        with one_type(2_000, page_cap_filtered=3) as emulator:
            every = rows(emulator, page_size=500)
            assert len(every) == 500
            value = {"status": "1", "owner": every[0]["owner"], "expression": "-"}[asked]
            assert len(ids(emulator, page_size=500, **{asked: value})) == 3

    def test_capped_pages_follow_each_other(self) -> None:
        """Where the offset is made of the capped size, every row is in some page."""
        with one_type(page_cap_by_type={1: 30}) as emulator:
            assert len(set(paged(emulator, 50, 4))) == 100

    def test_an_answer_may_hold_so_many_bytes_and_no_more(self) -> None:
        """As many rows come as have room, and the rest of the page is in no page."""
        with one_type() as emulator:
            sizes = [len(search_reply(emulator, page_size=count).body) for count in range(1, 11)]
        with one_type(page_bytes=sizes[4]) as emulator:
            assert len(search_reply(emulator, page_size=10).body) <= sizes[4] + 100
            counts = {len(rows(emulator, page_no=number, page_size=10)) for number in range(10)}
            assert counts <= set(range(3, 8))
            assert len(set(paged(emulator, 10, 10))) < 100

    def test_one_row_always_comes(self) -> None:
        """A row that is larger than an answer may be comes alone."""
        with one_type(page_bytes=1) as emulator:
            answer = search(emulator, page_size=10)["data"]
            assert (len(answer["flowInsts"]), answer["count"]) == (1, 1)


class TestRights:
    def test_what_may_not_be_seen_is_taken_out_of_its_page(self) -> None:
        """Rights that are applied after paging make pages short at any place, and every visible row is in one page."""
        with one_type(1_000, visible_share=0.5) as emulator:
            pages = [ids(emulator, page_no=number, page_size=50) for number in range(20)]
            assert {len(page) for page in pages} <= set(range(10, 41))
            seen = [id for page in pages for id in page]
            assert sorted(seen) == sorted(id for _, id in emulator.matching())
            assert 400 < len(seen) < 600

    def test_the_same_rows_are_seen_in_every_answer(self) -> None:
        """Rights are drawn for a row, once."""
        with one_type(visible_share=0.3) as emulator:
            assert ids(emulator) == ids(emulator)

    @pytest.mark.parametrize(("share", "seen"), [(0, 0), (1, 100)])
    def test_a_user_may_see_nothing_or_all(self, share: float, seen: int) -> None:
        """The share goes from no row to every row."""
        with one_type(visible_share=share) as emulator:
            assert len(ids(emulator)) == len(emulator.matching()) == seen

    def test_what_may_not_be_seen_is_denied_by_its_id(self) -> None:
        """An instance that is left out of pages is refused as well where it is asked for alone."""
        with one_type() as all, one_type(visible_share=0.5) as some:
            hidden = (set(ids(all)) - set(ids(some))).pop()
            assert get(some, "flowInstances", action="get", flowInstId=hidden)["code"] == 62103


class TestRanges:
    @pytest.mark.parametrize("end", ["first", "last"])
    def test_a_longer_range_is_searched_in_part(self, end: str) -> None:
        """The first or the last seconds of a range are answered, without a word about the rest of it."""
        with one_type(366, profile="uniform", range_clamp=(end, 30 * 86_400)) as emulator:
            first, until = emulator.start_ms, emulator.end_ms
            part = (first, first + 30 * DAY) if end == "first" else (until - 30 * DAY, until)
            expected = [id for _, id in emulator.matching(*part)]
            assert 0 < len(expected) < 100
            for sort in ("trigger_time", "-trigger_time"):
                assert sorted(ids(emulator, page_size=500, sort=[sort])) == sorted(expected)

    def test_a_range_of_that_length_is_searched_as_it_is(self) -> None:
        """The longest range loses nothing."""
        with one_type(366, profile="uniform", range_clamp=("last", 30 * 86_400)) as emulator:
            window = (emulator.start_ms, emulator.start_ms + 30 * DAY)
            found = ids(emulator, page_size=500, from_ms=window[0], to_ms=window[1])
            assert sorted(found) == sorted(id for _, id in emulator.matching(*window))


class TestPageSizes:
    @pytest.mark.parametrize(
        ("way", "status", "code"),
        [("1004", 200, 1004), ("62109", 200, 62109), ("400", 400, None), ("413", 413, None), ("500", 500, None)],
    )  # fmt: skip
    def test_one_that_is_too_large_may_be_refused(self, way: str, status: int, code: int | None) -> None:
        """A page size beyond the largest is refused by a code or by an HTTP status, and the largest is not."""
        with one_type(refuse_page_size_above=60, page_size_refusal=way) as emulator:
            assert len(rows(emulator, page_size=60)) == 60
            reply = search_reply(emulator, page_size=61)
            assert reply.status == status
            assert code is None or f'"code":{code},'.encode() in reply.body

    @pytest.mark.parametrize(("way", "came"), [("nothing", 0), ("default", 7), ("silent", 60)])
    def test_or_answered_as_if_nothing_were_amiss(self, way: str, came: int) -> None:
        """A page size beyond the largest may be answered with no rows, the default number of rows, or the most."""
        with one_type(refuse_page_size_above=60, page_size_refusal=way, default_page_size=7) as emulator:
            assert len(rows(emulator, page_size=61)) == came
            assert len(rows(emulator, page_size=60)) == 60

    @pytest.mark.parametrize(("way", "pages"), [("default", 15), ("silent", 2)])
    def test_pages_of_the_size_that_is_heeded_follow_each_other(self, way: str, pages: int) -> None:
        """The offset is made of the size that counts, so every row is in some page."""
        with one_type(refuse_page_size_above=60, page_size_refusal=way, default_page_size=7) as emulator:
            assert len(set(paged(emulator, 90, pages))) == 100

    def test_where_no_size_is_heeded_the_default_counts(self) -> None:
        """A service that ignores the page size gives its default number of rows."""
        with one_type(ignore=["size"], default_page_size=7) as emulator:
            assert len(rows(emulator, page_size=60)) == 7


class TestDepth:
    DEPTHS = ({"deepest_row": 50}, {"result_window": 50})

    @pytest.mark.parametrize("depth", DEPTHS, ids=str)
    @pytest.mark.parametrize(
        ("way", "page"),
        [("cut", slice(40, 50)), ("nothing", slice(0)), ("first-page", slice(20)), ("last-page", slice(20, 40))],
    )  # fmt: skip
    def test_a_page_that_reaches_beyond_it_is_answered_in_its_way(
        self, depth: dict[str, int], way: str, page: slice
    ) -> None:
        """What lies beyond the depth is cut off, or the page is empty, the first one, or the last one that is whole."""
        with one_type() as plain:
            order = ids(plain, page_size=100)
        with one_type(depth_answer=way, **depth) as emulator:
            assert ids(emulator, page_no=0, page_size=20) == order[:20]
            assert ids(emulator, page_no=1, page_size=20) == order[20:40]
            assert ids(emulator, page_no=2, page_size=20) == order[page]

    @pytest.mark.parametrize("depth", DEPTHS, ids=str)
    def test_it_may_be_refused(self, depth: dict[str, int]) -> None:
        """A page beyond the depth may be an error, as a search engine's result window is."""
        with one_type(depth_answer="refused", **depth) as emulator:
            assert search(emulator, page_no=2, page_size=20)["code"] == 1004
            assert search(emulator, page_no=4, page_size=10)["code"] == 0

    @pytest.mark.parametrize("way", ["first-page", "last-page"])
    @pytest.mark.parametrize("depth", DEPTHS, ids=str)
    def test_a_first_page_that_is_too_large_is_cut(self, depth: dict[str, int], way: str) -> None:
        """Where not even one page fits, the rows up to the depth come."""
        with one_type(depth_answer=way, **depth) as emulator:
            assert len(ids(emulator, page_no=0, page_size=80)) == 50

    def test_the_window_counts_what_is_asked_for_and_the_row_what_comes(self) -> None:
        """With a cap, a large page size is beyond the result window where its rows are not beyond the deepest row."""
        with one_type(page_cap=10, deepest_row=50, depth_answer="nothing") as emulator:
            assert len(ids(emulator, page_size=80)) == 10
        with one_type(page_cap=10, result_window=50, depth_answer="nothing") as emulator:
            assert ids(emulator, page_size=80) == []
            assert len(ids(emulator, page_size=50)) == 10

    def test_pages_that_count_from_one_reach_as_far(self) -> None:
        """The first page is the first one, whatever number it has."""
        with one_type(first_page=1, result_window=50, depth_answer="nothing") as emulator:
            assert [len(ids(emulator, page_no=number, page_size=25)) for number in (1, 2, 3)] == [25, 25, 0]


class TestTies:
    @staticmethod
    def crowd(ties: str, instances: int = 600, **switches: Any) -> Emulator:
        return one_type(instances, profile="one-second", ties=ties, **switches)

    @pytest.mark.parametrize("ties", ["top-n", "two-plans"])
    @pytest.mark.parametrize("sort", ["trigger_time", "-trigger_time"])
    def test_the_same_question_has_the_same_answer(self, ties: str, sort: str) -> None:
        """The order of ties depends on LIMIT and OFFSET and on nothing else, so passes over the same pages agree."""
        with self.crowd(ties) as emulator:
            assert paged(emulator, 50, 12, sort=[sort]) == paged(emulator, 50, 12, sort=[sort])

    @pytest.mark.parametrize("ties", ["top-n", "two-plans"])
    @pytest.mark.parametrize("sort", ["trigger_time", "-trigger_time"])
    def test_pages_by_number_miss_rows_and_show_others_twice(self, ties: str, sort: str) -> None:
        """Pages of one instant are in orders that differ, so what all of them hold together is not all there is."""
        with self.crowd(ties) as emulator:
            assert len(set(paged(emulator, 50, 12, sort=[sort]))) < 600

    @pytest.mark.parametrize("ties", ["top-n", "two-plans"])
    @pytest.mark.parametrize("sort", ["trigger_time", "-trigger_time", "start_time", "-start_time"])
    def test_rows_that_do_not_tie_come_in_their_order(self, ties: str, sort: str) -> None:
        """Whatever the plan, a page is sorted by what it was asked to be sorted by."""
        with one_type(500, profile="midnight", ties=ties) as emulator:
            pages = [rows(emulator, page_no=number, page_size=60, sort=[sort]) for number in range(9)]
            member = "triggerTime" if "trigger" in sort else "startTime"
            times = [row[member] or "" for page in pages for row in page]
            assert times == sorted(times, reverse=sort.startswith("-"))
            assert sum(map(len, pages)) == 500

    def test_more_than_half_of_the_result_is_simply_sorted(self) -> None:
        """A heap of nearly all rows is not worth it: one page of everything is in the order of the table."""
        with self.crowd("top-n") as emulator, self.crowd("stable") as stable:
            assert ids(emulator, page_size=600) == ids(stable, page_size=600)

    def test_an_index_is_walked_backwards(self) -> None:
        """For a small part of the result, a descending order is the exact reverse of the ascending one."""
        with self.crowd("two-plans") as emulator:
            table = [id for _, id in sorted(emulator.matching())]
            up = ids(emulator, page_size=10)
            down = ids(emulator, page_size=10, sort=["-trigger_time"])
        with self.crowd("stable") as stable:
            order = ids(stable, page_size=600)
        assert len(table) == 600
        assert (up, down) == (order[:10], order[:-11:-1])


class TestSorters:
    SORT = ("trigger_time", "-end_time")

    @staticmethod
    def world(**switches: Any) -> Emulator:
        return one_type(300, profile="one-second", **switches)

    def test_all_are_heeded_as_documented(self) -> None:
        """Rows that tie in the first sorter come in the order of the second."""
        with self.world() as emulator:
            times = [row["endTime"] or "" for row in rows(emulator, page_size=300, sort=self.SORT)]
            assert times == sorted(times, reverse=True)

    def test_those_beyond_the_first_may_be_ignored(self) -> None:
        """A service may sort by the first sorter alone, and say nothing."""
        with self.world(further_sorters="ignored") as emulator:
            assert ids(emulator, sort=self.SORT) == ids(emulator, sort=["trigger_time"])

    def test_or_refused(self) -> None:
        """A service may take one sorter and no more."""
        with self.world(further_sorters="refused") as emulator:
            assert search(emulator, sort=self.SORT)["code"] == 1004
            assert search(emulator, sort=["trigger_time"])["code"] == 0


class TestNothing:
    WRITTEN: ClassVar[dict[str, dict[str, object]]] = {
        "list": {"data": {"flowInsts": [], "count": 0}},
        "null": {"data": {"flowInsts": None, "count": 0}},
        "no-list": {"data": {"count": 0}},
        "object-list": {"data": {"flowInsts": {}, "count": 0}},
        "text-list": {"data": {"flowInsts": "", "count": "0"}},
        "false-list": {"data": {"flowInsts": False}},
        "empty-data": {"data": {}},
        "empty-array": {"data": []},
        "null-data": {"data": None},
        "text-data": {"data": ""},
        "false-data": {"data": False},
        "no-data": {},
    }

    def test_every_way_is_here(self) -> None:
        """Each way to say nothing is claimed below."""
        assert tuple(self.WRITTEN) == NOTHING

    @pytest.mark.parametrize("way", NOTHING)
    def test_it_is_written_in_each_way(self, way: str) -> None:
        """An answer without rows is as the switch says, and one with rows as documented."""
        with one_type(nothing_as=way) as emulator:
            answer = search(emulator, type=0)
            assert answer.pop("code") == 0
            answer.pop("msg")
            assert answer == self.WRITTEN[way]
            assert len(rows(emulator)) == 100

    def test_a_total_may_stand_beside_no_list(self) -> None:
        """Beyond the last page, a service that counts all pages counts them there as well."""
        with one_type(nothing_as="no-list", count="total") as emulator:
            assert search(emulator, page_no=9, page_size=50)["data"] == {"count": 100}


class TestSwitches:
    @pytest.mark.parametrize(
        "keywords",
        [
            {"page_cap_by_type": {0: 100, 1: 500}},
            {"page_cap_by_type": (100, None, 7)},
            {"range_clamp": ("last", 86_400.5)},
            {"range_clamp": ("first", 60)},
            {"visible_share": 0.25, "page_bytes": 4096, "page_cap_filtered": 9},
            {"deepest_row": 9, "result_window": 8, "depth_answer": "last-page"},
            {"nothing_as": "no-list", "further_sorters": "refused", "ties": "top-n"},
            {"refuse_page_size_above": 5, "page_size_refusal": "500"},
        ],
        ids=str,
    )
    def test_they_survive_the_way_to_a_process(self, keywords: dict[str, object]) -> None:
        """Each switch can be spelt on a command line."""
        told = switches(vars(parser().parse_args(as_arguments(keywords))))
        one, other = Emulator(**told), Emulator(**keywords)  # type: ignore[arg-type]
        assert (one.constraints, one.quirks) == (other.constraints, other.quirks)

    @pytest.mark.parametrize(
        ("keywords", "problem"),
        [
            ({"page_cap_by_type": {3: 5}}, "types 0, 1 and 2"),
            ({"page_cap_by_type": [5]}, "a cap for each"),
            ({"page_cap_by_type": [0, 1, 2]}, "page_cap_by_type must be a whole number"),
            ({"page_cap_by_type": 5}, "must be a collection"),
            ({"range_clamp": ("middle", 5)}, "'first' or 'last' and seconds"),
            ({"range_clamp": ("last",)}, "'first' or 'last' and seconds"),
            ({"range_clamp": ("last", 0)}, "range_clamp must be a number"),
            ({"visible_share": 1.5}, "visible_share must be a number"),
            ({"nothing_as": "silence"}, "nothing_as must be one of"),
            ({"depth_answer": "500"}, "depth_answer must be one of"),
        ],
        ids=str,
    )
    def test_nonsense_is_refused(self, keywords: dict[str, object], problem: str) -> None:
        """A value that makes no sense is an error that names the switch."""
        with pytest.raises(QueryError, match=problem):
            Emulator(1, **keywords)  # type: ignore[arg-type]

    def test_one_that_stands_still_asks_as_the_documentation_says(self) -> None:
        """With no switch told, nothing is capped, clamped, hidden or refused."""
        with one_type(500) as emulator:
            assert len(ids(emulator, page_size=1_000)) == 500
            assert search_body(emulator)["pagination"]["pageNo"] == 0
