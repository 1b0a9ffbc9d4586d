"""A page: the columns that decisions depend on, and batches of rows from pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

import attrs

from aioflows._core.wire.zone import Zone
from aioflows.models import FlowInstance

if TYPE_CHECKING:
    from aioflows_decoder import Plan

__all__ = ["NOTHING", "Batch", "Nothing", "Page"]


class Page(Protocol):
    """The columns of an answer that decisions depend on."""

    @property
    def ids(self) -> Sequence[str]: ...

    @property
    def times(self) -> Sequence[str]:
        """The trigger times, as texts of one format that compare like times."""
        ...

    @property
    def body(self) -> bytes:
        """The bytes of the answer. Empty once its rows are decoded."""
        ...

    @property
    def plan(self) -> Plan | None:
        """What the compiled decoder has noted of the answer. None means nothing."""
        ...

    @property
    def size(self) -> int:
        """The bytes of the answer. 0 means that it was decoded at once."""
        ...

    @property
    def count(self) -> int | None:
        """The total number of rows that the service states. None means that it states none."""
        ...

    def instances(self, zone: Zone, rows: Sequence[int], *, offset: int | None = None) -> list[FlowInstance]:
        """Return decoded rows.

        Args:
            zone: zone of the service's times.
            rows: row numbers, in the order of the result.
            offset: offset of the zone at the trigger times of these rows (s). Default: None, which means that
                the offset of each row is looked up.
        """
        ...


@attrs.frozen
class Nothing:
    """A page without rows.

    Args:
        count: total number of rows that the service states. Default: None, which means no number.
    """

    count: int | None = None
    ids: Sequence[str] = ()
    times: Sequence[str] = ()
    body: bytes = b""
    plan: Plan | None = None
    size: int = 0

    def instances(self, zone: Zone, rows: Sequence[int], *, offset: int | None = None) -> list[FlowInstance]:  # noqa: ARG002
        """Return an empty list."""
        return []


NOTHING: Page = Nothing()


@attrs.frozen(eq=False)
class Batch:
    """Rows to return: row numbers for each page, and the order of all rows. None means the order of the parts."""

    parts: Sequence[tuple[Page, Sequence[int]]] = ()
    order: Sequence[int] | None = None

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self.parts)

    @classmethod
    def by_id(cls, rows: Mapping[str, tuple[Page, int]], *, descending: bool) -> Batch:
        """Return rows in the order of their ids, which are the keys of *rows*."""
        names = sorted(rows, reverse=descending)
        parts: dict[int, tuple[Page, list[int]]] = {}
        for name in names:
            page, row = rows[name]
            parts.setdefault(id(page), (page, []))[1].append(row)
        # Each page decodes its rows together. `order` interleaves the pages.
        counts = accumulate((len(numbers) for _, numbers in parts.values()), initial=0)
        starts = dict(zip(parts, counts, strict=False))
        order = []
        for name in names:
            key = id(rows[name][0])
            order.append(starts[key])
            starts[key] += 1
        return cls(tuple(parts.values()), order)
