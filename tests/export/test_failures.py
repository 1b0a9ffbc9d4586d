"""Every single call of the file system and of the databases fails once, or is the last that a process makes.

Afterwards the old target is there as it was, or the new one whole, and going on ends with what an undisturbed export gives.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aioflows.export import SinkError, export
from aioflows.export.filesystem import FileSystem
from tests.support.export_cases import QUERY, Quick, Rows, instances
from tests.support.export_readers import ENDINGS, content
from tests.support.long import long_but

pytestmark = pytest.mark.real_time

NEW = instances(24)


class Died(Exception):
    """The process is gone."""


class Failing(Quick):
    """Counts what is asked of it, and fails at one count.

    Args:
        at: the *number* of the call that fails, from 1; 0: none does.
        way: "full": there is no space for what that call writes, and half of it is written; "refused": that call does
            nothing, once; "died": neither that call nor any after it does anything.
    """

    def __init__(self, at: int, way: str) -> None:
        self.at = at
        self.way = way
        self.calls: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        counted = [
            "open",
            "append",
            "write",
            "truncate",
            "sync",
            "folder",
            "set_mode",
            "rename",
            "sync_folder",
            "remove",
            "copy",
            "link",
            "mark",
        ]
        return partial(self._call, name, value) if name in counted else value

    def _call(self, name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        self.count(name, lambda: OSError(errno.ENOSPC, "No space left on device"), work, arguments)
        return work(*arguments)

    def count(
        self,
        name: str,
        error: Callable[[], Exception],
        work: Callable[..., Any] | None = None,
        arguments: tuple[Any, ...] = (),
    ) -> None:
        self.calls.append(name)
        if not self.at or len(self.calls) < self.at:
            return
        if self.way == "died":
            raise Died
        if len(self.calls) == self.at:
            if self.way == "full" and name == "write" and work is not None:
                work(arguments[0], arguments[1][: len(arguments[1]) // 2])
            raise error()

    def sqlite(self, path: str) -> sqlite3.Connection:
        count = self.count

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
                count(sql[:6], lambda: sqlite3.OperationalError("database or disk is full"))
                return super().execute(sql, *more)

            def executemany(self, sql: str, *more: Any) -> sqlite3.Cursor:
                count("many", lambda: sqlite3.OperationalError("database or disk is full"))
                return super().executemany(sql, *more)

        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)
        sqlite3.Connection.execute(connection, "PRAGMA synchronous = OFF")
        return connection

    def duckdb(self, path: Path) -> Any:
        return _Duck(super().duckdb(path), self)


class _Duck:
    def __init__(self, connection: Any, files: Failing) -> None:
        self._connection = connection
        self._files = files

    def execute(self, sql: str, *more: Any) -> Any:
        import duckdb

        self._files.count(sql[:6], lambda: duckdb.IOException("No space left on device"))
        return self._connection.execute(sql, *more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


async def old(folder: Path, ending: str) -> Path:
    """What is there before."""
    Quick().folder(folder)
    name = f"{folder}/out{ending}"
    await export(Rows(instances(3)), QUERY, name, columns=["instance_id", "status"], files=Quick())
    return Path(name)


async def new(folder: Path, ending: str, files: FileSystem, *, resume: bool = False) -> Path:
    """What takes its place."""
    name = f"{folder}/out{ending}"
    await export(Rows(NEW), QUERY, name, every=10, overwrite=True, files=files, resume=resume, mode=0o640)
    return Path(name)


@pytest.mark.parametrize("way", ["full", "refused", "died"])
@pytest.mark.parametrize("ending", long_but(".csv", ".sqlite", of=ENDINGS))
async def test_whichever_call_fails_nothing_is_torn(ending: str, way: str, tmp_path: Path) -> None:
    before = content(await old(tmp_path / "whole", ending))
    counting = Failing(0, way)
    after = content(await new(tmp_path / "whole", ending, counting))
    assert {"sync_folder", "rename"} < set(counting.calls)
    for at in range(1, len(counting.calls) + 1):
        folder, failing = tmp_path / f"{at}", Failing(at, way)
        target = await old(folder, ending)
        with pytest.raises((SinkError, Died)):
            await new(folder, ending, failing)
        told = f"call {at}, {failing.calls[at - 1]}, of {failing.calls}"
        swapping = ending.endswith("/") and not target.exists()  # a folder takes two renames
        assert swapping or content(target) in (before, after), told
        await new(folder, ending, Quick(), resume=True)
        assert content(target) == after, told


def test_every_kind_of_call_is_among_those_that_fail() -> None:
    kinds = {name for name, value in vars(FileSystem).items() if callable(value) and not name.startswith("_")}
    failing = {
        "open",
        "append",
        "write",
        "truncate",
        "sync",
        "folder",
        "set_mode",
        "rename",
        "sync_folder",
        "remove",
        "copy",
        "link",
        "mark",
        "sqlite",
        "duckdb",
    }
    assert kinds - failing == {"size", "close", "lock", "read_mark"}
