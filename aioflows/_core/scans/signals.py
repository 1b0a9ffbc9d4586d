"""The signals of a scan that has no rows to return: more answers are needed, or everything was returned."""

from __future__ import annotations

import enum
from typing import Final

__all__ = ["DONE", "NEED_PAGES", "Signal"]


class Signal(enum.Enum):
    """A signal that a scan returns instead of rows."""

    NEED_PAGES = "more answers are needed"
    DONE = "everything was given"


NEED_PAGES: Final = Signal.NEED_PAGES
DONE: Final = Signal.DONE
