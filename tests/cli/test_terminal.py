"""What a person sees: the commands on a pseudo-terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import termios
import unicodedata
from collections.abc import Callable, Iterator

import pytest

from aioflows.emulator import EmulatorProcess
from tests.support.commands import PATIENCE, command, environment, started

RANGE = ("--from", "2024-01-01T00:00+08:00", "--to", "2025-01-01T00:00+08:00")
# What the screen itself uses: colours, cursor up, clearing of a line, hiding and showing of the cursor.
OWN_CODES = re.compile(r"\x1b\[(?:[0-9;]*m|[0-9]*A|2K|\?25[hl])")
COLOURS = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3[0-7]|4[0-7]|38|48|9[0-7])[0-9;]*m")


def shown(*arguments: str, answer: Callable[[str], bytes] = lambda _: b"", **more: str) -> tuple[int, str]:
    """Runs a command on a terminal of 100 columns; gives its exit code and all that came to the screen."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    env = environment(TERM="xterm-256color", **more)
    env.pop("COLUMNS")
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with started(command(*arguments), env=env, start_new_session=True, **streams) as process:
        os.close(theirs)
        content = b""
        with contextlib.suppress(OSError):  # Linux answers EIO when the other side has gone
            while part := os.read(ours, 65_536):
                content += part
                if reply := answer(content.decode(errors="replace")):
                    os.write(ours, reply)
        os.close(ours)
        return process.wait(PATIENCE), content.decode()


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    # With all rows in one second each has a flow of its own, so every hostile name that the emulator knows occurs.
    with EmulatorProcess(instances=1_000, profile="one-second") as served:
        yield served


@pytest.fixture(scope="module")
def screen(emulator: EmulatorProcess) -> tuple[int, str]:
    where = ("--url", emulator.url, "--user-id", "u", "--org-id", "o")
    return shown("scan", *where, *RANGE, "--page-size", "2000")


def test_a_scan_is_a_table_with_a_closing_line(screen: tuple[int, str]) -> None:
    code, content = screen
    # The bar is written over by what follows a carriage return.
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", OWN_CODES.sub("", content).rstrip())]
    rows = [line for line in lines if line.startswith("2024-")]
    assert code == 0
    assert sum(line.startswith("time UTC+08:00") for line in lines) == 1
    assert len(rows) == 1_000
    closing = lines[-2:]  # broken between words, since the terminal is narrower
    assert closing[0].startswith("complete · 1,000 rows · ")
    assert closing[1].endswith(" to 2025-01-01T00:00:00+08:00")
    assert all(len(line) <= 100 for line in closing)


def test_progress_moves_while_it_runs(screen: tuple[int, str]) -> None:
    assert "━" in screen[1]
    assert screen[1].count("\x1b[?25l") == screen[1].count("\x1b[?25h") == 1


def test_hostile_names_leak_no_control_character(screen: tuple[int, str]) -> None:
    left = OWN_CODES.sub("", screen[1]).replace("\r", "").replace("\n", "")
    leaked = {char for char in left if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert not leaked
    assert r"\x1b]0;title\x07" in left
    assert r"abc\u202edcba" in left


@pytest.fixture(scope="module")
def quiet(emulator: EmulatorProcess) -> str:
    where = ("--url", emulator.url, "--user-id", "u", "--org-id", "o")
    return shown("scan", *where, *RANGE, "--limit", "20", "--quiet", NO_COLOR="1")[1]


def test_no_color_means_no_colour(screen: tuple[int, str], quiet: str) -> None:
    assert COLOURS.search(screen[1])
    assert not COLOURS.search(quiet)


def test_quiet_means_the_rows_alone(quiet: str) -> None:
    assert len(quiet.splitlines()) == 21
    assert "━" not in quiet


def test_json_can_be_asked_for(emulator: EmulatorProcess) -> None:
    where = ("--url", emulator.url, "--user-id", "u", "--org-id", "o")
    _, content = shown("scan", *where, *RANGE, "--limit", "20", "-o", "-")
    assert all(line.startswith('{"instance_id":') for line in content.splitlines())


def test_a_demo_ends_with_its_account() -> None:
    code, content = shown("demo", "--instances", "1000", "--latency", "1ms")
    plain = OWN_CODES.sub("", content)
    assert code == 0
    assert "1,000 of 1,000 instances, each exactly once" in plain
    assert "Slowest flows" in plain
    assert COLOURS.search(content)


def test_a_secret_is_asked_for_and_not_echoed() -> None:
    asked: list[str] = []

    def type_it(screen: str) -> bytes:
        if "secret key:" not in screen or asked:
            return b""
        asked.append(screen)
        return b"canary-secret\n"

    with EmulatorProcess(instances=20, app_key="access", app_secret="canary-secret") as served:
        where = ("--url", served.url, "--user-id", "u", "--org-id", "o")
        code, content = shown("scan", *where, *RANGE, answer=type_it, AIOFLOWS_ACCESS_KEY="access")
    assert code == 0
    assert asked
    assert "canary-secret" not in content
