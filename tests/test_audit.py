"""`audit()`: what it finds in an emulated deployment is what was planted, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import aioflows.sync
from aioflows import FlowQuery, FlowScan, FlowSession, FlowStatus, Limits, QueryError, ScheduleType
from aioflows.audit import AuditReport, Reason, audit
from aioflows.emulator import Emulator
from aioflows.sync.audit import audit as audit_now
from tests.support.fakes import EmulatorTransport
from tests.support.virtual import run_virtual

Found = set[tuple[int, int]]


def session_to(emulator: Emulator, **settings: Any) -> FlowSession:
    transport = EmulatorTransport(emulator, latency=0.01)
    return FlowSession(
        "https://enos.test", user_id="u", org_id="o", http=transport, limits=Limits(page_size=100), **settings
    )


def audited(emulator: Emulator, query: FlowQuery | None = None, **options: Any) -> AuditReport:
    """Audit all that there is."""
    zone = options.pop("server_timezone", None)

    async def main() -> AuditReport:
        async with session_to(emulator, server_timezone=zone) as session:
            return await audit(session, query or FlowQuery(emulator.start, emulator.end), **options)

    return run_virtual(main())


def planted(emulator: Emulator, kind: str) -> Found:
    return {(one.flow_id, one.trigger_ms) for one in emulator.planted if one.kind == kind}


def places(findings: Any) -> Found:
    return {(one.flow_id, round(one.trigger_time.timestamp()) * 1000) for one in findings}


@pytest.mark.parametrize("zone", ["+08:00", "Europe/Berlin", "Australia/Lord_Howe"])
@pytest.mark.parametrize("ids", ["plain", "mixed"])
def test_every_planted_run_is_found_and_no_other(zone: str, ids: str) -> None:
    with Emulator(6_000, seed=5, zone=zone, ids=ids, missed=60, doubled=40, late=30) as emulator:
        found = audited(emulator, server_timezone=ZoneInfo(zone) if "/" in zone else None)
        assert places(found.missing) == planted(emulator, "missed")
        assert len(found.missing) == 60
        assert places(found.doubled) == planted(emulator, "doubled")
        assert all(len(one.instance_ids) == 2 for one in found.doubled)
        assert places(found.late) == planted(emulator, "late")
        delays = {(one.flow_id, one.trigger_ms): one.delay_ms // 1000 for one in emulator.planted}
        for one in found.late:
            key = (one.flow_id, round(one.trigger_time.timestamp()) * 1000)
            assert one.delay.total_seconds() == delays[key]
        assert (found.changes, found.beside_schedule, found.late_unjudged) == ([], 0, "")
        assert {one.reason for one in found.unjudged} <= {Reason.FEW_RUNS}


def test_a_deployment_without_planted_runs_has_none() -> None:
    with Emulator(3_000, seed=2) as emulator:
        found = audited(emulator)
        assert (len(found.missing), found.doubled, found.late, found.changes) == (0, [], [], [])
        assert found.stopped  # flows end within the range


def test_runs_by_hand_are_counted_and_not_judged() -> None:
    with Emulator(2_000, seed=3) as emulator:
        found = audited(emulator)
        assert (found.instances, found.manual, found.temporary) == (1_900, 60, 40)
        query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC)
        found = audited(emulator, query)
        assert (found.instances, found.manual, found.temporary) == (1_900, None, None)


def test_a_scan_of_all_types_tells_what_a_scan_of_periodic_instances_tells() -> None:
    def without_others(report: AuditReport) -> dict[str, Any]:
        counts = {**report.counts(), "manual": None, "temporary": None}
        return {**report.to_dict(), "counts": counts}

    with Emulator(1_000, seed=3, missed=20, doubled=20, late=10) as emulator:
        end = emulator.end
        every = FlowQuery(emulator.start, end)
        alone = with_session(emulator, lambda session, query: audit(session.scan(query), until=end))
        amid = with_session(emulator, lambda session, _: audit(session.scan(every), until=end))
        assert without_others(amid) == without_others(alone)
        assert (amid.manual, amid.temporary) == (30, 20)
        assert amid.stats.rows_yielded == amid.instances + 50


def test_a_range_may_end_where_the_calendar_ends() -> None:
    latest = datetime.max.replace(tzinfo=UTC)
    with Emulator(200, seed=3, missed=2) as emulator:
        found = audited(emulator, FlowQuery(emulator.start, latest))
        assert (found.to_time.year, len(found.missing)) == (9999, 2)


def test_a_run_that_was_deleted_is_missing_and_one_that_was_inserted_is_doubled() -> None:
    with Emulator(2_000, seed=4, schedule_types=[1]) as emulator:
        rows = emulator.matching()
        flows = [id.split("-")[0] for _, id in rows]
        middle = next(
            at for at in range(900, 1_100) if flows[at] in flows[:at] and flows[at] in flows[at + 1 :]
        )
        emulator.delete(rows[middle][1])
        found = audited(emulator)
        assert places(found.missing) == {(int(flows[middle]), rows[middle][0])}


def with_session(
    emulator: Emulator, work: Callable[[FlowSession, FlowQuery], Coroutine[Any, Any, AuditReport]]
) -> AuditReport:
    async def main() -> AuditReport:
        async with session_to(emulator) as session:
            return await work(session, FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC))

    return run_virtual(main())


def test_a_scan_can_be_audited_and_is_closed() -> None:
    seen: list[FlowScan] = []

    async def work(session: FlowSession, query: FlowQuery) -> AuditReport:
        scan = session.scan(query)
        report = await audit(scan, watch=seen.append)
        assert set(seen) == {scan}
        with pytest.raises(RuntimeError, match="closed"):
            await anext(scan)
        return report

    with Emulator(2_000, missed=20) as emulator:
        found = with_session(emulator, work)
        assert places(found.missing) == planted(emulator, "missed")
        assert found.stats.rows_yielded == found.instances == 1_900


def test_a_scan_that_stops_before_its_end_says_nothing_of_the_end() -> None:
    with Emulator(2_000, seed=1) as emulator:
        found = with_session(emulator, lambda session, query: audit(session.scan(query, limit=1_000)))
        assert (found.instances, found.until, found.stopped) == (1_000, None, [])


def test_of_flows_that_lived_all_the_time_runs_at_both_ends_are_missing() -> None:
    with Emulator(1_000, seed=6, schedule_types=[1]) as emulator:
        plain, whole = audited(emulator), audited(emulator, whole_range=True)
        assert len(plain.missing) == 0
        assert len(whole.missing) > sum(one.expected for one in plain.stopped) > 0
        assert whole.stopped == []
        assert len(list(whole.missing)) == len(whole.missing)


def test_runs_after_the_present_are_not_expected() -> None:
    with Emulator(1_000, seed=6, schedule_types=[1]) as emulator:
        middle = emulator.start + (emulator.end - emulator.start) / 2
        query = FlowQuery(emulator.start, middle)
        by_end = {one.flow_id: one.expected for one in audited(emulator, query).stopped}
        early = middle - timedelta(days=30)
        by_then = {one.flow_id: one.expected for one in audited(emulator, query, until=early).stopped}
        assert by_then
        assert all(count < by_end[flow] for flow, count in by_then.items())
        future = FlowQuery(emulator.start, datetime.now(UTC) + timedelta(days=3_000))
        assert audited(emulator, future).until < datetime.now(UTC) + timedelta(minutes=1)  # type: ignore[operator]


@pytest.mark.parametrize("hours", [-8.0, 8.0])
def test_start_times_in_another_zone_make_no_other_run_late(hours: float) -> None:
    with Emulator(1_000, seed=1, start_zone_shift=hours, late=5) as emulator:
        found = audited(emulator)
        late = {(one.flow_id, int(one.trigger_time.timestamp() * 1000)) for one in found.late}
        assert late == {(one.flow_id, one.trigger_ms) for one in emulator.planted}


def test_flows_that_an_expression_may_select_in_part_are_not_judged() -> None:
    with Emulator(3_000, seed=2) as emulator:
        query = FlowQuery(emulator.start, emulator.end, expression="20240")
        found = audited(emulator, query)
        assert len(found.missing) == 0
        assert Reason.SELECTED in {one.reason for one in found.unjudged}
        query = FlowQuery(emulator.start, emulator.end, expression="告警")
        found = audited(emulator, query)
        assert found.judged > 0
        assert len(found.missing) == 0


def test_a_report_is_json_with_its_counts() -> None:
    with Emulator(2_000, missed=3, doubled=2, late=1) as emulator:
        found = audited(emulator)
    made = json.loads(json.dumps(found.to_dict()))
    assert {name: made["counts"][name] for name in ("missing", "doubled", "late")} == {
        "missing": 3,
        "doubled": 2,
        "late": 1,
    }
    assert len(made["missing"]) == 3
    assert made["late"][0]["delay"] > 7_200
    assert made["missing"][0]["trigger_time"].endswith("+08:00")
    assert "3 missing" in repr(found)
    assert "<td style='text-align: left'>3</td>" in found._repr_html_()
    assert sum(count for _, _, count, _ in found.missing.by_flow()) == 3


RANGE = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC))
QUERY = FlowQuery(*RANGE)


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        (FlowQuery(*RANGE, status={FlowStatus.FAIL}), {}, "status"),
        (FlowQuery(*RANGE, order_by="-trigger_time"), {}, "order_by"),
        (FlowQuery(*RANGE, type=ScheduleType.MANUAL), {}, "have no schedule"),
        (None, {}, "takes a FlowQuery"),
        (QUERY, {"late": timedelta(seconds=-1)}, "not negative"),
        (QUERY, {"until": datetime(2024, 1, 1)}, "no time zone"),  # noqa: DTZ001
    ],
)
def test_what_cannot_be_audited_is_refused_before_anything_is_sent(
    query: FlowQuery | None, options: dict[str, Any], message: str
) -> None:
    async def main() -> None:
        async with session_to(emulator) as session:
            with pytest.raises(QueryError, match=message):
                await audit(session, query, **options)

    with Emulator(10) as emulator:
        run_virtual(main())
        assert emulator.requests == {}


def test_scans_that_do_not_read_all_periodic_instances_are_refused() -> None:
    async def main() -> None:
        async with session_to(emulator) as session:
            periodic = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC)
            with pytest.raises(QueryError, match="not that of the scan"):
                await audit(session.scan(periodic), QUERY)
            with pytest.raises(QueryError, match="FlowSession or a FlowScan"):
                await audit("https://enos.test", QUERY)  # type: ignore[arg-type]
            async with session.scan(periodic) as scan:
                await anext(scan)
                checkpoint = scan.checkpoint()
                with pytest.raises(QueryError, match="iterated before"):
                    await audit(scan)
            with pytest.raises(QueryError, match="resumed"):
                await audit(session.scan(periodic, resume=checkpoint), whole_range=True)

    with Emulator(500) as emulator:
        run_virtual(main())


def test_the_audit_without_await_finds_the_same() -> None:
    with Emulator(1_000, missed=10) as emulator:
        transport = EmulatorTransport(emulator)
        with aioflows.sync.FlowSession(
            "https://enos.test", user_id="u", org_id="o", http=transport
        ) as session:
            found = audit_now(session, FlowQuery(emulator.start, emulator.end))
        assert places(found.missing) == planted(emulator, "missed")
