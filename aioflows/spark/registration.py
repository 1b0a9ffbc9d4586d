"""The registration of the data source with a Spark session."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aioflows.governor import Governor

__all__ = ["is_same_python", "now", "register", "tasks_at_once"]

_LOOPBACK: Final = "127.0.0.1"
_DIGITS: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_MOST_EXECUTORS: Final = 1_000_000  # Spark writes 2,147,483,647 for no limit
_OPEN: Final[list[Governor]] = []
"""Governors that work for data sources, whether or not a program keeps them."""


@atexit.register
def _close_all() -> None:
    for governor in _OPEN:
        governor.close()


def register(
    spark: Any,
    rate: float | None = None,
    *,
    concurrency: int = 32,
    parallel: int | None = None,
    host: str | None = None,
    port: int = 0,
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
        parallel: the number of tasks that run at a time. A task that cannot reach the governor takes this part of
            the rate. Default: None, which means what the settings of Spark say, as in ``spark.executor.instances``
            and ``spark.dynamicAllocation.maxExecutors``, or the cores that Spark has now.
        host: the name or address by which executors reach this machine. Default: None, which means
            ``spark.driver.host``, or 127.0.0.1 where all tasks run on this machine.
        port: the port at which executors reach it, as for a firewall. 0 means any that is free. Default: 0.

    Raises:
        QueryError: a value is invalid.
        ImportError: PySpark 4.2 is not installed.
        OSError: the host is not one of this machine, or the port is taken.
    """
    from aioflows.spark.source import FlowDataSource  # noqa: PLC0415  (Spark is optional)

    context = spark.sparkContext
    present = max(1, int(context.defaultParallelism))
    settings = dict(context.getConf().getAll())
    most = tasks_at_once(str(context.master), settings, present) if parallel is None else parallel
    if host is None:
        host = _LOOPBACK if _is_local(context) else settings.get("spark.driver.host", _LOOPBACK)
    found = Governor(rate, concurrency, parallel=most, host=host, port=port).open()
    _OPEN.append(found)

    class Registered(FlowDataSource):
        governor = found.address
        cores = present
        parallel = most

    with _this_python(context):
        spark.dataSource.register(Registered)
    return found


def tasks_at_once(master: str, settings: Mapping[str, str], now: int) -> int:
    """Return how many tasks may run at a time once all executors are there.

    Args:
        master: the address of the cluster, in the words of Spark.
        settings: the settings of Spark.
        now: the number of cores that Spark has now, when executors may be missing.
    """
    if master.startswith("local"):
        return now
    executors = _number(settings, "spark.executor.instances")
    if settings.get("spark.dynamicAllocation.enabled", "").lower() == "true":
        executors = max(executors, _number(settings, "spark.dynamicAllocation.maxExecutors"))
    cores = executors * max(1, _number(settings, "spark.executor.cores"))
    cores = max(cores, _number(settings, "spark.cores.max"))
    return max(now, cores // max(1, _number(settings, "spark.task.cpus")))


def _number(settings: Mapping[str, str], name: str) -> int:
    """Return the whole number of a setting, and 0 if it has none or one that means no limit."""
    text = settings.get(name, "").strip()
    return int(text) if _DIGITS.fullmatch(text) and int(text) <= _MOST_EXECUTORS else 0


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
