"""Requests that answers make necessary: which is next, and who is given its answer."""

from __future__ import annotations

from collections.abc import Generator

from aioflows._core.pages.page import NOTHING, Page
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.planning.follow_ups import FollowUps
from aioflows.errors import AioflowsError, TransportError
from tests.support.model import ModelPage


def request(number: int) -> PageRequest:
    """One request is equal to no other, whatever they ask for."""
    return PageRequest(number * 1000, number * 1000 + 1000, Direction(descending=False), 10)


FIRST, SECOND = request(1), request(2)


def answer(follow_ups: FollowUps, page: Page | AioflowsError) -> PageRequest:
    """Answer the next request."""
    ask = follow_ups.next()
    assert ask is not None, "nothing is to be asked"
    job = follow_ups.job(ask)
    assert job is not None, f"no job waits for the answer to {ask}"
    job(page)
    return ask


def test_requests_are_sent_in_the_order_in_which_they_were_found_necessary_and_once() -> None:
    follow_ups = FollowUps()
    asks = [request(number) for number in (3, 1, 2)]
    for ask in asks:
        follow_ups.add(ask)
    assert [follow_ups.next() for _ in range(4)] == [*asks, None]


def test_an_answer_is_given_to_its_job_once_and_without_a_job_goes_the_ordinary_way() -> None:
    follow_ups = FollowUps()
    got: list[Page | AioflowsError] = []
    follow_ups.add(FIRST, got.append)
    follow_ups.add(SECOND)
    job = follow_ups.job(FIRST)
    assert job is not None
    job(NOTHING)
    assert got == [NOTHING]
    assert follow_ups.job(FIRST) is None, "a second answer would be taken as well"
    assert follow_ups.job(SECOND) is None


def test_a_request_that_is_sent_anyway_is_not_sent_twice_for_the_job_that_waits_for_it() -> None:
    follow_ups = FollowUps()
    follow_ups.expect(FIRST, lambda answer: None)
    assert follow_ups.next() is None
    assert follow_ups.job(FIRST) is not None


def test_a_script_asks_one_request_after_the_other_and_its_result_is_passed_on() -> None:
    """A request is named only after the one before it was answered, and one that failed is answered with None."""
    follow_ups = FollowUps()
    results: list[list[Page | None]] = []

    def script() -> Generator[PageRequest, Page | None, list[Page | None]]:
        first = yield FIRST
        second = yield SECOND
        return [first, second]

    follow_ups.run(script(), results.append)
    page = ModelPage(["1-1"], ["2024-01-01 00:00:00"])
    assert answer(follow_ups, page) == FIRST
    assert results == []
    assert answer(follow_ups, TransportError("gone")) == SECOND
    assert results == [[page, None]]
    assert follow_ups.next() is None


def test_a_script_that_has_nothing_to_ask_is_done_at_once() -> None:
    follow_ups = FollowUps()
    results: list[str] = []

    def script() -> Generator[PageRequest, Page | None, str]:
        return "done"
        yield

    follow_ups.run(script(), results.append)
    assert (results, follow_ups.next()) == (["done"], None)


def test_a_script_that_is_started_gets_an_error_raised_at_the_request_that_failed() -> None:
    follow_ups = FollowUps()
    story: list[object] = []

    def script() -> Generator[PageRequest, Page, None]:
        try:
            story.append((yield FIRST))
        except TransportError as error:
            story.append(str(error))
        story.append((yield SECOND))

    follow_ups.start(script())
    page = ModelPage(["1-1"], ["2024-01-01 00:00:00"])
    assert answer(follow_ups, TransportError("gone")) == FIRST
    assert answer(follow_ups, page) == SECOND
    assert story == ["gone", page]
    assert follow_ups.next() is None
