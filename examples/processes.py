"""Read a range by several processes of this machine, which share one limit, into a Parquet file for each window.

python examples/processes.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow.parquet as pq

from aioflows import FlowQuery
from aioflows.emulator import EmulatorProcess
from aioflows.governor import Governor
from aioflows.sync import FlowSession

PROCESSES = 2


def read(url: str, governor: str, folder: Path, window: FlowQuery) -> int:
    """Read one window, in another process. Return the number of its rows."""
    with FlowSession(url, user_id="u", org_id="o", governor=governor) as session:
        table = session.scan(window).to_arrow()
    pq.write_table(
        table, folder / f"{window.from_ms}.parquet"
    )  # a window that is read again replaces its file
    return int(table.num_rows)


def main(folder: Path) -> None:
    """Cut the range, read the windows, and print the account."""
    with EmulatorProcess(instances=20_000, seed=1) as emulator, Governor(parallel=PROCESSES) as governor:
        query = FlowQuery(emulator.start_ms, emulator.end_ms)
        with FlowSession(emulator.url, user_id="u", org_id="o", governor=governor.address) as session:
            windows = session.cuts(query, 8)
        work = partial(read, emulator.url, governor.address, folder)
        with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
            print(f"{sum(pool.map(work, windows)):,} rows in {len(windows)} windows")
        account = governor.account()
    print(f"{account.rows:,} rows, {account.refused} requests refused, complete: {account.ok}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as path:
            main(Path(path))
