"""Rows as they stand in an answer: the names and types of the wire, which msgspec decodes and checks in C.

Types are lenient where that costs nothing (``strict=False``: a number may be a text, a bool may be 0 or 1).
Every member except the id is optional. An unknown member is refused once. Its name is learnt from the
refusal, so the members that a service adds to the documented ones cost almost nothing from then on.

The graph makes up about four tenths of a row and is seldom read. It is checked to be JSON and kept as bytes,
which saves a fifth of the decoding time.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import GenericAlias
from typing import Annotated, Any, overload

import msgspec

from aioflows._core.wire.envelope import Envelope, decode, not_utf8, parse
from aioflows._moments import MILLISECONDS, WIDEST
from aioflows.errors import AnswerError

__all__ = [
    "NAMES",
    "OTHER_TIMES",
    "Head",
    "PackedRows",
    "PackedTimes",
    "Row",
    "RowDecoder",
    "aware_times",
    "instant_rows",
    "loose_answer",
    "loose_rows",
    "naive_times",
]

Naive = Annotated[datetime, msgspec.Meta(tz=False)]
Aware = Annotated[datetime, msgspec.Meta(tz=True)]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PACKED_TOGETHER = 32  # rows; fewer compress worse, and more have to be decoded for one row
MOST_NAMES = 64  # unknown members to learn; answers with more are decoded the slow way
_LEARNT = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


class Row(msgspec.Struct, rename="camel", gc=False, forbid_unknown_fields=True):
    """A whole row, in the order of the slots of `aioflows.models.StoredInstance`."""

    instance_id: str
    flow_id: int | None = None
    flow_name: str | None = None
    freq: str | None = None
    cycle: str | None = None
    parameters: str | dict[str, Any] | list[Any] | None = None
    do_as: str | None = None
    graph: msgspec.Raw = msgspec.Raw(
        b"null"
    )  # `RowDecoder` copies it, so that a row does not keep its whole answer
    status: int | None = None
    status_desc: str | None = None
    trigger_time: str | int | float = ""  # as pages are planned by it; converted for all rows at once
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
"""The names of the documented members on the wire."""

OTHER_TIMES = ("startTime", "endTime", "timestamp")
"""The names of the times of a row beside its trigger time."""

_OTHER_FIELDS = ("start_time", "end_time", "timestamp")


_instant_row = msgspec.defstruct(
    "InstantRow",
    [
        (field, str | int | None, msgspec.field(default=None, name=name))
        for field, name in zip(_OTHER_FIELDS, OTHER_TIMES, strict=True)
    ],
    bases=(Row,),
    gc=False,
    forbid_unknown_fields=True,
)
"""A row whose times are not documented texts. They are converted for all rows at once."""


class HeadRow(msgspec.Struct, rename="camel", gc=False):
    """The members of one row by which a page is planned."""

    instance_id: str
    trigger_time: str | int | float  # without `int`, msgspec would make floats of ints


class HeadData(msgspec.Struct, rename="camel", gc=False):
    """The members of the data by which a page is planned."""

    flow_insts: list[HeadRow] | None = None
    count: Any = None


class Head(Envelope):
    """An answer of which only the columns are decoded by which a page is planned."""

    data: HeadData | None = None


class RowShape:
    """A row type with certain members beside the documented ones, and the decoder for answers of such rows.

    Args:
        names: the names of those members. Default: none.
        base: the type of the documented members. Default: `Row`.
    """

    def __init__(self, names: tuple[str, ...] = (), base: type[msgspec.Struct] = Row) -> None:
        self.names = names
        self._base = base
        fields = [
            (f"unknown_{number}", Any, msgspec.field(default=msgspec.UNSET, name=name))
            for number, name in enumerate(names)
        ]
        self.row = msgspec.defstruct("Row", fields, bases=(base,), gc=False, forbid_unknown_fields=True)
        rows: Any = GenericAlias(list, (self.row,)) | None
        data = msgspec.defstruct(
            "Data", [("flow_insts", rows, None), ("count", Any, None)], rename="camel", gc=False
        )
        answer = msgspec.defstruct("Answer", [("data", data | None, None)], bases=(Envelope,))
        self.decoder = msgspec.json.Decoder(answer, strict=False)

    def widened(self, rows: Iterable[dict[str, Any]]) -> RowShape:
        """Return a shape that also knows the members of these rows.

        If there is nothing to learn, return this one.
        """
        seen = {name for row in rows for name in row if _LEARNT.fullmatch(name)}
        names = (*self.names, *sorted(seen.difference(NAMES, self.names)))
        return RowShape(names, self._base) if len(self.names) < len(names) <= MOST_NAMES else self


class RowDecoder:
    """A decoder for whole answers. It learns the members that rows have beside the documented ones.

    Args:
        base: the type of the documented members. Default: `Row`.
    """

    def __init__(self, base: type[msgspec.Struct] = Row) -> None:
        self._shape = RowShape(base=base)

    def answer(self, body: bytes) -> Any:
        """Return the decoded envelope and rows.

        Raises:
            msgspec.ValidationError: a member has an undocumented type.
            AnswerError: the body is not JSON, or not UTF-8.
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
    """Check that the graphs are UTF-8, which msgspec checks for all else.

    One check for all costs half as much.
    """
    try:
        str(b",".join([row.graph for row in rows]), "utf-8")
    except UnicodeDecodeError as error:
        raise not_utf8(error) from None


_instant_decoder = RowDecoder(_instant_row)


