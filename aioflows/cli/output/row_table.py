"""A table of flow instances on a terminal, printed row by row while the scan runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, timezone, tzinfo

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.text import Text

from aioflows import FlowInstance, FlowStatus
from aioflows._display.text import printable
from aioflows.cli.output.console import format_duration

__all__ = ["RowTable", "fit_to_width", "format_status", "status_style"]

_STYLES = {
    FlowStatus.SUCCESS: "green",
    FlowStatus.FAIL: "bold red",
    FlowStatus.INTERNAL_ERROR: "bold red",
    FlowStatus.TIMEOUT: "red",
    FlowStatus.CANCEL: "yellow",
    FlowStatus.SUSPEND: "yellow",
    FlowStatus.SKIP: "yellow",
    FlowStatus.RUNNING: "cyan",
    FlowStatus.RERUN: "cyan",
}
_LONGEST_ID = 64
_TIME = 19
_NARROW, _WIDE = 8, 14  # INTERNAL_ERROR has 14 letters; the frequent statuses have at most 7
_WITH_DURATIONS = 72  # columns of a terminal with room for a duration and a name
_GAP = "  "


def status_style(status: FlowStatus | int | None) -> str:
    """Return the style of a status."""
    return _STYLES.get(status, "") if isinstance(status, FlowStatus) else "magenta"


def format_status(status: FlowStatus | int | None, description: str | None = None) -> str:
    """Return the name of a status. A status outside the vendor's table gets the service's description."""
    if isinstance(status, FlowStatus):
        return status.name
    if status is None:
        return "–"
    return printable(f"{description or 'status'} {status}", 40)


def fit_to_width(text: str, width: int) -> str:
    """Return a text cut or padded to a width in terminal cells. A Chinese character takes two cells."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


class RowTable:
    """A table of flow instances: time, id, status, duration, name.

    The first rows determine the widths, so that each row can be printed at once. An id is never cut, so that
    users can copy it. The name is last and gets the remaining width. A narrow terminal has no room for durations.

    Args:
        console: console to print on.
        zone: zone of the times. Default: None, the offset of the first row.
    """

    def __init__(self, console: Console, zone: tzinfo | None = None) -> None:
        self._console = console
        self._id = 0
        self._status = _WIDE if console.width >= 100 else _NARROW
        self._durations = console.width >= _WITH_DURATIONS
        self._zone = zone

    async def write(self, rows: Sequence[FlowInstance]) -> None:
        """Print instances."""
        lines: list[Text] = []
        if not self._id and rows:
            self._id = max(
                len("instance"), *(cell_len(printable(row.instance_id, _LONGEST_ID)) for row in rows)
            )
            first = rows[0].trigger_time
            if first is not None and self._zone is None:
                self._zone = timezone(first.utcoffset() or timedelta())
            lines.append(self._head())
        self._console.print(Group(*lines, *map(self._line, rows)))

    def _head(self) -> Text:
        cells = [fit_to_width("time" if self._zone is None else f"time {self._zone}", _TIME)]
        cells += [
            fit_to_width("instance", self._id),
            fit_to_width("status", self._status),
            *(["duration"] if self._durations else []),
            "flow",
        ]
        return self._cut(Text(_GAP.join(cells), style="bold"))

    def _line(self, row: FlowInstance) -> Text:
        # In the offset that the head shows, even after a change to or from daylight saving time.
        time = (
            "–"
            if row.trigger_time is None
            else f"{row.trigger_time.astimezone(self._zone):%Y-%m-%d %H:%M:%S}"
        )
        identity = printable(row.instance_id, _LONGEST_ID)
        line = Text(
            fit_to_width(time, _TIME) + _GAP + identity + " " * (self._id - cell_len(identity)) + _GAP
        )
        line.append(
            fit_to_width(format_status(row.status, row.status_desc), self._status), status_style(row.status)
        )
        if self._durations:
            line.append(_GAP + format_duration(row.duration).rjust(8), "dim")
        line.append(_GAP + printable(row.flow_name or "–", 200))
        return self._cut(line)

    def _cut(self, line: Text) -> Text:
        line.no_wrap, line.overflow = True, "ellipsis"
        return line
