"""JSON lines: one flow instance a line.

Names are the library's, times are ISO 8601, all with the offset of one zone, and ``status`` is the service's code. In an
export, ``graph``, ``parameters`` and ``extra`` are texts that hold JSON, since readers such as Polars, Arrow and DuckDB
want one type in a column, and graphs differ. With ``nested=True`` they are JSON values, as in ``json_line``.

A line is ASCII without control characters, so it is safe on any terminal and in any log. With ``utf8=True`` it is UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

from aioflows._instance_json import json_of_members, json_of_row
from aioflows._tables.columns import FIELDS, Column, Kind, Layout, members_text
from aioflows._tables.time_text import time_text
from aioflows.models import FlowInstance

__all__ = ["JsonLinesEncoder", "json_line", "line_encoder"]


class JsonLinesEncoder:
    """An encoder of flow instances as JSON lines, with one member for each column.

    Args:
        layout: the columns.
        zone: the zone of times. Default: UTC.
        nested: True to write graphs, parameters and other JSON of the service as values. Default: False, which means
            texts.
        utf8: True for UTF-8. Default: False, which means ASCII.
    """

    head = b""
    end = b"\n"
    quoted = False

    def __init__(
        self, layout: Layout, *, zone: tzinfo = UTC, nested: bool = False, utf8: bool = False
    ) -> None:
        self._layout = layout
        self._utf8 = utf8
        self._usual = nested and not utf8 and layout.columns == FIELDS and zone is UTC
        self._values = tuple(_writer(column, zone, nested=nested) for column in layout.columns)
        self._texts = _names(layout, Kind.JSON) if nested else ()
        self._mappings = _names(layout, Kind.MEMBERS) if nested else ()

    def encode(self, instances: Sequence[FlowInstance]) -> bytes:
        """Return the lines of these instances."""
        if self._usual:
            return b"".join([json_of_row(instance) + b"\n" for instance in instances])
        columns = [
            values if write is None else list(map(write, values))
            for write, values in zip(self._values, self._layout.values(instances), strict=True)
        ]
        rows = [dict(zip(self._layout.names, row, strict=True)) for row in zip(*columns, strict=True)]
        return b"".join(
            [json_of_members(row, self._texts, self._mappings, utf8=self._utf8) + b"\n" for row in rows]
        )

    def decode(self, record: bytes) -> Mapping[str, str]:
        """Return the members of a line. Raise a ValueError if it has other columns."""
        members = json.loads(record)
        if not isinstance(members, dict) or tuple(members) != self._layout.names:
            raise ValueError("it has other columns")
        return members


def json_line(instance: FlowInstance) -> bytes:
    """Return an instance as one line of JSON with times in UTC and a line feed."""
    return json_of_row(instance) + b"\n"


def line_encoder(zone: tzinfo) -> JsonLinesEncoder:
    """Return an encoder of all fields of instances as `json_line` writes them, but with times in a zone."""
    return JsonLinesEncoder(Layout(default=FIELDS), zone=zone, nested=True)


def _names(layout: Layout, kind: Kind) -> tuple[str, ...]:
    return tuple(column.name for column in layout.columns if column.kind is kind)


def _writer(column: Column, zone: tzinfo, *, nested: bool) -> Callable[[Any], object] | None:
    """Return a function that returns a value of a column as JSON has it. None means that the value stays as it is."""
    if column.kind is Kind.TIME:
        return time_text(column, zone)
    if column.kind is Kind.MEMBERS and not nested:
        return lambda value: None if value is None else members_text(value)
    return None
