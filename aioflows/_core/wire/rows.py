"""A row as it stands in an answer: the wire's names and types, for msgspec to decode and to check in C.

Types are lenient where that is free (``strict=False``: a number may be a text, a bool 0 or 1), everything but the id
is optional, and an unknown member is refused: a refusal is how its name is learnt, once, so that the members that a
service has beside the documented ones cost almost nothing from then on.

The graph is four tenths of a row, and seldom looked at: it is checked to be JSON and kept as it stands, a fifth less to
decode.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from types import GenericAlias
from typing import Annotated, Any

import msgspec

from aioflows._core.wire.envelope import Envelope, not_utf8, parse, understood
from aioflows.errors import AnswerError

__all__ = ["NAMES", "Head", "Row", "RowDecoder", "loose_answer", "loose_rows", "naive_times"]

Naive = Annotated[datetime, msgspec.Meta(tz=False)]

MOST_NAMES = 64  # unknown members learnt; an answer with others than these is read the slow way
_LEARNT = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


class Row(msgspec.Struct, rename="camel", gc=False, forbid_unknown_fields=True):
    """All of a row, in the order of the slots of `aioflows.models.StoredInstance`."""

    instance_id: str
    flow_id: int | None = None
    flow_name: str | None = None
    freq: str | None = None
    cycle: str | None = None
    parameters: str | dict[str, Any] | list[Any] | None = None
    do_as: str | None = None
    graph: msgspec.Raw = msgspec.Raw(b"null")  # `RowDecoder` copies it, lest a row keep its whole answer
    status: int | None = None
    status_desc: str | None = None
    trigger_time: str = ""  # a text, because pages are planned by it; made a time for all rows at once
    start_time: Naive | None = None
    end_time: Naive | None = None
    timestamp: Naive | None = None
    virtual: bool | None = None
    owner: str | None = None
    has_edit_pri: bool | None = None
    has_read_pri: bool | None = None
    is_cancelled: bool | None = None
    alert_mode: int | None = None
    cal_dt: str | None = None


NAMES: tuple[str, ...] = Row.__struct_encode_fields__
"""The documented members, by the names that they have on the wire."""


class HeadRow(msgspec.Struct, rename="camel", gc=False):
    """What a page is planned by, of one row."""

    instance_id: str
    trigger_time: str


class HeadData(msgspec.Struct, rename="camel", gc=False):
    """What a page is planned by."""

    flow_insts: list[HeadRow] | None = None
    count: Any = None


class Head(Envelope):
    """An answer of which only the columns are decoded that a page is planned by."""

    data: HeadData | None = None


class RowShape:
    """Rows with certain members beside the documented ones, and the decoder for an answer of them.

    Args:
        names: the *names* of those members.
    """

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        self.names = names
        fields = [
            (f"unknown_{number}", Any, msgspec.field(default=msgspec.UNSET, name=name))
            for number, name in enumerate(names)
        ]
        self.row = msgspec.defstruct("Row", fields, bases=(Row,), gc=False, forbid_unknown_fields=True)
        rows: Any = GenericAlias(list, (self.row,)) | None
        data = msgspec.defstruct(
            "Data", [("flow_insts", rows, None), ("count", Any, None)], rename="camel", gc=False
        )
        answer = msgspec.defstruct("Answer", [("data", data | None, None)], bases=(Envelope,))
        self.decoder = msgspec.json.Decoder(answer, strict=False)

    def widened(self, rows: Iterable[dict[str, Any]]) -> RowShape:
        """Return a shape that knows the members of these rows too; the same one if there is nothing to learn."""
        seen = {name for row in rows for name in row if _LEARNT.fullmatch(name)}
        names = (*self.names, *sorted(seen.difference(NAMES, self.names)))
        return RowShape(names) if len(self.names) < len(names) <= MOST_NAMES else self


class RowDecoder:
    """Decodes answers in full, and learns the members that their rows have beside the documented ones."""

    def __init__(self) -> None:
        self._shape = RowShape()

    def answer(self, body: bytes) -> Any:
        """Decode envelope and rows.

        Raises:
            msgspec.ValidationError: something in it has a type that is not documented.
            AnswerError: it is no JSON, or not UTF-8.
        """
        shape = self._shape
        try:
            answer: Any = parse(shape.decoder, body)
        except msgspec.ValidationError as error:
            wider = shape.widened(loose_rows(body)) if "unknown field" in str(error) else shape
            if wider is shape:
                raise
            self._shape = wider
            answer = parse(wider.decoder, body)
        rows = (answer.data and answer.data.flow_insts) or ()
        if not body.isascii():
            _check_utf8(rows)
        for row in rows:
            row.graph = b"" + row.graph  # a copy, at two thirds of the cost of bytes()
        return answer


def _check_utf8(rows: Sequence[Row]) -> None:
    """See to it that the graphs are UTF-8, as msgspec does for all else; together, at half the cost of one by one."""
    try:
        str(b",".join([row.graph for row in rows]), "utf-8")
    except UnicodeDecodeError as error:
        raise not_utf8(error) from None


NoList = Annotated[list[Any], msgspec.Meta(max_length=0)]
NoMembers = Annotated[dict[str, Any], msgspec.Meta(max_length=0)]
NoText = Annotated[str, msgspec.Meta(max_length=0)]


class LooseData(msgspec.Struct, rename="camel"):
    """Rows as dictionaries, whatever is in them, or nothing at all.

    Lua's cjson writes an empty list as ``{}``, converters from XML write an empty element as ``""``, and PHP's functions
    that find nothing return ``false``.
    """

    flow_insts: list[dict[str, Any]] | NoMembers | NoText | bool | None = None
    count: Any = None


class Loose(Envelope):
    """An answer with rows as dictionaries; ``[]`` is how PHP writes an object that has no members."""

    data: LooseData | NoList | NoText | bool | None = None


_loose = msgspec.json.Decoder(Loose)


def loose_answer(body: bytes) -> Loose:
    """Decode envelope and rows, these as dictionaries.

    Raises:
        AnswerError: it is no JSON, or has no such shape.
    """
    answer = understood(_loose, body)
    if answer.data is True:
        raise AnswerError("there is `true` where data is due", "$.data")
    if isinstance(answer.data, LooseData) and answer.data.flow_insts is True:
        raise AnswerError("there is `true` where a list is due", "$.data.flowInsts")
    return answer


def loose_rows(body: bytes) -> list[dict[str, Any]]:
    """Decode rows as dictionaries."""
    data = loose_answer(body).data
    rows = data.flow_insts if isinstance(data, LooseData) else None
    return rows if isinstance(rows, list) else []


def naive_times(texts: Sequence[str]) -> list[datetime]:
    """Read wall-clock texts, all in one go.

    Raises:
        ValueError: one of them is no time.
    """
    try:
        return msgspec.convert(texts, list[Naive])
    except msgspec.ValidationError as error:  # which is a ValueError from msgspec 0.21 on
        raise ValueError(str(error)) from None
