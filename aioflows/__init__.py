"""Every EnOS flow instance, exactly once, in order.

An asyncio library that reads all answers of the EnOS operation "List Flow Instances" to a query: fast, in
order, and provably without a gap. Start with `FlowSession` and `FlowQuery`. The module `aioflows.errors`
shows the tree of errors.

A name is loaded when it is first used. So a program that only imports the package, or shows its help, does not load
aiohttp and the planner.
"""

import logging as _logging
from typing import TYPE_CHECKING as _TYPE_CHECKING

from aioflows._lazy import lazy_names as _lazy_names
from aioflows._version import __version__

if _TYPE_CHECKING:
    from aioflows._core.wait.until import Until
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
        NotFound,
        QueryError,
        ServerFault,
        ServiceError,
        SessionClosed,
        Throttled,
        TimedOut,
        TokenExpired,
        TransportError,
        WaitTimeout,
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
    from aioflows.models import FlowInstance, FlowPage, FlowStatus, FlowTask, ScheduleType
    from aioflows.query import FlowQuery
    from aioflows.scan import FlowScan
    from aioflows.session import FlowSession
    from aioflows.settings import AppKey, Limits, RetryPolicy, Timeouts
    from aioflows.stats import CountedWindow, FollowStats, Proof, ScanPlan, ScanStats
else:
    # A type checker reads the imports above instead.
    __getattr__ = _lazy_names(
        __name__,
        {
            "_core.wait.until": "Until",
            "_net.observers": "Observer",
            "_net.transport": "Answer Request Transport",
            "checkpoint": "Checkpoint FollowCheckpoint",
            "errors": (
                "AioflowsError AnswerError BadCredentials BrokenBody CompletenessError ConnectFailed "
                "DeadlineExceeded Denied NotFound QueryError ServerFault ServiceError SessionClosed "
                "Throttled TimedOut TokenExpired TransportError WaitTimeout"
            ),
            "events": (
                "DriftFound Event Paused RequestEnded RequestEvent RequestSent RequestThrottled "
                "Retried ScanBegan ScanEnded ScanEvent ScanOutcome TokenRenewed WindowDone"
            ),
            "follow": "FlowFollow",
            "models": "FlowInstance FlowPage FlowStatus FlowTask ScheduleType",
            "query": "FlowQuery",
            "scan": "FlowScan",
            "session": "FlowSession",
            "settings": "AppKey Limits RetryPolicy Timeouts",
            "stats": "CountedWindow FollowStats Proof ScanPlan ScanStats",
        },
        modules="arrow audit checkpoint emulator errors events export follow models query report scan schedule session "
        "settings stats sync telemetry web",
    )

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
    "FlowTask",
    "FollowCheckpoint",
    "FollowStats",
    "Limits",
    "NotFound",
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
    "SessionClosed",
    "Throttled",
    "TimedOut",
    "Timeouts",
    "TokenExpired",
    "TokenRenewed",
    "Transport",
    "TransportError",
    "Until",
    "WaitTimeout",
    "WindowDone",
    "__version__",
]


def __dir__() -> list[str]:
    # An editor completes public names only: neither the submodules nor the private folders.
    return list(__all__)
