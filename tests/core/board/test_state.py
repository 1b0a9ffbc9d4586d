"""What a board counts, and that a client has the same from any of its messages."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from aioflows import FlowInstance, FlowStatus, ScheduleType
from aioflows._core.board.messages import message_json
from aioflows._core.board.numbered_changes import NumberedChanges
from aioflows._core.board.saved_board import SavedBoard, pack_runs
from aioflows._core.board.schedule_check import ScheduleCheck
from aioflows._core.board.state import BoardState
from aioflows.errors import QueryError
from tests.support.board_client import BoardClient

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
MINUTE, HOUR = 60_000, 3_600_000
FAIL, SUCCESS, RUNNING = FlowStatus.FAIL, FlowStatus.SUCCESS, FlowStatus.RUNNING
PERIODIC = ScheduleType.PERIODIC


def row(
    id: str, minutes: float, status: FlowStatus = SUCCESS, *, flow: int = 1, lasts: float = 1.0
) -> FlowInstance:
    """An instance that was scheduled some minutes before now."""
    start = NOW - timedelta(minutes=minutes)
    return FlowInstance(
        id,
        flow_id=flow,
        flow_name=f"flow {flow}",
        freq="0 0 * * * ? *",
        owner=f"owner {flow % 3}",
        status=status,
        trigger_time=start,
        start_time=start,
        end_time=start + timedelta(minutes=lasts) if status.is_final else None,
    )


def state_with(*rows: FlowInstance) -> BoardState:
    state = BoardState(24 * HOUR, 10 * MINUTE)
    state.told_time(NOW_MS)
    state.followed(rows, dict.fromkeys([one.instance_id for one in rows], PERIODIC))
    return state


def whole(state: BoardState) -> BoardClient:
    client = BoardClient()
    client.take(json.loads(message_json(state.whole(), state.first_bin)))
    return client


@pytest.mark.parametrize("seed", range(3))
def test_a_client_that_reads_at_any_time_ends_with_the_counts_of_the_rows(seed: int) -> None:
    """Rows come, change, go and grow too old. One client reads each change, one some at once, one everything."""
    rng, rows, numbered = Random(seed), dict[str, FlowInstance](), NumberedChanges(most=400)
    state, now = state_with(), NOW_MS
    readers = [(BoardClient(), 1.0), (BoardClient(), 0.1), (BoardClient(), 0.01)]
    known = [0, 0, 0]
    for step in range(120):
        some = [
            row(f"i{rng.randrange(300)}", 0, rng.choice([*FlowStatus]), flow=rng.randrange(12))
            for _ in range(5)
        ]
        for one in some:
            before = rows.get(one.instance_id)
            time = NOW - timedelta(minutes=rng.randrange(1500) if before is None else 0)
            kept = before or row(one.instance_id, (NOW - time).total_seconds() / 60, flow=one.flow_id or 0)
            rows[one.instance_id] = row(
                one.instance_id,
                (NOW - (kept.trigger_time or NOW)).total_seconds() / 60,
                FlowStatus(one.status or 0),
                flow=kept.flow_id or 0,
            )
            state.followed([rows[one.instance_id]], {})
        now += 5 * MINUTE
        state.told_time(now)
        if step % 40 == 39:  # a scan finds that some are gone
            mark = state.begin_scan()
            for id in rng.sample(sorted(rows), 20):
                del rows[id]
            state.scanned(rows.values(), {}, mark)
            state.end_scan(mark, 0, now + HOUR)
        numbered.add(state.changes())
        for place, (_, often) in enumerate(readers):
            if rng.random() < often or step == 119:
                changes = numbered.since(known[place])
                if changes is None:  # too old: the whole state instead
                    readers[place] = BoardClient(), often
                    changes = state.whole()
                readers[place][0].take(json.loads(message_json(changes, state.first_bin)))
                known[place] = numbered.last
    held = [one for one in rows.values() if one.trigger_time.timestamp() * 1000 >= state.from_ms]  # type: ignore[union-attr]
    for client in (*(client for client, _ in readers), whole(state)):
        assert client.by_status == Counter(str(one.status) for one in held)
        assert client.by_flow == Counter(one.flow_id for one in held)
        assert set(client.open) == {one.instance_id for one in held if not one.is_final}


def test_an_older_page_of_a_scan_does_not_undo_what_the_follow_has_shown() -> None:
    state = state_with(row("a", 5, RUNNING))
    mark = state.begin_scan()
    state.followed([row("a", 5, FAIL)], {})
    state.scanned([row("a", 5, RUNNING)], {}, mark)
    assert whole(state).by_status == {"FAIL": 1}
    state.scanned([row("a", 5, SUCCESS)], {}, state.begin_scan())  # a scan that began later knows better
    assert whole(state).by_status == {"SUCCESS": 1}


def test_a_flow_fails_since_the_first_failure_behind_its_last_success() -> None:
    state = state_with(
        row("a", 50, FAIL),
        row("b", 40),
        row("c", 30, FAIL),
        row("d", 20, FlowStatus.CANCEL),
        row("e", 10, FAIL),
    )
    state.followed([row("f", 5, RUNNING), row("g", 30, FAIL, flow=2), row("h", 20, flow=2)], {})
    state.changes()
    (shown,) = whole(state).failing.values()
    assert shown[:4] == [2, NOW_MS - 30 * MINUTE, NOW_MS - 40 * MINUTE, "e"]


def test_the_p95_of_a_flow_with_many_runs_comes_a_few_calls_later() -> None:
    many = [row(f"m{n}", n % 1400, flow=1, lasts=1 + n / 1000) for n in range(2_500)]
    state = state_with(*many, *(row(f"f{n}", n, flow=2, lasts=2) for n in range(20)))
    shown = [state.changes().get("p95", {}) for _ in range(4)]
    assert [len(one) for one in shown] == [1, 0, 1, 0]
    assert list(shown[0].values()) == [2 * MINUTE]
    assert list(shown[2].values()) == [round((1 + 2.374) * MINUTE)]


def test_runs_before_the_first_bin_are_dropped_as_time_goes_on() -> None:
    state = state_with(row("old", 23 * 60 + 45), row("new", 5))
    state.told_time(NOW_MS + HOUR)
    assert whole(state).by_status == {"SUCCESS": 1}
    assert list(state.runs) == ["new"]


def test_a_checkpoint_restores_the_runs_and_belongs_to_one_board() -> None:
    state = state_with(row("a", 50, FAIL), row("b", 40), row("c", 3, RUNNING))
    bins = {number: pack_runs(runs) for number, runs in state.bins()}
    text = SavedBoard("one", 1, 2, "{}", None, bins).to_json()
    saved, again = SavedBoard.from_json(text), state_with()
    again.restore(saved.runs(UTC, lambda _: True))
    assert whole(again).counts == whole(state).counts
    assert whole(again).open == whole(state).open
    with pytest.raises(QueryError, match="of a board of another service"):
        saved.check("other")
    with pytest.raises(QueryError, match=r"damaged|cut off"):
        SavedBoard.from_json(text[:-40])


def test_missing_and_waiting_runs_are_those_of_an_audit() -> None:
    hourly = [row(f"h{hour}", 60 * hour) for hour in (9, 8, 7, 5, 4)]  # 6 is missing, and 3, 2 and 1 too
    waiting = FlowInstance(
        "w",
        flow_id=2,
        flow_name="w",
        freq="0 0 * * * ? *",
        status=FlowStatus.WAIT,
        trigger_time=NOW - timedelta(hours=2),
    )
    check = ScheduleCheck(timedelta(minutes=10))
    for _, runs in state_with(*hourly, waiting).bins():
        check.add(runs)
    found = check.finish(NOW)
    assert found["missing"] == 4
    assert [one[2] for one in found["missing_runs"]] == [NOW_MS - 6 * HOUR]
    assert [one[3] for one in found["stopped_flows"]] == [3]
    assert [one[4] for one in found["waiting_runs"]] == ["w"]


def test_runs_that_were_restored_are_in_the_next_checkpoint_too() -> None:
    state = state_with(row("a", 50, FAIL), row("b", 40))
    again = state_with()
    again.restore([run for _, runs in state.bins() for run in runs])
    assert again.changed_bins == {number for number, _ in state.bins()}


def test_of_an_hour_that_comes_twice_the_second_is_later() -> None:
    """In one zone, Python compares times by their wall clock."""
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 50, tzinfo=zone)
    rows = [
        attrs.evolve(row(id, 0, status), trigger_time=time, start_time=time, end_time=time)
        for id, status, time in (
            ("a", FAIL, first),
            ("b", SUCCESS, datetime(2026, 10, 25, 2, 10, tzinfo=zone, fold=1)),
        )
    ]
    state = BoardState(24 * HOUR, 60 * MINUTE)
    state.told_time(int(first.timestamp() * 1000) + HOUR)
    state.followed(rows, {})
    state.changes()
    assert not whole(state).failing
    assert [run.instance_id for _, runs in state.bins() for run in runs] == ["a", "b"]


@pytest.mark.parametrize("name", [None, "", "flow"])
def test_a_run_without_a_flow_id_goes_as_it_came(name: str | None) -> None:
    state = state_with(attrs.evolve(row("a", 5), flow_id=None, flow_name=name))
    state.told_time(NOW_MS + 25 * HOUR)
    assert not state.runs


def test_a_scan_shows_a_new_owner_type_schedule_and_name() -> None:
    state = state_with(row("a", 5), row("b", 50))
    changed = [
        attrs.evolve(row(id, minutes), owner="new", freq="0 5 * * * ? *", flow_name="new name")
        for id, minutes in (("b", 50), ("a", 5))
    ]
    state.scanned(changed, {"a": ScheduleType.MANUAL}, state.begin_scan())
    assert {(run.owner, run.freq, run.flow_name) for run in state.runs.values()} == {
        ("new", "0 5 * * * ? *", "new name")
    }
    assert state.runs["a"].type == ScheduleType.MANUAL
    assert [name for _, name in whole(state).flows.values()] == ["new name"]


def test_an_earlier_run_does_not_name_its_flow() -> None:
    state = state_with(row("a", 5), attrs.evolve(row("b", 50), flow_name="old name"))
    assert [name for _, name in whole(state).flows.values()] == ["flow 1"]


def test_a_flow_without_runs_is_left_out_until_one_comes() -> None:
    state, reader = state_with(row("a", 1400)), BoardClient()
    state.told_time(NOW_MS + 12 * HOUR)
    state.changes()
    assert not whole(state).flows
    assert not whole(state).series
    reader.take(json.loads(message_json(state.whole(), state.first_bin)))
    state.followed([row("b", 1)], {"b": PERIODIC})
    reader.take(json.loads(message_json(state.changes(), state.first_bin)))
    assert reader.by_flow == {1: 1}


def checked(state: BoardState, now_ms: int) -> dict[str, Any]:
    since = datetime.fromtimestamp(state.from_ms / 1000, UTC)
    check = ScheduleCheck(timedelta(minutes=10), since=since)
    check.add(state.earlier_runs)
    for _, runs in state.bins():
        check.add(runs)
    return check.finish(datetime.fromtimestamp(now_ms / 1000, UTC))


def daily(*days: int) -> list[FlowInstance]:
    return [attrs.evolve(row(f"d{day}", 60 * 24 * day), freq="0 0 12 * * ? *") for day in days]


def test_a_daily_run_that_did_not_come_is_missing_although_the_board_shows_a_day() -> None:
    state = BoardState(24 * HOUR, 10 * MINUTE)
    for day in (2, 1):  # the board runs on while days pass
        state.told_time(NOW_MS - day * 24 * HOUR)
        state.followed(daily(day), {f"d{day}": PERIODIC})
    late = NOW_MS + HOUR // 2
    state.told_time(late)
    found = checked(state, late)
    assert (found["missing"], found["unjudged"], found["earlier"]) == (1, 0, True)
    assert not whole(state).counts
    again = BoardState(24 * HOUR, 10 * MINUTE)  # a restart loses nothing of that
    again.told_time(late)
    again.restore(state.earlier_runs)
    assert checked(again, late) == found
    state.told_time(NOW_MS + 96 * HOUR)  # a flow that has ended is not missed for ever
    assert not state.earlier_runs


def test_a_gap_before_the_range_is_no_finding() -> None:
    state = BoardState(24 * HOUR, 10 * MINUTE)
    for day in (6, 3):
        state.told_time(NOW_MS - day * 24 * HOUR)
        state.followed(daily(day), {f"d{day}": PERIODIC})
    state.followed(daily(2), {"d2": PERIODIC})
    state.told_time(NOW_MS - HOUR)
    assert checked(state, NOW_MS - HOUR)["missing"] == 1  # yesterday's, and none of those before
    state.followed(daily(0), {"d0": PERIODIC})
    state.told_time(NOW_MS)
    assert checked(state, NOW_MS + 5 * MINUTE)["missing"] == 0


def test_a_flow_with_one_run_cannot_be_judged_on_a_fresh_board() -> None:
    found = checked(state_with(*daily(0)), NOW_MS)
    assert (found["missing"], found["unjudged"], found["earlier"]) == (0, 1, False)


def test_the_p95_of_twenty_runs_is_the_nineteenth() -> None:
    state = state_with(*(row(f"r{n}", n, lasts=n) for n in range(1, 21)))
    assert list(state.changes()["p95"].values()) == [19 * MINUTE]
