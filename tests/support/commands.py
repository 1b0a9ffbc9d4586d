"""How tests run the command line: in another process, as people do, or in this one, which is much cheaper."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import attrs
import pytest

from aioflows.cli import app

ROOT = Path(__file__).parents[2]
PATIENCE = 120
"""Seconds. A command that takes longer hangs, and is killed."""


@attrs.frozen
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """The environment of a command: nothing of ours that it would take for its own."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIOFLOWS_", "NO_COLOR"))
    }
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "COLUMNS": "100"} | more


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "aioflows", *arguments]


def run(*arguments: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end."""
    done = subprocess.run(
        command(*arguments),
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


def run_here(*arguments: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end in this process, which spares it the imports of a new one."""
    hung_up = signal.getsignal(signal.SIGHUP)  # which the command's loop sets to the default
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8") as err,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name in os.environ.keys() - environment().keys():
            patch.delenv(name)
        for name, value in environment(**(env or {})).items():
            patch.setenv(name, value)
        with redirect_stdout(out), redirect_stderr(err):
            code = app.run(arguments)
        signal.signal(signal.SIGHUP, hung_up)
        out.seek(0)
        err.seek(0)
        return Ended(int(code), out.read(), err.read())


@contextmanager
def started(arguments: Sequence[str], **how: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a program that is looked at while it runs.

    One that hangs is killed, so that every read of its output ends.
    """
    usual: dict[str, Any] = {"env": environment(), "text": True, "stdin": subprocess.DEVNULL}
    usual |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(arguments, **usual | how) as process:
        hangs = threading.Timer(PATIENCE, process.kill)
        hangs.start()
        try:
            yield process
        finally:
            hangs.cancel()
            process.kill()


def wait_until(seen: Callable[[], bool], process: subprocess.Popen[Any]) -> None:
    """Wait until something is to be seen of a process that runs."""
    while not seen():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
