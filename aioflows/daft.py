"""Flow instances as a DataFrame of Daft, which reads them when it is collected.

    with FlowSession(url, user_id="u", org_id="o") as session:
        frame = aioflows.daft.read(session, FlowQuery(start, end))
        frame.where(daft.col("status") == FlowStatus.FAIL).select("flow_name").collect()

needs ``pip install 'enos-aioflows[daft]'``, and the session is that of `aioflows.sync`.

1. Each collection reads anew, by one scan. So all of it keeps to the limits of one session, and is proven complete.
2. Filters on ``status``, ``status_name``, ``owner`` and ``trigger_time`` make the query narrower. Daft applies every
   filter again. So a filter that the service cannot apply costs requests, but no row.
3. A limit ends the scan early. If nothing is left for Daft to filter, it is part of the scan. Then schedule types
   are read in turn, since a limit of Daft names no order.
4. Only the columns that are used are made.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any, Final

import attrs

from aioflows import FlowQuery, FlowStatus, Limits, QueryError, ScheduleType
from aioflows._tables.columns import Layout
from aioflows.arrow import arrow_schema
from aioflows.query import epoch_ms
from aioflows.sync import FlowSession

try:
    import daft
    from daft.expressions.visitor import ExpressionVisitor
    from daft.io.source import DataSource, DataSourceTask
    from daft.recordbatch import RecordBatch
except ImportError as error:
    raise ImportError("aioflows.daft needs daft: pip install 'enos-aioflows[daft]'") from error

__all__ = ["read"]

_BATCHES_END: Final = None
_MOST_FREQUENT_FIRST: Final = (
    ScheduleType.PERIODIC,
    *(one for one in ScheduleType if one is not ScheduleType.PERIODIC),
)
_CODES: Final = {int(status) for status in FlowStatus}
_NAMES: Final = {status.name: int(status) for status in FlowStatus}


def read(session: FlowSession, query: FlowQuery, *, columns: Iterable[str] | None = None) -> daft.DataFrame:
    """Return a lazy DataFrame of the instances of a query. Nothing is sent before Daft collects it.

    Args:
        session: the session, which must be open whenever the frame is collected.
        query: the query.
        columns: the names of the columns. None means every column. Default: None.

    Raises:
        QueryError: a column is unknown, or the query is not a `FlowQuery`.
    """
    if not isinstance(query, FlowQuery):
        raise QueryError(f"read() takes a FlowQuery, not {query!r}")
    layout = Layout(None if columns is None else tuple(columns))  # refuses unknown columns
    return _InstanceSource(session, query, layout.names).read()


class _InstanceSource(DataSource):  # type: ignore[misc]  # Daft is optional
    """The instances of a query, as `read` describes them."""

    def __init__(self, session: FlowSession, query: FlowQuery, columns: tuple[str, ...]) -> None:
        self._session, self._query, self._columns = session, query, columns

    @property
    def name(self) -> str:
        return "aioflows"

    @property
    def schema(self) -> daft.Schema:
        return _schema(self._columns)

    async def get_tasks(self, pushdowns: Any) -> AsyncIterator[DataSourceTask]:
        """Yield one task, or none if no instance can match the filters."""
        wanted = None if pushdowns.columns is None else set(pushdowns.columns)
        if wanted is not None:
            wanted |= pushdowns.filter_required_column_names()  # Daft leaves them out, and then needs them
        columns = tuple(name for name in self._columns if wanted is None or name in wanted)
        narrowed = _Narrowed(self._query)
        if pushdowns.filters is not None:
            narrowed.narrow(_Tree().visit(pushdowns.filters))
        limit = pushdowns.limit if narrowed.exact else None
        if narrowed.query is not None:
            # A query without columns, as for a count, needs rows all the same.
            yield _ScanTask(self._session, narrowed.query, columns or self._columns[:1], limit)


class _ScanTask(DataSourceTask):  # type: ignore[misc]  # Daft is optional
    """One scan, or one for each schedule type if there is a limit."""

    def __init__(
        self, session: FlowSession, query: FlowQuery, columns: tuple[str, ...], limit: int | None
    ) -> None:
        self._session, self._query, self._columns, self._limit = session, query, columns, limit

    @property
    def schema(self) -> daft.Schema:
        return _schema(self._columns)

    async def read(self) -> AsyncIterator[RecordBatch]:
        """Yield the rows. The session has a loop of its own, so Daft's waits for it in a thread."""
        left = self._limit
        for query in self._queries():
            with self._session.scan(query, limit=left, limits=self._limits(left)) as scan:
                batches = scan.record_batches(self._columns, names="text")
                while (batch := await asyncio.to_thread(next, batches, _BATCHES_END)) is not None:
                    left = None if left is None else left - batch.num_rows
                    yield RecordBatch.from_arrow_record_batches([batch], batch.schema)
            if left == 0:
                return

    def _queries(self) -> list[FlowQuery]:
        """Return the query, or one for each schedule type if few rows of any order are wanted."""
        if self._limit is None or self._query.type is not None:
            return [self._query]
        return [attrs.evolve(self._query, type=one) for one in _MOST_FREQUENT_FIRST]

    def _limits(self, left: int | None) -> Limits:
        """Return the limits of a scan that reads nothing ahead of its last row."""
        limits = self._session.limits
        if left is None:
            return limits
        return attrs.evolve(limits, concurrency=min(limits.concurrency, max(1, -(-left // limits.page_size))))


def _schema(columns: tuple[str, ...]) -> daft.Schema:
    return daft.Schema.from_pyarrow_schema(arrow_schema(Layout(columns), "text"))


class _Tree(ExpressionVisitor[Any]):  # type: ignore[misc]  # Daft is optional
    """A filter as tuples: the name of a function, and its arguments."""

    def visit_col(self, name: str) -> Any:
        return "column", name

    def visit_lit(self, value: Any) -> Any:
        return "value", value

    def visit_alias(self, expr: Any, alias: str) -> Any:
        return "alias", alias, self.visit(expr)

    def visit_cast(self, expr: Any, dtype: Any) -> Any:
        return "cast", dtype, self.visit(expr)

    def visit_coalesce(self, args: list[Any]) -> Any:
        return "coalesce", *map(self.visit, args)

    def visit_function(self, name: str, args: list[Any]) -> Any:
        flat = [one for arg in args for one in (arg if isinstance(arg, list) else [arg])]
        return name, *(self.visit(one) for one in flat)


@attrs.define
class _Narrowed:
    """A query that filters make narrower.

    Args:
        query: the query. None means that no instance can match.
        exact: True if the query matches exactly what the filters do. Default: True.
    """

    query: FlowQuery | None
    exact: bool = True

    def narrow(self, tree: Any) -> None:
        """Narrow the query by a filter, as far as the service can apply it."""
        match tree:
            case "and", *parts:
                for part in parts:
                    self.narrow(part)
            case "between", place, ("value", low), ("value", high):
                self.narrow(("greater_than_or_equal", place, ("value", low)))
                self.narrow(("less_than_or_equal", place, ("value", high)))
            case (
                "greater_than" | "greater_than_or_equal" | "less_than" | "less_than_or_equal" as order,
                ("column", "trigger_time"),
                ("value", datetime() as time),
            ) if time.tzinfo is not None:
                self._bound(order, time)
            case _:
                self._values(_equal_to(tree))

    def _bound(self, order: str, time: datetime) -> None:
        """Narrow the range. Trigger times of instances are whole seconds, so bounds are, too."""
        query = self.query
        if query is None:
            return
        try:
            milliseconds = epoch_ms(time)
        except QueryError:
            self.exact = False  # a time that the service cannot express
            return
        exact_ms = milliseconds + (time.microsecond % 1000) / 1000
        second = math.floor(exact_ms / 1000) + 1 if order in _AFTER else math.ceil(exact_ms / 1000)
        begin, end = query.from_ms, query.to_ms
        if order.startswith("greater"):
            begin = max(begin, 1000 * second)
        else:
            end = min(end, 1000 * second)
        self.query = (
            attrs.evolve(query, from_trigger_time=begin, to_trigger_time=end) if begin < end else None
        )

    def _values(self, found: tuple[str, set[Any]] | None) -> None:
        """Narrow the statuses or the owner."""
        query = self.query
        if query is None:
            return
        column, values = found or ("", set())
        codes = values if column == "status" else {_NAMES.get(one, one) for one in values}
        if column in ("status", "status_name") and all(type(one) is int and one in _CODES for one in codes):
            statuses = [FlowStatus(one) for one in codes if not query.status or one in query.status]
            self.query = attrs.evolve(query, status=statuses) if statuses else None
            return
        self.exact = False
        if (
            column == "owner"
            and len(values) == 1
            and not query.owner
            and _is_plain(owner := next(iter(values)))
        ):
            try:
                self.query = attrs.evolve(query, owner=owner)
            except QueryError:
                return  # a text that the service cannot be asked for


_AFTER: Final = ("greater_than", "less_than_or_equal")
"""Comparisons whose bound is the second after the time."""


def _is_plain(owner: object) -> bool:
    """Return True if services compare an owner as Daft does. They may read a backslash as an escape, and cut blanks."""
    return isinstance(owner, str) and "\\" not in owner and owner == owner.strip()


def _equal_to(tree: Any) -> tuple[str, set[Any]] | None:
    """Return the column and the values of a filter that the column equals one of them. None means another filter."""
    match tree:
        case ("equal", ("column", name), ("value", value)) | (
            "equal",
            ("value", value),
            ("column", name),
        ) if isinstance(value, int | str):
            return name, {value}
        case "is_in", ("column", name), *values if all(
            one[0] == "value" and isinstance(one[1], int | str) for one in values
        ):
            return name, {one[1] for one in values}
        case "or", *parts:
            found = [_equal_to(part) for part in parts]
            names = {one[0] for one in found if one is not None}
            if None not in found and len(names) == 1:
                return names.pop(), {value for one in found if one is not None for value in one[1]}
    return None
