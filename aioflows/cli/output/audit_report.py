"""An audit on a terminal: one line for each kind of finding, and the first findings of each kind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

import attrs
from rich.console import Console, Group
from rich.text import Text

from aioflows._display.text import printable
from aioflows.audit import AuditReport, LateRun, unjudged_notes
from aioflows.cli.output.console import fold_line, format_duration
from aioflows.cli.output.row_table import fit_to_width

__all__ = ["json_lines", "print_audit"]

_SHOWN = 5
_KINDS = ("missing", "doubled", "late", "waiting", "changes", "stopped", "unjudged")


def print_audit(report: AuditReport, console: Console) -> None:
    """Print an audit in some forty lines at most."""
    lines = [_head(report), Text(f"{_time(report.from_time)} to {_time(report.to_time)}", style="dim")]
    width = max(10, min(34, console.width - 58))
    by_flow = sorted(report.missing.by_flow(), key=lambda one: -one[2])
    lines += _section(
        "missing",
        ((name, f"{count:,} from {_time(first)}") for _, name, count, first in by_flow),
        width,
        len(by_flow),
    )
    lines += _section(
        "doubled",
        (
            (one.flow_name, f"{_time(one.trigger_time)}, {len(one.instance_ids)} instances")
            for one in report.doubled
        ),
        width,
        len(report.doubled),
    )
    late = sorted(report.late, key=lambda one: one.delay, reverse=True)
    lines += _section("late", ((one.flow_name, _delay(one)) for one in late), width, len(late))
    lines += _section(
        "waiting", ((one.flow_name, _delay(one)) for one in report.waiting), width, len(report.waiting)
    )
    lines += _section(
        "changed",
        (
            (one.flow_name, f"{printable(one.before or '–', 40)} to {printable(one.after or '–', 40)}")
            for one in report.changes
        ),
        width,
        len(report.changes),
    )
    stopped = sorted(report.stopped, key=lambda one: one.last, reverse=True)
    lines += _section(
        "stopped",
        ((one.flow_name, f"last {_time(one.last)}, {one.expected:,} due since") for one in stopped),
        width,
        len(stopped),
    )
    lines += _unjudged(report)
    lines = [
        *fold_line(lines[0], console),
        *(part for line in lines[1:] for part in fold_line(line, console, 12)),
    ]
    console.print(Group(*lines))


def json_lines(report: AuditReport) -> Iterator[str]:
    """Yield a line of JSON for each finding, and one with the counts at the end."""
    for kind in _KINDS:
        for finding in getattr(report, kind):
            yield json.dumps(
                {"kind": kind, **{name: _json(value) for name, value in attrs.asdict(finding).items()}}
            )
    yield json.dumps(
        {
            "kind": "audit",
            "from_time": report.from_time.isoformat(),
            "to_time": report.to_time.isoformat(),
            "late_unjudged": report.late_unjudged,
            **report.counts(),
        }
    )


def _json(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else value


def _head(report: AuditReport) -> Text:
    missing = len(report.missing)
    return Text.assemble(
        f"{report.instances:,} instances of {report.flows:,} flows · ",
        (f"{missing:,} missing", "bold red" if missing else "bold"),
        f" · {len(report.doubled):,} doubled · {len(report.late):,} late",
    )


def _section(title: str, rows: Iterable[tuple[str | None, str]], width: int, total: int) -> Iterator[Text]:
    for place, (name, text) in enumerate(islice(rows, _SHOWN)):
        shown = fit_to_width(printable(name or "–", 100), width)
        yield Text.assemble(f"{'' if place else title:12}", shown, "  ", text)
    if total > _SHOWN:
        yield Text(f"{'':12}and {total - _SHOWN:,} more", style="dim")


def _unjudged(report: AuditReport) -> list[Text]:
    """Return a line for each reason, and lines for what has no schedule."""
    return [
        Text(f"{'' if place else 'not judged':12}{note}", style="dim")
        for place, note in enumerate(unjudged_notes(report))
    ]


def _delay(run: LateRun) -> str:
    return f"{_time(run.trigger_time)}, by {format_duration(run.delay)}"


def _time(time: datetime) -> str:
    return time.isoformat(sep=" ", timespec="minutes")
