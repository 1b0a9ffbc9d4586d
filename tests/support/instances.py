"""Flow instances of every kind: as answers bring them, and as users make them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any, cast
from zoneinfo import ZoneInfo

from aioflows._core.wire.search import read_search
from aioflows._core.wire.zone import Zone
from aioflows.models import FlowInstance

CHINA = timezone(timedelta(hours=8))


def answered(zone: str = "GMT+8", **members: object) -> FlowInstance:
    """Give an instance as it comes out of an answer."""
    row = {
        "instanceId": "2809-1",
        "flowId": 2809,
        "flowName": "逆变器",
        "triggerTime": "2024-01-01 08:07:22",
        "startTime": "2024-01-01 08:07:23",
        "endTime": "2024-01-01 08:09:00",
        "timestamp": "2024-01-01 08:07:20.5",
        "parameters": "[]",
        "graph": json.dumps({"tasks": [{"taskId": 1, "taskName": "风"}], "a": 1.5}, ensure_ascii=False),
        "status": 1,
    } | members
    body = json.dumps({"code": 0, "data": {"flowInsts": [row]}}).encode()
    (instance,) = read_search(body).instances(Zone.parse(zone))
    return instance


ODD_ROWS: dict[str, Callable[[], FlowInstance]] = {
    "answered": answered,
    "zone with changing clocks": partial(answered, "Europe/Berlin"),
    "whole second of creation": partial(answered, timestamp="2024-01-01 08:07:20"),
    "first year": partial(answered, startTime="0001-01-01 00:00:00", timestamp="0001-01-01 00:00:00"),
    "times with zones": partial(answered, startTime="2024-01-01T08:07:23+0530", endTime=1_704_067_740_000),
    "graph that is no text": partial(answered, graph={"tasks": [1]}, parameters=[{"a": None}]),
    "graph that is no JSON": partial(answered, graph="{no", parameters="a"),
    "empty graph": partial(answered, graph="", parameters=""),
    "graph with NaN": partial(answered, graph='{"x":NaN}'),
    "graph with a number too large": partial(answered, graph='{"x":1e400}'),
    "graph encoded twice": partial(answered, graph=json.dumps('{"tasks":[]}')),
    "lone surrogate": partial(answered, flowName="half \ud83d", graph='{"x":"\ud83d"}'),
    "beyond 16 bits": partial(answered, flowName="🔋 \x7f \x80é"),
    "more members": partial(answered, region="north", more={"a": [1]}),
    "unknown status": partial(answered, status=99),
    "large numbers": partial(answered, flowId=10**30, status=10**25),
    "made": lambda: FlowInstance("a"),
    "made with times": lambda: FlowInstance(
        "a",
        trigger_time=datetime(2024, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")),
        start_time=datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
        end_time=datetime(1, 1, 1, tzinfo=CHINA),
        timestamp=datetime(2024, 7, 1, tzinfo=UTC),
        graph={"tasks": []},
        parameters={"a": float("nan")},
    ),
    "made with values that are no JSON": lambda: FlowInstance(
        "a", extra=cast("Any", {"x": object, "y": {1, 2}})
    ),
}
