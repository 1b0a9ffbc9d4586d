"""What a scan has done so far."""

from __future__ import annotations

import attrs

__all__ = ["ScanStats"]


@attrs.frozen
class ScanStats:
    """The account of a scan, as of the moment it was asked for.

    Args:
        requests: *searches* sent, every attempt counted.
        retries: *attempts* that were sent again.
        throttled: *answers* that said "too many requests".
        rows_received: *rows* in all answers.
        rows_yielded: *rows* handed to the consumer.
        duplicates: *rows* that came again and were dropped (the second that ends a page is always read again).
        windows: *time windows* that were proven complete.
        elapsed: *seconds* since the scan's first request.
    """

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    rows_received: int = 0
    rows_yielded: int = 0
    duplicates: int = 0
    windows: int = 0
    elapsed: float = 0.0
