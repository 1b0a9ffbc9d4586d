"""The rate that a service bears, found out from its refusals."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioflows._core.resilience.rate_estimate import RateEstimate


class Service(Protocol):
    def takes(self, now: float) -> bool: ...


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


def driven(
    pace: RateEstimate, limiter: Service, begin: float, end: float, pause: float = 0.0, apart: float = 0.001
) -> tuple[int, int]:
    """Sends as fast as the pace allows, some seconds apart; gives how many were answered and how many refused."""
    now, answered, refused = begin, 0, 0
    while now < end:
        pace.sent(now)
        if limiter.takes(now):
            answered += 1
            pace.accepted(now)
        else:
            refused += 1
            pace.throttled(now, now, pause)
            now += pause
        now += max(apart, pace.gap(now))
    return answered, refused


class Window:
    """A service that closes whatever exceeds so many requests in some seconds, those that it closed included."""

    def __init__(self, most: int, seconds: float = 1.0) -> None:
        self._most = most
        self._seconds = seconds
        self._recent: deque[float] = deque()

    def takes(self, now: float) -> bool:
        self._recent.append(now)
        while self._recent[0] < now - self._seconds:
            self._recent.popleft()
        return len(self._recent) <= self._most


def closed(pace: RateEstimate, service: Service, begin: float, end: float) -> tuple[int, int]:
    """The same as `driven` where a refusal is a closed connection, and the pace's rests are kept."""
    now, answered, refused = begin, 0, 0
    while now < end:
        pace.sent(now)
        if service.takes(now):
            answered += 1
            pace.accepted(now)
        else:
            refused += 1
            _, bound = pace.closed(now, now)
            now += pace.rest(now) if bound else 0.0
        now += max(0.003, pace.gap(now))
    return answered, refused


