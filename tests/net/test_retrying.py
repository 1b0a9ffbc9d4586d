"""One request, done well: in virtual time, with a service that answers as each test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from email.utils import formatdate
from random import Random

import attrs
import pytest

from aioflows._core.resilience.retry import TABLE, Disconnected, Rule, Table
from aioflows._net.access_token import AccessTokens
from aioflows._net.gate import Gate
from aioflows._net.observers import Observers
from aioflows._net.retrying import CallTally, RetryingCaller
from aioflows._net.transport import Request, Transport
from aioflows.errors import (
    AioflowsError,
    AnswerError,
    BadCredentials,
    BrokenBody,
    ConnectFailed,
    Denied,
    ServerFault,
    ServiceError,
    Throttled,
    TransportError,
)
from aioflows.events import (
    Event,
    Paused,
    RequestEnded,
    RequestEvent,
    RequestSent,
    Retried,
    TokenRenewed,
)
from aioflows.settings import AppKey, RetryPolicy
from tests.support.fakes import FakeTransport, Outcome, Sent, answer, envelope, loop_time

REQUEST = Request("POST", "https://gateway/flowInstances", (("action", "search"),), b"{}")
OK = envelope("fine")
FAULT = envelope(code=62109, msg="internal exception")
KEY = AppKey("access-CANARY", "secret-CANARY")
NOON = 1_700_000_000.0


class Highest(Random):
    """Draws the upper end of whatever it is asked for."""

    def random(self) -> float:
        return 1.0


def caller_of(
    transport: Transport,
    *,
    concurrency: int = 16,
    policy: RetryPolicy | None = None,
    auth: AppKey | None = None,
    off: float = 0.0,
    table: Table = TABLE,
    observer: Callable[[Event], object] | None = None,
) -> RetryingCaller:
    watch = Observers(observer)
    keys = AccessTokens(auth, "https://gateway", now=lambda: NOON + loop_time() + off, watch=watch)
    policy = policy or RetryPolicy(base=0.5)
    return RetryingCaller(transport, Gate(concurrency), keys, policy, rng=Highest(), table=table, watch=watch)


def read(body: bytes) -> object:
    return json.loads(body)["data"]


class TestCall:
    async def test_it_gives_what_reading_the_answer_gives(self) -> None:
        transport = FakeTransport([OK])
        assert await caller_of(transport).call(REQUEST, read) == "fine"
        assert transport.sent[0].request is REQUEST

    async def test_an_attempt_has_the_policys_time(self) -> None:
        transport = FakeTransport([OK])
        await caller_of(transport, policy=RetryPolicy(attempt_timeout=7.0)).call(REQUEST, read)
        assert transport.sent[0].timeout == 7.0

    async def test_no_more_are_in_flight_than_the_gate_lets_through(self) -> None:
        transport = FakeTransport(lambda _: OK, latency=1.0)
        caller = caller_of(transport, concurrency=3)
        await asyncio.gather(*(caller.call(REQUEST, read) for _ in range(7)))
        assert (transport.peak, loop_time()) == (3, 3.0)

    async def test_the_next_request_is_sent_before_an_answer_is_read(self) -> None:
        transport = FakeTransport(lambda _: OK, latency=1.0)
        caller = caller_of(transport, concurrency=1)
        sent_when_read: list[int] = []
        reads = [caller.call(REQUEST, lambda _: sent_when_read.append(len(transport.sent))) for _ in range(3)]
        await asyncio.gather(*reads)
        assert sent_when_read == [2, 3, 3]


class TestRetry:
    @pytest.mark.parametrize(
        "failure",
        [
            ConnectFailed("refused"),
            BrokenBody("cut off"),
            FAULT,
            answer("", 503),
            answer("", 502),
            answer("", 408),
        ],
        ids=str,
    )
    async def test_what_may_pass_is_tried_again_after_a_wait(self, failure: Outcome) -> None:
        transport = FakeTransport([failure, failure, OK])
        assert await caller_of(transport).call(REQUEST, read) == "fine"
        assert [sent.at for sent in transport.sent] == [0.0, 1.0, 3.0]

    @pytest.mark.parametrize(
        ("failure", "expected"),
        [
            (envelope(code=62101, msg="no such user"), Denied),
            (envelope(code=62102, msg="illegal sort field"), ServiceError),
            (envelope(code=1002, msg="appKey does not exist"), BadCredentials),
            (answer("", 404), ServiceError),
            (answer("", 302, Location="https://elsewhere/"), AnswerError),
            (TransportError("a certificate"), TransportError),
        ],
        ids=str,
    )
    async def test_what_is_final_comes_out_at_once(
        self, failure: Outcome, expected: type[AioflowsError]
    ) -> None:
        transport = FakeTransport([failure, OK])
        with pytest.raises(expected):
            await caller_of(transport).call(REQUEST, read)
        assert len(transport.sent) == 1

    async def test_when_the_tries_are_spent_the_last_error_comes_out(self) -> None:
        transport = FakeTransport(lambda _: FAULT)
        with pytest.raises(ServerFault) as caught:
            await caller_of(transport, policy=RetryPolicy(max_tries=4)).call(REQUEST, read)
        assert len(transport.sent) == 4
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None

    async def test_a_call_may_have_fewer_tries(self) -> None:
        transport = FakeTransport(lambda _: FAULT)
        with pytest.raises(ServerFault):
            await caller_of(transport).call(REQUEST, read, tries=1)
        assert len(transport.sent) == 1

    @pytest.mark.parametrize(
        "lost", [ConnectFailed("refused"), Disconnected("closed"), BrokenBody("cut off"), answer("", 429)]
    )
    async def test_what_says_nothing_of_the_request_takes_none_of_its_few_tries(self, lost: Outcome) -> None:
        transport = FakeTransport([lost, lost, lost, OK])
        assert await caller_of(transport).call(REQUEST, read, tries=1) == "fine"

    async def test_a_page_of_html_is_asked_for_three_times_more_with_longer_and_longer_waits(self) -> None:
        transport = FakeTransport([answer("<html>log in</html>")] * 5)
        with pytest.raises(AnswerError):
            await caller_of(transport).call(REQUEST, read)
        assert [sent.at for sent in transport.sent] == [0.0, 1.0, 3.0, 6.0]

    async def test_what_the_reader_cannot_read_is_asked_for_again(self) -> None:
        def picky(body: bytes) -> object:
            if read(body) != "fine":
                raise AnswerError("not fine", "$.data")
            return "read"

        transport = FakeTransport([envelope("odd"), OK])
        assert await caller_of(transport).call(REQUEST, picky) == "read"

    async def test_a_connection_that_was_closed_while_idle_is_replaced_at_once(self) -> None:
        transport = FakeTransport([Disconnected("closed"), OK])
        await caller_of(transport).call(REQUEST, read)
        assert transport.sent[1].at < 0.01

    async def test_a_wait_that_does_not_fit_is_not_begun(self) -> None:
        transport = FakeTransport(lambda _: FAULT)
        with pytest.raises(ServerFault):
            await caller_of(transport, policy=RetryPolicy(base=1.0, cap=30.0, max_elapsed=5.0)).call(
                REQUEST, read
            )
        assert [sent.at for sent in transport.sent] == [0.0, 2.0]
        assert loop_time() == 2.0, "it gave up then, and not when the time was over"

    async def test_the_time_spent_before_the_first_attempt_does_not_count(self) -> None:
        transport = FakeTransport([OK, FAULT, OK], latency=100.0)
        caller = caller_of(transport, concurrency=1, policy=RetryPolicy(max_elapsed=150.0))
        await asyncio.gather(caller.call(REQUEST, read), caller.call(REQUEST, read))
        assert len(transport.sent) == 3

    async def test_no_slot_is_held_while_sleeping(self) -> None:
        transport = FakeTransport([FAULT, OK, OK])
        caller = caller_of(transport, concurrency=1, policy=RetryPolicy(base=10.0, cap=20.0))
        first, second = (asyncio.create_task(caller.call(REQUEST, read)) for _ in range(2))
        await second
        assert loop_time() == 0.0
        await first
        assert loop_time() == 20.0

    async def test_the_table_may_be_another(self) -> None:
        transport = FakeTransport([envelope(code=62101), OK])
        await caller_of(transport, table=[(62101, Rule()), *TABLE]).call(REQUEST, read)
        assert len(transport.sent) == 2

    async def test_an_error_that_is_none_of_ours_passes(self) -> None:
        transport = FakeTransport([OK])
        with pytest.raises(ZeroDivisionError):
            await caller_of(transport).call(REQUEST, lambda _: 1 // 0)


class TestThrottling:
    async def test_everybody_waits_as_long_as_the_service_asked(self) -> None:
        transport = FakeTransport(
            lambda _: answer("", 429, Retry_After="20") if loop_time() < 20 else OK, latency=1.0
        )
        caller = caller_of(transport, concurrency=4)
        await asyncio.gather(*(caller.call(REQUEST, read) for _ in range(8)))
        assert [sent.at for sent in transport.sent[:4]] == pytest.approx([0.0] * 4, abs=0.01)
        assert min(sent.at for sent in transport.sent[4:]) >= 21.0
        assert max(sent.at for sent in transport.sent) <= 25.0

    @pytest.mark.parametrize("said", ["envelope", "503", "date"])
    async def test_it_is_recognised_in_each_guise(self, said: str) -> None:
        date = formatdate(NOON, usegmt=True)
        refusal = {
            "envelope": envelope(code=429, msg="slow down"),
            "503": answer("", 503, Retry_After="3"),
            "date": answer("", 429, Retry_After=formatdate(NOON + 3, usegmt=True), Date=date),
        }[said]
        tally = CallTally()
        transport = FakeTransport([refusal, OK])
        await caller_of(transport, policy=RetryPolicy(base=1.5)).call(REQUEST, read, tally=tally)
        assert transport.sent[1].at >= 3.0
        assert tally.throttled == 1

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 420, 425, 430, 500, 502, 503])
    @pytest.mark.parametrize("auth", [None, KEY], ids=["without a key", "with a key"])
    async def test_whatever_the_status_who_is_asked_to_wait_waits_and_all_others_do(
        self, auth: AppKey | None, status: int
    ) -> None:
        gateway, refused = Gateway(), 0

        def respond(sent: Sent) -> Outcome:
            nonlocal refused
            if sent.request is not REQUEST or loop_time() >= 20:
                return gateway(sent) if auth else OK
            refused += 1
            return answer(
                "API rate limit exceeded", status, X_RateLimit_Reset="20", X_RateLimit_Remaining="0"
            )

        transport = FakeTransport(respond)
        caller, tally = caller_of(transport, concurrency=1, auth=auth), CallTally()
        await asyncio.gather(*(caller.call(REQUEST, read, tally=tally) for _ in range(3)))
        searches = [sent.at for sent in transport.sent if sent.request is REQUEST]
        assert [refused, tally.throttled] == [1, 1]
        assert min(searches[1:]) >= 20.0
        assert len(transport.sent) - len(searches) == (auth is not None), "no other token was asked for"

    async def test_a_reset_that_good_answers_bear_as_well_says_nothing_where_it_stands_alone(self) -> None:
        transport = FakeTransport(
            [
                answer({"code": 0, "data": "fine"}, X_RateLimit_Reset="20"),
                answer("no such page", 404, X_RateLimit_Reset="20"),
            ]
        )
        caller = caller_of(transport)
        await caller.call(REQUEST, read)
        with pytest.raises(ServiceError, match="no such page"):
            await caller.call(REQUEST, read)
        assert loop_time() < 0.01

    async def test_closed_connections_beside_answers_slow_everybody_down(self) -> None:
        taken: list[float] = []

        def respond(sent: Sent) -> Outcome:
            taken.append(sent.at)
            return (
                OK if len([at for at in taken if at > sent.at - 1]) <= 10 else Disconnected("it was closed")
            )

        transport = FakeTransport(respond, latency=0.01)
        caller, tally = caller_of(transport, policy=RetryPolicy()), CallTally()
        await asyncio.gather(*(caller.call(REQUEST, read, tally=tally) for _ in range(100)))
        assert 4 <= tally.throttled < 60
        assert loop_time() < 30.0

    async def test_a_service_that_closes_every_connection_fails_as_one_that_is_down(self) -> None:
        transport = FakeTransport(lambda _: Disconnected("it was closed"))
        caller, tally = caller_of(transport, policy=RetryPolicy(max_tries=5)), CallTally()
        with pytest.raises(Disconnected, match=r"^it was closed$"):
            await caller.call(REQUEST, read, tally=tally)
        assert [sent.at for sent in transport.sent] == pytest.approx([0.0, 0.0, 0.5, 1.5, 3.5], abs=0.02)
        assert tally.throttled == 0

    async def test_where_it_never_gets_better_the_error_says_what_was_seen_and_what_mends_it(self) -> None:
        transport = FakeTransport([OK, *[Disconnected("it was closed")] * 30])
        caller = caller_of(transport, policy=RetryPolicy(max_tries=8))
        await caller.call(REQUEST, read)
        with pytest.raises(Disconnected, match=r"while it answered other requests.*Limits\(rate=") as caught:
            await caller.call(REQUEST, read)
        assert str(caught.value).startswith("it was closed")

    async def test_too_long_a_wait_is_the_callers_to_decide(self) -> None:
        transport = FakeTransport([answer("", 429, Retry_After="3600"), OK])
        caller = caller_of(transport)
        with pytest.raises(Throttled) as caught:
            await caller.call(REQUEST, read)
        assert caught.value.retry_after == 3600
        await caller.call(REQUEST, read)
        assert loop_time() < 0.01, "and nobody else has to wait for it"

    async def test_a_wait_that_is_longer_than_what_is_left_ends_it_at_once(self) -> None:
        transport = FakeTransport([answer("", 429, Retry_After="20"), OK])
        with pytest.raises(Throttled):
            await caller_of(transport, policy=RetryPolicy(max_elapsed=10.0)).call(REQUEST, read)
        assert loop_time() == 0.0

    async def test_without_a_word_who_was_refused_waits_and_the_others_slow_down(self) -> None:
        transport = FakeTransport([answer("", 429), OK, OK])
        caller = caller_of(transport, concurrency=1)
        await asyncio.gather(caller.call(REQUEST, read), caller.call(REQUEST, read))
        assert [sent.at for sent in transport.sent] == [0.0, 1 / 32, 1.0]

    async def test_a_gateway_that_says_too_many_by_503_is_found_out(self) -> None:
        transport = FakeTransport(lambda sent: OK if sent.at > 2.0 else answer("", 503), latency=0.01)
        caller, tally = caller_of(transport, concurrency=8), CallTally()
        await asyncio.gather(*(caller.call(REQUEST, read, tally=tally) for _ in range(8)))
        assert tally.throttled >= 5


class TestBudget:
    async def test_an_outage_costs_a_bounded_number_of_attempts(self) -> None:
        transport = FakeTransport(lambda _: answer("", 500), latency=0.01)
        caller = caller_of(transport, policy=RetryPolicy(budget=30), concurrency=16)
        ends = await asyncio.gather(*(caller.call(REQUEST, read) for _ in range(50)), return_exceptions=True)
        assert {type(end) for end in ends} == {ServerFault}
        assert len(transport.sent) == 50 + 30

    async def test_answers_fill_it_so_that_half_of_them_may_fail_for_ever(self) -> None:
        rng = Random(1)
        transport = FakeTransport(lambda _: OK if rng.random() < 0.5 else answer("", 500))
        caller = caller_of(transport, policy=RetryPolicy(budget=40, base=0.1, cap=1.0))
        for _ in range(2_000):
            assert await caller.call(REQUEST, read) == "fine"

    async def test_a_connection_that_was_closed_while_idle_costs_nothing(self) -> None:
        transport = FakeTransport([Disconnected("closed"), OK])
        assert await caller_of(transport, policy=RetryPolicy(budget=0)).call(REQUEST, read) == "fine"

    async def test_without_one_nothing_is_tried_again(self) -> None:
        transport = FakeTransport([answer("", 500), OK])
        with pytest.raises(ServerFault):
            await caller_of(transport, policy=RetryPolicy(budget=0)).call(REQUEST, read)


class TestTally:
    async def test_each_group_of_calls_has_its_own(self) -> None:
        transport = FakeTransport([FAULT, answer("", 429), OK, OK])
        caller, one, other = caller_of(transport), CallTally(), CallTally()
        await caller.call(REQUEST, read, tally=one)
        await caller.call(REQUEST, read, tally=other)
        assert one == CallTally(requests=3, retries=2, throttled=1, waited=3.0)
        assert other == CallTally(requests=1)

    async def test_token_requests_are_nobodys(self) -> None:
        tally = CallTally()
        await caller_of(FakeTransport(Gateway()), auth=KEY).call(REQUEST, read, tally=tally)
        assert tally == CallTally(requests=1)


class TestEvents:
    async def test_an_attempt_is_told_when_it_is_sent_and_when_it_is_answered(self) -> None:
        told: list[Event] = []
        request = attrs.evolve(REQUEST, operation="search")
        transport = FakeTransport([OK], latency=2.0)
        await caller_of(transport, observer=told.append).call(request, read, tally=CallTally(scan=7))
        sent, ended = told
        facts = {"scan": 7, "request": sent.request, "operation": "search", "attempt": 1}  # type: ignore[attr-defined]
        assert sent == RequestSent(**facts, method="POST", url="https://gateway/flowInstances")
        assert ended == RequestEnded(**facts, duration=2.0, status=200, size=len(OK.body))

    async def test_a_retry_is_told_with_its_reason_and_wait(self) -> None:
        told: list[Event] = []
        transport = FakeTransport([FAULT, OK])
        await caller_of(transport, observer=told.append).call(REQUEST, read)
        (event,) = (event for event in told if isinstance(event, Retried))
        assert (type(event.error), event.attempt, event.wait) == (ServerFault, 1, 1.0)

    async def test_the_events_of_a_retry_come_in_the_order_in_which_things_happen(self) -> None:
        told: list[Event] = []
        transport = FakeTransport([answer("", 429, Retry_After="20"), OK])
        await caller_of(transport, observer=told.append).call(REQUEST, read)
        names = "RequestSent RequestEnded RequestThrottled Paused Retried RequestSent RequestEnded"
        assert " ".join(type(event).__name__ for event in told) == names
        attempts = [event.attempt for event in told if isinstance(event, RequestEvent)]
        assert attempts == [1, 1, 1, 1, 2, 2]
        assert len({event.request for event in told if isinstance(event, RequestEvent)}) == 1

    async def test_an_attempt_that_gets_no_answer_has_an_error_and_no_status(self) -> None:
        told: list[Event] = []
        error = ConnectFailed("refused")
        with pytest.raises(ConnectFailed):
            await caller_of(
                FakeTransport([error], latency=3.0), policy=RetryPolicy(max_tries=1), observer=told.append
            ).call(REQUEST, read)
        (ended,) = (event for event in told if isinstance(event, RequestEnded))
        assert (ended.error, ended.status, ended.size, ended.duration) == (error, None, None, 3.0)

    async def test_an_attempt_that_is_cancelled_in_flight_is_told_to_have_ended(self) -> None:
        told: list[Event] = []
        caller = caller_of(FakeTransport([OK], hang_at=1), observer=told.append)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await caller.call(REQUEST, read)
        ended = told[-1]
        assert isinstance(ended, RequestEnded)
        assert (ended.cancelled, ended.error, ended.duration) == (True, None, 5.0)

    async def test_one_that_is_cancelled_at_the_gate_was_never_sent(self) -> None:
        told: list[Event] = []
        caller = caller_of(FakeTransport([OK], hang_at=1), concurrency=1, observer=told.append)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.gather(*(caller.call(REQUEST, read) for _ in range(3)))
        assert [type(event).__name__ for event in told] == ["RequestSent", "RequestEnded"]

    async def test_an_error_in_an_event_holds_no_frame(self) -> None:
        """An observer may keep events; the frames of an attempt hold its headers and its body."""
        behind: list[object] = []

        def observe(event: Event) -> None:
            if isinstance(event, (RequestEnded, Retried)) and event.error is not None:
                behind.extend((event.error.__traceback__, event.error.__context__))

        caller = caller_of(FakeTransport([FAULT, BrokenBody("cut off"), OK]), observer=observe)
        await caller.call(REQUEST, read)
        assert behind == [None] * 8

    async def test_a_pause_is_told_once_for_all(self) -> None:
        told: list[Event] = []
        transport = FakeTransport(lambda _: answer("", 429, Retry_After="20") if loop_time() < 20 else OK)
        caller = caller_of(transport, observer=told.append)
        await asyncio.gather(*(caller.call(REQUEST, read) for _ in range(8)))
        pauses = [event for event in told if isinstance(event, Paused)]
        assert [pause.seconds for pause in pauses] == [20.0]

    async def test_each_new_token_is_told_by_its_number(self) -> None:
        told: list[Event] = []
        caller = caller_of(FakeTransport(Gateway(uses=2)), auth=KEY, concurrency=1, observer=told.append)
        for _ in range(5):
            await caller.call(REQUEST, read)
        renewals = [event for event in told if isinstance(event, TokenRenewed)]
        assert [renewal.generation for renewal in renewals] == [1, 2, 3]
        sent = [event for event in told if isinstance(event, RequestSent) and event.operation == "token/get"]
        assert [event.scan for event in sent] == [None] * 3

    async def test_an_observer_that_fails_hurts_nobody_and_is_named_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(event: Event) -> None:
            raise RuntimeError("the observer's own fault")

        transport = FakeTransport([FAULT, answer("", 429, Retry_After="1"), OK])
        assert await caller_of(transport, observer=broken).call(REQUEST, read) == "fine"
        complaints = [record for record in caplog.records if record.exc_info]
        assert [record.levelname for record in complaints] == ["WARNING"]
        assert "the observer's own fault" in str(complaints[0].exc_info)


class Gateway:
    """Hands out numbered tokens, and takes the last one.

    Args:
        uses: *requests* that a token lives for; none is ever taken if it is 0.
        clock: the gateway's *time* in seconds since the epoch when the loop's is 0.
        refusals: as many *requests* are refused whatever their token is.
    """

    def __init__(self, uses: int = 10_000, *, clock: float = NOON, refusals: int = 0) -> None:
        self.issued = 0
        self.token_requests = 0
        self.refusals = refusals
        self._uses = uses
        self._left = 0
        self._clock = clock

    def __call__(self, sent: Sent) -> Outcome:
        date = formatdate(self._clock + loop_time(), usegmt=True)
        stamp = sent.headers.get("apim-timestamp") or json.loads(sent.request.body or b"")["timestamp"]
        if abs(int(stamp) / 1000 - self._clock - loop_time()) > 60:
            return answer({"code": 1004, "msg": "timestamp is not legal"}, Date=date)
        return (
            self._token() if "/token/" in sent.request.url else self._judge(sent.headers["apim-accesstoken"])
        )

    def _token(self) -> Outcome:
        self.token_requests += 1
        if self._left <= 0:
            self.issued += 1
            self._left = self._uses
        return answer(
            {"status": 0, "msg": "SUCCESS", "data": {"accessToken": f"t{self.issued}", "expire": 7200}}
        )

    def _judge(self, token: str) -> Outcome:
        if self.refusals:
            self.refusals -= 1
            self._left = 0
        if token != f"t{self.issued}" or self._left <= 0:
            return envelope(code=1203, msg="access token expired")
        self._left -= 1
        return OK


class TestToken:
    async def test_requests_are_signed_with_one_token_for_all(self) -> None:
        gateway = Gateway()
        transport = FakeTransport(gateway, latency=0.1)
        caller = caller_of(transport, auth=KEY)
        await asyncio.gather(*(caller.call(REQUEST, read) for _ in range(40)))
        assert gateway.token_requests == 1
        assert {sent.headers["apim-accesstoken"] for sent in transport.sent[1:]} == {"t1"}

    async def test_it_works_with_a_single_slot(self) -> None:
        caller = caller_of(FakeTransport(Gateway(uses=1), latency=0.1), concurrency=1, auth=KEY)
        await asyncio.gather(*(caller.call(REQUEST, read) for _ in range(5)))

    async def test_when_it_dies_all_in_flight_share_one_renewal_and_go_again(self) -> None:
        gateway, tally = Gateway(), CallTally()
        caller = caller_of(FakeTransport(gateway, latency=0.1), auth=KEY)
        await caller.call(REQUEST, read)
        gateway._left = 0
        await asyncio.gather(*(caller.call(REQUEST, read, tally=tally) for _ in range(16)))
        assert gateway.token_requests == 2
        assert tally == CallTally(requests=32, retries=16)

    async def test_a_renewal_costs_no_try(self) -> None:
        gateway = Gateway()
        caller = caller_of(FakeTransport(gateway), auth=KEY)
        await caller.call(REQUEST, read)
        gateway._left = 0
        assert await caller.call(REQUEST, read, tries=1) == "fine"

    async def test_a_request_may_meet_the_end_of_several(self) -> None:
        gateway = Gateway(uses=5)
        caller = caller_of(FakeTransport(gateway, latency=0.1), auth=KEY)
        await asyncio.gather(*(caller.call(REQUEST, read) for _ in range(16)))
        assert gateway.issued == 4

    async def test_refused_again_with_a_new_one_means_bad_credentials(self) -> None:
        gateway = Gateway(uses=0)
        transport = FakeTransport(gateway)
        with pytest.raises(BadCredentials, match="refused again with a new token") as caught:
            await caller_of(transport, auth=KEY).call(REQUEST, read)
        assert caught.value.code == 1203
        actions = [sent.request.url.rpartition("/")[2] for sent in transport.sent]
        assert actions.count("flowInstances") == 2

    async def test_a_token_that_others_get_through_with_is_no_sign_of_bad_credentials(self) -> None:
        gateway = Gateway(uses=3)
        transport = FakeTransport(gateway, latency=0.1)
        caller = caller_of(transport, auth=KEY)
        slow_to_be_taken = [caller.call(REQUEST, read) for _ in range(40)]
        assert set(await asyncio.gather(*slow_to_be_taken)) == {"fine"}

    async def test_the_one_that_waits_longest_goes_first_with_a_new_token(self) -> None:
        done: list[int] = []

        async def numbered(number: int) -> None:
            await caller.call(REQUEST, read)
            done.append(number)

        caller = caller_of(FakeTransport(Gateway(uses=2), latency=0.1), concurrency=4, auth=KEY)
        await asyncio.gather(*(numbered(number) for number in range(12)))
        assert max(abs(place - number) for place, number in enumerate(done)) < 4

    async def test_without_keys_a_service_that_asks_for_them_is_told_apart(self) -> None:
        with pytest.raises(BadCredentials, match=r"auth=AppKey"):
            await caller_of(FakeTransport([answer("", 401)])).call(REQUEST, read)

    async def test_asking_for_one_is_tried_again_like_anything_else(self) -> None:
        gateway = Gateway()
        outcomes: list[Outcome] = [ConnectFailed("refused"), FAULT]
        transport = FakeTransport(lambda sent: outcomes.pop(0) if outcomes else gateway(sent))
        assert await caller_of(transport, auth=KEY).call(REQUEST, read) == "fine"
        stamps = [json.loads(sent.request.body or b"")["timestamp"] for sent in transport.sent[:3]]
        assert stamps == sorted(set(stamps)), "each with a time of its own"

    async def test_if_there_is_none_everyone_learns_it_after_one_series_of_tries(self) -> None:
        transport = FakeTransport(lambda _: ConnectFailed("refused"))
        caller = caller_of(transport, auth=KEY, policy=RetryPolicy(max_tries=3))
        errors = await asyncio.gather(
            *(caller.call(REQUEST, read) for _ in range(16)), return_exceptions=True
        )
        assert {type(error) for error in errors} == {ConnectFailed}
        assert len({id(error) for error in errors}) == 16
        assert len(transport.sent) == 3

    async def test_wrong_keys_are_final(self) -> None:
        transport = FakeTransport([answer({"status": 1003, "msg": "encryption is not legal"})])
        with pytest.raises(BadCredentials):
            await caller_of(transport, auth=KEY).call(REQUEST, read)
        assert len(transport.sent) == 1

    @pytest.mark.parametrize("off", [-7200.0, 7200.0])
    async def test_a_local_clock_that_is_off_is_found_out_by_the_refusal(self, off: float) -> None:
        transport = FakeTransport(Gateway())
        assert await caller_of(transport, auth=KEY, off=off).call(REQUEST, read, tries=1) == "fine"
        assert len(transport.sent) == 3

    async def test_where_no_time_is_sent_none_is_set_right(self) -> None:
        transport = FakeTransport([answer("", 404, Date=formatdate(NOON, usegmt=True)), OK])
        with pytest.raises(ServiceError):
            await caller_of(transport, off=7200.0).call(REQUEST, read)
        assert len(transport.sent) == 1

    async def test_a_token_that_dies_while_its_bearers_wait_is_renewed_by_the_first(self) -> None:
        gateway = Gateway()
        transport = FakeTransport(gateway, latency=1.0)
        caller = caller_of(transport, concurrency=1, auth=KEY)
        await caller.call(REQUEST, read)
        calls = [asyncio.create_task(caller.call(REQUEST, read)) for _ in range(3)]
        await asyncio.sleep(0.5)
        keys = caller._attempts._credentials
        keys._expires = keys._renew_from = loop_time()
        await asyncio.wait(calls)
        assert [call.result() for call in calls] == ["fine"] * 3
        assert gateway.token_requests == 2

    async def test_no_token_is_asked_for_during_a_pause(self) -> None:
        transport = FakeTransport(Gateway())
        caller = caller_of(transport, auth=KEY)
        caller._attempts._gate.pause(20.0)
        await caller.call(REQUEST, read)
        assert transport.sent[0].at >= 20.0


class TestCancellation:
    @pytest.mark.parametrize("hang_at", [1, 2])
    async def test_while_an_answer_is_awaited(self, hang_at: int) -> None:
        transport = FakeTransport(Gateway(), hang_at=hang_at)
        caller = caller_of(transport, concurrency=1, auth=KEY)
        task = asyncio.create_task(caller.call(REQUEST, read))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert transport.in_flight == 0
        assert await caller.call(REQUEST, read) == "fine"

    @pytest.mark.parametrize("at", [0.5, 1.5, 2.5, 3.5, 4.5])
    async def test_at_any_time_it_leaves_nothing_and_the_next_call_is_served(self, at: float) -> None:
        outcomes: list[Outcome] = [ConnectFailed("refused"), FAULT]
        gateway = Gateway()
        transport = FakeTransport(lambda sent: outcomes.pop(0) if outcomes else gateway(sent), latency=1.0)
        caller = caller_of(transport, concurrency=1, auth=KEY)
        tasks = [asyncio.create_task(caller.call(REQUEST, read)) for _ in range(3)]
        await asyncio.sleep(at)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        assert len(asyncio.all_tasks()) == 1
        assert (caller._attempts._gate.in_flight, caller._attempts._gate.waiting) == (0, 0)
        assert await caller.call(REQUEST, read) == "fine"

    @pytest.mark.parametrize("steps", range(20))
    async def test_at_any_step_it_leaves_nothing_and_the_next_call_is_served(self, steps: int) -> None:
        outcomes: list[Outcome] = [Disconnected("closed")]
        gateway = Gateway(refusals=1)
        transport = FakeTransport(lambda sent: outcomes.pop(0) if outcomes else gateway(sent))
        caller = caller_of(transport, concurrency=1, auth=KEY)
        tasks = [asyncio.create_task(caller.call(REQUEST, read)) for _ in range(2)]
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert len(asyncio.all_tasks()) == 1
        assert (caller._attempts._gate.in_flight, caller._attempts._gate.waiting) == (0, 0)
        assert await caller.call(REQUEST, read) == "fine"


class TestSecrets:
    @pytest.mark.parametrize(
        "failure",
        [FAULT, answer("<html>CANARY-free</html>"), answer("", 500), envelope(code=1203), BrokenBody("cut")],
        ids=str,
    )
    async def test_no_error_shows_them_not_even_with_local_variables(self, failure: Outcome) -> None:
        gateway = Gateway()
        transport = FakeTransport(lambda sent: gateway(sent) if "/token/" in sent.request.url else failure)
        caller = caller_of(transport, auth=KEY, policy=RetryPolicy(max_tries=2))
        with pytest.raises(AioflowsError) as caught:
            await caller.call(REQUEST, read)
        shown = [repr(caught.value), repr(caller)]
        step = caught.value.__traceback__
        while step is not None:
            shown.append(
                repr(step.tb_frame.f_locals) if "aioflows/_net" in step.tb_frame.f_code.co_filename else ""
            )
            step = step.tb_next
        assert not any("secret-CANARY" in text or "access-CANARY" in text or "'t1'" in text for text in shown)
