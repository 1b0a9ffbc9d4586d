"""The service in front of a table, which pages as an ordinary back-end developer would: ORDER BY, LIMIT, OFFSET.

It shares no code with the client. Whatever is careless in it is so on purpose: the order has no tie-break, the text
searched for is put between two `%` as it is, a page is as large as the cap says without a word, and where no sorters
are given the order is the database's.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import attrs
from aiohttp import web

from tests.databases.tables import Database, Layout, Row, Value, wall

__all__ = ["READINGS", "Question", "Service"]

READINGS = ("rows", "keys")
"""How a page is read: whole rows at once, or the page's keys first and then their rows."""

_SORTABLE = ("create_time", "update_time", "start_time", "trigger_time", "end_time")

_STATUS_NAMES = {-1: "FAIL", 0: "INIT", 1: "SUCCESS", 2: "RUNNING", 3: "SUSPEND", 4: "INTERNAL_ERROR"}


@attrs.frozen(kw_only=True)
class Question:
    """What is asked of the table, but for the page."""

    type: int
    from_ms: int
    to_ms: int
    status: tuple[int, ...] = ()
    owner: str = ""
    expression: str = ""

    def where(self, database: Database, layout: Layout) -> tuple[str, list[Value]]:
        """Return the condition, with its values."""
        parts = ["type = ?", "trigger_time >= ?", "trigger_time < ?"]
        values: list[Value] = [
            self.type,
            database.time(self.from_ms, layout.column),
            database.time(self.to_ms, layout.column),
        ]
        if self.status:
            parts.append(f"status IN ({', '.join('?' for _ in self.status)})")
            values += self.status
        if self.expression:
            parts.append("(instance_id LIKE ? OR name LIKE ?)")
            values += [f"%{self.expression}%"] * 2
        if self.owner:
            parts.append("owner = ?")
            values.append(self.owner)
        return " AND ".join(parts), values


class Service:
    """Answers searches from one table at a time.

    Args:
        database: Where the tables are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.layout = Layout("", "", "")
        self.reading = READINGS[0]
        self.cap: int | None = None
        self.requests = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Serve on a loopback port; the value is the base URL."""
        app = web.Application()
        app.router.add_post("/batch-processing-service/v2.1/flowInstances", self._search)
        app.router.add_get("/batch-processing-service/v2.1/time", self._time)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _time(self, request: web.Request) -> web.Response:
        if request.query.get("action") == "getTimeZone":
            return _answer({"timezone": "GMT+8"})
        return _answer(int(time.time() * 1000))

    async def _search(self, request: web.Request) -> web.Response:
        self.requests += 1
        body = await request.json()
        page = body["pagination"]
        sorters = [(one["field"], one.get("order", "ASC")) for one in page.get("sorters") or ()]
        if any(field not in _SORTABLE or order not in ("ASC", "DESC") for field, order in sorters):
            return web.json_response({"code": 62102, "msg": "illegal sort field", "data": None})
        question = Question(
            type=body["type"],
            from_ms=body["fromTriggerTime"],
            to_ms=body["toTriggerTime"],
            status=tuple(int(code) for code in body["status"].split(",") if code),
            owner=body["owner"],
            expression=body.get("expression") or "",
        )
        size = page["pageSize"] if self.cap is None else min(page["pageSize"], self.cap)
        rows = await self._page(question, sorters, size, page["pageNo"] * size)
        return _answer({"flowInsts": [_shown(row) for row in rows], "count": len(rows)})

    async def _page(
        self, question: Question, sorters: list[tuple[str, str]], size: int, offset: int
    ) -> list[Row]:
        database, layout = self._database, self.layout
        where, values = question.where(database, layout)
        table = database.table(layout)
        order = f" ORDER BY {', '.join(f'{field} {way}' for field, way in sorters)}" if sorters else ""
        part = f"{order} LIMIT {size} OFFSET {offset}"
        if self.reading == "rows":
            return await database.fetch(f"SELECT * FROM {table} WHERE {where}{part}", values)
        keys = f"SELECT id FROM {table} WHERE {where}{part}"
        return await database.fetch(f"SELECT * FROM {table} JOIN ({keys}) AS page USING (id){order}", values)


def _answer(data: object) -> web.Response:
    return web.json_response({"code": 0, "msg": "OK", "data": data})


def _shown(row: Row) -> dict[str, Any]:
    """Return a row as the service writes it: wall clocks without a zone, in whole seconds, which are cut and not rounded."""
    return {
        "instanceId": row["instance_id"],
        "flowId": row["flow_id"],
        "flowName": row["name"],
        "freq": "0 0 0 * * ? *",
        "cycle": "D",
        "parameters": "[]",
        "doAs": "data",
        "graph": row["graph"],
        "status": row["status"],
        "statusDesc": _STATUS_NAMES.get(row["status"], "OTHER"),
        "triggerTime": _clock(row["trigger_time"]),
        "startTime": row["start_time"] and _clock(row["start_time"]),
        "endTime": row["end_time"] and _clock(row["end_time"]),
        "timestamp": row["create_time"].strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        "virtual": False,
        "owner": row["owner"],
        "hasEditPri": True,
        "hasReadPri": True,
        "isCancelled": row["status"] == 8,
    }


def _clock(value: datetime | int) -> str:
    return (wall(value) if isinstance(value, int) else value).strftime("%Y-%m-%d %H:%M:%S")
