"""JSON lines: one flow instance a line.

Names are the library's, times are ISO 8601, all with the offset of one zone, and ``status`` is the service's code. In an
export, ``graph``, ``parameters`` and ``extra`` are texts that hold JSON, since readers such as Polars, Arrow and DuckDB
want one type in a column, and graphs differ. With ``nested=True`` they are JSON values, as in ``json_line``.

A line is ASCII without control characters, so it is safe on any terminal and in any log. With ``utf8=True`` it is UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

from aioflows._instance_json import json_of_members, json_of_row
from aioflows._json_lines import UNREADABLE, json_lines, json_values, row_type
from aioflows._tables.columns import FIELDS, Column, Kind, Layout, members_text
from aioflows._tables.raw_rows import RawRows
from aioflows._tables.text_columns import InstanceColumns, TextColumns
from aioflows._tables.time_text import time_text
from aioflows.models import FlowInstance

__all__ = ["JsonLinesEncoder", "line_encoder"]


class JsonLinesEncoder:
    """An encoder of flow instances as JSON lines, with one member for each column.

    Rows are encoded a page at a time, by columns. If a row of a page is not strict JSON, or has values of types
    that a user gave it, each row of that page is encoded alone, as `FlowInstance.to_json` does. Both ways give the same lines.

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
        self._zone = zone
        self._nested = nested
        self._utf8 = utf8
        self._row = row_type(layout.names)
        self._texts = _names(layout, Kind.JSON) if nested else ()
        self._mappings = _names(layout, Kind.MEMBERS) if nested else ()
        self.accepts_raw_rows = zone is UTC and not layout.tasks
        """True if `convert` may be called."""

    def encode(self, instances: Sequence[FlowInstance]) -> bytes:
        """Return the lines of these instances."""
        lines = self._lines(InstanceColumns(self._layout, instances, self._zone))
        return self._one_by_one(instances) if lines is None else lines

    def convert(self, rows: RawRows) -> bytes:
        """Return the lines of rows that are bytes of answers.

        Raises:
            AnswerError: a value in a row cannot be read. The error names its path.
        """
        pieces = []
        for part in rows.parts:
            columns = part.columns()
            lines = None if columns is None else self._lines(columns)
            pieces.append(self.encode(part.read()) if lines is None else lines)
        if rows.order is None:
            return b"".join(pieces)
        lines_of_all = b"".join(pieces).splitlines(keepends=True)
        return b"".join([lines_of_all[number] for number in rows.order])

    def decode(self, record: bytes) -> Mapping[str, str]:
        """Return the members of a line. Raise a ValueError if it has other columns."""
        members = json.loads(record)
        if not isinstance(members, dict) or tuple(members) != self._layout.names:
            raise ValueError("it has other columns")
        return members

    def _lines(self, columns: TextColumns) -> bytes | None:
        """Return the lines of rows by their columns. None means that a row has an unusual value."""
        try:
            members = [self._members(column, columns) for column in self._layout.columns]
            return json_lines(list(map(self._row, *members)), utf8=self._utf8)
        except UNREADABLE:
            return None

    def _members(self, column: Column, columns: TextColumns) -> Sequence[Any]:
        if column.kind is Kind.JSON and self._nested:
            return json_values(columns.json_texts(column))
        values = columns.values(column)
        return _member_texts(values) if column.kind is Kind.MEMBERS and not self._nested else values

    def _one_by_one(self, instances: Sequence[FlowInstance]) -> bytes:
        if self._nested and not self._utf8 and self._layout.columns == FIELDS and self._zone is UTC:
            return b"".join([json_of_row(instance) + b"\n" for instance in instances])
        members = [
            self._plain(column, values)
            for column, values in zip(self._layout.columns, self._layout.values(instances), strict=True)
        ]
        rows = [dict(zip(self._layout.names, row, strict=True)) for row in zip(*members, strict=True)]
        return b"".join(
            [json_of_members(row, self._texts, self._mappings, utf8=self._utf8) + b"\n" for row in rows]
        )

    def _plain(self, column: Column, values: Sequence[Any]) -> Sequence[Any]:
        if column.kind is Kind.TIME:
            return list(map(time_text(column, self._zone), values))
        return _member_texts(values) if column.kind is Kind.MEMBERS and not self._nested else values


def line_encoder(zone: tzinfo = UTC, *, nested: bool = True, utf8: bool = False) -> JsonLinesEncoder:
    """Return an encoder of all fields of instances, by default as `FlowInstance.to_json` writes them."""
    return JsonLinesEncoder(Layout(default=FIELDS), zone=zone, nested=nested, utf8=utf8)


def _names(layout: Layout, kind: Kind) -> tuple[str, ...]:
    return tuple(column.name for column in layout.columns if column.kind is kind)


def _member_texts(values: Sequence[Any]) -> list[str | None]:
    return [None if value is None else members_text(value) for value in values]
