"""How fast to send when the service has said "too many": finds the rate that it bears, and stays just under it.

1. Until the service complains there is no bound. Then there is one, and it is cut once for each episode: what was sent
   before a cut cannot complain about what came after it.
2. A cut goes to just below what the service has really answered, not to half of what was asked: sixteen refusals at once
   say nothing of the rate, the answers between them do.
3. Growth is quick where little is known and slow where the bound was found: doubling every second until the second
   episode, from then on along a cubic curve that is flat around the last bound and steep far from it, so that a service
   that bears more again is soon found out (the shape is that of TCP's CUBIC, RFC 9438).

A pure value: time comes as an argument.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Pace"]

_WINDOW = 1.0  # seconds of answers that a rate is measured over, or more if there are fewer than the next
_ANSWERS = 8
_FOUND = 0.98  # of the rate that was too high: the bound
_LESS = 0.75
_HALF = 0.5
_BELOW = 0.9  # of the bound: where growth starts again
_BACK_AFTER = 20.0  # seconds until it has come back to the bound
_NO_BOUND = 5_000.0  # requests per second; nobody sends as many, so the bound is dropped
_LEAST = 0.25


class Pace:
    """The bound on the rate of one service, as far as it is known."""

    def __init__(self) -> None:
        self.bound: float | None = None
        """Requests per second at the last episode; None: no bound is known."""
        self._doubling = True
        self._cut_at = -1.0
        self._resumed_at = 0.0
        self._answered: deque[float] = deque(maxlen=64)

    def gap(self, now: float) -> float:
        """Gives the seconds that have to lie between two requests."""
        rate = self._rate(now)
        if rate is not None and rate > _NO_BOUND:
            rate = self.bound = None
            self._doubling = True
        return 0.0 if rate is None else 1 / rate

    def accepted(self, now: float) -> None:
        """Notes that the service has answered a request."""
        self._answered.append(now)

    def throttled(self, sent: float, now: float, pause: float = 0.0) -> bool:
        """Notes that a request was refused, because there were too many; tells whether this cuts the rate.

        Args:
            sent: when that *request* was sent.
            now: the *time*.
            pause: *seconds* in which nothing will be sent, and nothing is learnt.
        """
        if sent < self._cut_at:
            return False
        self.bound = max(_LEAST, self._found(sent, now))
        self._cut_at, self._resumed_at = now, now + pause
        self._answered.clear()
        return True

    def _found(self, sent: float, now: float) -> float:
        rate = self._rate(sent)
        if rate is None:
            return max(1.0, self._measured(now, _WINDOW))
        since = sent - self._resumed_at
        if since < _WINDOW:
            return rate * (_HALF if self._doubling else _LESS)  # too early to have learnt more than that
        window = max(_WINDOW, _ANSWERS / rate)
        measured = self._measured(now, window)
        if not self._doubling and since >= window and measured < _LESS * rate:
            return max(measured, rate * _HALF)  # the service bears less than it did
        self._doubling = False
        return rate * _FOUND

    def _measured(self, now: float, window: float) -> float:
        recent = [moment for moment in self._answered if moment >= now - window]
        if len(recent) == self._answered.maxlen:
            window = max(now - recent[0], 1e-3)
        return len(recent) / window

    def _rate(self, now: float) -> float | None:
        if self.bound is None:
            return None
        since = max(0.0, now - self._resumed_at)
        if self._doubling:
            return float(self.bound * 2.0 ** min(since, 32.0))
        return self.bound * (1 + (1 - _BELOW) * ((since - _BACK_AFTER) / _BACK_AFTER) ** 3)
