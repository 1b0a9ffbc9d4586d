"""Exports to an S3 server: there whole or not at all, also if the process is killed; and what is wrong is told."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("s3fs", reason="s3fs is not installed (pip install 'enos-aioflows[s3]')")
pytest.importorskip(
    "moto.server", reason="moto is not installed (pip install 'enos-aioflows[test-object-stores]')"
)

import s3fs
from moto.server import ThreadedMotoServer

from aioflows import FlowQuery, FlowSession
from aioflows.emulator import EmulatorProcess
from aioflows.export import SinkError, export
from aioflows.export.object_store.store import ObjectStore
from tests.support.export_cases import QUERY, START, Quick, Rows, Timed, instances
from tests.support.export_readers import content
from tests.support.object_stores import below, stored

pytestmark = [pytest.mark.long, pytest.mark.real_time]

ENDINGS = (".jsonl", ".csv", ".csv.gz", ".jsonl.zst", ".parquet", ".parquet/", ".sqlite", ".duckdb")
DAYS = 10
EXPORT = """
import asyncio, sys
from aioflows import FlowQuery, FlowSession, Limits
from aioflows.export import export

async def main(way, url, begin, end, target):
    limits = Limits(page_size=50, concurrency=4)
    async with FlowSession(url, user_id="u", org_id="o", limits=limits) as session:
        await export(session, FlowQuery(int(begin), int(end)), target, every=150, **{way: True})

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def options(endpoint: str) -> dict[str, Any]:
    return {"endpoint_url": endpoint, "key": "the-key", "secret": "c0ffee-c0ffee"}


@pytest.fixture
def files(options: dict[str, Any]) -> Any:
    files = s3fs.S3FileSystem(**options, skip_instance_cache=True)
    if not files.exists("bucket"):
        files.mkdir("bucket")
    return files


@pytest.mark.parametrize("ending", ENDINGS)
async def test_an_object_holds_what_a_file_holds(
    files: Any, options: dict[str, Any], ending: str, tmp_path: Path
) -> None:
    """The rows on the server are those of a file, and a resumed export of the finished target reads nothing."""
    target = f"bucket/{tmp_path.name}/out{ending}"
    await export(Rows(instances(95)), QUERY, f"s3://{target}", every=10, storage_options=options)
    (tmp_path / "disk").mkdir()
    await export(Rows(instances(95)), QUERY, f"{tmp_path}/disk/out{ending}")
    assert stored(files, target, tmp_path) == content(tmp_path / "disk" / f"out{ending}".rstrip("/"))
    again = Rows(instances(95))
    await export(again, QUERY, f"s3://{target}", resume=True, storage_options=options)
    assert again.handed == 0
    assert below(files, f"bucket/{tmp_path.name}/.out{ending.rstrip('/')}.aioflows") == ["journal.json"]


