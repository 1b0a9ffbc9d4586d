"""How fast to send when the service has said "too many": finds the rate that it bears, and stays just under it.

1. Until the service complains there is no bound. Then there is one, and it is set once for each episode: what was sent
   before it was set cannot complain about what came after that.
2. A limiter that fills up at a rate, and lets so many through at once (a token bucket), answers in no stretch of time more
   than that burst and what the rate has brought. So what was answered in a stretch, less the burst, over its length, is
   never more than the rate; and it is the rate, if the limiter was full when the stretch began and empty when it ended.
   It ends where we are refused, and of all stretches that end there, one began with a full limiter: the largest of these
   quotients is the bound. The burst is what the service took at once before its first complaint, less what the rate has
   brought while it came: so the time that it took is no part of the stretch.
3. Where that says nothing, since the complaint came too soon, the rate is halved. A bound that is a guess grows quickly,
   with time and with the answers that speak for it; one that was found grows along a cubic curve that is flat at the bound
   and steep far from it, so that a service that bears more again is soon found out (that of TCP's CUBIC, RFC 9438).
4. Refusals that come as often as ever, however little is asked, are not about the rate: then it is given back.
5. A service that answers nothing at all is down. How much it bears, it does not tell that way.
6. A connection that is closed without an answer is usually one that the service had just closed for being idle, so one
   alone says nothing. Several beside good answers are a way to say "too many" (HAProxy's ``reject``, nginx's 444), and are
   taken for that until the bound is dropped. Where there are no good answers, the service is down.
7. Some limiters count what they refuse as well, so that who goes on asking is never let in again. So where nothing was
   answered since the last two episodes, everybody rests for a while, for longer each time. That ends with the first answer,
   or when there has been none for so long that the service is taken to be down.

A pure value: time comes as an argument, in seconds.
"""

from __future__ import annotations

import math
from collections import deque

__all__ = ["RateEstimate"]

# What was answered
_AT_ONCE = 0.25  # seconds in which the burst came through
_LEAST_STRETCH = 0.25  # seconds
_SURE_STRETCH = 1.0  # seconds
_TELLING = 4  # answers beyond the burst that a stretch must have to tell anything
_REMEMBERED = 1024  # answers

# What follows from it
_START = 4.0  # times what was answered in the second before the first complaint: too much, so that it is soon known
_AT_START = 4  # answers, or more
_SEARCH = 3.0  # times as much in each second, or after each
_ANSWERS = 8  # answers, whatever takes longer
_LESS = 0.98  # of a rate that was too high, at most
_HALF = 0.5
_WARY = 0.97  # of a rate that was found, where to be refused once more costs a pause
_GAIN, _GAINED_AFTER = 0.1, 20.0  # of a bound that was found, and seconds
_LEAST, _MOST = 1.0, 5_000.0  # requests per second; nobody sends as many, so that bound is dropped

# What is not about the rate
_RUNS = 6  # between refusals; their lengths tell
_FEWEST = 4  # answers in the shortest but two of them: who asks for twice too much gets less than one between refusals
_LONGER = 4  # times as long as before is a run that the lower rate has made longer
_FALLEN = 4.0  # times lower than where these runs began
_IN_A_ROW = 16  # refusals that are about the rate after all
_SILENT = 2  # bounds that may be set with nothing answered in between
_UNAVAILABLE = 4  # in a row, and they mean "too many"
_CLOSED = 4.0  # connections, and they mean "too many"
_FORGIVEN = 0.25  # of a closed connection, by each answer
_BESIDE = 20.0  # seconds after the last answer, and the service is down
_REST, _LONGEST_REST = 0.5, 8.0  # seconds


