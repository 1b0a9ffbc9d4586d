"""Flow instances as comma-separated values: RFC 4180, in UTF-8, with a header.

An empty cell is a missing value. A quoted empty cell (``""``) is an empty text. Times are ISO 8601, all with
the offset of one zone, and ``status`` is the service's code. A text that a spreadsheet would run as a formula gets a leading
``'`` (CWE-1236), unless ``raw=True``. Numbers stay as they are, as in status -1.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

from aioflows._tables.columns import Column, Kind, Layout, members_text
from aioflows._tables.raw_rows import RawRows
from aioflows._tables.text_columns import InstanceColumns, TextColumns
from aioflows.models import FlowInstance

__all__ = ["CsvEncoder"]

_FORMULA = (*"=+-@", *"\uff1d\uff0b\uff0d\uff20", "\t", "\r", "\n", "\0")
# https://owasp.org/www-community/attacks/CSV_Injection: Chinese and Japanese spreadsheets take the full-width forms as well
_OBJECT = ('{"', '[{"')  # such a text is no formula, and must be quoted
_MOST_KNOWN = 10_000  # names whose cells are kept for other pages
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
        self._zone = zone
        self._raw = raw
        self._known: dict[Any, str] = {}
        self.accepts_raw_rows = zone is UTC and not layout.tasks
        """True if `convert` may be called."""
        self.head = (",".join(layout.names) + _END).encode()

    def encode(self, instances: Sequence[FlowInstance]) -> bytes:
        """Return the lines of these instances."""
        return self._joined(self._lines(InstanceColumns(self._layout, instances, self._zone)))

    def convert(self, rows: RawRows) -> bytes:
        """Return the lines of rows that are bytes of answers.

        Raises:
            AnswerError: a value in a row cannot be read. The error names its path.
        """
        return self._joined(rows.encoded(self._layout, self._lines))

    def _lines(self, columns: TextColumns) -> list[str]:
        cells = [self._cells(column, columns.values(column)) for column in self._layout.columns]
        if len(cells) == 1:
            # Many readers, such as csv.DictReader and pandas, skip an empty line.
            return [cell or '""' for cell in cells[0]]
        return list(map(",".join, zip(*cells, strict=True)))

    @staticmethod
    def _joined(lines: Sequence[str]) -> bytes:
        text = "".join([f"{line}{_END}" for line in lines])
        return text.encode("utf-8", "backslashreplace")  # UTF-8 has no lone surrogates

    def _cells(self, column: Column, values: Sequence[Any]) -> Sequence[str]:
        kind = column.kind
        if kind is Kind.TIME:
            return [time or "" for time in values]
        if kind is Kind.BOOLEAN:
            return ["" if value is None else "true" if value else "false" for value in values]
        if kind is Kind.INTEGER:
            return ["" if value is None else str(int(value)) for value in values]
        if kind is Kind.NUMBER:
            return ["" if value is None else repr(value) for value in values]
        if kind is Kind.MEMBERS:
            return self._texts([None if value is None else members_text(value) for value in values])
        if kind is Kind.TEXT and _are_plain(values):
            return values
        if kind is Kind.JSON and len(set(values)) > len(values) // 2:
            return [_json_cell(text, raw=self._raw) for text in values]
        return self._texts(values)

    def _texts(self, values: Sequence[Any]) -> Sequence[str]:
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        known = self._known
        for value in set(values).difference(known):
            known[value] = "" if value is None else _cell(str(value), raw=self._raw)
        return [known[value] for value in values]

    def decode(self, record: bytes) -> Mapping[str, str]:
        """Return the cells of a record by column. Raise a ValueError if it has other columns."""
        (cells,) = csv.reader([record.decode()], strict=True)
        found = dict(zip(self._layout.names, cells, strict=True))
        return found if self._raw else {name: _bare(cell) for name, cell in found.items()}


def _are_plain(values: Sequence[str | None]) -> bool:
    """Return True if all values are texts that a cell holds as they are."""
    try:
        together = "".join(values)  # type: ignore[arg-type]  # None raises the error below
    except TypeError:
        return False
    starts = {text[:1] for text in values if text is not None}
    return starts.isdisjoint(("", *_FORMULA)) and not _QUOTED.search(together)


def _bare(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def _json_cell(text: str | None, *, raw: bool) -> str:
    if text is not None and text.startswith(_OBJECT):
        doubled = text.replace('"', '""')
        return f'"{doubled}"'
    return "" if text is None else _cell(text, raw=raw)


def _cell(text: str, *, raw: bool) -> str:
    if not raw and text.startswith(_FORMULA):
        text = f"'{text}"
    if not text or _QUOTED.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text
