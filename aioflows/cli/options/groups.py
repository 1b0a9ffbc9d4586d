"""Groups of options that several commands share. The options for the service are in `connection`."""

from __future__ import annotations

from datetime import datetime

import attrs

from aioflows import FlowQuery, Limits
from aioflows.cli.options import flags, parsing
from aioflows.cli.options.moments import Period

__all__ = ["LimitOptions", "QueryOptions", "RangeOptions"]


@attrs.frozen
class RangeOptions:
    """The options for a range of trigger times."""

    from_: flags.From = None
    to: flags.To = None
    last: flags.Last = None

    def period(self, now: datetime) -> Period:
        """Return the range as it was typed.

        Args:
            now: the present time.

        Raises:
            QueryError: an option is missing or invalid.
        """
        return Period(now, self.from_, self.to, self.last)


@attrs.frozen
class QueryOptions:
    """The options that select instances within a time range."""

    zone: flags.LocalZone = None
    type: flags.TypeName = "all"
    status: flags.Status = None
    owner: flags.Owner = ""
    expression: flags.Expression = ""

    def query(self, first: datetime | int, last: datetime | int, order_by: str = "trigger_time") -> FlowQuery:
        """Return a query for the selected instances.

        Args:
            first: first trigger time (aware datetime, or milliseconds since 1970-01-01 UTC).
            last: end of the range, exclusive (as for `first`).
            order_by: text of an order, as `parsing.order` reads it. Default: ascending trigger time.

        Raises:
            QueryError: an option has an invalid value.
        """
        return FlowQuery(
            first,
            last,
            type=parsing.schedule_type(self.type),
            status=parsing.statuses(self.status or ()),
            owner=self.owner,
            expression=self.expression,
            order_by=parsing.order(order_by),
        )


@attrs.frozen
class LimitOptions:
    """The options that limit the speed of a scan."""

    page_size: flags.PageSize = 500
    concurrency: flags.Concurrency = 16
    rate: flags.Rate = None

    def limits(self) -> Limits:
        """Return the limits for a session.

        Raises:
            QueryError: a number is out of range.
        """
        return Limits(concurrency=self.concurrency, rate=self.rate, page_size=self.page_size)
