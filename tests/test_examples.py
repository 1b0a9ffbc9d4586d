"""Every example runs without an account, and says what it promises; the applications are in `test_embedding.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.applications import APPLICATIONS

EXAMPLES = Path(__file__).parent.parent / "examples"
PATIENCE = 90
COVERED = {"audit_failures.py", "follow.py", "frames.py", "notebook.ipynb", "processes.py"}


def run(*arguments: str) -> list[str]:
    """Run a program as its reader would, and return the lines that it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIOFLOWS_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        env=kept | {"PYTHONPATH": str(EXAMPLES.parent), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


def test_every_example_is_run_by_some_test() -> None:
    found = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    assert found == COVERED | {f"{framework}_app.py" for framework in APPLICATIONS}


def test_the_audit_counts_every_failure_of_the_year_by_flow() -> None:
    head, *flows, total = run(str(EXAMPLES / "audit_failures.py"))
    assert head.split() == ["failed", "days", "last", "flow"]
    failures = [int(line.split()[0].replace(",", "")) for line in flows]
    assert failures == sorted(failures, reverse=True)
    assert total == f"{sum(failures):>8,} in all, of {len(flows)} flows"
    assert sum(failures) > 500


def test_the_follow_prints_each_failure_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    checkpoint = tmp_path / "failures.json"
    for _ in range(2):
        lines = run(str(EXAMPLES / "follow.py"), str(checkpoint))
        assert len(lines) == 3
        assert all(line.endswith(" has failed") for line in lines)
        assert json.loads(checkpoint.read_text())


def test_the_frames_answer_a_question_each() -> None:
    pytest.importorskip("polars")
    pytest.importorskip("pandas")
    pytest.importorskip("duckdb")
    text = "\n".join(run(str(EXAMPLES / "frames.py")))
    assert text.index("pandas:") < text.index("Polars:") < text.index("DuckDB:")
    assert "SUCCESS" in text


@pytest.mark.long
def test_the_processes_read_every_window_behind_one_limit(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    lines = run(str(EXAMPLES / "processes.py"), str(tmp_path))
    assert lines == ["20,000 rows in 8 windows", "20,000 rows, 0 requests refused, complete: True"]
    assert len(list(tmp_path.glob("*.parquet"))) == 8
    page = (EXAMPLES.parent / "docs/guide/clusters.md").read_text(encoding="utf-8")
    function = page.split("```py\ndef read(url: str")[1].split("```")[0]
    assert function in (EXAMPLES / "processes.py").read_text(encoding="utf-8")


def notebook() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))
    return found


def test_the_notebook_has_the_form_of_its_format() -> None:
    found = notebook()
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in found["cells"]}) == len(found["cells"])
    for cell in found["cells"]:
        assert cell["cell_type"] in ("markdown", "code")
        assert "".join(cell["source"]).strip()
        assert "outputs" not in cell or (cell["outputs"], cell["execution_count"]) == ([], None)


def test_the_cells_of_the_notebook_run_in_their_order() -> None:
    pytest.importorskip("pandas")
    cells = ["".join(cell["source"]) for cell in notebook()["cells"] if cell["cell_type"] == "code"]
    lines = run("-c", "\n\n".join(cells))
    assert len(lines) == 1
    assert "runs have failed" in lines[0]
