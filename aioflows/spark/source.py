"""The data source, as Spark calls it.

1. No filter is pushed down. A pushed filter sticks to the data frame in Spark 4.1 to 4.3, so that later queries
   of the same data frame lose rows. Options narrow a read instead.
2. Spark calls `schema`, `partitions` and `read` in separate processes. What `read` needs is in the windows.
3. The first offset is a constant. Spark asks for it again after the latest offset, so a clock would lose rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from aioflows._tables.columns import Layout
from aioflows.spark.options import SourceOptions
from aioflows.spark.reading import plan, read_window, spoken
from aioflows.spark.schema import checked_names, ddl
from aioflows.spark.stream import StreamProgress

try:
    from pyspark.sql.datasource import DataSource, DataSourceReader, DataSourceStreamReader, InputPartition
    from pyspark.sql.streaming.datasource import (
        ReadAllAvailable,
        ReadMaxRows,
        SupportsTriggerAvailableNow,
    )
except ImportError as error:
    raise ImportError("aioflows.spark needs PySpark 4.2: pip install 'enos-aioflows[spark]'") from error

if TYPE_CHECKING:
    import pyarrow  # noqa: ICN001  (`aioflows._extras` imports it late)

__all__ = ["FlowDataSource"]


class FlowDataSource(DataSource):  # type: ignore[misc]  # Spark is optional
    """The data source "aioflows", for ``spark.read.format("aioflows")`` and ``spark.readStream``.

    Args:
        options: the options, by their names.
    """

    governor: ClassVar[str | None] = None
    """The address of the governor of reads that name none."""
    cores: ClassVar[int] = os.cpu_count() or 1
    """How many tasks run at a time, about: twice as many windows are made at most."""
    parallel: ClassVar[int | None] = None
    """How many tasks share the option ``rate``. None means that it is not known."""

    def __init__(self, options: Mapping[str, str]) -> None:
        with spoken("an option"):
            found = SourceOptions.parse(options, self.parallel)
        if found.governor is None and found.rate is None:
            found = attrs.evolve(found, governor=self.governor)
        self._options = found

    @classmethod
    def name(cls) -> str:
        """Return the name of the format."""
        return "aioflows"

    def schema(self) -> str:
        """Return the columns and their types."""
        return ddl(Layout(self._options.columns, tasks=self._options.tasks))

    def reader(self, schema: Any) -> DataSourceReader:
        """Return the reader of a batch."""
        with spoken("a batch"):
            self._options.batch()
            return _BatchReader(self._options, self._names(schema), self.cores)

    def streamReader(self, schema: Any) -> DataSourceStreamReader:  # noqa: N802  (the name that Spark calls)
        """Return the reader of a stream."""
        with spoken("a stream"):
            return _StreamReader(self._options, self._names(schema), self.cores)

    def _names(self, schema: Any) -> tuple[str, ...]:
        fields = [(one.name, one.dataType.simpleString(), one.nullable) for one in schema.fields]
        return checked_names(fields, self._options.columns, tasks=self._options.tasks)


class _BatchReader(DataSourceReader):  # type: ignore[misc]
    def __init__(self, options: SourceOptions, columns: tuple[str, ...], cores: int) -> None:
        self._options, self._columns, self._cores = options, columns, cores

    def partitions(self) -> list[InputPartition]:
        query = self._options.batch()
        with spoken("the plan"):
            windows = plan(self._options, query.from_ms, query.to_ms, self._cores)
        return [InputPartition(window) for window in windows]

    def read(self, partition: InputPartition) -> Iterator[pyarrow.RecordBatch]:
        return read_window(self._options, partition.value, self._columns)


class _StreamReader(DataSourceStreamReader, SupportsTriggerAvailableNow):  # type: ignore[misc]
    def __init__(self, options: SourceOptions, columns: tuple[str, ...], cores: int) -> None:
        self._options, self._columns, self._cores = options, columns, cores
        self._progress = StreamProgress(options)

    def getDefaultReadLimit(self) -> Any:  # noqa: N802
        most = self._options.max_rows
        return ReadAllAvailable() if most is None else ReadMaxRows(most)

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802
        with spoken("the stream"):
            self._progress.stop_at_present()

    def initialOffset(self) -> dict[str, Any]:  # noqa: N802
        return self._progress.first().to_dict()

    def latestOffset(self, start: Mapping[str, Any], limit: Any) -> dict[str, Any]:  # noqa: N802
        most = limit.max_rows if isinstance(limit, ReadMaxRows) else None
        with spoken("the stream"):
            return self._progress.latest(self._progress.offset(start), most).to_dict()

    def partitions(self, start: Mapping[str, Any], end: Mapping[str, Any]) -> list[InputPartition]:
        with spoken("the stream"):
            from_ms, to_ms = self._progress.offset(start).range_to(self._progress.offset(end))
            windows = plan(self._options, from_ms, to_ms, self._cores, self._progress.session())
        return [InputPartition(window) for window in windows]

    def read(self, partition: InputPartition) -> Iterator[pyarrow.RecordBatch]:
        return read_window(self._options, partition.value, self._columns)

    def stop(self) -> None:
        self._progress.close()
