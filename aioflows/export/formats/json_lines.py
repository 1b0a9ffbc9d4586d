"""A flow instance as a line of JSON.

The names are the library's, times are ISO 8601 with their offset, ``status`` is the service's code, and ``graph`` and
``parameters`` are decoded. A line is ASCII and holds no control character, so it is safe on any terminal and in any log.

There are two ways to the same line: msgspec for what it takes, which is nearly everything, and the standard library,
three times as slow, for lone surrogates and for graphs that are no strict JSON.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence

import msgspec

from aioflows._tables.columns import FIELDS, Kind, Layout
from aioflows.models import FlowInstance, Json, decoded

__all__ = ["JsonLinesEncoder", "json_line"]

_read = msgspec.json.Decoder().decode
_fast = msgspec.json.Encoder().encode
# NaN is refused because it is no JSON.
_slow = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error("aioflows.json", _escaped)


class JsonLinesEncoder:
    """Turns flow instances into lines of JSON, with a member for each column.

    Args:
        layout: the *columns*.
    """

    head = b""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._texts = tuple(column.name for column in layout.columns if column.kind is Kind.JSON)
        self._members = tuple(column.name for column in layout.columns if column.kind is Kind.MEMBERS)

    def encode(self, instances: Sequence[FlowInstance]) -> bytes:
        """Give the lines of these instances."""
        columns = [
            [None if time is None else time.isoformat() for time in values]
            if column.kind is Kind.TIME
            else values
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
                members[name] = _strict(text)
            line = _fast(members).decode()
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
            line = self._tolerant(members, texts)
        # DEL is the one control character of ASCII that encoders leave as it is.
        return line.encode("ascii", "aioflows.json").replace(b"\x7f", b"\\u007f") + b"\n"

    def _tolerant(self, members: dict[str, object], texts: dict[str, str]) -> str:
        try:
            return _slow(members | {name: decoded(text) for name, text in texts.items()})
        except (ValueError, RecursionError):  # a task graph that holds NaN, or is nested too deep
            return _slow(members | texts | {name: _shown(members[name]) for name in self._members})


def json_line(instance: FlowInstance) -> bytes:
    """Give an instance as one line of JSON, its line feed included."""
    return _WHOLE.encode((instance,))


def _strict(text: str) -> Json:
    value: Json = _read(text)
    if isinstance(value, str):
        raise TypeError  # encoded once more than it should be, or not a graph at all
    return value


def _shown(members: object) -> object:
    return (
        {name: repr(value) for name, value in members.items()} if isinstance(members, dict) else repr(members)
    )


_WHOLE = JsonLinesEncoder(Layout(default=FIELDS))
