"""One scan among several: that of one schedule type."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import attrs

from aioflows._core.filter_checks import FirstPages
from aioflows._core.pages import Ask, Page
from aioflows._core.scan import Scan
from aioflows._core.times import Zone, wall_seconds
from aioflows.errors import AioflowsError
from aioflows.models import FlowInstance, ScheduleType

__all__ = ["Lane", "Piece"]


@attrs.frozen(eq=False)
class Piece:
    """Rows of one page.

    Args:
        lane: whose they *are*.
        page: the *page*.
        numbers: which of its *rows*, in the order of the scan.
        offset: the *seconds* east of Greenwich that were in force when they were triggered.
    """

    lane: Lane
    page: Page
    numbers: Sequence[int]
    offset: int

    def __len__(self) -> int:
        return len(self.numbers)

    def second(self, number: int) -> int:
        """Give the second of scan time that a row lies in."""
        return self.lane.scan.axis.second(wall_seconds(self.page.times[number]) - self.offset)

    def cut(self, second: float) -> tuple[Piece, Piece]:
        """Cut off the rows that lie before a second of scan time."""
        before = bisect_left(self.numbers, second, key=self.second)
        numbers = self.numbers
        return attrs.evolve(self, numbers=numbers[:before]), attrs.evolve(self, numbers=numbers[before:])

    def read(self, zone: Zone) -> list[FlowInstance]:
        """Decode them."""
        return self.page.instances(zone, self.numbers, offset=self.offset)


@attrs.define(eq=False)
class Lane:
    """One scan among several.

    Args:
        type: the *schedule type* it reads.
        scan: the machine.
        handed: for a second of scan time, the last *id* that an earlier scan has handed out in it.
        pieces: *rows* that another lane may still precede.
    """

    type: ScheduleType
    scan: Scan
    handed: dict[int, str] = attrs.field(factory=dict)
    pieces: list[Piece] = attrs.field(init=False, factory=list)
    ended: bool = attrs.field(init=False, default=False)
    first_pages: FirstPages = attrs.field(init=False, factory=FirstPages)
    """Of all lanes of one scan."""

    @property
    def held(self) -> int:
        """Rows that were read and not yet given."""
        return self.scan.held + sum(map(len, self.pieces))

    def received(self, ask: Ask, page: Page) -> None:
        """Take the answer to a request."""
        self.first_pages.look(self.type, page)
        self.scan.received(ask, page)

    def failed(self, ask: Ask, error: AioflowsError) -> None:
        """Take the error that a request ended with, its retries spent."""
        self.first_pages.answered.add(self.type)
        self.scan.failed(ask, error)

    @property
    def unheard(self) -> bool:
        """Whether there is something to ask for, and nothing was answered yet."""
        return bool(self.scan.spans) and self.type not in self.first_pages.answered

    @property
    def second(self) -> float:
        """The second of scan time that all its further rows lie in or after."""
        return math.inf if self.ended else self.scan.position // 1000
