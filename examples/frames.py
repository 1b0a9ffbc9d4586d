"""Give a scan to pandas, Polars and DuckDB, as Arrow record batches.

    python examples/frames.py

It reads the emulator, so it needs no account.
"""

from __future__ import annotations

import asyncio

import duckdb
import polars as pl
import pyarrow as pa

from aioflows import FlowQuery, FlowSession
from aioflows.emulator import Emulator

COLUMNS = ["flow_name", "status_name", "trigger_time", "duration"]


async def read() -> pa.Table:
    """Return four columns of everything that the emulator holds."""
    async with (
        Emulator(instances=5_000, seed=1) as emulator,
        FlowSession(emulator.url, user_id="u", org_id="o") as session,
        session.scan(FlowQuery(emulator.start, emulator.end)) as scan,
    ):
        batches = [batch async for batch in scan.record_batches(COLUMNS)]
    return pa.Table.from_batches(batches)


def main() -> None:
    """Ask each of the three libraries one question."""
    instances = asyncio.run(read())

    print("pandas: seconds by status")
    frame = instances.to_pandas()
    print(frame.groupby("status_name", observed=True)["duration"].agg(["count", "mean", "max"]).round(1))

    print("Polars: the flows that fail most")
    failed = pl.from_arrow(instances).filter(pl.col("status_name") == "FAIL")
    print(failed.group_by("flow_name").len().sort("len", "flow_name", descending=True).head(5))

    print("DuckDB: runs by hour of the day, UTC")
    connection = duckdb.connect()
    connection.register("instances", instances)
    print(
        connection.sql(
            "SELECT epoch(trigger_time)::BIGINT // 3600 % 24 AS hour, count(*) AS runs FROM instances "
            "GROUP BY hour ORDER BY runs DESC, hour LIMIT 5"
        )
    )


if __name__ == "__main__":
    main()
