"""What else one could read everything with: what one writes first, what one writes with more care, and what one installs.

Each reads all instances of a window, and hands them to *took* as they come. The hand-tuned loop is told beforehand how many
pages each day has: it is the line that is hard to beat, not something that one could write.

    python -m benchmarks.contestants NAME URL FROM_MS TO_MS PAGE_SIZE [--checked]

reads in this process, and prints what came of it as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import inspect
import json
import math
import operator
import resource
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise, starmap
from typing import Any

import aiohttp
import attrs
import msgspec
import orjson

from aioflows import FlowQuery, FlowSession, Limits, ScheduleType
from aioflows.query import SortKey
from benchmarks.canned import A_DAY, DAY
from benchmarks.memory import resident

__all__ = ["CONTESTANTS"]

IN_FLIGHT = 16
PATH = "/batch-processing-service/v2.1/flowInstances"
PARAMS = {"action": "search", "userId": "u", "orgId": "o"}
JSON_TYPE = {"Content-Type": "application/json"}

Took = Callable[[Sequence[Any]], None]


@attrs.frozen
class Task:
    """What is to be read.

    Args:
        url: of the *service*.
        first: the first *millisecond*.
        until: the first *millisecond* no longer meant.
        page_size: *rows* on a page.
    """

    url: str
    first: int
    until: int
    page_size: int

    def body(self, page_no: int = 0, window: tuple[int, int] | None = None) -> dict[str, Any]:
        first, until = window or (self.first, self.until)
        return {
            "type": 1, "owner": "", "status": "", "expression": "", "fromTriggerTime": first, "toTriggerTime": until,
            "pagination": {"pageNo": page_no, "pageSize": self.page_size,
                           "sorters": [{"field": "trigger_time", "order": "ASC"}]},
        }  # fmt: skip

    def days(self) -> list[tuple[int, int]]:
        return list(pairwise([*range(self.first, self.until, DAY * 1000), self.until]))


# The line that is hard to beat


class Row(msgspec.Struct, rename="camel", gc=False):
    """A row as the wire has it."""

    instance_id: str
    flow_id: int | None = None
    flow_name: str | None = None
    freq: str | None = None
    cycle: str | None = None
    parameters: str | None = None
    do_as: str | None = None
    graph: str | None = None
    status: int | None = None
    status_desc: str | None = None
    trigger_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    timestamp: datetime | None = None
    virtual: bool | None = None
    owner: str | None = None
    has_edit_pri: bool | None = None
    has_read_pri: bool | None = None
    is_cancelled: bool | None = None


class Data(msgspec.Struct, rename="camel", gc=False):
    """The rows of an answer."""

    flow_insts: list[Row]


class Answer(msgspec.Struct):
    """An answer."""

    code: int
    data: Data


_decoder = msgspec.json.Decoder(Answer, strict=False)
Instance: Any = attrs.make_class("Instance", Row.__struct_fields__, slots=True)


async def hand_tuned(task: Task, took: Took) -> None:
    """Sixteen workers over pages that are known to be there; typed rows, but no order, no proof, no time zone."""

    async def worker() -> None:
        for window, page_no in pages:
            body = orjson.dumps(task.body(page_no, window))
            async with http.post(task.url + PATH, params=PARAMS, data=body, headers=JSON_TYPE) as response:
                answer = _decoder.decode(await response.read())
            took(list(starmap(Instance, map(msgspec.structs.astuple, answer.data.flow_insts))))

    a_day = range(math.ceil(A_DAY / task.page_size))
    pages = ((window, page_no) for window in task.days() for page_no in a_day)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as http:
        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


# What one writes


async def _page(http: aiohttp.ClientSession, task: Task, page_no: int, window: tuple[int, int] | None) -> Any:
    body = json.dumps(task.body(page_no, window))
    async with http.post(task.url + PATH, params=PARAMS, data=body, headers=JSON_TYPE) as response:
        return (await response.json())["data"]["flowInsts"]


async def _all_pages(
    http: aiohttp.ClientSession, task: Task, took: Took, window: tuple[int, int] | None = None
) -> None:
    page_no = 0
    while rows := await _page(http, task, page_no, window):
        took(rows)
        page_no += 1


async def sequential(task: Task, took: Took) -> None:
    """Page after page until one is empty."""
    async with aiohttp.ClientSession() as http:
        await _all_pages(http, task, took)


async def days_at_once(task: Task, took: Took) -> None:
    """Page after page of every day, all days at once; as such programs do, it keeps the order by waiting for all."""

    async def day(window: tuple[int, int]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        await _all_pages(http, task, rows.extend, window)
        return rows

    async with aiohttp.ClientSession() as http:
        for rows in await asyncio.gather(*map(day, task.days())):
            took(rows)


# What one installs; imported by who uses it, since one takes long, and the other switches off the verification of
# certificates for the process.


def vendor_sdk(task: Task, took: Took) -> None:
    """The vendor's SDK, page after page."""
    from poseidon import poseidon  # noqa: PLC0415

    url = f"{task.url}{PATH}?action=search&userId=u&orgId=o"
    page_no = 0
    while rows := poseidon.urlopen("a-1b2c", "a-3d4e", url, task.body(page_no))["data"]["flowInsts"]:
        took(rows)
        page_no += 1


