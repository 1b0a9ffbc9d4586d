"""What a page says of its service: refusals pass after a while, and an outage ends with an answer."""

from __future__ import annotations

from aioflows import ConnectFailed, RequestEnded, RequestThrottled, Throttled
from aioflows._core.board.service_health import ServiceHealth


def ended(error: Exception | None = None) -> RequestEnded:
    return RequestEnded(scan=None, request=1, operation="search", attempt=1, duration=0.1, error=error)  # type: ignore[arg-type]


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
        health.on_event(
            RequestThrottled(
                scan=None,
                request=1,
                operation="search",
                attempt=1,
                retry_after=None,
                error=Throttled(429, "too many"),
            ),
            now,
        )
        health.on_event(ended(), now + 100)  # other requests are answered
    assert health.state(20_000) == {
        "state": "throttled",
        "since": 1_000,
        "text": health.state(20_000)["text"],
    }
    assert health.state(22_001) == {"state": "ok"}
