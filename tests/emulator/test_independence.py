"""Client and emulator cannot share a mistake, because they share no code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import aioflows.emulator

FILES = sorted(Path(aioflows.emulator.__file__).parent.rglob("*.py"))


def imported(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return names | {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_knows_nothing_of_the_client(file: Path) -> None:
    ours = {name for name in imported(file) if name.split(".")[0] == "aioflows"}
    foreign = {name for name in ours if not name.startswith("aioflows.emulator")}
    assert foreign <= {"aioflows.errors", "aioflows.models"}


def test_only_the_server_knows_aiohttp() -> None:
    assert [file.name for file in FILES if "aiohttp" in imported(file)] == ["server.py"]


def test_everything_public_is_exported() -> None:
    assert sorted(aioflows.emulator.__all__) == aioflows.emulator.__all__
    assert all(hasattr(aioflows.emulator, name) for name in aioflows.emulator.__all__)
