"""The target of an export: its path, and the format that its name implies."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import attrs

from aioflows._extras import import_extra
from aioflows.errors import QueryError
from aioflows.export.errors import reason
from aioflows.export.formats.compression import Compression
from aioflows.export.object_store.store import ObjectStore, is_url

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
        path: the path, with links resolved. None means standard output, or an object store.
        format: the format.
        special: True for a pipe or a device, which cannot be replaced.
        folder: True for a folder of Parquet files by day.
        compression: how a text file is compressed.
        store: the object store that the target lies in. None means a file, or a stream.
    """

    name: str
    path: Path | None
    format: Format
    special: bool = False
    folder: bool = False
    compression: Compression = Compression.NONE
    store: ObjectStore | None = attrs.field(default=None, eq=False)

    @property
    def streams(self) -> bool:
        """True if written rows cannot be taken back, so the export cannot be resumed."""
        return self.special

    @classmethod
    def named(
        cls,
        name: str | os.PathLike[str],
        format: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Target:
        """Return the target with this name. No file is written.

        Args:
            name: a path, the URL of an object, or "-" for standard output. A path that ends with "/", or that is
                a folder, stands for a folder of Parquet files.
            format: the name of a `Format`. Default: None, which means that the name's ending decides.
            storage_options: options of an object store, as fsspec takes them. Default: None, which means those of the
                environment.

        Raises:
            QueryError: the name is not a path, its folder does not exist, or its format is unknown or does
                not fit.
        """
        name, given = os.fspath(name), _format(format)
        if name == _STANDARD_OUTPUT:
            return cls(name, None, _stream_format(given, name), special=True)
        if is_url(name):
            return cls._in_store(name, given, ObjectStore(name, storage_options))
        if storage_options is not None:
            raise QueryError(
                f"storage_options= are for object stores, and {name!r} is a path; leave them out"
            )
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
        compression, found = _content(path, given, slash=slash)
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
        return cls(name, path, _checked(name, found, compression), compression=compression)

    @classmethod
    def _in_store(cls, url: str, given: Format | None, store: ObjectStore) -> Target:
        folder, key = url.endswith("/"), PurePosixPath(url.partition("://")[2])
        if len(key.parts) < 2:
            raise QueryError(
                f"{url!r} names no object in the bucket; add a name, as in {url.rstrip('/')}/out.parquet"
            )
        compression, found = _content(key, given, slash=folder)
        format = _checked(url, found, Compression.NONE if folder else compression)
        if folder and format is not Format.PARQUET:
            raise QueryError(
                f"{url!r} is a folder, and only {Format.PARQUET} can be written to a folder; name an object in the folder"
            )
        return cls(url, None, format, folder=folder, compression=compression, store=store)

    def check(self, *, resume: bool, overwrite: bool, append: bool = False) -> None:
        """Check that an export to this target can begin. The content of files is not read.

        The call blocks, and sends requests to an object store.

        Raises:
            QueryError: the target exists and may not be replaced, or the export cannot be resumed or appended.
            SinkError: the object store cannot be read.
        """
        if append and (self.streams or overwrite):
            why = "is a stream" if self.streams else "shall be replaced"
            raise QueryError(
                f"{self.name!r} {why}, so nothing can be appended to it; leave append=True (--append) out"
            )
        if self.store is not None:
            self._check_in_store(self.store, may_exist=resume or overwrite or append)
            return
        if self.streams:
            if resume:
                raise QueryError(
                    f"{self.name!r} is a stream, so an export to it cannot be resumed; "
                    "leave resume=True (--resume) out"
                )
        elif self.path is not None and self.path.exists() and not (resume or overwrite or append):
            raise QueryError(f"{self.name!r} exists; give overwrite=True (--overwrite) to replace it")
        if self.folder and self.path is not None and self.path.is_dir():
            self._check_entries(one.name for one in self.path.iterdir())

    def _check_in_store(self, store: ObjectStore, *, may_exist: bool) -> None:
        below = store.sizes(store.path)
        if self.folder:
            self._check_entries(below)
        elif below:
            raise QueryError(f"{self.name!r} is a folder of objects; use another name")
        if not may_exist and (below if self.folder else store.exists(store.path)):
            raise QueryError(f"{self.name!r} exists; give overwrite=True (--overwrite) to replace it")

    def _check_entries(self, names: Iterable[str]) -> None:
        for name in names:
            if not name.startswith(_FOLDER_ENTRIES):
                raise QueryError(
                    f"{self.name!r} holds {name!r}, so it is not a folder of Parquet files by day; "
                    "name another folder"
                )


def _content(path: PurePath, given: Format | None, *, slash: bool) -> tuple[Compression, Format | None]:
    """Return the compression and the format that a path names. None means that the format is unknown."""
    compression, ending = _compression(path)
    return compression, given or _ENDINGS.get(ending) or (Format.PARQUET if slash else None)


def _checked(name: str, format: Format | None, compression: Compression) -> Format:
    """Return the format of a file.

    Raises:
        QueryError: the format is unknown, or it is not compressed in this way.
    """
    if format is None:
        raise QueryError(
            f"the format of {name!r} is unknown; use one of the endings {', '.join(_ENDINGS)}, or give a format"
        )
    if compression and format not in _STREAM_FORMATS:
        raise QueryError(
            f"{name!r} cannot be written: {format} files are compressed inside; leave {str(compression)!r} out of the name"
        )
    if compression is Compression.ZSTD:
        import_extra("pyarrow")
    return format


def _compression(path: PurePath) -> tuple[Compression, str]:
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
