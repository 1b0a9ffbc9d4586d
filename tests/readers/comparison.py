"""Compares what a reader found with what was exported."""

from __future__ import annotations

from typing import Any

from tests.readers.cases import Case

__all__ = ["difference"]

_KINDS = (  # the first word that is in the name of a type
    ("dictionary", "text"),
    ("categor", "text"),
    ("enum", "text"),
    ("timestamp", "time"),
    ("datetime", "time"),
    ("bool", "boolean"),
    ("int", "integer"),
    ("float", "number"),
    ("double", "number"),
    ("null", "nothing"),
    ("str", "text"),
    ("utf8", "text"),
    ("varchar", "text"),
    ("object", "text"),
    ("text", "text"),
    ("time", "time"),
    ("integer", "integer"),
    ("number", "number"),
)


def kind_of(type: str) -> str:
    """Return the kind of a type by its name."""
    name = type.lower()
    return next((kind for word, kind in _KINDS if word in name), type)


def difference(found: dict[str, Any], case: Case, *, empty_is_missing: bool = False) -> str | None:
    """Return how a reading differs from the export. None means that it does not.

    Args:
        found: what the reader found.
        case: what was exported.
        empty_is_missing: True to take an empty text for a missing value.
    """
    if "error" in found:
        return str(found["error"])
    expected, columns = case.columns, found["columns"]
    if columns != ([*expected, "date"] if found["form"] == "folder" else list(expected)):
        return f"columns {columns}"
    if len(found["rows"]) != len(case.rows):
        return f"{len(found['rows'])} rows, not {len(case.rows)}"
    rows, written = _sorted(found["rows"], case), _sorted(case.rows, case)
    for number, (name, kind) in enumerate(expected.items()):
        values, type = [row[number] for row in rows], found["types"][number]
        if not _is_right(found, kind, type, values):
            return f"{name} has the type {type}, not that of a {kind}"
        for there, value in zip(written, values, strict=True):
            meant = None if empty_is_missing and there[number] == "" else there[number]
            if value != meant or isinstance(value, bool) != isinstance(meant, bool):
                return f"{name} of {there[0]} is {value!r:.60}, not {meant!r:.60}"
    return None


def _is_right(found: dict[str, Any], kind: str, type: str, values: list[Any]) -> bool:
    """Return True if a column has the right type.

    Text formats have no type for times, so these may be texts that were then converted. A reader that was not told
    the types cannot know that of a column without values.
    """
    if "untold" in found["reader"] and set(values) <= {None}:
        return True
    is_text = found["form"].partition(".")[0] in ("csv", "jsonl", "sqlite")
    return kind_of(type) == kind or (kind == "time" and is_text and kind_of(type) == "text")


def _sorted(rows: list[list[Any]], case: Case) -> list[list[Any]]:
    """Return rows in one order, since a folder has them by day."""
    names = list(case.columns)
    keys = [names.index(name) for name in ("instance_id", "task_number") if name in names]
    return sorted(rows, key=lambda row: [str(row[key]) for key in keys])
