"""The same session and scans without ``await``, for scripts and notebooks."""

from aioflows.sync.follow import FlowFollow
from aioflows.sync.scan import FlowScan
from aioflows.sync.session import FlowSession

__all__ = ["FlowFollow", "FlowScan", "FlowSession"]
