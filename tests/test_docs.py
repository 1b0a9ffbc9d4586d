"""What the documents name is there: files, functions, links, and every error that is public."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import aioflows.errors
import aioflows.export
from aioflows import AioflowsError

ROOT = Path(__file__).parent.parent
PAGES = [
    path
    for path in [
        *sorted((ROOT / "docs").rglob("*.md")),
        ROOT / "CONTRIBUTING.md",
        ROOT / "benchmarks" / "README.md",
        ROOT / "findings" / "README.md",
    ]
    if "guide" not in path.parts  # whose programs have tests of their own
]
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]

_PATH = re.compile(r"\b((?:aioflows|tests|benchmarks|docs)/[\w/.-]*[\w])(?:::([\w.]+))?")
_LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```", re.DOTALL)


def definitions(path: Path) -> set[str]:
    """Return the names of a module's classes and functions, with those of its classes behind a dot."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{one.name}"
                for one in node.body
                if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))
            }
    return found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_path_and_every_name_behind_it_is_there(page: Path) -> None:
    for path, name in _PATH.findall(page.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), f"there is no {path}"
        if name:
            assert name in definitions(ROOT / path), f"there is no {name} in {path}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        if "://" not in link and not link.startswith("#"):
            assert (page.parent / link.partition("#")[0]).exists(), f"{link} leads nowhere"


@pytest.mark.parametrize("error", [*aioflows.errors.__all__, "SinkError", "ReaderGone"])
def test_every_public_error_has_a_heading_of_its_own(error: str) -> None:
    headings = re.findall(r"^#+ (\w+)$", (ROOT / "docs/errors.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert error in headings


def test_no_public_error_is_left_out_of_that_claim() -> None:
    exported = {
        name
        for name in aioflows.export.__all__
        if isinstance(one := getattr(aioflows.export, name), type) and issubclass(one, AioflowsError)
    }
    assert exported == {"SinkError", "ReaderGone"}


def test_every_folder_of_the_package_is_in_the_table_of_folders() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "aioflows").rglob("__init__.py")}
    missing = sorted(
        f"{folder}" for folder in folders if len(folder.parts) > 1 and f"| `{folder}` |" not in page
    )
    assert not missing


def test_every_benchmark_is_in_the_table_of_benchmarks() -> None:
    page = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    files = [path.name for path in (ROOT / "benchmarks").glob("*.py") if path.name != "__main__.py"]
    assert [name for name in sorted(files) if f"| `{name}` |" not in page] == []


def test_every_public_name_is_in_the_reference() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs/reference").glob("*.md"))
    shown = set(re.findall(r"^::: (\S+)$", pages, re.MULTILINE))
    named = {path.rpartition(".")[2] for path in shown}
    public = [name for name in aioflows.__all__ if not name.startswith("_")]
    assert [
        one for one in public if one not in named and getattr(aioflows, one).__module__ not in shown
    ] == []
