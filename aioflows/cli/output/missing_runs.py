"""The missing runs of an audit as rows of a file, in every format of an export."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import islice

import attrs

from aioflows import Checkpoint, FlowInstance, FlowQuery
from aioflows.audit import AuditReport, MissingRun
from aioflows.checkpoint import fingerprint
from aioflows.export import export

__all__ = ["write_missing"]

_COLUMNS = ("flow_id", "flow_name", "freq", "trigger_time")
_PAGE = 500


async def write_missing(report: AuditReport, path: str, *, overwrite: bool) -> None:
    """Write the missing runs of a report to a file, completely or not at all.

    Args:
        report: report of an audit.
        path: path of the file; "-" means standard output.
        overwrite: True if an existing file may be replaced.

    Raises:
        QueryError: the file cannot be written.
        SinkError: writing the file failed.
    """
    # The order update_time is that of a scan that cannot be resumed, as this one.
    query = FlowQuery(report.from_time, report.to_time, order_by="update_time")
    await export(_MissingSource(report), query, path, columns=_COLUMNS, overwrite=overwrite)


@attrs.frozen
class _MissingScan:
    """The missing runs as an export reads them: each as the instance that it would be."""

    report: AuditReport
    query: FlowQuery

    async def pages(self) -> AsyncIterator[list[FlowInstance]]:
        runs = iter(self.report.missing)
        while rows := [_as_instance(run) for run in islice(runs, _PAGE)]:
            yield rows

    undecoded = pages

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(fingerprint(self.query), ())

    async def aclose(self) -> None:
        """Do nothing."""


@attrs.frozen
class _MissingSource:
    report: AuditReport

    def scan(
        self,
        query: FlowQuery,
        *,
        limit: int | None = None,  # noqa: ARG002  (an export asks for every row)
        resume: Checkpoint | None = None,  # noqa: ARG002
        proven: bool = False,  # noqa: ARG002
    ) -> _MissingScan:
        return _MissingScan(self.report, query)


def _as_instance(run: MissingRun) -> FlowInstance:
    return FlowInstance(
        f"{run.flow_id}-{run.trigger_time:%Y%m%d%H%M%S}",
        flow_id=run.flow_id,
        flow_name=run.flow_name,
        freq=run.freq,
        trigger_time=run.trigger_time,
    )
