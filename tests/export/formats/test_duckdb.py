"""DuckDB files that other versions open, and databases that another program has opened."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb
import pytest

from aioflows.export import SinkError, export
from tests.support.export_cases import QUERY, Rows, instances

pytestmark = pytest.mark.real_time  # a thread writes the files


async def test_every_version_from_1_0_on_can_open_a_file(tmp_path: Path) -> None:
    await export(Rows(instances(30)), QUERY, tmp_path / "out.duckdb", every=10)
    with closing(duckdb.connect(str(tmp_path / "out.duckdb"))) as connection:
        ((tags,),) = connection.sql(
            "SELECT tags FROM duckdb_databases() WHERE database_name = 'out'"
        ).fetchall()
    # Versions before 1.2 know one storage version only, and do not name it.
    assert tags.get("storage_version", "v1.0.0+") == "v1.0.0+"


@contextmanager
def opened_here(target: Path) -> Iterator[None]:
    with closing(duckdb.connect(str(target))):
        yield


@contextmanager
def opened_by_another(target: Path) -> Iterator[None]:
    program = f"import duckdb; kept = duckdb.connect({str(target)!r}); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.communicate(b"\n", timeout=60)


@contextmanager
def locked_sqlite(target: Path) -> Iterator[None]:
    with closing(sqlite3.connect(target)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.parametrize(
    ("name", "opened"),
    [
        ("out.duckdb", opened_here),
        pytest.param("out.duckdb", opened_by_another, marks=pytest.mark.long),
        pytest.param("out.sqlite", locked_sqlite, marks=pytest.mark.long),
    ],
)
async def test_a_finished_database_that_is_open_elsewhere_is_told_as_such(
    name: str, opened: object, tmp_path: Path
) -> None:
    assert callable(opened)
    await export(Rows(instances(3)), QUERY, tmp_path / name)
    with opened(tmp_path / name), pytest.raises(SinkError, match="another program has opened it"):
        await export(Rows(instances(3)), QUERY, tmp_path / name, resume=True)
