"""Faults as a readable list."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest

from aioflows.emulator import Emulator, Fault, Reply
from aioflows.emulator.faults.catalogue import BODY, PACKED, WIRE
from aioflows.errors import QueryError
from tests.support.asking import NOW, get, search, search_reply


def befallen(kind: str, **details: Any) -> Reply:
    """The answer to a search that this fault befalls."""
    with Emulator(20, schedule_types=[1], faults=[Fault(1, kind, **details)]) as emulator:
        return search_reply(emulator)


class TestScript:
    def test_the_third_search_is_throttled_for_two_seconds(self) -> None:
        with Emulator(5, faults=[Fault(at=3, kind="throttle", seconds=2)]) as emulator:
            replies = [search_reply(emulator) for _ in range(4)]
            assert [reply.status for reply in replies] == [200, 200, 429, 200]
            assert replies[2].headers["Retry-After"] == "2"
            assert emulator.requests == {"search": 4, "faults": 1, "early": 1}

    def test_a_fault_may_last(self) -> None:
        with Emulator(5, faults=[Fault(2, "http-503", times=2)]) as emulator:
            assert [search_reply(emulator).status for _ in range(4)] == [200, 503, 503, 200]

    def test_a_fault_may_befall_another_operation(self) -> None:
        with Emulator(5, faults=[Fault(1, "code-62109", on="timezone")]) as emulator:
            assert search(emulator)["code"] == 0
            assert get(emulator, "time", action="getTimeZone")["code"] == 62109

    def test_or_the_nth_of_all(self) -> None:
        with Emulator(5, faults=[Fault(2, "code-1005", on="any")]) as emulator:
            assert get(emulator, "time", action="getTimeZone")["code"] == 0
            assert search(emulator)["code"] == 1005

    def test_a_storm_refuses_everything_for_a_while(self) -> None:
        with Emulator(5, faults=[Fault(1, "storm", seconds=2)]) as emulator:
            found = [search_reply(emulator, now_ms=NOW + at).status for at in (0, 10, 1_999, 2_000)]
            assert found == [429, 429, 429, 200]

    def test_an_outage_resets_everything_for_a_while(self) -> None:
        with Emulator(5, faults=[Fault(2, "outage", seconds=2)]) as emulator:
            moments = (NOW - 10, NOW, NOW + 1_999, NOW + 2_000)
            found = [search_reply(emulator, now_ms=at).wire for at in moments]
            assert found == ["", "reset", "reset", ""]
            assert emulator.requests["faults"] == 2

    def test_an_honest_answer_may_be_late(self) -> None:
        with Emulator(5, latency=1.0, faults=[Fault(2, "late", seconds=20)]) as emulator:
            replies = [search_reply(emulator) for _ in range(3)]
            assert [reply.delay for reply in replies] == [1.0, 21.0, 1.0]
            assert len({reply.body for reply in replies}) == 1

    def test_a_share_of_searches_fails_at_random_and_always_the_same(self) -> None:
        def outcomes() -> list[str]:
            with Emulator(5, fault_share=0.3, fault_kinds=["http-500", "html"]) as emulator:
                for _ in range(200):
                    search_reply(emulator)
                return [record.outcome for record in emulator.searches]

        found = outcomes()
        assert found == outcomes()
        assert 40 < 200 - found.count("ok") < 80
        assert set(found) == {"ok", "http-500", "html"}

    def test_a_fault_reads_from_the_command_line(self) -> None:
        assert Fault.parse("at=3,kind=throttle,seconds=2") == Fault(3, "throttle", seconds=2)

    @pytest.mark.parametrize(
        "text", ["", "throttle", "at=1", "at=x,kind=html", "at=1,kind=html,colour=red", "at=0,kind=html"]
    )
    def test_nonsense_does_not(self, text: str) -> None:
        with pytest.raises(QueryError):
            Fault.parse(text)

    @pytest.mark.parametrize("kind", ["", "http-", "http-99", "http-600", "code-x", "HTML", None, 5])
    def test_a_kind_is_known_or_refused(self, kind: Any) -> None:
        with pytest.raises(QueryError, match="kind must be one of"):
            Fault(1, kind)


class TestStatuses:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 500, 502, 503, 504])
    def test_any_status_can_be_answered(self, status: int) -> None:
        assert befallen(f"http-{status}").status == status

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_names_a_place(self, status: int) -> None:
        reply = befallen(f"http-{status}", location="http://127.0.0.1:9/elsewhere")
        assert (reply.status, reply.headers["Location"]) == (status, "http://127.0.0.1:9/elsewhere")

    def test_a_status_may_come_with_a_wait(self) -> None:
        assert befallen("http-503", seconds=7).headers["Retry-After"] == "7"

    def test_and_with_one_that_is_said_word_for_word_or_twice(self) -> None:
        date = "Wed, 21 Oct 2015 07:28:00 GMT"
        fault = Fault.parse(f"at=1,kind=http-429,retry_after={date}|soon,times=2")
        with Emulator(5, faults=[fault]) as emulator:
            reply = search_reply(emulator)
        assert reply.headers["Retry-After"] == date
        assert reply.again == (("Retry-After", "soon"),)

    def test_it_may_bear_other_headers(self) -> None:
        fault = Fault.parse("at=1,kind=http-404,headers=X-RateLimit-Remaining: 57|X-RateLimit-Reset: 30")
        with Emulator(5, faults=[fault]) as emulator:
            reply = search_reply(emulator)
        assert reply.headers.items() >= {"X-RateLimit-Remaining": "57", "X-RateLimit-Reset": "30"}.items()

    @pytest.mark.parametrize("code", [-1, 1203, 62101, 62109])
    def test_any_code_can_be_answered(self, code: int) -> None:
        reply = befallen(f"code-{code}")
        assert (reply.status, json.loads(reply.body)["code"]) == (200, code)


class TestBodies:
    def answer(self, kind: str) -> Any:
        return json.loads(befallen(kind).body)

    def rows(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.answer(kind)["data"]["flowInsts"]
        return found

    @pytest.mark.parametrize("kind", sorted({**BODY, **PACKED}))
    def test_every_kind_changes_the_answer(self, kind: str) -> None:
        assert befallen(kind, size=10_000).body != befallen("code-0").body
        with Emulator(20, schedule_types=[1]) as honest:
            assert befallen(kind, size=10_000).body != search_reply(honest).body

    @pytest.mark.parametrize("kind", ["html", "empty", "cut-json", "torn-json", "invalid-utf8", "bom"])
    def test_some_are_not_json(self, kind: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            json.loads(befallen(kind).body.decode())

    def test_some_are_too_deep(self) -> None:
        with pytest.raises(RecursionError):
            self.answer("deep")

    def test_some_are_json_but_no_answer(self) -> None:
        assert (self.answer("null"), self.answer("list"), self.answer("text")) == (None, [], "x")
        assert self.answer("no-answer") == {}
        assert "data" not in self.answer("no-data")
        assert self.answer("null-data")["data"] is None
        assert self.answer("no-list")["data"] == {"count": 0}
        assert self.answer("null-list")["data"]["flowInsts"] is None
        assert self.answer("wrong-types")["data"]["flowInsts"] == {"0": "row"}
        assert self.answer("text-list")["data"]["flowInsts"] == ""
        assert self.answer("string-code")["code"] == "0"
        assert "code" not in self.answer("no-code")
        assert self.answer("status-for-code")["status"] == 0
        assert (self.answer("two-codes")["code"], self.answer("two-codes")["status"]) == (0, 62109)
        assert self.answer("false-empty")["data"] == {"flowInsts": [], "count": 0}
        assert self.answer("duplicate-keys")["data"]["flowInsts"] == []

    def test_rows_may_stand_in_the_wrong_order(self) -> None:
        found = [row["triggerTime"] for row in self.rows("disordered")]
        assert found == sorted(found, reverse=True) != sorted(found)

    def test_rows_may_be_repeated_moved_or_foreign(self) -> None:
        assert [row["instanceId"] for row in self.rows("repeated-row")][:2] == [
            self.rows("repeated-row")[0]["instanceId"]
        ] * 2
        assert self.rows("moved-row")[-1]["triggerTime"].startswith("2023")
        assert self.rows("foreign-row")[-1]["triggerTime"].startswith("2023")

    def test_a_row_may_stand_twice_and_differ(self) -> None:
        first, second, *_ = self.rows("changed-row")
        assert first["instanceId"] == second["instanceId"]
        assert first["triggerTime"] == second["triggerTime"]
        assert first["flowName"] != second["flowName"]
        first, second, *_ = self.rows("moved-twin")
        assert first["instanceId"] == second["instanceId"]
        assert first["triggerTime"] < second["triggerTime"]

    def test_members_may_be_unreadable_or_strange(self) -> None:
        assert self.rows("hour-24")[0]["triggerTime"].endswith(" 24:00:00")
        assert self.rows("february-30")[0]["triggerTime"] == "2024-02-30 00:00:00"
        assert self.rows("year-9999")[0]["startTime"].startswith("9999")
        assert self.rows("owner-object")[0]["owner"] == {"name": "ops"}
        assert self.rows("bad-time")[0]["triggerTime"].endswith(" 24:61:00")
        assert self.rows("null-trigger")[0]["triggerTime"] is None
        assert self.rows("no-id")[0]["instanceId"] == ""
        assert self.rows("number-id")[0]["instanceId"] == 2809
        assert self.rows("unknown-status")[0]["status"] == 77
        assert "newInThisRelease" in self.rows("extra-field")[0]
        assert self.rows("numbers-for-flags")[0]["hasReadPri"] == 1
        assert self.rows("surrogate")[0]["flowName"] == "half \ud83d"

    def test_a_bomb_is_small_until_it_is_opened(self) -> None:
        reply = befallen("gzip-bomb", size=5_000_000)
        assert len(reply.body) < 50_000
        assert len(gzip.decompress(reply.body)) == 5_000_019

    def test_text_may_be_in_latin_1_and_say_so(self) -> None:
        reply = befallen("latin-1")
        assert reply.headers["Content-Type"].endswith("charset=ISO-8859-1")
        assert '"msg":"été"' in reply.body.decode("latin-1")

    def test_gzip_may_be_whole_in_two_members_or_wrong_in_its_checksum(self) -> None:
        assert json.loads(gzip.decompress(befallen("two-members").body))["code"] == 0
        with pytest.raises(gzip.BadGzipFile, match="CRC"):
            gzip.decompress(befallen("bad-crc").body)
        unpacker = zlib.decompressobj(wbits=31)
        assert json.loads(unpacker.decompress(befallen("cut-trailer").body))["code"] == 0
        assert not unpacker.eof

    @pytest.mark.parametrize(("kind", "encoding"), [("brotli", "br"), ("unknown-encoding", "x-own")])
    def test_a_body_may_be_in_an_encoding_that_nobody_asked_for(self, kind: str, encoding: str) -> None:
        assert befallen(kind).headers["Content-Encoding"] == encoding

    def test_gzip_may_end_early_in_a_message_that_is_whole(self) -> None:
        reply = befallen("cut-gzip")
        unpacker = zlib.decompressobj(wbits=31)
        unpacker.decompress(reply.body)
        assert not unpacker.eof


@pytest.mark.parametrize("kind", sorted(WIRE))
def test_a_fault_of_the_wire_is_named_by_the_reply(kind: str) -> None:
    assert befallen(kind).wire == kind
