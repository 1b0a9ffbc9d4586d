"""Every EnOS flow instance, exactly once, in order.

An asyncio library that reads *all* of what the EnOS operation "List Flow Instances" holds for a question: fast, in
order, and provably without a gap. Start with `FlowSession` and `FlowQuery`; the errors are drawn in `aioflows.errors`.
"""

import logging

from aioflows.checkpoint import Checkpoint, FollowCheckpoint
from aioflows.errors import (
    AioflowsError,
    AnswerError,
    BadCredentials,
    BrokenBody,
    CompletenessError,
    ConnectFailed,
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

logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "AioflowsError",
    "AnswerError",
    "AppKey",
    "BadCredentials",
    "BrokenBody",
    "Checkpoint",
    "CompletenessError",
    "ConnectFailed",
    "CountedWindow",
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
    "Paused",
    "Proof",
    "QueryError",
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
    "TransportError",
    "WindowDone",
    "__version__",
]
