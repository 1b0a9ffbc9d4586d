"""The machine that the engine runs: returns requests and disk tasks, and takes their results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, Protocol, TypeAlias

import attrs

from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.scans.account import ScanAccount
from aioflows._core.scans.signals import Signal
from aioflows._core.wire.zone import Zone
from aioflows._tables.raw_rows import RawRows
from aioflows.checkpoint import Position, Remainder
from aioflows.errors import AioflowsError
from aioflows.events import DriftFound, WindowDone
from aioflows.models import FlowInstance, ScheduleType

__all__ = ["Machine", "PendingEvent", "Requester", "Rows", "SpillRead", "SpillWrite", "Waiting"]

Waiting: TypeAlias = Literal[Signal.NEED_PAGES, Signal.DONE]

Rows: TypeAlias = "list[FlowInstance] | Waiting"

PendingEvent: TypeAlias = "partial[WindowDone] | partial[DriftFound]"
"""An event that lacks the number of the scan."""


class Requester(Protocol):
    """A requester: the object that made a request and takes its answer."""

    @property
    def type(self) -> ScheduleType:
        """The schedule type of its requests."""
        ...

    def received(self, ask: PageRequest, page: Page) -> None:
        """Process the answer to a request."""
        ...

    def failed(self, ask: PageRequest, error: AioflowsError) -> None:
        """Process the error that a request ended with, after its retries were spent."""
        ...


@attrs.frozen(eq=False)
class SpillWrite:
    """Rows to be written to the spill file.

    Args:
        rows: the rows, in order.
        unit: the least number of rows to read back at once.
        done: called with the offset and the length of each unit.
    """

    rows: Sequence[FlowInstance]
    unit: int
    done: Callable[[list[tuple[int, int]]], None]


@attrs.frozen(eq=False)
class SpillRead:
    """Rows to be read back from the spill file.

    Args:
        offset: where the rows begin in the file (bytes).
        length: their length (bytes).
        done: called with the rows.
    """

    offset: int
    length: int
    done: Callable[[list[FlowInstance]], None]


class Machine(ABC):
    """A scan without input and output."""

    @property
    @abstractmethod
    def progress(self) -> float:
        """The share of the scan that was handed out, from 0 to 1."""

    @abstractmethod
    def account(self) -> ScanAccount:
        """Return the figures so far."""

    @abstractmethod
    def drain_events(self) -> list[PendingEvent]:
        """Return the events since the last call."""

    @abstractmethod
    def set_zone(self, zone: Zone) -> None:
        """Set the zone of the service's times, which the first answer needs."""

    @abstractmethod
    def wanted(self, slots: int) -> list[tuple[Requester, PageRequest]]:
        """Return the requests to start, at most *slots*."""

    @property
    def held(self) -> int:
        """The number of rows in memory, of pages or decoded. Default: 0, since all rows are on pages."""
        return 0

    def hand_out_at_most(self, rows: int) -> None:  # noqa: B027  (optional)
        """Set the most rows that `next_rows` returns from now on. Default: no limit, since batches are whole."""

    def disk_tasks(self) -> list[SpillWrite | SpillRead]:
        """Return the disk tasks to start, each once. Default: no tasks, since rows are held in memory."""
        return []

    def disk_failed(self, error: AioflowsError) -> None:
        """Process the error that a task of `disk_tasks` ended with. Default: raise the error."""
        raise error

    @abstractmethod
    def next_rows(self) -> Rows:
        """Return the next rows in order. Raise the scan's error after all rows before the error."""

    def next_raw(self) -> Rows | RawRows:
        """Return the next rows as bytes of answers, if no row has to be inspected. Default: `next_rows`."""
        return self.next_rows()

    @abstractmethod
    def remaining(self, last: FlowInstance | None, begun: bool, all_handed: bool) -> list[Remainder]:
        """Return the windows that are left.

        Args:
            last: the last row that was handed out. None means that no row was handed out.
            begun: True if `last` is in the batch that `next_rows` returned last.
            all_handed: True if all rows of the last batch were handed out.
        """

    def position(self, last: FlowInstance | None) -> Position | None:  # noqa: ARG002
        """Return the place of the last row in the order. Default: None, since `remaining` shows the place."""
        return None
