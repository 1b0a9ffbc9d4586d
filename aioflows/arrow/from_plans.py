"""Columns from what the compiled decoder has noted of answers: the buffers of Arrow arrays, which are not copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aioflows._compiled import compiled_decoder
from aioflows._tables.columns import EXTRA, FIELDS, Kind
from aioflows._tables.raw_rows import Part
from aioflows.arrow.schema import pyarrow, types, wire_name

if TYPE_CHECKING:
    import pyarrow as pa
    from aioflows_decoder import Decoder, Plan

__all__ = ["planned_members"]

_KINDS = {wire_name(column): column.kind for column in FIELDS if column is not EXTRA}


def planned_members(parts: Sequence[Part]) -> Mapping[str, pa.Array] | None:
    """Return the members of all rows, as arrays by their names in the answer. Times are those of the clock.

    None means that there is no compiled decoder, or that it does not read one of the answers.
    """
    decoder = compiled_decoder()
    if decoder is None:
        return None
    plans = []
    for part in parts:
        plan = decoder.plan(part.body) if part.plan is None else part.plan
        if plan is None or plan.ids != tuple(part.ids):
            return None
        plans.append(plan)
    return PlannedMembers(decoder, plans)


class PlannedMembers(Mapping[str, "pa.Array"]):
    """The members of the rows of answers. An array is made when it is first asked for.

    Args:
        decoder: the decoder that has read the answers.
        plans: what it has noted of each.
    """

    def __init__(self, decoder: Decoder, plans: list[Plan]) -> None:
        self._decoder = decoder
        self._plans = plans
        self._made: dict[str, pa.Array] = {}

    def __getitem__(self, name: str) -> pa.Array:
        if name not in self._made:
            self._made[name] = self._array(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_KINDS)

    def __len__(self) -> int:
        return len(_KINDS)

    def _array(self, name: str) -> pa.Array:
        arrow, kind = pyarrow(), _KINDS[name]
        try:
            rows, missing, known, values, texts = self._decoder.column(self._plans, name)
        except OverflowError as error:
            raise arrow.ArrowInvalid(str(error)) from None
        type = (
            arrow.string()
            if texts is not None
            else arrow.timestamp("us")
            if kind is Kind.TIME
            else types()[kind]
        )
        buffers = [known if missing else None, values, *([] if texts is None else [texts])]
        wrapped = [None if buffer is None else arrow.py_buffer(buffer) for buffer in buffers]
        return arrow.Array.from_buffers(type, rows, wrapped, missing)
