"""The summary at the end of a scan: rows, requests, time, proofs and output."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import attrs

from aioflows import FlowQuery, ScanStats
from aioflows._display.text import printable
from aioflows._time_zones import time_zone
from aioflows.cli.exit_codes import json_record
from aioflows.cli.output.console import rows_per_second
from aioflows.errors import QueryError

__all__ = ["ScanSummary"]

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@attrs.frozen
class ScanSummary:
    """The summary of a scan that ended without an error.

    Args:
        query: query of the scan.
        stats: statistics of this run.
        rows: number of instances, including those of earlier runs.
        before: number of instances that earlier runs wrote. Default: 0.
        limit: largest number of instances. Default: None, every instance.
        page_size: rows per request. Default: 500.
        output: file or folder that was written. Default: None, a terminal or a pipe.
        zone: zone of the times in the line. Default: None, that of the service if the scan knows it.
    """

    query: FlowQuery
    stats: ScanStats
    rows: int
    before: int = 0
    limit: int | None = None
    page_size: int = 500
    output: str | None = None
    zone: tzinfo | None = None

    @property
    def outcome(self) -> str:
        """Outcome of the scan: "complete", "as many as asked for" or "nothing matches"."""
        if self.limit is not None and self.rows == self.limit:
            return "as many as asked for"
        return "complete" if self.rows else "nothing matches"

    @property
    def least(self) -> int:
        """Number of requests of this run if every page were full."""
        return math.ceil(self.stats.rows_yielded / self._page)

    @property
    def _page(self) -> int:
        return min(self.page_size, self.stats.page_cap or self.page_size)

    @property
    def is_kept(self) -> bool:
        """True if the output is a file or a folder, and not a terminal, a pipe or a device."""
        return self.output is not None and (Path(self.output).is_file() or Path(self.output).is_dir())

    @property
    def size(self) -> int | None:
        """Size of the output (bytes). None means a terminal, a pipe, or an output that cannot be read."""
        if self.output is None or not self.is_kept:
            return None
        path = Path(self.output)
        try:
            files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
            return sum(file.stat().st_size for file in files)
        except OSError:
            return None

    def line(self) -> str:
        """Return the summary as one line."""
        stats, size = self.stats, self.size
        is_whole = self.least and self.limit is None
        ratio = f", {stats.requests / self.least:.2f} × full pages of {self._page:,}" if is_whole else ""
        parts = [self.outcome]
        if self.output is not None:
            parts.append(printable(self.output) + ("" if size is None else f", {_format_size(size)}"))
        if self.before:
            parts.append(f"{self.before:,} of {self.rows:,} instances were written by earlier runs")
        parts.append(f"{stats.rows_yielded:,} rows · {stats.requests:,} requests{ratio}")
        parts.append(f"{stats.elapsed:.1f} s, {rows_per_second(stats):,.0f} rows/s")
        if stats.retries:
            parts.append(
                f"{stats.retries:,} retries, {stats.throttled:,} throttled, waited {stats.waited:.1f} s"
            )
        parts.append(self._proven())
        zone = self._zone_of_times()
        parts.append(f"from {_time(self.query.from_ms, zone)} to {_time(self.query.to_ms, zone)}")
        return " · ".join(parts)

    def _zone_of_times(self) -> tzinfo:
        if self.zone is None and self.stats.time_zone is not None:
            with suppress(QueryError):  # a zone of the user's own need not have a name
                return time_zone(self.stats.time_zone)
        return self.zone or UTC

    def _proven(self) -> str:
        counted = f", {len(self.stats.counted):,} of them by counting" if self.stats.counted else ""
        return f"{self.stats.windows:,} windows proven{counted}"

    def json(self) -> str:
        """Return the summary as one JSON object."""
        stats = self.stats
        return json_record(
            "account",
            outcome=self.outcome,
            output=self.output,
            bytes=self.size,
            rows=self.rows,
            rows_before=self.before,
            rows_read=stats.rows_yielded,
            duplicates=stats.duplicates,
            from_time=_time(self.query.from_ms),
            to_time=_time(self.query.to_ms),
            requests=stats.requests,
            least_requests=self.least,
            elapsed=round(stats.elapsed, 3),
            rows_per_second=round(rows_per_second(stats), 1),
            retries=stats.retries,
            throttled=stats.throttled,
            waited=round(stats.waited, 3),
            windows=stats.windows,
            proofs={str(proof): count for proof, count in stats.proofs.items()},
            counted=[attrs.asdict(window) for window in stats.counted],
            time_zone=stats.time_zone,
            other_clocks=dict(stats.other_clocks),
            page_cap=stats.page_cap,
        )


def _time(ms: int, zone: tzinfo = UTC) -> str:
    return datetime.fromtimestamp(ms / 1000, zone).isoformat(
        timespec="milliseconds" if ms % 1000 else "seconds"
    )


def _format_size(size: int) -> str:
    value, unit = float(size), 0
    while value >= 1_000 and unit < len(_UNITS) - 1:
        value, unit = value / 1_000, unit + 1
    return f"{value:,.0f} {_UNITS[unit]}" if not unit else f"{value:,.1f} {_UNITS[unit]}"
