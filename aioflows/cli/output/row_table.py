"""Flow instances as lines on a terminal, as they come: a table whose end nobody knows yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, timezone, tzinfo

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.text import Text

from aioflows import FlowInstance, FlowStatus
from aioflows._display.text import printable
from aioflows.cli.output.console import shown_duration

__all__ = ["RowTable", "fitted", "shown_status", "status_style"]

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
_NARROW, _WIDE = 8, 14  # INTERNAL_ERROR has 14 letters, the usual ones have 7
_GAP = "  "


def status_style(status: FlowStatus | int | None) -> str:
    """Give the colour of a status."""
    return _STYLES.get(status, "") if isinstance(status, FlowStatus) else "magenta"


def shown_status(status: FlowStatus | int | None, description: str | None = None) -> str:
    """Give the name of a status; one that is not in the vendor's table is shown as the service describes it."""
    if isinstance(status, FlowStatus):
        return status.name
    if status is None:
        return "–"
    return printable(f"{description or 'status'} {status}", 40)


def fitted(text: str, width: int) -> str:
    """Cut a text to a width in terminal cells, with an ellipsis, or fill it up; a Chinese character takes two cells."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


class RowTable:
    """Prints flow instances as aligned lines: time, id, status, duration, name.

    The widths are settled by the first rows, so that a line can be shown when it is there. An id is never cut short, as
    somebody may want to copy it; the name comes last and takes what is left.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._id = 0
        self._status = _WIDE if console.width >= 100 else _NARROW
        self._zone: tzinfo | None = None

    async def write(self, rows: Sequence[FlowInstance]) -> None:
        """Print more instances."""
        lines: list[Text] = []
        if not self._id and rows:
            self._id = max(
                len("instance"), *(cell_len(printable(row.instance_id, _LONGEST_ID)) for row in rows)
            )
            first = rows[0].trigger_time
            self._zone = None if first is None else timezone(first.utcoffset() or timedelta())
            lines.append(self._head())
        self._console.print(Group(*lines, *map(self._line, rows)))

    def _head(self) -> Text:
        cells = [fitted("time" if self._zone is None else f"time {self._zone}", _TIME)]
        cells += [fitted("instance", self._id), fitted("status", self._status), "duration", "flow"]
        return self._cut(Text(_GAP.join(cells), style="bold"))

    def _line(self, row: FlowInstance) -> Text:
        # All in the offset that the head names, whatever the clocks did since.
        time = (
            "–"
            if row.trigger_time is None
            else f"{row.trigger_time.astimezone(self._zone):%Y-%m-%d %H:%M:%S}"
        )
        identity = printable(row.instance_id, _LONGEST_ID)
        line = Text(fitted(time, _TIME) + _GAP + identity + " " * (self._id - cell_len(identity)) + _GAP)
        line.append(fitted(shown_status(row.status, row.status_desc), self._status), status_style(row.status))
        line.append(_GAP + shown_duration(row.duration).rjust(8), "dim")
        line.append(_GAP + printable(row.flow_name or "–", 200))
        return self._cut(line)

    def _cut(self, line: Text) -> Text:
        line.no_wrap, line.overflow = True, "ellipsis"
        return line
