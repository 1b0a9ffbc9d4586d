"""An estimate of the request rate that a service accepts, based on its "too many requests" answers.

1. Before the first such refusal there is no bound. After it, the bound is set once in each episode: the
   refusal of a request that was sent before the bound was set does not count.
2. A token bucket fills at a rate and lets a burst through at once. In any stretch of time the bucket accepts at
   most the burst, plus the length of the stretch times the rate. So the accepted requests of a stretch, less
   the burst, divided by the length of the stretch, are never more than the rate. The quotient equals the rate
   if the bucket was full when the stretch began and empty when the stretch ended. The bucket is empty at a
   refusal. Of all stretches that end with a refusal, one began with a full bucket. So the largest quotient is
   the bound. In the same way the largest excess over the rate before the first refusal is the burst. Times are
   those of sending, and requests under way count as accepted, so that a latency does not change the estimate.
3. If the refusal came too soon for such an estimate, the rate is halved. A bound that is a guess grows
   quickly, with time and with the number of answers, and less quickly if a refusal costs a pause. A bound that
   was estimated grows along a cubic curve, which is flat near the bound and steep far from the bound (TCP
   CUBIC, RFC 9438). So a rate that the service accepts again is found soon. During a pause the bucket fills, so
   the rate is a little higher afterwards, until a part of the burst is used up.
4. Refusals that come at the same frequency at every rate are not about the rate. Then the bound is dropped.
5. A service that answers no request is down, whatever the rate.
6. A connection that is closed without an answer has usually been idle too long, so one closed connection shows
   nothing. Several closed connections beside good answers mean "too many requests" (HAProxy ``reject``, nginx
   status 444), until the bound is dropped. Without good answers, the service is down.
7. Some limiters count refused requests too, so a client that goes on sending is never accepted again. So if
   no request was answered in the last two episodes, all requests pause, longer each time. The pause ends with
   the first answer, or when the service counts as down.

The estimate does no input or output: time is an argument (seconds). See docs/algorithms/rate.md.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque

__all__ = ["RateEstimate"]

# Measurement of the accepted rate
_LEAST_STRETCH = 0.25  # seconds of the shortest stretch that is measured
_SURE_STRETCH = 1.0  # seconds of a stretch in which an error in the burst has little effect
_TELLING = 4  # requests beyond the burst that a measured stretch must have
_REMEMBERED = 1024  # requests of which the times are kept
_STEPS = 4  # steps from a rate to the burst that it leaves, and back

# Change of the bound
_START = 2.0  # first guess, as a multiple of the requests of the last second
_AT_START, _AT_START_DEAR = 16, 10  # least requests for that; the second one if a refusal costs a pause
_SEARCH, _SEARCH_DEAR = (
    3.0,
    2.0,
)  # factor of a guess in each second; the second one if a refusal costs a pause
_ANSWERS = 8  # answers for one step of this growth, if they take longer than a second
_MOST_STEPS = 20  # steps of this growth after which no service bears the rate
_LESS = 0.98  # highest share of a refused rate that is tried next
_HALF = 0.5  # share of a refused rate that is tried next without a sure estimate
_NO_BURST = (
    2.0  # requests at once below which a limiter has no burst, so that it refuses what is too fast at once
)
_FAR_BELOW = 0.7  # share of the allowed rate below which a refused rate shows little about the limit
_AS_PACED = 0.95  # least share of the refused rate that is tried next at such a limiter
_RUN = 10  # answers since the last refusal that show that the rate was not far too high
_CATCH_UP, _CAUGHT_UP = (
    1.15,
    0.5,
)  # factor of the rate after a pause, and the share of the burst that it uses up
_GAIN = 0.1  # share that an estimated bound gains, within seconds:
_GAINED_AFTER = 30.0  # if a refusal costs a pause, and otherwise:
_GAINED_ANSWERS, _GAINED_SOON, _GAINED_LATE = 300, 8.0, 30.0  # the time of so many answers, with its bounds
_LEAST, _MOST = 1.0, 5_000.0  # requests per second; a rate above the second value drops the bound

# Refusals that come at every rate
_RUNS = 6  # runs of answers between refusals that are compared
_FEWEST = 4  # answers in all runs but the two longest; at twice the accepted rate a run has less than one
_LONGER = 4  # a run this many times longer than usual shows that the lower rate helps
_FALLEN = 4.0  # factor by which the rate must have fallen during the runs
_IN_A_ROW = 16  # refusals in a row after which the rate counts as the cause again

# Silence, other refusals, and pauses
_SILENT = 2  # bounds in a row without an answer, after which all requests pause
_UNAVAILABLE = 4  # refusals in a row without a reason that count as "too many requests"
_CLOSED = 4.0  # closed connections that count as "too many requests"
_FORGIVEN = 0.25  # closed connections that each answer cancels
_BESIDE = 20.0  # seconds without an answer after which the service is down
_REST, _LONGEST_REST = 0.5, 8.0  # seconds of the first and of the longest pause


class RateEstimate:
    """The estimated bound on the request rate of one service."""

    def __init__(self) -> None:
        self.bound: float | None = None
        """Requests per second since the last episode. None means that no bound is known."""
        self._guessed = True
        self._set_at = -1.0
        self._resumed_at = 0.0
        self._emptied_at = -math.inf  # when the request was sent whose refusal set the bound
        self._burst = 0.0
        self._gained_after = _GAINED_SOON
        self._catch_up = 0.0  # seconds of a faster rate after the last pause
        self._opening: list[tuple[int, float]] = []  # the stretches that ended at the first refusal
        self._sent: list[float] = []  # when requests were sent, and when those that were refused were
        self._refused: list[float] = []
        self._answers = 0
        self._in_a_row = 0
        self._silent = 0
        self._says_unavailable = False
        self._closed, self._says_closed = 0.0, False
        self._answered_at = -math.inf
        self._runs: deque[int] = deque(maxlen=_RUNS)
        self._fell_from = 0.0
        self._fallen = _FALLEN
        self._by_chance = False

    def rate(self, now: float) -> float | None:
        """Return the allowed requests per second. None means that there is no limit."""
        if self.bound is None:
            return None
        since = max(0.0, now - self._resumed_at)
        dear = self._resumed_at > self._set_at
        if self._guessed:
            search = _SEARCH_DEAR if dear else _SEARCH
            return self.bound * math.pow(search, min(since, self._answers / _ANSWERS, _MOST_STEPS))
        after = _GAINED_AFTER if dear else self._gained_after
        rate = self.bound * (1 + _GAIN * (since / after) ** 3)
        return rate * _CATCH_UP if since < self._catch_up else rate

    @property
    def is_strict(self) -> bool:
        """Whether two requests that are too near each other are refused, however few were sent before."""
        return self.bound is not None and self._burst < _NO_BURST

    def gap(self, now: float) -> float:
        """Return the seconds that must lie between two requests."""
        rate = self.rate(now)
        if rate is not None and rate > _MOST:
            rate = self.bound = None
        return 0.0 if rate is None else 1 / rate

    def sent(self, now: float) -> None:
        """Record that a request was sent."""
        self._sent.append(now)
        if len(self._sent) > 2 * _REMEMBERED:
            del self._sent[:_REMEMBERED]

    def accepted(self, now: float) -> None:
        """Record that the service has answered a request."""
        self._answers += 1
        self._answered_at = now
        self._in_a_row = self._silent = 0
        if self._closed:
            self._closed = max(0.0, self._closed - _FORGIVEN)

    def unavailable(self, sent: float, now: float) -> tuple[bool, bool]:
        """Record a refusal without a reason. Several in a row count as "too many requests".

        Returns:
            True if the refusal counts as "too many requests", and True if it sets the bound anew.
        """
        if not self._says_unavailable and self._in_a_row + 1 < _UNAVAILABLE:
            self._note_refusal(sent)
            self._in_a_row += 1
            return False, False
        self._says_unavailable = True
        return True, self.throttled(sent, now)

    def closed(self, sent: float, now: float) -> tuple[bool, bool]:
        """Record a connection that was closed without an answer.

        Several closed connections beside good answers count as "too many requests".

        Returns:
            True if the closed connection counts as "too many requests", and True if it sets the bound anew.
        """
        if now - self._answered_at > _BESIDE:
            self._closed = 0.0
            return False, False
        self._closed = min(self._closed + 1, _CLOSED)
        self._says_closed = self._closed >= _CLOSED or (self._says_closed and self.bound is not None)
        if not self._says_closed:
            self._note_refusal(sent)
        return self._says_closed, self._says_closed and self.throttled(sent, now)

    def rest(self, now: float) -> float:
        """Return the seconds for which all requests pause after the refusal that has just set the bound."""
        if self._silent <= _SILENT or now - self._answered_at > _BESIDE:
            return 0.0
        return min(_REST * 2.0 ** (self._silent - _SILENT - 1), _LONGEST_REST)

    def throttled(self, sent: float, now: float, pause: float = 0.0) -> bool:
        """Record a "too many requests" refusal. Return True if it sets the bound anew.

        Args:
            sent: when the request was sent (seconds).
            now: the present time (seconds).
            pause: the pause of all requests after the refusal (seconds). Default: 0.
        """
        self._in_a_row += 1
        self._note_refusal(sent)
        if sent < self._set_at or (not pause and self._is_chance(sent)):
            return False
        rate = self.rate(sent)
        stretches = self._stretches(sent)
        self._catch_up = 0.0
        if rate is None:
            self._guessed, self._opening = True, stretches
            recent = (count for count, length in stretches if length <= 1)
            self.bound = _START * max(_AT_START_DEAR if pause else _AT_START, *recent, 0)
        elif self._answers or self._silent < _SILENT:
            used = min(rate, _used(stretches, rate))
            self._set_bound(used, self._found(stretches, sent), sent, pause)
            self._guessed = self._guessed or used < _FAR_BELOW * rate
        self._silent += not self._answers
        self._set_at, self._resumed_at, self._emptied_at = now, now + pause, sent
        self._answers = 0
        return True

    def _set_bound(self, rate: float, found: float | None, sent: float, pause: float) -> None:
        """Set the bound after the refusal of a request that was sent at some rate."""
        if self._burst < _NO_BURST and self._answers >= _RUN and not pause:
            found = max(found or 0.0, rate * _AS_PACED)
        self._guessed = found is None
        if found is None or sent - self._resumed_at < _SURE_STRETCH:
            found = max(found or 0.0, rate * _HALF)  # a short stretch magnifies an error in the burst
        bound = self.bound = max(_LEAST, min(rate * _LESS, found))
        self._gained_after = min(_GAINED_LATE, max(_GAINED_SOON, _GAINED_ANSWERS / bound))
        if self._burst < _NO_BURST and sent - self._resumed_at < _SURE_STRETCH:
            self._gained_after = _GAINED_SOON * max(_LEAST_STRETCH, sent - self._resumed_at)
        if pause and not self._guessed:
            left = _CAUGHT_UP * min(self._burst, bound * pause)
            self._catch_up = left / (bound * (_CATCH_UP - 1))

    def _note_refusal(self, sent: float) -> None:
        insort(self._refused, sent)
        del self._refused[:-_REMEMBERED]

    def _stretches(self, sent: float) -> list[tuple[int, float]]:
        """Return the accepted requests and the length (seconds) of each stretch that ends at a refusal.

        Each stretch begins with a request after the last episode. Requests that are under way count as accepted.
        The first stretch is the longest.
        """
        # The last request that was sent until then is the refused one. Its own time may be a little earlier.
        begin, end = bisect_right(self._sent, self._emptied_at), bisect_right(self._sent, sent) - 1
        refused = bisect_left(self._refused, sent)
        return [
            (end - at - refused + bisect_left(self._refused, self._sent[at]), sent - self._sent[at])
            for at in range(begin, end)
        ]

    def _found(self, stretches: list[tuple[int, float]], sent: float) -> float | None:
        """Return the rate that the requests since the last episode support. None means too few."""
        rate = 0.0
        for _ in range(_STEPS):
            self._burst = burst = max((count - rate * length for count, length in self._opening), default=0.0)
            quotients = (
                (count - burst) / length
                for count, length in stretches
                if length >= _LEAST_STRETCH and count - burst >= _TELLING
            )
            rate = max(quotients, default=0.0)
        count, since = stretches[0][0] if stretches else 0, sent - self._emptied_at
        if since >= _LEAST_STRETCH and count >= _TELLING:
            rate = max(
                rate, count / since
            )  # no burst is subtracted, since the last refusal left the bucket empty
        return rate or None

    def _is_chance(self, sent: float) -> bool:
        """Return True if refusals come at the same frequency however low the rate is."""
        if self._by_chance:
            if self._in_a_row < _IN_A_ROW:
                return True
            self._by_chance = False
            self._fallen *= (
                _FALLEN  # "not about the rate" was wrong, so the next such verdict needs more evidence
            )
        rate, run = self.rate(sent), self._answers
        if rate is None:
            return False
        usual = sum(self._runs) / len(self._runs) if self._runs else 0.0
        if run > _LONGER * usual + _ANSWERS:
            self._runs.clear()
            self._fell_from = rate
            return False
        self._runs.append(run)
        self._fell_from = max(self._fell_from, rate)
        as_often = len(self._runs) == _RUNS and sum(sorted(self._runs)[:-2]) >= _FEWEST
        if (as_often or rate <= _LEAST) and rate < self._fell_from / self._fallen:
            self._by_chance, self.bound = True, None
            self._runs.clear()
        return self._by_chance


def _used(stretches: list[tuple[int, float]], rate: float) -> float:
    """Return the highest rate at which requests were sent. If all stretches are short, it is the allowed rate."""
    return max(
        ((count + 1) / length for count, length in stretches if length >= _LEAST_STRETCH), default=rate
    )