async def test_a_large_object_is_uploaded_in_parts(
    files: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    """An object of more than one part of an upload holds every byte."""
    rows = [*instances(300)] * 400
    await export(Rows(rows, page=2_000), QUERY, "s3://bucket/large.csv", storage_options=options)
    await export(Rows(rows, page=2_000), QUERY, tmp_path / "large.csv")
    assert files.cat_file("bucket/large.csv") == (tmp_path / "large.csv").read_bytes()
    assert (tmp_path / "large.csv").stat().st_size > 2 * 8 * 2**20


@pytest.mark.parametrize(
    ("bucket", "changes", "words"),
    [
        ("no-such-bucket", {}, "the store does not find it: .*check the name of the bucket"),
        ("bucket", {"endpoint_url": "http://127.0.0.1:9"}, "cannot be written: "),
        ("bucket", {"key": None, "secret": None}, "no credentials were found"),
    ],
)
async def test_a_wrong_set_up_is_one_clear_error_before_anything_is_read(
    files: Any,
    options: dict[str, Any],
    bucket: str,
    changes: dict[str, Any],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A missing bucket, a dead server and missing credentials are a SinkError that shows no secret."""
    for name in [one for one in os.environ if one.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    rows = Rows(instances(95))
    with pytest.raises(SinkError, match=words) as caught:
        await export(rows, QUERY, f"s3://{bucket}/out.csv", storage_options=options | changes)
    assert "c0ffee" not in str(caught.value)
    assert rows.handed == 0


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess(instances=30_000, seed=1) as emulator:
        yield emulator


def environment_for(endpoint: str) -> dict[str, str]:
    """The environment of a program that writes to the server."""
    return os.environ | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def run(arguments: list[str], environment: dict[str, str], life: float | None) -> int:
    """Run a program, which is killed after *life* seconds; give its exit code."""
    with subprocess.Popen(arguments, env=environment) as child:
        if life is not None:
            time.sleep(life)
            child.kill()
        return child.wait()


@pytest.mark.parametrize("ending", [".jsonl", ".csv.gz", ".parquet/", ".sqlite"])
async def test_exports_that_are_killed_again_and_again_end_with_every_row(
    files: Any, endpoint: str, emulator: EmulatorProcess, ending: str, tmp_path: Path
) -> None:
    """After each kill the target is not there or whole, and in the end it has the rows of an export to a file."""
    begin, end = emulator.start_ms, min(emulator.start_ms + DAYS * 86_400_000, emulator.end_ms)
    (tmp_path / "disk").mkdir()
    async with FlowSession(emulator.url, user_id="u", org_id="o") as session:
        await export(session, FlowQuery(begin, end), f"{tmp_path}/disk/out{ending}", every=150)
    whole = content(tmp_path / "disk" / f"out{ending}".rstrip("/"))
    environment = environment_for(endpoint)
    target, rng = f"bucket/{tmp_path.name}/out{ending}", random.Random(1)
    program = [sys.executable, "-c", EXPORT, "resume", emulator.url, str(begin), str(end)]
    began = time.monotonic()
    assert run([*program, f"s3://bucket/{tmp_path.name}/alone{ending}"], environment, None) == 0
    longest = time.monotonic() - began  # so that kills fall into the export, on any machine
    kills, runs, code = 0, 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        life = rng.uniform(0.4, 0.9) * longest if kills < 8 else None
        code = run([*program, f"s3://{target}"], environment, life)
        runs += 1
        kills += code != 0
        if not ending.endswith("/") and files.exists(target):
            scratch = tmp_path / f"after-{runs}"
            scratch.mkdir()
            assert sorted(map(repr, stored(files, target, scratch))) == sorted(map(repr, whole))
        files.invalidate_cache()
    assert code == 0
    assert kills > 0
    assert stored(files, target, tmp_path) == whole


def month(first: int, last: int) -> FlowQuery:
    """From the beginning of one day to that of another."""
    return FlowQuery(START + timedelta(days=first), START + timedelta(days=last))


@pytest.mark.parametrize("ending", [".csv", ".parquet/", ".duckdb"])
async def test_thirty_increments_hold_what_one_export_of_the_month_holds(
    files: Any, options: dict[str, Any], ending: str, tmp_path: Path
) -> None:
    """A target on the server that grows day by day has the rows of one export to a file."""
    rows, target = instances(30 * 24), f"bucket/{tmp_path.name}/out{ending}"
    for day in range(30):
        query = month(max(0, day - 1), day + 1)
        await export(
            Timed(rows), query, f"s3://{target}", append=True, storage_options=options, files=Quick()
        )
    (tmp_path / "disk").mkdir()
    await export(Timed(rows), month(0, 30), f"{tmp_path}/disk/out{ending}")
    assert stored(files, target, tmp_path) == content(tmp_path / "disk" / f"out{ending}".rstrip("/"))


@pytest.mark.parametrize("ending", [".csv.gz", ".sqlite"])
async def test_increments_that_are_killed_lose_and_repeat_no_row(
    files: Any, endpoint: str, emulator: EmulatorProcess, ending: str, tmp_path: Path
) -> None:
    """After each kill the object is the one of the day before or of this day, and in the end it has all rows."""
    environment, rng = environment_for(endpoint), random.Random(2)
    target, kills, span = f"bucket/{tmp_path.name}/out{ending}", 0, 0.0
    states: list[list[dict[str, Any]]] = [[]]
    (tmp_path / "disk").mkdir()
    began = time.monotonic()
    for day in range(4):
        begin, end = emulator.start_ms, emulator.start_ms + (day + 1) * 3 * 86_400_000
        async with FlowSession(emulator.url, user_id="u", org_id="o") as session:
            await export(session, FlowQuery(begin, end), f"{tmp_path}/disk/out{ending}", append=True)
        states.append(content(tmp_path / "disk" / f"out{ending}".rstrip("/")))
        program = [
            sys.executable,
            "-c",
            EXPORT,
            "append",
            emulator.url,
            str(begin),
            str(end),
            f"s3://{target}",
        ]
        code = -signal.SIGKILL
        while code == -signal.SIGKILL:
            life = rng.uniform(0.5, 1) * span if day and kills < 2 * day else None
            code = run(program, environment, life)
            kills += code != 0
            files.invalidate_cache()
            if files.exists(target):
                scratch = tmp_path / uuid.uuid4().hex
                scratch.mkdir()
                found = stored(files, target, scratch)
                assert found in states[-2:] or (ending.endswith("/") and found == states[-1][: len(found)])
        assert code == 0
        assert found == states[-1]
        span = time.monotonic() - began if not day else span
    assert kills > 0


async def test_a_server_refuses_to_replace_an_object_of_another_writer(
    files: Any, options: dict[str, Any]
) -> None:
    """An object that changes in the last moment before it is replaced stays, since the server compares its tag."""
    store = ObjectStore("s3://bucket/raced.csv", options)
    files.pipe_file("bucket/raced.csv", b"old")
    state = store.state("bucket/raced.csv")

    def fill(file: Any) -> None:
        file.write(b"mine")
        files.pipe_file("bucket/raced.csv", b"of another writer")

    with pytest.raises(SinkError, match="another program has replaced it meanwhile"):
        store.write("bucket/raced.csv", 4, fill, replaces=state)
    assert files.cat_file("bucket/raced.csv") == b"of another writer"
    store.write(
        "bucket/raced.csv", 4, lambda file: file.write(b"mine"), replaces=store.state("bucket/raced.csv")
    )
    assert files.cat_file("bucket/raced.csv") == b"mine"
