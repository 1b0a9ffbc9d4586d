"""Seen filters: facts of a session about the way in which its service applies filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import attrs

__all__ = ["SeenFilters"]

T = TypeVar("T")

_POLLS_BETWEEN_PROBES = 16


@attrs.define
class SeenFilters:
    """The facts about how a service applies filters. The facts save probes, and prove nothing."""

    manual: bool = False
    """True if the service was seen to apply type 0."""
    polls: int = 0
    """The number of polling scans that missed a status."""

    def due(self, missing: Sequence[T]) -> Sequence[T]:
        """Count a polling scan, and return the probes that follow it.

        All probes of *missing* follow the first scan. One probe, in turn, follows every 16th later scan.
        """
        poll, self.polls = self.polls, self.polls + 1
        if not poll:
            return missing
        turn, rest = divmod(poll, _POLLS_BETWEEN_PROBES)
        return [] if rest else [missing[turn % len(missing)]]
