"""JSON lines: one flow instance a line.

Names are the library's, times are ISO 8601, all with the offset of one zone, ``status`` is the service's code, and ``graph``
and ``parameters`` are decoded. A line is ASCII without control characters, so it is safe on any terminal and
in any log.

msgspec encodes nearly every row. The standard library, which is three times slower, encodes rows with lone
surrogates and rows whose graph is not strict JSON. Both give the same line.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence
from datetime import UTC, tzinfo

import msgspec

from aioflows._tables.columns import FIELDS, Kind, Layout
from aioflows._tables.time_text import time_text
from aioflows.models import FlowInstance, Json, decoded

__all__ = ["JsonLinesEncoder", "json_line", "line_encoder"]

_decode_json = msgspec.json.Decoder().decode
_encode_fast = msgspec.json.Encoder().encode
# JSON has no NaN (RFC 8259, 6).
_encode_slow = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def _escape_surrogates(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error("aioflows.json", _escape_surrogates)


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
        self._texts = tuple(column.name for column in layout.columns if column.kind is Kind.JSON)
        self._members = tuple(column.name for column in layout.columns if column.kind is Kind.MEMBERS)

    def encode(self, instances: Sequence[FlowInstance]) -> bytes:
        """Return the lines of these instances."""
        columns = [
            list(map(time_text(column, self._zone), values)) if column.kind is Kind.TIME else values
            for column, values in zip(self._layout.columns, self._layout.values(instances), strict=True)
        ]
        return b"".join(
            [
                self._line(dict(zip(self._layout.names, row, strict=True)))
                for row in zip(*columns, strict=True)
            ]
        )

    def _line(self, members: dict[str, object]) -> bytes:
        texts = {name: text for name in self._texts if isinstance(text := members[name], str)}
        try:
            for name, text in texts.items():
                members[name] = _decode_strictly(text)
            line = _encode_fast(members).decode()
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
            line = self._encode_tolerantly(members, texts)
        # DEL (U+007F) is the one ASCII control character that JSON encoders do not escape (RFC 8259, 7).
        return line.encode("ascii", "aioflows.json").replace(b"\x7f", b"\\u007f") + b"\n"

    def _encode_tolerantly(self, members: dict[str, object], texts: dict[str, str]) -> str:
        try:
            return _encode_slow(members | {name: decoded(text) for name, text in texts.items()})
        except (ValueError, RecursionError):  # a task graph that holds NaN, or is nested too deep
            return _encode_slow(members | texts | {name: _as_repr(members[name]) for name in self._members})


def json_line(instance: FlowInstance) -> bytes:
    """Return an instance as one line of JSON, with its line feed. Its times are in UTC."""
    return _ALL_FIELDS.encode((instance,))


def line_encoder(zone: tzinfo) -> JsonLinesEncoder:
    """Return an encoder of all fields of instances, with times in a zone."""
    return JsonLinesEncoder(Layout(default=FIELDS), zone=zone)


def _decode_strictly(text: str) -> Json:
    value: Json = _decode_json(text)
    if isinstance(value, str):
        raise TypeError  # JSON inside of JSON, which `decoded` takes apart, or a text that is not a graph
    return value


def _as_repr(members: object) -> object:
    return (
        {name: repr(value) for name, value in members.items()} if isinstance(members, dict) else repr(members)
    )


_ALL_FIELDS = JsonLinesEncoder(Layout(default=FIELDS))
