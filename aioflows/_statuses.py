"""The codes of the service as enumerations: the states of an instance, and the ways in which it was scheduled."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, overload

if TYPE_CHECKING:
    from aioflows.models import FlowInstance

__all__ = ["FINAL", "STATUSES", "FlowStatus", "ScheduleType"]


class ScheduleType(enum.IntEnum):
    """The way in which an instance was scheduled (the request's ``type``)."""

    MANUAL = 0
    PERIODIC = 1
    TEMPORARY = 2


class _FinalTest:
    """The test whether a status is final: a bool of a member, and a function of the class."""

    @overload
    def __get__(
        self, status: None, owner: type
    ) -> Callable[[FlowStatus | int | FlowInstance | None], bool]: ...

    @overload
    def __get__(self, status: FlowStatus, owner: type) -> bool: ...

    def __get__(
        self, status: FlowStatus | None, owner: type
    ) -> bool | Callable[[FlowStatus | int | FlowInstance | None], bool]:
        return _is_final if status is None else status in FINAL


def _is_final(status: FlowStatus | int | FlowInstance | None) -> bool:
    """Return True if a status, or that of an instance, changes no more."""
    return (status if status is None or isinstance(status, int) else status.status) in FINAL


class _Finality:
    """What `FlowStatus` has beside its members, in a class of its own, since all that stands there is a member."""

    __slots__ = ()

    is_final = _FinalTest()
    """True if an instance in this state changes no more.

    Read on the class, ``FlowStatus.is_final`` is a function that tells this of a `FlowStatus`, a code or a
    `FlowInstance`. A code that is not in the table is not final, since its meaning is unknown.
    """


class FlowStatus(_Finality, enum.IntEnum):
    """The state of a flow instance (the vendor's table ``FlowInstanceStatus``)."""

    FAIL = -1
    INIT = 0
    SUCCESS = 1
    RUNNING = 2
    SUSPEND = 3
    INTERNAL_ERROR = 4
    WAIT = 5
    READY = 6
    TIMEOUT = 7
    CANCEL = 8
    RERUN = 9
    SKIP = 10

    def __str__(self) -> str:
        return self.name

    def __format__(self, spec: str) -> str:
        return format(int(self) if spec[-1:] in _FORMS_OF_NUMBERS else self.name, spec)


_FORMS_OF_NUMBERS = tuple("bcdoxXneEfFgG%")
STATUSES: Final[dict[int | None, FlowStatus]] = {one.value: one for one in FlowStatus}
FINAL: Final = frozenset(
    {
        FlowStatus.FAIL,
        FlowStatus.SUCCESS,
        FlowStatus.INTERNAL_ERROR,
        FlowStatus.TIMEOUT,
        FlowStatus.CANCEL,
        FlowStatus.SKIP,
    }
)
