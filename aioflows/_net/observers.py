"""Who is told what happens: the one observer, and the logger ``aioflows``, a line for each event.

1. Looking on costs nothing where nobody looks: who has an event to tell asks first whether it is `wanted`.
2. It harms nobody: what an observer raises is logged, the first time, and goes no further.
3. One event is one line. Whatever comes from the service is escaped and cut, so that no answer forges a line.
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

__all__ = ["Observer", "Observers", "ScanWatch", "line"]

Observer = Callable[[Event], object]

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
"""What is not here happens with every request, and is for who debugs."""


class Observers:
    """Tells events.

    Args:
        observer: is called with each *event*; None: only the log is told.

    Raises:
        QueryError: the observer cannot be called, or would have to be awaited.
    """

    def __init__(self, observer: Observer | None = None) -> None:
        if observer is not None and (not callable(observer) or inspect.iscoroutinefunction(observer)):
            raise QueryError(f"observer must be a plain function that takes an event, not {observer!r}")
        self._observer = observer
        self._failed = False

    def wanted(self, kind: type[Event]) -> bool:
        """Tell whether anybody wants to know of such events."""
        return self._observer is not None or _log.isEnabledFor(_LEVELS.get(kind, logging.DEBUG))

    def tell(self, event: Event) -> None:
        """Let everybody know."""
        level = _LEVELS.get(type(event), logging.DEBUG)
        if _log.isEnabledFor(level):
            _log.log(level, "%s", line(event))
        if self._observer is None:
            return
        try:
            self._observer(event)
        except Exception:  # noqa: BLE001  (it looks on; what it does wrong is nobody else's business)
            if not self._failed:  # it may fail at every request
                self._failed = True
                _log.warning(
                    "the observer failed; it is called all the same, and this is said once", exc_info=True
                )


class ScanWatch:
    """Tells what happens to one scan: that it began, what it has proven, and, once, that it ended.

    Args:
        watch: who is told.
        query: *what* is read.
        resumed: whether another scan of it has stopped before.
    """

    def __init__(self, watch: Observers, query: FlowQuery, *, resumed: bool) -> None:
        self.number = next(_numbers)
        """Which scan it is."""
        self._watch = watch
        self._query = query
        self._resumed = resumed
        self._open = False

    def began(self) -> None:
        """Tell that it is iterated for the first time."""
        self._open = True
        if self._watch.wanted(ScanBegan):
            query = self._query
            self._watch.tell(
                ScanBegan(
                    scan=self.number,
                    from_ms=query.from_ms,
                    to_ms=query.to_ms,
                    order_by=query.order_by,
                    resumed=self._resumed,
                )
            )

    def news(self, news: PendingEvent) -> None:
        """Tell what the machine has found out."""
        if self._watch.wanted(cast("type[Event]", news.func)):
            self._watch.tell(news(scan=self.number))

    def ended(
        self, outcome: ScanOutcome, rows: int, requests: int, elapsed: float, error: AioflowsError | None
    ) -> None:
        """Tell how it ended, unless that was told, or it never began."""
        if self._open and self._watch.wanted(ScanEnded):
            self._watch.tell(
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


def line(event: Event) -> str:
    """Give an event as one line: its kind, and its facts as ``name=value``, those left out that are None."""
    facts = ((field.name, getattr(event, field.name)) for field in attrs.fields(type(event)))
    told = (f"{name}={_shown(value)}" for name, value in facts if value is not None)
    return " ".join((type(event).__name__, *told))


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
