"""What a page says of its service: refusals pass after a while, and an outage ends with an answer."""

from __future__ import annotations

import pytest

from aioflows import ConnectFailed, Paused, RequestEnded, RequestThrottled, Throttled
from aioflows._core.board.service_health import ServiceHealth


def ended(error: Exception | None = None) -> RequestEnded:
    return RequestEnded(scan=None, request=1, operation="search", attempt=1, duration=0.1, error=error)  # type: ignore[arg-type]


def refused(retry_after: float | None = None) -> RequestThrottled:
    error = Throttled(429, "too many")
    return RequestThrottled(
        scan=None, request=1, operation="search", attempt=1, retry_after=retry_after, error=error
    )


def test_an_outage_is_shown_after_a_moment_until_the_next_answer() -> None:
    health = ServiceHealth()
    health.on_event(ended(), 1_000)
    health.on_event(ended(ConnectFailed("nobody listens")), 2_000)
    assert health.state(2_500) == {"state": "ok"}  # one failed attempt is no outage
    assert health.state(4_000) == {"state": "down", "since": 2_000, "text": "nobody listens"}
    health.on_event(ended(), 5_000)
    assert health.state(5_000) == {"state": "ok"}


def test_refusals_are_shown_since_the_first_and_for_a_while_after_the_last() -> None:
    health = ServiceHealth()
    for now in (1_000, 6_000, 12_000):
        health.on_event(refused(), now)
        health.on_event(ended(), now + 100)  # other requests are answered
    assert health.state(20_000) == {
        "state": "throttled",
        "since": 1_000,
        "text": health.state(20_000)["text"],
    }
    assert health.state(22_001) == {"state": "ok"}


@pytest.mark.parametrize("event", [refused(60), Paused(seconds=60, error=Throttled(429, "too many"))])
def test_a_pause_is_shown_to_its_end_unless_an_answer_comes(event: RequestThrottled | Paused) -> None:
    health = ServiceHealth()
    health.on_event(ended(), 900)
    health.on_event(event, 1_000)
    assert health.state(60_999)["state"] == "throttled"
    assert health.state(61_000) == {"state": "ok"}
    assert health.state(76_001)["state"] == "down"
    health.on_event(ended(), 20_000)
    assert health.state(20_000) == {"state": "ok"}


def test_a_service_that_hangs_is_down_since_its_last_answer() -> None:
    health = ServiceHealth(longest_silence=8_000)
    health.on_event(ended(), 1_000)
    assert health.state(9_000) == {"state": "ok"}
    assert health.state(9_001)["state"] == "down"
    assert health.state(9_001)["since"] == 1_000
    health.on_event(ended(), 9_500)
    assert health.state(9_500) == {"state": "ok"}
