"""The gateway refuses, redirects, or does not speak HTTP (faults H1 to H12).

How each status and each form of ``Retry-After`` is understood is in ``tests/core/wire/test_responses.py``; that several refusals at
once slow the session down but once is in ``tests/core/resilience/test_rate_estimate.py``.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aioflows import (
    AnswerError,
    BadCredentials,
    FlowQuery,
    RetryPolicy,
    ServerFault,
    ServiceError,
    Throttled,
    TransportError,
)
from aioflows._core.resilience.retry import Garbled
from aioflows.emulator import Fault
from aioflows.emulator.gateway.options import WAITS
from aioflows.query import SortKey
from tests.support.long import long_but
from tests.support.story import KEYS, ORDERS, Story, expected, session_with, told, world_of
from tests.support.wire import OK, Script, serving

REAL = pytest.mark.real_time
TIRED = {"retry": RetryPolicy(base=0.0, max_tries=3)}
SESSION: dict[str, Any] = {"latency": 0.1, "concurrency": 8, "retry": RetryPolicy()}


def after(story: Story, refused: int) -> list[float]:
    """When the searches were sent that came after the answer to that search, in seconds from that answer on."""
    answered = story.sent[refused - 1] + SESSION["latency"]
    return [at - answered for at in story.sent if at > answered + 1e-9]


class TestTooMany:
    # H1, H2

    @pytest.mark.parametrize("said", ["429-seconds", "429-date", "429-rfc850", "429-asctime", "503-seconds"])
    @pytest.mark.parametrize("order", ORDERS)
    async def test_everybody_waits_at_least_as_long_as_was_asked_however_it_was_said(
        self, said: str, order: SortKey | None
    ) -> None:
        story = await told(Fault(6, "throttle", seconds=20), throttle=said, order=order, session=SESSION)
        assert story.error is None
        assert story.stats.throttled == 1
        assert 20 <= min(after(story, 6)) < 23

    @pytest.mark.parametrize("wait", WAITS)
    @pytest.mark.parametrize("status", [403, 425, 500])
    async def test_whatever_the_status_and_the_header_are(self, status: int, wait: str) -> None:
        story = await told(
            Fault(6, "throttle", seconds=20), throttle=f"{status}-{wait}", session=SESSION, **KEYS
        )
        assert story.error is None
        assert story.stats.throttled == 1
        assert 20 <= min(after(story, 6)) < 23
        assert story.emulator.requests["token"] == 1, "the token was good all the time"

    @pytest.mark.parametrize("status", [404, 422])
    @pytest.mark.parametrize(
        "headers",
        [
            "X-RateLimit-Remaining: 57|X-RateLimit-Reset: 30",
            "RateLimit-Remaining: 9|RateLimit-Reset: 30",
            'RateLimit: "default";r=7;t=30',
        ],
    )
    async def test_a_refusal_with_a_quota_that_is_not_used_up_is_what_it_says(
        self, headers: str, status: int
    ) -> None:
        story = await told(
            Fault(6, f"http-{status}", headers=headers, times=1000), instances=20, session={"page_size": 1}
        )
        assert type(story.error) is ServiceError
        assert (story.stats.retries, story.stats.throttled) == (0, 0)

    # Too many, said by closing the connection

    @pytest.mark.parametrize("count_refused", [False, True])
    @pytest.mark.parametrize("said", ["close", "reset"])
    @pytest.mark.parametrize("order", long_but("trigger_time", of=ORDERS))
    async def test_connections_closed_beside_answers_slow_the_scan_down_and_lose_nothing(
        self, order: SortKey | None, said: str, count_refused: bool
    ) -> None:
        story = await told(
            rate=20,
            burst=10,
            throttle=said,
            count_refused=count_refused,
            order=order,
            instances=3_000,
            session={"concurrency": 16, "page_size": 10, "retry": RetryPolicy()},
        )
        assert story.error is None
        assert story.stats.throttled >= 1
        assert story.emulator.requests["throttled"] < 0.35 * len(story.outcomes)
        assert story.stats.elapsed < 3 * 3_000 / 10 / 20

    # H3, H6, E6

    @pytest.mark.parametrize("said", ["429", "503", "envelope"])
    async def test_where_no_wait_is_named_it_is_tried_again_after_one_of_ours(self, said: str) -> None:
        story = await told(Fault(6, "throttle", times=2), throttle=said, session=SESSION)
        assert story.error is None
        assert story.stats.retries == 2
        assert story.stats.waited > 0

    # H4

    @pytest.mark.parametrize(
        "said", ["soon", "-5", "²", "1.5.2", "1e3", "nan", "Wed, 99 Foo 2025 00:00:00 GMT"]
    )
    async def test_a_wait_that_cannot_be_read_is_one_of_ours(self, said: str) -> None:
        story = await told(Fault(6, "http-429", retry_after=said), session=SESSION)
        assert story.error is None
        assert (story.stats.retries, story.stats.throttled) == (1, 1)
        assert story.stats.elapsed < 10

    @pytest.mark.parametrize("said", ["5|20", "20|5", "20, 5"])
    async def test_of_two_waits_the_longer_one_counts(self, said: str) -> None:
        story = await told(Fault(6, "http-429", retry_after=said), session=SESSION)
        assert story.error is None
        assert 20 <= min(after(story, 6)) < 23

    @REAL
    async def test_two_headers_are_two_waits_on_the_wire_as_well(self) -> None:
        story = await told(Fault(6, "http-429", retry_after="0|1"), sockets=True)
        assert story.error is None
        assert 1.0 <= story.stats.elapsed < 3

    @pytest.mark.parametrize("said", ["3600", "9" * 5_000, "Fri, 01 Jan 2100 00:00:00 GMT"])
    async def test_a_wait_that_is_too_long_is_for_the_caller_to_decide(self, said: str) -> None:
        story = await told(Fault(6, "http-429", retry_after=said, times=1000), session=SESSION)
        assert type(story.error) is Throttled
        assert story.error.retry_after is not None
        assert story.error.retry_after >= 3600
        assert story.stats.retries == 0
        assert story.stats.elapsed < 10

    # H5

    async def test_eight_who_are_refused_together_come_back_one_by_one_and_none_too_early(self) -> None:
        with world_of(Fault(1, "storm", seconds=5)) as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=1)
            async with session_with(emulator, server_timezone="GMT+8", **SESSION) as (session, transport):
                pages = await asyncio.gather(*(session.page(query, number, 20) for number in range(8)))
            assert transport is not None
            got = [one.instance_id for page in pages for one in page.instances]
            assert sorted(got) == sorted(expected(emulator, query)[:160])
        sent = [one.at for one in transport.sent if one.request.method == "POST"]
        assert sent[:8] == pytest.approx([0.003 * n for n in range(8)])
        assert min(sent[8:]) >= 5 + SESSION["latency"]
        assert len(set(sent[8:])) == 8 == len(sent[8:]), "each once, and not all at that very moment"


class TestServerFault:
    # H6

    @pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
    async def test_a_server_that_fails_is_asked_again(self, status: int) -> None:
        story = await told(Fault(6, f"http-{status}", times=2))
        assert story.error is None
        assert story.stats.retries == 2

    @pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
    async def test_one_that_goes_on_failing_ends_the_scan_where_it_stands(self, status: int) -> None:
        story = await told(Fault(6, f"http-{status}", times=1000), session=TIRED)
        assert isinstance(story.error, ServerFault)
        assert story.error.code == status


class TestRejected:
    # H7

    @pytest.mark.parametrize("status", [400, 404, 405, 413, 422])
    async def test_a_request_that_is_rejected_is_not_sent_again(self, status: int) -> None:
        story = await told(
            Fault(6, f"http-{status}", times=1000), session={"page_size": 1, "concurrency": 1}, instances=20
        )
        assert type(story.error) is ServiceError
        assert story.error.code == status
        assert story.stats.retries == 0
        assert "scripted fault" in str(story.error)
        assert len(story.error.message) <= 200

    @pytest.mark.parametrize("order", [*ORDERS, "start_time", "-end_time"])
    @pytest.mark.parametrize("refusal", ["400", "413", "1004"])
    @pytest.mark.parametrize("limit", [20, 30, 39])
    async def test_a_page_size_that_is_refused_is_halved_once(
        self, refusal: str, limit: int, order: SortKey | None
    ) -> None:
        emulator = world_of(refuse_page_size_above=limit, page_size_refusal=refusal)
        with emulator:
            query = FlowQuery(emulator.start, emulator.end, type=1, order_by=order)
            async with session_with(emulator, page_size=40, buffer=100) as (session, _):
                rows = [one.instance_id async for one in session.scan(query)]
            assert sorted(rows) == sorted(expected(emulator, query))
            refused = [one for one in emulator.searches if one.rows == 0 and one.page_size == 40]
        assert len(refused) <= 2, "page 0, and page 1 in case that was what was wrong with it"

    @pytest.mark.parametrize("first_page", [0, 1])
    async def test_in_scans_of_all_types_as_well(self, first_page: int) -> None:
        story = await told(
            refuse_page_size_above=20,
            page_size_refusal="413",
            schedule_types=(0, 1, 2),
            first_page=first_page,
            page_zero="parameter",
            session={"page_size": 40},
        )
        assert story.error is None

    async def test_the_largest_page_that_is_not_refused_is_found_in_a_few_requests(self) -> None:
        story = await told(refuse_page_size_above=19, page_size_refusal="413", session={"page_size": 40})
        assert story.error is None
        sizes = [one.page_size or 0 for one in story.emulator.searches]
        assert len({size for size in sizes if size > 19}) <= 4, f"pages of {sizes}"
        assert max(size for size in sizes if size <= 19) >= 19 / 1.25


class TestUnauthorized:
    # H8

    @pytest.mark.parametrize("status", [401, 403])
    async def test_one_refusal_costs_one_renewal(self, status: int) -> None:
        story = await told(Fault(6, f"http-{status}"), **KEYS)
        assert story.error is None
        assert story.emulator.requests["token"] + story.emulator.requests["refresh"] <= 4

    @pytest.mark.parametrize("status", [401, 403])
    async def test_refused_again_with_a_new_token_means_bad_credentials(self, status: int) -> None:
        story = await told(Fault(6, f"http-{status}", times=1000), **KEYS, session={"concurrency": 1})
        assert type(story.error) is BadCredentials
        refusals = story.outcomes.count(f"http-{status}")
        assert refusals in (2, 4), (
            "each of the searches under way, of which there may be two, is refused twice"
        )


class TestRedirect:
    # H9

    @REAL
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("elsewhere", [True, False])
    async def test_no_redirect_is_followed(self, status: int, elsewhere: bool) -> None:
        other = Script(OK)
        async with serving(other) as origin:
            place = f"{origin}/flowInstances" if elsewhere else "/batch-processing-service/v2.1/flowInstances"
            story = await told(Fault(6, f"http-{status}", location=place, times=1000), sockets=True, **KEYS)
        assert type(story.error) is AnswerError
        assert "redirect" in str(story.error)
        assert story.stats.retries == 0
        assert other.connections == 0, "whoever is there has seen no request, and no token"


class TestNoAnswer:
    # H10

    @pytest.mark.parametrize(("status", "retries"), [(101, 0), (103, 0), (206, 3), (304, 0)])
    async def test_a_status_that_is_neither_yes_nor_no_is_no_answer(self, status: int, retries: int) -> None:
        story = await told(Fault(2, f"http-{status}", times=1000), session={"concurrency": 1})
        assert type(story.error) is AnswerError
        assert f"HTTP {status}" in str(story.error)
        assert retries <= story.stats.retries <= 2 * retries, "two searches are under way"

    @REAL
    @pytest.mark.parametrize("status", [101, 206, 304])
    async def test_nor_is_it_on_the_wire(self, status: int) -> None:
        story = await told(Fault(6, f"http-{status}", times=1000), sockets=True, session={"concurrency": 1})
        assert type(story.error) is AnswerError

    # H11

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("kind", ["html", "text", "torn-json", "no-answer", "invalid-utf8", "empty"])
    async def test_what_cannot_be_read_three_times_running_is_asked_for_again_after_waits(
        self, kind: str, order: SortKey | None
    ) -> None:
        story = await told(
            Fault(3, kind, times=3), order=order, session={"concurrency": 1, "retry": RetryPolicy()}
        )
        assert story.error is None
        assert story.stats.retries == 3
        assert story.stats.waited > 0

    async def test_and_then_ends_the_scan(self) -> None:
        story = await told(Fault(2, "html", times=1000), session={"concurrency": 1})
        assert type(story.error) is AnswerError
        assert "web page" in str(story.error)
        assert story.most_failures == 4


class TestNotHttp:
    # H12; which error each becomes is in tests/net/test_http.py

    KINDS = ("garbage", "bad-status-line", "long-header", "many-headers", "two-lengths")

    @REAL
    @pytest.mark.parametrize("kind", KINDS)
    async def test_it_is_asked_for_again_on_a_fresh_connection(self, kind: str) -> None:
        story = await told(Fault(6, kind), sockets=True)
        assert story.error is None
        assert story.stats.retries == 1

    @REAL
    @pytest.mark.parametrize("kind", KINDS)
    async def test_and_then_ends_the_scan(self, kind: str) -> None:
        story = await told(Fault(2, kind, times=1000), sockets=True, session={"concurrency": 1})
        assert type(story.error) is Garbled
        assert isinstance(story.error, TransportError)
        assert story.most_failures == 4

    @REAL
    @pytest.mark.parametrize("order", ORDERS)
    async def test_an_answer_that_nobody_asked_for_is_taken_for_no_other(self, order: SortKey | None) -> None:
        story = await told(
            Fault(3, "bytes-after", times=5), order=order, sockets=True, session={"concurrency": 2}
        )
        assert story.error is None
