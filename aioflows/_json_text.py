"""JSON inside of rows: the graph and the parameters, as the service sends them and decoded.

The service sends both as texts that hold JSON. The decoder of rows keeps the graph as *the JSON of that text*,
in UTF-8 bytes, because that needs no work.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn, TypeAlias

import attrs
import msgspec

__all__ = [
    "DecodedText",
    "Json",
    "as_member",
    "decoded",
    "read_member",
    "text_of",
    "texts_of_members",
    "value_of",
]

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
"""A decoded JSON value. It may be shared, so do not change it."""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
_strictly = msgspec.json.Decoder().decode
_member_text = msgspec.json.Decoder(str).decode
_member_texts = msgspec.json.Decoder(list[str]).decode


@attrs.frozen
class DecodedText:
    """A JSON text and its value; it replaces the text in its slot once the text was decoded."""

    text: str
    value: Json


def decoded(text: str) -> Json:
    """Return the value of a JSON text that was encoded once or twice. Return other texts unchanged."""
    if not text:
        return None
    try:
        value: Json = _decoder.decode(text)
        # Some deployments encode the text twice, so that the value is a text that holds JSON.
        return _decoder.decode(value) if isinstance(value, str) and value[:1] in ("{", "[") else value
    except (ValueError, RecursionError):
        return text


def as_member(value: Json) -> Any:
    """Return a graph as its slot holds it: a text as its JSON in UTF-8, any other value unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(value).encode()


def texts_of_members(members: Iterable[bytes]) -> list[str]:
    """Return the texts of several graphs from the JSON in their slots, decoded in one call.

    Raises:
        ValueError: a graph is not a text, or its text has a lone surrogate.
        TypeError: a graph is not bytes, because it was decoded or given by a user.
    """
    return _member_texts(b"[%b]" % b",".join(members))


def read_member(member: bytes) -> Json | DecodedText:
    """Return the value of a graph from the JSON in its slot, with its text if it is one."""
    value = _of_member(member)
    return DecodedText(value, decoded(value)) if isinstance(value, str) else value


def _of_member(member: bytes) -> Json:
    if member.startswith(b'"'):
        with suppress(msgspec.DecodeError):  # a lone surrogate
            return _member_text(member)
    text = member.decode()
    try:
        value: Json = _decoder.decode(text)
    except (ValueError, RecursionError):  # nested more deeply, or with a longer number, than Python reads
        return text
    return value


def text_of(slot: object) -> str | None:
    """Return the text that the service sent, from a slot with JSON, with a text, or with a value."""
    value: Any = _of_member(slot) if isinstance(slot, bytes) else slot
    if isinstance(value, DecodedText):
        return value.text
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def value_of(slot: object) -> Json:
    """Return the value of a slot, decoded anew, so that nothing else holds it.

    Raises:
        ValueError: the value is not strict JSON, or nothing but Python's decoder reads it.
        TypeError: a user gave a value that JSON cannot express.
    """
    if slot is None:
        return None
    if isinstance(slot, bytes):
        if not slot.startswith(b'"'):
            plain: Json = _strictly(slot)
            return plain
        text: str | None = _member_text(slot)
    else:
        text = text_of(slot)
    if not text:
        return None
    value: Json = _strictly(text)
    return decoded(text) if isinstance(value, str) else value
