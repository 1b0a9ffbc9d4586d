"""Spans and metrics through OpenTelemetry, made from the events of a session.

    FlowSession(..., observer=Telemetry())

needs ``pip install 'enos-aioflows[otel]'`` and an OpenTelemetry SDK in the application. Without an SDK nothing is
recorded.

1. A scan is a span below the span that is current when the scan is first iterated. Each attempt is a span of
   kind CLIENT below its scan, or without a scan, below the current span. Every span ends, also after an error
   or a cancellation.
2. Names follow the semantic conventions for HTTP clients. Names that the conventions lack begin with
   ``aioflows.``. Source: https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and .../http-metrics/.
3. Spans and metrics hold no text of the service, neither bodies nor messages. The query of a URL has the
   names of user and organization, and is left out. Errors are recorded by their class, their code and the
   HTTP status.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from aioflows import (
    AioflowsError,
    DriftFound,
    Event,
    RequestEnded,
    RequestSent,
    RequestThrottled,
    Retried,
    ScanBegan,
    ScanEnded,
    ServiceError,
    __version__,
)

try:
    from opentelemetry import metrics, trace
except ImportError as error:
    raise ImportError("aioflows.telemetry needs OpenTelemetry: pip install 'enos-aioflows[otel]'") from error

__all__ = ["Telemetry"]

Attributes: TypeAlias = dict[str, str | int | float | bool]

_SCHEMA: Final = "https://opentelemetry.io/schemas/1.27.0"
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Bucket boundaries (seconds) that the conventions advise for the duration of requests."""

_PORTS: Final = {"http": 80, "https": 443}


class Telemetry:
    """An observer that records spans and metrics. One observer may serve all sessions of a process.

    Args:
        tracer_provider: the provider of spans. Default: None, which means the global provider.
        meter_provider: the provider of metrics. Default: None, which means the global provider.
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer("aioflows", __version__, tracer_provider, _SCHEMA)
        meter = metrics.get_meter("aioflows", __version__, meter_provider, _SCHEMA)
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of attempts at requests.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._rows = meter.create_counter("aioflows.rows", unit="{row}", description="Rows in answers.")
        self._retries = meter.create_counter(
            "aioflows.retries", unit="{retry}", description="Attempts that failed and were made again."
        )
        self._throttled = meter.create_counter(
            "aioflows.throttled", unit="{request}", description='Answers that said "too many requests".'
        )
        self._scans: dict[int, trace.Span] = {}
        self._attempts: dict[tuple[int, int], tuple[trace.Span, int, Attributes]] = {}
        self._records: dict[type[Event], Callable[[Any], None]] = {
            ScanBegan: self._scan_began,
            ScanEnded: self._scan_ended,
            DriftFound: self._drift_found,
            RequestSent: self._request_sent,
            RequestEnded: self._request_ended,
            Retried: self._retried,
            RequestThrottled: self._was_throttled,
        }

    def __call__(self, event: Event) -> None:
        """Record an event."""
        record = self._records.get(type(event))
        if record is not None:
            record(event)

    # Scans

    def _scan_began(self, event: ScanBegan) -> None:
        order = event.order_by
        attributes: Attributes = {
            "aioflows.scan.from_ms": event.from_ms,
            "aioflows.scan.to_ms": event.to_ms,
            "aioflows.scan.order_by": order if isinstance(order, str) else ",".join(order or ()),
            "aioflows.scan.resumed": event.resumed,
        }
        self._scans[event.scan] = self._tracer.start_span("scan flow instances", attributes=attributes)

    def _scan_ended(self, event: ScanEnded) -> None:
        span = self._scans.pop(event.scan, None)
        if span is None:
            return
        span.set_attribute("aioflows.scan.outcome", event.outcome.value)
        span.set_attribute("aioflows.scan.rows", event.rows)
        span.set_attribute("aioflows.scan.requests", event.requests)
        if event.error is not None:
            _set_error(span, _error_attributes(event.error))
        span.end()

    def _drift_found(self, event: DriftFound) -> None:
        span = self._scans.get(event.scan)
        if span is not None:
            window = {"aioflows.window.from_ms": event.from_ms, "aioflows.window.to_ms": event.to_ms}
            span.add_event("aioflows.drift", window)

    # Requests

    def _request_sent(self, event: RequestSent) -> None:
        address, port = _server(event.url)
        common: Attributes = {
            "http.request.method": event.method,
            "server.address": address,
            "server.port": port,
            "aioflows.operation": event.operation,
        }
        own: Attributes = {"url.full": event.url}
        if event.attempt > 1:
            own["http.request.resend_count"] = event.attempt - 1
        scan = None if event.scan is None else self._scans.get(event.scan)
        start = time.time_ns()
        span = self._tracer.start_span(
            f"{event.method} {event.operation}",
            None if scan is None else trace.set_span_in_context(scan),
            trace.SpanKind.CLIENT,
            common | own,
            start_time=start,
        )
        self._attempts[event.request, event.attempt] = span, start, common

    def _request_ended(self, event: RequestEnded) -> None:
        known = self._attempts.pop((event.request, event.attempt), None)
        if known is None:
            return
        span, start, common = known
        outcome: Attributes = {}
        if event.status is not None:
            outcome["http.response.status_code"] = event.status
        if event.error is not None:
            outcome |= _error_attributes(event.error, event.status)
            _set_error(span, outcome)
        if event.rows is not None:
            span.set_attribute("aioflows.rows", event.rows)
            self._rows.add(event.rows, {"server.address": common["server.address"]})
        span.set_attributes(outcome)
        if event.cancelled:
            span.set_attribute("aioflows.cancelled", True)  # a cancelled attempt has no error and no duration
        else:
            outcome.pop("aioflows.code", None)
            self._duration.record(event.duration, common | outcome)
        # The event comes after the answer was decoded, which does not belong to the attempt's duration.
        span.end(start + round(event.duration * 1e9))

    def _retried(self, event: Retried) -> None:
        error = _error_attributes(event.error)["error.type"]
        self._retries.add(1, {"aioflows.operation": event.operation, "error.type": error})

    def _was_throttled(self, event: RequestThrottled) -> None:
        self._throttled.add(1, {"aioflows.operation": event.operation})


def _error_attributes(error: AioflowsError, status: int | None = None) -> Attributes:
    """Return the attributes of an error: its class and its code, without its text."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    described: Attributes = {"error.type": str(status) if status is not None and status >= 400 else kind}
    if isinstance(error, ServiceError):
        described["aioflows.code"] = error.code
    return described


def _set_error(span: trace.Span, described: Attributes) -> None:
    span.set_attributes(described)
    span.set_status(trace.StatusCode.ERROR)


@lru_cache(maxsize=64)
def _server(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
