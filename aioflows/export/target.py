"""The name of a target, and what it tells: where it is, and which format is meant."""

from __future__ import annotations

import enum
import os
from pathlib import Path

import attrs

from aioflows.errors import QueryError
from aioflows.export.errors import reason

__all__ = ["Format", "Target"]

_OWN_OUTPUT = "-"


class Format(enum.StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    SQLITE = "sqlite"
    DUCKDB = "duckdb"


_ENDINGS = {
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".csv": Format.CSV,
    ".parquet": Format.PARQUET,
    ".sqlite": Format.SQLITE,
    ".sqlite3": Format.SQLITE,
    ".db": Format.SQLITE,
    ".duckdb": Format.DUCKDB,
}
_OURS = ("date=", "_common_metadata")
_STREAMS = (Format.JSONL, Format.CSV)


@attrs.frozen
class Target:
    """Where an export goes.

    Args:
        name: as it was *given*.
        path: the *path* of it, links followed; None: standard output.
        format: how it is *written*.
        special: whether it is a pipe or a device, in whose place nothing can be put.
        folder: whether it is a *folder*, of Parquet files by day.
    """

    name: str
    path: Path | None
    format: Format
    special: bool = False
    folder: bool = False

    @property
    def streams(self) -> bool:
        """Whether what is written is gone, so that nothing can be taken back or gone on with."""
        return self.path is None or self.special

    @classmethod
    def named(cls, name: str | os.PathLike[str], format: str | None = None) -> Target:
        """Read a name; nothing is written.

        Args:
            name: a *path*, or "-" for standard output; with a "/" at its end, or where a folder is, it is a folder of
                Parquet files.
            format: the *format*; None: the name's ending tells.

        Raises:
            QueryError: it is no path, a folder, or in none, or no format fits it.
        """
        name, given = os.fspath(name), _format(format)
        if name == _OWN_OUTPUT:
            return cls(name, None, _streamed(given, name), special=True)
        try:
            path = Path(name).resolve()  # a link keeps pointing where it points
            special, parent = path.exists() and not path.is_file() and not path.is_dir(), path.parent.is_dir()
        except (OSError, ValueError, RuntimeError) as error:
            raise QueryError(f"{name!r} is no path: {reason(error)}") from None
        if not parent:
            raise QueryError(f"{name!r}: there is no folder {str(path.parent)!r}")
        if special:
            return cls(name, path, _streamed(given, name), special=True)
        slash = name.endswith(("/", os.sep))
        found = given or _ENDINGS.get(path.suffix.lower()) or (Format.PARQUET if slash else None)
        if slash or path.is_dir():
            if found is not Format.PARQUET:
                raise QueryError(f"{name!r} is a folder; name a file in it")
            if path.exists() and not path.is_dir():
                raise QueryError(f"{name!r} is no folder")
            return cls(name, path, found, folder=True)
        if found is None:
            raise QueryError(f"{name!r} has no ending that tells a format; known are {', '.join(_ENDINGS)}")
        return cls(name, path, found)

    def check(self, *, resume: bool, overwrite: bool) -> None:
        """Refuse what cannot be begun, as far as that shows without a look into what is there.

        Raises:
            QueryError: it exists and may not be replaced, or it cannot be gone on with.
        """
        if self.streams:
            if resume:
                raise QueryError(
                    f"{self.name!r} is a stream: what was written is gone, and nothing can be resumed"
                )
        elif self.path is not None and self.path.exists() and not (resume or overwrite):
            raise QueryError(f"{self.name!r} exists; give overwrite=True (--overwrite) to replace it")
        if self.folder and self.path is not None and self.path.is_dir():
            for one in self.path.iterdir():
                if not one.name.startswith(_OURS):
                    raise QueryError(
                        f"{self.name!r} holds {one.name!r}, so it is no folder of Parquet files by day"
                    )


def _format(value: str | None) -> Format | None:
    if value is None:
        return None
    try:
        return Format(value)
    except ValueError:
        raise QueryError(f"format {value!r} is not one of {', '.join(Format)}") from None


def _streamed(format: Format | None, name: str) -> Format:
    if format not in (None, *_STREAMS):
        raise QueryError(f"{name!r} is a stream, which takes {' or '.join(_STREAMS)}, not {format}")
    return format or Format.JSONL
