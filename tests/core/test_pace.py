"""The rate that a service bears, found out from its refusals."""

from __future__ import annotations

import pytest

from aioflows._core.pace import Pace


class Limiter:
    """A service that answers so many requests per second, and so many at once.

    Args:
        rate: *requests per second*.
        burst: *requests* at once.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self._burst = burst
        self._left = float(burst)
        self._at = 0.0

    def takes(self, now: float) -> bool:
        self._left = min(self._burst, self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def driven(pace: Pace, limiter: Limiter, begin: float, end: float, pause: float = 0.0) -> tuple[int, int]:
    """Sends as fast as the pace allows, at most 1,000 a second; gives how many were answered and how many refused."""
    now, answered, refused = begin, 0, 0
    while now < end:
        if limiter.takes(now):
            answered += 1
            pace.accepted(now)
        else:
            refused += 1
            pace.throttled(now, now, pause)
            now += pause
        now += max(0.001, pace.gap(now))
    return answered, refused


class TestPace:
    def test_without_a_complaint_there_is_no_bound(self) -> None:
        pace = Pace()
        for moment in range(100):
            pace.accepted(moment / 1000)
        assert pace.gap(0.1) == 0

    @pytest.mark.parametrize("rate", [2.0, 20.0, 200.0])
    @pytest.mark.parametrize("pause", [0.0, 1.0])
    def test_after_half_a_minute_it_sends_what_is_borne_and_is_hardly_refused(
        self, rate: float, pause: float
    ) -> None:
        pace, limiter = Pace(), Limiter(rate, 5)
        driven(pace, limiter, 0.0, 30.0, pause)
        answered, refused = driven(pace, limiter, 30.0, 330.0, pause)
        assert answered >= 0.88 * rate * 300
        assert refused <= 0.02 * answered + 5

    def test_a_service_that_bears_more_again_is_found_out(self) -> None:
        pace, limiter = Pace(), Limiter(20, 5)
        driven(pace, limiter, 0.0, 60.0)
        limiter.rate = 100
        driven(pace, limiter, 60.0, 150.0)
        assert driven(pace, limiter, 150.0, 160.0)[0] >= 800

    def test_a_service_that_bears_less_is_spared_soon(self) -> None:
        pace, limiter = Pace(), Limiter(100, 5)
        driven(pace, limiter, 0.0, 60.0)
        limiter.rate = 10
        driven(pace, limiter, 60.0, 90.0)
        answered, refused = driven(pace, limiter, 90.0, 150.0)
        assert answered >= 0.8 * 10 * 60
        assert refused <= 0.02 * answered + 5

    def test_refusals_of_what_was_sent_before_a_cut_do_not_cut_again(self) -> None:
        pace = Pace()
        assert pace.throttled(0.0, 0.1)
        bound = pace.bound
        assert not any(pace.throttled(0.0, 0.1 + n / 100) for n in range(15))
        assert pace.bound == bound

    def test_the_first_cut_goes_to_what_was_answered_and_not_to_half_of_what_was_asked(self) -> None:
        pace = Pace()
        for n in range(40):
            pace.accepted(n / 40)
        pace.throttled(0.99, 1.0)
        assert pace.bound == pytest.approx(40, abs=1)

    def test_nothing_is_learnt_in_a_pause(self) -> None:
        pace = Pace()
        pace.throttled(0.0, 0.0, pause=60.0)
        assert pace.gap(60.0) == 1.0
        assert pace.gap(61.0) == 0.5

    def test_a_bound_that_nobody_reaches_is_dropped(self) -> None:
        pace = Pace()
        pace.throttled(0.0, 0.0)
        assert pace.gap(60.0) == 0
        assert pace.bound is None

    def test_it_never_stops_altogether(self) -> None:
        pace = Pace()
        for n in range(1000):
            pace.throttled(n / 10, n / 10)
        assert pace.gap(100.0) <= 5.0
