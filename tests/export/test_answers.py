"""Exports that take answers undecoded: what comes out is what the instances say, and a bad row costs nothing but itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from aioflows import AnswerError, FlowQuery, ScheduleType
from aioflows.emulator import Emulator, Fault
from aioflows.export import export
from benchmarks.worlds import session_to
from tests.support.export_readers import content
from tests.support.long import long_but

pytestmark = pytest.mark.real_time

KINDS = [".parquet", ".parquet/", ".duckdb"]
COLUMNS = ["instance_id", "trigger_time", "duration", "status_name", "graph", "extra"]


def query_of(emulator: Emulator, type: ScheduleType | None = ScheduleType.PERIODIC) -> FlowQuery:
    return FlowQuery(emulator.start, emulator.end, type=type)


@pytest.mark.parametrize("kind", long_but(".parquet", of=KINDS))
@pytest.mark.parametrize("type", [ScheduleType.PERIODIC, None])
@pytest.mark.parametrize("odd", [0, 3])
async def test_what_is_exported_is_what_the_instances_say(
    kind: str, type: ScheduleType | None, odd: int, tmp_path: Path
) -> None:
    # So many requests, of which the last is answered with a member that nobody knows.
    faults = [Fault(at=number, kind="extra-field") for number in range(odd, 40, odd)] if odd else []
    async with (
        Emulator(instances=2_000, seed=5, faults=faults) as emulator,
        session_to(emulator, page_size=100) as session,
    ):
        query = query_of(emulator, type)
        await export(session, query, str(tmp_path / "rows") + kind, columns=COLUMNS)
        rows = await session.scan(query).list()
    found = content(tmp_path / f"rows{kind}".rstrip("/"))
    assert [one["instance_id"] for one in found] == [row.instance_id for row in rows]
    assert [one["trigger_time"] for one in found] == [row.trigger_time for row in rows]
    assert [one["graph"] for one in found] == [row.graph_text for row in rows]
    lasted = [None if row.duration is None else row.duration.total_seconds() for row in rows]
    assert [one["duration"] for one in found] == lasted
    assert bool(odd) == any("newInThisRelease" in one["extra"] for one in found)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_row_that_cannot_be_read_stops_it_and_can_be_gone_on_from(kind: str, tmp_path: Path) -> None:
    target = str(tmp_path / "rows") + kind
    bad = Fault(at=15, kind="owner-object")
    async with (
        Emulator(instances=2_000, seed=5, faults=[bad]) as emulator,
        session_to(emulator, page_size=100) as session,
    ):
        with pytest.raises(AnswerError, match="owner"):
            await export(session, query_of(emulator), target, columns=COLUMNS, every=300)
        done = await export(session, query_of(emulator), target, columns=COLUMNS, every=300, resume=True)
        rows = await session.scan(query_of(emulator)).list()
    assert 0 < done.before < done.instances == len(rows)
    found = content(tmp_path / f"rows{kind}".rstrip("/"))
    assert [one["instance_id"] for one in found] == [row.instance_id for row in rows]
