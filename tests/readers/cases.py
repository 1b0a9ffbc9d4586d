"""The exports that are read: which rows they hold, in which forms they are written, and what a reader must find."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs

from aioflows import FlowInstance, FlowQuery, FlowSession, FlowStatus
from aioflows._tables.columns import Kind, Layout, members_text
from aioflows.emulator import Emulator
from aioflows.export import export
from tests.support.export_cases import Rows

__all__ = ["CASES", "FORMS", "Case", "cases", "write"]

FORMS = (
    "jsonl",
    "jsonl.gz",
    "jsonl.zst",
    "csv",
    "csv.gz",
    "csv.zst",
    "parquet",
    "folder",
    "sqlite",
    "duckdb",
)
CASES = ("full", "empty", "one", "tasks", "odd")
_START = datetime(2024, 3, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = {Kind.INTEGER: "integer", Kind.NUMBER: "number", Kind.BOOLEAN: "boolean", Kind.TIME: "time"}
ODD_NAMES = (
    "",
    " spaces ",
    "NA",
    "null",
    "NaN",
    "None",
    "0012",
    "1e5",
    "true",
    "2024-01-01",
    'quote "and", comma',
    "'",
    "two\nlines",
    "return\r\nand line",
    "tab\tand \\ backslash",
    "=1+1",
    "风机 № 7",
    "\U0001f300 e\u0301 \u202e",
    "line\u2028separator",
    "x" * 5_000,
    "#",
    "{}",
    "[1]",
)


@attrs.frozen
class Case:
    """Rows of an export, and what a reader of it must find.

    Args:
        name: the name in the table.
        instances: the rows.
        tasks: True for one row for each task.
    """

    name: str
    instances: Sequence[FlowInstance]
    tasks: bool = False

    @property
    def layout(self) -> Layout:
        """The columns."""
        return Layout(tasks=self.tasks)

    @cached_property
    def columns(self) -> dict[str, str]:
        """The kinds of the columns, by name."""
        return {column.name: _KINDS.get(column.kind, "text") for column in self.layout.columns}

    @cached_property
    def rows(self) -> list[list[Any]]:
        """The values of each row: times as microseconds since 1970, JSON as texts."""
        names = list(self.columns)
        return [
            [plain(row[name]) for name in names]
            for one in self.instances
            for row in (_task_rows(one) if self.tasks else [_row(one)])
        ]


def plain(value: object) -> object:
    """Return a value as JSON has it."""
    if isinstance(value, datetime):
        return (value - _EPOCH) // timedelta(microseconds=1)
    return value


def _row(one: FlowInstance) -> dict[str, Any]:
    fields = {name: getattr(one, name) for name in Layout().names}
    took = None if one.start_time is None or one.end_time is None else one.end_time - one.start_time
    return fields | {
        "parameters": one.parameters_text,
        "graph": one.graph_text,
        "status": None if one.status is None else int(one.status),
        "status_name": one.status_name,
        "duration": None if took is None else took.total_seconds(),
        "extra": None if one.extra is None else members_text(one.extra),
    }


def _task_rows(one: FlowInstance) -> list[dict[str, Any]]:
    text = one.graph_text
    found = json.loads(text).get("tasks") or [None] if text else [None]
    return [_row(one) | _task(number, task) for number, task in enumerate(found)]


def _task(number: int, task: dict[str, Any] | None) -> dict[str, Any]:
    known = task or {}

    def text(member: str) -> str | None:
        return None if known.get(member) is None else str(known[member])

    return {
        "task_number": None if task is None else number,
        "task_id": text("taskId"),
        "task_name": text("taskName"),
        "task_instance_id": text("taskInstId"),
        "task_node_id": text("nodeId"),
        "task_status": known.get("status"),
        "task": None if task is None else members_text(task),
    }


def _odd() -> list[FlowInstance]:
    """Return rows with names that readers may misread, and with times that are missing first and come later."""
    return [
        FlowInstance(
            f"00{number:03}",
            flow_id=2**53 + number,
            flow_name=name,
            owner=None if number % 2 else name,
            parameters='[{"a": "x, y"}]' if number % 3 else None,
            graph=f'{{"tasks":[{{"taskId":{number},"taskName":"t"}},{{"taskId":"x","status":1}}]}}',
            status=FlowStatus.SUCCESS if number % 3 else FlowStatus.FAIL,
            trigger_time=_START + timedelta(hours=number),
            start_time=_START + timedelta(hours=number, seconds=1) if number > 10 else None,
            end_time=_START + timedelta(hours=number, seconds=9) if number > 15 else None,
            timestamp=_START + timedelta(hours=number, microseconds=number) if number > 12 else None,
            virtual=number % 2 == 0 if number > 5 else None,
            extra={"more": name},
        )
        for number, name in enumerate(ODD_NAMES)
    ]


async def cases() -> list[Case]:
    """Return the cases, of which the large ones hold what a service sends."""
    async with (
        Emulator(instances=400, seed=1, days=5) as emulator,
        FlowSession(emulator.url, user_id="u", org_id="o") as session,
    ):
        rows = await session.scan(FlowQuery(emulator.start, emulator.end)).list()
    return [
        Case("full", rows),
        Case("empty", []),
        Case("one", rows[:1]),
        Case("tasks", rows[:100], tasks=True),
        Case("odd", _odd()),
    ]


async def write(case: Case, folder: Path) -> None:
    """Write a case in every form, as ``CASE.FORM``."""
    query = FlowQuery(_START, _START + timedelta(days=30))
    for form in FORMS:
        target = f"{folder}/{case.name}.{form}" + "/" * (form == "folder")
        await export(Rows(case.instances, page=100), query, target, tasks=case.tasks, raw=True)
