"""Flow instances as comma-separated values: RFC 4180, in UTF-8, with a header.

An empty cell is a missing value. A quoted empty cell (``""``) is an empty text. Times are ISO 8601, all with
the offset of one zone, and ``status`` is the service's code. A text that a spreadsheet would run as a formula gets a leading
``'`` (CWE-1236), unless ``raw=True``. Numbers stay as they are, as in status -1.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo

from aioflows._tables.columns import Column, Kind, Layout, members_text
from aioflows._tables.time_text import time_text
from aioflows.models import FlowInstance

__all__ = ["CsvEncoder"]

_FORMULA = (*"=+-@", *"\uff1d\uff0b\uff0d\uff20", "\t", "\r", "\n", "\0")
# https://owasp.org/www-community/attacks/CSV_Injection: Chinese and Japanese spreadsheets take the full-width forms as well
_QUOTED = re.compile(r'[",\r\n]')
_END = "\r\n"  # RFC 4180, 2.1


class CsvEncoder:
    """An encoder of flow instances as CSV lines.

    Args:
        layout: the columns.
        raw: True to leave texts that look like formulas unchanged.
        zone: the zone of times. Default: UTC.
    """

    end = _END.encode()
    quoted = True

    def __init__(self, layout: Layout, *, raw: bool = False, zone: tzinfo = UTC) -> None:
        self._layout = layout
        self._formatters = tuple(_formatter(column, zone, raw=raw) for column in layout.columns)
        self._raw = raw
        self.head = (",".join(layout.names) + _END).encode()

    def encode(self, instances: Sequence[FlowInstance]) -> bytes:
        """Return the lines of these instances."""
        columns = [
            list(map(format_value, values))
            for format_value, values in zip(self._formatters, self._layout.values(instances), strict=True)
        ]
        if len(columns) == 1:
            # Many readers, such as csv.DictReader and pandas, skip an empty line.
            columns[0] = [cell or '""' for cell in columns[0]]
        lines = "".join([",".join(row) + _END for row in zip(*columns, strict=True)])
        return lines.encode("utf-8", "backslashreplace")  # UTF-8 has no lone surrogates

    def decode(self, record: bytes) -> Mapping[str, str]:
        """Return the cells of a record by column. Raise a ValueError if it has other columns."""
        (cells,) = csv.reader([record.decode()], strict=True)
        found = dict(zip(self._layout.names, cells, strict=True))
        return found if self._raw else {name: _bare(cell) for name, cell in found.items()}


def _bare(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def _formatter(column: Column, zone: tzinfo, *, raw: bool) -> Callable[[object], str]:
    if column.kind is Kind.TIME:
        text = time_text(column, zone)
        return lambda time: text(time) or ""  # type: ignore[arg-type]  # columns of this kind hold times
    if column.kind is Kind.BOOLEAN:
        return lambda value: "" if value is None else "true" if value else "false"
    if column.kind is Kind.INTEGER:
        return lambda value: "" if value is None else str(int(value))  # type: ignore[call-overload]  # columns of this kind hold numbers
    if column.kind is Kind.NUMBER:
        return lambda value: "" if value is None else repr(value)
    if column.kind is Kind.MEMBERS:
        return lambda value: "" if value is None else _cell(members_text(value), raw=raw)
    return lambda value: "" if value is None else _cell(str(value), raw=raw)


def _cell(text: str, *, raw: bool) -> str:
    if not raw and text.startswith(_FORMULA):
        text = f"'{text}"
    if not text or _QUOTED.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text
