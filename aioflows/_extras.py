"""Optional libraries: imported at their first use, or an error that says which extra brings them.

`pa`, `pc` and `pq` stand for pyarrow and two of its modules. A type checker sees the modules themselves.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from aioflows.errors import QueryError

__all__ = ["import_extra", "pa", "pc", "pq", "require_extra"]

_EXTRAS: dict[str, tuple[str, str | None]] = {
    "pyarrow": ("Arrow and Parquet need", "arrow"),
    "duckdb": ("an export to DuckDB needs", "arrow"),
    "fsspec": ("targets in object stores need", "object-stores"),
    "polars": ("a Polars data frame needs", None),
    "pandas": ("a pandas data frame needs", None),
}


def require_extra(name: str) -> None:
    """Check that an optional library is installed, without importing it.

    Raises:
        QueryError: the library is not installed.
    """
    if sys.modules.get(name) is None and (name in sys.modules or find_spec(name) is None):
        raise _missing(name)


def import_extra(name: str) -> Any:
    """Import a module of an optional library, and return it.

    Raises:
        QueryError: the library is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        raise _missing(name.partition(".")[0]) from None


def _missing(library: str) -> QueryError:
    needs, extra = _EXTRAS[library]
    install = library if extra is None else f"enos-aioflows[{extra}]"
    return QueryError(f"{needs} {library}, which is not installed; install {install}")


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
