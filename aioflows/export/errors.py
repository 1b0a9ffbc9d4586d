"""The errors of a target, and the conversion of errors of the system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aioflows.errors import AioflowsError

__all__ = ["DraftDamaged", "ReaderGone", "SinkError", "as_sink_error", "reason"]


class SinkError(AioflowsError):
    """The output cannot be written."""


class ReaderGone(SinkError):
    """The reader of the output has closed the pipe, as ``head`` does after its last line."""


class DraftDamaged(SinkError):
    """Rows that the journal of an unfinished export counts are missing.

    Args:
        name: the target's name.
        lost: the rows that are missing, as a clause.
    """

    def __init__(self, name: str, lost: str) -> None:
        super().__init__(
            f"the unfinished export of {name} cannot be resumed: {lost}; "
            "give overwrite=True (--overwrite) to begin again"
        )


@contextmanager
def as_sink_error(name: str) -> Iterator[None]:
    """Convert an `OSError` of the block into a `SinkError` that names the target *name*."""
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGone(f"{name} cannot be written: the reader has closed it before the end") from error
    except OSError as error:
        raise SinkError(f"{name} cannot be written: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Return the reason of an error, without the number and the path that Python adds."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
