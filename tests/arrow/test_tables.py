"""Batches and tables as users get them: they can be grouped, written and given to other libraries as they are."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from aioflows import AioflowsError, FlowInstance, FlowQuery, FlowScan, QueryError
from aioflows._tables.columns import COLUMNS, Layout
from aioflows.arrow import BatchForm, arrow_schema, text_batch
from aioflows.emulator import Emulator, Fault
from benchmarks.worlds import session_to

NAMES = ["flow_name", "owner", "status_desc", "status_name"]


@asynccontextmanager
async def scan_of(instances: int = 80, **switches: Any) -> AsyncIterator[FlowScan]:
    async with (
        Emulator(instances=instances, seed=4, **switches) as emulator,
        session_to(emulator, page_size=20) as session,
    ):
        yield session.scan(FlowQuery(emulator.start, emulator.end))


def as_ipc_file(batches: list[pa.RecordBatch], **options: bool) -> pa.Table:
    with pa.ipc.new_file(
        out := io.BytesIO(), batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)
    ) as file:
        for batch in batches:
            file.write_batch(batch)
    return pa.ipc.open_file(out.getvalue()).read_all()


@pytest.mark.real_time
@pytest.mark.parametrize("names", [None, "text"])
async def test_batches_are_grouped_and_written_without_regard_to_each_other(names: Any) -> None:
    async with scan_of() as scan:
        batches = [batch async for batch in scan.record_batches([*NAMES, "duration"], names=names)]
    table = pa.Table.from_batches(batches)
    assert len(batches) > 2
    assert as_ipc_file(batches).equals(table)
    for name in NAMES:
        groups = table.group_by(name).aggregate([("duration", "count")])
        assert groups.num_rows == len(set(table[name].to_pylist()))


@pytest.mark.real_time
async def test_each_dictionary_begins_with_the_one_of_the_batch_before() -> None:
    async with scan_of() as scan:
        batches = [batch async for batch in scan.record_batches(NAMES, names="dictionary")]
    for at in range(len(NAMES)):
        known: list[str] = []
        for batch in batches:
            dictionary = batch.column(at).dictionary.to_pylist()
            assert dictionary[: len(known)] == known
            known = dictionary
    assert (
        as_ipc_file(batches, emit_dictionary_deltas=True).to_pylist()
        == pa.Table.from_batches(batches).to_pylist()
    )


@pytest.mark.parametrize("names", [None, "text", "dictionary"])
def test_a_status_that_is_not_in_the_table_has_a_name_in_every_form(names: Any) -> None:
    layout = Layout(["status_name", "flow_name"])
    form = BatchForm(layout, names)
    rows = [[FlowInstance("a", status=1)], [FlowInstance("b", status=99, flow_name="x"), FlowInstance("c")]]
    batches = [form.batch(text_batch(layout, some)) for some in rows]
    wanted = [("SUCCESS", None), ("99", "x"), (None, None)]
    table = form.table(batches)
    for found in (table, pa.Table.from_batches(batches)):
        assert [(row["status_name"], row["flow_name"]) for row in found.to_pylist()] == wanted
        assert found.schema == arrow_schema(layout, names)
    assert as_ipc_file(table.to_batches()).equals(table)


@pytest.mark.real_time
@pytest.mark.parametrize("names", [None, "text", "dictionary"])
async def test_a_table_holds_what_the_batches_hold(names: Any) -> None:
    async with scan_of() as scan:
        table = await scan.to_arrow(names=names)
        with pytest.raises(RuntimeError, match="closed"):
            await scan.first()
    async with scan_of() as scan:
        rows = pa.Table.from_batches([batch async for batch in scan.record_batches(names="text")]).to_pylist()
    assert table.to_pylist() == rows
    assert table.schema == arrow_schema(Layout(), names)
    assert table.group_by(NAMES).aggregate([]).num_rows == len(
        {tuple(row[name] for name in NAMES) for row in rows}
    )


@pytest.mark.real_time
async def test_an_empty_scan_has_every_column() -> None:
    async with scan_of(0) as scan:
        assert (await scan.to_arrow()).equals(arrow_schema(Layout()).empty_table())
    async with scan_of(0) as scan:
        frame = await scan.to_pandas()
        assert (list(frame.columns), len(frame)) == ([column.name for column in COLUMNS], 0)
    async with scan_of(0) as scan:
        assert (await scan.to_polars(["status", "owner"])).schema == {"status": pl.Int64, "owner": pl.String}


@pytest.mark.real_time
async def test_frames_hold_integers_and_instants_exactly() -> None:
    async with scan_of(30) as scan:
        frame = await scan.to_pandas()
    async with scan_of(30) as scan:
        other = await scan.to_polars()
    async with scan_of(30) as scan:
        rows = await scan.list()
    assert (str(frame["alert_mode"].dtype), str(frame["virtual"].dtype)) == ("Int64", "boolean")
    for name in ("instance_id", "flow_id", "status_name", "trigger_time", "end_time"):
        values = [getattr(row, name) for row in rows]
        assert [None if pd.isna(value) else value for value in frame[name]] == values
        assert other[name].to_list() == values


@pytest.mark.real_time
@pytest.mark.parametrize("way", ["to_arrow", "to_polars", "to_pandas"])
async def test_a_table_that_fails_counts_no_row_as_handed_out(way: str) -> None:
    async with scan_of(faults=[Fault(at=9, times=100, kind="code-62101")]) as scan:
        with pytest.raises(AioflowsError) as caught:
            await getattr(scan, way)()
        assert scan.checkpoint() == caught.value.checkpoint
        assert len({left.type for left in scan.checkpoint().remaining}) == 3


@pytest.mark.real_time
async def test_an_unknown_type_of_names_is_refused_before_anything_is_sent() -> None:
    wrong: Any = "texts"
    async with scan_of() as scan:
        with pytest.raises(QueryError, match="names must be"):
            scan.record_batches(names=wrong)
        with pytest.raises(QueryError, match="names must be"):
            await scan.to_arrow(names=wrong)
        assert scan.stats.requests == 0


@pytest.mark.long
def test_pyarrow_is_imported_beside_the_event_loop() -> None:
    program = """
import asyncio, sys, threading
from aioflows import FlowQuery, FlowSession
from aioflows.emulator import Emulator

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "pyarrow.lib":
            print(threading.current_thread() is threading.main_thread())

async def main():
    async with Emulator(50) as emulator, FlowSession(emulator.url, user_id="u", org_id="o") as session:
        sys.meta_path.insert(0, Watch())
        scan = session.scan(FlowQuery(emulator.start, emulator.end))
        print(sum([batch.num_rows async for batch in scan.record_batches()]))

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "50"]
