"""The polls of a follow: which window to read next, which rows are new, and when to poll again.

1. An instance that appears within the settle time after its trigger time is handed out once. Before each poll
   the time of the service is requested. A poll that began at *now* shows every instance triggered before *now*
   less the settle time. So nothing before this moment, the *mark*, needs to be read again.
2. Instances triggered after the mark are read again by every poll, and recognised by their ids. So the follow
   remembers the ids of one settle time and the watched instances, and nothing else.
3. If changes or statuses are wanted, every unfinished instance is watched until its watch time ends. Before
   the mark, one search for all unfinished instances shows which are still unfinished. Each watched instance
   that is missing is then requested in its own second. So no last status is missed.
4. Only instances that were handed out count. A checkpoint leaves out the instances that wait in line, and the
   mark waits for them.
5. While nothing new arrives, most polls are light: one page, without a new row and with all known rows. A
   light poll settles nothing, since an empty answer may be false. So the mark stays, and the next full poll
   finds the rows that light polls did not show. Full polls that find nothing new become rare, within bounds. If
   a light poll has shown a row, and the full poll that follows lacks the row, the row still counts as seen.

Dates are trusted only as far as necessary. An id is not forgotten while polls show it. A mark that moves
within a poll stays three hours behind the dates, since clocks change by less. See docs/algorithms/following.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from typing import Final

from aioflows._core.follow.poll_steps import DONE, TIME, LightPoll, Read, Step, Wait
from aioflows._core.follow.poll_timing import PollTiming
from aioflows._core.follow.seen_instances import UNFINISHED, SeenInstances, second_of
from aioflows.checkpoint import FollowCheckpoint
from aioflows.models import FlowInstance
from aioflows.stats import FollowStats

__all__ = ["FollowMachine"]

_CLOCKS_CHANGE: Final = 3 * 3_600_000
"""More than clocks are ever changed by (ms)."""

_UNFINISHED: Final = tuple(sorted(int(one) for one in UNFINISHED))

_NEAR: Final = 10
"""The longest distance of two instances that are requested in one window (s)."""

_MOST_LIGHT_POLLS: Final = 32
"""The most light polls between two full ones."""

_LONGEST_LIGHT: Final = 1_800_000
"""The longest time beyond the settle time that light polls may leave unread (ms)."""


class FollowMachine:
    """A follow as a state machine: it returns one step after the other, and receives the results.

    Args:
        since_ms: the first trigger time that counts. None means the service time at the first step.
        from_ms: the first trigger time of the query.
        to_ms: the first trigger time behind the query.
        status: the statuses to hand out. Empty means all.
        changes: True to hand out each change of status.
        pace: the times of the polls.
        resume: the checkpoint of an earlier follow. Default: None, which means a new follow.
    """

    def __init__(
        self,
        since_ms: int | None,
        from_ms: int,
        to_ms: int,
        *,
        status: Collection[int],
        changes: bool,
        pace: PollTiming,
        resume: FollowCheckpoint | None = None,
    ) -> None:
        self._mark = None if since_ms is None else max(since_ms, from_ms)
        self._from_ms, self._to_ms = from_ms, to_ms
        self._watches = changes or bool(status)
        self._pace = pace
        if resume is not None:
            self._mark = resume.from_ms
        self._seen = SeenInstances(status, changes=changes, known=() if resume is None else resume.known)
        self._now: int | None = None
        self._reads: deque[Read] = deque()
        self._light_polls: deque[LightPoll] = deque()
        self._shown: list[tuple[FlowInstance, bool]] = []
        """Rows that the light polls of this poll have shown, each with True if it may be new."""
        self._light_left = self._next_light = 0
        self._missing_requested = self._waiting = self._new_rows = False
        self._reached: int | None = None
        self._wait = pace.min_wait
        self._poll = self._received = self._handed = 0

    def __repr__(self) -> str:
        return f"<FollowMachine from {self._mark}, {len(self._seen)} known, {self._seen.in_line} in line>"

    # Steps, their results, and instances in line

    def step(self) -> Step:
        """Return the present step. The step stays the same until its result is reported.

        All instances in line must have been handed out.
        """
        assert not self._seen.in_line
        if self._now is None:
            return DONE if self._over() else Wait(self._wait) if self._waiting else TIME
        if self._light_polls:
            return self._light_polls[0]
        self._advance()
        if not self._reads and not self._missing_requested:
            self._missing_requested = True
            self._reads.extend(self._missing_windows())
        if self._reads:
            return self._reads[0]
        self._end_poll(self._now)
        return self.step()

    def told_time(self, now_ms: int) -> None:
        """Begin a poll with the service's time, requested after all earlier steps were done."""
        self._now = now_ms
        if self._mark is None:
            self._mark = max(now_ms, self._from_ms)
        self._poll += 1
        oldest = self._seen.oldest_watched(self._mark)
        if self._may_be_light(self._mark, now_ms):
            self._light_left -= 1
            self._light_polls.append(LightPoll(self._mark, now_ms, (), self._poll))
            if oldest is not None:
                self._light_polls.append(LightPoll(oldest * 1000, self._mark, _UNFINISHED, self._poll))
        else:
            self._read_all(self._mark, now_ms)

    def _may_be_light(self, mark: int, now_ms: int) -> bool:
        longest = self._pace.settle_time * 1000 + _LONGEST_LIGHT
        return self._light_left > 0 and mark < now_ms < self._to_ms and now_ms - mark <= longest

    def _read_all(self, mark: int, now_ms: int) -> None:
        self._missing_requested = not self._watches
        self._reached = None
        until = min(now_ms, self._to_ms)
        if mark < until:
            self._reads.append(Read(mark, until, fresh=True))
        oldest = self._seen.oldest_watched(mark)
        if oldest is not None:
            self._reads.append(Read(oldest * 1000, mark, _UNFINISHED))

    def as_known(self, rows: Collection[FlowInstance]) -> bool:
        """Return True if the rows of the present light poll are not new, and include all known rows."""
        assert self._mark is not None
        light = self._light_polls[0]
        ids = (
            self._seen.watched_before(self._mark)
            if light.status
            else self._seen.since(self._mark, light.to_ms)
        )
        return self._seen.agrees(rows, ids, fresh=not light.status)

    def glanced(self, rows: Collection[FlowInstance], *, whole: bool = True) -> None:
        """Process the rows of a light poll.

        Args:
            rows: the rows.
            whole: False if a search of the light poll failed.
        """
        assert self._now is not None
        assert self._mark is not None
        fresh = not self._light_polls[0].status
        self._shown += [(row, fresh) for row in rows]
        if not whole or not self.as_known(rows):
            self._light_polls.clear()
            self._next_light = -1  # a failed light poll costs a full poll, so no light poll follows it
            self._read_all(self._mark, self._now)
            return
        self._light_polls.popleft()
        if not self._light_polls:
            self._end()

    def waited(self) -> None:
        """Report that the wait is over."""
        self._waiting = False

    def received(self, rows: Iterable[FlowInstance]) -> None:
        """Process rows of the window that is being read, in their order."""
        fresh = self._reads[0].fresh
        for row in rows:
            self._received += 1
            if self._seen.take(row, self._poll, fresh=fresh):
                self._new_rows = True
            if fresh:
                self._reached = second_of(row) * 1000

    def read(self) -> None:
        """Report that the window was read to its end."""
        self._reads.popleft()
        if not self._reads:
            for row, fresh in sorted(self._shown, key=lambda one: second_of(one[0])):
                if not self._seen.shown(row.instance_id, self._poll):
                    self._new_rows |= self._seen.take(row, self._poll, fresh=fresh)
            self._shown.clear()

    def failed(self) -> None:
        """End the poll after a step failed. The next poll is a full one."""
        self._light_left = self._next_light = 0
        self._end()

    @property
    def in_line(self) -> int:
        """The number of instances that wait to be handed out."""
        return self._seen.in_line

    def next_instance(self) -> FlowInstance | None:
        """Hand out the next instance in line. Return None if none waits."""
        row = self._seen.next_instance()
        if row is not None:
            self._handed += 1
        return row

    # Mark, and end of a poll

    def _advance(self) -> None:
        """Move the mark during a long poll. So a follow that fails later reads fewer rows again."""
        assert self._now is not None
        assert self._mark is not None
        if self._reached is None or not self._reads or not self._reads[0].fresh:
            return
        mark = min(self._reached - _CLOCKS_CHANGE, self._settled(self._now))
        if mark > self._mark:
            self._mark = mark
            self._seen.forget(mark - _CLOCKS_CHANGE, self._poll + 1)

    def _settled(self, now_ms: int) -> int:
        return int(now_ms - self._pace.settle_time * 1000) // 1000 * 1000

    def _end_poll(self, now_ms: int) -> None:
        assert self._mark is not None
        self._seen.drop(self._seen.missing(self._mark, self._poll))
        self._mark = max(self._mark, self._settled(now_ms))
        self._seen.give_up(min(self._mark, int(now_ms - self._pace.watch_time * 1000)))
        self._seen.forget(self._mark, self._poll)
        self._next_light = (
            0 if self._new_rows else min(_MOST_LIGHT_POLLS, max(self._next_light + 1, 2 * self._next_light))
        )
        self._light_left = self._next_light
        self._end()

    def _missing_windows(self) -> list[Read]:
        """Return the windows of watched instances that this poll has not shown."""
        assert self._mark is not None
        windows: list[list[int]] = []
        for second in sorted(set(self._seen.missing(self._mark, self._poll).values())):
            if windows and second - windows[-1][1] <= _NEAR:
                windows[-1][1] = second
            else:
                windows.append([second, second])
        return [Read(first * 1000, (last + 1) * 1000) for first, last in windows]

    def _end(self) -> None:
        new_rows, self._new_rows = self._new_rows, False
        wait = self._wait / 2 if new_rows else self._wait * 1.5
        self._wait = min(max(wait, self._pace.min_wait), self._pace.max_wait)
        self._reads.clear()
        self._light_polls.clear()
        self._shown.clear()
        self._now = None
        self._waiting = True

    def _over(self) -> bool:
        return self._mark is not None and self._mark >= self._to_ms and not self._seen.watched

    # State

    def checkpoint(self, fingerprint: str) -> FollowCheckpoint:
        """Return a checkpoint. Instances in line were not handed out, so they will be new again."""
        return FollowCheckpoint(fingerprint, self._mark, self._seen.known())

    @property
    def stats(self) -> FollowStats:
        """The statistics so far."""
        return FollowStats(
            polls=self._poll,
            rows_received=self._received,
            rows_yielded=self._handed,
            known=len(self._seen),
            watched=self._seen.watched,
            given_up=self._seen.given_up,
            settled_ms=self._mark,
            wait=self._wait,
        )