def dlt_client(task: Task, took: Took) -> None:
    """The REST client of dlt."""
    from dlt.sources.helpers.rest_client.client import RESTClient  # noqa: PLC0415
    from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator  # noqa: PLC0415

    paginator = PageNumberPaginator(base_page=0, total_path=None, page_body_path="pagination.pageNo")
    client = RESTClient(task.url, paginator=paginator, data_selector="data.flowInsts")
    for rows in client.paginate(PATH, "POST", params=PARAMS, json=task.body()):
        took(rows)


# aioflows


async def by_pages(task: Task, took: Took, order: SortKey | None = "trigger_time") -> None:
    """A scan, page by page."""
    async with _session(task) as session, session.scan(_query(task, order)) as scan:
        async for rows in scan.pages():
            took(rows)


async def row_by_row(task: Task, took: Took) -> None:
    """A scan, row by row."""
    async with _session(task) as session, session.scan(_query(task)) as scan:
        async for row in scan:
            took((row,))


async def with_checkpoints(task: Task, took: Took) -> None:
    """A scan, page by page, that could go on elsewhere after each of them."""
    async with _session(task) as session, session.scan(_query(task)) as scan:
        async for rows in scan.pages():
            took(rows)
            scan.checkpoint().to_json()


async def by_start(task: Task, took: Took) -> None:
    """A scan in an order that the service could give as well, but would not prove."""
    async with _session(task) as session, session.scan(_query(task, "start_time"), proven=True) as scan:
        async for rows in scan.pages():
            took(rows)


async def in_no_order(task: Task, took: Took) -> None:
    """A scan that gives rows as their pages come."""
    await by_pages(task, took, order=None)


def _session(task: Task) -> FlowSession:
    limits = Limits(concurrency=IN_FLIGHT, page_size=task.page_size)
    return FlowSession(task.url, user_id="u", org_id="o", limits=limits)


def _query(task: Task, order: SortKey | None = "trigger_time") -> FlowQuery:
    return FlowQuery(task.first, task.until, type=ScheduleType.PERIODIC, order_by=order)


_wire_key = operator.itemgetter("triggerTime", "instanceId")
_key = operator.attrgetter("trigger_time", "instance_id")

CONTESTANTS: dict[str, tuple[Callable[[Task, Took], Any], Callable[[Any], tuple[Any, str]]]] = {
    "hand-tuned": (hand_tuned, _key),
    "pages()": (by_pages, _key),
    "row by row": (row_by_row, _key),
    "in no order": (in_no_order, _key),
    "checkpoints": (with_checkpoints, _key),
    "by start time": (by_start, operator.attrgetter("start_time", "instance_id")),
    "sequential": (sequential, _wire_key),
    "days at once": (days_at_once, _wire_key),
    "vendor's SDK": (vendor_sdk, _wire_key),
    "dlt": (dlt_client, _wire_key),
}
"""How each reads, and how its rows tell their trigger time and id."""


NEEDED = {"vendor's SDK": ["poseidon.poseidon"], "dlt": ["dlt.sources.helpers.rest_client.client"]}
"""What is imported before the clock starts."""


def measured(name: str, task: Task, *, checked: bool) -> dict[str, Any]:
    """Let one of them read in this process."""
    read, key = CONTESTANTS[name]
    seen: list[tuple[Any, str]] = []
    rows = 0

    def took(page: Sequence[Any]) -> None:
        nonlocal rows
        rows += len(page)
        if checked:
            seen.extend(map(key, page))

    for module in NEEDED.get(name, ()):
        importlib.import_module(module)
    before, began, used = resident("VmRSS"), time.perf_counter(), cpu()
    result = read(task, took)
    if inspect.isawaitable(result):
        asyncio.run(_awaited(result))
    found = {"rows": rows, "seconds": time.perf_counter() - began, "cpu": cpu() - used}
    found["peak"] = resident("VmHWM") - before
    if checked:
        found["distinct"] = len({row for _, row in seen})
        found["ordered"] = all(a <= b for a, b in pairwise(time for time, _ in seen))
    return found


async def _awaited(reading: Any) -> None:
    await reading


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("url")
    parser.add_argument("numbers", nargs=3, type=int)
    parser.add_argument("--checked", action="store_true")
    options = parser.parse_args()
    print(json.dumps(measured(options.name, Task(options.url, *options.numbers), checked=options.checked)))
