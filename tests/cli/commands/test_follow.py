"""``aioflows follow`` as people run it: in a process of its own, beside a service in which instances appear."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aioflows.emulator import Emulator
from tests.support.commands import PATIENCE, command, environment, run_here

pytestmark = pytest.mark.real_time

PACE = ("--settle-time", "1", "--min-wait", "0.1", "--max-wait", "0.2")


def now() -> int:
    return int(time.time() * 1000)


def moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


def follow(emulator: Emulator, since: int, *more: str) -> tuple[str, ...]:
    where = ("--url", emulator.url, "--user-id", "u", "--org-id", "o")
    return ("follow", *where, "--since", moment(since), *PACE, *more)


async def started(arguments: Sequence[str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command(*arguments),
        env=environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def ids(lines: bytes) -> list[str]:
    return [json.loads(line)["instance_id"] for line in lines.splitlines()]


def stopped(err: bytes, word: str) -> tuple[int, list[str]]:
    """How many rows a line says were written, and the words of the command that it says goes on."""
    assert err.count(b"\n") == 1, err.decode()
    said = err.decode().strip().split("; ")
    assert said[0].startswith(word), said
    own = shlex.split(said[-1].removeprefix("to resume, run: "))
    assert own[:3] == [sys.executable, "-m", "aioflows"]
    (written,) = (one for one in said if one.endswith(" instances were written"))
    return int(written.split()[0].replace(",", "")), own[3:]


async def live(emulator: Emulator, until: int) -> list[str]:
    names: list[str] = []
    while now() < until:
        names.append(emulator.insert(now() - 100, type=len(names) % 3, status=2))
        await asyncio.sleep(0.05)
    return names


@pytest.mark.long
async def test_it_writes_what_appears_and_ends_where_it_was_told() -> None:
    async with Emulator(instances=50) as emulator:
        since = now()
        process = await started(follow(emulator, since - 1_000, "--until", moment(since + 2_500)))
        names = await live(emulator, since + 2_400)
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert sorted(ids(out)) == sorted(names)


@pytest.mark.long
async def test_with_a_checkpoint_it_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE), Emulator(instances=50) as emulator:
        since = now()
        arguments = follow(
            emulator,
            since - 1_000,
            *("--until", moment(since + 5_000), "--changes", "--checkpoint", str(tmp_path / "mark.json")),
        )
        living = asyncio.create_task(live(emulator, since + 4_000))
        first = await started(arguments)
        assert first.stdout is not None
        before = b"".join([await first.stdout.readline() for _ in range(10)])
        first.send_signal(signal.SIGTERM)
        rest, err = await first.communicate()
        assert first.returncode == 143
        written, way_on = stopped(err, "terminated")
        assert written == len((before + rest).splitlines()) >= 10
        assert way_on == list(arguments)
        second = await started(way_on)
        names = await living
        for name in names:
            emulator.set_status(name, 1)
        after, err = await second.communicate()
    assert (second.returncode, err) == (0, b"")
    rows = [json.loads(line) for line in (before + rest + after).splitlines()]
    assert sorted({row["instance_id"] for row in rows}) == sorted(names)
    finished = [row["instance_id"] for row in rows if row["status"] == 1]
    assert sorted(finished) == sorted(names)
    assert os.listdir(tmp_path) == ["mark.json"]  # noqa: PTH208  (nothing waits for it)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--checkpoint", "/nowhere/mark"], "there is no folder '/nowhere'"),
        (["--checkpoint", "README.md"], "not a checkpoint of aioflows"),
        (["--since", "noon"], "--since 'noon' is not a time"),
        (["--settle-time", "-1"], "settle_time must be a number of seconds"),
        (["--min-wait", "5", "--max-wait", "1"], "min_wait must be more than 0 seconds"),
        (["--least", "5", "--most", "1"], "min_wait must be more than 0 seconds"),
    ],
)
def test_wrong_usage_is_one_line(more: list[str], words: str) -> None:
    ended = run_here("follow", "--url", "http://127.0.0.1:1", "--user-id", "u", "--org-id", "o", *more)
    assert ended.code == 2
    assert words in ended.err
    assert len(ended.err.splitlines()) == 1
