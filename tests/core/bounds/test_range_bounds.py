"""The bounds of requests: which windows are sent for those that a scan means, and what is made of their answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import attrs
import pytest

from aioflows import CompletenessError
from aioflows._core.bounds.range_bounds import RangeBounds
from aioflows._core.bounds.range_check import Answer
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.wire.zone import Zone
from aioflows.errors import ServiceError

DAY = 86_400_000
NOON = 20_000 * DAY + DAY // 2
Rule = Callable[[int, int, int], bool]


@attrs.frozen
class Rows:
    """A page of rows: their times (ms), from which ids and texts are made."""

    at: Sequence[int]
    body: bytes = b""
    count: int | None = None
    plan: None = None

    @property
    def size(self) -> int:
        return len(self.body)

    @property
    def ids(self) -> list[str]:
        return [str(ms) for ms in self.at]

    @property
    def times(self) -> list[str]:
        return [str(datetime.fromtimestamp(ms // 1000, tz=UTC))[:19] for ms in self.at]

    def instances(self, *_: object, **__: object) -> list[object]:
        raise NotImplementedError


def ask(first: int, until: int) -> PageRequest:
    return PageRequest(first, until, Direction(descending=False), 100)


def bounds(edges: tuple[int, ...] = (), zone: str = "UTC") -> tuple[RangeBounds, list[Answer]]:
    delivered: list[Answer] = []
    one = RangeBounds(edges, lambda _, answer: delivered.append(answer))
    one.zone = Zone.parse(zone)
    return one, delivered


def answered(
    rows: Sequence[int], rule: Rule, meant: PageRequest, edges: tuple[int, ...]
) -> tuple[Answer, int]:
    """Return what a window is answered with by a service of these rows, and the requests that took."""
    one, delivered = bounds(edges)
    todo, sent = [one.sent(meant)], 0
    while todo:
        request = todo.pop(0)
        sent += 1
        shown = [ms for ms in sorted(rows) if rule(ms, request.from_ms, request.to_ms)]
        page: Page = Rows(shown)  # type: ignore[assignment]
        one.received(request, page)
        todo += one.wanted()
    (answer,) = delivered
    return answer, sent


HALF_OPEN: Rule = lambda ms, first, until: first <= ms < until  # noqa: E731
EXCLUDED: Rule = lambda ms, first, until: first < ms < until  # noqa: E731
SECONDS: Rule = lambda ms, first, until: first // 1000 * 1000 <= ms < until // 1000 * 1000  # noqa: E731
MINUTES: Rule = lambda ms, first, until: first // 60_000 * 60_000 <= ms < until // 60_000 * 60_000  # noqa: E731


@pytest.mark.parametrize(
    ("edges", "meant", "sent"),
    [
        ((), (0, 5_000), (-1, 5_000)),
        ((), (1_500, 5_000), (1_500, 5_000)),
        ((1_500,), (1_500, 5_000), (-1, 5_000)),
        ((5_000,), (0, 5_000), (-1, 60_000)),
        ((0, 60_000), (0, 60_000), (-1, 60_000)),
    ],
)
def test_a_window_is_sent_a_millisecond_wider_and_the_query_to_whole_minutes(
    edges: tuple[int, ...], meant: tuple[int, int], sent: tuple[int, int]
) -> None:
    """A start inside a second is left alone, unless it is the query's own."""
    one, _ = bounds(tuple(NOON + edge for edge in edges))
    request = one.sent(ask(NOON + meant[0], NOON + meant[1]))
    assert (request.from_ms - NOON, request.to_ms - NOON) == sent


def test_no_margin_crosses_a_change_of_the_clocks() -> None:
    """Wall clocks do not show there which rows came too much."""
    one, _ = bounds(zone="Europe/Berlin")
    turn = 1_729_990_800_000
    assert one.sent(ask(turn, turn + 5_000)).from_ms == turn


@pytest.mark.parametrize("rule", [HALF_OPEN, EXCLUDED, SECONDS])
@pytest.mark.parametrize("beside", [(), (-1,), (-400,), (-60_000,), (-1, -400)])
def test_a_page_is_what_was_meant_whatever_stands_beside_it(beside: tuple[int, ...], rule: Rule) -> None:
    rows = [NOON + ms for ms in (*beside, 0, 1, 999, 4_000)]
    answer, _ = answered(rows, rule, ask(NOON, NOON + 10_000), (NOON, NOON + 10_000))
    assert not isinstance(answer, Exception)
    assert list(answer.ids) == [str(NOON + ms) for ms in (0, 1, 999, 4_000)]


def test_a_page_without_a_row_beside_it_costs_no_request() -> None:
    assert answered([NOON], HALF_OPEN, ask(NOON, NOON + 10_000), (NOON, NOON + 10_000))[1] == 1


def test_a_row_that_only_the_wider_window_shows_is_an_error() -> None:
    """It stands in the minute that the service cuts off, beside a row behind the range."""
    rows = [NOON + 1_000, NOON + 50_000]
    answer, _ = answered(rows, MINUTES, ask(NOON, NOON + 10_000), (NOON, NOON + 10_000))
    assert isinstance(answer, CompletenessError)
    assert "rounds the range" in str(answer)


def test_a_window_that_may_be_refused_for_its_margin_is_sent_as_it_was_meant() -> None:
    """Services limit ranges to whole days. A refusal that may be about the page number is left to the scan."""
    one, delivered = bounds()
    refused = ServiceError(62_102, "time range must not exceed 1 days")
    meant = ask(NOON, NOON + DAY)
    one.received(one.sent(meant), refused)
    assert delivered == [refused]
    following = attrs.evolve(meant, page_no=1)
    assert one.sent(following).from_ms == NOON - 1, "the number of the page may have been refused"
    one.received(one.sent(following), refused)
    assert delivered == [refused, refused]
    assert one.sent(meant) is meant
    assert one.sent(ask(NOON + DAY, NOON + 3 * DAY)).from_ms == NOON + DAY - 1


@pytest.mark.parametrize("every", [2, 3, 4, 5])
@pytest.mark.parametrize("step", [-1, 0])
def test_false_empty_answers_do_not_show_that_a_start_is_excluded(step: int, every: int) -> None:
    """A row of the millisecond before would be taken for one of the range."""
    for begun in range(every):
        one, delivered = bounds()
        meant, number = ask(NOON + 300, NOON + 10_000), begun
        todo = [one.sent(meant)]
        while todo:
            request = todo.pop(0)
            number += 1
            rows = [NOON + 300 + step] if request.from_ms <= NOON + 300 + step < request.to_ms else []
            one.received(request, Rows(rows if number % every else []))  # type: ignore[arg-type]
            todo += one.wanted()
        assert len(delivered) == 1
        assert one.sent(ask(NOON + 700, NOON + 10_000)).from_ms == NOON + 700
