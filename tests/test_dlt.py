"""The dlt resource in real pipelines with DuckDB: exact over re-runs, changes, and loads that were cut off.

python -m pytest -q -m long tests/test_dlt.py
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from aioflows import FlowQuery, Limits, QueryError, RetryPolicy
from aioflows.emulator import Emulator, EmulatorProcess, Fault
from aioflows.sync import FlowSession
from tests.support.commands import environment, started
from tests.support.fakes import EmulatorTransport

dlt = pytest.importorskip("dlt", reason="dlt is not installed; pip install 'enos-aioflows[dlt]'")

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("default")]

NOW = 1_735_689_600_000
"""When the service's clock begins."""
RUNNING, SUCCESS, FAIL = 2, 1, -1
LAG = timedelta(hours=1)


class Warehouse:
    """A service, and pipelines that load it into a DuckDB file.

    Args:
        emulator: the service.
        folder: a folder for the files.
    """

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self.folder = folder
        self.epoch_ms = float(NOW)
        self.working_dirs = 0

    def pipeline(self, *, fresh: bool = False) -> Any:
        """A pipeline, as a new process has it; a *fresh* one on a machine that has never loaded anything."""
        self.working_dirs += fresh
        return dlt.pipeline(
            "enos",
            pipelines_dir=str(self.folder / f"pipelines-{self.working_dirs}"),
            destination=dlt.destinations.duckdb(str(self.folder / "warehouse.duckdb")),
            dataset_name="flows",
        )

    def connect(self) -> FlowSession:
        return FlowSession(
            "https://enos.test",
            user_id="u",
            org_id="o",
            http=EmulatorTransport(self.emulator, epoch_ms=self.epoch_ms - 1000 * time.monotonic()),
            limits=Limits(page_size=100),
            retry=RetryPolicy(max_tries=1, base=0.0),
        )

    def resource(self, **given: Any) -> Any:
        from aioflows.dlt import flow_instances

        query = FlowQuery(self.emulator.start, NOW + 86_400_000 * 30)
        return flow_instances(self.connect, query, **{"lag": LAG, **given})

    def run(self, *, fresh: bool = False, **given: Any) -> None:
        self.pipeline(fresh=fresh).run(self.resource(**given))

    def table(self) -> dict[str, int]:
        """The status of each loaded instance; fails if one is there twice."""
        with self.pipeline().sql_client() as client:
            rows = client.execute_sql("SELECT instance_id, status FROM flow_instances")
        assert len(rows) == len(dict(rows))
        return dict(rows)

    def truth(self) -> dict[str, int]:
        with self.connect() as session:
            query = FlowQuery(self.emulator.start, NOW + 86_400_000 * 30)
            return {one.instance_id: int(one.status or 0) for one in session.scan(query)}

    def start(self, number: int, **given: Any) -> list[str]:
        base = int(self.epoch_ms) - 3_000_000
        return [self.emulator.insert(base + 1_000 * one, status=RUNNING, **given) for one in range(number)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "ERROR")
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def warehouse(folder: Path, instances: int = 1_500, **switches: Any) -> Iterator[Warehouse]:
    with Emulator(instances=instances, seed=3, **switches) as emulator:
        yield Warehouse(emulator, folder)


def test_runs_after_changes_load_what_a_scan_shows_each_time(folder: Path) -> None:
    with warehouse(folder) as here:
        chance, running = random.Random(1), here.start(50)
        for number in range(5):
            here.run(fresh=number == 3)
            assert here.table() == here.truth()
            here.epoch_ms += 4 * 3_600_000
            ended, running = running[:20], running[20:] + here.start(20, type=chance.randrange(3))
            for name in ended:
                here.emulator.set_status(name, chance.choice((SUCCESS, FAIL)))


def test_a_run_without_news_reads_the_lag_and_the_unfinished_instances_only(folder: Path) -> None:
    with warehouse(folder) as here:
        here.run()
        before = here.emulator.rows_answered
        here.run()
        assert here.emulator.rows_answered - before < 100
        assert here.table() == here.truth()


def test_an_extraction_that_fails_on_the_way_loses_nothing(folder: Path) -> None:
    faults = [Fault(at=at, kind="http-500", times=40) for at in (9, 60)]
    with warehouse(folder, faults=faults) as here:
        failed: list[bool] = []
        while not failed or failed[-1]:
            failed.append(fails(here.run))
        assert len(failed) > 1
        assert here.table() == here.truth()


def fails(run: Callable[[], None]) -> bool:
    """Run a pipeline; tell whether the service ended it."""
    from dlt.pipeline.exceptions import PipelineStepFailed

    try:
        run()
    except PipelineStepFailed as error:
        return "scripted fault" in str(error)
    return False


def test_a_load_that_a_process_left_before_its_end_is_finished_by_the_next(folder: Path) -> None:
    with warehouse(folder) as here:
        names = here.start(10)
        pipeline = here.pipeline()
        pipeline.extract(here.resource())
        pipeline.normalize()
        for name in names:
            here.emulator.set_status(name, SUCCESS)
        here.run()  # which loads what is pending, and reads nothing
        here.run()
        assert here.table() == here.truth()


