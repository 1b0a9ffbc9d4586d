"""Columns from the bytes of an answer: Arrow reads them by itself, with no Python for a row.

It reads what answers of a documented service are made of. Whatever is out of the ordinary, a member that is not known, a number
that is a text, a time of another form, it refuses, or it is refused here: then the rows are decoded as for everybody else. So
what comes out is what `aioflows.arrow.from_instances` makes of the instances, always.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

from aioflows._tables.columns import (
    DURATION,
    END,
    EXTRA,
    FIELDS,
    START,
    STATUS,
    STATUS_NAME,
    Column,
    Kind,
    Layout,
    members_text,
)
from aioflows._tables.raw_rows import Part, RawRows
from aioflows.arrow.from_instances import text_batch
from aioflows.arrow.schema import names_of, pyarrow, seconds_between, types
from aioflows.models import NAIVE_EPOCH, FlowInstance

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["AnswerColumns"]

_LIST = re.compile(rb'"flowInsts"\s*:\s*\[')
_LONGEST_START = 4096  # bytes in which the list of rows is looked for
# Arrow takes a mere date for a time as well, and knows a year 0.
_SHORTEST_TIME = len("2024-01-01 00:00:00")
_FIRST_TIME = (datetime(1, 1, 1) - NAIVE_EPOCH) // timedelta(microseconds=1)  # noqa: DTZ001  (as `NAIVE_EPOCH`)


class AnswerColumns:
    """Makes batches of one layout, in which names are texts.

    Args:
        layout: the *columns*.
        pool: where pyarrow takes *memory* from; None: where it does otherwise.
    """

    def __init__(self, layout: Layout, pool: pa.MemoryPool | None = None) -> None:
        self._layout = layout
        self._pool = pool

    def batch(self, rows: RawRows) -> pa.RecordBatch:
        """Give rows as a batch.

        Raises:
            AnswerError: something in a row cannot be read; the error says where it stands.
            QueryError: an integer has more than 64 bits.
        """
        return _one(self.batches([rows]), self._pool)

    def batches(self, chunks: Iterable[pa.RecordBatch | RawRows]) -> list[pa.RecordBatch]:
        """Do so for rows of one scan together, at less cost for each; what is a batch already stays in its place."""
        batches: list[pa.RecordBatch] = []
        for undecoded, together in groupby(chunks, lambda chunk: isinstance(chunk, RawRows)):
            some = list(together)
            if not undecoded:
                batches += some
            elif self._layout.tasks:  # a row is no instance, and the order is one of instances
                batches += [self._of_instances(rows.read()) for rows in some]
            else:
                batches += self._in_order(some, self._of_parts(some))
        return batches

    def _of_instances(self, instances: Sequence[FlowInstance]) -> pa.RecordBatch:
        return text_batch(self._layout, instances, self._pool)

    def _of_parts(self, chunks: Sequence[RawRows]) -> list[pa.RecordBatch]:
        parts = [part for rows in chunks for part in rows.parts]
        plain = [part for part in parts if part.body]
        few = [part for part in parts if not part.body]
        batches = iter(self._of_answers(plain, chunks[0].offset) if plain else ())
        instances = [row for part in few for row in part.read()]
        decoded = iter(_slices(self._of_instances(instances), few) if few else ())
        return [next(batches if part.body else decoded) for part in parts]

    def _of_answers(self, parts: Sequence[Part], offset: timedelta) -> list[pa.RecordBatch]:
        with suppress(pyarrow().ArrowException):
            columns = _Columns(_members(parts, self._pool), offset)
            arrays = [columns.array(column) for column in self._layout.columns]
            batch = pyarrow().RecordBatch.from_arrays(arrays, self._layout.names)
            ends = accumulate(len(part.ids) for part in parts)
            return [
                _meant(batch.slice(end - len(part.ids), len(part.ids)), part.numbers)
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
        whole = _one(batches, self._pool)
        return [arrow.compute.take(whole, arrow.array(order, arrow.int32()), memory_pool=self._pool)]


def _one(batches: Sequence[pa.RecordBatch], pool: pa.MemoryPool | None) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pyarrow().concat_batches(batches, memory_pool=pool)


def _slices(batch: pa.RecordBatch, parts: Sequence[Part]) -> Iterator[pa.RecordBatch]:
    start = 0
    for part in parts:
        yield batch.slice(start, len(part.numbers))
        start += len(part.numbers)


def _meant(batch: pa.RecordBatch, numbers: Sequence[int]) -> pa.RecordBatch:
    arrow = pyarrow()
    if isinstance(numbers, range) and numbers.step == 1:
        return batch.slice(numbers.start, len(numbers))
    return batch.take(arrow.array(numbers, arrow.int32()))


def _members(parts: Sequence[Part], pool: pa.MemoryPool | None) -> Mapping[str, pa.Array]:
    """Read the members of all rows.

    Raises:
        ArrowException: something is out of the ordinary.
    """
    arrow = pyarrow()
    document = b"".join(piece for part in parts for piece in (b'{"":', _list(part.body), b"}\n"))
    whole = arrow.json.ReadOptions(use_threads=False, block_size=len(document))
    strictly = arrow.json.ParseOptions(
        explicit_schema=_shape(), unexpected_field_behavior="error", newlines_in_values=True
    )
    table = arrow.json.read_json(arrow.BufferReader(document), whole, strictly, pool)
    found = table.column(0).chunk(0).values
    ids = arrow.array([name for part in parts for name in part.ids], arrow.string())
    if not found.field(0).equals(ids):
        raise arrow.ArrowInvalid("these are not the lists that the ids were read from")
    found.validate(full=True)  # which is when it is looked at whether texts are UTF-8
    return dict(zip(found.type.names, found.flatten(), strict=True))


def _list(body: bytes) -> memoryview:
    start = _LIST.search(body, 0, _LONGEST_START)
    if start is None:
        raise pyarrow().ArrowInvalid("there is no list where it is as a rule")
    return memoryview(body)[start.end() - 1 : body.rfind(b"]") + 1]


class _Columns:
    """The columns of rows, from their members.

    Args:
        members: the *members*, by the names that the service gives them.
        offset: how far the service's clocks are *ahead* of UTC.
    """

    def __init__(self, members: Mapping[str, pa.Array], offset: timedelta) -> None:
        self._members = members
        self._ahead = offset // timedelta(microseconds=1)
        self._times: dict[str, pa.Array] = {}

    def array(self, column: Column) -> pa.Array:
        """Give a column."""
        arrow = pyarrow()
        if column is EXTRA:
            return arrow.repeat(members_text({}), len(self._member(FIELDS[0])))
        if column is DURATION:
            return seconds_between(self._instants(START), self._instants(END))
        if column is STATUS_NAME:
            return names_of(self._member(STATUS))
        return self._instants(column) if column.kind is Kind.TIME else self._member(column)

    def _member(self, column: Column) -> pa.Array:
        return self._members[_on_the_wire(column)]

    def _instants(self, column: Column) -> pa.Array:
        if column.name not in self._times:
            arrow, compute = pyarrow(), pyarrow().compute
            texts = self._member(column)
            walls = texts.cast(arrow.timestamp("us")).view(arrow.int64())
            shortest, first = compute.min(compute.binary_length(texts)).as_py(), compute.min(walls).as_py()
            if shortest is not None and (shortest < _SHORTEST_TIME or first < _FIRST_TIME):
                raise arrow.ArrowInvalid("Python would not take these for times")
            self._times[column.name] = compute.subtract(walls, self._ahead).view(types()[Kind.TIME])
        return self._times[column.name]


def _on_the_wire(column: Column) -> str:
    first, *others = column.name.split("_")
    return "".join([first, *map(str.capitalize, others)])


@cache
def _shape() -> pa.Schema:
    arrow = pyarrow()
    texts = {Kind.NAME: arrow.string(), Kind.TIME: arrow.string()}
    row = [
        (_on_the_wire(column), texts.get(column.kind) or types()[column.kind])
        for column in FIELDS
        if column is not EXTRA
    ]
    return arrow.schema([("", arrow.list_(arrow.struct(row)))])
