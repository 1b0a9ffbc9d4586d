"""The times of a follow, checked."""

from __future__ import annotations

from typing import Final

import attrs

from aioflows.errors import QueryError

__all__ = ["PollTiming"]

_LONGEST: Final = 10 * 365 * 86_400
"""The longest time that is accepted (seconds)."""


def _seconds(_: object, field: attrs.Attribute[float], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LONGEST:
        raise QueryError(f"{field.name} must be a number of seconds from 0 to below 10 years, not {value!r}")


@attrs.frozen
class PollTiming:
    """The times of a follow, all in seconds.

    Args:
        settle_time: the longest time between the trigger time of an instance and its appearance.
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
