"""What OpenTelemetry gets, by the in-memory exporters of its SDK."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    DataPointT,
    HistogramDataPoint,
    InMemoryMetricReader,
    NumberDataPoint,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from aioflows import (
    AppKey,
    Event,
    FlowQuery,
    FlowScan,
    FlowSession,
    Limits,
    RetryPolicy,
    ScheduleType,
    ServerFault,
)
from aioflows.emulator import Emulator, Fault
from aioflows.telemetry import Telemetry
from tests.support.fakes import EmulatorTransport, FakeTransport, envelope

KEY = AppKey("access-CANARY", "secret-CANARY")
HITCHES = tuple(
    Fault(at=number, kind=kind, seconds=1.0)
    for number, kind in ((6, "throttle"), (14, "http-503"), (22, "throttle"))
)
Points = dict[str, Sequence[DataPointT]]


class World:
    """An emulator, a session that is watched, and what was exported."""

    def __init__(self, emulator: Emulator, retry: RetryPolicy, auth: AppKey | None) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("application")
        self.reader = InMemoryMetricReader()
        meters = MeterProvider([self.reader])
        self.telemetry = Telemetry(tracer_provider=self.provider, meter_provider=meters)
        self.emulator = emulator
        self.transport = EmulatorTransport(emulator, latency=0.01)
        self.session = FlowSession(
            "https://enos.test",
            user_id="user-CANARY",
            org_id="org-CANARY",
            auth=auth,
            http=self.transport,
            limits=Limits(page_size=50, concurrency=4),
            retry=retry,
            observer=self.telemetry,
        )

    def query(self) -> FlowQuery:
        return FlowQuery(self.emulator.start, self.emulator.end, type=ScheduleType.PERIODIC)

    async def scanned(self) -> FlowScan:
        async with self.session.scan(self.query()) as scan:
            async for _ in scan:
                pass
        return scan

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def scan_span(self) -> ReadableSpan:
        (span,) = self.spans("scan flow instances")
        return span

    def points(self) -> Points:
        metrics = self.reader.get_metrics_data()
        assert metrics is not None
        (resource,) = metrics.resource_metrics
        (scope,) = resource.scope_metrics
        return {metric.name: metric.data.data_points for metric in scope.metrics}

    def total(self, name: str) -> float:
        return sum(point.value for point in self.points().get(name, ()) if isinstance(point, NumberDataPoint))


@asynccontextmanager
async def world(
    instances: int = 1_000,
    retry: RetryPolicy = RetryPolicy(max_tries=30),  # noqa: B008  (frozen)
    auth: AppKey | None = None,
    **switches: Any,
) -> AsyncIterator[World]:
    switches = {
        "schedule_types": (1,),
        "fault_kinds": ("http-503", "code-62109"),
        "user_id": "user-CANARY",
        "org_id": "org-CANARY",
    } | switches
    with Emulator(instances, seed=5, **switches) as emulator:
        here = World(emulator, retry, auth)
        async with here.session:
            yield here


def told(span: ReadableSpan) -> Mapping[str, Any]:
    assert span.attributes is not None
    return span.attributes


# Spans


async def test_a_scan_is_a_span_that_tells_what_was_read() -> None:
    async with world() as here:
        scan = await here.scanned()
        span = here.scan_span()
    assert told(span) == {
        "aioflows.scan.from_ms": here.emulator.start_ms,
        "aioflows.scan.to_ms": here.emulator.end_ms,
        "aioflows.scan.order_by": "trigger_time",
        "aioflows.scan.resumed": False,
        "aioflows.scan.outcome": "complete",
        "aioflows.scan.rows": 1_000,
        "aioflows.scan.requests": scan.stats.requests,
    }
    assert span.status.status_code is StatusCode.UNSET


async def test_every_attempt_of_a_scan_is_a_span_below_it() -> None:
    async with world(fault_share=0.2) as here:
        scan = await here.scanned()
        attempts, above = here.spans("POST search"), here.scan_span()
    assert len(attempts) == scan.stats.requests
    assert {span.kind for span in attempts} == {SpanKind.CLIENT}
    assert all(span.parent == above.context for span in attempts)
    resent = sorted(told(span).get("http.request.resend_count", 0) for span in attempts)
    assert sum(count > 0 for count in resent) == scan.stats.retries > 0


async def test_an_attempt_has_the_names_of_the_semantic_conventions() -> None:
    async with world() as here:
        await here.session.page(here.query(), 0, 10)
        span, _ = here.spans("POST search")  # the other one shows the zone
    assert told(span) == {
        "http.request.method": "POST",
        "server.address": "enos.test",
        "server.port": 443,
        "url.full": "https://enos.test/batch-processing-service/v2.1/flowInstances",
        "http.response.status_code": 200,
        "aioflows.operation": "search",
        "aioflows.rows": 10,
    }


async def test_a_span_of_an_attempt_is_as_long_as_the_attempt() -> None:
    async with world(latency=2.0) as here:
        await here.session.server_time()
        (span,) = here.spans("GET getCurrentTime")
    assert span.start_time is not None
    assert span.end_time is not None
    assert (span.end_time - span.start_time) / 1e9 == pytest.approx(2.01)


async def test_the_span_of_the_caller_is_above_all() -> None:
    async with world(auth=KEY, app_key=KEY.access_key, app_secret=KEY.secret_key) as here:
        with here.tracer.start_as_current_span("request of a user") as outer:
            await here.scanned()
            await here.session.server_time()
        spans = here.exporter.get_finished_spans()
    assert {span.context.trace_id for span in spans if span.context} == {outer.get_span_context().trace_id}
    (alone,) = here.spans("GET getCurrentTime")
    for span in (here.scan_span(), alone):
        assert span.parent is not None
        assert span.parent.span_id == outer.get_span_context().span_id


async def test_scans_side_by_side_have_spans_of_their_own() -> None:
    async with world() as here:
        with here.tracer.start_as_current_span("one"):
            one = asyncio.create_task(here.scanned())
        with here.tracer.start_as_current_span("other"):
            other = asyncio.create_task(here.scanned())
        requests = [scan.stats.requests for scan in await asyncio.gather(one, other)]
        scans = here.spans("scan flow instances")
        below = [
            sum(span.parent == scan.context for span in here.spans("POST search"))
            for scan in sorted(scans, key=lambda span: span.start_time or 0)
        ]
    assert len({scan.parent.span_id for scan in scans if scan.parent}) == 2
    assert below == requests


async def test_an_error_is_told_by_its_kind_and_code() -> None:
    faults = tuple(Fault(at=number, kind="code-62109") for number in range(5, 400))
    async with world(faults=faults, retry=RetryPolicy(max_tries=2)) as here:
        with pytest.raises(ServerFault):
            await here.scanned()
        failed = [span for span in here.spans("POST search") if span.status.status_code is StatusCode.ERROR]
        above = here.scan_span()
    assert above.status.status_code is StatusCode.ERROR
    for span in (above, *failed):
        assert told(span)["error.type"] == "aioflows.errors.ServerFault"
        assert told(span)["aioflows.code"] == 62109
        assert span.status.description is None
        assert not span.events


async def test_an_http_error_is_told_by_its_status() -> None:
    async with world(faults=(Fault(at=1, kind="http-503"),)) as here:
        await here.session.page(here.query(), 0, 10)
        first, second, _ = here.spans("POST search")  # the last one shows the zone
    assert (told(first)["error.type"], told(first)["http.response.status_code"]) == ("503", 503)
    assert second.status.status_code is StatusCode.UNSET


async def test_an_attempt_that_nobody_waits_for_ends_its_span_and_is_no_error() -> None:
    async with world(latency=10.0) as here:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await here.scanned()
        given_up, scan = here.spans("POST search"), here.scan_span()
    assert given_up
    assert all(told(span)["aioflows.cancelled"] for span in given_up)
    assert {span.status.status_code for span in (*given_up, scan)} == {StatusCode.UNSET}
    assert told(scan)["aioflows.scan.outcome"] == "closed"


async def test_drift_is_an_event_of_the_scan() -> None:
    with Emulator(3_000, seed=5, schedule_types=(1,), changes_per_search=2.0) as emulator:
        here = World(emulator, RetryPolicy(), None)
        session = FlowSession(
            "https://enos.test",
            user_id="u",
            org_id="o",
            http=here.transport,
            limits=Limits(page_size=50, buffer=300),
            observer=here.telemetry,
        )
        async with session:
            query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC, order_by="start_time")
            async for _ in session.flow_instances(query):
                pass
    assert {event.name for event in here.scan_span().events} == {"aioflows.drift"}


# Metrics


async def test_metrics_add_up_to_the_account() -> None:
    async with world(faults=HITCHES) as here:
        stats = (await here.scanned()).stats
        points = here.points()
    durations = [
        point for point in points["http.client.request.duration"] if isinstance(point, HistogramDataPoint)
    ]
    searches = [point for point in durations if (point.attributes or {})["aioflows.operation"] == "search"]
    assert sum(point.count for point in searches) == stats.requests
    assert here.total("aioflows.retries") == stats.retries > 0
    assert here.total("aioflows.throttled") == stats.throttled > 0
    assert here.total("aioflows.rows") == stats.rows_received


async def test_durations_are_seconds_in_the_buckets_of_the_conventions() -> None:
    async with world(latency=0.3) as here:
        await here.session.server_time()
        (point,) = here.points()["http.client.request.duration"]
    assert isinstance(point, HistogramDataPoint)
    assert point.sum == pytest.approx(0.31)
    assert point.explicit_bounds[0] == 0.005
    assert point.explicit_bounds[-1] == 10
    assert point.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "enos.test",
        "server.port": 443,
        "aioflows.operation": "getCurrentTime",
    }


# What stays out


async def test_nothing_exported_holds_a_secret_or_a_name() -> None:
    async with world(
        auth=KEY, app_key=KEY.access_key, app_secret=KEY.secret_key, fault_share=0.2, token_uses=40
    ) as here:
        await here.scanned()
        exported = "\n".join(span.to_json() for span in here.exporter.get_finished_spans())
        exported += repr(here.points())
        secrets = {value for sent in here.transport.sent for value in sent.headers.values()}
    assert "CANARY" not in exported
    assert not [secret for secret in secrets if len(secret) > 13 and secret in exported]


async def test_what_the_service_says_is_not_exported() -> None:
    with Emulator(0) as emulator:
        here = World(emulator, RetryPolicy(max_tries=1), None)
        http = FakeTransport(lambda _: envelope(code=62109, msg="SAID"))
        async with FlowSession(
            "https://enos.test", user_id="u", org_id="o", http=http, observer=here.telemetry
        ) as session:
            with pytest.raises(ServerFault, match="SAID"):
                await session.server_time()
    spans = here.exporter.get_finished_spans()
    assert len(spans) == RetryPolicy().max_tries  # the session's own policy
    assert "SAID" not in "".join(span.to_json() for span in spans)


async def test_nothing_is_kept_of_what_is_over() -> None:
    async with world(fault_share=0.2) as here:
        for stop in (0.015, 0.05, 60.0):
            try:
                async with asyncio.timeout(stop):
                    await here.scanned()
            except TimeoutError:
                pass
        telemetry = here.telemetry
    assert (telemetry._scans, telemetry._attempts) == ({}, {})


async def test_an_event_of_a_later_version_passes() -> None:
    Telemetry()(Event())


def test_the_package_imports_without_opentelemetry_and_its_absence_is_explained() -> None:
    code = """
import sys
sys.modules["opentelemetry"] = None
import aioflows
try:
    import aioflows.telemetry
except ImportError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "aioflows.telemetry needs OpenTelemetry: pip install 'enos-aioflows[otel]'\n"


def test_the_package_does_not_import_opentelemetry_by_itself() -> None:
    code = "import aioflows, aioflows.emulator, sys; print('opentelemetry' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "False\n"