def instant_rows(body: bytes) -> Sequence[Row] | None:
    """Return the rows of an answer with a column of times that say the instant, as Java services write them.

    None means that a member has another undocumented form, so that rows are read one by one.
    """
    try:
        rows: Sequence[Any] = _instant_decoder.answer(body).data.flow_insts or ()
    except msgspec.ValidationError:
        return None
    for field in _OTHER_FIELDS:
        known = [row for row in rows if getattr(row, field) is not None]
        times = _times([getattr(row, field) for row in known])
        if times is None:
            return None
        for row, time in zip(known, times, strict=True):
            setattr(row, field, time)
    return rows


def _times(values: Sequence[Any]) -> Sequence[datetime] | None:
    if (times := aware_times(values)) is not None or not _is_plain(values):
        return times
    try:
        return naive_times(values)
    except ValueError:
        return None


NoList = Annotated[list[Any], msgspec.Meta(max_length=0)]
NoMembers = Annotated[dict[str, Any], msgspec.Meta(max_length=0)]
NoText = Annotated[str, msgspec.Meta(max_length=0)]


class LooseData(msgspec.Struct, rename="camel"):
    """Rows as dictionaries with any members, or an empty value in place of the list.

    Lua's cjson writes an empty list as ``{}``, and converters from XML write an empty element as ``""``.
    Functions of PHP that find nothing return ``false``.
    """

    flow_insts: list[dict[str, Any]] | NoMembers | NoText | bool | None = None
    count: Any = None


class Loose(Envelope):
    """An answer with rows as dictionaries. PHP writes an object without members as ``[]``."""

    data: LooseData | NoList | NoText | bool | None = None


_loose = msgspec.json.Decoder(Loose)


def loose_answer(body: bytes) -> Loose:
    """Return the decoded envelope, with rows as dictionaries.

    Raises:
        AnswerError: the body is not JSON, or does not have this shape.
    """
    answer = decode(_loose, body)
    if answer.data is True:
        raise AnswerError("there is `true` instead of data", "$.data")
    if isinstance(answer.data, LooseData) and answer.data.flow_insts is True:
        raise AnswerError("there is `true` instead of a list", "$.data.flowInsts")
    return answer


def loose_rows(body: bytes) -> list[dict[str, Any]]:
    """Return the rows of an answer as dictionaries."""
    data = loose_answer(body).data
    rows = data.flow_insts if isinstance(data, LooseData) else None
    return rows if isinstance(rows, list) else []


def naive_times(texts: Sequence[Any]) -> list[datetime]:
    """Return the times of wall-clock texts, converted in one call.

    Raises:
        ValueError: one of the texts is not a time.
    """
    try:
        return msgspec.convert(texts, list[Naive])
    except msgspec.ValidationError as error:  # a ValueError only from msgspec 0.21 on
        raise ValueError(str(error)) from None


class _RawData(msgspec.Struct, rename="camel"):
    flow_insts: list[msgspec.Raw]


class _RawAnswer(msgspec.Struct):
    data: _RawData


_raw = msgspec.json.Decoder(_RawAnswer)


class PackedRows:
    """The rows of an answer, compressed in parts, so that few rows can be decoded without the others.

    They take about a tenth of their bytes. zlib's fastest level costs less than a decoding.

    Args:
        rows: the bytes of the rows.
    """

    __slots__ = ("_parts", "size")

    def __init__(self, rows: Sequence[msgspec.Raw]) -> None:
        self._parts = [
            zlib.compress(b",".join(rows[at : at + PACKED_TOGETHER]), 1)
            for at in range(0, len(rows), PACKED_TOGETHER)
        ]
        self.size = sum(map(len, self._parts))
        """The compressed bytes."""

    @classmethod
    def of(cls, body: bytes) -> PackedRows | None:
        """Return the rows of an answer. None means that the answer does not have the usual shape."""
        try:
            return cls(_raw.decode(body).data.flow_insts)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None

    def body(self, part: int | None = None) -> bytes:
        """Return an answer with the rows of one part. None means all rows."""
        parts = self._parts if part is None else self._parts[part : part + 1]
        return b'{"code":0,"data":{"flowInsts":[%b]}}' % b",".join(map(zlib.decompress, parts))


_TIME = len("2024-01-01 00:00:00")


class PackedTimes(Sequence[str]):
    """Times as texts, in one text. It takes a fourth of the memory of many texts.

    Args:
        times: the times, each in the form ``2024-01-01 00:00:00``.
    """

    __slots__ = ("_text",)

    def __init__(self, times: Iterable[str]) -> None:
        self._text = "".join(times)

    def __len__(self) -> int:
        return len(self._text) // _TIME

    def __iter__(self) -> Iterator[str]:
        return (self._text[at : at + _TIME] for at in range(0, len(self._text), _TIME))

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        places = range(0, len(self._text), _TIME)[at]
        if isinstance(places, int):
            return self._text[places : places + _TIME]
        return tuple(self._text[place : place + _TIME] for place in places)


def aware_times(values: Sequence[Any]) -> list[datetime] | None:
    """Return the times of values that say the instant, all in milliseconds or all as ISO 8601 with an offset.

    They are converted without Python code for each one. None means that some have another form, so that
    `aioflows._moments.moment` has to read them.
    """
    if set(map(type, values)) == {int}:
        if min(values) not in MILLISECONDS or max(values) not in MILLISECONDS:
            return None
        return [_EPOCH + timedelta(milliseconds=value) for value in values]
    if not _is_plain(values):
        return None
    try:
        times = msgspec.convert(values, list[Aware])
    except msgspec.ValidationError:
        return None
    widest = max((abs(time.utcoffset() or timedelta()) for time in times), default=timedelta())
    return times if widest <= WIDEST else None


def _is_plain(values: Sequence[Any]) -> bool:
    """Return True if all values are texts without small letters, which msgspec reads in times and `moment` does not."""
    return set(map(type, values)) <= {str} and (
        (together := "".join(values)).isascii() and together == together.upper()
    )
