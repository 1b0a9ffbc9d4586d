"""What can go wrong with a target, and the one way in which the system's own errors get a name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aioflows.errors import AioflowsError

__all__ = ["ReaderGone", "SinkError", "reason", "told"]


class SinkError(AioflowsError):
    """The output cannot be written."""


class ReaderGone(SinkError):
    """Whoever read our output has closed the pipe, as ``head`` does when it has enough."""


@contextmanager
def told(name: str) -> Iterator[None]:
    """Name what the system refuses: *name* is what was to be written."""
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGone(f"nobody reads {name} any more") from error
    except OSError as error:
        raise SinkError(f"{name} cannot be written: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Say why, without the number and the path that Python adds."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
