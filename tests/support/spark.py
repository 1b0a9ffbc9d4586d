"""A Spark of the tests: its session, its reads, and a service beside it."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aioflows import FlowQuery
from aioflows.sync import FlowSession

__all__ = ["MISSING", "exported", "load", "sorted_rows", "spark_session"]

ROOT = Path(__file__).parents[2]


def _missing() -> str:
    """Why there is no Spark on this machine, or nothing."""
    if find_spec("pyspark") is None:
        return "pyspark is not installed; pip install 'enos-aioflows[spark]'"
    return "" if shutil.which("java") else "there is no Java, which Spark needs"


MISSING = _missing()


def spark_session(master: str, **settings: str) -> Any:
    """Start Spark with little memory. Its Python workers import this tree."""
    os.environ["PYTHONPATH"] = str(ROOT)
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ.pop("PYSPARK_PYTHON", None)
    from pyspark.sql import SparkSession

    usual = {
        "spark.driver.memory": "1g",
        "spark.sql.shuffle.partitions": "2",
        "spark.ui.showConsoleProgress": "false",
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
    }
    builder = SparkSession.builder.master(master)
    for name, value in {**usual, **settings}.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark


def load(spark: Any, emulator: Any, **options: object) -> Any:
    """Return a data frame of the emulator's whole range, or of what other options say."""
    given = {
        "url": emulator.url,
        "user_id": "u",
        "org_id": "o",
        "from": emulator.start_ms,
        "to": emulator.end_ms,
    }
    reader = spark.read.format("aioflows")
    for name, value in {
        **given,
        **{name.removesuffix("_"): value for name, value in options.items()},
    }.items():
        reader = reader.option(name, str(value))
    return reader.load()


def exported(emulator: Any, columns: Any = None, **filters: Any) -> Any:
    """Return the rows that a plain scan reads, as an Arrow table."""
    with FlowSession(emulator.url, user_id="u", org_id="o") as session:
        query = FlowQuery(emulator.start_ms, emulator.end_ms, **filters)
        return session.scan(query).to_arrow(columns, names="text")


def sorted_rows(table: Any) -> Any:
    """Return a table in the order of ids, in one chunk."""
    return table.sort_by("instance_id").combine_chunks()
