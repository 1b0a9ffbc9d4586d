"""How many retries a session has left.

An outage makes every request fail, and if each is tried as often as it may be, the service gets many times its usual load
just when it comes back. So retries are paid from one store for all requests, which answers fill again: as long as two
requests in three get an answer at the second try, it stays full, and where none is answered, it soon is empty. Then what
fails is not tried again (the idea is that of gRPC's retry throttling, gRFC A6).
"""

from __future__ import annotations

__all__ = ["RetryBudget"]

_FOR_AN_ANSWER = 2.0


class RetryBudget:
    """A store of retries.

    Args:
        size: the *retries* that it holds at most, and at first.
    """

    def __init__(self, size: int) -> None:
        self._size = float(size)
        self.left = self._size
        """Retries that may still be made, if nothing is answered meanwhile."""

    def spend(self) -> bool:
        """Take one; tells whether there was one."""
        there = self.left >= 1
        if there:
            self.left -= 1
        return there

    def earn(self) -> None:
        """Notes that a request was answered."""
        self.left = min(self._size, self.left + _FOR_AN_ANSWER)
