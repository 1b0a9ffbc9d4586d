"""The statuses that end a wait, from the forms in which a caller may give them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from aioflows._numbers import as_whole
from aioflows.errors import QueryError
from aioflows.models import FlowStatus

__all__ = ["Until", "statuses_of"]

Until: TypeAlias = "Callable[[FlowStatus], bool] | property | Iterable[FlowStatus | int | str] | FlowStatus"
"""A predicate of a status, a property of `FlowStatus`, a status, or several. A status may be given by its name."""


def statuses_of(until: Until) -> frozenset[int]:
    """Return the codes of the statuses that end a wait.

    A predicate is called at once, with each member of `FlowStatus`. So a status code that is not in the
    vendor's table never satisfies a predicate, but it may be given as a number.

    Raises:
        QueryError: the value has another form, or no status ends the wait.
    """
    test: Any = until.fget if isinstance(until, property) else until
    if isinstance(until, str) or as_whole(until) is not None:
        codes = frozenset({_code(until)})
    elif callable(test):
        try:
            codes = frozenset(int(status) for status in FlowStatus if test(status))
        except AttributeError as error:
            raise QueryError(
                f"until is called with a FlowStatus, which has no such attribute: {error}; give FlowStatus.is_final, or "
                "a function of a FlowStatus"
            ) from error
    else:
        codes = frozenset(map(_code, _several(test)))
    if not codes:
        raise QueryError("until accepts no status, so the wait would not end; give at least one status")
    return codes


def _several(until: object) -> Iterable[object]:
    if not isinstance(until, Iterable):
        raise QueryError(
            f"until must be FlowStatus.is_final, a function of a status, or statuses, not {until!r}"
        )
    return until


def _code(value: object) -> int:
    if isinstance(value, str) and value.upper() in FlowStatus.__members__:
        return int(FlowStatus[value.upper()])
    code = as_whole(value)
    if code is None:
        raise QueryError(f"until: {value!r} is not a status; give members of FlowStatus")
    return code
