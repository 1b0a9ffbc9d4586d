"""A retry budget: how many retries a session has left.

In an outage every request fails. If each request were retried as often as allowed, the service would come
back to many times its usual load. So all requests pay for their retries from one budget, and each answer
refills the budget. The budget stays full while two requests in three are answered at the second attempt. If
no request is answered, the budget is soon empty, and failed requests are not retried (compare gRPC retry
throttling, gRFC A6).
"""

from __future__ import annotations

__all__ = ["RetryBudget"]

_FOR_AN_ANSWER = 2.0


class RetryBudget:
    """A budget of retries.

    Args:
        size: the number of retries at the start, and at most.
    """

    def __init__(self, size: int) -> None:
        self._size = float(size)
        self.left = self._size
        """Retries that remain until the next answer."""

    def spend(self) -> bool:
        """Spend one retry. Return False if none is left."""
        there = self.left >= 1
        if there:
            self.left -= 1
        return there

    def earn(self) -> None:
        """Add two retries to the budget, up to its size, after a request was answered."""
        self.left = min(self._size, self.left + _FOR_AN_ANSWER)
