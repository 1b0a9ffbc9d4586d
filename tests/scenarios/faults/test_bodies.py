"""A body is cut, packed, huge, or not what it should be (faults B1 to B14).

What each body is read as, byte by byte and member by member, is in ``tests/core/wire/test_search.py`` and
``tests/core/wire/test_responses.py``; here it travels, and a scan meets it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from aioflows import AioflowsError, AnswerError, FlowInstance, FlowQuery, FlowSession, RetryPolicy
from aioflows._core.resilience.retry import TooLarge
from aioflows._net.http import LARGEST_BODY
from aioflows.emulator import Fault
from aioflows.export import json_line
from aioflows.query import SortKey
from tests.support.long import long_but
from tests.support.story import ORDERS, session_with, told, world_of
from tests.support.wire import Script, serving

REAL = pytest.mark.real_time
QUERY = FlowQuery(1_704_067_200_000, 1_704_153_600_000, type=1)
ROWS = ["7-1", "7-2"]
BODY = json.dumps(
    {
        "code": 0,
        "data": {"flowInsts": [{"instanceId": id, "triggerTime": "2024-01-01 09:00:00"} for id in ROWS]},
    },
    separators=(",", ":"),
).encode()


def whole(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def chunked(body: bytes) -> bytes:
    pieces = [body[at : at + 37] for at in range(0, len(body), 37)]
    parts = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(parts) + b"0\r\n\r\n"


def to_the_end(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


async def asked_in_vain(damaged: list[bytes], least: int) -> None:
    """Ask for a page as often as there are damaged answers, each of which a whole one follows on the next connection.

    Each page has to cost both, and to be whole: a damaged answer is never taken for an empty page, or for a shorter one.
    """
    assert len(damaged) >= least
    answers = [answer for one in damaged for answer in (one, whole(BODY))]
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        script = Script(answers[asked])
        asked += 1
        await script(reader, writer)

    async with (
        serving(answer) as url,
        FlowSession(
            url, user_id="u", org_id="o", server_timezone="GMT+8", retry=RetryPolicy(base=0.0, max_tries=2)
        ) as session,
    ):
        for number in range(len(damaged)):
            page = await session.page(QUERY, 0, 10)
            assert [one.instance_id for one in page.instances] == ROWS, damaged[number]
            assert asked == 2 * number + 2, f"taken for whole: {damaged[number]!r}"


class TestCut:
    # B1

    @REAL
    @pytest.mark.parametrize("frame", long_but(chunked, of=[whole, chunked, to_the_end]))
    async def test_an_answer_that_is_cut_at_any_byte_is_asked_for_again(
        self, frame: Callable[[bytes], bytes]
    ) -> None:
        message = frame(BODY)
        await asked_in_vain([message[:cut] for cut in range(len(message))], least=180)

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("kind", ["cut", "cut-json", "empty"])
    async def test_a_scan_asks_again_and_ends_only_when_its_tries_are_spent(
        self, kind: str, order: SortKey | None
    ) -> None:
        story = await told(Fault(6, kind, times=2), order=order)
        assert story.error is None
        assert story.stats.retries == 2


class TestPacked:
    # B2

    @REAL
    @pytest.mark.parametrize(
        ("encoding", "pack"),
        [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate)],
        ids=["gzip", "zlib", "raw deflate"],
    )
    async def test_a_packed_body_that_is_cut_at_any_byte_is_asked_for_again(
        self, encoding: str, pack: Callable[[bytes], bytes]
    ) -> None:
        packed, header = pack(BODY), f"Content-Encoding: {encoding}"
        # Also where the message around it is whole, as a gateway sends it that packs what it has got so far.
        cuts = [whole(packed[:cut], header) for cut in range(len(packed))]
        await asked_in_vain(cuts + [whole(packed, header)[:-cut] for cut in range(1, len(packed))], least=150)

    @REAL
    @pytest.mark.parametrize("kind", ["cut-gzip", "cut-trailer", "bad-crc", "brotli", "unknown-encoding"])
    async def test_what_cannot_be_unpacked_or_checked_is_asked_for_again(self, kind: str) -> None:
        story = await told(Fault(6, kind), sockets=True)
        assert story.error is None
        assert story.stats.retries == 1

    @REAL
    @pytest.mark.parametrize("order", ORDERS)
    async def test_two_members_are_read_whole(self, order: SortKey | None) -> None:
        story = await told(Fault(1, "two-members", times=1000), order=order, sockets=True)
        assert story.error is None
        assert story.stats.retries == 0

    @REAL
    async def test_what_is_packed_well_is_read(self) -> None:
        assert (await told(compress=True, sockets=True)).error is None


class TestShape:
    # B3

    KINDS = ("null", "list", "text", "wrong-types")
    NOTHING = ("null-list", "text-list", "false-empty", "no-list", "null-data", "no-data")

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("kind", KINDS)
    async def test_a_body_of_another_shape_is_no_empty_page(self, kind: str, order: SortKey | None) -> None:
        story = await told(Fault(2, kind, times=1000), order=order, session={"concurrency": 1})
        assert type(story.error) is AnswerError
        assert story.error.path.startswith("$")
        assert story.most_failures == 4, "three times more, for gateways have hiccups"

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("kind", NOTHING)
    @pytest.mark.parametrize("at", [1, 2, 7])
    async def test_no_list_is_an_empty_one_and_looked_at_again(
        self, at: int, kind: str, order: SortKey | None
    ) -> None:
        story = await told(Fault(at, kind), order=order)
        assert story.error is None

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("kind", NOTHING)
    async def test_where_it_never_ends_rows_are_not_lost_in_silence(
        self, kind: str, order: SortKey | None
    ) -> None:
        """A service that shows its rows once, and from then on leaves the list out, is not read to the end."""
        story = await told(Fault(2, kind, times=1000), order=order, session={"concurrency": 1})
        assert isinstance(story.error, AioflowsError)


class TestTooLarge:
    # B4

    @staticmethod
    def bomb(size: int) -> bytes:
        """*size* bytes as gzip, but for what they would be checked by: a block, again and again."""
        packer = zlib.compressobj(9, wbits=31)
        head = packer.compress(b'{"code":0,"msg":"') + packer.flush(zlib.Z_FULL_FLUSH)
        block = packer.compress(b"x" * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
        again = packer.compress(b"x" * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
        assert again == block
        return head + block * (size // 2**20)

    @REAL
    @pytest.mark.parametrize("size", [40 * 10**6, 10**9, 10**10])
    async def test_a_bomb_is_unpacked_no_further_than_may_be_held(self, size: int) -> None:
        message = whole(self.bomb(size), "Content-Encoding: gzip")
        asked = 0

        async def explode(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            asked += 1
            await Script(message, stay=True)(reader, writer)

        async with (
            serving(explode) as url,
            FlowSession(url, user_id="u", org_id="o", server_timezone="GMT+8") as session,
        ):
            tracemalloc.start()
            try:
                with pytest.raises(TooLarge, match="smaller pages"):
                    await session.page(QUERY, 0, 10)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
        assert asked == 1
        assert (
            peak < 2 * LARGEST_BODY + len(message) + 2**21
        )  # what the server has not sent yet lies here as well

    @REAL
    @pytest.mark.parametrize("kind", ["huge", "gzip-bomb"])
    async def test_it_ends_a_scan_where_it_stands(self, kind: str) -> None:
        story = await told(
            Fault(2, kind, size=LARGEST_BODY + 1, times=1000), sockets=True, session={"concurrency": 1}
        )
        assert type(story.error) is TooLarge
        assert story.stats.retries == 0


class TestJson:
    # B5, B7, B9, B11, B12

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("kind", ["deep", "nan", "invalid-utf8", "latin-1", "duplicate-keys"])
    async def test_what_is_no_strict_json_is_no_answer(self, kind: str, order: SortKey | None) -> None:
        story = await told(Fault(2, kind, times=1000), order=order, session={"concurrency": 1})
        assert type(story.error) is AnswerError
        assert story.most_failures == 4

    # B6

    @pytest.mark.parametrize("order", ORDERS)
    async def test_a_number_of_5000_digits_is_none_where_one_is_read(self, order: SortKey | None) -> None:
        story = await told(Fault(2, "long-flow-id", times=1000), order=order)
        assert type(story.error) is AnswerError

    async def test_and_no_matter_where_none_is(self) -> None:
        assert (await told(Fault(1, "long-int", times=1000))).error is None

    # B8

    async def test_a_byte_order_mark_is_read_over(self) -> None:
        story = await told(Fault(1, "bom", times=1000))
        assert (story.error, story.stats.retries) == (None, 0)

    # B10

    async def test_half_a_surrogate_pair_is_kept_and_written_escaped(self) -> None:
        named = await instances(Fault(1, "surrogate", times=1000))
        halves = [one for one in named if one.flow_name == "half \ud83d"]
        assert halves
        assert all(b'"flow_name":"half \\ud83d"' in json_line(one) for one in halves)

    # B13

    @pytest.mark.parametrize("order", ORDERS)
    async def test_graphs_printed_unescaped_are_mended_where_there_is_one_way_to_read_them(
        self, order: SortKey | None
    ) -> None:
        plain = {one.instance_id: one.graph for one in await instances()}
        mended = await instances(order=order, unescaped_graph=True)
        assert {one.instance_id: one.graph for one in mended} == plain

    async def test_where_there_is_none_it_says_at_which_byte_it_is_lost(self) -> None:
        story = await told(Fault(2, "graph-in-quotes", times=1000), session={"concurrency": 1})
        assert type(story.error) is AnswerError
        assert "byte" in str(story.error)


class TestRow:
    # B14

    @pytest.mark.parametrize(
        "kind", ["unknown-status", "extra-field", "numbers-for-flags", "number-id", "year-9999"]
    )
    async def test_what_is_odd_stays_usable(self, kind: str) -> None:
        usual = {one.instance_id: one for one in await instances()}
        times = 1 if kind == "number-id" else 1000
        odd = {one.instance_id: one for one in await instances(Fault(1, kind, times=times))}
        changed = [one for id, one in odd.items() if one != usual.get(id)]
        assert bool(changed) == (kind != "numbers-for-flags"), "1 is true, and 0 is false"
        if kind == "unknown-status":
            assert {int(one.status or 0) for one in changed} == {77}
        elif kind == "extra-field":
            assert all(one.extra == {"newInThisRelease": {"a": [1, None]}} for one in changed)
        elif kind == "number-id":
            assert [one.instance_id for one in changed] == ["2809"]
        elif kind == "year-9999":
            assert {(one.start_time and one.start_time.year, one.end_time) for one in changed} == {
                (9999, None)
            }
        assert len(odd) == len(usual)

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            ("bad-time", "triggerTime"),
            ("hour-24", "triggerTime"),
            ("february-30", "triggerTime"),
            ("null-trigger", "triggerTime"),
            ("no-id", "instanceId"),
            ("owner-object", "owner"),
        ],
    )
    async def test_what_cannot_be_read_is_named(self, kind: str, words: str, order: SortKey | None) -> None:
        story = await told(Fault(2, kind, times=1000), order=order, session={"concurrency": 1})
        assert type(story.error) is AnswerError
        assert story.error.path.endswith(f"flowInsts[0].{words}")

    async def test_a_time_that_is_none_yet_is_none(self) -> None:
        assert any(one.end_time is None for one in await instances())


async def instances(
    *faults: Fault, order: SortKey | None = "trigger_time", **switches: Any
) -> list[FlowInstance]:
    """All rows of a world, as they are handed out."""
    with world_of(*faults, **switches) as emulator:
        query = FlowQuery(emulator.start, emulator.end, type=1, order_by=order)
        async with session_with(emulator) as (session, _):
            return [one async for one in session.scan(query)]
