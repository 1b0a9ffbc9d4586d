"""Columns from the bytes of an answer: Arrow parses the JSON, without Python code for each row.

Where the compiled decoder is installed, it makes the arrays of members instead (`from_plans`), and parses nothing again.

This path reads only answers as the service documents them, and times that say the instant, as Java services
write them. An unknown member, a number sent as text, or a time in another form is refused, by Arrow or by a
check here. Such rows are decoded to instances instead. So the result always equals that of
`aioflows.arrow.from_instances`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

from aioflows._moments import MILLISECONDS
from aioflows._tables.columns import (
    CREATED,
    DURATION,
    END,
    EXTRA,
    FIELDS,
    START,
    STATUS,
    STATUS_NAME,
    TRIGGER,
    Column,
    Kind,
    Layout,
    members_text,
)
from aioflows._tables.raw_rows import Part, RawRows
from aioflows.arrow.from_instances import text_batch
from aioflows.arrow.from_plans import planned_members
from aioflows.arrow.schema import names_of, pyarrow, seconds_between, types, wire_name
from aioflows.models import NAIVE_EPOCH, FlowInstance

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["AnswerColumns"]

_LIST = re.compile(rb'"flowInsts"\s*:\s*\[')
_TIMES = ("triggerTime", "startTime", "endTime", "timestamp")
_FIRST = {name: re.compile(rb'"%b"\s*:\s*([0-9"])' % name.encode()) for name in _TIMES}
"""The begin of the first value of a time that is not null."""
_OFFSET = re.compile(r"[Z+-]")
# The forms that both Arrow and `aioflows._moments.moment` read, with offsets up to `WIDEST`.
_INSTANT = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-](0\d|1[0-7])(:?[0-5]\d)?)$"
_HOUR = 3_600_000_000  # microseconds
_LONGEST_START = 4096  # bytes in which the list of rows is searched
# Arrow's cast also accepts a date without a time, and the year 0; `datetime` accepts neither.
_SHORTEST_TIME = len("2024-01-01 00:00:00")
_FIRST_TIME = (datetime(1, 1, 1) - NAIVE_EPOCH) // timedelta(microseconds=1)  # noqa: DTZ001  (as `NAIVE_EPOCH`)
# Instants that clocks of every zone can show.
_SHOWN = range(*((datetime(year, 1, 1) - NAIVE_EPOCH) // timedelta(microseconds=1) for year in (2, 9999)))  # noqa: DTZ001


class AnswerColumns:
    """A converter of rows into batches of one layout. Names are strings in these batches.

    Args:
        layout: the columns.
        pool: the memory pool. None means pyarrow's default pool.
    """

    def __init__(self, layout: Layout, pool: pa.MemoryPool | None = None) -> None:
        self._layout = layout
        self._pool = pool

    def batch(self, rows: RawRows) -> pa.RecordBatch:
        """Return rows as one batch.

        Raises:
            AnswerError: a value in a row cannot be read. The error names its path.
            QueryError: an integer has more than 64 bits.
        """
        return _concatenated(self.batches([rows]), self._pool)

    def batches(self, chunks: Iterable[pa.RecordBatch | RawRows]) -> list[pa.RecordBatch]:
        """Return the rows of one scan as batches. Chunks that are batches already stay in their place.

        One call for many chunks costs less for each chunk.
        """
        batches: list[pa.RecordBatch] = []
        for undecoded, group in groupby(chunks, lambda chunk: isinstance(chunk, RawRows)):
            some = list(group)
            if not undecoded:
                batches += some
            elif self._layout.tasks:  # the order numbers instances, but rows are tasks
                batches += [self._of_instances(rows.read()) for rows in some]
            else:
                batches += self._in_order(some, self._of_parts(some))
        return batches

    def _of_instances(self, instances: Sequence[FlowInstance]) -> pa.RecordBatch:
        return text_batch(self._layout, instances, self._pool)

    def _of_parts(self, chunks: Sequence[RawRows]) -> list[pa.RecordBatch]:
        parts = [part for rows in chunks for part in rows.parts]
        with_bytes = [part for part in parts if part.body]
        to_decode = [part for part in parts if not part.body]
        batches = iter(self._of_answers(with_bytes, chunks[0].offset) if with_bytes else ())
        instances = [row for part in to_decode for row in part.read()]
        decoded = iter(_slices(self._of_instances(instances), to_decode) if to_decode else ())
        return [next(batches if part.body else decoded) for part in parts]

    def _of_answers(self, parts: Sequence[Part], offset: timedelta) -> list[pa.RecordBatch]:
        with suppress(pyarrow().ArrowException):
            members = planned_members(parts)
            columns = _Columns(_members(parts, self._pool) if members is None else members, offset)
            arrays = [columns.array(column) for column in self._layout.columns]
            columns.check_clocks(self._layout.columns)
            batch = pyarrow().RecordBatch.from_arrays(arrays, self._layout.names)
            ends = accumulate(len(part.ids) for part in parts)
            return [
                _wanted(batch.slice(end - len(part.ids), len(part.ids)), part.numbers)
                for part, end in zip(parts, ends, strict=True)
            ]
        if len(parts) == 1:
            return [self._of_instances(parts[0].read())]
        return [batch for part in parts for batch in self._of_answers([part], offset)]

    def _in_order(self, chunks: Sequence[RawRows], batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
        if all(rows.order is None for rows in chunks):
            return batches
        arrow, order = pyarrow(), list[int]()
        for rows in chunks:
            start = len(order)
            order += [start + at for at in (range(len(rows)) if rows.order is None else rows.order)]
        whole = _concatenated(batches, self._pool)
        return [arrow.compute.take(whole, arrow.array(order, arrow.int32()), memory_pool=self._pool)]


def _concatenated(batches: Sequence[pa.RecordBatch], pool: pa.MemoryPool | None) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pyarrow().concat_batches(batches, memory_pool=pool)


def _slices(batch: pa.RecordBatch, parts: Sequence[Part]) -> Iterator[pa.RecordBatch]:
    start = 0
    for part in parts:
        yield batch.slice(start, len(part.numbers))
        start += len(part.numbers)


def _wanted(batch: pa.RecordBatch, numbers: Sequence[int]) -> pa.RecordBatch:
    arrow = pyarrow()
    if isinstance(numbers, range) and numbers.step == 1:
        return batch.slice(numbers.start, len(numbers))
    return batch.take(arrow.array(numbers, arrow.int32()))


def _members(parts: Sequence[Part], pool: pa.MemoryPool | None) -> Mapping[str, pa.Array]:
    """Return the members of all rows, as arrays by their names in the answer.

    Raises:
        ArrowException: a row is not as the service documents it.
    """
    arrow = pyarrow()
    document = b"".join(piece for part in parts for piece in (b'{"":', _list(part.body), b"}\n"))
    whole = arrow.json.ReadOptions(use_threads=False, block_size=len(document))
    numbers = frozenset(name for name, first in _FIRST.items() if _is_number(first.search(document)))
    strictly = arrow.json.ParseOptions(
        explicit_schema=_shape(numbers), unexpected_field_behavior="error", newlines_in_values=True
    )
    table = arrow.json.read_json(arrow.BufferReader(document), whole, strictly, pool)
    found = table.column(0).chunk(0).values
    ids = arrow.array([name for part in parts for name in part.ids], arrow.string())
    if not found.field(0).equals(ids):
        raise arrow.ArrowInvalid("the ids differ from those that were read before")
    found.validate(full=True)  # only a full validation checks that texts are UTF-8
    return dict(zip(found.type.names, found.flatten(), strict=True))


def _is_number(first: re.Match[bytes] | None) -> bool:
    return first is not None and first[1] != b'"'


def _list(body: bytes) -> memoryview:
    start = _LIST.search(body, 0, _LONGEST_START)
    if start is None:
        raise pyarrow().ArrowInvalid("the list of rows was not found at the start of the answer")
    return memoryview(body)[start.end() - 1 : body.rfind(b"]") + 1]


class _Columns:
    """The columns of rows, made from their members.

    Args:
        members: the members, by their names in the answer.
        offset: the offset of the service's clock from UTC.
    """

    def __init__(self, members: Mapping[str, pa.Array], offset: timedelta) -> None:
        self._members = members
        self._ahead = offset // timedelta(microseconds=1)
        self._times: dict[str, pa.Array] = {}
        self._known: set[str] = set()
        """The names of the times that say the instant."""

    def __len__(self) -> int:
        return len(self._member(FIELDS[0]))

    def array(self, column: Column) -> pa.Array:
        """Return a column as an array."""
        arrow = pyarrow()
        if column is EXTRA:
            return arrow.repeat(members_text({}), len(self))
        if column is DURATION:
            return seconds_between(self._instants(START), self._instants(END))
        if column is STATUS_NAME:
            return names_of(self._member(STATUS))
        return self._instants(column) if column.kind is Kind.TIME else self._member(column)

    def check_clocks(self, columns: Iterable[Column]) -> None:
        """Check that no row hints at another clock for its start, its end or its creation than for its trigger.

        Raises:
            ArrowInvalid: a row does. Decoded rows show more (`aioflows._core.clocks.field_clocks`).
        """
        wanted = {column.name for column in columns}
        if self._known - {TRIGGER.name}:
            self._check_instants()
            return
        if wanted & {START.name, END.name, DURATION.name}:
            self._check_distance(TRIGGER, START, 0)
            self._check_distance(START, END, 0)
        if CREATED.name in wanted:
            self._check_distance(TRIGGER, CREATED, -_HOUR)

    def _check_instants(self) -> None:
        """Check that all times beside the trigger say the instant, so that no clock matters, and none is early."""
        arrow, compute = pyarrow(), pyarrow().compute
        shown = [column for column in (START, END, CREATED) if self._member(column).null_count < len(self)]
        instants = [self._instants(column).view(arrow.int64()) for column in (START, TRIGGER)]
        if not self._known.issuperset(column.name for column in shown) or (
            (compute.min(compute.subtract(*instants)).as_py() or 0) < 0
        ):
            raise arrow.ArrowInvalid("the clocks of times may differ")

    def _check_distance(self, earlier: Column, later: Column, least: int) -> None:
        arrow, compute = pyarrow(), pyarrow().compute
        instants = [self._instants(column).view(arrow.int64()) for column in (later, earlier)]
        found = compute.min_max(compute.subtract(*instants)).as_py()
        if found["min"] is None:
            return
        # A creation may precede its trigger. The closest one tells.
        nearest = found["min"] if least == 0 else max(found["min"], min(found["max"], 0))
        if found["min"] < least or not -_HOUR < nearest < _HOUR:
            raise arrow.ArrowInvalid("the clocks of times may differ")

    def _member(self, column: Column) -> pa.Array:
        return self._members[wire_name(column)]

    def _instants(self, column: Column) -> pa.Array:
        if column.name not in self._times:
            arrow, compute = pyarrow(), pyarrow().compute
            found = self._aware(column)
            times = self._walls(column) if found is None else found
            if column is TRIGGER:
                # A trigger time has whole seconds (`aioflows._core.wire.search_page`).
                times = compute.floor_temporal(times, unit="second")
            times = times.view(arrow.int64())
            if found is None:
                times = compute.subtract(times, self._ahead)
            else:
                self._known.add(column.name)
            self._times[column.name] = times.view(types()[Kind.TIME])
        return self._times[column.name]

    def _walls(self, column: Column) -> pa.Array:
        """Return times without an offset as those of the clock."""
        arrow, compute = pyarrow(), pyarrow().compute
        texts = self._member(column)
        if arrow.types.is_timestamp(texts.type):
            return texts
        walls = texts.cast(arrow.timestamp("us"))
        shortest = compute.min(compute.binary_length(texts)).as_py()
        first = compute.min(walls.view(arrow.int64())).as_py()
        if shortest is not None and (shortest < _SHORTEST_TIME or first < _FIRST_TIME):
            raise arrow.ArrowInvalid("these are not times to Python")
        return walls

    def _aware(self, column: Column) -> pa.Array | None:
        """Return times that say the instant. None means that they are those of a clock."""
        arrow, compute = pyarrow(), pyarrow().compute
        values = self._member(column)
        if arrow.types.is_timestamp(values.type):
            return None
        if arrow.types.is_integer(values.type):
            least, most = compute.min_max(values).as_py().values()
            if least not in MILLISECONDS or most not in MILLISECONDS:
                raise arrow.ArrowInvalid("these are not milliseconds")
            return compute.multiply(values, 1000).view(arrow.timestamp("us"))
        if values.null_count == len(values) or not _OFFSET.search(
            values.drop_null()[0].as_py(), _SHORTEST_TIME
        ):
            return None
        if not compute.all(compute.match_substring_regex(values, _INSTANT)).as_py():
            raise arrow.ArrowInvalid("these do not all say the instant")
        times = values.cast(types()[Kind.TIME]).view(arrow.int64())
        least, most = compute.min_max(times).as_py().values()
        if least not in _SHOWN or most not in _SHOWN:
            raise arrow.ArrowInvalid("clocks may not show these times")
        return times.view(arrow.timestamp("us"))


@cache
def _shape(numbers: frozenset[str] = frozenset()) -> pa.Schema:
    """Return the members of a row.

    Args:
        numbers: the names of the times that are numbers in the answer. Default: none.
    """
    arrow = pyarrow()
    texts = {Kind.NAME: arrow.string(), Kind.TIME: arrow.string()}
    row = [
        (
            name := wire_name(column),
            arrow.int64() if name in numbers else texts.get(column.kind) or types()[column.kind],
        )
        for column in FIELDS
        if column is not EXTRA
    ]
    return arrow.schema([("", arrow.list_(arrow.struct(row)))])
