"""What an observer is told of scans, against the emulator, in virtual time and without sockets."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, TypeVar

import attrs
import pytest

import aioflows
from aioflows import (
    AppKey,
    CompletenessError,
    DriftFound,
    Event,
    FlowQuery,
    FlowSession,
    Limits,
    Paused,
    Proof,
    QueryError,
    RequestEnded,
    RequestEvent,
    RequestSent,
    RequestThrottled,
    Retried,
    RetryPolicy,
    ScanBegan,
    ScanEnded,
    ScanEvent,
    ScanOutcome,
    ScheduleType,
    ServerFault,
    Throttled,
    TokenRenewed,
    WindowDone,
)
from aioflows._net.observers import Observers, format_event
from aioflows.emulator import Emulator, Fault
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport, FakeTransport, envelope

E = TypeVar("E", bound=Event)

ORDERS = ["trigger_time", "-trigger_time", None, "start_time", "-end_time", ("trigger_time", "-start_time")]
KEY = AppKey("access-CANARY", "secret-CANARY")
HITCHES = tuple(
    Fault(at=number, kind=kind, seconds=1.0)
    for number, kind in ((6, "throttle"), (14, "http-503"), (22, "code-62109"), (30, "throttle"))
)


class World:
    """An emulator, a session that talks to it, and what its observer was told."""

    def __init__(self, emulator: Emulator, session: FlowSession, told: list[Event]) -> None:
        self.emulator = emulator
        self.session = session
        self.told = told

    def query(self, order_by: SortKey | Sequence[SortKey] | None = "trigger_time", **rest: Any) -> FlowQuery:
        rest = {"type": ScheduleType.PERIODIC} | rest
        return FlowQuery(self.emulator.start, self.emulator.end, order_by=order_by, **rest)

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.told if isinstance(event, kind)]

    def one(self, kind: type[E]) -> E:
        (event,) = self.all(kind)
        return event


@asynccontextmanager
async def world(
    instances: int = 1_500,
    *,
    auth: AppKey | None = None,
    buffer: int = 20_000,
    retry: RetryPolicy | None = None,
    **switches: Any,
) -> AsyncIterator[World]:
    told: list[Event] = []
    switches = {
        "schedule_types": (1,),
        "fault_kinds": ("http-503", "code-62109"),
        "user_id": "user-CANARY",
        "org_id": "org-CANARY",
    } | switches
    with Emulator(instances=instances, seed=5, **switches) as emulator:
        session = FlowSession(
            "https://enos.test",
            user_id="user-CANARY",
            org_id="org-CANARY",
            auth=auth,
            http=EmulatorTransport(emulator, latency=0.01),
            limits=Limits(page_size=50, concurrency=4, buffer=buffer),
            retry=retry or RetryPolicy(max_tries=30),
            observer=told.append,
        )
        async with session:
            yield World(emulator, session, told)


# Windows


@pytest.mark.parametrize("buffer", [20_000, 300])
@pytest.mark.parametrize("order", ORDERS, ids=str)
async def test_the_windows_that_are_told_tile_the_range_and_hold_every_row(
    order: SortKey | Sequence[SortKey] | None, buffer: int
) -> None:
    async with world(buffer=buffer) as here:
        async with here.session.scan(here.query(order)) as scan:
            rows = [row async for row in scan]
        windows = sorted(here.all(WindowDone), key=lambda window: window.from_ms)
    assert windows[0].from_ms == here.emulator.start_ms
    assert windows[-1].to_ms == here.emulator.end_ms
    assert all(one.to_ms == other.from_ms for one, other in pairwise(windows))
    assert sum(window.rows for window in windows) == len(rows) == 1_500
    assert Counter(window.proof for window in windows) == scan.stats.proofs
    assert {window.scan for window in windows} == {scan.number}


async def test_each_window_tells_the_schedule_type_that_it_was_read_of() -> None:
    async with world(schedule_types=(0, 1, 2)) as here:
        async with here.session.scan(here.query(type=None)) as scan:
            rows = Counter([row.freq is None for row in [row async for row in scan]])
        windows = here.all(WindowDone)
    assert {window.type for window in windows} == set(ScheduleType)
    assert sum(window.rows for window in windows) == rows.total() == 1_500


async def test_the_windows_of_a_scan_that_is_resumed_are_those_that_were_left() -> None:
    async with world() as here:
        async with here.session.scan(here.query()) as scan:
            handed = [await anext(scan) for _ in range(700)]
        here.told.clear()
        async with here.session.scan(here.query(), resume=scan.checkpoint()) as rest:
            async for _ in rest:
                pass
        first = min(window.from_ms for window in here.all(WindowDone))
    assert here.one(ScanBegan).resumed
    assert handed[-1].trigger_time is not None
    assert first == int(handed[-1].trigger_time.timestamp()) * 1000


async def test_a_window_is_told_before_its_rows_are_handed_out() -> None:
    async with world() as here, here.session.scan(here.query()) as scan:
        async for page in scan.pages():
            known = sum(window.rows for window in here.all(WindowDone))
            assert known >= scan.stats.rows_yielded >= len(page)


# Drift


async def test_drift_in_a_merged_order_is_told_and_the_window_is_read_again() -> None:
    async with world(2_000, buffer=300, changes_per_search=1.0) as here:
        async with here.session.scan(here.query("start_time")) as scan:
            async for _ in scan:
                pass
        drifts, windows = here.all(DriftFound), here.all(WindowDone)
    assert drifts
    assert all(drift.scan == scan.number and drift.reason for drift in drifts)
    again = [window for window in windows if window.proof is not Proof.SORTED]
    for drift in drifts:
        within = [one for one in again if drift.from_ms <= one.from_ms and one.to_ms <= drift.to_ms]
        assert sum(one.to_ms - one.from_ms for one in within) >= drift.to_ms - drift.from_ms
    assert Counter(window.proof for window in windows) == scan.stats.proofs


async def test_drift_that_does_not_settle_is_told_before_the_error() -> None:
    async with world(8_000, ties="unstable", profile="one-second") as here:
        with pytest.raises(CompletenessError):
            async for _ in here.session.flow_instances(here.query("update_time")):
                pass
        kinds = [type(event).__name__ for event in here.told]
    assert kinds.index("DriftFound") < kinds.index("ScanEnded")
    assert here.one(ScanEnded).outcome is ScanOutcome.FAILED


async def test_a_result_that_stands_still_has_no_drift() -> None:
    async with world(buffer=300) as here:
        async for _ in here.session.flow_instances(here.query("start_time")):
            pass
        async for _ in here.session.flow_instances(here.query("update_time")):
            pass
        assert not here.all(DriftFound)
        last = here.all(WindowDone)[-1]
        assert (last.proof, last.rows) == (Proof.SORTED, 1_500)


# Requests


async def test_the_account_can_be_kept_by_events_alone() -> None:
    async with world(faults=HITCHES) as here:
        async with here.session.scan(here.query()) as scan:
            async for _ in scan:
                pass
        of_scan = [event for event in here.all(RequestEvent) if event.scan == scan.number]
        kinds = Counter(type(event) for event in of_scan)
        rows = sum(event.rows or 0 for event in of_scan if isinstance(event, RequestEnded))
        waited = sum(event.wait for event in of_scan if isinstance(event, Retried))
        stats, ended = scan.stats, here.one(ScanEnded)
    assert (kinds[RequestSent], kinds[Retried], kinds[RequestThrottled]) == (
        stats.requests,
        stats.retries,
        stats.throttled,
    )
    assert min(stats.retries, stats.throttled) > 0
    assert rows == stats.rows_received
    assert waited == pytest.approx(stats.waited)
    assert (ended.rows, ended.requests, ended.elapsed) == (1_500, stats.requests, stats.elapsed)


async def test_every_attempt_that_is_told_to_be_sent_is_told_to_have_ended() -> None:
    async with world(auth=KEY, app_key=KEY.access_key, app_secret=KEY.secret_key, fault_share=0.3) as here:
        for stop in (0.015, 0.05, 0.2, 1.0, 60.0):
            try:
                async with asyncio.timeout(stop), here.session.scan(here.query()) as scan:
                    async for _ in scan:
                        await asyncio.sleep(0.001)
            except TimeoutError:
                pass
        sent, ended = (
            [(event.request, event.attempt) for event in here.all(kind)]
            for kind in (RequestSent, RequestEnded)
        )
        assert len(set(sent)) == len(sent) > 40
        assert sorted(sent) == sorted(ended)
        assert any(event.cancelled for event in here.all(RequestEnded))


async def test_operations_have_the_names_of_the_service() -> None:
    async with world(auth=KEY, app_key=KEY.access_key, app_secret=KEY.secret_key) as here:
        row = await anext(here.session.flow_instances(here.query()))
        await here.session.get(row.instance_id)
        await here.session.server_time()
        sent = here.all(RequestSent)
    assert {event.operation for event in sent} == {
        "search",
        "get",
        "getTimeZone",
        "getCurrentTime",
        "token/get",
    }
    assert {event.operation for event in sent if event.scan is not None} == {"search"}


async def test_events_of_two_scans_of_one_session_are_told_apart() -> None:
    async with world() as here:

        async def read(limit: int) -> tuple[int, int]:
            async with here.session.scan(here.query(), limit=limit) as scan:
                rows = [row async for row in scan]
            return scan.number, len(rows)

        read_by = dict(await asyncio.gather(read(100), read(900)))
        told = {event.scan: event.rows for event in here.all(ScanEnded)}
        numbers = {event.scan for event in here.all(ScanEvent)}
    assert told == read_by
    assert numbers == set(read_by)
    assert {event.scan for event in here.all(RequestEvent)} == {*numbers, None}


# Scans


async def test_a_scan_that_is_not_iterated_tells_nothing() -> None:
    async with world() as here:
        async with here.session.scan(here.query()):
            pass
        assert here.told == []


@pytest.mark.parametrize(
    ("limit", "taken", "outcome"),
    [(None, None, ScanOutcome.COMPLETE), (60, None, ScanOutcome.LIMIT), (None, 60, ScanOutcome.CLOSED)],
)
async def test_a_scan_tells_once_how_it_ended(
    limit: int | None, taken: int | None, outcome: ScanOutcome
) -> None:
    async with world() as here:
        async with here.session.scan(here.query(), limit=limit) as scan:
            async for _ in scan:
                if scan.stats.rows_yielded == taken:
                    break
        await scan.aclose()
        ended = here.one(ScanEnded)
        assert (ended.scan, ended.outcome, ended.rows) == (scan.number, outcome, taken or limit or 1_500)
        assert isinstance(here.told[-1], ScanEnded)


async def test_a_scan_that_fails_tells_its_error() -> None:
    faults = tuple(Fault(at=number, kind="code-62109") for number in range(10, 400))
    async with world(faults=faults, retry=RetryPolicy(max_tries=2)) as here:
        with pytest.raises(ServerFault) as caught:
            async for _ in here.session.flow_instances(here.query()):
                pass
        ended = here.one(ScanEnded)
        assert (ended.outcome, ended.error) == (ScanOutcome.FAILED, caught.value)


async def test_a_scan_that_is_dropped_tells_that_it_was_closed() -> None:
    async with world() as here:
        scan = here.session.scan(here.query())
        await anext(scan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del scan
            gc.collect()
        await asyncio.sleep(1)
        assert here.one(ScanEnded).outcome is ScanOutcome.CLOSED


# The observer


@pytest.mark.parametrize("observer", [3, "log", pytest.param(object(), id="object")], ids=str)
async def test_what_cannot_be_called_is_no_observer(observer: Any) -> None:
    with pytest.raises(QueryError, match="observer must be a plain function"):
        FlowSession("https://enos.test", user_id="u", org_id="o", observer=observer)


async def test_a_coroutine_function_is_no_observer() -> None:
    async def observe(event: Event) -> None: ...

    with pytest.raises(QueryError, match="observer must be a plain function"):
        FlowSession("https://enos.test", user_id="u", org_id="o", observer=observe)


async def test_an_observer_that_always_fails_changes_no_row() -> None:
    def broken(event: Event) -> None:
        raise KeyError(type(event).__name__)

    async with world(fault_share=0.1) as here:
        query = here.query()
        rows = [row async for row in here.session.flow_instances(query)]
        http = EmulatorTransport(here.emulator)
        async with FlowSession(
            "https://enos.test", user_id="user-CANARY", org_id="org-CANARY", http=http, observer=broken
        ) as session:
            assert [row async for row in session.flow_instances(query)] == rows


def test_nobody_wants_an_event_where_nobody_looks() -> None:
    watch = Observers()
    assert not any(watch.wanted(kind) for kind in (RequestSent, RequestEnded, WindowDone, ScanBegan))
    assert Observers(print).wanted(RequestSent)


def test_events_are_frozen_and_named() -> None:
    event = TokenRenewed(generation=1, life=7200.0)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.life = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        TokenRenewed(1, 7200.0)  # type: ignore[call-arg]


def test_every_kind_of_event_is_exported() -> None:
    kinds = set(aioflows.events.__all__)
    assert kinds <= set(aioflows.__all__)


# The log


async def test_every_event_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "aioflows")
    async with world(faults=HITCHES) as here:
        async for _ in here.session.flow_instances(here.query()):
            pass
        told = here.told
    records = [record for record in caplog.records if record.name == "aioflows"]
    assert [record.getMessage() for record in records] == [format_event(event) for event in told]
    assert not any("\n" in record.getMessage() for record in records)


async def test_the_level_tells_what_is_ordinary(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "aioflows")
    async with world(
        2_000, faults=HITCHES, auth=KEY, app_key=KEY.access_key, app_secret=KEY.secret_key
    ) as here:
        async for _ in here.session.flow_instances(here.query()):
            pass
        assert here.all(Paused)
    levels = {record.getMessage().split()[0]: record.levelname for record in caplog.records}
    assert levels == {
        "ScanBegan": "INFO",
        "RequestSent": "DEBUG",
        "RequestEnded": "DEBUG",
        "TokenRenewed": "INFO",
        "RequestThrottled": "INFO",
        "Paused": "WARNING",
        "Retried": "INFO",
        "WindowDone": "DEBUG",
        "ScanEnded": "INFO",
    }


def test_what_comes_from_outside_forges_no_line_and_is_cut() -> None:
    forged = "busy\r\n2026-01-01 ERROR forged\x1b[2J\u2028" + "x" * 10_000
    event = Paused(seconds=1.5, error=Throttled(429, forged, 1.5))
    text = format_event(event)
    assert text.startswith(
        r'Paused seconds=1.500 error="Throttled: busy\r\n2026-01-01 ERROR forged\x1b[2J\u2028xxx'
    )
    assert text.isprintable()
    assert len(text) < 400


def test_a_line_names_every_fact_that_there_is() -> None:
    facts: dict[str, Any] = {"scan": None, "request": 4, "operation": "search", "attempt": 2}
    assert format_event(RequestEnded(**facts, duration=0.25, status=200, size=10, rows=0)) == (
        "RequestEnded request=4 operation=search attempt=2 duration=0.250 status=200 size=10 rows=0 cancelled=False"
    )
    window = WindowDone(
        scan=1, type=ScheduleType.PERIODIC, from_ms=0, to_ms=9, rows=3, proof=Proof.FIRST_PAGE
    )
    assert format_event(window) == "WindowDone scan=1 type=periodic from_ms=0 to_ms=9 rows=3 proof=first_page"


def test_the_log_is_silent_by_default() -> None:
    code = """
