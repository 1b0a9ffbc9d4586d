"""JSON lines of instances that the caller holds. `aioflows._tables.json_lines` has the format."""

from __future__ import annotations

from collections.abc import Sequence

from aioflows._instance_json import json_of_row
from aioflows._tables.json_lines import JsonLinesEncoder, line_encoder
from aioflows.models import FlowInstance

__all__ = ["JsonLinesEncoder", "json_line", "json_lines", "line_encoder"]


def json_line(instance: FlowInstance) -> bytes:
    """Return an instance as one line of JSON with times in UTC and a line feed.

    For many instances, `json_lines` costs a third.
    """
    return json_of_row(instance) + b"\n"


def json_lines(instances: Sequence[FlowInstance], *, nested: bool = True, utf8: bool = False) -> bytes:
    """Return instances as lines of JSON with times in UTC, one a line. Each equals that of `json_line`.

    Args:
        instances: the instances, such as a page of ``scan.pages()``.
        nested: True to write the graph, the parameters and ``extra`` as JSON values. False means texts that hold JSON,
            as in an export. Default: True.
        utf8: True for UTF-8. Default: False, which means ASCII.
    """
    return line_encoder(nested=nested, utf8=utf8).encode(instances)
