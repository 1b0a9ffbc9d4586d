"""What a SQLite database holds beside what every format does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from aioflows import FlowInstance, QueryError
from aioflows.export import SinkError, export
from tests.support.export_cases import QUERY, Rows, instances
from tests.support.export_readers import named

pytestmark = pytest.mark.real_time


async def exported(
    folder: Path, rows: list[FlowInstance], sql: str, **more: bool
) -> list[tuple[object, ...]]:
    await export(Rows(rows), QUERY, folder / "out.sqlite", **more)  # type: ignore[arg-type]
    with closing(sqlite3.connect(folder / "out.sqlite")) as connection:
        return connection.execute(sql).fetchall()


async def test_values_have_the_types_of_their_kinds(tmp_path: Path) -> None:
    sql = "SELECT typeof(status), status, typeof(virtual), typeof(duration), trigger_time, graph ->> '$.tasks[1].taskId'"
    assert await exported(tmp_path, instances(1), f"{sql} FROM instances") == [
        ("integer", -1, "integer", "null", "2024-01-01T00:00:00+00:00", "x")
    ]


async def test_any_text_is_a_value_and_never_part_of_a_statement(tmp_path: Path) -> None:
    names = ["'); DROP TABLE instances; --", "100%_\\", "a\0b", "风机", "a\ud800"]
    rows = [FlowInstance(f"{number}", flow_name=name) for number, name in enumerate(names)]
    found = await exported(tmp_path, rows, "SELECT flow_name FROM instances ORDER BY rowid")
    assert [name for (name,) in found] == [*names[:-1], "a\\ud800"]


async def test_a_number_that_it_has_not_is_refused_and_not_rounded(tmp_path: Path) -> None:
    rows = [FlowInstance("a", flow_id=2**63)]
    with pytest.raises(QueryError, match="flow_id holds 9223372036854775808, which has more than 64 bits"):
        await exported(tmp_path, rows, "SELECT 1")


async def test_an_instance_is_there_once(tmp_path: Path) -> None:
    rows = [FlowInstance("a", status=2), FlowInstance("a", status=1)]
    assert await exported(tmp_path, rows, "SELECT instance_id, status FROM instances") == [("a", 1)]
    (tmp_path / "out.sqlite").unlink()
    counted = await exported(tmp_path, instances(9), "SELECT count(*) FROM instances", tasks=True)
    assert counted == [(18,)]


async def test_what_lies_beside_an_old_database_is_not_taken_for_a_part_of_the_new_one(
    tmp_path: Path,
) -> None:
    await exported(tmp_path, instances(3), "SELECT 1")
    (tmp_path / "out.sqlite-journal").write_bytes(b"x")
    with pytest.raises(SinkError, match=r"out\.sqlite-journal lies beside it"):
        await export(Rows(instances(3)), QUERY, tmp_path / "out.sqlite", overwrite=True)


async def test_a_file_that_is_no_database_is_refused_and_stays(tmp_path: Path) -> None:
    target = tmp_path / "out.sqlite"
    target.write_text("a letter" * 100)
    with pytest.raises(QueryError, match="there is no export to resume"):
        await export(Rows(instances(3)), QUERY, target, resume=True)
    assert target.read_text().startswith("a letter")


async def test_nothing_else_is_left_in_its_folder(tmp_path: Path) -> None:
    await exported(tmp_path, instances(3), "SELECT 1")
    assert named(tmp_path) == {"out.sqlite"}
