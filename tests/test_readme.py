"""README's code runs as it stands."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.applications import readme_applications

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
APPLICATIONS = readme_applications()
"""They serve until they are told to stop, and have tests of their own."""


@pytest.mark.parametrize(
    "code",
    [code for code in PYTHON if "Emulator(" in code and code not in APPLICATIONS.values()],
    ids=lambda code: code.split("\n")[0],
)
def test_an_example_with_an_emulator_prints_something_and_ends_well(code: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()
    assert not run.stderr


@pytest.mark.parametrize(
    "code", [code for code in PYTHON if "Emulator(" not in code], ids=lambda code: code[:40]
)
def test_an_example_that_needs_a_service_imports_what_exists(code: str) -> None:
    tree = ast.parse(code)
    imports = ast.Module([node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))], [])
    exec(compile(imports, "README.md", "exec"), {})


@pytest.mark.parametrize("marker", ["demo", "tests", "long tests"])
def test_the_commands_are_one_line_each(marker: str) -> None:
    block = re.search(rf"<!-- {marker} -->\n```sh\n(.*?)\n```", README, re.DOTALL)
    assert block is not None
    assert "\n" not in block[1]


def test_the_changes_begin_with_this_version() -> None:
    import aioflows

    changes = README.split("## Changes", 1)[1]
    assert re.search(r"### ([0-9.]+)", changes)[1] == aioflows.__version__  # type: ignore[index]
