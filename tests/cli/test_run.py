"""How an export ends that cannot end well: one line, the right code, the old target as it was, and a way on that ends the same.

Everything here is a process of its own, and waits for what it can see of it, never for time.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from aioflows.emulator import EmulatorProcess
from tests.support.commands import PATIENCE, Ended, command, environment, run, run_here, started, wait_until
from tests.support.export_readers import ENDINGS, content
from tests.support.long import long_but

TAKE_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
RANGE = ("--from", "2024-01-01T00:00+08:00", "--to", "2025-01-01T00:00+08:00")
ROWS = 3_000
SLOW = ("--page-size", "50", "--concurrency", "1", "--rate", "3")
"""So that it takes 20 s, of which the first second is waited for."""


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess(instances=ROWS, seed=3) as served:
        yield served


def scan(emulator: EmulatorProcess, target: str | Path, *more: str) -> tuple[str, ...]:
    return (
        "scan",
        "--url",
        emulator.url,
        "--user-id",
        "u",
        "--org-id",
        "o",
        *RANGE,
        "-o",
        str(target),
        *more,
    )


def began(*arguments: str, before: str = "") -> AbstractContextManager[subprocess.Popen[Any]]:
    """Begin a command, in whose process a program runs before it does."""
    return started([*prepared(before), *arguments] if before else command(*arguments))


def prepared(before: str) -> list[str]:
    then = "import os, sys; os.execv(sys.executable, [sys.executable, '-m', 'aioflows', *sys.argv[1:]])"
    return [sys.executable, "-c", f"{before}\n{then}"]


def over(process: subprocess.Popen[Any]) -> Ended:
    out, err = process.communicate(timeout=PATIENCE)
    return Ended(process.returncode, out, err)


def named(folder: Path, ending: str) -> str:
    return f"{folder}/out{ending}"


def draft(folder: Path, ending: str) -> Path:
    return folder / f".out{ending.rstrip('/')}.aioflows"


@pytest.fixture(scope="module")
def whole(emulator: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], object]:
    """Gives what an undisturbed run makes, for each ending; read once."""

    @functools.cache
    def made(ending: str) -> object:
        folder = tmp_path_factory.mktemp("whole")
        assert run_here(*scan(emulator, named(folder, ending))).code == 0
        return content(folder / f"out{ending}")

    return made


def refused(ended: Ended, name: str) -> bool:
    """Whether one line says that it cannot be written, why, and that it is not."""
    return (
        (ended.code, ended.out, ended.err.count("\n")) == (6, "", 1)
        and ended.err.startswith(f"error: {name} cannot be written: ")
        and f"; {name} was not written" in ended.err
    )


def way_on(line: str) -> tuple[str, ...]:
    """The command that a line says goes on, without the program."""
    own = shlex.split(line.strip().partition("to resume, run: ")[2])
    assert own[:3] == [sys.executable, "-m", "aioflows"]
    return tuple(own[3:])


class TestSignals:
    @pytest.mark.parametrize(
        ("number", "code", "word"),
        [
            pytest.param(signal.SIGINT, 130, "interrupted", marks=pytest.mark.long),
            (signal.SIGTERM, 143, "terminated"),
            pytest.param(signal.SIGHUP, 129, "hung up", marks=pytest.mark.long),
        ],
        ids=lambda one: getattr(one, "name", ""),
    )
    def test_one_line_says_what_is_kept_and_its_command_goes_on(
        self,
        emulator: EmulatorProcess,
        number: signal.Signals,
        code: int,
        word: str,
        tmp_path: Path,
        whole: Callable[[str], object],
    ) -> None:
        target = tmp_path / "it's out.csv"  # which a shell would not take as it is
        with began(*scan(emulator, target, *SLOW)) as process:
            wait_until((tmp_path / ".it's out.csv.aioflows" / "journal.json").exists, process)
            process.send_signal(number)
            ended = over(process)
        assert (ended.code, ended.out) == (code, "")
        assert ended.err.count("\n") == 1
        assert ended.err.startswith(f"{word}; ")
        assert f"instances are kept; {target} was not written; to resume, run: " in ended.err
        assert not target.exists()
        told = int(ended.err.split("; ")[1].split()[0].replace(",", ""))
        words = [word for word in way_on(ended.err) if word not in ("--rate", "3")]
        done = run_here(*words, "--json")
        account = json.loads(done.err.splitlines()[-1])
        assert done.code == 0
        assert account["rows_before"] == told > 0
        assert account["rows"] == ROWS
        rows = content(target)
        assert rows == whole(".csv")

    def test_what_has_nothing_yet_says_so(self, emulator: EmulatorProcess, tmp_path: Path) -> None:
        with began(*scan(emulator, tmp_path / "out.csv", "--rate", "0.01")) as process:
            wait_until((tmp_path / ".out.csv.aioflows" / "lock").exists, process)
            process.send_signal(signal.SIGINT)
            ended = over(process)
        assert (ended.code, ended.err) == (130, f"interrupted; {tmp_path / 'out.csv'} was not written\n")
        assert not list(tmp_path.iterdir())

    def test_the_second_interrupt_ends_it_at_once_though_its_loop_stands_still(self) -> None:
        program = (
            "import asyncio, sys, threading\n"
            "from aioflows.cli.run import run_command\n"
            "async def work():\n"
            "    print('ready', flush=True)\n"
            "    try:\n"
            "        await asyncio.Event().wait()\n"
            "    finally:\n"
            "        print('stopping', flush=True)\n"
            "        threading.Event().wait()\n"
            "sys.exit(run_command(work))\n"
        )
        with started([sys.executable, "-c", program]) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "stopping\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 130

    def test_a_terminal_that_is_closed_leaves_what_can_be_gone_on_with(
        self, emulator: EmulatorProcess, tmp_path: Path, whole: Callable[[str], object]
    ) -> None:
        ours, theirs = pty.openpty()
        with started(
            [*prepared(TAKE_TERMINAL), *scan(emulator, tmp_path / "out.jsonl", *SLOW)],
            env=environment(TERM="xterm"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as process:
            os.close(theirs)
            os.set_blocking(ours, False)

            def written() -> bool:
                with contextlib.suppress(OSError):
                    os.read(ours, 65_536)  # a terminal that is full would stop it
                return (tmp_path / ".out.jsonl.aioflows" / "journal.json").exists()

            wait_until(written, process)
            os.close(ours)
            assert process.wait(PATIENCE) == 129
        assert not (tmp_path / "out.jsonl").exists()
        done = run_here(*scan(emulator, tmp_path / "out.jsonl", "--resume", "--page-size", "50", "--json"))
        assert json.loads(done.err.splitlines()[-1])["rows_before"] > 0
        assert content(tmp_path / "out.jsonl") == whole(".jsonl")

    def test_what_is_to_outlive_its_terminal_does(self, emulator: EmulatorProcess, tmp_path: Path) -> None:
        slow = ("--page-size", "500", "--concurrency", "1", "--rate", "8")
        with began(
            *scan(emulator, tmp_path / "out.jsonl", *slow),
            before="import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)",  # as nohup does
        ) as process:
            wait_until((tmp_path / ".out.jsonl.aioflows" / "lock").exists, process)
            process.send_signal(signal.SIGHUP)
            ended = over(process)
        assert (ended.code, ended.out, ended.err.count("\n")) == (0, "", 1)
        assert len(list(content(tmp_path / "out.jsonl"))) == ROWS


def no_room(size: int) -> str:
    """Lets a process write files of so many bytes, as a small disk would."""
    return f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
"""


