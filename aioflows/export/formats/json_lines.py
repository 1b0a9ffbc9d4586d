"""JSON lines: one flow instance a line.

Names are the library's, times are ISO 8601, all with the offset of one zone, ``status`` is the service's code, and ``graph``
and ``parameters`` are decoded. A line is ASCII without control characters, so it is safe on any terminal and
in any log.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo

from aioflows._instance_json import json_of_members, json_of_row
from aioflows._tables.columns import FIELDS, Kind, Layout
from aioflows._tables.time_text import time_text
from aioflows.models import FlowInstance

__all__ = ["JsonLinesEncoder", "json_line", "line_encoder"]


class JsonLinesEncoder:
    """An encoder of flow instances as JSON lines, with one member for each column.

    Args:
        layout: the columns.
        zone: the zone of times. Default: UTC.
    """

    head = b""

    def __init__(self, layout: Layout, *, zone: tzinfo = UTC) -> None:
        self._layout = layout
        self._zone = zone
        self._usual = layout.columns == FIELDS and zone is UTC
        self._texts = tuple(column.name for column in layout.columns if column.kind is Kind.JSON)
        self._mappings = tuple(column.name for column in layout.columns if column.kind is Kind.MEMBERS)

    def encode(self, instances: Sequence[FlowInstance]) -> bytes:
        """Return the lines of these instances."""
        if self._usual:
            return b"".join([json_of_row(instance) + b"\n" for instance in instances])
        columns = [
            list(map(time_text(column, self._zone), values)) if column.kind is Kind.TIME else values
            for column, values in zip(self._layout.columns, self._layout.values(instances), strict=True)
        ]
        rows = [dict(zip(self._layout.names, row, strict=True)) for row in zip(*columns, strict=True)]
        return b"".join([json_of_members(row, self._texts, self._mappings) + b"\n" for row in rows])


def json_line(instance: FlowInstance) -> bytes:
    """Return an instance as one line of JSON with times in UTC and a line feed."""
    return json_of_row(instance) + b"\n"


def line_encoder(zone: tzinfo) -> JsonLinesEncoder:
    """Return an encoder of all fields of instances, with times in a zone."""
    return JsonLinesEncoder(Layout(default=FIELDS), zone=zone)
