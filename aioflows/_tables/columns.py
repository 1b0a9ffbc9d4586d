"""The columns of flow instances: their names, their kinds and their values.

All columns are sequences of the same length, in the order of the instances. Each file format decides how it
writes a kind of value. No instance is left out: with one row for each task, an instance whose graph has no
tasks still has a row.
"""

from __future__ import annotations

import difflib
import enum
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from operator import attrgetter
from typing import Any, TypeAlias

import attrs

from aioflows.errors import QueryError
from aioflows.models import FlowInstance, FlowStatus, Json

__all__ = [
    "COLUMNS",
    "CREATED",
    "DURATION",
    "END",
    "EXTRA",
    "FIELDS",
    "GRAPH",
    "START",
    "STATUS",
    "STATUS_NAME",
    "STATUS_NAMES",
    "TASK_COLUMNS",
    "TRIGGER",
    "Column",
    "Kind",
    "Layout",
    "members_text",
    "shared_epoch",
    "utf8",
    "whole",
]

Values: TypeAlias = Sequence[Any]


class Kind(enum.Enum):
    """The kind of the values of a column. Any value may be None."""

    TEXT = enum.auto()
    NAME = enum.auto()
    """A text that is equal in many rows."""
    INTEGER = enum.auto()
    NUMBER = enum.auto()
    BOOLEAN = enum.auto()
    TIME = enum.auto()
    """An aware datetime."""
    JSON = enum.auto()
    """A JSON text, as the service sent it. The service may send a text that is not JSON."""
    MEMBERS = enum.auto()
    """A mapping of names to JSON values."""


@attrs.frozen
class Column:
    """A column.

    Args:
        name: the name of the column, in every format.
        kind: the kind of its values.
        read: returns the value of a row.
        stored: returns the value of a row as the instance stores it, at less cost. A time may lack its zone,
            a status may be an int, and a graph may be its JSON text or, if it was decoded already, a mapping.
            Default: `read`.
    """

    name: str
    kind: Kind
    read: Callable[[Any], Any]
    stored: Callable[[Any], Any] = attrs.field()

    @stored.default
    def _as_read(self) -> Callable[[Any], Any]:
        return self.read


_code = attrgetter("_status")
_epoch = attrgetter("_epoch")


class _StatusNames(dict[int | None, str | None]):
    def __missing__(self, code: int | None) -> str:
        return str(code)


STATUS_NAMES = _StatusNames({None: None} | {one: one.name for one in FlowStatus})
"""The `status_name` of each status code."""


def _status_name(instance: FlowInstance) -> str | None:
    return STATUS_NAMES[_code(instance)]


def _seconds(instance: FlowInstance) -> float | None:
    start, end = instance.start_time, instance.end_time
    if start is None or end is None:
        return None
    if start.tzinfo is end.tzinfo and type(end.tzinfo) is timezone:
        return (end - start).total_seconds()  # half the cost of `duration`; fits nearly every row
    return None if instance.duration is None else instance.duration.total_seconds()


def _field(name: str, kind: Kind, attribute: str | None = None) -> Column:
    hidden = f"_{name}" if hasattr(FlowInstance, f"_{name}") else None
    return Column(name, kind, attrgetter(attribute or name), attrgetter(hidden or attribute or name))


FIELDS = (
    _field("instance_id", Kind.TEXT),
    _field("flow_id", Kind.INTEGER),
    _field("flow_name", Kind.NAME),
    _field("freq", Kind.NAME),
    _field("cycle", Kind.NAME),
    _field("parameters", Kind.JSON, "parameters_text"),
    _field("do_as", Kind.NAME),
    _field("graph", Kind.JSON, "graph_text"),
    _field("status", Kind.INTEGER),
    _field("status_desc", Kind.NAME),
    _field("trigger_time", Kind.TIME),
    _field("start_time", Kind.TIME),
    _field("end_time", Kind.TIME),
    _field("timestamp", Kind.TIME),
    _field("virtual", Kind.BOOLEAN),
    _field("owner", Kind.NAME),
    _field("has_edit_pri", Kind.BOOLEAN),
    _field("has_read_pri", Kind.BOOLEAN),
    _field("is_cancelled", Kind.BOOLEAN),
    _field("alert_mode", Kind.INTEGER),
    _field("cal_dt", Kind.TEXT),
    _field("extra", Kind.MEMBERS),
)
"""The fields of a flow instance, under their names in `FlowInstance`."""

_BY_NAME = {column.name: column for column in FIELDS}
TRIGGER, CREATED = _BY_NAME["trigger_time"], _BY_NAME["timestamp"]
START, END = _BY_NAME["start_time"], _BY_NAME["end_time"]
GRAPH, STATUS, EXTRA = _BY_NAME["graph"], _BY_NAME["status"], _BY_NAME["extra"]
STATUS_NAME = Column("status_name", Kind.NAME, _status_name, _code)
DURATION = Column("duration", Kind.NUMBER, _seconds)

COLUMNS = (*FIELDS, STATUS_NAME, DURATION)
"""Every column of an instance: its fields, the name of its status, and its duration (seconds)."""


class _Task:
    """A task of a graph, of which only some members may be readable."""

    __slots__ = ("number", "task")

    def __init__(self, number: int, task: Json) -> None:
        self.number = number
        self.task = task

    def text(self, member: str) -> str | None:
        """Return a member as a text. Ids are numbers in some graphs and texts in others."""
        value = self.task.get(member) if isinstance(self.task, Mapping) else None
        return None if value is None or isinstance(value, (Mapping, list)) else str(value)

    def code(self) -> int | None:
        """Return the task's status code, or None if there is none."""
        value = self.task.get("status") if isinstance(self.task, Mapping) else None
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def _of_task(member: str) -> Callable[[_Task | None], object]:
    return lambda task: None if task is None else task.text(member)


