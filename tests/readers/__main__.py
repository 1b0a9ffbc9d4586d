"""Read every form of an export with other libraries: ``python -m tests.readers``.

Each case is exported in each form. Two fresh environments, with the newest and with the oldest releases that are
allowed, read all of them. Each must find the same columns, types, instants, texts and rows. The table has a line for each
reader and form; a known limit of a reader is named below it. The exit code is 1 if anything else differs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.readers.cases import CASES, FORMS, Case, cases, write
from tests.readers.comparison import difference
from tests.readers.environments import ENVIRONMENTS, Environment
from tests.readers.limits import limit_of

__all__ = ["main"]

_READ = Path(__file__).with_name("read.py")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def _write(folder: Path) -> list[Case]:
    """Export all cases, and write the columns that a reader may be told."""
    written = await cases()
    for case in written:
        await write(case, folder)
    columns = {case.name: case.columns for case in written}
    (folder / "columns.json").write_text(json.dumps(columns))
    return written


def _read(environment: Environment, exports: Path, python: Path) -> list[dict[str, Any]]:
    """Return what the readers of an environment find."""
    (exports / "found.json").unlink(missing_ok=True)
    subprocess.run([python, "-I", "-W", "ignore", _READ, exports], check=True)
    found: list[dict[str, Any]] = json.loads((exports / "found.json").read_text())
    _say(f"\n{environment.name}: {environment.versions(python)}")
    return found


def _show(found: Sequence[dict[str, Any]], written: Sequence[Case]) -> tuple[int, set[str]]:
    """Print the table of an environment, and return how many readings differ, and the limits that were met."""
    of_name, wrong, limits = {case.name: case for case in written}, [], set()
    marks: dict[tuple[str, str], dict[str, str]] = {}
    for one in found:
        told = difference(one, of_name[one["case"]])
        limit = limit_of(one, of_name[one["case"]]) if told else None
        mark = "limit" if limit else "WRONG" if told else "same"
        marks.setdefault((one["reader"], one["form"]), {})[one["case"]] = mark
        if limit:
            limits.add(f"{one['reader']}, {one['form']}, {one['case']}: {limit}")
        elif told:
            wrong.append(f"{one['reader']}, {one['form']}, {one['case']}: {told}")
    _say(f"{'reader':17} {'form':10} " + " ".join(f"{case:6}" for case in CASES))
    for (reader, form), row in sorted(marks.items(), key=lambda item: (item[0][0], FORMS.index(item[0][1]))):
        _say(f"{reader:17} {form:10} " + " ".join(f"{row.get(case, '-'):6}" for case in CASES))
    for line in wrong:
        _say(f"  WRONG: {line}")
    return len(wrong), limits


def main() -> int:
    """Run the matrix, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.readers", description=__doc__)
    parser.add_argument("--environments", help="folder for the environments, which is kept and used again")
    parser.add_argument(
        "--here", action="store_true", help="read with the libraries of this environment only"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        exports = Path(scratch) / "exports"
        exports.mkdir()
        written = asyncio.run(_write(exports))
        wrong, limits = 0, set[str]()
        for environment in [Environment("here", ())] if options.here else ENVIRONMENTS:
            place = Path(options.environments or scratch)
            python = Path(sys.executable) if options.here else environment.made(place)
            more, met = _show(_read(environment, exports, python), written)
            wrong, limits = wrong + more, limits | met
    _say("\nknown limits of readers:" if limits else "")
    for line in sorted(limits):
        _say(f"  {line}")
    _say(f"\n{wrong} readings differ")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
