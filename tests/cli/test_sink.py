"""Where rows go, and that a file is there whole or not at all."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from aioflows import FlowInstance, QueryError
from aioflows.cli.sink import ReaderGone, SinkError, checked_target, json_lines

ROWS = [FlowInstance("a"), FlowInstance("b", flow_name="风机")]


def names(content: str) -> list[str]:
    return [json.loads(line)["instance_id"] for line in content.splitlines()]


async def copy(target: Path, *, overwrite: bool = False, then: Callable[[], object] = bool) -> None:
    """Writes the rows to a target, and does something else before it is closed."""
    async with json_lines(str(target), overwrite=overwrite) as sink:
        await sink.write(ROWS)
        then()


def fail() -> None:
    raise ZeroDivisionError


def files(folder: Path) -> list[str]:
    return [path.read_text() for path in folder.iterdir()]


class TestFile:
    async def test_it_holds_a_line_for_each_row(self, tmp_path: Path) -> None:
        target = tmp_path / "out.jsonl"
        async with json_lines(str(target)) as sink:
            await sink.write(ROWS)
            await sink.write(ROWS[:1])
        assert names(target.read_text()) == ["a", "b", "a"]

    async def test_only_its_owner_may_read_it(self, tmp_path: Path) -> None:
        await copy(tmp_path / "out.jsonl")
        assert stat.S_IMODE((tmp_path / "out.jsonl").stat().st_mode) == 0o600

    async def test_it_appears_only_when_it_is_whole(self, tmp_path: Path) -> None:
        target = tmp_path / "out.jsonl"
        seen: list[bool] = []
        await copy(target, then=lambda: seen.append(target.exists()))
        assert seen == [False]
        assert target.exists()

    @pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError])
    async def test_a_scan_that_fails_or_is_stopped_leaves_nothing(
        self, error: type[BaseException], tmp_path: Path
    ) -> None:
        def fail() -> None:
            raise error

        with pytest.raises(error):
            await copy(tmp_path / "out.jsonl", then=fail)
        assert files(tmp_path) == []

    async def test_a_scan_that_fails_leaves_the_old_one(self, tmp_path: Path) -> None:
        target = tmp_path / "out.jsonl"
        target.write_text("old")
        with pytest.raises(ZeroDivisionError):
            await copy(target, overwrite=True, then=fail)
        assert files(tmp_path) == ["old"]

    async def test_it_is_replaced_where_that_is_wanted(self, tmp_path: Path) -> None:
        target = tmp_path / "out.jsonl"
        target.write_text("old")
        await copy(target, overwrite=True)
        assert names(target.read_text()) == ["a", "b"]

    async def test_one_that_appeared_meanwhile_is_not_replaced(self, tmp_path: Path) -> None:
        target = tmp_path / "out.jsonl"
        with pytest.raises(SinkError, match="has appeared meanwhile"):
            await copy(target, then=lambda: target.write_text("somebody else's"))
        assert files(tmp_path) == ["somebody else's"]

    async def test_a_link_keeps_pointing_where_it_points(self, tmp_path: Path) -> None:
        real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
        real.write_text("old")
        link.symlink_to(real)
        await copy(link, overwrite=True)
        assert link.is_symlink()
        assert names(real.read_text()) == ["a", "b"]


class TestTarget:
    def test_a_file_that_exists_is_refused(self, tmp_path: Path) -> None:
        target = tmp_path / "out.jsonl"
        target.write_text("old")
        with pytest.raises(QueryError, match="give --overwrite to replace it"):
            checked_target(str(target), overwrite=False)

    def test_a_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(QueryError, match="is a folder"):
            checked_target(str(tmp_path), overwrite=True)

    def test_a_path_without_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(QueryError, match="there is no folder"):
            checked_target(str(tmp_path / "nowhere" / "out.jsonl"), overwrite=False)

    @pytest.mark.parametrize("target", ["a\0b", "x" * 5_000])
    def test_what_is_no_path_is_refused(self, target: str) -> None:
        with pytest.raises(QueryError, match="--output"):
            checked_target(target, overwrite=False)

    @pytest.mark.parametrize("target", [None, "-"])
    def test_no_path_is_standard_output(self, target: str | None) -> None:
        assert checked_target(target, overwrite=False) is None


class TestPipe:
    @pytest.mark.real_time
    async def test_a_reader_gets_every_line(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        content: list[str] = []
        reader = threading.Thread(target=lambda: content.append(pipe.read_text()))
        reader.start()
        async with json_lines(str(pipe)) as sink:
            await sink.write(ROWS * 1_000)
            os.close(sink.descriptor)  # the end of a program does that
        reader.join()
        assert names(content[0]) == ["a", "b"] * 1_000

    @pytest.mark.real_time
    async def test_a_reader_that_leaves_is_told_from_a_failure(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        async with json_lines(str(pipe)) as sink:
            os.close(reader)
            with pytest.raises(ReaderGone):
                await sink.write(ROWS)
        os.close(sink.descriptor)

    @pytest.mark.real_time
    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such device here")
    async def test_a_full_device_is_a_failure(self) -> None:
        async with json_lines("/dev/full") as sink:
            with pytest.raises(SinkError, match="/dev/full cannot be written: No space left"):
                await sink.write(ROWS)
        os.close(sink.descriptor)
