"""What a type checker must make of the public surface; it is checked, and never runs."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import assert_type

import aiohttp
import numpy as np
from yarl import URL

import aioflows
import aioflows.sync
from aioflows.audit import AuditReport, MissingRun, audit
from aioflows.emulator import Emulator
from aioflows.export import Exported, export
from aioflows.telemetry import Telemetry


async def sessions(http: aiohttp.ClientSession) -> None:
    auth = aioflows.AppKey("access-key", "secret-key")
    session = aioflows.FlowSession("https://apigw.example.com", user_id="u", org_id="o", auth=auth, http=http)
    async with session as entered:
        assert_type(entered, aioflows.FlowSession)
        assert_type(await session.server_timezone(), tzinfo)
        assert_type(await session.server_time(), datetime)
        assert_type(await session.get("1-2"), aioflows.FlowInstance)


def configured(context: ssl.SSLContext) -> None:
    for make in (aioflows.FlowSession, aioflows.sync.FlowSession):
        make(
            URL("https://enos.test/gateway"),
            user_id="u",
            org_id="o",
            proxy="http://proxy:3128",
            ssl=context,
            headers={"X-Team": "data"},
            user_agent="me/1",
            trust_env=True,
            timeout=aioflows.Timeouts(30, connect=5),
            other_timezone="UTC",
        )
        make("https://enos.test", user_id="u", org_id="o", ssl=Path("ca.pem"), timeout=5)
        make("https://enos.test", user_id="u", org_id="o", ssl=False)  # type: ignore[arg-type]
        make("https://enos.test", user_id="u", org_id="o", headers={"X": 1})  # type: ignore[dict-item]


async def opened(session: aioflows.FlowSession, plain: aioflows.sync.FlowSession) -> None:
    assert_type(await session.open(), aioflows.FlowSession)
    assert_type(plain.open(), aioflows.sync.FlowSession)


def queries(first: datetime, number: np.int64) -> None:
    aioflows.FlowQuery(first, 5, type="periodic", status="FAIL", order_by="-start_time")
    aioflows.FlowQuery(first, first, status={"FAIL", "SUCCESS"}, order_by=["start_time", "-end_time"])
    aioflows.FlowQuery(first, first, status=[aioflows.FlowStatus.FAIL, -1], type=1, order_by=None)
    query = aioflows.FlowQuery(number, number, type=number, status=number)
    assert_type(query.from_trigger_time, datetime | int)
    assert_type(query.type, aioflows.ScheduleType | None)
    aioflows.FlowQuery("2024-01-01", first)  # type: ignore[arg-type]
    aioflows.FlowQuery(first, 1.5)  # type: ignore[arg-type]
    aioflows.FlowQuery(first, first, type="nonsense")  # type: ignore[arg-type]
    aioflows.FlowQuery(first, first, type=1.5)  # type: ignore[arg-type]
    aioflows.FlowQuery(first, first, status="nonsense")  # type: ignore[arg-type]
    aioflows.FlowQuery(first, first, status=["nonsense"])  # type: ignore[list-item]
    aioflows.FlowQuery(first, first, status=1.5)  # type: ignore[arg-type]
    aioflows.FlowQuery(first, first, order_by=5)  # type: ignore[arg-type]
    aioflows.FlowQuery(first, first, order_by="nonsense")  # type: ignore[arg-type]
    aioflows.FlowQuery(first, first, order_by=["nonsense"])  # type: ignore[list-item]
    aioflows.FlowQuery(first, first, owner=5)  # type: ignore[arg-type]


class Recorded:
    """A transport of a user's own, written with public names only."""

    async def send(
        self, request: aioflows.Request, headers: Mapping[str, str], timeout: float
    ) -> aioflows.Answer:
        assert_type(request.url, str)
        assert_type(request.body, bytes | None)
        return aioflows.Answer(200, {}, b"{}")

    async def close(self) -> None: ...


def transports(observer: aioflows.Observer) -> None:
    transport: aioflows.Transport = Recorded()
    aioflows.FlowSession("http://127.0.0.1", user_id="u", org_id="o", http=transport, observer=observer)
    aioflows.sync.FlowSession("http://127.0.0.1", user_id="u", org_id="o", http=transport, observer=observer)


