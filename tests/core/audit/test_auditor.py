"""What an auditor finds in given instances."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest

from aioflows import FlowInstance, FlowStatus, QueryError
from aioflows._core.audit.auditor import Auditor
from aioflows._core.audit.findings import Findings, Reason
from aioflows.schedule import Schedule

BERLIN = ZoneInfo("Europe/Berlin")
DAILY, HOURLY = "0 0 2 * * ? *", "0 30 * * * ? *"
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
START = datetime(2024, 1, 1, 2, tzinfo=UTC)


def run(
    time: datetime,
    freq: str | None = DAILY,
    *,
    flow: int | None = 1,
    id: str = "",
    start: timedelta | None = MINUTE,
    status: FlowStatus = FlowStatus.SUCCESS,
) -> FlowInstance:
    return FlowInstance(
        id or f"{flow}-{time:%Y%m%d%H%M%S}{time.fold}",
        flow_id=flow,
        flow_name=f"flow {flow}",
        freq=freq,
        trigger_time=time,
        start_time=None if start is None else (time.astimezone(UTC) + start).astimezone(time.tzinfo),
        status=status,
    )


def daily(*days: int, freq: str | None = DAILY, flow: int = 1) -> list[FlowInstance]:
    return [run(START + day * DAY, freq, flow=flow) for day in days]


def in_order(rows: Iterable[FlowInstance]) -> list[FlowInstance]:
    return sorted(
        rows, key=lambda row: (row.trigger_time.timestamp() if row.trigger_time else 0, row.instance_id)
    )


def audited(
    rows: Iterable[FlowInstance],
    *,
    until: datetime | None = None,
    late: timedelta = HOUR,
    since: datetime | None = None,
    page: int = 3,
) -> Findings:
    auditor = Auditor(late, None if since is None else round(since.timestamp()))
    given = in_order(rows)
    for at in range(0, len(given), page):
        auditor.add(given[at : at + page])
    end = None if until is None else round(until.timestamp())
    return auditor.finish(end, present=until, whole_range=since is not None)


def missing(findings: Findings) -> list[tuple[int, datetime]]:
    return [(one.flow_id, one.trigger_time) for one in findings.missing]


class TestMissing:
    def test_a_run_between_two_instances_is_missing(self) -> None:
        found = audited(daily(0, 1, 3, 6))
        assert missing(found) == [(1, START + day * DAY) for day in (2, 4, 5)]
        assert len(found.missing) == 3
        assert (found.judged, found.on_schedule, found.beside_schedule) == (1, 4, 0)

    def test_runs_before_the_first_and_after_the_last_instance_are_not(self) -> None:
        assert missing(audited(daily(4, 5, 6), until=START + 30 * DAY)) == []

    def test_a_flow_that_has_stopped_says_how_many_runs_were_scheduled_since(self) -> None:
        [stopped] = audited(daily(4, 5, 6), until=START + 10 * DAY).stopped
        assert (stopped.flow_id, stopped.last, stopped.expected) == (1, START + 6 * DAY, 3)

    def test_a_flow_that_runs_until_the_end_has_not_stopped(self) -> None:
        assert audited(daily(4, 5, 6), until=START + 7 * DAY).stopped == []

    def test_of_flows_that_lived_all_the_time_the_first_and_last_runs_are_missing(self) -> None:
        found = audited(daily(2, 3), since=START, until=START + 6 * DAY)
        assert missing(found) == [(1, START + day * DAY) for day in (0, 1, 4, 5)]
        assert found.stopped == []

    def test_flows_of_one_schedule_are_told_apart(self) -> None:
        rows = [*daily(0, 1, 2, 3), *daily(0, 2, 3, flow=2), *daily(1, 3, flow=3)]
        assert missing(audited(rows)) == [(2, START + DAY), (3, START + 2 * DAY)]

    def test_instances_without_a_flow_are_not_judged(self) -> None:
        found = audited([*daily(0, 1), run(START, flow=None)])
        assert [(one.flow_id, one.reason, one.instances) for one in found.unjudged] == [
            (None, Reason.NO_FLOW, 1)
        ]


class TestNotJudged:
    @pytest.mark.parametrize(
        ("freq", "reason"),
        [
            (None, Reason.NO_SCHEDULE),
            ("", Reason.NO_SCHEDULE),
            ("0 2 * * *", Reason.NOT_QUARTZ),
            ("0 0 2 * * 2", Reason.NOT_QUARTZ),
            ("0 0 0 0W * ?", Reason.NOT_QUARTZ),
            ("0 0 3 * * ? *", Reason.OFF_SCHEDULE),
        ],
    )
    def test_a_freq_that_says_nothing_gives_no_missing_run(self, freq: str | None, reason: Reason) -> None:
        found = audited(daily(0, 1, 5, freq=freq), until=START + 30 * DAY)
        assert missing(found) == []
        assert found.stopped == []
        assert [(one.reason, one.instances) for one in found.unjudged] == [(reason, 3)]
        assert found.judged == 0

    def test_one_run_is_too_few_even_if_it_came_twice(self) -> None:
        found = audited([run(START), run(START, id="again")], since=START, until=START + 9 * DAY)
        assert [one.reason for one in found.unjudged] == [Reason.FEW_RUNS]
        assert missing(found) == []
        assert len(found.doubled) == 1

    def test_a_schedule_in_another_dialect_is_never_missing(self) -> None:
        """The flow runs every 7 hours, and Quartz starts `0/7` again each day."""
        rows = [run(START + number * 7 * HOUR, "0 0 0/7 * * ? *") for number in range(200)]
        assert missing(audited(rows)) == []

    def test_an_instance_beside_the_schedule_stands_for_the_run_before_or_behind_it(self) -> None:
        rows = [*daily(0, 1, 2, 3, 4, 5, 9, 10), run(START + 6 * DAY + HOUR)]
        found = audited(rows)
        assert missing(found) == [(1, START + 8 * DAY)]
        assert (found.on_schedule, found.beside_schedule) == (8, 1)

    def test_many_instances_beside_the_schedule_show_that_it_was_not_understood(self) -> None:
        rows = [*daily(0, 1, 2, 30), run(START + 5 * DAY + HOUR), run(START + 6 * DAY + HOUR)]
        found = audited(rows)
        assert missing(found) == []
        assert [(one.reason, one.detail) for one in found.unjudged] == [(Reason.OFF_SCHEDULE, "2 of 6")]


class TestChanges:
    def test_the_time_around_a_change_belongs_to_neither_schedule(self) -> None:
        night = "0 0 3 * * ? *"
        after = [run(START + day * DAY + HOUR, night) for day in (9, 10, 12)]
        found = audited([*daily(0, 1, 3), *after])
        assert missing(found) == [(1, START + 2 * DAY), (1, START + 11 * DAY + HOUR)]
        [change] = found.changes
        assert (change.before, change.after) == (DAILY, night)
        assert (change.last_before, change.first_after) == (START + 3 * DAY, START + 9 * DAY + HOUR)
        assert found.judged == 1

    def test_a_schedule_with_one_run_is_not_judged(self) -> None:
        found = audited([*daily(0, 1, 2), *daily(5, freq="0 0 2 * * ?")])
        assert [(one.freq, one.reason) for one in found.unjudged] == [("0 0 2 * * ?", Reason.FEW_RUNS)]
        assert found.judged == 0


class TestDoubled:
    def test_two_instances_of_one_second_are_one_run(self) -> None:
        rows = [
            *daily(0, 1, 2),
            run(START + DAY, id="z"),
            run(START + DAY, id="zz"),
            run(START + DAY, flow=2),
        ]
        [double] = audited(rows).doubled
        assert (double.flow_id, double.trigger_time) == (1, START + DAY)
        assert double.instance_ids == ("1-202401020200000", "z", "zz")

    def test_the_last_run_can_be_one(self) -> None:
        assert len(audited([*daily(0, 1), run(START + DAY, id="z")]).doubled) == 1

    def test_both_passes_of_an_hour_that_clocks_repeat_are_not(self) -> None:
        passes = [datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=fold) for fold in (0, 1)]
        assert audited([run(time, HOURLY) for time in passes]).doubled == []


class TestLate:
    def test_a_run_that_started_after_the_limit_is_late_by_that_much(self) -> None:
        rows = [*daily(1, 2), run(START, start=HOUR), run(START + 3 * DAY, start=HOUR + MINUTE)]
        [late] = audited(rows).late
        assert (late.trigger_time, late.delay) == (START + 3 * DAY, HOUR + MINUTE)

    @pytest.mark.parametrize("month", [3, 10])
    def test_a_change_of_the_clocks_makes_no_run_late(self, month: int) -> None:
        changing = datetime(2024, month, {3: 31, 10: 27}[month], 1, 50, tzinfo=BERLIN)
        assert audited([run(changing, start=20 * MINUTE)], late=30 * MINUTE).late == []

    def test_a_run_that_has_not_started_waits(self) -> None:
        rows = [
            run(START + day * DAY, start=None, status=status)
            for day, status in enumerate((FlowStatus.SKIP, FlowStatus.WAIT, FlowStatus.READY))
        ]
        [waiting] = audited(rows, until=START + 2 * DAY + HOUR).waiting
        assert (waiting.trigger_time, waiting.start_time, waiting.delay) == (START + DAY, None, 25 * HOUR)


class TestClocks:
    @pytest.mark.parametrize(
        "freq", [DAILY, "0 30 2 * * ? *", HOURLY, "0 0/20 1-3 * * ? *", "0 0 0 ? * SUN *"]
    )
    @pytest.mark.parametrize("zone", [BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")])
    def test_a_flow_that_runs_as_scheduled_misses_nothing_over_a_year(self, freq: str, zone: tzinfo) -> None:
        runs = Schedule(freq, zone).between(
            datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
        )
        found = audited([run(time, freq) for time in runs], until=datetime(2025, 1, 1, tzinfo=UTC), page=500)
        assert missing(found) == []
        assert (found.doubled, found.stopped, found.unjudged, found.beside_schedule) == ([], [], [], 0)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_taken_out_is_what_is_found(seed: int) -> None:
    """Flows of random schedules live for a while, in a zone with both changes, and lose some of their inner runs."""
    rng = random.Random(seed)
    zone = rng.choice([BERLIN, ZoneInfo("America/Sao_Paulo"), ZoneInfo("Australia/Lord_Howe"), UTC])
    rows: list[FlowInstance] = []
    lost: list[tuple[int, datetime]] = []
    for flow in range(1, 25):
        freq = rng.choice(
            [
                DAILY,
                HOURLY,
                "0 0/15 * * * ?",
                "0 0 2 ? * MON-FRI",
                "0 0 0 L * ?",
                "0 15 10 15W * ?",
                "7 0 0/6 1,15 * ?",
            ]
        )
        born = datetime(2018, 1, 1, tzinfo=UTC) + rng.random() * 300 * DAY
        runs = list(Schedule(freq, zone).between(born, born + rng.random() * 90 * DAY))
        gone = set(rng.sample(runs[1:-1], len(runs[1:-1]) // 10)) if len(runs) > 4 else set()
        lost += [(flow, time) for time in runs if time in gone]
        rows += [run(time, freq, flow=flow) for time in runs if time not in gone]
    found = audited(rows, until=datetime(2019, 6, 1, tzinfo=UTC), page=100)
    assert sorted(missing(found)) == sorted(lost)
    assert found.beside_schedule == 0


def test_instances_out_of_order_are_refused() -> None:
    auditor = Auditor(HOUR)
    with pytest.raises(QueryError, match="precedes"):
        auditor.add(daily(1, 0))


def test_nothing_is_found_in_nothing() -> None:
    found = audited([], until=START)
    assert (found.flows, len(found.missing), list(found.missing)) == (0, 0, [])