@pytest.mark.parametrize("normalized", [False, True])
def test_a_load_that_was_dropped_is_read_again(folder: Path, normalized: bool) -> None:
    with warehouse(folder) as here:
        here.run()
        names = here.start(10)
        here.epoch_ms += 86_400_000
        pipeline = here.pipeline()
        pipeline.extract(here.resource())
        if normalized:
            pipeline.normalize()
        pipeline.abort_packages()
        here.run()
        assert here.table() == here.truth()
        assert set(names) <= set(here.table())


def test_a_run_on_a_fresh_machine_after_one_that_never_loaded_loses_nothing(folder: Path) -> None:
    with warehouse(folder) as here:
        here.run()
        here.start(10)
        here.epoch_ms += 86_400_000
        here.pipeline().extract(here.resource())
        here.run(fresh=True)
        assert here.table() == here.truth()


def test_a_run_that_is_left_early_is_resumed_and_changes_meanwhile_are_seen(folder: Path) -> None:
    with warehouse(folder) as here:
        running = here.start(30)
        here.pipeline().run(here.resource().add_limit(4))
        assert 0 < len(here.table()) < len(here.truth())
        for name in running:
            here.emulator.set_status(name, SUCCESS)
        here.run()
        assert here.table() == here.truth()


def test_a_deleted_instance_stays_in_the_table_and_is_not_asked_for_again(folder: Path) -> None:
    with warehouse(folder) as here:
        (name,) = here.start(1)
        here.epoch_ms += 86_400_000
        here.run()
        here.emulator.delete(name)
        here.run()
        before = here.emulator.requests.get("get", 0)
        here.run()
        unfinished = sum(status in (0, 2, 3, 5, 6, 9) for status in here.truth().values())
        assert name in here.table()
        assert here.emulator.requests["get"] - before == unfinished


def test_columns_may_be_chosen_and_the_key_is_always_there(folder: Path) -> None:
    with warehouse(folder) as here:
        here.run(columns=["flow_name"], name="flow_instances")
        with (
            here.pipeline().sql_client() as client,
            client.execute_query("SELECT * FROM flow_instances") as rows,
        ):
            names = {column[0] for column in rows.description}
        assert names - {"_dlt_load_id", "_dlt_id"} == {"flow_name", "instance_id", "trigger_time", "status"}


def test_what_cannot_be_exact_is_refused(folder: Path) -> None:
    from aioflows.dlt import flow_instances

    with warehouse(folder) as here:
        with pytest.raises(QueryError, match="every status"):
            flow_instances(here.connect, FlowQuery(0, NOW, status={FAIL}))
        with pytest.raises(QueryError, match="lag"):
            here.resource(lag=timedelta(-1))
        with pytest.raises(QueryError, match="column"):
            here.resource(columns=["nothing"])


def test_the_program_of_the_guide_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parent.parent / "docs/guide/dlt.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- dlt -->\n```py\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert block is not None
    exec(block[1], {})
    assert re.fullmatch(r"\[\([1-9]\d*,\)\]\n", capsys.readouterr().out)


PROGRAM = """
import sys
import dlt
from aioflows import FlowQuery, Limits
from aioflows.dlt import flow_instances
from aioflows.sync import FlowSession
url, folder, first, last = sys.argv[1:]
connect = lambda: FlowSession(url, user_id="u", org_id="o", limits=Limits(page_size=50))
destination = dlt.destinations.duckdb(folder + "/warehouse.duckdb")
pipeline = dlt.pipeline("enos", pipelines_dir=folder + "/p", destination=destination, dataset_name="flows")
print("begins", flush=True)
pipeline.run(flow_instances(connect, FlowQuery(int(first), int(last))))
while pipeline.has_pending_data:
    pipeline.run(flow_instances(connect, FlowQuery(int(first), int(last))))
"""


def test_processes_that_are_killed_at_any_moment_lose_nothing_and_load_nothing_twice(folder: Path) -> None:
    chance = random.Random(1)
    with EmulatorProcess(instances=3_000, seed=1, latency=0.01) as emulator:
        program = [sys.executable, "-c", PROGRAM, emulator.url, str(folder)]
        program += [str(emulator.start_ms), str(emulator.end_ms)]
        for _ in range(4):
            with started(program, cwd=folder) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == "begins\n"
                time.sleep(chance.uniform(0.0, 3.0))
                process.kill()
        for _ in range(2):  # the first may only finish what was left
            subprocess.run(program, cwd=folder, env=environment(), check=True, capture_output=True)
        with FlowSession(emulator.url, user_id="u", org_id="o") as session:
            truth = {one.instance_id for one in session.scan(FlowQuery(emulator.start_ms, emulator.end_ms))}
    with duckdb.connect(str(folder / "warehouse.duckdb")) as database:
        names = [
            name for (name,) in database.execute("SELECT instance_id FROM flows.flow_instances").fetchall()
        ]
    assert (len(names), set(names)) == (len(truth), truth)
