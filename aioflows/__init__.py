"""Every EnOS flow instance, exactly once, in order.

An asyncio library that reads all answers of the EnOS operation "List Flow Instances" to a query: fast, in
order, and provably without a gap. Start with `FlowSession` and `FlowQuery`. The module `aioflows.errors`
shows the tree of errors.
"""

import logging as _logging

from aioflows._net.observers import Observer
from aioflows._net.transport import Answer, Request, Transport
from aioflows.checkpoint import Checkpoint, FollowCheckpoint
from aioflows.errors import (
    AioflowsError,
    AnswerError,
    BadCredentials,
    BrokenBody,
    CompletenessError,
    ConnectFailed,
    DeadlineExceeded,
    Denied,
    QueryError,
    ServerFault,
    ServiceError,
    Throttled,
    TimedOut,
    TokenExpired,
    TransportError,
)
from aioflows.events import (
    DriftFound,
    Event,
    Paused,
    RequestEnded,
    RequestEvent,
    RequestSent,
    RequestThrottled,
    Retried,
    ScanBegan,
    ScanEnded,
    ScanEvent,
    ScanOutcome,
    TokenRenewed,
    WindowDone,
)
from aioflows.follow import FlowFollow
from aioflows.models import FlowInstance, FlowPage, FlowStatus, ScheduleType
from aioflows.query import FlowQuery
from aioflows.scan import FlowScan
from aioflows.session import FlowSession
from aioflows.settings import AppKey, Limits, RetryPolicy
from aioflows.stats import CountedWindow, FollowStats, Proof, ScanPlan, ScanStats

__version__ = "0.1.0"

_logging.getLogger(__name__).addHandler(_logging.NullHandler())

__all__ = [
    "AioflowsError",
    "Answer",
    "AnswerError",
    "AppKey",
    "BadCredentials",
    "BrokenBody",
    "Checkpoint",
    "CompletenessError",
    "ConnectFailed",
    "CountedWindow",
    "DeadlineExceeded",
    "Denied",
    "DriftFound",
    "Event",
    "FlowFollow",
    "FlowInstance",
    "FlowPage",
    "FlowQuery",
    "FlowScan",
    "FlowSession",
    "FlowStatus",
    "FollowCheckpoint",
    "FollowStats",
    "Limits",
    "Observer",
    "Paused",
    "Proof",
    "QueryError",
    "Request",
    "RequestEnded",
    "RequestEvent",
    "RequestSent",
    "RequestThrottled",
    "Retried",
    "RetryPolicy",
    "ScanBegan",
    "ScanEnded",
    "ScanEvent",
    "ScanOutcome",
    "ScanPlan",
    "ScanStats",
    "ScheduleType",
    "ServerFault",
    "ServiceError",
    "Throttled",
    "TimedOut",
    "TokenExpired",
    "TokenRenewed",
    "Transport",
    "TransportError",
    "WindowDone",
    "__version__",
]


def __dir__() -> list[str]:
    # An editor completes public names only: neither the submodules nor the private folders.
    return list(__all__)
