"""Optional libraries: imported at their first use, or an error that says which extra brings them.

`pa`, `pc` and `pq` stand for pyarrow and two of its modules. A type checker sees the modules themselves.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aioflows.errors import QueryError

__all__ = ["import_extra", "pa", "pc", "pq"]

_EXTRAS: dict[str, tuple[str, str | None]] = {
    "pyarrow": ("Arrow and Parquet need", "arrow"),
    "duckdb": ("an export to DuckDB needs", "arrow"),
    "fsspec": ("targets in object stores need", "object-stores"),
    "polars": ("a Polars data frame needs", None),
    "pandas": ("a pandas data frame needs", None),
    "plotly": ("a report page needs", "report"),
}


def import_extra(name: str) -> Any:
    """Import a module of an optional library, and return it.

    Raises:
        QueryError: the library is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        library = name.partition(".")[0]
        needs, extra = _EXTRAS[library]
        install = library if extra is None else f"enos-aioflows[{extra}]"
        raise QueryError(f"{needs} {library}, which is not installed; install {install}") from None


class _LateModule:
    """A module that is imported when one of its members is used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, member: str) -> Any:
        value = getattr(import_extra(self._name), member)
        setattr(self, member, value)
        return value


if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
else:
    pa, pc, pq = map(_LateModule, ("pyarrow", "pyarrow.compute", "pyarrow.parquet"))
