"""An installation that the other project called aioflows has damaged is reported, and what to do about it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder with the files of this package, as pip would put them there."""
    shutil.copytree(ROOT / "aioflows", tmp_path / "aioflows", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def install_the_other(site: Path) -> None:
    """Do what ``pip install aioflows`` does in that folder."""
    (site / "aioflows" / "__init__.py").write_text("")
    record = site / "aioflows-0.2.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: aioflows\nVersion: 0.2.0\n")
    (record / "RECORD").write_text("aioflows/__init__.py,,\naioflows/core.py,,\n")


def version_from(site: Path) -> subprocess.CompletedProcess[str]:
    # Without site (-S), an editable installation of the clone is not found in place of a file that is missing.
    path = os.pathsep.join([str(site), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    return subprocess.run(
        [sys.executable, "-S", "-m", "aioflows", "--version"],
        env=os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=site,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_whole_installation_runs(site: Path) -> None:
    run = version_from(site)
    assert (run.returncode, run.stderr) == (0, "")


def test_a_package_overwritten_by_the_other_aioflows_is_named(site: Path) -> None:
    install_the_other(site)
    run = version_from(site)
    assert run.returncode == 2
    assert run.stderr == (
        "aioflows 0.2.0, another project, has overwritten files of enos-aioflows: both install the folder aioflows; "
        "pip uninstall aioflows enos-aioflows, then install enos-aioflows again\n"
    )


def test_a_package_that_lost_its_first_file_with_the_other_aioflows_is_named(site: Path) -> None:
    (site / "aioflows" / "__init__.py").unlink()
    run = version_from(site)
    assert run.returncode == 2
    assert run.stderr.startswith("aioflows/__init__.py is missing: uninstalling aioflows, another project,")


def test_the_other_aioflows_below_a_whole_package_does_no_harm(site: Path) -> None:
    install_the_other(site)
    shutil.copy(ROOT / "aioflows" / "__init__.py", site / "aioflows")
    assert version_from(site).returncode == 0


def test_a_fault_of_ours_is_not_blamed_on_the_installation(site: Path) -> None:
    (site / "aioflows" / "cli" / "run.py").unlink()
    run = version_from(site)
    assert run.returncode == 1
    assert "ModuleNotFoundError: No module named 'aioflows.cli.run'" in run.stderr


def test_importing_the_package_does_not_read_the_metadata_of_distributions() -> None:
    code = "import aioflows, sys; print('importlib.metadata' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "False\n"


def test_every_extra_is_asked_of_the_distribution_by_its_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "enos-aioflows"
    texts = [
        *(ROOT / "aioflows").rglob("*.py"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "README.md",
        ROOT / "pyproject.toml",
    ]
    for path in texts:
        wrong = re.findall(r"(?<!enos-)\baioflows\[\w", path.read_text(encoding="utf-8"))
        assert not wrong, f"{path} names an extra of another project's distribution"
