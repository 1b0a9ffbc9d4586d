"""The account that a command ends with: what was read, what it cost, how it is proven, and where it lies."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import attrs

from aioflows import FlowQuery, ScanStats
from aioflows._display.text import printable
from aioflows.cli.exit_codes import record
from aioflows.cli.output.console import rows_per_second

__all__ = ["ScanSummary"]

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@attrs.frozen
class ScanSummary:
    """How a scan has ended that has ended well.

    Args:
        query: *what* was read.
        stats: what it *cost*, in this run.
        rows: *instances* in all, those of earlier runs included.
        before: those of the *instances* that earlier runs had written.
        limit: *instances* that were asked for; None: every one.
        page_size: *rows* a request.
        output: *where* they lie; None: they were shown, or are gone down a pipe.
    """

    query: FlowQuery
    stats: ScanStats
    rows: int
    before: int = 0
    limit: int | None = None
    page_size: int = 500
    output: str | None = None

    @property
    def outcome(self) -> str:
        """Tell in a word or two."""
        if self.limit is not None and self.rows == self.limit:
            return "as many as asked for"
        return "complete" if self.rows else "nothing matches"

    @property
    def least(self) -> int:
        """The requests that it takes to carry the rows of this run, with every page full."""
        return math.ceil(self.stats.rows_yielded / self._page)

    @property
    def _page(self) -> int:
        return min(self.page_size, self.stats.page_cap or self.page_size)

    @property
    def size(self) -> int | None:
        """The *bytes* of the output; None: nothing can tell."""
        if self.output is None:
            return None
        path = Path(self.output)
        try:
            files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
            return sum(one.stat().st_size for one in files)
        except OSError:
            return None

    def line(self) -> str:
        """Give it to a person."""
        stats, size = self.stats, self.size
        ratio = f", {stats.requests / self.least:.2f} × full pages of {self._page:,}" if self.least else ""
        parts = [self.outcome]
        if self.output is not None:
            parts.append(printable(self.output) + ("" if size is None else f", {_sized(size)}"))
        if self.before:
            parts.append(f"{self.before:,} of {self.rows:,} instances were there before")
        parts.append(f"{stats.rows_yielded:,} rows · {stats.requests:,} requests{ratio}")
        parts.append(f"{stats.elapsed:.1f} s, {rows_per_second(stats):,.0f} rows/s")
        if stats.retries:
            parts.append(
                f"{stats.retries:,} retries, {stats.throttled:,} throttled, waited {stats.waited:.1f} s"
            )
        parts.append(self._proven())
        parts.append(f"from {_time(self.query.from_ms)} to {_time(self.query.to_ms)}")
        return " · ".join(parts)

    def _proven(self) -> str:
        counted = f", {len(self.stats.counted):,} of them by counting" if self.stats.counted else ""
        return f"{self.stats.windows:,} windows proven{counted}"

    def json(self) -> str:
        """Give it to a machine."""
        stats = self.stats
        return record(
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
            counted=[attrs.asdict(one) for one in stats.counted],
            time_zone=stats.time_zone,
            page_cap=stats.page_cap,
        )


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(
        timespec="milliseconds" if ms % 1000 else "seconds"
    )


def _sized(size: int) -> str:
    value, unit = float(size), 0
    while value >= 1_000 and unit < len(_UNITS) - 1:
        value, unit = value / 1_000, unit + 1
    return f"{value:,.0f} {_UNITS[unit]}" if not unit else f"{value:,.1f} {_UNITS[unit]}"
