"""How the service of a board does, from the events of its session: well, throttling, or down."""

from __future__ import annotations

from typing import Any

from aioflows._display.text import printable
from aioflows.errors import AnswerError, ServerFault, Throttled, TransportError
from aioflows.events import Event, Paused, RequestEnded, RequestThrottled

__all__ = ["OUTAGES", "ServiceHealth"]

OUTAGES = (TransportError, ServerFault, Throttled, AnswerError)
"""The errors that may pass. Any other error is an answer of the service."""
_THROTTLED_MS = 10_000
"""How long a refusal for too many requests is shown at least, unless another one follows."""
_DOWN_MS = 2_000
"""How long a service may answer with errors only before it counts as down."""
_LONGEST_TEXT = 200
_NO_ANSWER = "no answer comes, and no error either"


class ServiceHealth:
    """Whether the service answers, as its events show. Times are ms of any clock that does not go back.

    Args:
        longest_silence: the time without an answer after which the service counts as down, unless a pause is known
            (ms). Default: 15,000.
    """

    def __init__(self, longest_silence: float = 15_000) -> None:
        self._longest_silence = longest_silence
        self._refused = self._throttled_until = 0
        self._throttled_since: int | None = None
        self._failing_since: int | None = None
        self._text = ""
        self._stopped: tuple[str, int | None] = "", None
        self.answered: int | None = None
        """The time of the last answer. None means that there was none."""

    def on_event(self, event: Event, now: int) -> None:
        """Process an event of the session."""
        if isinstance(event, (RequestThrottled, Paused)):
            if self.state(now)["state"] != "throttled":
                self._throttled_since = now
            named = event.seconds if isinstance(event, Paused) else event.retry_after or 0
            self._refused = now
            self._throttled_until = max(self._throttled_until, now + max(_THROTTLED_MS, round(named * 1000)))
            self._text = _reason(event.error)
        elif isinstance(event, RequestEnded) and not event.cancelled:
            if isinstance(event.error, Throttled):
                return
            if isinstance(event.error, OUTAGES):
                self.failed(event.error, now)
            else:
                self.answered, self._failing_since = now, None
                if now >= self._refused + _THROTTLED_MS:  # an answer ends a pause that was named too long
                    self._throttled_until = min(self._throttled_until, now)

    def failed(self, error: Exception, now: int) -> None:
        """Note an error that may pass."""
        if self._failing_since is None:
            self._failing_since = now
        self._text = _reason(error)

    def stopped(self, error: Exception, until: int | None) -> None:
        """Note an error that does not pass by itself.

        Args:
            error: the error.
            until: the time until which it is shown, unless it comes again before. None means for ever.
        """
        self._stopped = _reason(error), until

    def state(self, now: int) -> dict[str, Any]:
        """Return the state as values of JSON: "ok", "throttled", "down" or "stopped", since when, and the reason."""
        text, until = self._stopped
        if text and (until is None or now < until):
            return {"state": "stopped", "text": text}
        failing = self._failing_since
        if failing is not None and (self.answered is None or now - failing >= _DOWN_MS):
            return {"state": "down", "since": failing, "text": self._text}
        if now < self._throttled_until:
            return {"state": "throttled", "since": self._throttled_since, "text": self._text}
        if self.answered is None or now - max(self.answered, self._throttled_until) <= self._longest_silence:
            return {"state": "ok"}
        return {"state": "down", "since": self.answered, "text": _NO_ANSWER}


def _reason(error: Exception) -> str:
    return printable(str(error), _LONGEST_TEXT)
