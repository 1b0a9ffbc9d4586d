"""What happens on the way, as values for the one observer that a session may have."""

from __future__ import annotations

import attrs

from aioflows.errors import AioflowsError, Throttled

__all__ = ["Paused", "Retried"]


@attrs.frozen
class Retried:
    """A request failed and is sent again after a wait.

    Args:
        error: *why* it failed.
        tries: *attempts* so far.
        wait: *seconds* until the next.
    """

    error: AioflowsError
    tries: int
    wait: float


@attrs.frozen
class Paused:
    """The service asked for a rest, and no request of the session is sent before it is over.

    Args:
        error: what it *said*.
        seconds: how *long*.
    """

    error: Throttled
    seconds: float
