"""A report on one screen of 80 by 24 characters, with the same counts as the HTML page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

from rich.console import Console, Group
from rich.text import Text

from aioflows import FlowStatus
from aioflows._display.text import printable
from aioflows.cli.output.console import fold_line, format_duration
from aioflows.cli.output.row_table import fit_to_width
from aioflows.report import (
    FAILURES,
    FINISHED,
    Facts,
    ScheduledRuns,
    Tally,
    delay_quantile,
    gaps,
    quantile,
    time_axis,
)
from aioflows.report.flow_totals import FlowTotal, FlowTotals

__all__ = ["print_report"]

_DAYS, _FEWEST_DAYS = 7, 3
_FLOWS = 3
_LABEL = 18  # columns of the labels
_SCREEN = 24  # lines
_WIDE_HOURS = 80  # columns of a terminal with room for two columns an hour
_LEVELS = "▁▂▃▄▅▆▇█"
_SHADES = "░▒▓█"


def print_report(tally: Tally, facts: Facts, runs: ScheduledRuns, console: Console) -> None:
    """Print a report in at most 24 lines. A terminal of fewer than 80 columns may take more lines.

    A long line is broken, and fewer days are shown in return.
    """
    for days in range(_DAYS, _FEWEST_DAYS - 1, -1):
        lines = _lines(tally, facts, runs, console, days)
        folded = [
            part
            for place, line in enumerate(lines)
            for part in fold_line(line, console, _LABEL if place > 1 else 0)
        ]
        if console.width < _WIDE_HOURS or len(folded) <= _SCREEN:
            lines = folded
            break
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    console.print(Group(*lines))


def _lines(tally: Tally, facts: Facts, runs: ScheduledRuns, console: Console, days: int) -> list[Text]:
    axis = time_axis(tally, facts)
    lines = [_head(tally.totals), _dim(f"{_range(tally, axis)}; {facts.verdict}")]
    if axis and tally.rows:
        lines += [
            Text(),
            *_heat_map(tally, axis[-days:], 2 if console.width >= _WIDE_HOURS else 1),
            Text(),
            _failures(tally, axis, console.width - 24),
            *_gaps(tally, axis),
            _durations(tally),
            *_scheduled(runs),
            Text(),
        ]
        lines += _flows("slowest", tally.totals.slowest(_FLOWS), console.width)
        lines += _flows("failing", tally.totals.most_failing(_FLOWS), console.width)
    return lines


def _head(totals: FlowTotals) -> Text:
    states, failed, finished = totals.statuses, totals.failed, totals.finished
    rate = f"{states[FlowStatus.SUCCESS] / finished:.1%}" if finished else "–"
    return Text.assemble(
        (f"{totals.instances:,} instances", "bold"),
        f" · {rate} success · ",
        (f"{failed:,} failed", "bold red" if failed else ""),
        f" · {states[FlowStatus.RUNNING]:,} running · {totals.flows:,} flows",
    )


def _range(tally: Tally, axis: Sequence[int]) -> str:
    if not tally.rows:
        return "nothing matches"
    return f"{_day(tally, axis[0])} to {_day(tally, axis[-1])} ({tally.zone})"


def _heat_map(tally: Tally, axis: Sequence[int], cells: int) -> list[Text]:
    """Return a line for each day: a shade for the failures of each hour, or a dot for none.

    Args:
        tally: tally of the instances.
        axis: rows of the days.
        cells: columns of an hour.
    """
    total: Counter[tuple[int, int]] = Counter()
    finished: Counter[tuple[int, int]] = Counter()
    failed: Counter[tuple[int, int]] = Counter()
    for (row, hour, _, status), count in tally.counts().items():
        total[row, hour] += count
        finished[row, hour] += count if status in FINISHED else 0
        failed[row, hour] += count if status in FAILURES else 0
    shown = set(axis)
    most = max((failed[row, hour] for row, hour in total if row in shown), default=0)
    head = "".join(f"{hour:02}".ljust(3 * cells) for hour in range(0, 24, 3))
    lines = [_dim(f"{'failures, by hour':18}{head}  of")]
    for row in axis:
        line = Text(f"{_day(tally, row):18}")
        for hour in range(24):
            at = (row, hour)
            if failed[at]:
                line.append(_SHADES[math.ceil(len(_SHADES) * failed[at] / most) - 1] * cells, "red")
            else:
                line.append(("·" if total[at] else " ").ljust(cells), "green")
        line.append(
            f"  {sum(failed[row, h] for h in range(24)):,} / {sum(finished[row, h] for h in range(24)):,}"
        )
        lines.append(line)
    return lines


def _failures(tally: Tally, axis: Sequence[int], width: int) -> Text:
    """Return a line of blocks over the whole range. A block stands for several days if the range has many."""
    failed: Counter[int] = Counter()
    for (row, _, _, status), count in tally.counts().items():
        failed[row] += count if status in FAILURES else 0
    first, last = axis[0], axis[-1]
    each = math.ceil((last - first + 1) / max(10, width))
    sums = [
        sum(failed[row] for row in range(low, min(low + each, last + 1)))
        for low in range(first, last + 1, each)
    ]
    most = max(sums)
    blocks = "".join(
        _LEVELS[math.ceil(len(_LEVELS) * failures / most) - 1] if failures else " " for failures in sums
    )
    return Text.assemble(f"{'failures in time':18}", (blocks, "red"), f" ≤ {most:,}")


def _gaps(tally: Tally, axis: Sequence[int]) -> list[Text]:
    """Return a line that names the longest time without instances, if there is one."""
    found = gaps(tally, axis)
    if not found:
        return []
    first, last = max(found, key=lambda gap: (gap[1] - gap[0], gap[1]))
    days = sum(last - first + 1 for first, last in found) * tally.span
    named = _day(tally, first) if first == last else f"{_day(tally, first)} to {_day(tally, last)}"
    more = " at the longest" if len(found) > 1 else ""
    return [Text(f"{'no instances':18}on {days:,} of {len(axis) * tally.span:,} days: {named}{more}")]


def _durations(tally: Tally) -> Text:
    shares = [(share, quantile(tally, share)) for share in (0.5, 0.9, 0.99)]
    parts = [f"{share:.0%} in about {format_duration(took)}" for share, took in shares if took is not None]
    waited = delay_quantile(tally, 0.95)
    if waited is not None:
        parts.append(f"95% started within {format_duration(waited)}")
    return Text(f"{'durations':18}" + (", ".join(parts) or "nothing has a start and an end"))


def _scheduled(runs: ScheduledRuns) -> list[Text]:
    """Return at most three lines, so that the report still fits a screen."""
    if runs.left_out:
        reason, _, advice = runs.left_out.partition("; ")
        return [
            _dim(f"{'' if place else 'scheduled runs':18}{text}")
            for place, text in enumerate((f"not counted: {reason}", advice))
            if text
        ]
    lines = [
        Text.assemble(
            f"{'scheduled runs':18}{runs.expected:,} expected · ",
            (f"{runs.missing:,} missing", "bold red" if runs.missing else ""),
            f" · {runs.doubled:,} twice · {runs.late:,} late · {runs.stopped:,} stopped",
        )
    ]
    if runs.first_missing:
        name, flow_id, time = runs.first_missing[0]
        lines.append(Text(f"{'first missing':18}{time}  {flow_id}  {name}"))
    if runs.unjudged:
        lines.append(_dim(f"{'not judged':18}{runs.unjudged}"))
    return lines


def _flows(title: str, flows: list[FlowTotal], width: int) -> list[Text]:
    lines = []
    for place, flow in enumerate(flows):
        figures = (
            f"{format_duration(flow.mean)} on average of {flow.ran:,}"
            if title == "slowest"
            else f"{flow.failed:,} of {flow.finished:,} finished"
        )
        name = fit_to_width(printable(flow.name or "–", 100), max(10, min(34, width - 48)))
        lines.append(Text.assemble(f"{'' if place else title:18}", name, "  ", figures))
    return lines


def _day(tally: Tally, row: int) -> str:
    return (date.min + timedelta(days=max(0, row * tally.span - 1))).isoformat()


def _dim(text: str) -> Text:
    return Text(text, style="dim")
