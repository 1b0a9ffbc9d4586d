"""A flow instance as a line of JSON.

The names are the library's, times are ISO 8601 with their offset, ``status`` is the service's code, and ``graph`` and
``parameters`` are decoded. A line is ASCII and holds no control character, so it is safe on any terminal and in any log.

There are two ways to the same line: msgspec for what it takes, which is nearly everything, and the standard library,
three times as slow, for lone surrogates and for graphs that are no strict JSON.
"""

from __future__ import annotations

import codecs
import json
from datetime import datetime
from operator import attrgetter

import attrs
import msgspec

from aioflows.models import FlowInstance, Json

__all__ = ["json_line"]

_NAMES = tuple(field.name for field in attrs.fields(FlowInstance))
_TEXTS = {"graph": "graph_text", "parameters": "parameters_text"}
_TIMES = ("trigger_time", "start_time", "end_time", "timestamp")
_values = attrgetter(*(_TEXTS.get(name, name) for name in _NAMES))
_read = msgspec.json.Decoder().decode
_fast = msgspec.json.Encoder().encode
# NaN is refused because it is no JSON.
_slow = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error("aioflows.json", _escaped)


def json_line(instance: FlowInstance) -> bytes:
    """Give an instance as one line of JSON, its line feed included."""
    members = dict(zip(_NAMES, _values(instance), strict=True))
    for name in _TIMES:
        time = members[name]
        if isinstance(time, datetime):
            members[name] = time.isoformat()
    try:
        for name in _TEXTS:
            if members[name] is not None:
                members[name] = _strict(members[name])
        line = _fast(members).decode()
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        line = _tolerant(members, instance)
    # DEL is the one control character of ASCII that encoders leave as it is.
    return line.encode("ascii", "aioflows.json").replace(b"\x7f", b"\\u007f") + b"\n"


def _strict(text: str) -> Json:
    value: Json = _read(text)
    if isinstance(value, str):
        raise TypeError  # encoded once more than it should be, or not a graph at all
    return value


def _tolerant(members: dict[str, object], instance: FlowInstance) -> str:
    try:
        return _slow(members | {name: getattr(instance, name) for name in _TEXTS})
    except (ValueError, RecursionError):  # a task graph that holds NaN, or is nested too deep
        texts = {name: getattr(instance, text) for name, text in _TEXTS.items()}
        return _slow(
            members | texts | {"extra": {name: repr(value) for name, value in instance.extra.items()}}
        )