# PR_CAPBSET_DROP, CAP_DAC_OVERRIDE: permissions bind the program that follows, though it is root's.
AS_ANYBODY = "import ctypes, os; os.geteuid() or ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)"


def bound(folder: Path) -> bool:
    """Whether permissions really bind such a program."""
    touch = ["touch", str(folder / "x")]
    then = f"import os; os.execvp('touch', {touch!r})"
    done = subprocess.run([sys.executable, "-c", f"{AS_ANYBODY}\n{then}"], capture_output=True, check=False)
    return done.returncode != 0


def mountable(folder: Path) -> bool:
    with contextlib.suppress(pytest.skip.Exception), disk(folder, "1m"):
        return True
    return False


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


@pytest.mark.parametrize("ending", long_but(".csv", of=ENDINGS))
class TestRoom:
    def test_no_room_is_one_line_and_leaves_the_old_and_a_way_on(
        self, emulator: EmulatorProcess, ending: str, tmp_path: Path, whole: Callable[[str], object]
    ) -> None:
        """Files may not grow: the nearest to a full disk where none can be mounted, and once where one can."""
        if ending != ".csv" and mountable(tmp_path / "disk"):
            pytest.skip("a disk that is really full is what the next test has")
        old = ("--columns", "instance_id", "--limit", "3", "--overwrite")
        assert run_here(*scan(emulator, named(tmp_path, ending), *old)).code == 0
        before = content(tmp_path / f"out{ending}")
        words = scan(emulator, named(tmp_path, ending), "--overwrite")
        with began(*words, before=no_room(2_000 if ending.endswith("/") else 40_000)) as process:
            ended = over(process)
        assert refused(ended, named(tmp_path, ending)), ended
        assert content(tmp_path / f"out{ending}") == before
        done = run_here(*words, "--resume", "--quiet")
        assert (done.code, done.err) == (0, "")
        assert content(tmp_path / f"out{ending}") == whole(ending)

    def test_a_disk_that_is_full_is_one_line_and_leaves_the_old_and_a_way_on(
        self, emulator: EmulatorProcess, ending: str, tmp_path: Path, whole: Callable[[str], object]
    ) -> None:
        with disk(tmp_path / "disk", "48m"):
            folder = tmp_path / "disk"
            old = ("--columns", "instance_id", "--limit", "3")
            assert run_here(*scan(emulator, named(folder, ending), *old)).code == 0
            before = content(folder / f"out{ending}")
            (folder / "else").write_bytes(b"x" * (shutil.disk_usage(folder).free - 50_000))
            words = scan(emulator, named(folder, ending), "--overwrite")
            ended = run(*words)
            assert refused(ended, named(folder, ending)), ended
            assert content(folder / f"out{ending}") == before
            (folder / "else").unlink()
            done = run_here(*words, "--resume", "--quiet")
            assert (done.code, done.err) == (0, "")
            assert content(folder / f"out{ending}") == whole(ending)

    def test_a_folder_that_takes_nothing_is_one_line(
        self, emulator: EmulatorProcess, ending: str, tmp_path: Path
    ) -> None:
        """Names are longer than a file system takes, which stops root as well."""
        name = f"{tmp_path}/{'x' * 245}{ending}"
        ended = run_here(*scan(emulator, name))
        assert (ended.code, ended.out, ended.err.count("\n")) == (6, "", 1), ended
        assert "cannot be written: File name too long" in ended.err
        assert not list(tmp_path.iterdir())

    def test_a_folder_that_may_not_be_written_is_one_line_and_leaves_the_old(
        self, emulator: EmulatorProcess, ending: str, tmp_path: Path
    ) -> None:
        folder = tmp_path / "locked"
        folder.mkdir()
        assert run_here(*scan(emulator, named(folder, ending), "--limit", "3")).code == 0
        shutil.rmtree(draft(folder, ending), ignore_errors=True)
        before = content(folder / f"out{ending}")
        folder.chmod(0o555)
        if not bound(folder):
            pytest.skip("this process may write wherever it likes, and cannot give that up")
        with began(*scan(emulator, named(folder, ending), "--overwrite"), before=AS_ANYBODY) as process:
            ended = over(process)
        folder.chmod(0o755)
        name = named(folder, ending)
        words = f"error: {name} cannot be written: Permission denied; {name} was not written\n"
        assert ended == Ended(6, "", words)
        assert content(folder / f"out{ending}") == before

    def test_of_two_exports_one_is_told_that_it_is_too_many(
        self, emulator: EmulatorProcess, ending: str, tmp_path: Path
    ) -> None:
        name = named(tmp_path, ending)
        with began(*scan(emulator, name, "--rate", "0.01")) as first:
            wait_until((draft(tmp_path, ending) / "lock").exists, first)
            second = run_here(*scan(emulator, name))
            assert (second.code, second.out) == (6, "")
            words = f"error: {name} is being written by another export; wait for its end, or use another name; {name} was not written\n"
            assert second.err == words
            first.send_signal(signal.SIGTERM)
            assert over(first).code == 143
        assert run_here(*scan(emulator, name, "--quiet")) == Ended(0, "", "")

    def test_what_exists_and_what_is_something_else_is_refused_before_anything_is_sent(
        self, ending: str, tmp_path: Path
    ) -> None:
        where = ("scan", "--url", "http://127.0.0.1:1", "--user-id", "u", "--org-id", "o", *RANGE, "-o")
        folder = ending.endswith("/")
        (tmp_path / f"out{ending}").touch() if not folder else (tmp_path / "out.parquet").mkdir()
        there = run_here(*where, named(tmp_path, ending))
        assert (there.code, there.err.count("\n")) == (2, 1)
        assert "exists; give overwrite=True (--overwrite) to replace it" in there.err
        if ending == ".parquet":
            return  # a folder of that name is one by days
        other = tmp_path / "other"
        other.mkdir()
        (other / f"out{ending}").mkdir() if not folder else (other / "out.parquet").touch()
        mixed = run_here(*where, named(other, ending), "--overwrite")
        assert (mixed.code, mixed.err.count("\n")) == (2, 1)
        assert "is a folder" in mixed.err or "means a folder" in mixed.err


