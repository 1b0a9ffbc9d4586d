"""Groups of options of the commands. The options for the service are in `connection`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from aioflows.cli.options import flags, parsing
from aioflows.cli.options.moments import Period
from aioflows.errors import QueryError

if TYPE_CHECKING:
    from aioflows import FlowQuery, Limits

__all__ = [
    "AuditOptions",
    "BoardOptions",
    "LimitOptions",
    "OutputOptions",
    "PollOptions",
    "QueryOptions",
    "RangeOptions",
    "ServerOptions",
    "WaitOptions",
]


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
        from aioflows import FlowQuery

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
        from aioflows import Limits

        return Limits(concurrency=self.concurrency, rate=self.rate, page_size=self.page_size)


@attrs.frozen
class OutputOptions:
    """The options for the output of a scan."""

    path: flags.Output = None
    format: flags.FileFormat = None
    columns: flags.Columns = None
    tasks: flags.Tasks = False
    raw: flags.Raw = False
    nested: flags.Nested = False
    utf8: flags.Utf8 = False
    mode: flags.Mode = None
    resume: flags.Resume = False
    overwrite: flags.Overwrite = False
    append: flags.Append = False

    @property
    def has_format_options(self) -> bool:
        """True if an option shapes the rows. The output is then not the table on the terminal."""
        shaped = self.tasks or self.raw or self.nested or self.utf8
        return self.format is not None or bool(self.columns) or shaped

    @property
    def file(self) -> str | None:
        """The file or folder that is written. None means standard output."""
        return None if self.path == "-" else self.path


@attrs.frozen
class AuditOptions:
    """The options of an audit, besides its range.

    Raises:
        QueryError: an option has an invalid value.
    """

    zone: flags.LocalZone = None
    owner: flags.Owner = ""
    expression: flags.Expression = ""
    late: flags.LateMinutes = 60.0
    whole_range: flags.WholeRange = False

    def query(self, first: datetime | int, last: datetime | int) -> FlowQuery:
        """Return the query for a range."""
        from aioflows import FlowQuery

        return FlowQuery(first, last, owner=self.owner, expression=self.expression)

    @property
    def limit(self) -> timedelta:
        """The longest time from trigger to start that is not late."""
        try:
            limit = timedelta(minutes=self.late)
        except (OverflowError, ValueError):
            limit = timedelta(-1)
        if limit < timedelta():
            raise QueryError(f"--late must be a number of minutes that is not negative, not {self.late}")
        return limit


@attrs.frozen
class PollOptions:
    """The options for the polls of a follow."""

    settle: flags.SettleTime = 60.0
    watch: flags.WatchTime = 86_400.0
    least: flags.MinWait = 2.0
    most: flags.MaxWait = 60.0


@attrs.frozen
class WaitOptions:
    """The options of a wait."""

    until: flags.UntilStatus = None
    within: flags.Within = None
    poll: flags.PollInterval = 30.0
    grace: flags.Grace = 3.0


@attrs.frozen
class BoardOptions:
    """The options that select what a board shows."""

    last: flags.BoardLast = "24h"
    late: flags.LateMinutes = 10.0
    type: flags.TypeName = "all"
    owner: flags.Owner = ""
    expression: flags.Expression = ""

    @property
    def query(self) -> FlowQuery:
        """The query for the selected instances, of no range."""
        from aioflows import FlowQuery

        type = parsing.schedule_type(self.type)
        return FlowQuery(0, 0, type=type, owner=self.owner, expression=self.expression)


@attrs.frozen
class ServerOptions:
    """The options for where a board is served, and how often it asks."""

    host: flags.BoardHost = "127.0.0.1"
    port: flags.BoardPort = 0
    least: flags.MinWait = 2.0
    most: flags.MaxWait = 10.0
    checkpoint: flags.BoardCheckpoint = None
