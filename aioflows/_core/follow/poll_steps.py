"""The steps of a follow: the next request, or the length of a wait."""

from __future__ import annotations

import enum
from typing import Final, Literal, TypeAlias

import attrs

__all__ = ["DONE", "TIME", "LightPoll", "Read", "Step", "Wait"]


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
    """A step: request the newest page of a window once. Rows that the page lacks may exist.

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
