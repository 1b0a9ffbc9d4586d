"""The signals that a scan returns instead of rows."""

from __future__ import annotations

import enum
from typing import Final

__all__ = ["DONE", "NEED_PAGES", "Signal"]


class Signal(enum.Enum):
    """A signal: more answers are needed, or everything was returned."""

    NEED_PAGES = "more answers are needed"
    DONE = "everything was given"


NEED_PAGES: Final = Signal.NEED_PAGES
DONE: Final = Signal.DONE
