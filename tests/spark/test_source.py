"""The data source in one real Spark, ``local[2,2]``: what it reads is what a plain scan reads, and nothing else.

python -m pytest -q -m long tests/spark
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator_thread import served
from tests.support.spark import MISSING, ROOT, exported, load, sorted_rows, spark_session

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
]

CANARY = "CANARY7f3a9c"
PROFILES = ["uniform", "cron", "bursty", "midnight", "sparse-then-dense"]
ODDITIES: list[dict[str, Any]] = [
    *({"profile": profile} for profile in PROFILES),
    {"page_cap": 37, "instances": 800},
    {"ties": "unstable"},
    {"zone": "+05:30"},
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spark")


@pytest.fixture(scope="module")
def spark(place: Path) -> Iterator[Any]:
    import os

    import aioflows.spark

    (place / "events").mkdir()
    os.environ |= {"AIOFLOWS_TEST_ACCESS": f"{CANARY}a", "AIOFLOWS_TEST_SECRET": f"{CANARY}s"}
    session = spark_session(
        "local[2,2]",
        **{
            "spark.ui.enabled": "true",
            "spark.ui.port": "0",
            "spark.eventLog.enabled": "true",
            "spark.eventLog.compress": "false",
            "spark.eventLog.rolling.enabled": "false",
            "spark.eventLog.dir": f"file://{place / 'events'}",
        },
    )
    aioflows.spark.register(session)
    yield session
    session.stop()


@pytest.fixture(scope="module")
def world() -> Iterator[Any]:
    with served(instances=3_000, seed=5, profile="uniform") as (emulator, _):
        yield emulator


@pytest.mark.parametrize("switches", ODDITIES, ids=str)
def test_rows_and_all_columns_are_those_of_a_plain_scan(spark: Any, switches: dict[str, Any]) -> None:
    with served(**{"instances": 1_500, "seed": 3, **switches}) as (emulator, _):
        got = load(spark, emulator, partitions=3).toArrow()
        want = exported(emulator)
    assert got.schema.equals(want.schema)
    assert len(set(got["instance_id"].to_pylist())) == len(got) == emulator.world.instances
    assert sorted_rows(got).equals(sorted_rows(want))


def test_rows_that_come_and_go_cost_none_that_stays(spark: Any) -> None:
    with served(instances=1_500, seed=4, changes_per_search=2) as (emulator, call):
        with call(emulator.watch) as watch:
            got = (
                load(spark, emulator, partitions=3, columns="instance_id")
                .toArrow()["instance_id"]
                .to_pylist()
            )
            assert len(watch.lasting) < len(watch.ever)
        assert len(got) == len(set(got))
        assert watch.lasting <= set(got) <= watch.ever


def test_a_filter_of_one_query_is_not_one_of_the_next(spark: Any, world: Any) -> None:
    frame = load(spark, world, partitions=2, columns="instance_id,status_name,trigger_time")
    failed = len(exported(world, status="FAIL"))
    only = frame.where("status_name = 'FAIL'")
    only.explain()
    assert (frame.count(), only.count(), frame.count()) == (3_000, failed, 3_000)
    assert only.union(frame.where("status_name <> 'FAIL'")).count() == 3_000
    ended = len(exported(world, status=("FAIL", "SUCCESS")))
    assert frame.where("status_name IN ('FAIL', 'SUCCESS')").union(only).count() == ended + failed
    frame.createOrReplaceTempView("runs")
    assert spark.sql("SELECT count(*) FROM runs WHERE status_name = 'FAIL'").first()[0] == failed
    assert spark.sql("SELECT count(*) FROM runs").first()[0] == 3_000
    assert load(spark, world, status="FAIL").count() == failed
    middle = exported(world)["trigger_time"].to_pylist()[1_500]
    later = frame.where(f"trigger_time >= timestamp '{middle:%Y-%m-%d %H:%M:%S}+00:00'").count()
    assert later == sum(time >= middle for time in exported(world)["trigger_time"].to_pylist())


def test_columns_are_those_of_the_option_or_of_the_schema(spark: Any, world: Any) -> None:
    want = sorted_rows(exported(world, ["duration", "instance_id", "timestamp"]))
    got = load(spark, world, columns="duration,instance_id,timestamp").toArrow()
    assert sorted_rows(got).equals(want)
    reader = spark.read.schema("duration double, instance_id string, timestamp timestamp").format("aioflows")
    for name, value in {"url": world.url, "user_id": "u", "org_id": "o"}.items():
        reader = reader.option(name, value)
    reader = reader.option("from", world.start_ms).option("to", world.end_ms)
    assert sorted_rows(reader.load().toArrow()).equals(want)
    with pytest.raises(Exception, match=r"QueryError: .*column duration is of type double, not int"):
        reader.schema("duration int").load().count()


def test_a_row_for_each_task(spark: Any, world: Any) -> None:
    from aioflows import FlowQuery
    from aioflows.sync import FlowSession

    with FlowSession(world.url, user_id="u", org_id="o") as session:
        scan = session.scan(FlowQuery(world.start_ms, world.end_ms))
        want = scan.to_arrow(["instance_id", "task_id"], tasks=True, names="text")
    got = load(spark, world, tasks="true", columns="instance_id,task_id").toArrow()
    assert sorted(map(str, got.to_pylist())) == sorted(map(str, want.to_pylist()))


def test_few_rows_cost_few_requests(spark: Any) -> None:
    with served(instances=60_000, seed=2, profile="uniform") as (emulator, _):
        frame = load(spark, emulator)
        assert len(frame.take(5)) == 5
        planned = emulator.requests["search"]
        assert planned <= 60 + 12
        assert len(frame.take(5)) == 5
        assert sum(emulator.requests.values()) - planned <= 12 + 2  # the zone, twice


def test_an_empty_range_has_no_rows_and_requests_nothing(spark: Any, world: Any) -> None:
    before = dict(world.requests)
    assert load(spark, world, to=world.start_ms).count() == 0
    assert dict(world.requests) == before


def test_an_error_begins_with_its_class_and_names_its_window(spark: Any, world: Any) -> None:
    with served(instances=300, seed=1, zone="+05:30", claimed_zone="+08:00") as (emulator, _):
        with pytest.raises(Exception, match=r"CompletenessError: the (window|plan)") as caught:
            load(spark, emulator, partitions=1).count()
        assert "server_timezone" in str(caught.value)
    with pytest.raises(Exception, match=r"QueryError: .*did you mean 'status'"):
        load(spark, world, stauts="FAIL")


def test_no_key_is_shown_anywhere(spark: Any, place: Path) -> None:
    from aioflows._core.governor.address import GovernorAddress
    from aioflows.spark import registration

    with served(instances=200, seed=1, app_key=f"{CANARY}a", app_secret=f"{CANARY}s") as (emulator, _):
        named = {"access_key_env": "AIOFLOWS_TEST_ACCESS", "secret_key_env": "AIOFLOWS_TEST_SECRET"}
        frame = load(spark, emulator, columns="instance_id", **named)
        assert frame.count() == 200
        texts = [frame._jdf.queryExecution().toString(), frame._jdf.queryExecution().analyzed().toJSON()]
        options = {"url": emulator.url, "user_id": "u", "org_id": "o", **named}
        options |= {"from": str(emulator.start_ms), "to": str(emulator.end_ms)}
        options["governor"] = registration._OPEN[-1].address
        secret = GovernorAddress.parse(options["governor"]).secret.reveal()
        listed = ", ".join(f"`{name}` '{value}'" for name, value in options.items())
        spark.sql(f"CREATE OR REPLACE TEMPORARY VIEW keyed USING aioflows OPTIONS ({listed})")
        assert spark.sql("SELECT count(*) FROM keyed").first()[0] == 200
        wrong = {"access_key_env": "AIOFLOWS_TEST_SECRET", "secret_key_env": "AIOFLOWS_TEST_ACCESS"}
        with pytest.raises(Exception, match=r"BadCredentials|ServiceError|Denied|AnswerError") as caught:
            load(spark, emulator, **wrong).count()
        texts.append(str(caught.value))
        for name in ("secret_key", "access_key", "token"):
            with pytest.raises(Exception, match=r"QueryError") as caught:
                load(spark, emulator, **{name: f"{CANARY}x"})
            texts.append(str(caught.value))
        stream = spark.readStream.format("aioflows").options(**{**options, "start": options["from"]})
        del options["from"], options["to"]
        stream = spark.readStream.format("aioflows").options(**options, start=emulator.start_ms)
        query = stream.load().writeStream.format("parquet").trigger(availableNow=True)
        query = query.option("checkpointLocation", str(place / "keyed")).start(str(place / "keyed-rows"))
        query.awaitTermination()
        texts.append(query.lastProgress.json)
    texts += _shown_by_the_ui(spark)
    kept = [path.read_bytes() for path in place.rglob("*") if path.is_file()]
    assert len(kept) > 5
    for canary in (CANARY, secret):
        assert not [text for text in texts if canary in text]
        assert not [one for one in kept if canary.encode() in one]


def _shown_by_the_ui(spark: Any) -> list[str]:
    base, app = spark.sparkContext.uiWebUrl, spark.sparkContext.applicationId
    paths = [
        "/environment/",
        "/SQL/",
        "/jobs/",
        "/stages/",
        *(f"/SQL/execution/?id={one}" for one in range(60)),
    ]
    rest = [
        f"/api/v1/applications/{app}/{one}"
        for one in ("environment", "sql?details=true&length=500", "jobs", "stages")
    ]
    found = []
    for path in [*paths, *rest]:
        try:
            with urllib.request.urlopen(base + path, timeout=30) as answer:
                found.append(answer.read().decode("utf-8", "replace"))
        except OSError:
            assert "execution" in path, path
    assert len(found) > 10
    return found


class TestStreams:
    """Streams into Parquet, restarted in a second process."""

    def run(self, spark: Any, emulator: Any, place: Path, **options: object) -> list[int]:
        given = {"url": emulator.url, "user_id": "u", "org_id": "o", "start": emulator.start_ms, **options}
        frame = (
            spark.readStream.format("aioflows")
            .options(**{name: str(one) for name, one in given.items()})
            .load()
        )
        query = frame.writeStream.format("parquet").trigger(availableNow=True)
        query = query.option("checkpointLocation", str(place / "checkpoint")).start(str(place / "rows"))
        query.awaitTermination()
        return [json.loads(one.json)["numInputRows"] for one in query.recentProgress]

    def rows(self, spark: Any, place: Path) -> list[str]:
        return [row[0] for row in spark.read.parquet(str(place / "rows")).select("instance_id").collect()]

    def test_batches_are_limited_and_a_second_process_goes_on(self, spark: Any, tmp_path: Path) -> None:
        with served(instances=2_000, seed=3, profile="uniform") as (emulator, call):
            sizes = self.run(spark, emulator, tmp_path, max_rows=700, settle=0)
            assert max(sizes) <= 700
            assert sum(sizes) == len(set(self.rows(spark, tmp_path))) == 2_000
            soon = int(1000 * time.time()) + 1_000  # and settled when the other process asks
            times = [soon + 10 * one for one in range(300)]
            late = {call(emulator.insert, one) for one in times}
            program = f"""