class RateEstimate:
    """The bound on the rate of one service, as far as it is known."""

    def __init__(self) -> None:
        self.bound: float | None = None
        """Requests per second since the last episode; None: no bound is known."""
        self._guessed = True
        self._set_at = -1.0
        self._resumed_at = 0.0
        self._burst, self._burst_took = 0, 0.0
        self._answered: deque[float] = deque(maxlen=_REMEMBERED)  # since the last episode
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
        """Return the requests per second that are sent at most; None: as many as one likes."""
        if self.bound is None:
            return None
        since = max(0.0, now - self._resumed_at)
        if self._guessed:
            return self.bound * math.pow(_SEARCH, min(since, len(self._answered) / _ANSWERS))
        return self.bound * (1 + _GAIN * (since / _GAINED_AFTER) ** 3)

    def gap(self, now: float) -> float:
        """Return the seconds that have to lie between two requests."""
        rate = self.rate(now)
        if rate is not None and rate > _MOST:
            rate = self.bound = None
        return 0.0 if rate is None else 1 / rate

    def accepted(self, now: float) -> None:
        """Notes that the service has answered a request."""
        self._answered.append(now)
        self._answered_at = now
        self._in_a_row = self._silent = 0
        if self._closed:
            self._closed = max(0.0, self._closed - _FORGIVEN)

    def unavailable(self, sent: float, now: float) -> tuple[bool, bool]:
        """Notes a refusal that does not say why, which is taken for "too many" where several come in a row.

        Returns:
            whether it is, and whether this sets the bound anew.
        """
        if not self._says_unavailable and self._in_a_row + 1 < _UNAVAILABLE:
            self._in_a_row += 1
            return False, False
        self._says_unavailable = True
        return True, self.throttled(sent, now)

    def closed(self, sent: float, now: float) -> tuple[bool, bool]:
        """Notes a connection that was closed without an answer, which is taken for "too many" beside good answers.

        Returns:
            whether it is, and whether this sets the bound anew.
        """
        if now - self._answered_at > _BESIDE:
            self._closed = 0.0
            return False, False
        self._closed = min(self._closed + 1, _CLOSED)
        self._says_closed = self._closed >= _CLOSED or (self._says_closed and self.bound is not None)
        return self._says_closed, self._says_closed and self.throttled(sent, now)

    def rest(self, now: float) -> float:
        """Return the seconds in which nobody should be sent after the refusal that has just set the bound."""
        if self._silent <= _SILENT or now - self._answered_at > _BESIDE:
            return 0.0
        return min(_REST * 2.0 ** (self._silent - _SILENT - 1), _LONGEST_REST)

    def throttled(self, sent: float, now: float, pause: float = 0.0) -> bool:
        """Notes that a request was refused, because there were too many; tells whether this sets the bound anew.

        Args:
            sent: when that *request* was sent.
            now: the *time*.
            pause: *seconds* in which nothing will be sent, and nothing is learnt.
        """
        self._in_a_row += 1
        if sent < self._set_at or (not pause and self._is_chance(sent)):
            return False
        rate = self.rate(sent)
        if rate is None:
            self._burst = self._answers_since(now - _AT_ONCE)
            self._burst_took = now - self._answered[-self._burst] if self._burst else 0.0
            self._guessed = True
            self.bound = _START * max(_AT_START, self._answers_since(now - 1))
        elif self._answered or self._silent < _SILENT:
            found = self._found(now)
            self._guessed = found is None
            if found is None or now - self._resumed_at < _SURE_STRETCH:
                found = max(
                    found or 0.0, rate * _HALF
                )  # a burst that was taken for larger weighs much in a short time
            self.bound = max(_LEAST, min(rate * _LESS, found * _WARY if pause else found))
        self._silent += not self._answered
        self._set_at, self._resumed_at = now, now + pause
        self._answered.clear()
        return True

    def _answers_since(self, moment: float) -> int:
        return sum(answered >= moment for answered in self._answered)

    def _found(self, now: float) -> float | None:
        """Return the rate that the service bears at least, by what it has answered since the last episode."""
        count, began = len(self._answered), now - self._burst_took
        stretches = [
            # The limiter is empty, but for a part of one request: half of one, taken fairly.
            (count - number + 0.5 - self._burst) / (began - moment)
            for number, moment in enumerate(self._answered)
            if began - moment >= _LEAST_STRETCH and count - number - self._burst >= _TELLING
        ]
        since = now - self._set_at
        if self._resumed_at == self._set_at and since >= _LEAST_STRETCH and count >= _TELLING:
            stretches.append(count / since)  # it was empty when this began
        return max(stretches, default=None)

    def _is_chance(self, sent: float) -> bool:
        """Whether refusals come as often as ever, however little is asked."""
        if self._by_chance:
            if self._in_a_row < _IN_A_ROW:
                return True
            self._by_chance = False
            self._fallen *= _FALLEN  # it takes more to be believed again
        rate, run = self.rate(sent), len(self._answered)
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
