"""Options that several commands take, and what they come to; those that tell the service are in `service`."""

from __future__ import annotations

from datetime import datetime

import attrs

from aioflows import FlowQuery, Limits
from aioflows.cli.options import parsing as options
from aioflows.cli.options import types as flags

__all__ = ["LimitOptions", "QueryOptions"]


@attrs.frozen
class QueryOptions:
    """Which instances, of those of a time range."""

    zone: flags.LocalZone = None
    type: flags.Kind = "all"
    status: flags.Status = None
    owner: flags.Owner = ""
    expression: flags.Expression = ""

    def query(self, first: datetime | int, last: datetime | int, order_by: str = "trigger_time") -> FlowQuery:
        """Ask for them, in an order as `options.order` reads it.

        Raises:
            QueryError: something that was said makes no sense.
        """
        return FlowQuery(
            first,
            last,
            type=options.schedule_type(self.type),
            status=options.statuses(self.status or ()),
            owner=self.owner,
            expression=self.expression,
            order_by=options.order(order_by),
        )


@attrs.frozen
class LimitOptions:
    """How fast."""

    page_size: flags.PageSize = 500
    concurrency: flags.Concurrency = 16
    rate: flags.Rate = None

    def limits(self) -> Limits:
        """Say it to a session.

        Raises:
            QueryError: a number makes no sense.
        """
        return Limits(concurrency=self.concurrency, rate=self.rate, page_size=self.page_size)