class Chance:
    """A service that refuses a share of all requests, however few they are."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._rng = Random(1)

    def takes(self, _: float) -> bool:
        return self._rng.random() >= self._share


class TestLimiter:
    @pytest.mark.parametrize("burst", [1, 5, 20])
    @pytest.mark.parametrize("rate", [2.0, 20.0, 200.0])
    def test_after_half_a_minute_it_sends_what_is_borne_and_is_hardly_refused(
        self, rate: float, burst: int
    ) -> None:
        pace, limiter = RateEstimate(), Limiter(rate, burst)
        driven(pace, limiter, 0.0, 30.0)
        answered, refused = driven(pace, limiter, 30.0, 330.0)
        assert answered >= 0.92 * rate * 300
        assert refused <= 0.01 * answered + 15

    @pytest.mark.parametrize("rate", [20.0, 200.0])
    def test_the_same_where_each_refusal_costs_a_second(self, rate: float) -> None:
        pace, limiter = RateEstimate(), Limiter(rate, 5)
        driven(pace, limiter, 0.0, 30.0, 1.0)
        answered, refused = driven(pace, limiter, 30.0, 330.0, 1.0)
        assert answered >= 0.9 * rate * 300
        assert refused <= 0.005 * answered

    @pytest.mark.parametrize("rate", [20.0, 40.0, 100.0])
    @pytest.mark.parametrize("burst", [5, 10, 40])
    def test_the_first_fifteen_seconds_are_used_as_well(self, rate: float, burst: int) -> None:
        answered, refused = driven(RateEstimate(), Limiter(rate, burst), 0.0, 15.0)
        assert answered >= 0.92 * rate * 15
        assert refused <= 0.015 * answered + 3

    def test_the_rate_is_told_from_the_burst_at_the_second_complaint(self) -> None:
        pace, limiter = RateEstimate(), Limiter(40, 10)
        driven(pace, limiter, 0.0, 2.0)
        assert pace.bound == pytest.approx(40, rel=0.05)

    def test_a_service_that_bears_more_again_is_found_out(self) -> None:
        pace, limiter = RateEstimate(), Limiter(20, 5)
        driven(pace, limiter, 0.0, 60.0)
        limiter.rate = 100
        driven(pace, limiter, 60.0, 120.0)
        assert driven(pace, limiter, 120.0, 130.0)[0] >= 800

    @pytest.mark.parametrize("less", [2.0, 10.0, 50.0])
    def test_a_service_that_bears_less_is_spared_at_once(self, less: float) -> None:
        pace, limiter = RateEstimate(), Limiter(100, 5)
        driven(pace, limiter, 0.0, 60.0)
        limiter.rate = less
        assert driven(pace, limiter, 60.0, 70.0)[1] <= 25
        answered, refused = driven(pace, limiter, 70.0, 170.0)
        assert answered >= 0.9 * less * 100
        assert refused <= 0.02 * answered + 10

    @given(rate=st.floats(10, 500), burst=st.integers(1, 40))
    @settings(max_examples=30)
    def test_whatever_the_limiter_it_is_used_and_not_overrun(self, rate: float, burst: int) -> None:
        pace, limiter = RateEstimate(), Limiter(rate, burst)
        driven(pace, limiter, 0.0, 60.0)
        answered, refused = driven(pace, limiter, 60.0, 160.0)
        assert answered >= 0.9 * rate * 100
        assert refused <= 0.02 * answered + 20


class TestChance:
    @pytest.mark.parametrize("share", [0.1, 0.2, 0.3, 0.5])
    def test_refusals_that_have_nothing_to_do_with_the_rate_do_not_bring_it_down_for_long(
        self, share: float
    ) -> None:
        pace, service = RateEstimate(), Chance(share)
        driven(pace, service, 0.0, 60.0)
        answered, _ = driven(pace, service, 60.0, 70.0)
        assert answered >= 0.9 * (1 - share) * 1000 * 10

    def test_a_limiter_that_is_there_later_is_not_overrun(self) -> None:
        pace = RateEstimate()
        driven(pace, Chance(0.2), 0.0, 60.0)
        limiter = Limiter(40, 10)
        limiter.takes(60.0)
        assert driven(pace, limiter, 60.0, 80.0)[1] <= 40


class TestClosed:
    @pytest.mark.parametrize("burst", [1, 10])
    @pytest.mark.parametrize("rate", [2.0, 20.0, 100.0])
    def test_a_service_that_closes_what_is_too_much_is_used_and_not_overrun(
        self, rate: float, burst: int
    ) -> None:
        pace, limiter = RateEstimate(), Limiter(rate, burst)
        closed(pace, limiter, 0.0, 30.0)
        answered, refused = closed(pace, limiter, 30.0, 130.0)
        assert answered >= 0.85 * rate * 100
        assert refused <= 0.02 * answered + 10

    @pytest.mark.parametrize(
        ("most", "seconds"), [(20, 1.0), (5, 1.0), (2, 1.0), (100, 1.0), (20, 0.5), (50, 5.0)]
    )
    def test_one_that_counts_what_it_closes_lets_us_in_again(self, most: int, seconds: float) -> None:
        pace, service = RateEstimate(), Window(most, seconds)
        answered, refused = closed(pace, service, 0.0, 60.0)
        assert answered >= 0.4 * 60 * most / seconds
        assert refused <= 0.25 * answered

    def test_one_alone_says_nothing_nor_do_several_with_answers_between_them(self) -> None:
        pace, now = RateEstimate(), 0.0
        for _ in range(100):
            for _ in range(4):
                pace.accepted(now)
                now += 0.01
            assert pace.closed(now, now) == (False, False)
        assert pace.bound is None

    def test_several_among_answers_do_and_then_each(self) -> None:
        pace = RateEstimate()
        pace.accepted(0.0)
        assert [pace.closed(0.1, 0.2)[0] for _ in range(4)] == [False, False, False, True]
        for n in range(40):
            pace.accepted(1 + n / 40)
        assert pace.closed(2.0, 2.0)[0]

    def test_where_nothing_was_answered_yet_the_service_is_down(self) -> None:
        pace = RateEstimate()
        assert not any(pace.closed(n / 10, n / 10)[0] for n in range(1000))
        assert pace.bound is None

    def test_where_nothing_is_answered_any_more_it_is_taken_for_down_after_a_while(self) -> None:
        pace = RateEstimate()
        for n in range(10):
            pace.accepted(n / 10)
        meant = [n / 10 for n in range(10, 1000) if pace.closed(n / 10, n / 10)[0]]
        assert 15 < meant[-1] < 25
        assert pace.rest(100.0) == 0.0

    def test_rests_grow_while_nothing_is_answered_and_end_with_an_answer(self) -> None:
        pace = RateEstimate()
        pace.accepted(0.0)
        rests = []
        for n in range(1, 12):
            pace.throttled(float(n), float(n))
            rests.append(pace.rest(float(n)))
        assert rests[:2] == [0.0, 0.0]
        assert rests == sorted(rests)
        assert 4.0 <= rests[-1] <= 8.0
        pace.accepted(12.0)
        assert pace.rest(12.0) == 0.0


class TestPace:
    def test_without_a_complaint_there_is_no_bound(self) -> None:
        pace = RateEstimate()
        for moment in range(100):
            pace.accepted(moment / 1000)
        assert pace.gap(0.1) == 0

    def test_refusals_of_what_was_sent_before_a_cut_do_not_cut_again(self) -> None:
        pace = RateEstimate()
        assert pace.throttled(0.0, 0.1)
        bound = pace.bound
        assert not any(pace.throttled(0.0, 0.1 + n / 100) for n in range(15))
        assert pace.bound == bound

    def test_nothing_is_learnt_in_a_pause(self) -> None:
        pace = RateEstimate()
        pace.throttled(0.0, 0.0, pause=60.0)
        assert pace.gap(30.0) == pace.gap(60.0) == 1 / 20

    @pytest.mark.parametrize("rate", [37.0, 40.0, 43.0])
    def test_after_two_pauses_it_is_little_below_what_is_borne_and_never_above(self, rate: float) -> None:
        pace = RateEstimate()
        _, refused = driven(pace, Limiter(rate, 10), 0.0, 4.0, pause=1.0, apart=0.003)
        assert refused == 2
        assert pace.bound is not None
        assert 0.96 < pace.bound / rate < 1.0

    def test_a_bound_that_nobody_reaches_is_dropped(self) -> None:
        pace = RateEstimate()
        pace.throttled(0.0, 0.0)
        for n in range(100):
            pace.accepted(n / 10)
        assert pace.gap(60.0) == 0
        assert pace.bound is None

    def test_a_service_that_answers_nothing_is_down_and_says_nothing_of_its_rate(self) -> None:
        pace = RateEstimate()
        for n in range(40):
            pace.sent(n / 40)
            pace.accepted(n / 40)
        for n in range(1, 1000):
            pace.throttled(float(n), float(n))
        assert pace.bound is not None
        assert pace.bound >= 10

    @pytest.mark.parametrize("between", [0, 1])
    def test_it_never_stops_altogether(self, between: int) -> None:
        pace = RateEstimate()
        for n in range(1000):
            pace.throttled(n / 10, n / 10)
            for _ in range(between):
                pace.accepted(n / 10 + 0.05)
            assert pace.gap(n / 10) <= 2.0

    def test_a_bound_is_no_more_than_was_used(self) -> None:
        """A scan of few requests sends 8 a second, whatever the allowed rate has grown to, until one is refused."""
        pace, now = RateEstimate(), 0.0
        for _ in range(12):
            now += 0.02
            pace.sent(now)
            pace.accepted(now)
        pace.throttled(now, now)
        for _ in range(40):
            now += 0.125
            pace.sent(now)
            pace.accepted(now)
        allowed = pace.rate(now)
        assert allowed is not None
        assert allowed > 1_000
        pace.throttled(now, now)
        assert pace.bound is not None
        assert pace.bound <= 10

    def test_the_time_of_a_refused_request_may_be_taken_a_little_later(self) -> None:
        bounds = []
        for later in (0.0, 2e-5):
            pace = RateEstimate()
            for n in range(60):
                pace.sent(n / 100)
                if n < 59:
                    pace.accepted(n / 100)
            pace.throttled(0.59 + later, 0.6)
            for n in range(60, 200):
                pace.sent(n / 100)
                if n < 199:
                    pace.accepted(n / 100)
            pace.throttled(1.99 + later, 2.0)
            bounds.append(pace.bound)
        assert bounds[0] == pytest.approx(bounds[1], rel=0.001)
