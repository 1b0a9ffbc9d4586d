"""How many tasks share the rate, from the settings of Spark."""

from __future__ import annotations

import pytest

from aioflows.spark.registration import tasks_at_once

DYNAMIC = {"spark.dynamicAllocation.enabled": "true"}


@pytest.mark.parametrize(
    ("master", "settings", "tasks"),
    [
        ("local[2,2]", {"spark.executor.instances": "40"}, 2),
        ("local-cluster[2,1,1024]", {}, 2),
        ("yarn", {}, 2),
        ("yarn", {"spark.executor.instances": "40"}, 40),
        ("yarn", {"spark.executor.instances": "40", "spark.executor.cores": "4"}, 160),
        ("yarn", {"spark.executor.instances": "40", "spark.executor.cores": "4", "spark.task.cpus": "2"}, 80),
        ("k8s://https://x", {**DYNAMIC, "spark.dynamicAllocation.maxExecutors": "30"}, 30),
        ("k8s://https://x", {**DYNAMIC, "spark.dynamicAllocation.maxExecutors": "2147483647"}, 2),
        ("k8s://https://x", {"spark.dynamicAllocation.maxExecutors": "30"}, 2),
        ("spark://x:7077", {"spark.cores.max": "64"}, 64),
        ("spark://x:7077", {"spark.executor.instances": "many"}, 2),
    ],
)
def test_tasks_at_once_are_those_of_all_executors(master: str, settings: dict[str, str], tasks: int) -> None:
    assert tasks_at_once(master, settings, 2) == tasks
