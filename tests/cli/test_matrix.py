"""Every command before every output and every service that fails: at most one line, and the documented exit code.

The table `COMMANDS` has a row for each command and each form of its output. ``{file}`` stands for a place on a disk, and
``{ids}`` for ids of finished instances.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from aioflows.cli.app import app
from aioflows.cli.exit_codes import Exit
from aioflows.emulator import EmulatorProcess
from tests.support.commands import PATIENCE, Ended, command, environment, run, started

pytestmark = pytest.mark.long

RANGE = ("--from", "2024-01-01", "--to", "2024-01-04")
FORMS = ("jsonl", "csv", "parquet", "sqlite", "duckdb", "csv.gz")
COMMANDS: dict[str, tuple[str, ...]] = {
    "scan": ("scan", *RANGE),
    "scan, a zone": ("scan", *RANGE, "--zone", "UTC"),
    "scan, csv": ("scan", *RANGE, "--format", "csv"),
    **{f"scan, {form} file": ("scan", *RANGE, "-o", f"{{file}}.{form}") for form in FORMS},
    "scan, folder": ("scan", *RANGE, "-o", "{file}/"),
    "report": ("report", *RANGE),
    "report, page": ("report", *RANGE, "-o", "{file}.html"),
    "report, page to a pipe": ("report", *RANGE, "-o", "-"),
    "audit": ("audit", *RANGE),
    "audit, file": ("audit", *RANGE, "-o", "{file}.csv"),
    "audit, pipe": ("audit", *RANGE, "-o", "-"),
    "follow": ("follow", "--since", "2024-01-01", "--until", "2024-01-04"),
    "follow, checkpoint": (
        "follow",
        "--since",
        "2024-01-01",
        "--until",
        "2024-01-04",
        "--checkpoint",
        "{file}",
    ),
    "wait": ("wait", "{ids}"),
    "get": ("get", "{ids}"),
    "count": ("count", *RANGE),
    "count, by flow": ("count", *RANGE, "--by", "flow"),
    "doctor": ("doctor",),
    "demo": ("demo", "--instances", "500", "--latency", "0"),
    "emulate": ("emulate", "--instances", "10"),
    "board": ("board",),
    "help": ("--help",),
    "help of scan": ("scan", "--help"),
    "version": ("--version",),
}
IN_FILES = [
    name
    for name, words in COMMANDS.items()
    if any("{file}" in word for word in words) and "checkpoint" not in name
]
SERVERS = ("emulate", "board")
WITHOUT_SERVICE = ("demo", *SERVERS, "help", "help of scan", "version")
ON_OUTPUT = [name for name in COMMANDS if name not in IN_FILES and "checkpoint" not in name]
ASKING = [name for name in COMMANDS if name not in WITHOUT_SERVICE]
_QUIET_START = 0.3
"""Seconds in which the program starts and says its version on a quiet machine of 2026."""
FULL = "error: standard output cannot be written: No space left on device\n"
_SLOW = ("waiting for the service since", "the service answers again")
CLOSED = "error: standard output is closed; open it, or name a file to write to\n"


@attrs.frozen
class Service:
    """An emulated service, and ids of finished instances."""

    url: str
    ids: tuple[str, ...]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with EmulatorProcess(instances=3_000, seed=1, days=3, missed=5) as emulator:
        read = run("scan", *RANGE, "--status", "SUCCESS", "--limit", "40", env=where(emulator.url))
        yield Service(emulator.url, tuple(json.loads(line)["instance_id"] for line in read.out.splitlines()))


def where(url: str) -> dict[str, str]:
    return {"AIOFLOWS_URL": url, "AIOFLOWS_USER_ID": "u", "AIOFLOWS_ORG_ID": "o"}


def words_of(name: str, service: Service, file: Path) -> list[str]:
    """Return the command line of a row of the table."""
    words = [word.format(file=file, ids="{ids}") for word in COMMANDS[name]]
    return command(*(one for word in words for one in (service.ids if word == "{ids}" else (word,))))


def redirected(words: list[str], how: str, url: str) -> Ended:
    """Run a command whose output a shell redirects."""
    done = subprocess.run(
        ["bash", "-c", f"{shlex.join(words)} {how}; exit ${{PIPESTATUS[0]}}"],
        env=environment(**where(url)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    # A busy machine may make any service slow for half a second, and a command says so.
    lines = [one for one in done.stderr.splitlines(keepends=True) if not one.startswith(_SLOW)]
    return Ended(done.returncode, done.stdout, "".join(lines))


def test_the_table_has_every_command() -> None:
    assert {str(one.name) for one in app.registered_commands} <= {words[0] for words in COMMANDS.values()}


@pytest.mark.parametrize("name", ON_OUTPUT)
def test_a_full_device_is_one_line(name: str, service: Service, tmp_path: Path) -> None:
    ended = redirected(words_of(name, service, tmp_path / "x"), ">/dev/full", service.url)
    assert (ended.code, ended.err) == (Exit.SINK, FULL)


@pytest.mark.parametrize("name", [one for one in ON_OUTPUT if one not in WITHOUT_SERVICE or one == "demo"])
def test_a_closed_output_is_one_line(name: str, service: Service, tmp_path: Path) -> None:
    """A server serves all the same, and help has nothing to lose."""
    ended = redirected(words_of(name, service, tmp_path / "x"), ">&-", service.url)
    assert (ended.code, ended.err) == (Exit.SINK, CLOSED)


@pytest.mark.parametrize("name", [one for one in ON_OUTPUT if one not in SERVERS])
def test_a_reader_that_leaves_ends_a_command_in_silence(name: str, service: Service, tmp_path: Path) -> None:
    words = words_of(name, service, tmp_path / "x")
    ended = redirected(words, "| head -1", service.url)
    assert ended.err == ""
    assert ended.code in ((Exit.COMPLETE, Exit.MISSING) if words[3] == "audit" else (Exit.COMPLETE,))
    assert redirected(words, "| true", service.url).err == ""


@pytest.mark.parametrize("name", IN_FILES)
def test_a_full_disk_is_one_line_and_leaves_no_target(name: str, service: Service, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "64k"):
        (tmp_path / "disk" / "other").write_bytes(b"x" * shutil.disk_usage(tmp_path / "disk").free)
        file = tmp_path / "disk" / "x"
        ended = redirected(words_of(name, service, file), "", service.url)
        assert (ended.code, ended.out, ended.err.count("\n")) == (Exit.SINK, "", 1), ended
        assert re.search("cannot be written: .*(No space left on device|disk is full)", ended.err)
        kept = {path.name for path in file.parent.iterdir() if not path.name.startswith(".")}
        assert kept == {"other"}


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own size."""
    folder.mkdir()
    made = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(made, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def slowness() -> float:
    """Return how many times longer a program starts here now than on a quiet machine: other programs share this one."""
    began = time.monotonic()
    assert run("--version").code == 0
    return max(1.0, (time.monotonic() - began) / _QUIET_START)


@pytest.mark.parametrize("dead", ["refused", "no TLS"])
@pytest.mark.parametrize("name", ASKING)
def test_a_service_that_cannot_be_reached_ends_a_command_within_two_seconds(
    name: str, dead: str, service: Service, tmp_path: Path
) -> None:
    url = service.url.replace("http:", "https:") if dead == "no TLS" else nobody()

    began = time.monotonic()
    ended = redirected(words_of(name, service, tmp_path / "x"), "", url)
    seconds = time.monotonic() - began
    assert seconds < 2 or seconds < 2 * slowness()
    assert ended.code == Exit.INCOMPLETE
    if name == "doctor":
        assert "✗ reach" in ended.out
        assert ended.err == ""
    else:
        assert (ended.out, ended.err.count("\n")) == ("", 1), ended
        assert ended.err.startswith("error: no TLS" if dead == "no TLS" else "error: no connection to")
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]


def nobody() -> str:
    """Return an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("as_json", [False, True], ids=["", "json"])
@pytest.mark.parametrize("name", ASKING)
def test_a_silent_service_is_waited_for_in_words_and_a_signal_ends_the_wait(
    name: str, as_json: bool, service: Service, tmp_path: Path
) -> None:
    """The first word comes within a second of the first request, which a program sends half a second after its start."""
    words = words_of(name, service, tmp_path / "x")
    if as_json and "-" in words:
        pytest.skip("both would write to standard output")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = environment(**where(f"http://127.0.0.1:{silent.getsockname()[1]}"))
        with started([*words, *(["--json"] if as_json else [])], env=env) as process:
            connection = silent.accept()[0]
            began = time.monotonic()
            assert process.stderr is not None
            first = process.stderr.readline()
            seconds = time.monotonic() - began
            process.terminate()
            _, rest = process.communicate()
            connection.close()
    assert seconds < 1 or seconds < slowness()
    assert process.returncode == Exit.TERMINATED
    assert rest.count("\n") == 1
    if as_json:
        assert [json.loads(line)["kind"] for line in (first, rest)] == ["waiting", "error"]
    else:
        assert first.startswith("waiting for the service since")
        assert rest.startswith("terminated")
