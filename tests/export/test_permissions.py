"""Who may read a finished target: its owner alone, or those whom the user names."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from aioflows import QueryError
from aioflows.export import export
from aioflows.export.permissions import file_mode
from tests.support.export_cases import QUERY, Rows, instances

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")


def mode_of(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):o}"


@pytest.mark.real_time
@pytest.mark.parametrize("ending", [".csv", ".parquet", ".sqlite", ".duckdb"])
@pytest.mark.parametrize(("mode", "expected"), [(None, "600"), (0o640, "640"), ("644", "644")])
async def test_a_file_has_the_mode_asked_for(
    mode: int | str | None, expected: str, ending: str, tmp_path: Path
) -> None:
    await export(Rows(instances(3)), QUERY, tmp_path / f"out{ending}", mode=mode)
    assert mode_of(tmp_path / f"out{ending}") == expected


@pytest.mark.real_time
async def test_who_may_read_the_files_of_a_folder_may_enter_it(tmp_path: Path) -> None:
    await export(Rows(instances(3)), QUERY, f"{tmp_path}/out/", mode="640")
    (part,) = (tmp_path / "out").rglob("*.parquet")
    assert [mode_of(one) for one in (part, part.parent, tmp_path / "out")] == ["640", "750", "750"]


def test_umask_means_what_other_new_files_get(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    assert f"{file_mode('umask'):o}" == mode_of(tmp_path / "other")


@pytest.mark.parametrize("mode", ["", "rw", "888", "1640", "044", 0o1777, 0o44, 640, True, 6.4])
def test_a_mode_that_cannot_be_meant_is_refused(mode: object) -> None:
    with pytest.raises(QueryError, match="mode must be three octal digits"):
        file_mode(mode)  # type: ignore[arg-type]
