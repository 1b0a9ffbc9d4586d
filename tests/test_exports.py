"""The door: what users import, and from where."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

import pytest

import aioflows
import aioflows.emulator
import aioflows.errors
import aioflows.sync

CONTRACT = {
    "FlowQuery", "FlowSession", "FlowScan", "FlowInstance", "FlowPage", "FlowStatus", "ScheduleType", "AppKey", "Limits",
    "RetryPolicy", "Checkpoint", "ScanStats", "AioflowsError", "QueryError", "TransportError", "AnswerError",
    "ServiceError", "Denied", "ServerFault", "Throttled", "TokenExpired", "BadCredentials", "CompletenessError",
}  # fmt: skip


def test_everything_of_the_contract_is_there() -> None:
    assert set(aioflows.__all__) >= CONTRACT


def test_the_list_of_names_is_sorted_and_true() -> None:
    assert list(aioflows.__all__) == sorted(aioflows.__all__)
    assert all(hasattr(aioflows, name) for name in aioflows.__all__)


def test_an_editor_completes_public_names_only() -> None:
    assert dir(aioflows) == list(aioflows.__all__)
    assert not [name for name in vars(aioflows) if not name.startswith("_") and _is_foreign(name)]


def test_type_checkers_and_programs_find_the_same_names() -> None:
    tree = ast.parse(inspect.getsource(aioflows))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    assert isinstance(checked.test, ast.Name)
    assert checked.test.id == "_TYPE_CHECKING"
    homes = {
        alias.name: node.module
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {*homes, "__version__"} == set(aioflows.__all__)
    for name, home in homes.items():
        assert getattr(aioflows, name) is getattr(import_module(home or ""), name)


def test_public_modules_need_no_import_and_unknown_names_are_refused() -> None:
    code = "import aioflows; print(aioflows.errors.QueryError.__name__, aioflows.stats.Proof.__name__); aioflows.FlowScann"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stdout == "QueryError Proof\n"
    assert run.stderr.splitlines()[-1] == "AttributeError: module 'aioflows' has no attribute 'FlowScann'"


def test_importing_the_package_loads_nothing_that_is_not_used() -> None:
    """The names are those of the slowest parts. `benchmarks/imports.py` has the figures."""
    code = "import aioflows, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = {name for name in run.stdout.split() if name.split(".")[0] == "aioflows"}
    assert loaded == {"aioflows", "aioflows._lazy", "aioflows._version"}
    slow = {"aiohttp", "attr", "asyncio", "cattrs", "msgspec", "pyarrow", "rich", "ssl", "typer"}
    assert not slow & set(run.stdout.split())


def test_a_session_loads_neither_tables_nor_the_code_for_what_it_was_not_asked_for() -> None:
    code = "import sys; from aioflows import FlowSession; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    kept_out = {
        "arrow",
        "sync",
        "export",
        "follow",
        "telemetry",
        "_core.follow",
        "_core.wait.looks",
        "_core.cuts",
    }
    assert not {f"aioflows.{name}" for name in kept_out} & set(run.stdout.split())


def _is_foreign(name: str) -> bool:
    value = vars(aioflows)[name]
    return inspect.ismodule(value) and not value.__name__.startswith("aioflows.")


@pytest.mark.parametrize("door", [aioflows, aioflows.sync], ids=["aioflows", "aioflows.sync"])
def test_types_that_public_signatures_name_can_be_imported_from_a_public_module(door: object) -> None:
    modules = [
        import_module(f"aioflows.{one.name}")
        for one in pkgutil.iter_modules(aioflows.__path__)
        if not one.name.startswith("_")
        and one.name not in ("airflow", "daft", "dlt")  # which need what may be missing
    ]
    public = {name for module in (aioflows, *modules) for name in getattr(module, "__all__", ())}
    named = {
        (where, name)
        for export in door.__all__  # type: ignore[attr-defined]
        if inspect.isclass(value := getattr(door, export))
        for where, function in _signatures(value)
        for name in _own_types(function)
    }
    assert ("FlowSession.__init__", "Observer") in named
    assert ("FlowSession.__init__", "Transport") in named
    # `undecoded` serves the exports of this package.
    private = {("FlowScan.undecoded", "RawRows")}
    assert not {(where, name) for where, name in named if name not in public} - private


def _signatures(owner: type) -> Iterator[tuple[str, object]]:
    """Yield the public methods of a class; sessions make scans and follows, so their constructors are private."""
    for name, member in vars(owner).items():
        function = member.fget if isinstance(member, property) else member
        constructor = name == "__init__" and owner.__name__ not in ("FlowScan", "FlowFollow")
        if inspect.isfunction(function) and (constructor or not name.startswith("_")):
            yield f"{owner.__name__}.{name}", function


def _own_types(function: object) -> Iterator[str]:
    """Yield the names in a function's annotations that this package defines, except names with an underscore."""
    globals_ = vars(sys.modules[function.__module__])
    for annotation in function.__annotations__.values():
        text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "None")
        for node in ast.walk(ast.parse(text, mode="eval")):
            if isinstance(node, ast.Name) and not node.id.startswith("_"):
                defined_in = getattr(globals_.get(node.id), "__module__", "")
                if node.id in ("Observer", "Json", "Position") or str(defined_in).startswith("aioflows"):
                    yield node.id


def test_a_transport_of_a_users_own_needs_public_names_only() -> None:
    assert aioflows.Transport.send.__annotations__["request"] == "Request"
    assert aioflows.Transport.send.__annotations__["return"] == "Answer"
    assert {"Answer", "Request", "Transport"} <= set(aioflows.__all__)


def test_every_public_class_and_method_says_what_it_is() -> None:
    for name in aioflows.__all__:
        value = getattr(aioflows, name)
        if inspect.isclass(value):
            assert inspect.getdoc(value), f"{name} has no docstring"
            for member, function in vars(value).items():
                if inspect.isfunction(function) and not member.startswith("_"):
                    assert inspect.getdoc(function), f"{name}.{member} has no docstring"


def test_the_two_doors_take_the_same_words() -> None:
    for name in aioflows.sync.__all__:
        awaited, plain = getattr(aioflows, name), getattr(aioflows.sync, name)
        assert inspect.getdoc(plain)
        offered = {member for member in vars(awaited) if not member.startswith("_")}
        missing = {
            member
            for member in offered - set(vars(plain))
            if member not in ("aclose", "limits", "follow", "undecoded", "transport")
        }
        assert not missing, f"aioflows.sync.{name} lacks {', '.join(sorted(missing))}"
        for member in offered & set(vars(plain)):
            ways = [vars(one)[member] for one in (awaited, plain)]
            if inspect.isfunction(ways[0]):
                taken = [list(inspect.signature(way).parameters) for way in ways]
                assert taken[0] == taken[1], f"{name}.{member}"


def test_every_error_is_exported_and_has_one_root() -> None:
    for name in aioflows.errors.__all__:
        assert issubclass(getattr(aioflows, name), aioflows.AioflowsError)


def test_a_query_error_is_a_value_error() -> None:
    assert issubclass(aioflows.QueryError, ValueError)


def test_the_emulator_is_imported_from_its_own_module() -> None:
    assert aioflows.emulator.Emulator.__name__ == "Emulator"
