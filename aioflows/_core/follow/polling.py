"""The polls of a follow: which window to read next, which rows are new, and when to poll again.

1. An instance that appears within the margin after its trigger time is handed out once. The time is the
   service's own and is requested before each poll. A poll that began at *now* shows every instance triggered
   before *now* less the margin. So nothing before this moment, the *mark*, needs to be read again.
2. Instances triggered after the mark are read again by every poll, and recognised by their ids. So the follow
   remembers the ids of one margin and the watched instances, and nothing else.
3. If changes or statuses are wanted, every unfinished instance is watched, however old it is. Before the
   mark, one search for all unfinished instances shows which are still unfinished. Each missing one is then
   requested in its own second. So no status is missed because it was not requested.
4. Only instances that were handed out count. A checkpoint leaves out the instances that wait in line, and the
   mark waits for them.
5. While nothing new arrives, most polls are light: one page, without a new row and with all known ones. A
   light poll settles nothing, since an empty answer may be false. So the mark stays, and the next full poll
   finds the rows that light polls did not show. Full polls become rare, within bounds, while they find
   nothing new. If a light poll has shown a row, and the full poll that follows lacks the row, the row still
   counts as seen.

Dates are trusted only as far as necessary. An id is not forgotten while polls show it. A mark that moves
within a poll stays behind the dates by more than clocks are ever changed. See docs/algorithms/following.md.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Collection, Iterable
from typing import Final, Literal, TypeAlias

import attrs

from aioflows._core.follow.seen_instances import UNFINISHED, SeenInstances, second_of
from aioflows.checkpoint import FollowCheckpoint
from aioflows.errors import QueryError
from aioflows.models import FlowInstance
from aioflows.stats import FollowStats

__all__ = ["DONE", "TIME", "FollowMachine", "LightPoll", "PollTiming", "Read", "Step", "Wait"]

_CLOCKS_CHANGE: Final = 3 * 3_600_000
_LONGEST: Final = 10 * 365 * 86_400
_UNFINISHED: Final = tuple(sorted(int(one) for one in UNFINISHED))
_NEAR: Final = 10
"""Seconds to request that are at most this far apart share one window."""

_MOST_GLANCES: Final = 32
_LONGEST_GLANCING: Final = 1_800_000
"""The longest time behind the margin for which light polls may leave the mark (milliseconds)."""


class _Signal(enum.Enum):
    TIME = enum.auto()
    DONE = enum.auto()


TIME: Final = _Signal.TIME
"""A step: request the time of the service."""
DONE: Final = _Signal.DONE
"""The end: no instance can appear any more."""


@attrs.frozen
class Wait:
    """A step: wait for *seconds*."""

    seconds: float


@attrs.frozen
class Read:
    """A step: read a whole window by trigger time.

    Args:
        from_ms: the first millisecond of the window.
        to_ms: the first millisecond behind the window.
        status: the statuses to request. Empty means all.
        fresh: True if the window may have instances that were not seen yet.
    """

    from_ms: int
    to_ms: int
    status: tuple[int, ...] = ()
    fresh: bool = False


@attrs.frozen
class LightPoll:
    """A step: request the newest page of a window once. A row that the page lacks may exist all the same.

    Args:
        from_ms: the first millisecond of the window.
        to_ms: the first millisecond behind the window.
        status: the statuses to request. Empty means all, with a page of each schedule type.
        poll: the number of the poll.
    """

    from_ms: int
    to_ms: int
    status: tuple[int, ...]
    poll: int


Step: TypeAlias = "Read | LightPoll | Wait | Literal[_Signal.TIME, _Signal.DONE]"


def _seconds(_: object, field: attrs.Attribute[float], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LONGEST:
        raise QueryError(f"{field.name} must be a number of seconds from 0, not {value!r}")


@attrs.frozen
class PollTiming:
    """The times of a follow, all in seconds.

    Args:
        settle_time: the longest time between the trigger of an instance and its appearance.
        watch_time: how long after its trigger time an unfinished instance is watched.
        min_wait: the shortest wait between two polls.
        max_wait: the longest wait between two polls.

    Raises:
        QueryError: a value is not a number of seconds, or min_wait is 0 or larger than max_wait.
    """

    settle_time: float = attrs.field(validator=_seconds)
    watch_time: float = attrs.field(validator=_seconds)
    min_wait: float = attrs.field(validator=_seconds)
    max_wait: float = attrs.field(validator=_seconds)

    def __attrs_post_init__(self) -> None:
        if not 0 < self.min_wait <= self.max_wait:
            raise QueryError(
                "min_wait must be more than 0 seconds and at most max_wait, "
                f"not {self.min_wait!r} with a max_wait of {self.max_wait!r}"
            )


class FollowMachine:
    """A follow as a state machine: it returns one step after the other, and receives the results.

    Args:
        since_ms: the first trigger time that counts. None means the service time at the first step.
        from_ms: the first trigger time of the query.
        to_ms: the first trigger time behind the query.
        status: the statuses to hand out. Empty means all.
        changes: True to hand out each change of status.
        pace: the times of the polls.
        resume: the checkpoint of an earlier follow.
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
        self._roll = SeenInstances(status, changes=changes, known=() if resume is None else resume.known)
        self._now: int | None = None
        self._reads: deque[Read] = deque()
        self._glances: deque[LightPoll] = deque()
        self._glimpsed: list[tuple[FlowInstance, bool]] = []
        """Rows that the light polls of this poll have shown, each with True if it may be new."""
        self._glances_left = self._trust = 0
        self._looked = self._resting = self._news = False
        self._reached: int | None = None
        self._wait = pace.min_wait
        self._poll = self._received = self._handed = 0

    def __repr__(self) -> str:
        return f"<FollowMachine from {self._mark}, {len(self._roll)} known, {self._roll.in_line} in line>"

    # Steps

    def step(self) -> Step:
        """Return the present step. It stays the same until its result is reported.

        All instances in line must have been handed out.
        """
        assert not self._roll.in_line
        if self._now is None:
            return DONE if self._over() else Wait(self._wait) if self._resting else TIME
        if self._glances:
            return self._glances[0]
        self._advance()
        if not self._reads and not self._looked:
            self._looked = True
            self._reads.extend(self._looks())
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
        oldest = self._roll.oldest_watched(self._mark)
        if self._may_glance(self._mark, now_ms):
            self._glances_left -= 1
            self._glances.append(LightPoll(self._mark, now_ms, (), self._poll))
            if oldest is not None:
                self._glances.append(LightPoll(oldest * 1000, self._mark, _UNFINISHED, self._poll))
        else:
            self._read_whole(self._mark, now_ms)

    def _may_glance(self, mark: int, now_ms: int) -> bool:
        longest = self._pace.settle_time * 1000 + _LONGEST_GLANCING
        return self._glances_left > 0 and mark < now_ms < self._to_ms and now_ms - mark <= longest

    def _read_whole(self, mark: int, now_ms: int) -> None:
        self._looked = not self._watches
        self._reached = None
        until = min(now_ms, self._to_ms)
        if mark < until:
            self._reads.append(Read(mark, until, fresh=True))
        oldest = self._roll.oldest_watched(mark)
        if oldest is not None:
            self._reads.append(Read(oldest * 1000, mark, _UNFINISHED))

    def as_known(self, rows: Collection[FlowInstance]) -> bool:
        """Return True if the rows of the present light poll are not new, and include all known ones."""
        assert self._mark is not None
        glance = self._glances[0]
        ids = (
            self._roll.watched_before(self._mark)
            if glance.status
            else self._roll.since(self._mark, glance.to_ms)
        )
        return self._roll.agrees(rows, ids, fresh=not glance.status)

    def glanced(self, rows: Collection[FlowInstance], *, whole: bool = True) -> None:
        """Process the rows of a light poll.

        Args:
            rows: the rows.
            whole: False if a search of the light poll failed.
        """
        assert self._now is not None
        assert self._mark is not None
        fresh = not self._glances[0].status
        self._glimpsed += [(row, fresh) for row in rows]
        if not whole or not self.as_known(rows):
            self._glances.clear()
            self._trust = -1  # unless there is news: a failed light poll costs a full poll as well
            self._read_whole(self._mark, self._now)
            return
        self._glances.popleft()
        if not self._glances:
            self._rest()

    def waited(self) -> None:
        """Report that the wait is over."""
        self._resting = False

    def received(self, rows: Iterable[FlowInstance]) -> None:
        """Process rows of the window that is being read, in their order."""
        fresh = self._reads[0].fresh
        for row in rows:
            self._received += 1
            if self._roll.take(row, self._poll, fresh=fresh):
                self._news = True
            if fresh:
                self._reached = second_of(row) * 1000

    def read(self) -> None:
        """Report that the window was read to its end."""
        self._reads.popleft()
        if not self._reads:
            for row, fresh in sorted(self._glimpsed, key=lambda one: second_of(one[0])):
                if not self._roll.shown(row.instance_id, self._poll):
                    self._news |= self._roll.take(row, self._poll, fresh=fresh)
            self._glimpsed.clear()

    def failed(self) -> None:
        """End the poll after a step failed. The next poll reads everything that is not settled."""
        self._glances_left = self._trust = 0
        self._rest()

    @property
    def in_line(self) -> int:
        """The number of instances that wait to be handed out."""
        return self._roll.in_line

    def next_instance(self) -> FlowInstance | None:
        """Hand out the next instance in line. Return None if none waits."""
        row = self._roll.next_instance()
        if row is not None:
            self._handed += 1
        return row

    # The mark

    def _advance(self) -> None:
        """Move the mark during a long poll, so that rows that were handed out are not read again."""
        assert self._now is not None
        assert self._mark is not None
        if self._reached is None or not self._reads or not self._reads[0].fresh:
            return
        mark = min(self._reached - _CLOCKS_CHANGE, self._settled(self._now))
        if mark > self._mark:
            self._mark = mark
            self._roll.forget(mark - _CLOCKS_CHANGE, self._poll + 1)

    def _settled(self, now_ms: int) -> int:
        return int(now_ms - self._pace.settle_time * 1000) // 1000 * 1000

    def _end_poll(self, now_ms: int) -> None:
        assert self._mark is not None
        self._roll.drop(self._roll.missing(self._mark, self._poll))
        self._mark = max(self._mark, self._settled(now_ms))
        self._roll.give_up(min(self._mark, int(now_ms - self._pace.watch_time * 1000)))
        self._roll.forget(self._mark, self._poll)
        self._trust = 0 if self._news else min(_MOST_GLANCES, max(self._trust + 1, 2 * self._trust))
        self._glances_left = self._trust
        self._rest()

    def _looks(self) -> list[Read]:
        """Return the windows of watched instances that this poll has not shown."""
        assert self._mark is not None
        windows: list[list[int]] = []
        for second in sorted(set(self._roll.missing(self._mark, self._poll).values())):
            if windows and second - windows[-1][1] <= _NEAR:
                windows[-1][1] = second
            else:
                windows.append([second, second])
        return [Read(first * 1000, (last + 1) * 1000) for first, last in windows]

    def _rest(self) -> None:
        news, self._news = self._news, False
        wait = self._wait / 2 if news else self._wait * 1.5
        self._wait = min(max(wait, self._pace.min_wait), self._pace.max_wait)
        self._reads.clear()
        self._glances.clear()
        self._glimpsed.clear()
        self._now = None
        self._resting = True

    def _over(self) -> bool:
        return self._mark is not None and self._mark >= self._to_ms and not self._roll.watched

    # State

    def checkpoint(self, fingerprint: str) -> FollowCheckpoint:
        """Return a checkpoint. Instances in line were not handed out, so they will be new again."""
        return FollowCheckpoint(fingerprint, self._mark, self._roll.known())

    @property
    def stats(self) -> FollowStats:
        """The statistics so far."""
        return FollowStats(
            polls=self._poll,
            rows_received=self._received,
            rows_yielded=self._handed,
            known=len(self._roll),
            watched=self._roll.watched,
            given_up=self._roll.given_up,
            settled_ms=self._mark,
            wait=self._wait,
        )
