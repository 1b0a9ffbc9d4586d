"""What the engine runs: a machine that names requests and rows to lay aside, and is told what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, Protocol, TypeAlias

import attrs

from aioflows._core.pages.reading import Page, PageRequest
from aioflows._core.scans.signals import Signal
from aioflows._core.wire.zone import Zone
from aioflows._tables.raw_rows import RawRows
from aioflows.checkpoint import Position, Remainder
from aioflows.errors import AioflowsError
from aioflows.events import DriftFound, WindowDone
from aioflows.models import FlowInstance, ScheduleType
from aioflows.stats import CountedWindow, Proof

__all__ = ["Machine", "News", "Requester", "Rows", "SpillRead", "SpillWrite", "Waiting"]

Waiting: TypeAlias = Literal[Signal.NEED_PAGES, Signal.DONE]

Rows: TypeAlias = "list[FlowInstance] | Waiting"

News: TypeAlias = "partial[WindowDone] | partial[DriftFound]"
"""An event that lacks the number of the scan."""


class Requester(Protocol):
    """Who named a request, and is told the answer."""

    @property
    def type(self) -> ScheduleType:
        """The schedule type it asks for."""
        ...

    def received(self, ask: PageRequest, page: Page) -> None:
        """Take the answer to a request."""
        ...

    def failed(self, ask: PageRequest, error: AioflowsError) -> None:
        """Take the error that a request ended with, its retries spent."""
        ...


@attrs.frozen(eq=False)
class SpillWrite:
    """Rows to be laid aside.

    Args:
        rows: the *rows*, in order.
        unit: how *many* of them are to be read back at once, at least.
        done: takes, for each unit, where it lies and how long it is.
    """

    rows: Sequence[FlowInstance]
    unit: int
    done: Callable[[list[tuple[int, int]]], None]


@attrs.frozen(eq=False)
class SpillRead:
    """Rows to be read back.

    Args:
        offset: where they *lie*.
        length: how *long* they are.
        done: takes the rows.
    """

    offset: int
    length: int
    done: Callable[[list[FlowInstance]], None]


class Machine(Protocol):
    """A scan without input and output."""

    @property
    def progress(self) -> float:
        """The share that was handed out, from 0 to 1."""
        ...

    @property
    def rows_received(self) -> int:
        """Rows in all answers."""
        ...

    @property
    def duplicates(self) -> int:
        """Rows that came again and were dropped."""
        ...

    @property
    def windows(self) -> int:
        """Windows that were read to their end."""
        ...

    @property
    def proofs(self) -> Mapping[Proof, int]:
        """How many of them were proven in which way."""
        ...

    @property
    def counted(self) -> Sequence[CountedWindow]:
        """Those whose rows could only be counted."""
        ...

    @property
    def undated(self) -> Sequence[tuple[int, int]]:
        """Windows whose rows may be dated too late or too early, in *milliseconds* of real time."""
        ...

    @property
    def expected(self) -> float:
        """Rows to be expected in what was not read yet, as far as is known."""
        ...

    def news(self) -> Sequence[News]:
        """Return what happened since the last call."""
        ...

    def read_in(self, zone: Zone) -> None:
        """Say which zone the service's times are in; needed before the first answer."""
        ...

    def wanted(self, slots: int) -> Sequence[tuple[Requester, PageRequest]]:
        """Name requests to start."""
        ...

    def beside(self) -> Sequence[SpillWrite | SpillRead]:
        """Name what is to be laid aside or read back; each once."""
        ...

    def broken(self, error: AioflowsError) -> None:
        """Take the error that laying aside or reading back ended with."""
        ...

    def next_rows(self) -> Rows:
        """Return the next rows in order; raise the scan's error after everything before it was given."""
        ...

    def next_undecoded(self) -> Rows | RawRows:
        """Return the same as the answer they stand in, where they are the rows of one and need not be looked at."""
        ...

    def remaining(self, last: FlowInstance | None, begun: bool, all_handed: bool) -> list[Remainder]:
        """Return the windows that are left."""
        ...

    def position(self, last: FlowInstance | None) -> Position | None:
        """Return the place of the last row in the order, where the windows that are left do not tell it."""
        ...
