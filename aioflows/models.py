"""What the service answers with, as values: plain attrs classes that know nothing of JSON."""

from __future__ import annotations

import enum

__all__ = ["FlowStatus", "ScheduleType"]


class ScheduleType(enum.IntEnum):
    """How an instance came to be scheduled (the request's ``type``)."""

    MANUAL = 0
    PERIODIC = 1
    TEMPORARY = 2


class FlowStatus(enum.IntEnum):
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
