"""HTML tables of values, for notebooks.

Text from outside is cut, made printable and escaped. So an answer cannot make a page long, run a script, or
show one name as another.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from datetime import datetime

from aioflows._display.text import printable

__all__ = ["facts"]

_MOST_CHARACTERS = 300


def facts(title: str, values: Iterable[tuple[str, object]]) -> str:
    """Return an HTML table of two columns, names and values. Values that are None are left out.

    Args:
        title: the caption of the table.
        values: names and values.
    """
    rows = "".join(
        f"<tr><th style='text-align: left'>{_text(name)}</th><td style='text-align: left'>{_text(value)}</td></tr>"
        for name, value in values
        if value is not None
    )
    return f"<table><caption>{_text(title)}</caption>{rows}</table>"


def _text(value: object) -> str:
    import html  # noqa: PLC0415  (its table of entities is slow to import, and only notebooks need it)

    return html.escape(printable(_plain(value), _MOST_CHARACTERS))


def _plain(value: object) -> str:
    if isinstance(value, enum.StrEnum):
        return value.value
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{_plain(name)}: {_plain(one)}" for name, one in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(_plain, value))
    return str(value)
