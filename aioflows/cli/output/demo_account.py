"""The result of a demo on the terminal: completeness, order, requests, time, statuses and flows."""

from __future__ import annotations

import math

import attrs
from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from aioflows import ScanStats
from aioflows._display.text import printable
from aioflows.cli.output.console import format_duration, rows_per_second
from aioflows.cli.output.order_check import OrderCheck
from aioflows.cli.output.row_table import fit_to_width, format_status, status_style
from aioflows.report.flow_totals import FlowTotal, FlowTotals

__all__ = ["DemoOutcome", "print_outcome"]

_WIDEST_BAR = 30


@attrs.frozen
class DemoOutcome:
    """The outcome of a demo.

    Args:
        expected: number of instances in the deployment.
        totals: totals of the instances that were read.
        order: check of their order.
        order_by: order of the scan. None means no order.
        stats: statistics of the scan.
        page_size: instances per request.
    """

    expected: int
    totals: FlowTotals
    order: OrderCheck
    order_by: str | None
    stats: ScanStats
    page_size: int

    @property
    def exact(self) -> bool:
        """True if every instance came exactly once, and in the order of the scan."""
        return self.totals.instances == self.expected and not self.order.fault

    @property
    def least_requests(self) -> int:
        """Number of requests if every page were full."""
        return math.ceil(self.expected / self.page_size)


def print_outcome(outcome: DemoOutcome, console: Console) -> None:
    """Print the outcome of a demo."""
    console.print(
        Group(
            *_verdicts(outcome),
            Text(),
            _figures(outcome),
            Text(),
            _statuses(outcome.totals, console.width - 42),
        )
    )
    tables = [table for table in (_slowest(outcome.totals), _failing(outcome.totals)) if table is not None]
    if tables and console.width >= 120:
        grid = Table.grid(padding=(0, 4))
        grid.add_row(*tables)
        console.print(Text(), grid)
    else:
        for table in tables:
            console.print(Text(), table)


def _verdicts(outcome: DemoOutcome) -> list[Text]:
    read, expected = outcome.totals.instances, outcome.expected
    if read == expected:
        complete = _verdict(True, "complete", f"{read:,} of {expected:,} instances, each exactly once")
    else:
        complete = _verdict(False, "complete", f"{read:,} of {expected:,} instances were read")
    if outcome.order.fault:
        return [complete, _verdict(False, "in order", printable(outcome.order.fault, 200))]
    if outcome.order_by is None:
        return [complete, _verdict(True, "distinct", "the scan had no order; no instance came twice")]
    way = "descending" if outcome.order_by.startswith("-") else "ascending"
    return [complete, _verdict(True, "in order", f"strictly {way} by trigger time, then id")]


def _verdict(good: bool, claim: str, text: str) -> Text:
    mark = ("✓ ", "bold green") if good else ("✗ ", "bold red")
    return Text.assemble(mark, (claim.ljust(11), "bold" if good else "bold red"), text)


def _figures(outcome: DemoOutcome) -> Text:
    stats, least = outcome.stats, outcome.least_requests
    ratio = f" ({stats.requests / least:.2f} ×)" if least else ""
    lines = [
        ("time", f"{stats.elapsed:.1f} s, {rows_per_second(stats):,.0f} instances a second"),
        (
            "requests",
            f"{stats.requests:,}; full pages of {outcome.page_size:,} would take {least:,}{ratio}",
        ),
        (
            "retries",
            f"{stats.retries:,}" + (f", {stats.throttled:,} of them throttled" if stats.throttled else ""),
        ),
        ("flows", f"{outcome.totals.flows:,}"),
    ]
    return Text("\n").join(Text.assemble("  ", (name.ljust(11), "dim"), text) for name, text in lines)


def _statuses(totals: FlowTotals, width: int) -> Text:
    cells = max(5, min(width, _WIDEST_BAR))
    lines = []
    for status, count in totals.statuses.most_common():
        share = count / totals.instances
        style = status_style(status)
        # Eighths of a cell, so that a share of one per cent is still visible.
        eighths = max(1, round(share * cells * 8))
        bar = "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]
        name = fit_to_width(format_status(status), 16)
        lines.append(Text.assemble("  ", (name, style), f"{count:>11,} {share:>7.1%}  ", (bar, style)))
    return Text("\n").join(lines)


def _slowest(totals: FlowTotals) -> Table | None:
    rows = [
        (flow, format_duration(flow.mean), format_duration(flow.longest), f"{flow.ran:,}")
        for flow in totals.slowest()
    ]
    return _table("Slowest flows", ("mean", "longest", "runs"), rows)


def _failing(totals: FlowTotals) -> Table | None:
    rows = [
        (flow, f"{flow.failed:,}", f"{flow.failed / flow.instances:.0%}", f"{flow.instances:,}")
        for flow in totals.most_failing()
    ]
    return _table("Most failing flows", ("failed", "share", "of"), rows)


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[FlowTotal, str, str, str]]) -> Table | None:
    if not rows:
        return None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(title, no_wrap=True, overflow="ellipsis", min_width=24, max_width=30)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for flow, *figures in rows:
        table.add_row(Text("  " + printable(flow.name or "–", 100)), *(Text(figure) for figure in figures))
    return table
