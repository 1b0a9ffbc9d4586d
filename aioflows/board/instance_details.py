"""One instance with its task graph, as the page draws it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from aioflows._core.board.runs import ms_of
from aioflows._display.text import printable
from aioflows.errors import AioflowsError
from aioflows.models import FlowInstance, FlowTask
from aioflows.session import FlowSession

__all__ = ["InstanceDetails", "drawn_instance"]

_FRESH = 2.0  # seconds
_KEPT = 200
_MOST_TASKS = 500
_LONGEST = 500  # characters
_TIMES = ("startTime", "endTime", "triggerTime")


class InstanceDetails:
    """Reads single instances. Clients that ask for the same one within two seconds share one request.

    Args:
        session: an open session.
    """

    def __init__(self, session: FlowSession) -> None:
        self._session = session
        self._reading: OrderedDict[str, tuple[float, asyncio.Task[dict[str, Any]]]] = OrderedDict()

    async def read(self, id: str) -> dict[str, Any]:
        """Return an instance as values of JSON.

        Raises:
            AioflowsError: the service has no such instance, or does not answer.
        """
        now = asyncio.get_running_loop().time()
        asked, task = self._reading.get(id, (0.0, None))
        if task is None or (task.done() and now - asked > _FRESH):
            task = asyncio.create_task(self._read(id))
            self._reading[id] = now, task
            self._reading.move_to_end(id)
            while len(self._reading) > _KEPT:
                self._reading.popitem(last=False)[1][1].cancel()
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled() or _is_cancelled():
                raise
            raise AioflowsError("too many instances were asked for at once; ask for this one again") from None

    async def _read(self, id: str) -> dict[str, Any]:
        return drawn_instance(await self._session.get(id))

    async def aclose(self) -> None:
        """Cancel the requests under way."""
        tasks = [task for _, task in self._reading.values()]
        self._reading.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _is_cancelled() -> bool:
    present = asyncio.current_task()
    return present is not None and present.cancelling() > 0


def drawn_instance(row: FlowInstance) -> dict[str, Any]:
    """Return what the page shows of an instance, as values of JSON. Times are ms since the epoch."""
    times = {
        "trigger": row.trigger_time,
        "start": row.start_time,
        "end": row.end_time,
        "created": row.timestamp,
    }
    tasks = row.tasks
    return {
        "id": _text(row.instance_id),
        "flow": _text(row.flow_name),
        "flow_id": row.flow_id,
        "owner": _text(row.owner),
        "freq": _text(row.freq),
        "status": row.status_name,
        "final": row.is_final,
        "cancelled": row.is_cancelled,
        **{name: None if time is None else ms_of(time) for name, time in times.items()},
        "tasks": [_task(task, place) for place, task in enumerate(tasks[:_MOST_TASKS])],
        "left_out": max(0, len(tasks) - _MOST_TASKS),
        "links": _links(row),
    }


def _task(task: FlowTask, place: int) -> dict[str, Any]:
    return {
        "node": _text(task.node_id or task.id or str(place)),
        "name": _text(task.name or task.id),
        "id": _text(task.instance_id or task.id),
        "status": task.status_name,
        "times": [[name, _text(str(task.members[name]))] for name in _TIMES if task.members.get(name)],
    }


def _links(row: FlowInstance) -> list[list[str]]:
    graph = row.graph
    relations = graph.get("relations") if isinstance(graph, Mapping) else None
    if not isinstance(relations, list):
        return []
    return [
        [_text(str(one["from"])), _text(str(one["to"]))]
        for one in relations[: 4 * _MOST_TASKS]
        if isinstance(one, Mapping) and "from" in one and "to" in one
    ]


def _text(text: str | None) -> str:
    return printable(text or "", _LONGEST)
