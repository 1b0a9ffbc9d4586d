"""What the engine runs: a machine that names requests and rows to lay aside, and is told what came of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, Protocol, TypeAlias

import attrs

from aioflows._core.pages.reading import Page, PageRequest
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


class Machine(ABC):
    """A scan without input and output."""

    @property
    @abstractmethod
    def progress(self) -> float:
        """The share that was handed out, from 0 to 1."""

    @abstractmethod
    def account(self) -> ScanAccount:
        """Return the figures so far."""

    @abstractmethod
    def drain_events(self) -> list[PendingEvent]:
        """Return what happened since the last call."""

    @abstractmethod
    def set_zone(self, zone: Zone) -> None:
        """Set the zone that the service's times are in; needed before the first answer."""

    @abstractmethod
    def wanted(self, slots: int) -> list[tuple[Requester, PageRequest]]:
        """Return the requests to start, at most *slots*."""

    def disk_tasks(self) -> list[SpillWrite | SpillRead]:
        """Return the rows to write to disk or to read back, each once. Default: none, since rows are held in memory."""
        return []

    def disk_failed(self, error: AioflowsError) -> None:
        """Take the error that a task of `disk_tasks` ended with. Default: raise it, since there are none."""
        raise error

    @abstractmethod
    def next_rows(self) -> Rows:
        """Return the next rows in order; raise the scan's error after all rows before it were returned."""

    def next_raw(self) -> Rows | RawRows:
        """Return the next rows still in their answer's bytes, if no row has to be looked at. Default: `next_rows`."""
        return self.next_rows()

    @abstractmethod
    def remaining(self, last: FlowInstance | None, begun: bool, all_handed: bool) -> list[Remainder]:
        """Return the windows that are left.

        Args:
            last: the last row that was handed out. None means none was.
            begun: whether it is among those that `next_rows` returned last.
            all_handed: whether all of those were handed out.
        """

    def position(self, last: FlowInstance | None) -> Position | None:  # noqa: ARG002
        """Return the place of the last row in the order. Default: None, since the windows that are left tell it."""
        return None
