"""Which folder may import which, what each folder is for, and that a class name stands for one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "aioflows"

# A folder imports from folders above it in this list, and from itself.
ORDER = [
    *(
        "errors",
        "_numbers",
        "_version",
        "_lazy",
        "_extras",
        "_sealed",
        "_worker",
        "_time_zones",
        "_moments",
        "_display",
        "_statuses",
        "_pydantic_schema",
        "_json_text",
        "_tasks",
        "_json_lines",
        "_instance_json",
        "settings",
        "models",
        "_compiled",
        "_tables",
        "query",
        "checkpoint",
        "arrow",
        "stats",
        "events",
    ),
    *(
        "_core.wire",
        "_core.schedule",
        "_core.clocks",
        "_core.audit",
        "_core.resilience",
        "_core.pages",
        "_core.bounds",
        "_core.dense_second",
        "_core.planning",
        "_core.cuts",
        "_core.governor",
        "_core.proofs",
    ),
    *(
        "_core.scans",
        "_core.filters",
        "_core.sorted",
        "_core.strategy",
        "_core.follow",
        "_core.wait",
        "_core.board",
    ),
    *("_net", "scan", "follow", "session", "schedule", "audit", "aioflows", "sync", "governor"),
]
# An edge imports what is named here, and from itself.
EDGES = {
    "emulator": "errors models",
    "export": "errors _lazy _time_zones models _extras _instance_json _sealed _worker _tables arrow query checkpoint",
    "report": "errors _time_zones models query scan _display stats export audit",
    "web": "errors _extras _tables models query checkpoint arrow scan follow export",
    "board": "errors _sealed _statuses _display models query checkpoint events _core.board scan follow session export web",
    "telemetry": "aioflows",
    "airflow": "aioflows sync",
    "daft": "aioflows _tables arrow query sync",
    "dlt": "aioflows _extras _tables arrow query checkpoint sync",
    "spark": "aioflows _extras _sealed _tables errors governor query sync",
    "cli": "aioflows _compiled _worker errors _time_zones models query settings checkpoint stats events _display scan session export report emulator audit board",
    "__main__": "cli",
}
FOREIGN = {
    "airflow": "airflow",
    "aioflows_decoder": "_compiled",
    "aiohttp": "_net.http emulator.server web.aiohttp_stream board.aiohttp_application",
    "backoff": "_net.retrying",
    "cattrs": "_core.wire.codec",
    "cron_descriptor": "_core.schedule.description",
    "daft": "daft",
    "dlt": "dlt",
    "duckdb": "_extras",
    "fsspec": "_extras",
    "msgspec": "_json_text _json_lines _instance_json _tables.row_columns _core.wire _core.governor",
    "opentelemetry": "telemetry",
    "pyarrow": "_extras",
    "pydantic_core": "_pydantic_schema",
    "pyspark": "spark.source",
    "rich": "cli",
    "starlette": "web.response_base",
    "typer": "cli",
    "yarl": "_net.http",
}
AWAITING = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor)
IMPURE = {"asyncio", "os", "pickle", "secrets", "socket", "tempfile", "threading", "time"}

MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})


def name_of(path: Path) -> str:
    parts = [part for part in path.with_suffix("").parts if part != "__init__"]
    return ".".join(parts) or "aioflows"


def imports_of(path: Path) -> set[str]:
    """Return every module imported, but for those that only a type checker imports."""
    found: set[str] = set()
    todo: list[ast.AST] = [ast.parse((PACKAGE / path).read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path} imports relatively"
            found.add(node.module)
        todo.extend(ast.iter_child_nodes(node))
    return found


def place_of(module: str, places: list[str]) -> str | None:
    """Return the longest of the places that a module lies in."""
    within = [place for place in places if module == place or module.startswith(f"{place}.")]
    return max(within, key=len, default=None)


def is_allowed(module: str, imported: str) -> bool:
    edge = place_of(module, list(EDGES))
    if edge is not None:
        return place_of(imported, [edge, *EDGES[edge].split()]) is not None
    here, there = place_of(module, ORDER), place_of(imported, ORDER)
    if here is None or there is None:
        return False
    return ORDER.index(there) <= ORDER.index(here)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_file_imports_only_from_its_own_folder_and_from_those_below(path: Path) -> None:
    name = name_of(path)
    inner = {one.removeprefix("aioflows.") for one in imports_of(path) if one.split(".")[0] == "aioflows"}
    wrong = sorted(one for one in inner if not is_allowed(name, one))
    assert not wrong, f"{name} may not import {', '.join(wrong)}"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_each_foreign_library_has_its_files(path: Path) -> None:
    name = name_of(path)
    for library in {one.split(".")[0] for one in imports_of(path)} & set(FOREIGN):
        homes = FOREIGN[library]
        assert place_of(name, homes.split()), f"{name} imports {library}, whose place is {homes}"


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[0] == "_core"], ids=str)
def test_the_core_awaits_nothing_and_reads_no_clock(path: Path) -> None:
    tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    awaiting = [node.lineno for node in ast.walk(tree) if isinstance(node, AWAITING)]
    assert not awaiting, f"{path} awaits in line {awaiting[0]}"
    impure = imports_of(path) & IMPURE
    assert not impure, f"{path} imports {', '.join(sorted(impure))}"


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_each_folder_says_in_a_sentence_what_it_is_for(folder: Path) -> None:
    words = ast.get_docstring(ast.parse((PACKAGE / folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert words.split("\n")[0].endswith("."), f"{folder}/__init__.py has no sentence"


@pytest.mark.parametrize("folder", [one for one in FOLDERS if one.parts[:1] == ("_core",)], ids=str)
def test_a_folder_of_the_core_holds_at_most_twelve_modules(folder: Path) -> None:
    modules = [path.name for path in MODULES if path.parent == folder and path.name != "__init__.py"]
    assert len(modules) <= 12, f"{folder} holds {len(modules)}"


def test_a_class_name_stands_for_one_thing() -> None:
    homes = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and path.parts[0] != "sync":  # which mirrors the others
                homes[node.name].append(name_of(path))
    twice = {name: files for name, files in homes.items() if len(files) > 1}
    assert not twice, f"in several files: {twice}"
