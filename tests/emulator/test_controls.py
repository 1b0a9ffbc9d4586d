"""What a test does to an emulator and asks of it."""

from __future__ import annotations

import asyncio
import json

import pytest

from aioflows.emulator import Emulator
from aioflows.errors import QueryError
from tests.support.asking import BASE, JSON, NOW, USER, ids, rows, search, search_body, search_reply


class TestOracle:
    def test_it_is_sorted_by_trigger_second_and_id(self) -> None:
        with Emulator(500, profile="midnight") as emulator:
            found = emulator.matching()
            assert found == sorted(found, key=lambda one: (one[0] // 1000, one[1]))

    def test_it_agrees_with_what_is_answered(self) -> None:
        with Emulator(500) as emulator:
            middle = (emulator.start_ms + emulator.end_ms) // 2
            known = emulator.matching(middle, type=1, status=[-1, 1], owner="li.wei", expression="_")
            asked = ids(
                emulator, from_ms=middle, status="-1,1", owner="li.wei", expression="_", page_size=500
            )
            assert {id for _, id in known} == set(asked)


class TestChange:
    def test_an_inserted_row_is_answered(self) -> None:
        with Emulator(0) as emulator:
            made = emulator.insert(emulator.start_ms, type=2, status=7, instance_id="1-x")
            assert made == "1-x"
            assert [row["status"] for row in rows(emulator, type=2)] == [7]

    def test_an_id_stands_for_one_row(self) -> None:
        with Emulator(0) as emulator:
            emulator.insert(emulator.start_ms, instance_id="1-x")
            with pytest.raises(QueryError, match="already"):
                emulator.insert(emulator.start_ms, instance_id="1-x")

    def test_a_deleted_row_is_gone(self) -> None:
        with Emulator(5, schedule_types=[1]) as emulator:
            gone = ids(emulator)[2]
            emulator.delete(gone)
            assert gone not in ids(emulator)
            with pytest.raises(QueryError, match="unknown instance"):
                emulator.delete(gone)

    def test_a_status_can_change(self) -> None:
        with Emulator(5, schedule_types=[1]) as emulator:
            one = ids(emulator)[0]
            emulator.set_status(one, 8)
            assert ids(emulator, status="8") == [one]
            with pytest.raises(QueryError, match="unknown instance"):
                emulator.set_status("none", 1)

    def test_a_hook_changes_rows_right_before_an_answer(self) -> None:
        with Emulator(0) as emulator:
            emulator.on_search(lambda number: emulator.insert(emulator.start_ms + number))
            assert [len(ids(emulator)) for _ in range(3)] == [1, 2, 3]

    def test_rows_may_change_by_themselves(self) -> None:
        with Emulator(200, changes_per_search=20) as emulator, emulator.watch(type=1) as watch:
            for _ in range(10):
                search(emulator)
        assert len(watch.lasting) < 190
        assert len(watch.ever) > 200


class TestWatch:
    def test_what_lasts_matched_throughout_and_what_ever_did_at_some_time(self) -> None:
        with Emulator(0) as emulator:
            stays, leaves, flips, strange = (emulator.insert(emulator.start_ms + n) for n in range(4))
            emulator.set_status(strange, -1)
            with emulator.watch(status=[1]) as watch:
                emulator.delete(leaves)
                emulator.set_status(flips, -1)
                emulator.set_status(flips, 1)
                emulator.set_status(strange, 2)
                comes = emulator.insert(emulator.start_ms)
                outside = emulator.insert(emulator.end_ms)
            assert watch.lasting == {stays}
            assert watch.ever == {stays, leaves, flips, comes}
            assert outside not in watch.ever

    def test_what_changes_without_ceasing_to_match_lasts(self) -> None:
        with Emulator(0) as emulator:
            one = emulator.insert(emulator.start_ms)
            with emulator.watch() as watch:
                emulator.set_status(one, 7)
            assert watch.lasting == {one}

    def test_what_happens_after_the_end_is_not_seen(self) -> None:
        with Emulator(0) as emulator:
            one = emulator.insert(emulator.start_ms)
            with emulator.watch() as watch:
                pass
            emulator.delete(one)
            assert watch.lasting == {one}


class TestRecord:
    def test_a_search_is_noted_as_it_was_asked_and_answered(self) -> None:
        with Emulator(5, schedule_types=[1]) as emulator:
            search(emulator, page_size=3, sort=["-trigger_time"], status="1,-1")
            (record,) = emulator.searches
            assert (record.number, record.at_ms, record.type) == (1, NOW, 1)
            assert (record.from_ms, record.to_ms) == (emulator.start_ms, emulator.end_ms)
            assert (record.page_no, record.page_size, record.status) == (0, 3, (1, -1))
            assert record.sorters == (("trigger_time", True),)
            assert (record.rows, record.outcome) == (3, "ok")

    def test_a_refused_search_is_noted_with_its_code(self) -> None:
        with Emulator(5) as emulator:
            search(emulator, sort=["colour"])
            assert [(record.type, record.rows, record.outcome) for record in emulator.searches] == [
                (None, 0, "62102")
            ]

    def test_only_the_newest_are_kept(self) -> None:
        with Emulator(5, keep_searches=2) as emulator:
            for _ in range(4):
                search(emulator)
            assert [record.number for record in emulator.searches] == [3, 4]
            assert emulator.requests == {"search": 4}

    async def test_requests_in_flight_are_counted(self) -> None:
        with Emulator(5, latency=3) as emulator:
            body = json.dumps(search_body(emulator)).encode()
            asked = (f"{BASE}/flowInstances", [("action", "search"), *USER], JSON, body)
            async with asyncio.TaskGroup() as group:
                for _ in range(4):
                    group.create_task(emulator.exchange("POST", *asked))
                await asyncio.sleep(1)
                assert emulator.in_flight == 4
            assert (emulator.in_flight, emulator.peak_in_flight) == (0, 4)

    def test_the_state_is_served(self) -> None:
        with Emulator(5, schedule_types=[1]) as emulator:
            search(emulator)
            state = json.loads(emulator.respond("GET", "/_emulator/state").body)
            assert state == {
                "requests": {"search": 1},
                "instances": 5,
                "rows_answered": 5,
                "in_flight": 0,
                "peak_in_flight": 0,
                "start_ms": emulator.start_ms,
                "end_ms": emulator.end_ms,
            }

    def test_a_repr_tells_the_state(self) -> None:
        emulator = Emulator(5)
        assert repr(emulator) == "<Emulator of 5 instances (cron, seed 1), closed>"
        with emulator:
            assert repr(emulator).endswith("open>")

    def test_a_reply_unpacks_and_its_time_may_come_from_a_clock(self) -> None:
        with Emulator(5, now=lambda: 86_400_000.0) as emulator:
            status, headers, body = emulator.respond("GET", f"{BASE}/time", [("action", "getCurrentTime")])
            assert (status, body) == (200, b'{"code":0,"msg":"OK","data":86400000}')
            assert headers == {
                "Content-Type": "application/json;charset=UTF-8",
                "Date": "Fri, 02 Jan 1970 00:00:00 GMT",
            }
            assert search_reply(emulator).wire == ""
