"""The JSON data of the page: the counts of a tally as columns of numbers, with each name stored once."""

from __future__ import annotations

import json
from datetime import UTC, date, timedelta, tzinfo
from typing import Any

import attrs

from aioflows._time_zones import time_at
from aioflows.models import FlowStatus
from aioflows.report.facts import Facts
from aioflows.report.flow_totals import FAILURES, FINISHED, status_name
from aioflows.report.scheduled_runs import ScheduledRuns
from aioflows.report.tally import EDGES, Run, Status, Tally
from aioflows.report.time_axis import time_axis

__all__ = ["embedded", "payload"]


def payload(tally: Tally, facts: Facts, scheduled: ScheduledRuns | None = None) -> dict[str, Any]:
    """Return the data of the page as a JSON-ready dict."""
    days = list(tally.runs())
    failures = tally.failures()
    listed = [*failures, *(run for _, runs in days for run in runs)]
    cells = tally.counts()
    used = {0, *(key[2] for key in cells), *(run.source for run in listed)}
    source_index = {source: index for index, source in enumerate(sorted(used))}
    found = {key[3] for key in cells} | {run.status for run in listed}
    order = sorted(found, key=_rank)
    status_index = {status: index for index, status in enumerate(order)}
    names: dict[tuple[bool, str], int] = {}
    owners: dict[str, int] = {}
    sources = []
    for source in source_index:
        name, owner = tally.sources[source]
        sources.append(
            [names.setdefault((source == 0, name), len(names)), owners.setdefault(owner, len(owners))]
        )
    counts = [
        (row, hour, source_index[s], status_index[status], n) for (row, hour, s, status), n in cells.items()
    ]
    lengths = [
        (row, source_index[s], status_index[status], part, total.runs, total.ms, total.longest)
        for (row, s, status, part), total in tally.lengths().items()
    ]
    delays = [
        (row, source_index[s], status_index[status], part, n)
        for (row, s, status, part), n in tally.delays().items()
    ]
    return {
        "instances": tally.instances,
        "undated": tally.undated,
        "folded": tally.folded,
        "span": tally.span,
        "rows": {
            row: date.fromordinal(max(1, row * tally.span)).isoformat() for row in time_axis(tally, facts)
        },
        "edges": EDGES,
        "names": [name for _, name in names],
        "owners": list(owners),
        "sources": sources,
        "states": [
            {"name": status_name(status), "failure": status in FAILURES, "final": status in FINISHED}
            for status in order
        ],
        "counts": list(zip(*sorted(counts), strict=True)),
        "lengths": list(zip(*sorted(lengths), strict=True)),
        "delays": list(zip(*sorted(delays), strict=True)),
        "failures": _runs(tally, failures, source_index, status_index),
        "failures_left_out": tally.failures_left_out,
        "days": [
            {
                "day": date.fromordinal(day).isoformat(),
                "left_out": tally.left_out[day],
                "runs": _runs(tally, runs, source_index, status_index),
            }
            for day, runs in days
        ],
        "selection": facts.selection,
        "service": facts.service,
        "zone": str(tally.zone or "UTC"),
        "service_zone": facts.stats.time_zone or "unknown",
        "from": _shown(facts.from_ms, tally.zone),
        "to": _shown(facts.to_ms, tally.zone),
        "made": facts.made.astimezone(tally.zone or UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "verdict": facts.verdict,
        "requests": facts.stats.requests,
        "scheduled": None if scheduled is None else attrs.asdict(scheduled),
    }


def embedded(value: object) -> str:
    """Return JSON that is safe inside an HTML script element: ASCII only, without "<", ">" and "&"."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _runs(
    tally: Tally, runs: list[Run], source_index: dict[int, int], status_index: dict[Status, int]
) -> list[list[Any]]:
    # A browser shows times in UTC or in its own zone only. So local times are encoded as if they were UTC.
    def wall(ms: int | None) -> int | None:
        if ms is None:
            return None
        offset = time_at(ms, tally.zone or UTC).utcoffset() or timedelta()
        return ms + int(offset.total_seconds()) * 1000

    return [
        [
            run.instance_id,
            source_index[run.source],
            source_index[tally.counted_source(run.source)],
            status_index[run.status],
            wall(run.trigger),
            wall(run.start),
            None if run.end is None or run.start is None else run.end - run.start,
        ]
        for run in runs
    ]


def _shown(ms: int, zone: tzinfo | None) -> str:
    return time_at(ms, zone or UTC).strftime("%Y-%m-%d %H:%M")


def _rank(status: Status) -> tuple[int, int]:
    known = (
        FlowStatus.SUCCESS,
        FlowStatus.RUNNING,
        FlowStatus.FAIL,
        FlowStatus.TIMEOUT,
        FlowStatus.INTERNAL_ERROR,
    )
    if status in known:
        return 0, known.index(FlowStatus(status))
    return 1, -99 if status is None else int(status)
