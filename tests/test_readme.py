"""The code of the README and of the guide runs as it stands, and the files that readers are sent to exist."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.applications import APPLICATIONS

ROOT = Path(__file__).parent.parent
GUIDE = sorted((ROOT / "docs" / "guide").glob("*.md"))
README = ROOT / "README.md"
PAGES = [README, *GUIDE]
TEXTS = {path: path.read_text(encoding="utf-8") for path in PAGES}
PRINTED = re.compile(r"^```python\n(.*?)^```\n+<!-- output -->\n```text\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(marked: str = "") -> list[tuple[Path, str]]:
    """Return each Python block with its page; *marked* is the comment on the line above, if it has to have one."""
    above = rf"^<!-- {marked} -->\n" if marked else "^"
    code = re.compile(rf"{above}```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return [(path, block) for path, text in TEXTS.items() for block in code.findall(text)]


def named(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value).split("\n", 1)[0][:40]


def run(code: str) -> str:
    """Run a program, and return what it has printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


# Each example takes a process, so those of the guide are in the long part.
EXAMPLES = [one for one in blocks() if "Emulator" in one[1]]
OUTPUTS = [(path, *found) for path, text in TEXTS.items() for found in PRINTED.findall(text)]


def long_but_readme(examples: list[tuple[Any, ...]]) -> list[Any]:
    return [one if one[0] == README else pytest.param(*one, marks=pytest.mark.long) for one in examples]


@pytest.mark.parametrize(("page", "code"), long_but_readme(EXAMPLES), ids=named)
def test_an_example_with_an_emulator_prints_something_and_ends_well(page: Path, code: str) -> None:
    assert run(code).strip(), page


@pytest.mark.parametrize(("page", "code"), [one for one in blocks() if "Emulator" not in one[1]], ids=named)
def test_an_example_that_needs_a_service_imports_what_exists(page: Path, code: str) -> None:
    tree = ast.parse(code)
    imports = ast.Module([node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))], [])
    exec(compile(imports, page.name, "exec"), {})


@pytest.mark.parametrize(("page", "code", "output"), long_but_readme(OUTPUTS), ids=named)
def test_an_example_prints_what_the_page_shows(page: Path, code: str, output: str) -> None:
    assert run(code) == output, page


@pytest.mark.parametrize("framework", APPLICATIONS)
def test_an_excerpt_of_an_application_stands_in_its_file(framework: str) -> None:
    excerpts = blocks(f"from examples/{framework}_app.py")
    assert excerpts
    for _, excerpt in excerpts:
        assert excerpt in APPLICATIONS[framework]


def test_the_readme_begins_with_an_example_and_its_output() -> None:
    assert PRINTED.search(TEXTS[README][:4_000])


def test_the_readme_is_short() -> None:
    assert len(TEXTS[README].splitlines()) <= 250


@pytest.mark.parametrize("marker", ["demo", "tests", "long tests"])
def test_the_commands_are_one_line_each(marker: str) -> None:
    block = re.search(rf"<!-- {marker} -->\n```sh\n(.*?)\n```", TEXTS[README], re.DOTALL)
    assert block is not None
    assert "\n" not in block[1]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"], ids=named)
def test_a_relative_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), f"{page.name} links to {target}, which does not exist"
        if anchor:
            assert anchor in anchors(place.read_text(encoding="utf-8")), f"{page.name}: no heading {target}"


def anchors(text: str) -> set[str]:
    """Return the names by which a browser finds the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_leads_to_every_page_of_the_guide() -> None:
    missing = [page.name for page in GUIDE if f"docs/guide/{page.name}" not in TEXTS[README]]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_nobody_is_sent_to_the_other_project(page: Path) -> None:
    assert not re.search(r"pip install '?aioflows", TEXTS[page])


def test_the_changes_begin_with_this_version() -> None:
    import aioflows

    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## ([0-9.]+)", changes, re.MULTILINE)[1] == aioflows.__version__  # type: ignore[index]
