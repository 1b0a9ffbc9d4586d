"""The request for one page, in scan time.

1. Scan time runs in the direction of the scan. A scan in descending order mirrors time: ``u = ~t``, so the
   window ``[a, b)`` becomes ``[-b, -a)``. All modules that use this module know ascending scans only.
2. Windows are half-open, in milliseconds.
"""

from __future__ import annotations

import attrs

__all__ = ["Direction", "PageRequest"]


@attrs.frozen
class Direction:
    """The direction of a scan: real time, or its mirror image."""

    descending: bool

    def window(self, first: int, until: int) -> tuple[int, int]:
        """Convert a window of scan time to real time, or back."""
        return (-until, -first) if self.descending else (first, until)

    def second(self, value: int) -> int:
        """Convert a second of real time to scan time, or back."""
        return ~value if self.descending else value


@attrs.frozen(eq=False)
class PageRequest:
    """The request for one page.

    Args:
        first: start of the window, in scan time (ms).
        until: end of the window, exclusive, in scan time (ms).
        axis: direction of the scan.
        page_size: page size (rows).
        backward: True to sort against scan time, so that the page proves the end of its window. Default:
            False.
        page_no: page number as it is sent. Default: 0.
        tries: attempts before a failure of the service is reported. Default: None, which means the limit of the
            retry policy.
        reads: attempts whose answers may be unreadable. Default: None, which means the limit of the policy.
        expression: text that rows must contain in addition to the query's filters. Default: no text.
        field: field to sort by. Default: the trigger time.
        ties: further fields to sort by, for rows with the same value of `field`. Default: no fields.
        status: status codes to request instead of the query's. Default: None, which means the query's.
        bare: True to leave out the query's status, owner and expression. Default: False.
    """

    first: int
    until: int
    axis: Direction
    page_size: int
    backward: bool = False
    page_no: int = 0
    tries: int | None = None
    reads: int | None = None
    expression: str = ""
    field: str = "trigger_time"
    ties: tuple[str, ...] = ()
    status: tuple[int, ...] | None = None
    bare: bool = False

    @property
    def sorters(self) -> tuple[tuple[str, bool], ...]:
        """The fields to sort by, as pairs of a field and True if it is descending."""
        return tuple((field, self.descending) for field in (self.field, *self.ties))

    @property
    def whole(self) -> bool:
        """True if the answer is decoded in full when it comes, not only its ids and trigger times."""
        return self.field != "trigger_time"  # the order of rows is checked by this field

    @property
    def from_ms(self) -> int:
        """The start of the window in real time (ms)."""
        return self.axis.window(self.first, self.until)[0]

    @property
    def to_ms(self) -> int:
        """The end of the window, exclusive, in real time (ms)."""
        return self.axis.window(self.first, self.until)[1]

    @property
    def descending(self) -> bool:
        """True if the service must sort in descending order."""
        return self.axis.descending != self.backward
