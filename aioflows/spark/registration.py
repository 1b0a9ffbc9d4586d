"""The registration of the data source with a Spark session."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aioflows.governor import Governor

__all__ = ["is_same_python", "now", "register"]

_LOOPBACK: Final = "127.0.0.1"
_OPEN: Final[list[Governor]] = []
"""Governors that work for data sources, whether or not a program keeps them."""


@atexit.register
def _close_all() -> None:
    for governor in _OPEN:
        governor.close()


def register(
    spark: Any, rate: float | None = None, *, concurrency: int = 32, host: str | None = None
) -> Governor:
    """Register the format "aioflows" with a Spark session, and return the governor of its requests.

    The governor limits the requests of all tasks together. It runs in this process until ``close()``, or until the
    process ends. Reads whose options name neither a governor nor a rate use it. Python workers on this machine
    run this interpreter, unless ``PYSPARK_PYTHON`` says otherwise.

    Args:
        spark: the ``SparkSession``, with a Spark of this process. Spark Connect has none.
        rate: the greatest rate of all tasks together (requests per second). None means as fast as the service
            allows, which is found out. Default: None.
        concurrency: the greatest number of requests in flight of all tasks together. Default: 32.
        host: the name or address by which executors reach this machine. Default: None, which means
            ``spark.driver.host``, or 127.0.0.1 where all tasks run on this machine.

    Raises:
        QueryError: a value is invalid.
        ImportError: PySpark 4.2 is not installed.
        OSError: the host is not one of this machine.
    """
    from aioflows.spark.source import FlowDataSource  # noqa: PLC0415  (Spark is optional)

    context = spark.sparkContext
    tasks = max(1, int(context.defaultParallelism))
    if host is None:
        host = _LOOPBACK if _is_local(context) else context.getConf().get("spark.driver.host", _LOOPBACK)
    found = Governor(rate, concurrency, parallel=tasks, host=host).open()
    _OPEN.append(found)

    class Registered(FlowDataSource):
        governor = found.address
        cores = tasks

    with _this_python(context):
        spark.dataSource.register(Registered)
    return found


def _is_local(context: Any) -> bool:
    return str(context.master).startswith("local")


@contextmanager
def _this_python(context: Any) -> Iterator[None]:
    """Let the workers of what is registered meanwhile run this interpreter, if they run on this machine."""
    usual = context.pythonExec
    if _is_local(context) and "PYSPARK_PYTHON" not in os.environ:
        context.pythonExec = sys.executable
    elif not is_same_python(usual, sys.executable):
        warnings.warn(
            f"Python workers run {usual!r}, and this program runs {sys.executable!r}. Workers need aioflows and pyarrow as "
            "well: set the environment variable PYSPARK_PYTHON to a Python that has them, before the session starts",
            stacklevel=4,
        )
    try:
        yield
    finally:
        context.pythonExec = usual


def now() -> str:
    """Return the present time of this machine, for the option ``start`` of a stream that begins now.

    The option is a time, not a word, because Spark asks for the start of a stream more than once.
    """
    return datetime.now(UTC).isoformat(timespec="seconds")


def is_same_python(one: str, other: str) -> bool:
    """Return True if two commands run the Python of the same environment.

    Links are not followed, because all environments link to the same interpreter.
    """
    found = [shutil.which(command) for command in (one, other)]
    folders = {Path(os.path.abspath(path)).parent for path in found if path is not None}  # noqa: PTH100
    return None not in found and len(folders) == 1
