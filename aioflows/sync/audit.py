"""The audit of `aioflows.audit`, without ``await``."""

# ruff: noqa: SLF001  (it wraps a session of this package)

from __future__ import annotations

from datetime import datetime, timedelta

import aioflows.audit
from aioflows.audit import AuditReport
from aioflows.query import FlowQuery
from aioflows.sync.session import FlowSession

__all__ = ["audit"]


def audit(
    session: FlowSession,
    query: FlowQuery,
    *,
    late: timedelta = timedelta(hours=1),
    whole_range: bool = False,
    until: datetime | None = None,
) -> AuditReport:
    """Read a range once, and return which scheduled runs are missing; see `aioflows.audit.audit`."""
    return session._run(
        lambda: aioflows.audit.audit(session._session, query, late=late, whole_range=whole_range, until=until)
    )