from tests.spark.test_source import TestStreams
from tests.support.spark import spark_session
from types import SimpleNamespace
from pathlib import Path
import aioflows.spark
spark = spark_session("local[2]")
aioflows.spark.register(spark)
emulator = SimpleNamespace(url={emulator.url!r}, start_ms=aioflows.spark.now())
print(TestStreams().run(spark, emulator, Path({str(tmp_path)!r}), max_rows=700, settle=0))
"""
            done = subprocess.run(
                [sys.executable, "-c", program],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=200,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            rows = self.rows(spark, tmp_path)
            assert len(rows) == len(set(rows)) == 2_300
            assert late <= set(rows)
            with pytest.raises(Exception, match=r"QueryError: .*another query"):
                self.run(spark, emulator, tmp_path, status="FAIL")

    def test_a_stream_without_new_rows_rests(self, spark: Any) -> None:
        with served(instances=100, seed=3) as (emulator, _):
            given = {
                "url": emulator.url,
                "user_id": "u",
                "org_id": "o",
                "start": emulator.start_ms,
                "settle": 0,
            }
            frame = spark.readStream.format("aioflows").options(**given).load()
            seen: list[int] = []
            query = frame.writeStream.foreachBatch(lambda rows, _: seen.append(rows.count())).start()
            deadline = time.monotonic() + 60
            while sum(seen) < 100 and time.monotonic() < deadline:
                time.sleep(0.2)
            before = emulator.requests["search"]
            time.sleep(4)
            query.stop()
            assert seen == [100]
            assert emulator.requests["search"] - before <= 60


def test_a_pushed_filter_still_sticks_to_a_data_frame(spark: Any) -> None:
    """When this fails, Spark is mended, and filters may be pushed down: `aioflows/spark/source.py`, rule 1."""
    from pyspark.sql.datasource import DataSource, DataSourceReader, GreaterThanOrEqual

    class Sticky(DataSource):  # type: ignore[misc]
        @classmethod
        def name(cls) -> str:
            return "sticky"

        def schema(self) -> str:
            return "id bigint"

        def reader(self, schema: Any) -> Any:
            class Reader(DataSourceReader):  # type: ignore[misc]
                least = 0

                def pushFilters(self, filters: Any) -> Any:  # noqa: N802
                    for one in filters:
                        if isinstance(one, GreaterThanOrEqual):
                            self.least = one.value
                        else:
                            yield one

                def read(self, partition: Any) -> Any:
                    return ((one,) for one in range(self.least, 100))

            return Reader()

    spark.conf.set("spark.sql.python.filterPushdown.enabled", "true")
    try:
        spark.sparkContext.pythonExec = sys.executable
        spark.dataSource.register(Sticky)
        frame = spark.read.format("sticky").load()
        assert frame.where("id >= 90").count() == 10
        assert frame.count() == 10, "right would be 100"
    finally:
        spark.conf.unset("spark.sql.python.filterPushdown.enabled")


def test_the_module_for_discovery_offers_the_source(spark: Any) -> None:
    import pyspark_aioflows

    assert pyspark_aioflows.DefaultSource.name() == "aioflows"
    assert re.fullmatch(r"pyspark_\w+", pyspark_aioflows.__name__)


def test_the_first_program_of_the_guide_runs(
    spark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stops Spark, so it comes last."""
    page = (ROOT / "docs/guide/spark.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- spark -->\n```py\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert found is not None
    target = "failed.parquet"
    assert found[1].count(target) == 1
    exec(found[1].replace(target, (tmp_path / target).as_posix()), {})  # the JVM has its own working folder
    assert capsys.readouterr().out.strip() == "True"
    assert (tmp_path / target / "_SUCCESS").exists()
