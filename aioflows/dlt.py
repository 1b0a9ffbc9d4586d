"""A dlt resource that loads flow instances, each run what is new and what has changed.

    pipeline = dlt.pipeline("enos", destination="duckdb")
    pipeline.run(flow_instances(lambda: FlowSession(url, user_id="u", org_id="o"), FlowQuery(start, end)))

needs ``pip install 'enos-aioflows[dlt]'``, and the session is that of `aioflows.sync`.

After each run that succeeds, the table has every instance that a scan of the query yields, once, with the status
of that run. An instance that was deleted at the service stays in the table. Four rules make this exact:

1. Rows are merged by ``instance_id``. So a row that is read again replaces the row that was loaded.
2. The state holds a *mark*: whatever was triggered before it is loaded. A run scans from the mark on. The mark
   stays a *lag* behind the present, since an instance may show some time after its trigger time.
3. The state holds the ids of the unfinished instances before the mark. Each run requests them again.
4. dlt commits the state together with the rows of its load package, and restores both if the package is aborted.

A run that ends early (``add_limit``) leaves the checkpoint of its scan in the state. The next run resumes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs

from aioflows import Checkpoint, Denied, FlowInstance, FlowQuery, FlowStatus, NotFound, QueryError
from aioflows._extras import pa, pc
from aioflows._tables.columns import Layout
from aioflows.arrow import text_batch
from aioflows.checkpoint import fingerprint
from aioflows.query import epoch_ms
from aioflows.sync import FlowSession

try:
    import dlt
except ImportError as error:
    raise ImportError("aioflows.dlt needs dlt: pip install 'enos-aioflows[dlt]'") from error

if TYPE_CHECKING:
    import pyarrow  # noqa: ICN001  (`pa` imports it late)

__all__ = ["flow_instances"]

_NEEDED: Final = ("instance_id", "trigger_time", "status")
"""Columns that tell which instances to request again."""
_FINISHED: Final = [int(status) for status in FlowStatus if status.is_final]
_AT_ONCE: Final = 8
"""Instances that are requested at the same time."""
_CHUNK: Final = 1_000
"""Instances that are requested for one table."""
_FAR_FUTURE: Final = 9_999_999_999_000
"""2286 (ms since the epoch)."""
_VERSION: Final = 1


def flow_instances(
    connect: Callable[[], FlowSession],
    query: FlowQuery,
    *,
    columns: Iterable[str] | None = None,
    lag: timedelta = timedelta(days=1),
    name: str = "flow_instances",
) -> Any:
    """Return a dlt resource that loads the instances of a query as Arrow tables, merged by ``instance_id``.

    Args:
        connect: returns a session, which the resource opens and closes.
        query: the query. Its end may differ from run to run. If its start or a filter differs, the run begins
            anew.
        columns: the names of the columns. None means every column. ``instance_id``, ``trigger_time`` and
            ``status`` are always among them. Default: None.
        lag: how long after its trigger time an instance may show. Every run reads so much again. Default: one
            day.
        name: the name of the resource and of its table. Default: "flow_instances".

    Raises:
        QueryError: the query asks for statuses, a column is unknown, or the lag is negative. Statuses change,
            so an instance may match after its trigger time was read. Filter the table instead.
    """
    if query.status:
        raise QueryError("a resource must load every status, since statuses change; filter the table instead")
    if lag < timedelta():
        raise QueryError(f"lag must not be negative, not {lag}")
    wanted = None if columns is None else tuple(dict.fromkeys((*columns, *_NEEDED)))
    Layout(wanted)  # refuses unknown columns
    load = _Load(connect, query, wanted, lag // timedelta(milliseconds=1))

    def tables() -> Iterator[pyarrow.Table]:  # dlt writes to the function, so it cannot be a method
        yield from load.tables()

    return dlt.resource(
        tables,
        name=name,
        primary_key="instance_id",
        write_disposition={"disposition": "merge", "strategy": "delete-insert"},
    )()


@attrs.define
class _LoadState:
    """What the next run needs, as JSON in the state of the resource.

    Args:
        query: the query, without its end.
        mark_ms: whatever was triggered before is loaded (ms since the epoch).
        open: the ids of the unfinished instances that were loaded.
        scan: the checkpoint of a scan that was left. None means that the last scan was finished.
        to_ms: the end of that scan (ms since the epoch).
        settled_ms: the mark once that scan is finished (ms since the epoch).
    """

    query: str
    mark_ms: int
    open: dict[str, None] = attrs.field(factory=dict)
    scan: str | None = None
    to_ms: int = 0
    settled_ms: int = 0

    @classmethod
    def of(cls, kept: dict[str, Any], query: FlowQuery) -> _LoadState:
        """Return the state that was kept for this query, or that of a first run."""
        key = fingerprint(
            attrs.evolve(query, to_trigger_time=_FAR_FUTURE, status=(), order_by="trigger_time")
        )
        if kept.get("version") != _VERSION or kept.get("query") != key:
            return cls(key, query.from_ms)
        values = {name: value for name, value in kept.items() if name != "version"}
        return cls(**{**values, "open": dict.fromkeys(values["open"])})

    def keep(self, kept: dict[str, Any]) -> None:
        """Write the state to the state of the resource."""
        kept.clear()
        kept.update(attrs.asdict(self), open=list(self.open), version=_VERSION)


@attrs.frozen
class _Load:
    """The loads of one resource; the arguments are those of `flow_instances`."""

    connect: Callable[[], FlowSession]
    query: FlowQuery
    columns: tuple[str, ...] | None
    lag_ms: int

    def tables(self) -> Iterator[pyarrow.Table]:
        """Yield the tables of one run. The state follows after each table was taken."""
        kept = dlt.current.resource_state()
        state = _LoadState.of(kept, self.query)
        with self.connect() as session:
            settled_ms = epoch_ms(session.server_time()) - self.lag_ms
            for table in self._open_instances(session, state):
                yield table
                state.keep(kept)
            while state.scan is not None or state.mark_ms < self.query.to_ms:
                resumed = state.scan is not None
                if not resumed:
                    state.to_ms = self.query.to_ms
                    state.settled_ms = max(state.mark_ms, min(state.to_ms, settled_ms))
                yield from self._scan(session, state, kept)
                state.scan, state.mark_ms = None, state.settled_ms
                state.keep(kept)
                if not resumed:
                    return

    def _scan(self, session: FlowSession, state: _LoadState, kept: dict[str, Any]) -> Iterator[pyarrow.Table]:
        """Yield the rest of a scan that was left, or a new scan."""
        left = state.scan
        try:
            yield from self._rows(session, state, kept)
        except QueryError:
            if left is None or state.scan != left:
                raise
            state.scan = None  # the checkpoint was made in another zone, so the window is read from its start
            yield from self._rows(session, state, kept)

    def _rows(self, session: FlowSession, state: _LoadState, kept: dict[str, Any]) -> Iterator[pyarrow.Table]:
        query = attrs.evolve(
            self.query,
            from_trigger_time=state.mark_ms,
            to_trigger_time=state.to_ms,
            status=(),
            order_by="trigger_time",
        )
        resume = None if state.scan is None else Checkpoint.from_json(state.scan)
        with session.scan(query, resume=resume) as scan:
            for batch in scan.record_batches(self.columns, names="text"):
                table = _table(batch)
                _note_open(table, state)
                yield table
                state.scan = scan.checkpoint().to_json()
                state.keep(kept)

    def _open_instances(self, session: FlowSession, state: _LoadState) -> Iterator[pyarrow.Table]:
        """Yield the unfinished instances of earlier runs, as they are now."""
        layout, names = Layout(self.columns), list(state.open)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            for first in range(0, len(names), _CHUNK):
                chunk = names[first : first + _CHUNK]
                found = [one for one in threads.map(partial(_now, session), chunk) if one is not None]
                for name in set(chunk) - {one.instance_id for one in found}:
                    state.open.pop(name)
                if found:
                    table = _table(text_batch(layout, found))
                    _note_open(table, state)
                    yield table


def _now(session: FlowSession, instance_id: str) -> FlowInstance | None:
    """Return an instance, or None if it was deleted or may not be read any more."""
    try:
        return session.get(instance_id)
    except (NotFound, Denied):
        return None


def _table(batch: pyarrow.RecordBatch) -> pyarrow.Table:
    """Return a batch as a table in which names are strings, since some destinations take no dictionaries."""
    table = pa.Table.from_batches([batch])
    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    key = table.schema.get_field_index("instance_id")
    fields[key] = fields[key].with_nullable(nullable=False)  # as dlt takes a primary key to be
    return table.cast(pa.schema(fields))


def _note_open(table: pyarrow.Table, state: _LoadState) -> None:
    """Keep the ids of unfinished instances that the next scan will not read again."""
    finished = pc.is_in(table["status"], pa.array(_FINISHED, pa.int64()))
    again = pc.greater_equal(pc.cast(table["trigger_time"], pa.int64()), state.settled_ms * 1000)
    for name, over in zip(table["instance_id"].to_pylist(), pc.or_(finished, again).to_pylist(), strict=True):
        if over:
            state.open.pop(name, None)
        else:
            state.open[name] = None
