"""Run the sensor and its trigger in a real Airflow 3: ``python -m tests.airflow``.

It needs ``pip install 'enos-aioflows[airflow]'`` in an environment of its own. Each line is a claim that held.
The exit code is 1 if one did not hold, and 0 without a line but the reason where Airflow is not installed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from aioflows.emulator import Emulator
from tests.support.emulator_thread import served

EPOCH = 1_735_689_600_000
SECRET = "a-secret-key-of-this-test"
WAITS = 1_000
SECONDS = 6
_OUT = os.dup(1)


def connect(url: str, **extra: Any) -> None:
    """Make the connection "enos", as an environment variable does."""
    host, _, port = url.removeprefix("http://").partition(":")
    os.environ["AIRFLOW_CONN_ENOS"] = json.dumps(
        {
            "conn_type": "http",
            "schema": "http",
            "host": host,
            "port": int(port),
            "login": "key",
            "password": SECRET,
            "extra": {"user_id": "u", "org_id": "o", **extra},
        }
    )


def write_dags(folder: Path, sensors: dict[str, dict[str, Any]], params: dict[str, str]) -> Any:
    """Write a file with a DAG of one sensor for each name, and return its module."""
    path = folder / "waits.py"
    path.write_text(f"""
from airflow.sdk import DAG
from aioflows.airflow import FlowInstanceSensor
dags = {{}}
for name, given in {sensors!r}.items():
    with DAG(name, schedule=None, params={params!r}) as dag:
        FlowInstanceSensor(task_id="wait", poll=1, **given)
    globals()[name] = dags[name] = dag
""")
    spec = importlib.util.spec_from_file_location("waits", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_tasks(folder: Path) -> None:
    """Deferred, and looked at in a worker; ended well, badly and not at all; templated ids."""
    with served(instances=100, seed=1, app_key="key", app_secret=SECRET) as (emulator, call):
        connect(emulator.url)
        done, late, failed, running = (
            call(emulator.insert, EPOCH + 1_000 * at, status=status)
            for at, status in enumerate((1, 2, -1, 2))
        )
        sensors: dict[str, dict[str, Any]] = {
            "late": {"instance_ids": [done, late]},
            "template": {"instance_ids": "{{ params.instance }}"},
            "failed": {"instance_ids": [failed]},
            "soft": {"instance_ids": [failed], "soft_fail": True},
            "unknown": {"instance_ids": ["nothing"], "grace": 0},
            "poke": {"instance_ids": done, "deferrable": False},
            "poked": {"instance_ids": running, "deferrable": False, "timeout": 2, "poke_interval": 1},
        }
        dags = write_dags(folder, sensors, {"instance": done}).dags

        def outcome(name: str) -> tuple[str, Any]:
            task = dags[name].test().get_task_instance("wait")
            return str(task.state), task.xcom_pull(task_ids="wait")

        changed = threading.Timer(15, lambda: call(emulator.set_status, late, 1))
        changed.start()
        assert outcome("late") == ("success", {done: "SUCCESS", late: "SUCCESS"})
        changed.join()
        say("a deferred sensor waits for an instance that runs, and its result names the statuses")
        assert outcome("template") == ("success", {done: "SUCCESS"})
        say("the ids may be a template")
        assert outcome("failed")[0] == "failed"
        assert outcome("soft")[0] == "skipped"
        say("an instance that failed fails the task, or skips it with soft_fail")
        assert outcome("unknown")[0] == "failed"
        say("an unknown id fails the task")
        assert outcome("poke") == ("success", {done: "SUCCESS"})
        assert outcome("poked")[0] == "failed"
        say("a sensor that does not defer looks in its worker, until its timeout")


def check_guide() -> None:
    """The DAG of the guide is one."""
    page = (Path(__file__).parents[2] / "docs/guide/airflow.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- airflow -->\n```py\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert block is not None
    exec(block[1], {})
    say("the DAG of the guide can be made")


def check_serialized() -> None:
    """The trigger travels as its class and JSON, without a secret."""
    from airflow.sdk.module_loading import import_string

    from aioflows.airflow import FlowInstanceTrigger

    connect("http://127.0.0.1:9")
    path, given = FlowInstanceTrigger(["a", "b"], ["SUCCESS"], "enos", 5.0, 1.0).serialize()
    text = json.dumps(given)
    assert SECRET not in text
    assert "key" not in given
    assert import_string(path)(**json.loads(text)).serialize() == (path, given)
    say("the serialized trigger makes the same trigger, and holds no secret")


async def check_polls() -> None:
    """Many triggers of one event loop share polls."""
    from aioflows.airflow import FlowInstanceTrigger

    async def fired(name: str) -> Any:
        return [event.payload async for event in FlowInstanceTrigger([name]).run()]

    async with Emulator(instances=10_000, seed=1) as emulator:
        connect(emulator.url)
        names = [emulator.insert(EPOCH + 1_000 * at, status=2, type=at % 3) for at in range(WAITS)]
        waits = [asyncio.create_task(fired(name)) for name in names]
        totals = [0]
        for _ in range(SECONDS):
            await asyncio.sleep(1)
            totals.append(
                sum(
                    emulator.requests[one]
                    for one in ("search", "get", "timezone")
                    if one in emulator.requests
                )
            )
        for name in names:
            emulator.set_status(name, 1)
        events = await asyncio.gather(*waits)
        assert events == [[{"status": "done", "instances": {name: "SUCCESS"}}] for name in names]
        sent = [after - before for before, after in pairwise(totals)]
        assert sum(sent) <= 3 * SECONDS, sent  # polls are at least a second apart
        say(f"{WAITS:,} triggers share one session: {sent} requests in {SECONDS} seconds, at most 3 a poll")


def say(claim: str) -> None:
    write(f"holds: {claim}")


def write(line: str) -> None:
    os.write(_OUT, f"{line}\n".encode())


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Send all that Airflow writes to a file, and show its end if a claim does not hold."""
    kept = os.dup(2)
    with path.open("wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield
        except BaseException:
            os.write(kept, path.read_bytes()[-20_000:])
            raise
        finally:
            sys.stdout.flush()
            os.dup2(_OUT, 1)
            os.dup2(kept, 2)


def main() -> int:
    if importlib.util.find_spec("airflow") is None:
        write(
            "skipped: Airflow is not installed; pip install 'enos-aioflows[airflow]' in an environment of its own"
        )
        return 0
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": home,
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        }
        with logged(Path(home) / "log"):
            subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True)
            import airflow

            write(f"Airflow {airflow.__version__}")
            check_guide()
            check_serialized()
            asyncio.run(check_polls())
            check_tasks(Path(home))
    return 0


if __name__ == "__main__":
    sys.exit(main())
