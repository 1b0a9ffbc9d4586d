"""Processes of Spark that are killed: no row is missing, and none is there twice.

python -m pytest -q -m long tests/spark/test_kills.py
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.commands import environment
from tests.support.emulator_thread import served
from tests.support.spark import MISSING, ROOT, exported

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc"),
]

PATIENCE = 300
"""Seconds. A Spark that takes longer hangs."""

BATCH = """
import sys
from types import SimpleNamespace
import aioflows.spark
from tests.support.spark import load, spark_session

url, start, end, out = sys.argv[1:]
spark = spark_session("local-cluster[2,1,1024]", **{"spark.executor.memory": "512m", "spark.task.maxFailures": "8"})
aioflows.spark.register(spark)
emulator = SimpleNamespace(url=url, start_ms=start, end_ms=end)
load(spark, emulator, partitions=6, page_size=100, columns="instance_id,trigger_time,status").write.parquet(out)
failed = [spark.sparkContext.statusTracker().getStageInfo(one).numFailedTasks for one in range(3)
          if spark.sparkContext.statusTracker().getStageInfo(one)]
print("failed", sum(failed))
spark.stop()
"""

STREAM = """
import sys
import aioflows.spark
from tests.support.spark import spark_session

url, start, place = sys.argv[1:]
spark = spark_session("local[2]")
aioflows.spark.register(spark)
given = {"url": url, "user_id": "u", "org_id": "o", "start": start, "max_rows": "500", "columns": "instance_id"}
writer = spark.readStream.format("aioflows").options(**given).load().writeStream.format("parquet")
query = writer.trigger(availableNow=True).option("checkpointLocation", place + "/checkpoint").start(place + "/rows")
query.awaitTermination()
ids = [row[0] for row in spark.read.parquet(place + "/rows").collect()]
print("rows", len(ids), len(set(ids)))
spark.stop()
"""


def processes() -> dict[int, tuple[int, str]]:
    """The parent and the command line of each process."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:  # it has just ended
                continue
            found[int(folder.name)] = int(stat[1]), line
    return found


def below(top: int) -> Iterator[tuple[int, list[str]]]:
    """Every process that a process has started, with the command lines from it upwards."""
    known = processes()
    for pid in known:
        lines, one = [], pid
        while one in known and one != top:
            lines.append(known[one][1])
            one = known[one][0]
        if one == top and pid != top:
            yield pid, lines


def is_executor(lines: list[str]) -> bool:
    return "CoarseGrainedExecutorBackend" in lines[0] and "java" in lines[0]


def is_worker_of_executor(lines: list[str]) -> bool:
    return (
        "pyspark.daemon" in lines[0]
        and "pyspark.daemon" in lines[1]
        and any(map(is_executor, ([one] for one in lines)))
    )


def kill_one(top: int, wanted: Callable[[list[str]], bool]) -> bool:
    """Kill a process of a kind. Return False if there is none."""
    found = [pid for pid, lines in below(top) if wanted(lines)]
    if found:
        os.kill(found[0], signal.SIGKILL)
    return bool(found)


def kill_all(top: int) -> None:
    for pid in [top, *(pid for pid, _ in below(top))]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


@contextmanager
def started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a program with a Spark, and end all its processes in the end."""
    with subprocess.Popen(
        command,
        env=spark_environment(),
        cwd=ROOT,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        hangs = threading.Timer(PATIENCE, lambda: kill_all(process.pid))
        hangs.start()
        try:
            yield process
        finally:
            hangs.cancel()
            kill_all(process.pid)


def spark_environment() -> dict[str, str]:
    import pyspark

    home = str(Path(pyspark.__file__).parent)
    return environment(PYTHONPATH=str(ROOT), SPARK_HOME=home, SPARK_LOCAL_IP="127.0.0.1")


def test_a_killed_worker_and_a_killed_executor_cost_no_row(tmp_path: Path) -> None:
    with served(instances=10_000, seed=6, profile="uniform", latency=0.05) as (emulator, call):
        job: list[subprocess.Popen[str]] = []
        kills = [(85, is_worker_of_executor), (120, is_executor)]

        def look(number: int) -> None:
            if kills and number >= kills[0][0] and kill_one(job[0].pid, kills[0][1]):
                kills.pop(0)

        call(emulator.on_search, look)
        arguments = [emulator.url, str(emulator.start_ms), str(emulator.end_ms), str(tmp_path / "rows")]
        with started([sys.executable, "-c", BATCH, *arguments]) as process:
            job.append(process)
            out, err = process.communicate()
        assert process.returncode == 0, err
        assert not kills, "nothing was killed"
        assert int(out.split("failed ")[1]) >= 1, "no task had to be repeated"
        want = exported(emulator, ["instance_id"])["instance_id"].to_pylist()
    assert sorted(rows_in(tmp_path / "rows")) == sorted(want)


def rows_in(folder: Path) -> list[str]:
    import pyarrow.dataset

    table = pyarrow.dataset.dataset(str(folder), format="parquet").to_table(columns=["instance_id"])
    rows: list[str] = table["instance_id"].to_pylist()
    return rows


@pytest.mark.parametrize(("kept", "later"), [("commits/1", 0), ("offsets/0", 86_400_000)])
def test_a_killed_driver_of_a_stream_costs_no_row(tmp_path: Path, kept: str, later: int) -> None:
    """It is killed after two batches, or in the first one, and then the option start is another one."""
    with served(instances=2_500, seed=6, profile="uniform", latency=0.02) as (emulator, call):
        job: list[subprocess.Popen[str]] = []
        done: list[int] = []

        def look(number: int) -> None:
            if job and not done and (tmp_path / "checkpoint" / kept).exists():
                done.append(number)
                kill_all(job[0].pid)

        call(emulator.on_search, look)
        command = [sys.executable, "-c", STREAM, emulator.url, str(emulator.start_ms), str(tmp_path)]
        with started(command) as process:
            job.append(process)
            process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert done
        command[4] = str(emulator.start_ms + later)
        with started(command) as process:
            out, err = process.communicate()
        assert process.returncode == 0, err
        assert "rows 2500 2500" in out
