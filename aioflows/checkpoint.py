"""Where a scan stands."""

from __future__ import annotations

import attrs

__all__ = ["Checkpoint"]


@attrs.frozen
class Checkpoint:
    """What had not been handed out."""
