"""The rate of a session whose governor is gone: a share of the rate that the service is known to accept."""

from __future__ import annotations

__all__ = ["MOST_SHARE", "UNKNOWN_SHARE", "KnownRate", "shared"]

UNKNOWN_SHARE = 1.0
"""Requests per second of a session that knows nothing about the service."""

LEAST_SHARE = 0.01
"""The least requests per second of a session."""

MOST_SHARE = 1e8
"""The most requests per second of a session, which is more than any can send."""


def shared(rate: float, sessions: int) -> float:
    """Return the part of a rate that each session takes (requests per second), within what a message may hold."""
    return min(MOST_SHARE, max(LEAST_SHARE, rate / sessions))


class KnownRate:
    """The rate that a service is known to accept.

    It is the rate that was given or found by refusals. Until then it is the most answers of one second.

    Args:
        rate: the rate that was given (requests per second). None means that none was.
    """

    def __init__(self, rate: float | None) -> None:
        self._given = rate
        self._second, self._answers, self._most = 0, 0, 0

    def answered(self, count: int, now: float) -> None:
        """Record answers.

        Args:
            count: the number of answers.
            now: the present time (seconds).
        """
        if int(now) != self._second:
            self._second, self._answers = int(now), 0
        self._answers += count
        self._most = max(self._most, self._answers)

    def share(self, found: float | None, sessions: int) -> float:
        """Return the requests per second of each session.

        Args:
            found: the rate that refusals have shown (requests per second). None means that there were none.
            sessions: the number of sessions.
        """
        rates = [rate for rate in (self._given, found) if rate]
        rate = min(rates, default=float(self._most))
        return shared(rate, max(1, sessions)) if rate else UNKNOWN_SHARE
