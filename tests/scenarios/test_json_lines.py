"""`FlowScan.json_lines` and the lines of an export: those of each instance, whatever the service answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from aioflows import AnswerError, FlowQuery, ScheduleType
from aioflows._tables.columns import FIELDS
from aioflows.emulator import Emulator, Fault
from aioflows.export import export
from aioflows.query import SortKey
from benchmarks.worlds import session_to
from tests.support.long import long_but

BODIES = [
    "number-id",
    "unknown-status",
    "extra-field",
    "numbers-for-flags",
    "graph-in-quotes",
    "surrogate",
    "long-int",
    "nan",
    "year-9999",
    "bom",
    "latin-1",
    "string-code",
    "no-code",
    "two-members",
    "hour-24",
]


def query_of(emulator: Emulator, **rest: object) -> FlowQuery:
    return FlowQuery(emulator.start, emulator.end, **rest)  # type: ignore[arg-type]


async def both(emulator: Emulator, query: FlowQuery, limit: int | None = None) -> tuple[bytes, bytes]:
    """Return the lines of a scan, and those of its instances."""
    async with session_to(emulator, page_size=100) as session:
        lines = [some async for some in session.scan(query, limit=limit).json_lines()]
        rows = await session.scan(query, limit=limit).list()
    return b"".join(lines), b"".join([row.to_json() + b"\n" for row in rows])


@pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", "start_time"])
@pytest.mark.parametrize("type", long_but(None, of=[ScheduleType.PERIODIC, None]))
async def test_lines_come_in_order_and_are_those_of_instances(
    order: SortKey, type: ScheduleType | None
) -> None:
    async with Emulator(instances=1_000, seed=5) as emulator:
        lines, wanted = await both(emulator, query_of(emulator, type=type, order_by=order))
    assert lines == wanted
    assert lines.count(b"\n") > 300


async def test_lines_end_at_the_limit() -> None:
    async with Emulator(instances=600, seed=5) as emulator:
        lines, wanted = await both(emulator, query_of(emulator), limit=250)
    assert lines == wanted
    assert lines.count(b"\n") == 250


@pytest.mark.parametrize("zone", ["+05:30", "-07:00"])
async def test_lines_are_in_utc_whatever_the_clock_of_the_service(zone: str) -> None:
    async with Emulator(instances=400, seed=5, zone=zone) as emulator:
        lines, wanted = await both(emulator, query_of(emulator))
    assert lines == wanted


@pytest.mark.real_time
@pytest.mark.parametrize("kind", long_but("surrogate", "nan", "extra-field", of=BODIES))
async def test_odd_answers_give_the_lines_of_their_instances(kind: str, tmp_path: Path) -> None:
    faults = [Fault(at=number, kind=kind) for number in range(3, 60, 3)]
    lines, rows = [], b""
    # Each way meets a service of its own, with one request at a time, so that the same requests meet the same faults.
    for way in ("scan", "export", "instances"):
        async with Emulator(instances=500, seed=5, faults=faults) as emulator:
            query = query_of(emulator, type=ScheduleType.PERIODIC)
            async with session_to(emulator, page_size=100, concurrency=1) as session:
                if way == "scan":
                    lines.append(b"".join([some async for some in session.scan(query).json_lines()]))
                elif way == "export":
                    target, columns = tmp_path / "rows.jsonl", [column.name for column in FIELDS]
                    await export(session, query, target, columns=columns, nested=True)
                    lines.append(target.read_bytes())
                else:
                    rows = b"".join([row.to_json() + b"\n" for row in await session.scan(query).list()])
    assert lines == [rows, rows]
    assert rows


async def test_where_a_row_cannot_be_read_the_checkpoint_loses_and_repeats_no_line() -> None:
    async with Emulator(instances=2_000, seed=5) as emulator:
        query = query_of(emulator, type=ScheduleType.PERIODIC)
        _, wanted = await both(emulator, query)
    faults = [Fault(at=number, kind="owner-object") for number in (9, 14)]
    async with Emulator(instances=2_000, seed=5, faults=faults) as emulator:
        found, checkpoint, failed = b"", None, 0
        while True:
            async with session_to(emulator, page_size=100) as session:
                try:
                    async for some in session.scan(query, resume=checkpoint).json_lines():
                        found += some
                    break
                except AnswerError as error:
                    checkpoint, failed = error.checkpoint, failed + 1
    assert failed
    assert found == wanted


async def test_lines_may_hold_texts_in_utf_8() -> None:
    async with Emulator(instances=200, seed=5) as emulator, session_to(emulator) as session:
        query = query_of(emulator)
        lines = b"".join([some async for some in session.scan(query).json_lines(nested=False, utf8=True)])
    assert not lines.isascii()
    assert b'"graph":"{' in lines
