"""The commands as people run them: in a process of their own, against an emulated deployment."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aioflows.emulator import EmulatorProcess
from aioflows.export.draft import Draft
from aioflows.export.filesystem import FileSystem
from tests.support.commands import (
    PATIENCE,
    ROOT,
    Ended,
    command,
    environment,
    run,
    run_here,
    started,
    wait_until,
)
from tests.support.export_readers import content
from tests.support.long import long_but

SECRET = "canary-secret-8f21"
RANGE = ("--from", "2024-01-01T00:00+08:00", "--to", "2025-01-01T00:00+08:00")


def scan(emulator: EmulatorProcess, *more: str) -> tuple[str, ...]:
    return ("scan", "--url", emulator.url, "--user-id", "u", "--org-id", "o", *RANGE, *more)


def ids(lines: str) -> list[str]:
    return [json.loads(line)["instance_id"] for line in lines.splitlines()]


def summary(ended: Ended) -> str:
    """The beginning of the one line that an export ends with."""
    (line,) = ended.err.splitlines()
    return " · ".join(line.split(" · ")[:3])


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess(instances=2_000, seed=3) as served:
        yield served


@pytest.fixture(scope="module")
def locked() -> Iterator[EmulatorProcess]:
    with EmulatorProcess(instances=50, app_key="access", app_secret=SECRET) as served:
        yield served


class TestScan:
    def test_a_pipe_gets_every_instance_in_order_as_json_lines(self, emulator: EmulatorProcess) -> None:
        ended = run(*scan(emulator))
        rows = [json.loads(line) for line in ended.out.splitlines()]
        places = [(row["trigger_time"], row["instance_id"]) for row in rows]
        assert ended.code == 0
        assert not ended.err
        assert len(places) == 2_000
        assert places == sorted(set(places))

    def test_times_are_written_in_utc_or_in_the_zone_asked_for(self, emulator: EmulatorProcess) -> None:
        first = "2024-01-01T00:00:00"
        (utc,), (china,) = (
            [
                json.loads(line)["trigger_time"]
                for line in run(*scan(emulator, "--limit", "1", *more)).out.splitlines()
            ]
            for more in ((), ("--zone", "GMT+8", "--other-timezone", "GMT+8"))
        )
        assert utc.endswith("+00:00")
        assert china.startswith(first)
        assert china.endswith("+08:00")

    def test_a_file_grows_by_what_it_lacks(self, emulator: EmulatorProcess, tmp_path: Path) -> None:
        target = str(tmp_path / "out.jsonl")
        for more in (("--limit", "700"), (), ()):
            ended = run_here(*scan(emulator, "--append", "-o", target, *more))
            assert ended.code == 0, ended.err
        found = ids(Path(target).read_text())
        assert (len(found), len(set(found))) == (2_000, 2_000)

    def test_options_narrow_it_down(self, emulator: EmulatorProcess) -> None:
        ended = run_here(
            *scan(emulator, "--status", "FAIL", "--status", "timeout", "--type", "periodic", "--limit", "7"),
            *("--order-by", "-trigger_time", "--page-size", "50", "--concurrency", "4", "--rate", "500"),
        )
        rows = [json.loads(line) for line in ended.out.splitlines()]
        assert [row["trigger_time"] for row in rows] == sorted(
            (row["trigger_time"] for row in rows), reverse=True
        )
        assert {row["status"] for row in rows} <= {-1, 7}
        assert len(rows) == 7

    def test_a_file_appears_and_is_not_overwritten(self, emulator: EmulatorProcess, tmp_path: Path) -> None:
        target = tmp_path / "out.jsonl"
        first = run(*scan(emulator, "-o", str(target)))
        assert (first.code, first.out) == (0, "")
        kept = f"complete · {target}, {target.stat().st_size / 1e6:.1f} MB"
        assert summary(first) == f"{kept} · 2,000 rows"
        assert len(ids(target.read_text())) == 2_000
        second = run_here(*scan(emulator, "-o", str(target)))
        assert second.code == 2
        assert (
            second.err == f"error: {str(target)!r} exists; give overwrite=True (--overwrite) to replace it\n"
        )
        third = run_here(*scan(emulator, "-o", str(target), "--resume"))
        assert (third.code, summary(third)) == (
            0,
            f"{kept} · 2,000 of 2,000 instances were written by earlier runs",
        )
        assert len(ids(target.read_text())) == 2_000

    def test_a_file_that_was_cut_off_is_gone_on_with(self, emulator: EmulatorProcess, tmp_path: Path) -> None:
        target, whole = tmp_path / "out.csv", tmp_path / "whole.csv"
        narrow = ("--columns", "instance_id,status", "--page-size", "50", "--concurrency", "1")
        with started(command(*scan(emulator, "-o", str(target), "--rate", "8", *narrow))) as process:
            wait_until((tmp_path / ".out.csv.aioflows" / "journal.json").exists, process)
            process.kill()
        assert not target.exists()
        refused = run_here(*scan(emulator, "-o", str(target), *narrow))
        assert refused.code == 2
        assert "give resume=True (--resume) to go on" in refused.err
        assert run_here(*scan(emulator, "-o", str(target), "--resume", *narrow)).code == 0
        assert run_here(*scan(emulator, "-o", str(whole), *narrow)).code == 0
        assert target.read_bytes() == whole.read_bytes()
        assert len(target.read_bytes().splitlines()) == 2_001

    def test_two_exports_of_one_file_are_one_too_many(
        self, emulator: EmulatorProcess, tmp_path: Path
    ) -> None:
        target = tmp_path / "out.jsonl"
        other = Draft(target, "other", FileSystem())
        other.enter()
        refused = run(*scan(emulator, "-o", str(target)))
        other.leave()
        assert refused.code == 6
        words = f"error: {target} is being written by another export; wait for its end, or use another name; {target} was not written\n"
        assert refused.err == words

    @pytest.mark.parametrize("name", ["out.parquet", "days/", "out.sqlite", "out.duckdb", "out.csv"])
    def test_a_name_tells_the_format(self, emulator: EmulatorProcess, name: str, tmp_path: Path) -> None:
        more = ("--columns", "instance_id,task_id", "--tasks", "--limit", "20")
        ended = run_here(*scan(emulator, "-o", f"{tmp_path}/{name}", *more))
        assert (ended.code, ended.out) == (0, "")
        assert summary(ended).startswith(f"as many as asked for · {tmp_path}/{name}, ")
        rows = content(tmp_path / name)
        assert len({row["instance_id"] for row in rows}) == 20
        assert len(rows) > 20
        assert all(row["task_id"] for row in rows)

    def test_a_reader_that_has_enough_ends_it_quietly(self, emulator: EmulatorProcess) -> None:
        with started(command(*scan(emulator))) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.close()
            assert told(process) == (0, "")

    @pytest.mark.parametrize(
        ("number", "code", "words"),
        [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n")],
    )
    def test_a_signal_ends_it_with_one_line_though_nobody_reads(
        self, emulator: EmulatorProcess, number: signal.Signals, code: int, words: str
    ) -> None:
        with started(command(*scan(emulator))) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it runs, and soon waits for us to read more
            process.send_signal(number)
            assert told(process) == (code, words)

    @pytest.mark.parametrize(
        "arguments",
        long_but(
            ("report", *RANGE),
            of=[
                ("report", *RANGE),
                ("audit", *RANGE),
                ("audit", *RANGE, "--json"),
                ("demo", "--instances", "500", "--latency", "0"),
                ("emulate", "--instances", "10"),
                ("scan", "--help"),
                ("--version",),
            ],
        ),
        ids=" ".join,
    )
    @pytest.mark.parametrize("closed", [False, True], ids=["full", "closed"])
    def test_every_command_says_in_one_line_that_its_output_cannot_be_written(
        self, emulator: EmulatorProcess, arguments: tuple[str, ...], closed: bool
    ) -> None:
        if closed and arguments[0] in ("scan", "emulate", "--version"):
            pytest.skip("it serves all the same, or has nothing to lose")
        where = {"AIOFLOWS_URL": emulator.url, "AIOFLOWS_USER_ID": "u", "AIOFLOWS_ORG_ID": "o"}
        redirected = f"exec {shlex.join(command(*arguments))} {'>&-' if closed else '>/dev/full'}"
        done = subprocess.run(
            ["sh", "-c", redirected],
            env=environment(**where),
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        told = (
            "is closed; open it, or name a file" if closed else "cannot be written: No space left on device"
        )
        assert (done.returncode, done.stderr.count("\n")) == (6, 1)
        assert f"standard output {told}" in done.stderr

    def test_a_full_device_is_a_failure_of_the_output(self, emulator: EmulatorProcess) -> None:
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                command(*scan(emulator)),
                env=environment(),
                stdout=full,
                stderr=subprocess.PIPE,
                timeout=PATIENCE,
                check=False,
            )
        assert done.returncode == 6
        assert done.stderr == b"error: standard output cannot be written: No space left on device\n"


class TestService:
    def where(self, locked: EmulatorProcess) -> dict[str, str]:
        return {
            "AIOFLOWS_URL": locked.url,
            "AIOFLOWS_USER_ID": "u",
            "AIOFLOWS_ORG_ID": "o",
            "AIOFLOWS_ACCESS_KEY": "access",
        }

    def test_everything_may_come_from_the_environment(self, locked: EmulatorProcess) -> None:
        ended = run("scan", *RANGE, env=self.where(locked) | {"AIOFLOWS_SECRET_KEY": SECRET})
        assert ended.code == 0
        assert len(ids(ended.out)) == 50

    def test_a_wrong_secret_is_refused_and_not_shown(self, locked: EmulatorProcess, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text(SECRET + "x\n")
        ended = run_here("scan", *RANGE, "--secret-file", str(tmp_path / "secret"), env=self.where(locked))
        assert ended.code == 3
        assert ended.err.startswith("error: ")
        assert "check AIOFLOWS_ACCESS_KEY" in ended.err
        assert SECRET not in ended.err + ended.out

    def test_a_user_whom_the_service_does_not_know_is_refused(self, emulator: EmulatorProcess) -> None:
        ended = run_here("scan", "--url", emulator.url, "--user-id", "nobody", "--org-id", "o", *RANGE)
        assert ended.code == 3
        assert "check --user-id and --org-id" in ended.err
        assert len(ended.err.splitlines()) == 1

    def test_an_address_without_service_is_incomplete(self, emulator: EmulatorProcess) -> None:
        ended = run_here(
            "scan", "--url", emulator.url + "/nowhere", "--user-id", "u", "--org-id", "o", *RANGE
        )
        assert ended.code == 4
        assert len(ended.err.splitlines()) == 1

    def test_what_cannot_be_proven_is_a_violation(self, emulator: EmulatorProcess) -> None:
        ended = run_here(*scan(emulator, "--server-timezone", "GMT+3"))
        assert ended.code == 5
        assert len(ended.err.splitlines()) == 1


class TestDemo:
    def test_it_proves_that_nothing_is_missing(self) -> None:
        ended = run(
            "demo", "--instances", "1500", "--page-size", "100", "--latency", "1ms", env={"FORCE_COLOR": "1"}
        )
        assert ended.code == 0
        assert "✓ complete   1,500 of 1,500 instances, each exactly once" in ended.out
        assert "✓ in order   strictly ascending" in ended.out
        assert "\x1b" not in ended.out

    def test_it_survives_faults_in_any_order(self) -> None:
        ended = run_here(
            "demo", "--instances", "1500", "--order", "none", "--faults", "0.1", "--profile", "midnight"
        )
        assert ended.code == 0
        assert "no instance came twice" in ended.out


class TestEmulate:
    def test_its_example_reads_it(self) -> None:
        emulate = command("emulate", "--instances", "300", "--page-cap", "40", "--set", "ties=unstable")
        with started(emulate) as process:
            assert process.stdout is not None
            example = next(line for line in process.stdout if line.startswith("  aioflows scan"))
            ended = run(*shlex.split(example)[1:])
            process.send_signal(signal.SIGINT)
            assert told(process)[0] == 0
        assert ended.code == 0
        assert len(ids(ended.out)) == 300


class TestInstallation:
    def test_without_its_extra_one_line_says_what_to_install(self) -> None:
        program = (
            "import sys; sys.modules['typer'] = None; from aioflows.__main__ import main; sys.exit(main())"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == 2
        assert done.stderr == "the command line needs typer and rich: install enos-aioflows[cli]\n"


def told(process: subprocess.Popen[Any]) -> tuple[int, str]:
    """Wait for the end of a command that needs no reader any more; give its exit code and what it complained."""
    assert process.stderr is not None
    return process.wait(PATIENCE), process.stderr.read()