# The vendor's sample answer of "List Flow Instances" has these members in "graph.tasks".
TASK_COLUMNS = (
    Column("task_number", Kind.INTEGER, lambda task: None if task is None else task.number),
    Column("task_id", Kind.TEXT, _of_task("taskId")),
    Column("task_name", Kind.NAME, _of_task("taskName")),
    Column("task_instance_id", Kind.TEXT, _of_task("taskInstId")),
    Column("task_node_id", Kind.TEXT, _of_task("nodeId")),
    Column("task_status", Kind.INTEGER, lambda task: None if task is None else task.code()),
    Column("task", Kind.MEMBERS, lambda task: None if task is None else task.task),
)
"""The additional columns of a table with one row for each task: its position in the graph, and its members."""


class Layout:
    """The columns of a table, and the meaning of its rows: instances, or tasks of instances.

    Args:
        names: names of columns, in the order wanted. None means `default`, without the graph if `tasks` is
            True.
        tasks: True for one row for each task of an instance's graph. An instance without tasks has one row.
        default: the columns that None stands for.

    Raises:
        QueryError: a column is unknown, or is named twice.
    """

    def __init__(
        self, names: Iterable[str] | None = None, *, tasks: bool = False, default: Sequence[Column] = COLUMNS
    ) -> None:
        self.tasks = tasks
        known = {column.name: column for column in (*COLUMNS, *(TASK_COLUMNS if tasks else ()))}
        if names is None:
            kept = [column for column in default if not (tasks and column.name == "graph")]
            self.columns = (*kept, *TASK_COLUMNS) if tasks else tuple(kept)
        else:
            chosen = _chosen(names, known)
            self.columns = tuple(known[name] for name in chosen)
        self.names = tuple(column.name for column in self.columns)

    def values(self, instances: Sequence[FlowInstance]) -> list[Values]:
        """Return the columns of these instances. All have as many values as there are rows."""
        rows, tasks = self.rows(instances)
        return [list(map(column.read, tasks if column in TASK_COLUMNS else rows)) for column in self.columns]

    def rows(self, instances: Sequence[FlowInstance]) -> tuple[Sequence[FlowInstance], Sequence[object]]:
        """Return the instance and the task of each row. Without `tasks`, the second sequence is empty."""
        if not self.tasks:
            return instances, ()
        rows = [(instance, task) for instance in instances for task in _tasks(instance)]
        return [row[0] for row in rows], [row[1] for row in rows]


def shared_epoch(instances: Sequence[FlowInstance]) -> datetime | None:
    """Return 1970-01-01 00:00:00 in the service's zone, as these instances were decoded with it.

    Returns:
        None if the instances do not share one fixed offset.
    """
    try:
        epochs = {id(epoch): epoch for epoch in map(_epoch, instances)}
    except AttributeError:  # an instance that a user made has no epoch
        return None
    if len(epochs) != 1:
        return None
    ((_, epoch),) = epochs.items()
    return epoch if type(epoch.tzinfo) is timezone else None


def whole(column: Column, values: Values) -> Sequence[int | None]:
    """Return the values of a column of integers, checked to fit into 64 bits.

    Raises:
        QueryError: a value does not fit.
    """
    numbers: Sequence[int | None] = values
    if not set(map(type, values)) <= {int, type(None)}:
        numbers = [None if value is None else int(value) for value in values]
    for number in set(numbers):
        if number is not None and not -(2**63) <= number < 2**63:
            raise QueryError(
                f"{column.name} holds {number}, which has more than 64 bits; "
                "leave the column out, or use JSON lines or CSV"
            )
    return numbers


def members_text(members: object) -> str:
    """Return decoded members as a JSON text.

    A value that JSON cannot express becomes its `repr`. If a value is NaN, the text is the `repr` of all members.
    """
    if members == {}:
        return "{}"
    try:
        return json.dumps(members, separators=(",", ":"), allow_nan=False, default=repr)
    except (ValueError, RecursionError):
        return json.dumps(repr(members))


def utf8(text: str) -> str:
    """Return a text with its lone surrogates escaped, since UTF-8 cannot encode them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _tasks(instance: FlowInstance) -> Sequence[_Task | None]:
    graph = instance.graph
    tasks = graph.get("tasks") if isinstance(graph, Mapping) else None
    if not isinstance(tasks, list) or not tasks:
        return (None,)
    return [_Task(number, task) for number, task in enumerate(tasks)]


def _chosen(names: Iterable[str], known: Mapping[str, Column]) -> list[str]:
    if isinstance(names, str):
        raise QueryError(f"columns must be several names, as in ['instance_id', 'status'], not {names!r}")
    chosen = list(names)
    for name in chosen:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            if name in {column.name for column in TASK_COLUMNS}:
                hint = "; it needs one row for each task (tasks=True, --tasks)"
            raise QueryError(f"unknown column {name!r}; known columns: {', '.join(known)}{hint}")
        if chosen.count(name) > 1:
            raise QueryError(f"column {name!r} is named twice; name it once")
    if not chosen:
        raise QueryError("columns must hold at least one name; leave columns out to get all of them")
    return chosen
