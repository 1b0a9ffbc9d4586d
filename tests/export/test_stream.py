"""Rows in a pipe, on a device, and on standard output."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from aioflows import QueryError
from aioflows.export import ReaderGone, SinkError, export
from tests.support.export_cases import QUERY, Rows, instances

pytestmark = pytest.mark.real_time


class Reader:
    """Reads a pipe to its end, in a thread."""

    def __init__(self, pipe: Path) -> None:
        os.mkfifo(pipe)
        self._content: list[bytes] = []
        self._thread = threading.Thread(target=lambda: self._content.append(pipe.read_bytes()))
        self._thread.start()

    def lines(self) -> list[bytes]:
        self._thread.join(10)
        return self._content[0].splitlines()


async def test_a_reader_gets_every_row_in_order(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "pipe")
    done = await export(Rows(instances(1_203), page=600), QUERY, tmp_path / "pipe")
    assert done.instances == 1_203
    assert [json.loads(line)["flow_id"] for line in reader.lines()] == [n % 7 for n in range(1_203)]


async def test_a_pipe_takes_what_a_text_format_gives(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "pipe")
    await export(
        Rows(instances(2)), QUERY, tmp_path / "pipe", format="csv", columns=["instance_id", "status"]
    )
    assert reader.lines() == [b"instance_id,status", b"0-000000,-1", b"1-000001,1"]


async def test_a_reader_that_leaves_is_told_from_a_failure(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)

    def leave(handed: int) -> None:
        if handed:
            os.close(reader)

    with pytest.raises(ReaderGone):
        await export(Rows(instances(20), before=leave), QUERY, tmp_path / "pipe")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such device here")
async def test_a_full_device_is_a_failure() -> None:
    with pytest.raises(SinkError, match="/dev/full cannot be written: No space left"):
        await export(Rows(instances(3)), QUERY, "/dev/full")


async def test_what_is_gone_cannot_be_gone_on_with() -> None:
    with pytest.raises(QueryError, match="'-' is a stream"):
        await export(Rows(instances(3)), QUERY, "-", resume=True)