async def scans(session: aioflows.FlowSession) -> None:
    query = aioflows.FlowQuery(
        datetime(2024, 1, 1, tzinfo=UTC),
        1_735_689_600_000,
        type=aioflows.ScheduleType.PERIODIC,
        status={aioflows.FlowStatus.FAIL},
        order_by=["-start_time", "end_time"],
    )
    assert_type(session.flow_instances(query), AsyncGenerator[aioflows.FlowInstance, None])
    async with session.scan(query, limit=10, proven=False) as scan:
        assert_type(scan, aioflows.FlowScan)
        assert_type(scan.pages(), AsyncIterator[list[aioflows.FlowInstance]])
        assert_type(scan.checkpoint().to_json(), str)
        scan.record_batches(["instance_id"], tasks=False)
    exported = await export(
        session, query, "out.parquet", resume=True, watch=lambda scan: assert_type(scan.progress, float)
    )
    assert_type(exported, Exported)
    async with session.scan(query) as scan:
        assert_type(scan.stats.rows_yielded, int)
        assert_type(scan.stats.proofs, Mapping[aioflows.Proof, int])
        assert_type(scan.stats.counted, tuple[aioflows.CountedWindow, ...])
        assert_type(scan.plan(), aioflows.ScanPlan)
        assert_type(scan.progress, float)
        async for instance in scan:
            assert_type(instance, aioflows.FlowInstance)
            values(instance)
    assert_type(await session.scan(query).list(), list[aioflows.FlowInstance])
    assert_type(await session.scan(query).first(), aioflows.FlowInstance | None)
    assert_type(await session.page(query, 0, 10), aioflows.FlowPage)


async def follows(session: aioflows.FlowSession, query: aioflows.FlowQuery) -> None:
    async with session.follow(query, since=datetime(2025, 1, 1, tzinfo=UTC), changes=True) as follow:
        assert_type(follow, aioflows.FlowFollow)
        assert_type(follow.batches(), AsyncIterator[list[aioflows.FlowInstance]])
        assert_type(follow.stats, aioflows.FollowStats)
        async for instance in follow:
            assert_type(instance, aioflows.FlowInstance)
    text = follow.checkpoint().to_json()
    assert_type(text, str)
    session.follow(
        query,
        resume=aioflows.FollowCheckpoint.from_json(text),
        settle_time=120.0,
        min_wait=5.0,
        max_wait=300.0,
    )
    assert_type(aioflows.AioflowsError().followed, aioflows.FollowCheckpoint | None)


def without_await(query: aioflows.FlowQuery) -> None:
    with aioflows.sync.FlowSession("https://apigw.example.com", user_id="u", org_id="o") as session:
        assert_type(session, aioflows.sync.FlowSession)
        assert_type(session.flow_instances(query), Iterator[aioflows.FlowInstance])
        assert_type(session.page(query, 0, 10), aioflows.FlowPage)
        assert_type(session.get("1-2"), aioflows.FlowInstance)
        assert_type(session.server_time(), datetime)
        assert_type(session.server_timezone(), tzinfo)
        with session.scan(query, limit=10) as scan:
            assert_type(scan, aioflows.sync.FlowScan)
            assert_type(scan.pages(), Iterator[list[aioflows.FlowInstance]])
            assert_type(scan.list(), list[aioflows.FlowInstance])
            assert_type(scan.first(), aioflows.FlowInstance | None)
            assert_type(scan.checkpoint(), aioflows.Checkpoint)
            assert_type(scan.stats, aioflows.ScanStats)
            for instance in scan:
                assert_type(instance, aioflows.FlowInstance)


def values(instance: aioflows.FlowInstance) -> None:
    assert_type(instance.instance_id, str)
    assert_type(instance.trigger_time, datetime | None)
    assert_type(instance.duration, timedelta | None)
    assert_type(instance.status, aioflows.FlowStatus | int | None)
    extra: Mapping[str, object] = instance.extra
    del extra


async def errors() -> None:
    try:
        pass
    except aioflows.Throttled as error:
        assert_type(error.retry_after, float | None)
    except aioflows.AioflowsError as error:
        assert_type(error.checkpoint, aioflows.Checkpoint | None)


async def audits(session: aioflows.FlowSession, query: aioflows.FlowQuery) -> None:
    report = await audit(session, query, late=timedelta(minutes=5))
    assert_type(report, AuditReport)
    for run in report.missing:
        assert_type(run, MissingRun)
        assert_type(run.trigger_time, datetime)
    assert_type(len(report.missing), int)
    assert_type([late.delay for late in report.late], list[timedelta])
    assert_type(await audit(session.scan(query)), AuditReport)


async def events() -> None:
    def observer(event: aioflows.Event) -> None:
        match event:
            case aioflows.RequestEnded():
                assert_type(event.scan, int | None)
                assert_type(event.duration, float)
                assert_type(event.error, aioflows.AioflowsError | None)
            case aioflows.WindowDone(proof=proof, type=kind, rows=rows):
                assert_type(proof, aioflows.Proof)
                assert_type(kind, aioflows.ScheduleType)
                assert_type(rows, int)
            case aioflows.ScanEnded(outcome=outcome):
                assert_type(outcome, aioflows.ScanOutcome)
            case aioflows.RequestThrottled(error=error) | aioflows.Paused(error=error):
                assert_type(error, aioflows.Throttled)

    heard: list[aioflows.Event] = []
    for told in (observer, heard.append, Telemetry(), None):
        session = aioflows.FlowSession("http://127.0.0.1", user_id="u", org_id="o", observer=told)
        assert_type(session.scan(aioflows.FlowQuery(0, 1)).number, int)


async def emulators() -> None:
    async with Emulator(instances=10_000, seed=1) as emulator:
        assert_type(emulator.url, str)