import asyncio
from aioflows import FlowSession, FlowQuery
from aioflows.emulator import Emulator

def broken(event):
    raise RuntimeError

async def main():
    async with Emulator(instances=500, seed=1, fault_share=0.3, fault_kinds=["http-503"]) as emulator:
        async with FlowSession(emulator.url, user_id="u", org_id="o", observer=broken) as session:
            async for _ in session.flow_instances(FlowQuery(emulator.start, emulator.end)):
                pass

asyncio.run(main())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (run.stdout, run.stderr) == ("", "")


# Secrets


async def test_no_event_and_no_line_of_the_log_holds_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with world(
        auth=KEY,
        app_key=KEY.access_key,
        app_secret=KEY.secret_key,
        token_uses=40,
        fault_share=0.3,
        faults=HITCHES,
    ) as here:
        async for _ in here.session.flow_instances(here.query()):
            pass
        transport = here.session._transport
        assert isinstance(transport, EmulatorTransport)
        secrets = {value for sent in transport.sent for value in sent.headers.values()}
        told = "\n".join((*map(repr, here.told), *map(str, here.told), caplog.text))
    assert len(secrets) > 20
    assert "CANARY" not in told
    assert not [secret for secret in secrets if len(secret) > 13 and secret in told]


async def test_what_a_service_says_is_all_that_an_error_in_an_event_tells() -> None:
    told: list[Event] = []
    transport = FakeTransport(lambda _: envelope(code=62101, msg="no such user"))
    session = FlowSession(
        "https://enos.test", user_id="CANARY", org_id="CANARY", http=transport, observer=told.append
    )
    async with session:
        with pytest.raises(aioflows.Denied):
            await session.server_time()
    assert "CANARY" not in repr(told)
