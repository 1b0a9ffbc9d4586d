"""The receivers of events: the observer of a session, and the logger ``aioflows``.

1. Events cost nothing if they are not wanted: the caller asks `Observers.wanted` before it makes an event.
2. An observer cannot harm the session. Its first error is logged, and no error reaches the session.
3. One event is one line. Texts of the service are escaped and cut, so that no answer can forge a line.
"""

from __future__ import annotations

import enum
import inspect
import itertools
import logging
from collections.abc import Callable
from typing import Final, cast

import attrs

from aioflows._core.scans.machine import PendingEvent
from aioflows._display.text import printable
from aioflows.errors import AioflowsError, QueryError
from aioflows.events import (
    DriftFound,
    Event,
    Paused,
    RequestThrottled,
    Retried,
    ScanBegan,
    ScanEnded,
    ScanOutcome,
    TokenRenewed,
)
from aioflows.query import FlowQuery

__all__ = ["Observer", "Observers", "ScanWatch", "format_event"]

Observer = Callable[[Event], object]
"""A function that is called with each event of a session. It must return quickly."""

_log: Final = logging.getLogger("aioflows")
_LONGEST_TEXT: Final = 300
_numbers = itertools.count(1)

_LEVELS: Final[dict[type[Event], int]] = {
    ScanBegan: logging.INFO,
    ScanEnded: logging.INFO,
    TokenRenewed: logging.INFO,
    Retried: logging.INFO,
    RequestThrottled: logging.INFO,
    Paused: logging.WARNING,
    DriftFound: logging.WARNING,
}
"""The log levels of event types. Other types occur with every request and have the level DEBUG."""


class Observers:
    """The receivers of the events of one session.

    Args:
        observer: a function that is called with each event. None means that only the log receives events.

    Raises:
        QueryError: the observer is not callable, or is a coroutine function.
    """

    def __init__(self, observer: Observer | None = None) -> None:
        if observer is not None and (not callable(observer) or inspect.iscoroutinefunction(observer)):
            raise QueryError(f"observer must be a plain function that takes an event, not {observer!r}")
        self._observers = [] if observer is None else [observer]
        self._failed = False

    def add(self, observer: Observer) -> None:
        """Call a further observer with each event, until it is removed."""
        self._observers = [*self._observers, observer]

    def remove(self, observer: Observer) -> None:
        """Call an observer no more. Safe to call more than once."""
        self._observers = [one for one in self._observers if one != observer]

    def warn(self, text: str) -> None:
        """Write a warning to the log."""
        _log.warning("%s", printable(text))

    def wanted(self, kind: type[Event]) -> bool:
        """Return True if the observer or the log receives events of this type."""
        return bool(self._observers) or _log.isEnabledFor(_LEVELS.get(kind, logging.DEBUG))

    def emit(self, event: Event) -> None:
        """Send an event to the log and to the observer."""
        level = _LEVELS.get(type(event), logging.DEBUG)
        if _log.isEnabledFor(level):
            _log.log(level, "%s", format_event(event), extra={"event": event})
        for observer in self._observers:
            self._call(observer, event)

    def _call(self, observer: Observer, event: Event) -> None:
        try:
            observer(event)
        except Exception:  # noqa: BLE001  (an error of the observer must not end a scan)
            if not self._failed:  # an observer may fail at every event
                self._failed = True
                _log.warning(
                    "the observer failed; it is still called, and later failures are not logged",
                    exc_info=True,
                )


class ScanWatch:
    """The events of one scan: its beginning, its progress and, once, its end.

    Args:
        watch: the receivers of events.
        query: the query of the scan.
        resumed: True if the scan resumes an earlier one.
    """

    def __init__(self, watch: Observers, query: FlowQuery, *, resumed: bool) -> None:
        self.number = next(_numbers)
        """The number of the scan."""
        self._watch = watch
        self._query = query
        self._resumed = resumed
        self._open = False

    def began(self) -> None:
        """Emit the event that the scan is iterated for the first time."""
        self._open = True
        if self._watch.wanted(ScanBegan):
            query = self._query
            self._watch.emit(
                ScanBegan(
                    scan=self.number,
                    from_ms=query.from_ms,
                    to_ms=query.to_ms,
                    order_by=query.order_by,
                    resumed=self._resumed,
                )
            )

    def news(self, news: PendingEvent) -> None:
        """Emit an event of the machine."""
        if self._watch.wanted(cast("type[Event]", news.func)):
            self._watch.emit(news(scan=self.number))

    def ended(
        self, outcome: ScanOutcome, rows: int, requests: int, elapsed: float, error: AioflowsError | None
    ) -> None:
        """Emit the event that the scan ended, unless it was emitted before or the scan never began."""
        if self._open and self._watch.wanted(ScanEnded):
            self._watch.emit(
                ScanEnded(
                    scan=self.number,
                    outcome=outcome,
                    rows=rows,
                    requests=requests,
                    elapsed=elapsed,
                    error=error,
                )
            )
        self._open = False


def format_event(event: Event) -> str:
    """Return an event as one line: its type, and its fields as ``name=value``.

    Fields that are None are omitted.
    """
    values = ((field.name, getattr(event, field.name)) for field in attrs.fields(type(event)))
    fields = (f"{name}={_shown(value)}" for name, value in values if value is not None)
    return " ".join((type(event).__name__, *fields))


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, enum.Enum):
        text = value.name.lower()
    elif isinstance(value, AioflowsError):
        text = f"{type(value).__name__}: {value}"
    else:
        text = str(value)
    text = printable(text, _LONGEST_TEXT)
    if text and not any(char in text for char in ' "='):
        return text
    return '"' + text.replace('"', '\\"') + '"'
