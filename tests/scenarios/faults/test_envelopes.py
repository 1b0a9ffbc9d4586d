"""The envelope says no, in whichever dialect; tokens die, and asking for one fails (faults E1 to E8).

What each code is read as is in ``tests/core/wire/test_responses.py``, the life of a token in ``tests/net/test_access_token.py``.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from aioflows import (
    AioflowsError,
    AnswerError,
    BadCredentials,
    Denied,
    FlowQuery,
    RetryPolicy,
    ServerFault,
    ServiceError,
    Throttled,
)
from aioflows.emulator import Emulator, Fault
from aioflows.query import SortKey
from tests.support.long import long_but
from tests.support.story import KEYS, ORDERS, expected, session_with, told, world_of

TIRED = {"retry": RetryPolicy(base=0.0, max_tries=3), "concurrency": 1}


class TestServerFault:
    # E1

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("code", [62109, 1005])
    async def test_a_service_that_fails_by_itself_is_asked_again(
        self, code: int, order: SortKey | None
    ) -> None:
        story = await told(Fault(6, f"code-{code}", times=3), order=order)
        assert story.error is None
        assert story.stats.retries == 3

    @pytest.mark.parametrize("code", [62109, 1005])
    async def test_one_that_goes_on_failing_ends_the_scan(self, code: int) -> None:
        story = await told(Fault(2, f"code-{code}", times=1000), session=TIRED)
        assert type(story.error) is ServerFault
        assert story.error.code == code


class TestRefusal:
    # E2

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (62101, Denied),
            (62102, ServiceError),
            (62103, Denied),
            (1002, BadCredentials),
            (1003, BadCredentials),
            (1004, ServiceError),
            (1202, ServiceError),
        ],
    )
    async def test_what_is_final_ends_the_scan_with_code_and_words(
        self, code: int, kind: type[AioflowsError], order: SortKey | None
    ) -> None:
        story = await told(
            Fault(2, f"code-{code}", times=1000), order=order, session={"page_size": 1}, instances=12
        )
        assert type(story.error) is kind
        assert isinstance(story.error, ServiceError)
        assert (story.error.code, story.error.message) == (code, f"scripted fault {code}")
        assert story.stats.retries == 0

    async def test_a_right_that_is_taken_away_on_the_way_is_no_end_of_the_rows(self) -> None:
        story = await told(Fault(9, "code-62103", times=1000))
        assert type(story.error) is Denied
        assert 0 < story.before < 300


class TestTokens:
    # E3

    @pytest.mark.parametrize("said", ["1203", "4011", "4012", "401"])
    @pytest.mark.parametrize("order", long_but("trigger_time", of=ORDERS))
    async def test_a_token_that_dies_under_sixteen_requests_costs_one_renewal(
        self, said: str, order: SortKey | None
    ) -> None:
        with world_of(instances=3_000, expired=said, latency_spread=0.05, **KEYS) as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=1, order_by=order)
            async with session_with(emulator, concurrency=16, latency=0.1) as (session, transport):
                await session.server_time()
                before = emulator.requests["token"]
                emulator.on_search(lambda number: emulator.expire_tokens() if number == 100 else None)
                async with session.scan(query) as scan:
                    rows = [one.instance_id async for one in scan]
            due = expected(emulator, query)
            assert emulator.requests["token"] == before + 1
        assert (rows if order else sorted(rows)) == (due if order else sorted(due))
        assert 1 <= scan.stats.retries <= 16 + 5
        assert transport is not None
        signed = [
            (sent.headers["apim-signature"], sent.headers["apim-timestamp"])
            for sent in transport.sent
            if "apim-signature" in sent.headers
        ]
        assert len(set(signed)) == len(signed), "each attempt is signed anew"

    async def test_a_second_refusal_means_bad_credentials(self) -> None:
        story = await told(Fault(9, "code-1203", times=1000), **KEYS)
        assert type(story.error) is BadCredentials

    # E4

    async def test_the_same_proof_twice_is_made_anew(self) -> None:
        with world_of(Fault(1, "code-1001", times=2, on="token"), **KEYS) as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=1)
            async with session_with(emulator) as (session, transport):
                rows = [one.instance_id async for one in session.scan(query)]
            assert rows == expected(emulator, query)
        assert transport is not None
        asked = [
            json.loads(sent.request.body or b"") for sent in transport.sent if "/token/" in sent.request.url
        ]
        stamps = [one["timestamp"] for one in asked]
        assert len(stamps) >= 3
        assert all(later > earlier for earlier, later in itertools.pairwise(stamps))

    # E5

    async def test_where_refreshing_fails_a_new_one_is_asked_for(self) -> None:
        story = await told(
            Fault(1, "code-1204", times=1000, on="refresh"), Fault(9, "code-1203", times=2), **KEYS
        )
        assert story.error is None
        assert story.emulator.requests["refresh"] >= 1

    @pytest.mark.parametrize("kind", ["no-data", "null-data", "null", "empty", "cut-json"])
    async def test_an_answer_without_a_token_is_asked_for_once_more(self, kind: str) -> None:
        story = await told(Fault(1, kind, on="token"), **KEYS)
        assert story.error is None

    @pytest.mark.parametrize(
        ("kind", "error"),
        [
            ("no-data", AnswerError),
            ("code-1204", ServiceError),
            ("code-1002", BadCredentials),
            ("code-1005", ServerFault),
        ],
    )
    async def test_where_there_is_none_to_be_had_the_scan_ends_with_the_reason(
        self, kind: str, error: type[AioflowsError]
    ) -> None:
        story = await told(Fault(1, kind, times=1000, on="token"), session=TIRED, **KEYS)
        assert type(story.error) is error
        assert story.outcomes == [], "nothing was asked without a token"

    @pytest.mark.parametrize("life", [0, -1, 10**12, "7200", "soon"])
    @pytest.mark.parametrize("order", ORDERS)
    async def test_whatever_is_said_of_its_life_a_token_serves(
        self, life: int | str, order: SortKey | None
    ) -> None:
        story = await told(claimed_expire=life, token_seconds=0.2, order=order, **KEYS)
        assert story.error is None

    async def test_who_waits_while_it_is_renewed_is_signed_when_it_is_sent(self) -> None:
        story = await told(
            Fault(1, "late", seconds=30, on="token"), token_seconds=60, skew_tolerance=5, **KEYS
        )
        assert story.error is None


class TestThrottleCodes:
    # E6

    async def test_a_code_that_the_user_knows_to_mean_too_many_is_tried_again(self) -> None:
        policy = RetryPolicy(throttle_codes=frozenset({77}))
        story = await told(
            Fault(6, "throttle", times=2), throttle="envelope", throttle_code=77, session={"retry": policy}
        )
        assert story.error is None
        assert story.stats.throttled == 2

    async def test_one_that_nobody_knows_is_final(self) -> None:
        story = await told(Fault(6, "throttle", times=1000), throttle="envelope", throttle_code=77)
        assert type(story.error) is ServiceError

    async def test_where_it_does_not_end_it_is_told_as_what_it_is(self) -> None:
        story = await told(Fault(2, "throttle", times=1000), throttle="envelope", session=TIRED)
        assert type(story.error) is Throttled
        assert story.error.retry_after is None


class TestDialects:
    # E7

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("kind", ["string-code", "no-code", "status-for-code"])
    async def test_however_it_says_yes_it_is_heard(self, kind: str, order: SortKey | None) -> None:
        story = await told(Fault(1, kind, times=1000), Fault(1, kind, times=9, on="timezone"), order=order)
        assert (story.error, story.stats.retries) == (None, 0)

    @pytest.mark.parametrize("order", ORDERS)
    async def test_yes_and_no_at_once_is_neither(self, order: SortKey | None) -> None:
        story = await told(Fault(2, "two-codes", times=1000), order=order, session={"concurrency": 1})
        assert type(story.error) is AnswerError
        assert "contradict" in str(story.error)


class TestFirstPage:
    # E8

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("types", [(1,), (0, 1, 2)])
    async def test_where_only_page_0_fails_page_1_is_tried_before_retries_are_spent(
        self, types: tuple[int, ...], order: SortKey | None
    ) -> None:
        switches: dict[str, Any] = {"first_page": 1, "page_zero": "error", "schedule_types": types}
        story = await told(order=order, session={"retry": RetryPolicy(base=10.0)}, **switches)
        assert story.error is None
        numbers = [one.page_no for one in story.emulator.searches]
        assert numbers[: len(types) + 1] == [0] * len(types) + [1]
        assert story.outcomes[: len(types)] == ["62109"] * len(types)
        assert story.stats.elapsed < 100, "four tries of page 0 at the most, once"

    async def test_what_was_found_out_serves_the_whole_session(self) -> None:
        with Emulator(300, 3, schedule_types=(1,), first_page=1, page_zero="error") as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=1)
            async with session_with(emulator) as (session, _):
                for _ in range(2):
                    rows = [one.instance_id async for one in session.scan(query)]
                    assert rows == expected(emulator, query)
                    failed = sum(one.outcome == "62109" for one in emulator.searches)
                    assert failed <= 5
