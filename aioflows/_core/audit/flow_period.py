"""A flow while it has one schedule: its last instance, its last run that an instance explains, and its gaps."""

from __future__ import annotations

from array import array

from aioflows._core.audit.findings import FlowText, Reason
from aioflows._core.audit.fire_counter import FireCounter
from aioflows._core.schedule.fires import fire_after
from aioflows._core.schedule.wall_clock import WallClock

__all__ = ["FlowPeriod"]

_MOST_BESIDE = 0.25


class FlowPeriod:
    """A flow while it has one schedule.

    Args:
        text: the flow and its schedule.
        counter: counts the runs of the schedule. None means that the flow is not judged.
        reason: why the flow cannot be judged. None means that no reason is known yet.
        detail: more about the reason.
        start: the number of the last run before the range, and the last second before the range. None means
            that no run before the first instance is expected.
    """

    __slots__ = (
        "again",
        "beside",
        "counter",
        "detail",
        "freq",
        "gaps",
        "instance_id",
        "place",
        "reason",
        "runs",
        "second",
        "seen",
        "text",
        "twice",
    )  # fmt: skip

    def __init__(
        self,
        text: FlowText,
        counter: FireCounter | None,
        reason: Reason | None,
        detail: str,
        start: tuple[int, int] | None,
    ) -> None:
        self.text = text
        self.freq = text.freq
        self.counter = counter
        self.reason = reason
        self.detail = detail
        # The last run that an instance explains: its number and its instant (s since the epoch).
        self.place: int | None = None if start is None else start[0]
        self.second = 0 if start is None else start[1]
        self.seen = -1  # the trigger second of the last instance; -1 precedes every second
        self.instance_id = ""
        self.runs = self.beside = self.again = 0  # `again`: instances of a run after its first
        self.twice: list[str] = []
        self.gaps: array[int] | None = None

    @property
    def is_judged(self) -> bool:
        """True if the missing runs so far can be computed."""
        counter = self.counter
        known = counter is not None and not counter.error and self.place is not None
        return known and self.runs > 1 and not self.is_beside

    @property
    def is_beside(self) -> bool:
        """True if so many runs are beside the schedule that the schedule was not understood."""
        return self.beside > _MOST_BESIDE * self.runs

    def add_gap(self, count: int) -> None:
        """Note how many runs are missing behind the last run that an instance explains."""
        if self.gaps is None:
            self.gaps = array("q")
        self.gaps.extend((self.second, count))

    def run_beside(self, number: int, second: int, clock: WallClock) -> None:
        """Note a run beside the schedule.

        Args:
            number: the number of scheduled runs before the trigger time.
            second: the trigger second (s since the epoch).
            clock: the clock of the zone.
        """
        self.beside += 1
        if self.place is not None:
            if number <= self.place:
                return  # an earlier instance beside the schedule explains the same two runs
            if number > self.place + 2:
                self.add_gap(number - self.place - 2)
        assert self.counter is not None
        wall = fire_after(self.counter.fields, clock, second)
        self.place, self.second = number, second if wall is None else clock.instant(wall)
