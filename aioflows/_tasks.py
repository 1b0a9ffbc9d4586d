"""The tasks of a flow instance, from its task graph."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from aioflows._json_text import Json
from aioflows._statuses import FINAL, STATUSES, FlowStatus

__all__ = ["FlowTask", "tasks_of"]

_NO_MEMBERS: Mapping[str, Json] = {}


@attrs.frozen(kw_only=True)
class FlowTask:
    """A task of a flow instance, as its task graph names it.

    A field is None if the graph lacks it, or holds something else in its place. The graph has no times of tasks.

    Args:
        id: the id of the task. Some graphs write it as a number; it is a text here in any case.
        name: the name of the task.
        instance_id: the id of this run of the task.
        node_id: the id of the node in the graph.
        status: a `FlowStatus`, or a plain int for a code that is not in the vendor's table. Few graphs have it.
        x: the horizontal place of the node in the picture of the graph.
        y: its vertical place.
        members: all members of the task, as the graph has them. They may be shared, so do not change them.
    """

    id: str | None = None
    name: str | None = None
    instance_id: str | None = None
    node_id: str | None = None
    status: FlowStatus | int | None = None
    x: float | None = None
    y: float | None = None
    members: Mapping[str, Json] = attrs.field(default=_NO_MEMBERS, repr=False)

    @property
    def status_name(self) -> str | None:
        """The name of the status, as in ``SUCCESS``. A code that is not in the vendor's table is its own name."""
        return None if self.status is None else str(self.status)

    @property
    def is_final(self) -> bool:
        """True if its status changes no more. False if the status is missing or unknown."""
        return self.status in FINAL


def tasks_of(graph: Json) -> tuple[FlowTask, ...]:
    """Return the tasks of a graph, in its order. What is not an object is left out."""
    tasks = graph.get("tasks") if isinstance(graph, Mapping) else None
    if not isinstance(tasks, list):
        return ()
    return tuple(_task(task) for task in tasks if isinstance(task, Mapping))


def _task(task: Mapping[str, Json]) -> FlowTask:
    code = _whole(task.get("status"))
    return FlowTask(
        id=_text(task.get("taskId")),
        name=_text(task.get("taskName")),
        instance_id=_text(task.get("taskInstId")),
        node_id=_text(task.get("nodeId")),
        status=STATUSES.get(code, code),
        x=_number(task.get("x")),
        y=_number(task.get("y")),
        members=task,
    )


def _text(value: Json) -> str | None:
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _whole(value: Json) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _number(value)
    return int(number) if number is not None and number.is_integer() else None
