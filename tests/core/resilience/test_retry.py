"""Which errors are tried again, and after how long."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.resilience.retry import (
    FINAL,
    TABLE,
    Disconnected,
    Garbled,
    PoolExhausted,
    Refused,
    Rejected,
    Rule,
    Table,
    TooLarge,
    crowded,
    rule_of,
    waits,
)
from aioflows.errors import (
    AioflowsError,
    AnswerError,
    BadCredentials,
    BrokenBody,
    CompletenessError,
    ConnectFailed,
    Denied,
    QueryError,
    ServerFault,
    ServiceError,
    Throttled,
    TimedOut,
    TokenExpired,
    TransportError,
)
from aioflows.settings import RetryPolicy

FAULT = ServerFault(62109, "internal exception")


class Highest(Random):
    """Draws the upper end of whatever it is asked for."""

    def random(self) -> float:
        return 1.0


def slept(
    errors: Sequence[AioflowsError],
    policy: RetryPolicy | None = None,
    rng: Random | None = None,
    table: Table = TABLE,
) -> list[float]:
    """Gives the waits after these errors of one request, up to the one that is final."""
    seconds = waits(policy or RetryPolicy(), rng or Highest(), table)
    next(seconds)
    found: list[float] = []
    with contextlib.suppress(StopIteration):
        for error in errors:
            wait = seconds.send(error)
            found.append(wait)
    return found


class TestTable:
    @pytest.mark.parametrize(
        "error",
        [
            ConnectFailed("refused"),
            TimedOut("no answer"),
            BrokenBody("cut off"),
            Disconnected("closed"),
            Rejected("closed, and not alone"),
            Refused("refused"),
            FAULT,
            ServerFault(503, ""),
            Throttled(429, ""),
            ServiceError(1001, "repeated request with the same encryption"),
        ],
        ids=repr,
    )
    def test_what_may_pass_is_tried_as_often_as_the_policy_allows(self, error: AioflowsError) -> None:
        assert rule_of(error).times is None

    @pytest.mark.parametrize(
        "error",
        [
            Denied(62101, "user does not exist"),
            ServiceError(62102, "illegal sort field"),
            BadCredentials(1002, "appKey does not exist"),
            ServiceError(1004, "parameter is not legal"),
            TokenExpired(1203, "expired"),
            TransportError("a certificate that cannot be verified"),
            TooLarge("answer larger than 32 MiB"),
            PoolExhausted("no connection came free"),
            QueryError("from is after to"),
            CompletenessError("drift"),
        ],
        ids=repr,
    )
    def test_what_will_be_the_same_again_is_final(self, error: AioflowsError) -> None:
        assert rule_of(error) == FINAL

    @pytest.mark.parametrize("error", [AnswerError("HTML"), Garbled("bad status line")], ids=repr)
    def test_what_cannot_be_read_is_asked_for_three_times_more_with_waits(self, error: AioflowsError) -> None:
        assert slept([error] * 9, RetryPolicy(base=0.25, cap=3.0)) == [0.5, 1.0, 2.0]

    def test_these_are_counted_by_line_whatever_comes_between(self) -> None:
        html = AnswerError("HTML")
        assert len(slept([html, FAULT, html, FAULT, html, Garbled("SSH"), html, FAULT])) == 6

    def test_a_line_of_the_users_own_goes_first(self) -> None:
        table: Table = [(62102, Rule()), (ServerFault, FINAL), *TABLE]
        assert rule_of(ServiceError(62102, ""), table) == Rule()
        assert rule_of(FAULT, table) == FINAL


class TestCrowded:
    @pytest.mark.parametrize("error", [Disconnected("it was closed"), Refused("it was refused")], ids=repr)
    def test_it_says_what_was_seen_what_is_likely_and_what_mends_it(
        self, error: Disconnected | Refused
    ) -> None:
        said = crowded(error)
        assert isinstance(said, type(error))
        assert str(said).startswith(f"{error}, while it answered other requests: most likely too many")
        assert "Limits(rate=...)" in str(said)

    def test_it_says_so_once(self) -> None:
        once = crowded(Disconnected("it was closed"))
        assert isinstance(once, Rejected)
        assert crowded(once) is once


class TestWaits:
    def test_the_bound_doubles_up_to_the_cap(self) -> None:
        policy = RetryPolicy(base=0.25, cap=3.0)
        assert slept([FAULT] * 6, policy) == [0.5, 1.0, 2.0, 3.0, 3.0, 3.0]

    def test_the_wait_is_drawn_from_nothing_to_the_bound(self) -> None:
        policy = RetryPolicy(base=1.0, cap=10.0)
        drawn = [slept([FAULT], policy, Random(seed))[0] for seed in range(500)]
        assert 0 <= min(drawn) < 0.05
        assert 1.95 < max(drawn) <= 2.0
        assert mean(drawn) == pytest.approx(1.0, abs=0.1)

    def test_the_same_seed_gives_the_same_waits(self) -> None:
        assert slept([FAULT] * 9, rng=Random(7)) == slept([FAULT] * 9, rng=Random(7))

    def test_ten_thousand_failures_do_not_overflow(self) -> None:
        assert slept([FAULT] * 10_000, RetryPolicy(base=3600.0, cap=86_400.0))[-1] == 86_400.0

    def test_the_services_own_wait_is_never_shortened(self) -> None:
        policy = RetryPolicy(cap=1.0)
        drawn = [slept([Throttled(429, "", 20.0)], policy, Random(seed))[0] for seed in range(200)]
        assert min(drawn) >= 20.0
        assert max(drawn) <= 22.0

    def test_a_wait_above_the_bound_ends_it(self) -> None:
        assert slept([Throttled(429, "", 301.0)], RetryPolicy(max_retry_after=300.0)) == []

    @pytest.mark.parametrize("said", [None, 0.0, -1.0])
    def test_no_wait_to_speak_of_means_our_own(self, said: float | None) -> None:
        assert slept([Throttled(429, "", said)], RetryPolicy(base=0.25)) == [0.5]

    def test_a_wait_that_is_no_number_ends_it(self) -> None:
        assert slept([Throttled(429, "", float("nan"))]) == []

    def test_a_connection_that_was_just_closed_is_replaced_at_once_the_first_time(self) -> None:
        policy = RetryPolicy(base=0.25, cap=60.0)
        assert slept([Disconnected("closed")] * 3, policy) == [0.0, 0.5, 1.0]

    def test_one_that_was_closed_among_several_is_not(self) -> None:
        assert slept([Rejected("closed")] * 3, RetryPolicy(base=0.25, cap=60.0)) == [0.5, 1.0, 2.0]

    @given(
        st.lists(
            st.sampled_from([FAULT, ConnectFailed(""), Disconnected(""), Throttled(429, "", 5.0)]),
            max_size=50,
        ),
        st.integers(),
    )
    def test_every_wait_is_finite_and_none_is_negative(self, errors: list[AioflowsError], seed: int) -> None:
        policy = RetryPolicy(cap=30.0)
        found = slept(errors, policy, Random(seed))
        assert len(found) == len(errors)
        assert all(0 <= wait <= policy.cap for wait in found)
