"""The access token: one renewal at a time, a generation for each token, and the service's time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import Any

import pytest

from aioflows._core.wire.responses import Token
from aioflows._core.wire.signing import encryption, signature, signed_text
from aioflows._net.access_token import AccessTokens
from aioflows._net.transport import Request
from aioflows.errors import AioflowsError, ConnectFailed, ServiceError
from aioflows.settings import AppKey
from tests.support.fakes import loop_time

KEY = AppKey("access-CANARY", "secret-CANARY")
NOON = 1_700_000_000.0


class TokenService:
    """Fetches tokens: each of the outcomes in turn, then numbered ones that live for some seconds."""

    def __init__(
        self, outcomes: Iterable[Token | AioflowsError] = (), *, latency: float = 0.0, life: float = 7200.0
    ) -> None:
        self.asked: list[dict[str, Any]] = []
        self.urls: list[str] = []
        self.under_way = 0
        self._outcomes = list(outcomes)
        self._latency = latency
        self._life = life

    async def __call__(self, make: Callable[[], Request]) -> Token:
        request = make()
        assert request.body is not None
        self.asked.append(json.loads(request.body))
        self.urls.append(request.url)
        self.under_way += 1
        try:
            await asyncio.sleep(self._latency)
        finally:
            self.under_way -= 1
        outcome = self._outcomes.pop(0) if self._outcomes else Token(f"token-{len(self.asked)}", self._life)
        if isinstance(outcome, AioflowsError):
            raise outcome
        return outcome

    @property
    def actions(self) -> list[str]:
        return [url.rpartition("/")[2] for url in self.urls]


def credentials(key: AppKey | None = KEY, off: float = 0.0) -> AccessTokens:
    """Makes credentials with a local clock that is off by some seconds."""
    return AccessTokens(key, "https://gateway", now=lambda: NOON + loop_time() + off)


def token_of(one: AccessTokens) -> str | None:
    headers = one.headers((), None)
    return None if headers is None else headers["apim-accesstoken"]


def stamp_of(one: AccessTokens) -> int:
    headers = one.headers((), None)
    assert headers is not None
    return int(headers["apim-timestamp"])


class TestHeaders:
    async def test_a_request_is_signed_with_token_time_and_secret(self) -> None:
        one, query, body = credentials(), [("userId", "u"), ("action", "search")], b'{"a": 1}'
        await one.ensure(TokenService())
        stamp = int(NOON * 1000)
        assert one.headers(query, body) == {
            "apim-accesstoken": "token-1",
            "apim-signature": signature("token-1", signed_text(query, body), stamp, "secret-CANARY"),
            "apim-timestamp": str(stamp),
        }

    async def test_the_time_is_that_of_signing(self) -> None:
        one = credentials()
        await one.ensure(TokenService())
        await asyncio.sleep(10)
        assert stamp_of(one) == int((NOON + 10) * 1000)

    async def test_without_keys_nothing_is_signed_and_no_token_fetched(self) -> None:
        one, service = credentials(None), TokenService()
        await one.ensure(service)
        assert one.headers((), None) == {}
        assert not service.asked

    async def test_a_token_that_has_died_signs_nothing_unless_one_insists(self) -> None:
        one = credentials()
        await one.ensure(TokenService(life=100))
        await asyncio.sleep(100)
        assert one.headers((), None) is None
        assert one.headers((), None, insist=True) is not None


class TestTokenRequest:
    async def test_it_proves_the_secret_without_sending_it(self) -> None:
        one, service = credentials(), TokenService()
        await one.ensure(service)
        stamp = int(NOON * 1000)
        proof = encryption("access-CANARY", stamp, "secret-CANARY")
        assert service.asked == [{"appKey": "access-CANARY", "encryption": proof, "timestamp": stamp}]
        assert service.urls == ["https://gateway/apim-token-service/v2.0/token/get"]

    async def test_no_two_bear_the_same_time(self) -> None:
        one = credentials()
        make = one._request_maker("get")
        stamps = [json.loads(make().body or b"")["timestamp"] for _ in range(5)]
        assert stamps == sorted(set(stamps))


class TestLife:
    async def test_a_living_token_is_not_asked_for_again(self) -> None:
        one, service = credentials(), TokenService(life=7200)
        for _ in range(70):
            await one.ensure(service)
            await asyncio.sleep(100)
        assert service.actions == ["get"]

    async def test_it_is_renewed_before_it_dies(self) -> None:
        one, service = credentials(), TokenService(life=7200)
        await one.ensure(service)
        await asyncio.sleep(7141)
        await one.ensure(service)
        assert (token_of(one), one.generation) == ("token-2", 2)

    async def test_a_short_life_has_a_short_margin(self) -> None:
        one, service = credentials(), TokenService(life=10)
        await one.ensure(service)
        await asyncio.sleep(8.9)
        await one.ensure(service)
        assert len(service.asked) == 1

    async def test_the_same_token_again_is_used_to_its_end(self) -> None:
        one = credentials()
        service = TokenService([Token("a", 7200), Token("a", 50), Token("b", 7200)])
        await one.ensure(service)
        await asyncio.sleep(7150)
        for _ in range(49):
            await one.ensure(service)
            await asyncio.sleep(1)
        assert (len(service.asked), token_of(one)) == (2, "a")
        await asyncio.sleep(1)
        await one.ensure(service)
        assert token_of(one) == "b"

    async def test_the_time_that_the_answer_took_counts(self) -> None:
        one = credentials()
        await one.ensure(TokenService(life=100, latency=30))
        await asyncio.sleep(70)
        assert token_of(one) is None

    async def test_a_life_that_nobody_knows_is_short(self) -> None:
        one, service = credentials(), TokenService(life=0)
        await one.ensure(service)
        assert token_of(one) == "token-1"
        await asyncio.sleep(60)
        assert token_of(one) is None

    async def test_where_renewing_early_fails_the_old_one_serves_to_its_end(self) -> None:
        one = credentials()
        await one.ensure(TokenService([Token("a", 7200)]))
        await asyncio.sleep(7150)
        await one.ensure(TokenService([ConnectFailed("down")]))
        assert token_of(one) == "a"
        await asyncio.sleep(50)
        with pytest.raises(ConnectFailed):
            await one.ensure(TokenService([ConnectFailed("down")]))


class TestRefusal:
    async def test_a_refused_token_is_renewed(self) -> None:
        one, service = credentials(), TokenService()
        await one.ensure(service)
        one.refused(1)
        assert token_of(one) is None
        await one.ensure(service)
        assert token_of(one) == "token-2"

    async def test_a_refusal_of_an_older_one_changes_nothing(self) -> None:
        one, service = credentials(), TokenService()
        await one.ensure(service)
        one.refused(1)
        await one.ensure(service)
        one.refused(1)
        await one.ensure(service)
        assert service.actions == ["get", "get"]

    async def test_if_the_same_comes_again_it_is_refreshed(self) -> None:
        one = credentials()
        service = TokenService([Token("a", 7200), Token("a", 7000), Token("b", 7200)])
        await one.ensure(service)
        one.refused(1)
        await one.ensure(service)
        assert (token_of(one), service.actions) == ("b", ["get", "get", "refresh"])
        assert service.asked[-1]["accessToken"] == "a"

    async def test_if_refreshing_fails_a_new_one_is_asked_for(self) -> None:
        one = credentials()
        refresh_failed = ServiceError(1204, "refreshing the token failed")
        service = TokenService([Token("a", 7200), Token("a", 7000), refresh_failed, Token("b", 7200)])
        await one.ensure(service)
        one.refused(1)
        await one.ensure(service)
        assert (token_of(one), service.actions) == ("b", ["get", "get", "refresh", "get"])

    async def test_a_token_is_proven_once_the_service_has_taken_it(self) -> None:
        one = credentials()
        await one.ensure(TokenService())
        assert not one.is_proven(1)
        one.accepted(1)
        assert one.is_proven(1)
        assert not one.is_proven(2)


class TestOneAtATime:
    async def test_all_who_wait_share_one_renewal(self) -> None:
        one, service = credentials(), TokenService(latency=1)
        await asyncio.gather(*(one.ensure(service) for _ in range(16)))
        assert service.actions == ["get"]

    async def test_who_is_cancelled_does_not_take_it_from_the_others(self) -> None:
        one, service = credentials(), TokenService(latency=1)
        tasks = [asyncio.create_task(one.ensure(service)) for _ in range(3)]
        await asyncio.sleep(0.5)
        tasks[0].cancel()
        await asyncio.wait(tasks)
        assert service.actions == ["get"]
        assert [task.cancelled() for task in tasks] == [True, False, False]
        assert token_of(one) == "token-1"

    async def test_the_last_one_to_be_cancelled_ends_it(self) -> None:
        one, service = credentials(), TokenService(latency=1)
        tasks = [asyncio.create_task(one.ensure(service)) for _ in range(3)]
        await asyncio.sleep(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert (service.under_way, loop_time()) == (0, 0.5)
        assert len(asyncio.all_tasks()) == 1

    async def test_who_comes_while_it_is_being_ended_starts_another(self) -> None:
        one, service = credentials(), TokenService(latency=1)
        first = asyncio.create_task(one.ensure(service))
        await asyncio.sleep(0.5)
        first.cancel()
        await asyncio.sleep(0)  # the renewal has been told, and is not over
        await one.ensure(service)
        assert first.cancelled()
        assert token_of(one) == "token-2"

    @pytest.mark.parametrize("steps", range(8))
    async def test_cancelled_at_any_step_it_leaves_nothing_and_works_afterwards(self, steps: int) -> None:
        one, service = credentials(), TokenService()
        task = asyncio.create_task(one.ensure(service))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert len(asyncio.all_tasks()) == 1
        await one.ensure(service)
        assert token_of(one) is not None

    async def test_a_failure_reaches_everyone_as_a_copy(self) -> None:
        one, service = credentials(), TokenService([ConnectFailed("down")], latency=1)
        results = await asyncio.gather(*(one.ensure(service) for _ in range(3)), return_exceptions=True)
        assert [repr(error) for error in results] == ["ConnectFailed('down')"] * 3
        assert len({id(error) for error in results}) == 3

    async def test_a_failure_that_nobody_sees_is_no_complaint(self) -> None:
        one, service = credentials(), TokenService([ConnectFailed("down")])
        task = asyncio.create_task(one.ensure(service))
        renewal = None
        while renewal is None or not renewal.over:
            await asyncio.sleep(0)
            renewal = one._renewal
        task.cancel()
        await asyncio.wait([task])

    async def test_after_a_failure_the_next_one_asks_again(self) -> None:
        one, service = credentials(), TokenService([ConnectFailed("down")])
        with pytest.raises(ConnectFailed):
            await one.ensure(service)
        await one.ensure(service)
        assert token_of(one) == "token-2"


class TestClock:
    @staticmethod
    def date(ahead: float) -> str:
        return formatdate(NOON + loop_time() + ahead, usegmt=True)

    @pytest.mark.parametrize("off", [-3600.0, -20.0, 20.0, 3600.0])
    async def test_a_local_clock_that_is_off_is_set_right(self, off: float) -> None:
        one = credentials(off=off)
        one.adjust_clock(self.date(0), one.local_time())
        await one.ensure(TokenService())
        assert abs(stamp_of(one) - NOON * 1000) <= 1000

    @pytest.mark.parametrize("off", [-4.0, 0.0, 4.0])
    async def test_a_small_difference_is_left_alone(self, off: float) -> None:
        one = credentials(off=off)
        one.adjust_clock(self.date(0), one.local_time())
        assert one.offset == 0

    async def test_a_slow_answer_is_no_difference(self) -> None:
        one = credentials()
        sent, date = one.local_time(), self.date(0)
        await asyncio.sleep(300)
        one.adjust_clock(date, sent)
        one.adjust_clock(self.date(0), sent)
        assert one.offset == 0

    async def test_a_clock_that_was_set_right_is_believed_again(self) -> None:
        one = credentials()
        one.adjust_clock(self.date(3600), one.local_time())
        assert one.offset == pytest.approx(3600, abs=1)
        one.adjust_clock(self.date(0), one.local_time())
        assert one.offset == 0

    @pytest.mark.parametrize("date", [None, "", "yesterday", "Sun, 99 Foo 2024 00:00:00 GMT", "1" * 5000])
    async def test_a_date_that_cannot_be_read_says_nothing(self, date: str | None) -> None:
        one = credentials()
        one.adjust_clock(date, one.local_time())
        assert one.offset == 0

    @pytest.mark.parametrize(
        "date",
        ["Tue, 14 Nov 2023 23:13:20 GMT", "Tuesday, 14-Nov-23 23:13:20 GMT", "Tue Nov 14 23:13:20 2023"],
    )
    async def test_all_three_forms_of_a_date_are_read(self, date: str) -> None:
        one = credentials()
        one.adjust_clock(date, one.local_time())
        assert one.offset == pytest.approx(3600, abs=1)


class TestSecrets:
    async def test_nothing_shows_them(self) -> None:
        one = credentials()
        await one.ensure(TokenService([Token("token-CANARY", 7200)]))
        shown = repr(
            [one, one.headers((), None), one._request_maker("refresh", accessToken="token-CANARY")(), KEY]
        )
        assert "CANARY" not in shown
        assert repr(one) == "<AccessTokens token 1>"
