"""The sensor and its trigger in a real Airflow, which has an environment of its own: see ``tests/airflow/__main__.py``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("AIOFLOWS_AIRFLOW_PYTHON", sys.executable)
"""The interpreter of the environment that has Airflow."""


@pytest.mark.long
def test_sensor_and_trigger_hold_their_claims_in_a_real_airflow() -> None:
    ended = subprocess.run(
        [PYTHON, "-m", "tests.airflow"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-5_000:]
    if ended.stdout.startswith("skipped"):
        pytest.skip("AIOFLOWS_AIRFLOW_PYTHON names no interpreter with Airflow")
    assert ended.stdout.count("holds:") == 8
