"""The temporary file: what is laid aside comes back, and nothing stays behind."""

from __future__ import annotations

import asyncio
import gc
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aioflows import AioflowsError, FlowInstance
from aioflows._core.scans.machine import SpillRead, SpillWrite
from aioflows._net.spill import Spill

FILES = Path("/proc/self/fd")


def rows_of(count: int) -> list[FlowInstance]:
    return [
        FlowInstance(
            f"{number}-x",
            flow_name="流程",
            trigger_time=datetime(2024, 1, 1, tzinfo=UTC),
            start_time=None,
            graph='{"a": [1, 2]}',
            status=1,
        )
        for number in range(count)
    ]


def own_files() -> list[os.stat_result]:
    """Open files that have no name any more."""
    found = []
    for entry in FILES.iterdir():
        try:
            target, known = entry.readlink(), entry.stat()
        except OSError:
            continue
        if str(target).endswith("(deleted)") and stat.S_ISREG(known.st_mode):
            found.append(known)
    return found


async def test_what_is_laid_aside_comes_back_in_any_pieces() -> None:
    spill, rows = Spill(), rows_of(10)
    units: list[tuple[int, int]] = []
    for part in (rows[:7], rows[7:]):
        (await spill.perform(SpillWrite(part, 3, units.extend)))()
    assert len(units) == 4
    back: list[FlowInstance] = []
    (await spill.perform(SpillRead(units[1][0], units[1][1] + units[2][1], back.extend)))()
    assert back == rows[3:7]
    assert back[0].graph == {"a": [1, 2]}
    await spill.aclose()


@pytest.mark.skipif(not FILES.exists(), reason="looks at /proc")
async def test_the_file_has_no_name_and_is_nobody_elses_and_is_gone_with_the_scan() -> None:
    spill = Spill()
    (await spill.perform(SpillWrite(rows_of(3), 1, lambda _: None)))()
    file = spill._file
    assert file is not None
    mine = os.fstat(file.fileno())
    assert mine.st_ino in {one.st_ino for one in own_files()}
    assert stat.S_IMODE(mine.st_mode) == 0o600
    await spill.aclose()
    await spill.aclose()
    assert file.closed


async def test_a_file_that_nobody_closes_goes_without_a_complaint() -> None:
    spill = Spill()
    (await spill.perform(SpillWrite(rows_of(3), 1, lambda _: None)))()
    file = spill._file
    assert file is not None
    await (
        asyncio.get_running_loop().shutdown_default_executor()
    )  # whose thread may hold on to its last piece of work
    del spill
    gc.collect()
    assert file.closed


async def test_closing_waits_for_the_thread_and_refuses_what_comes_later() -> None:
    spill = Spill()
    work = asyncio.create_task(spill.perform(SpillWrite(rows_of(2_000), 10, lambda _: None)))
    await asyncio.sleep(0)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await spill.aclose()
    with pytest.raises(AioflowsError, match="closed"):
        await spill.perform(SpillWrite(rows_of(1), 1, lambda _: None))
