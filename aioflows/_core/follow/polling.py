"""What appears from now on: which window to read next, what of it is new, and when to look again.

1. What shows within the margin after its trigger time is handed out once. Time is the service's own, asked for before
   each poll: a poll that began at *now* shows whatever was triggered before *now* less the margin, since that had shown
   by then; so nothing before that moment, the *mark*, needs to be read again.
2. What was triggered behind the mark is read again by every poll, and known by its id. Known are therefore the ids of one
   margin, and what is still watched: that is all the memory there is.
3. Where changes are wanted, or statuses, whatever is not finished is watched, however long ago it was triggered. Behind
   the mark one search for all unfinished instances tells which of them still are; what is missing from it is looked at in
   the second that it belongs to. So no status is missed because it was not asked for.
4. Only what was handed out counts: a checkpoint forgets what is still in line, and the mark waits for it.
5. While nothing comes, most polls are a glance: one page, in which nothing is new and nothing known is missing. It proves
   nothing, as an empty answer may be false, so it settles nothing: the mark stays, and the next poll that reads its windows
   whole finds what a glance was not shown. Those grow rare as long as they find nothing, within bounds. What a glance did
   show is not asked for in vain: where the whole read that it leads to lacks it, it counts as seen.

Dates are trusted as far as they must be: an id is not forgotten while polls show it, and a mark that moves within a poll
keeps away from the dates by more than clocks are ever put forward or back.
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
"""Seconds; what is to be looked at so close together is looked at in one window."""

_MOST_GLANCES: Final = 32
_LONGEST_GLANCING: Final = 1_800_000
"""Milliseconds behind the margin for which glances may leave the mark where it is."""


class _Signal(enum.Enum):
    TIME = enum.auto()
    DONE = enum.auto()


TIME: Final = _Signal.TIME
"""Ask the service what time it is."""
DONE: Final = _Signal.DONE
"""Nothing can appear any more."""


@attrs.frozen
class Wait:
    """Let *seconds* pass."""

    seconds: float


@attrs.frozen
class Read:
    """Read a window whole, in the order of the trigger time.

    Args:
        from_ms: its first *millisecond*.
        to_ms: the first behind it.
        status: the *statuses* to ask for; none: all.
        fresh: whether it may hold what was not seen yet.
    """

    from_ms: int
    to_ms: int
    status: tuple[int, ...] = ()
    fresh: bool = False


@attrs.frozen
class LightPoll:
    """Ask for the newest page of a window, once; what it lacks may be there nevertheless.

    Args:
        from_ms: its first *millisecond*.
        to_ms: the first behind it.
        status: the *statuses* to ask for; none: all, and then a page of each schedule type is needed.
        poll: the *number* of the poll.
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
    """How long a follow remembers and how often it polls, all in seconds.

    Args:
        settle_time: how late after its trigger time an instance may show.
        watch_time: how long after its trigger time an unfinished instance is watched.
        min_wait: the shortest wait between two polls.
        max_wait: the longest wait between two polls.

    Raises:
        QueryError: a value makes no sense.
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
    """Names steps to be taken, one at a time, and is told what came of them.

    Args:
        since_ms: the first *trigger time* that counts; None: that of the first step.
        from_ms: the first trigger time that is asked for.
        to_ms: the first that no longer is.
        status: the *statuses* that are handed out; none: all.
        changes: whether each change of status is.
        pace: how *often*.
        resume: where an earlier one stood.
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
        """What the glances of this poll have shown, and whether it may be new."""
        self._glances_left = self._trust = 0
        self._looked = self._resting = self._news = False
        self._reached: int | None = None
        self._wait = pace.min_wait
        self._poll = self._received = self._handed = 0

    def __repr__(self) -> str:
        return f"<Follow from {self._mark}, {len(self._roll)} known, {self._roll.in_line} in line>"

    # What to do

    def step(self) -> Step:
        """Name what is to be done now, and again until that was done; everything in line must have been handed out."""
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
        """Take the service's time, as it was after everything before had been done: a poll begins."""
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
        """Return True if rows of the present glance are nothing new, and all that is known to be there."""
        assert self._mark is not None
        glance = self._glances[0]
        ids = (
            self._roll.watched_before(self._mark)
            if glance.status
            else self._roll.since(self._mark, glance.to_ms)
        )
        return self._roll.agrees(rows, ids, fresh=not glance.status)

    def glanced(self, rows: Collection[FlowInstance], *, whole: bool = True) -> None:
        """Take the rows of a glance, and whether those are all: not every search of it may have been answered."""
        assert self._now is not None
        assert self._mark is not None
        fresh = not self._glances[0].status
        self._glimpsed += [(row, fresh) for row in rows]
        if not whole or not self.as_known(rows):
            self._glances.clear()
            self._trust = -1  # unless it is news: who glances in vain pays for both
            self._read_whole(self._mark, self._now)
            return
        self._glances.popleft()
        if not self._glances:
            self._rest()

    def waited(self) -> None:
        """Say that the wait is over."""
        self._resting = False

    def received(self, rows: Iterable[FlowInstance]) -> None:
        """Take rows of the window that is being read, in its order."""
        fresh = self._reads[0].fresh
        for row in rows:
            self._received += 1
            if self._roll.take(row, self._poll, fresh=fresh):
                self._news = True
            if fresh:
                self._reached = second_of(row) * 1000

    def read(self) -> None:
        """Say that the window was read to its end."""
        self._reads.popleft()
        if not self._reads:
            for row, fresh in sorted(self._glimpsed, key=lambda one: second_of(one[0])):
                if not self._roll.shown(row.instance_id, self._poll):
                    self._news |= self._roll.take(row, self._poll, fresh=fresh)
            self._glimpsed.clear()

    def failed(self) -> None:
        """Say that a step failed: the poll is over, and the next one reads again what it has not settled."""
        self._glances_left = self._trust = 0
        self._rest()

    @property
    def in_line(self) -> int:
        """How many instances wait to be handed out."""
        return self._roll.in_line

    def next_instance(self) -> FlowInstance | None:
        """Hand out what is next in line."""
        row = self._roll.next_instance()
        if row is not None:
            self._handed += 1
        return row

    # What is settled

    def _advance(self) -> None:
        """Move the mark within a long poll: what was read and handed out need not be read again."""
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
        """Name the windows of what is watched and was not seen in this poll."""
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

    # What it tells

    def checkpoint(self, fingerprint: str) -> FollowCheckpoint:
        """Tell where it stands: what is in line was not handed out yet, so it will be new again."""
        return FollowCheckpoint(fingerprint, self._mark, self._roll.known())

    @property
    def stats(self) -> FollowStats:
        """The account so far."""
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
