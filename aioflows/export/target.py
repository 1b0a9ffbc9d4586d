"""The target of an export: its path, and the format that its name implies."""

from __future__ import annotations

import enum
import os
from pathlib import Path

import attrs

from aioflows._extras import import_extra
from aioflows.errors import QueryError
from aioflows.export.errors import reason
from aioflows.export.formats.compression import Compression

__all__ = ["Format", "Target"]

_STANDARD_OUTPUT = "-"


class Format(enum.StrEnum):
    """A format of an export."""

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
_FOLDER_ENTRIES = ("date=", "_common_metadata")
_STREAM_FORMATS = (Format.JSONL, Format.CSV)


@attrs.frozen
class Target:
    """The destination of an export.

    Args:
        name: the name as the user gave it.
        path: the path, with links resolved. None means standard output.
        format: the format.
        special: True for a pipe or a device, which cannot be replaced.
        folder: True for a folder of Parquet files by day.
        compression: how a text file is compressed.
    """

    name: str
    path: Path | None
    format: Format
    special: bool = False
    folder: bool = False
    compression: Compression = Compression.NONE

    @property
    def streams(self) -> bool:
        """True if written rows cannot be taken back, so the export cannot be resumed."""
        return self.path is None or self.special

    @classmethod
    def named(cls, name: str | os.PathLike[str], format: str | None = None) -> Target:
        """Return the target with this name. No file is written.

        Args:
            name: a path, or "-" for standard output. A path that ends with "/", or that is a folder, stands
                for a folder of Parquet files.
            format: the name of a `Format`. Default: None, which means that the name's ending decides.

        Raises:
            QueryError: the name is not a path, its folder does not exist, or its format is unknown or does
                not fit.
        """
        name, given = os.fspath(name), _format(format)
        if name == _STANDARD_OUTPUT:
            return cls(name, None, _stream_format(given, name), special=True)
        try:
            path = Path(name).resolve()  # a rename would replace a link, not the file that it points to
            special, parent = path.exists() and not path.is_file() and not path.is_dir(), path.parent.is_dir()
        except (OSError, ValueError, RuntimeError) as error:
            raise QueryError(f"{name!r} is not a path: {reason(error)}; give the path of a file") from None
        if not parent:
            raise QueryError(
                f"{name!r} cannot be written: there is no folder {str(path.parent)!r}; make the folder first"
            )
        if special:
            return cls(name, path, _stream_format(given, name), special=True)
        slash = name.endswith(("/", os.sep))
        compression, ending = _compression(path)
        found = given or _ENDINGS.get(ending) or (Format.PARQUET if slash else None)
        if slash or path.is_dir():
            if found is not Format.PARQUET:
                raise QueryError(
                    f"{name!r} is a folder, and only {Format.PARQUET} can be written to a folder; name a file in the folder"
                )
            if path.exists() and not path.is_dir():
                raise QueryError(
                    f"{name!r} is a file, but a slash at the end means a folder; leave out the slash"
                )
            return cls(name, path, found, folder=True)
        if found is None:
            raise QueryError(
                f"the format of {name!r} is unknown; "
                f"use one of the endings {', '.join(_ENDINGS)}, or give a format"
            )
        if compression and found not in _STREAM_FORMATS:
            raise QueryError(
                f"{name!r} cannot be written: {found} files are compressed inside; leave {str(compression)!r} out of the name"
            )
        if compression is Compression.ZSTD:
            import_extra("pyarrow")
        return cls(name, path, found, compression=compression)

    def check(self, *, resume: bool, overwrite: bool, append: bool = False) -> None:
        """Check that an export to this target can begin. The content of files is not read.

        Raises:
            QueryError: the target exists and may not be replaced, or the export cannot be resumed or appended.
        """
        if append and (self.streams or overwrite):
            why = "is a stream" if self.streams else "shall be replaced"
            raise QueryError(
                f"{self.name!r} {why}, so nothing can be appended to it; leave append=True (--append) out"
            )
        if self.streams:
            if resume:
                raise QueryError(
                    f"{self.name!r} is a stream, so an export to it cannot be resumed; "
                    "leave resume=True (--resume) out"
                )
        elif self.path is not None and self.path.exists() and not (resume or overwrite or append):
            raise QueryError(f"{self.name!r} exists; give overwrite=True (--overwrite) to replace it")
        if self.folder and self.path is not None and self.path.is_dir():
            for one in self.path.iterdir():
                if not one.name.startswith(_FOLDER_ENTRIES):
                    raise QueryError(
                        f"{self.name!r} holds {one.name!r}, so it is not a folder of Parquet files by day; "
                        "name another folder"
                    )


def _compression(path: Path) -> tuple[Compression, str]:
    """Return the compression in the name of a path, and the ending before that, in small letters."""
    last = path.suffix.lower()
    if last in set(Compression):
        return Compression(last), path.with_suffix("").suffix.lower()
    return Compression.NONE, last


def _format(value: str | None) -> Format | None:
    if value is None:
        return None
    try:
        return Format(value)
    except ValueError:
        raise QueryError(f"unknown format {value!r}; known formats: {', '.join(Format)}") from None


def _stream_format(format: Format | None, name: str) -> Format:
    if format not in (None, *_STREAM_FORMATS):
        raise QueryError(
            f"{name!r} is a stream, which cannot be written as {format}; use {' or '.join(_STREAM_FORMATS)}"
        )
    return format or Format.JSONL