def test_a_pipe_that_is_closed_ends_a_csv_quietly(emulator: EmulatorProcess) -> None:
    with began(*scan(emulator, "-", "--format", "csv")) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == ""


class TestMachines:
    def test_everything_on_standard_error_is_an_object_with_its_kind(
        self, emulator: EmulatorProcess, tmp_path: Path
    ) -> None:
        ended = run(*scan(emulator, tmp_path / "out.csv", "--json", "--page-size", "100", "--rate", "12"))
        said = [json.loads(line) for line in ended.err.splitlines()]
        assert (ended.code, ended.out) == (0, "")
        assert [one["kind"] for one in said[:-1]] == ["progress"] * (len(said) - 1)
        assert len(said) > 1
        shares = [one["share"] for one in said[:-1]]
        assert shares == sorted(shares)
        account = said[-1]
        assert account["kind"] == "account"
        assert (account["outcome"], account["rows"], account["rows_before"]) == ("complete", ROWS, 0)
        assert account["bytes"] == (tmp_path / "out.csv").stat().st_size
        assert account["least_requests"] == 30 <= account["requests"]
        assert sum(account["proofs"].values()) == account["windows"]
        assert (account["from_time"], account["to_time"]) == (
            "2023-12-31T16:00:00+00:00",
            "2024-12-31T16:00:00+00:00",
        )

    def test_an_error_is_an_object_too(self, emulator: EmulatorProcess, tmp_path: Path) -> None:
        ended = run_here(*scan(emulator, tmp_path / "no" / "out.csv", "--json"))
        said = json.loads(ended.err)
        assert (ended.code, said["kind"], said["exit"]) == (2, "error", 2)
        assert "there is no folder" in said["message"]

    def test_quiet_says_nothing_even_to_a_machine(self, emulator: EmulatorProcess, tmp_path: Path) -> None:
        assert run_here(*scan(emulator, tmp_path / "out.csv", "--json", "--quiet")) == Ended(0, "", "")
