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
"""How long a refusal for too many requests is shown, unless another one follows."""
_DOWN_MS = 2_000
"""How long a service may answer with errors only before it counts as down."""
_LONGEST_TEXT = 200


class ServiceHealth:
    """Whether the service answers, as its events show. Times are ms of any clock that does not go back."""

    def __init__(self) -> None:
        self._refused: int | None = None
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
            self._refused = now
            self._text = _reason(event.error)
        elif isinstance(event, RequestEnded) and not event.cancelled:
            if isinstance(event.error, Throttled):
                return
            if isinstance(event.error, OUTAGES):
                self.failed(event.error, now)
            else:
                self.answered, self._failing_since = now, None

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
        if self._refused is not None and now - self._refused < _THROTTLED_MS:
            return {"state": "throttled", "since": self._throttled_since, "text": self._text}
        return {"state": "ok"}


def _reason(error: Exception) -> str:
    return printable(str(error), _LONGEST_TEXT)
