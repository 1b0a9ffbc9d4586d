"""Answers of `aioflows.web` as ASGI applications, with clients made by hand, in virtual time."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aioflows import (
    Checkpoint,
    Denied,
    FlowQuery,
    FlowScan,
    FlowSession,
    FollowCheckpoint,
    QueryError,
    RetryPolicy,
    Throttled,
    TimedOut,
)
from aioflows.emulator import Emulator, Fault
from aioflows.export import json_line
from aioflows.web import (
    NDJSON,
    ArrowStream,
    CursorSigner,
    ErrorAnswer,
    JSONPage,
    ServerSentEvents,
    StreamAnswer,
    limit_from,
    query_from,
)
from tests.support.asgi import AsgiClient
from tests.support.fakes import EmulatorTransport
from tests.support.long import long_but

pa = pytest.importorskip("pyarrow")

KEY = "a key of sixteen bytes or more"
STREAMS = [NDJSON, ServerSentEvents, ArrowStream]


class World:
    """A service, and a session with it."""

    def __init__(self, emulator: Emulator, session: FlowSession, transport: EmulatorTransport) -> None:
        self.emulator = emulator
        self.session = session
        self.transport = transport
        self.query = FlowQuery(emulator.start, emulator.end, type=1)

    def scan(self, **rest: Any) -> FlowScan:
        return self.session.scan(self.query, **rest)

    @property
    def searches(self) -> int:
        return self.emulator.requests.get("search", 0)


@asynccontextmanager
async def world(instances: int = 300, latency: float = 0.1, **switches: Any) -> AsyncIterator[World]:
    async with Emulator(instances, seed=2, schedule_types=(1,), **switches) as emulator:
        transport = EmulatorTransport(emulator, latency=latency)
        retry = RetryPolicy(max_tries=2, max_elapsed=5.0)
        async with FlowSession(emulator.url, user_id="u", org_id="o", http=transport, retry=retry) as session:
            yield World(emulator, session, transport)


async def asked(answer: StreamAnswer | ErrorAnswer, **client: Any) -> AsgiClient:
    one = AsgiClient(**client)
    await one.ask(answer)
    return one


async def test_json_lines_are_every_row_in_order_as_the_export_writes_them() -> None:
    async with world() as here:
        client = await asked(NDJSON(here.scan()))
        rows = await here.scan().list()
    assert client.complete
    assert (client.status, client.headers["content-type"]) == (200, "application/x-ndjson")
    assert client.body == b"".join(map(json_line, rows))
    assert len(rows) == 300


@pytest.mark.parametrize("make", STREAMS)
async def test_a_client_that_leaves_before_the_first_row_ends_all_requests_at_once(make: Any) -> None:
    async with world(latency=30.0) as here:
        began = asyncio.get_running_loop().time()
        client = await asked(make(here.scan()), leaves_at=began + 1)
        assert asyncio.get_running_loop().time() == began + 1
        assert here.transport.in_flight == 0
    assert client.status is None


async def test_a_client_that_leaves_between_rows_ends_all_requests_at_once() -> None:
    async with world(2_000, latency=1.0) as here:
        client = await asked(NDJSON(here.scan()), leaves_at=asyncio.get_running_loop().time() + 3.5)
        sent = here.searches
        assert here.transport.in_flight == 0
        await asyncio.sleep(60)
        assert here.searches == sent
    assert client.status == 200
    assert not client.complete


async def test_a_client_that_stops_reading_stops_the_requests() -> None:
    async with world(4_000) as here:
        asking = asyncio.create_task(asked(NDJSON(here.scan()), reads_until=100_000))
        await asyncio.sleep(600)
        stopped = here.searches
        await asyncio.sleep(600)
        assert here.searches == stopped <= 10
        asking.cancel()
        await asyncio.wait([asking])
        assert here.transport.in_flight == 0


async def test_a_cancelled_answer_closes_its_scan() -> None:
    async with world(latency=30.0) as here:
        scan = here.scan()
        asking = asyncio.create_task(asked(NDJSON(scan)))
        await asyncio.sleep(1)
        asking.cancel()
        await asyncio.wait([asking])
        assert here.transport.in_flight == 0
        assert "closed" in repr(scan)


@pytest.mark.parametrize("make", [*STREAMS, lambda scan: JSONPage(scan, CursorSigner(KEY))])
async def test_an_error_before_the_first_row_is_a_bad_gateway_with_a_reason(make: Any) -> None:
    async with world(denied=True) as here:
        client = await asked(make(here.scan(limit=10)))
    assert client.status == 502
    assert client.complete
    assert "62103" in json.loads(client.body)["error"]
    assert client.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("error", "status", "wait"),
    [
        (Throttled(429, "slow down", 1.2), 503, "2"),
        (Throttled(429, "slow down"), 503, None),
        (TimedOut("no answer"), 504, None),
        (QueryError("no"), 400, None),
        (Denied(62101, "no"), 502, None),
    ],
    ids=str,
)
async def test_each_error_has_a_status(error: Any, status: int, wait: str | None) -> None:
    client = await asked(ErrorAnswer(error))
    assert (client.status, client.headers.get("retry-after")) == (status, wait)


async def failed_in_the_middle(make: Any) -> tuple[AsgiClient, FlowQuery]:
    faults = tuple(Fault(at=number, kind="code-62103") for number in range(4, 200))
    async with world(1_500, faults=faults) as here:
        client = AsgiClient()
        with pytest.raises(Denied):
            await client.ask(make(here.scan()))
    assert client.status == 200
    assert not client.complete
    return client, here.query


async def test_an_error_after_rows_is_a_last_line_with_a_checkpoint_and_a_cut_connection() -> None:
    client, _ = await failed_in_the_middle(NDJSON)
    *rows, last = client.lines()
    assert "62103" in last["error"]
    assert len(rows) >= 100
    async with world(1_500) as again:
        rest = await again.scan(resume=Checkpoint.from_json(last["checkpoint"])).list()
        every = await again.scan().list()
    assert [row["instance_id"] for row in rows] + [row.instance_id for row in rest] == [
        row.instance_id for row in every
    ]


async def test_a_signed_cursor_takes_the_place_of_the_checkpoint_in_an_error() -> None:
    signer = CursorSigner(KEY)
    client, query = await failed_in_the_middle(lambda scan: NDJSON(scan, signer=signer))
    last = client.lines()[-1]
    assert "checkpoint" not in last
    assert signer.checkpoint(last["cursor"], query) is not None


async def test_an_error_in_events_is_an_event_of_its_own_and_a_cut_connection() -> None:
    client, _ = await failed_in_the_middle(ServerSentEvents)
    last = client.body.decode().split("\n\n")[-2]
    kind, data = last.split("\n")
    assert kind == "event: error"
    assert "62103" in json.loads(data.removeprefix("data: "))["error"]


async def test_an_arrow_stream_that_breaks_off_is_an_error_for_its_reader() -> None:
    client, _ = await failed_in_the_middle(ArrowStream)
    with pa.ipc.open_stream(io.BytesIO(client.body)) as reader, pytest.raises((pa.ArrowInvalid, OSError)):
        reader.read_all()


async def test_an_arrow_stream_holds_every_row_with_plain_texts() -> None:
    async with world() as here:
        client = await asked(ArrowStream(here.scan(), columns=["instance_id", "flow_name", "trigger_time"]))
        rows = await here.scan().list()
    table = pa.ipc.open_stream(io.BytesIO(client.body)).read_all()
    assert table.schema.field("flow_name").type == pa.string()
    assert table["instance_id"].to_pylist() == [row.instance_id for row in rows]
    assert table["flow_name"].to_pylist() == [row.flow_name for row in rows]


@pytest.mark.parametrize("make", STREAMS)
async def test_no_rows_are_a_complete_answer(make: Any) -> None:
    async with world(0) as here:
        client = await asked(make(here.scan()))
    assert (client.status, client.complete) == (200, True)


async def test_a_last_line_says_that_an_answer_is_complete_if_it_is_asked_for() -> None:
    async with world(20) as here:
        client = await asked(NDJSON(here.scan(), complete=True))
    assert client.lines()[-1] == {"complete": True, "rows": 20}


async def test_a_request_for_the_head_alone_sends_nothing_to_the_service() -> None:
    async with world() as here:
        client = AsgiClient()
        await client.ask(NDJSON(here.scan()), "HEAD")
        assert here.searches == 0
    assert (client.status, client.body, client.complete) == (200, b"", True)


def events(body: bytes) -> list[dict[str, str]]:
    """Return the events of a body, as the standard says a browser reads them."""
    blocks = [block for block in body.decode().split("\n\n") if block and not block.startswith(":")]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


async def test_a_follow_goes_on_behind_the_event_whose_id_comes_back() -> None:
    async with world(0, latency=0.01) as here:
        now = int(here.transport.now() * 1000)
        query = FlowQuery(now - 60_000, now + 3_600_000)
        names = [here.emulator.insert(now - 1_000 * number, type=1, status=1) for number in range(1, 9)]
        first = AsgiClient(leaves_at=asyncio.get_running_loop().time() + 30)
        await first.ask(ServerSentEvents(here.session.follow(query, since=now - 60_000)))
        seen = events(first.body)[:3]
        resume = FollowCheckpoint.from_json(seen[-1]["id"])
        second = AsgiClient(leaves_at=asyncio.get_running_loop().time() + 30)
        await second.ask(ServerSentEvents(here.session.follow(query, resume=resume)))
    got = [json.loads(event["data"])["instance_id"] for event in [*seen, *events(second.body)]]
    assert sorted(got) == sorted(names)


async def test_a_follow_sends_its_head_and_comments_while_nothing_happens() -> None:
    async with world(0, latency=0.01) as here:
        now, began = int(here.transport.now() * 1000), asyncio.get_running_loop().time()
        client = AsgiClient(leaves_at=began + 100)
        await client.ask(ServerSentEvents(here.session.follow(FlowQuery(now, now + 3_600_000))))
        assert here.transport.in_flight == 0
    assert client.head_at is not None
    assert client.head_at - began <= 1.0
    assert client.body.count(b": keep-alive\n\n") >= 6


async def test_events_of_a_scan_end_with_an_event_that_says_so() -> None:
    async with world() as here:
        client = await asked(ServerSentEvents(here.scan(), signer=CursorSigner(KEY)))
    *rows, end = events(client.body)
    assert end["event"] == "end"
    assert json.loads(end["data"]) == {"rows": 300}
    assert len(rows) == 300
    assert all("\n" not in event["data"] and event["data"].isascii() for event in rows)


async def test_pages_with_cursors_give_every_row_once_and_then_no_cursor() -> None:
    signer = CursorSigner(KEY, max_age=60, clock=lambda: 1e9)
    got: list[str] = []
    async with world(230) as here:
        params: dict[str, str] = {
            "from_ms": str(here.query.from_ms),
            "to_ms": str(here.query.to_ms),
            "type": "periodic",
            "limit": "100",
        }
        while True:
            query = query_from(params)
            resume = signer.checkpoint(params.get("cursor"), query)
            scan = here.session.scan(query, limit=limit_from(params), resume=resume)
            page = json.loads((await asked(JSONPage(scan, signer))).body)
            got += [row["instance_id"] for row in page["instances"]]
            if page["next"] is None:
                break
            assert len(page["instances"]) == 100
            params["cursor"] = page["next"]
        every = await here.scan().list()
    assert got == [row.instance_id for row in every]


async def test_a_page_needs_a_limit() -> None:
    async with world() as here:
        with pytest.raises(QueryError, match="limit"):
            JSONPage(here.scan(), CursorSigner(KEY))


@pytest.mark.parametrize("order", long_but("-trigger_time", of=["-trigger_time", "start_time", None]))
async def test_every_order_is_streamed_whole(order: Any) -> None:
    async with world() as here:
        query = FlowQuery(here.emulator.start, here.emulator.end, type=1, order_by=order)
        client = await asked(NDJSON(here.session.scan(query)))
        rows = await here.session.scan(query).list()
    key = None if order is not None else str
    ids = [line["instance_id"] for line in client.lines()]
    expected = [row.instance_id for row in rows]
    assert (ids == expected) if key is None else (sorted(ids) == sorted(expected))
