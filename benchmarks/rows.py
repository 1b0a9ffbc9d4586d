"""Rows and answers as the service's, for what is measured without the emulator.

About 950 bytes a row, names that are not all ASCII, times that are not all there, the task graph as a text.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

__all__ = ["answer", "row"]


def row(number: int, rng: random.Random) -> dict[str, object]:
    """Make a row; a larger *number* is triggered later."""
    trigger = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=37 * number)
    flow = rng.randrange(2000, 2900)
    name = f"{rng.choice(['日报汇总', 'daily rollup', 'turbine-etl', '风机数据清洗'])} {flow}"
    owner = rng.choice(["wang.li", "张伟", "ops_team;张伟", "admin"])
    started = trigger + timedelta(seconds=8) if rng.random() < 0.95 else None
    ended = started + timedelta(seconds=rng.randrange(1, 4000)) if started and rng.random() < 0.9 else None
    code, word = rng.choice([(1, "SUCCESS"), (1, "SUCCESS"), (-1, "FAIL"), (2, "RUNNING"), (5, "WAIT")])
    tasks = [
        {
            "taskName": f"task {task}",
            "taskInstId": f"{104890 + task}-{trigger:%Y%m%d%H%M%S}",
            "x": 0.002 * task,
            "y": 0.0071,
            "taskId": 104890 + task,
            "nodeId": f"t_{104890 + task}",
        }
        for task in range(rng.choice([1, 1, 2, 3]))
    ]
    graph = {
        "creator": owner,
        "freq": "0 0 0 * * ? *",
        "alertMode": 3,
        "owners": owner,
        "cycle": "D",
        "doAs": "bd_account",
        "flows": [],
        "alertTo": "",
        "name": name,
        "instId": f"{flow}-{trigger:%Y%m%d%H%M%S}",
        "id": flow,
        "relations": [],
        "parameters": "[]",
        "appId": "",
        "tasks": tasks,
    }
    return {
        "instanceId": f"{flow}-{trigger:%Y%m%d%H%M%S}{number % 10}",
        "flowId": flow,
        "flowName": name,
        "freq": "0 0 0 * * ? *",
        "cycle": "D",
        "parameters": "[]",
        "doAs": "bd_account",
        "graph": json.dumps(graph, ensure_ascii=False, separators=(",", ":")),
        "status": code,
        "statusDesc": word,
        "triggerTime": f"{trigger:%Y-%m-%d %H:%M:%S}",
        "startTime": started and f"{started:%Y-%m-%d %H:%M:%S}",
        "endTime": ended and f"{ended:%Y-%m-%d %H:%M:%S}",
        "timestamp": f"{trigger - timedelta(hours=1):%Y-%m-%d %H:%M:%S}.0",
        "virtual": False,
        "owner": owner,
        "hasEditPri": True,
        "hasReadPri": True,
        "isCancelled": False,
    }


def answer(rows: int, **members: object) -> bytes:
    """Make an answer; *members* are added to every row."""
    rng = random.Random(1)
    page = [row(number, rng) | members for number in range(rows)]
    envelope = {"code": 0, "msg": "OK", "data": {"flowInsts": page, "count": rows}}
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
