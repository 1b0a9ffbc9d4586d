"""Which file may import which: to lower layers, or to earlier files of the same row; never up."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "aioflows"

# From the bottom to the top; within a row, from left to right.
LAYERS = [
    # values
    [
        "errors",
        "printable",
        "shown",
        "bound",
        "secret",
        "settings",
        "models",
        "undecoded",
        "columns",
        "arrow.schema",
        "arrow.rows",
        "arrow.answers",
        "arrow",
        "query",
        "checkpoint",
        "stats",
        "events",
    ],
    # bytes <-> values <-> meaning
    [
        "_core.times",
        "_core.address",
        "_core.signing",
        "_core.inflate",
        "_core.envelope",
        "_core.wire",
        "_core.codec",
        "_core.search",
        "_core.quota",
        "_core.answers",
    ],
    # decisions
    [
        "_core.retry",
        "_core.pace",
        "_core.budget",
        "_core.service",
        "_core.pages",
        "_core.evidence",
        "_core.opening",
        "_core.first_page",
        "_core.release",
        "_core.instant",
        "_core.overlap",
        "_core.walk",
        "_core.rounds",
        "_core.split",
        "_core.dense",
        "_core.plan",
        "_core.density",
        "_core.schedule",
        "_core.asking",
        "_core.reach",
        "_core.errands",
        "_core.frontier",
        "_core.stretches",
        "_core.doubts",
        "_core.emptiness",
        "_core.lone",
        "_core.prover",
        "_core.scan",
        "_core.collation",
        "_core.filter_checks",
        "_core.range_end",
        "_core.wall_clocks",
        "_core.machine",
        "_core.inquiries",
        "_core.filter_probes",
        "_core.lane",
        "_core.lanes",
        "_core.orders",
        "_core.probes",
        "_core.merge",
        "_core.sorter",
        "_core.numbered",
        "_core.groups",
        "_core.strip",
        "_core.strips",
        "_core.sorted_scan",
        "_core.refined",
        "_core.blind",
        "_core.filtered_scan",
        "_core.choice",
        "_core.roll",
        "_core.follow",
    ],
    # one request, done well
    [
        "_net.transport",
        "_net.http",
        "_net.watch",
        "_net.gate",
        "_net.turns",
        "_net.shared",
        "_net.credentials",
        "_net.call",
        "_net.attempt",
        "_net.caller",
        "_net.operations",
        "_net.zones",
    ],
    # many requests
    ["_net.spill", "_net.engine", "_net.thread"],
    # the words users say
    ["scan", "follow", "session", "__init__", "sync_pull", "sync_scan", "sync_follow", "sync"],
]
ORDER = [name for row in LAYERS for name in row]

# Edges see the values, the door, and nothing else; only the command line sees other edges.
EDGES = {
    "emulator": {"errors", "models", "emulator"},
    "export": {"errors", "models", "undecoded", "columns", "arrow", "query", "checkpoint", "export"},
    "report": {
        "errors",
        "models",
        "printable",
        "stats",
        "export",
        "report",
    },  # a page is written as an export is
    "telemetry": {""},
    "cli": {
        "",
        "errors",
        "models",
        "query",
        "settings",
        "checkpoint",
        "stats",
        "events",
        "printable",
        "scan",
        "session",
        "export",
        "report",
        "emulator",
        "cli",
    },
    "__main__": {"cli"},
}

FOREIGN = {
    "aiohttp": {"_net.http", "emulator.server"},
    "attrs": None,
    "backoff": {"_net.caller"},
    "cattrs": {"_core.codec"},
    "opentelemetry": {"telemetry"},
    "msgspec": {
        "models",
        "_core.codec",
        "_core.envelope",
        "_core.wire",
        "_core.search",
        "_core.answers",
        "export",
    },
    "duckdb": {"export.duck", "export.files"},
    "pyarrow": {"arrow", "export.parquet", "export.parts", "export.files", "export.duck"},
    "plotly": {"report.page"},
    "rich": {"cli"},
    "typer": {"cli"},
    "yarl": {"_net.http"},
}

MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imports_of(path: Path) -> set[str]:
    """Every module imported, but for those that only a type checker imports."""
    found: set[str] = set()
    todo: list[ast.AST] = [ast.parse((PACKAGE / path).read_text())]
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


def within(name: str) -> set[str]:
    return {
        one.removeprefix("aioflows").removeprefix(".")
        for one in imports_of(Path(name))
        if one.startswith("aioflows")
    }


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_only_what_lies_below(path: Path) -> None:
    name, inner = name_of(path), within(str(path))
    edge = next((one for one in EDGES if name == one or name.startswith(f"{one}.")), None)
    if edge is not None:
        allowed = EDGES[edge]
        wrong = {one for one in inner if one not in allowed and one.split(".")[0] not in allowed}
        assert not wrong, f"{name} is an edge and may not import {', '.join(sorted(wrong))}"
    elif path.name != "__init__.py" or name == "__init__":
        assert name in ORDER, f"{name} has no place in the table of layers"
        wrong = {one for one in inner if one and (one not in ORDER or ORDER.index(one) >= ORDER.index(name))}
        assert not wrong, f"{name} may not import {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_each_foreign_library_has_its_files(path: Path) -> None:
    name = name_of(path)
    for library in {one.split(".")[0] for one in imports_of(path)} & set(FOREIGN):
        homes = FOREIGN[library]
        at_home = homes is None or any(name == home or name.startswith(f"{home}.") for home in homes)
        assert at_home, f"{name} imports {library}, whose place is {', '.join(sorted(homes or ()))}"


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[0] == "_core"], ids=str)
def test_the_core_awaits_nothing_and_reads_no_clock(path: Path) -> None:
    tree = ast.parse((PACKAGE / path).read_text())
    awaiting = [
        node for node in ast.walk(tree) if isinstance(node, (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor))
    ]
    assert not awaiting, f"{path} awaits in line {awaiting[0].lineno}"
    impure = imports_of(path) & {
        "asyncio",
        "time",
        "threading",
        "socket",
        "secrets",
        "os",
        "pickle",
        "tempfile",
    }
    assert not impure, f"{path} imports {impure}"
