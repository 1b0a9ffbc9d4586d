"""The environments that read: one with the newest releases, one with the oldest that are allowed."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

import attrs

__all__ = ["ENVIRONMENTS", "READERS", "Environment"]

READERS = {  # the oldest releases that read an export; pyarrow and duckdb as in the extra "arrow"
    "pyarrow": "17.0.0",
    "duckdb": "1.1.0",
    "pandas": "2.2.0",
    "polars": "1.9.0",
    "zstandard": "0.22.0",  # pandas needs it for .zst
}


@attrs.frozen
class Environment:
    """A virtual environment.

    Args:
        name: its name.
        packages: what pip installs there.
    """

    name: str
    packages: Sequence[str]

    def made(self, folder: Path) -> Path:
        """Make the environment in a folder, unless it is there, and return its Python."""
        place = folder / self.name
        python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        if not python.exists():
            venv.create(place, with_pip=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *self.packages], check=True)
        return python

    def versions(self, python: Path) -> str:
        """Return the names and versions of the readers."""
        code = (
            "import sqlite3, sys; from importlib.metadata import distributions; "
            "found = {one.name: one.version for one in distributions()}; "
            f"print(*[f'{{name}} {{found[name]}}' for name in {list(READERS)} if name in found], "
            "'SQLite', sqlite3.sqlite_version, 'Python', sys.version.split()[0])"
        )
        run = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
        return run.stdout.strip()


ENVIRONMENTS = (
    Environment("newest", list(READERS)),
    Environment("oldest", [*(f"{name}=={version}" for name, version in READERS.items()), "numpy<2"]),
)
