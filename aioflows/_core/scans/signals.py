"""What a scan returns when it has no rows: it needs more answers, or everything was returned."""

from __future__ import annotations

import enum
from typing import Final

__all__ = ["DONE", "NEED_PAGES", "Signal"]


class Signal(enum.Enum):
    """What a scan says when it has no rows to give."""

    NEED_PAGES = "more answers are needed"
    DONE = "everything was given"


NEED_PAGES: Final = Signal.NEED_PAGES
DONE: Final = Signal.DONE
