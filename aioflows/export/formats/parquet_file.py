"""Parquet on the disk: files that are there whole or not at all, and one that grows by row groups.

A Parquet file says at its end where its row groups lie, and nothing can be added to it. But its readers look at nothing that
this footer does not name. So a file grows by whole part files, one behind the other, whose footers name places in the file
that holds them all; in the end one footer more names the row groups of every part. Nothing is encoded twice for that, and the
file can be cut behind any part, and gone on with there. What is left of it is a footer of some kilobytes for each part.

pyarrow writes to the disk by itself, since for each piece it would otherwise have to wait for Python, which is busy with the
next rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from aioflows.export.filesystem import FileSystem

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = [
    "GROUP",
    "add_part",
    "end_parts",
    "fill_parquet",
    "job_of",
    "memory",
    "parts_of",
    "read_parts",
    "write_whole",
]

GROUP = 128_000
"""The most rows of a row group."""

_MAGIC = (
    b"PAR1"  # https://parquet.apache.org/docs/file-format/: at the start of a file, and at its end behind ...
)
_LENGTH = 4  # ... the bytes that tell how long the footer is


def memory() -> pa.MemoryPool:
    """Give where the rows of an export take memory from.

    They are made by one thread and let go of by another, and pyarrow's own pool keeps the most of what it gets back that way.
    """
    import pyarrow as pa  # noqa: PLC0415

    return pa.system_memory_pool()


def job_of(path: Path) -> str | None:
    """Tell which export a file is; None: none of ours."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        metadata = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError):
        return None
    job: bytes = metadata.get(b"aioflows", b"")
    return job.decode()


def write_whole(files: FileSystem, path: Path, fill: Callable[[Any], object]) -> None:
    """Write a file that is there whole, or not at all, whenever this ends."""
    part = path.with_name(f"{path.name}.part")
    with _behind(files, part, 0) as out:
        fill(out)
    files.rename(part, path)


def fill_parquet(out: Any, *, schema: pa.Schema, tables: Iterable[pa.Table]) -> pq.FileMetaData:
    """Write Parquet; give its footer."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    # Texts that hardly ever repeat cost more as a dictionary than they save.
    names = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    footers: list[pq.FileMetaData] = []
    writer = pq.ParquetWriter(
        out,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=names or False,
        metadata_collector=footers,
        memory_pool=memory(),
    )
    try:
        for table in tables:
            # Each batch has dictionaries of its own, which a writer would give up on.
            writer.write_table(table.cast(schema).unify_dictionaries(memory()), row_group_size=GROUP)
    except BaseException:
        with suppress(Exception):  # it would say that it has no footer, in place of what went wrong
            writer.close()
        raise
    writer.close()
    return footers[0]


# A file that grows


def add_part(
    files: FileSystem, path: Path, length: int, schema: pa.Schema, tables: Iterable[pa.Table]
) -> tuple[pq.FileMetaData, int]:
    """Write rows behind the first *bytes* of a file, on the disk when this ends; give their footer, and its new length."""
    with _behind(files, path, length) as out:
        # A writer refuses to begin anywhere but at 0. What it writes goes to the file's end all the same, and from then on that is
        # where it finds itself.
        os.lseek(out.fileno(), 0, os.SEEK_SET)
        footer = fill_parquet(out, schema=schema, tables=tables)
        return footer, out.tell()


def end_parts(files: FileSystem, path: Path, length: int, footers: Sequence[pq.FileMetaData]) -> None:
    """Write the footer that makes a file of all parts in its first *bytes*."""
    whole = footers[0]
    for footer in footers[1:]:
        whole.append_row_groups(footer)
    with _behind(files, path, length) as out:
        whole.write_metadata_file(out)


def parts_of(path: Path, length: int) -> list[pq.FileMetaData]:
    """Read the footers of the parts in the first *bytes* of a file.

    Raises:
        ValueError: there are none.
    """
    import pyarrow as pa  # noqa: PLC0415

    footers = []
    with path.open("rb") as file:
        while length:
            try:
                footer = _footer(file, length)
                column = footer.row_group(0).column(0)
                first = (
                    column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset
                )
            except (pa.ArrowException, OSError, IndexError) as error:
                raise ValueError(f"no part of a file ends at {length}") from error
            if not len(_MAGIC) <= first < length:
                raise ValueError(f"a part of a file begins at {first}")
            footers.append(footer)
            length = first - len(_MAGIC)
    return footers[::-1]


def read_parts(path: Path, footers: Iterable[pq.FileMetaData]) -> Iterator[pa.Table]:
    """Give the rows of each part."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    for footer in footers:
        with pq.ParquetFile(path, metadata=footer) as file:
            yield file.read()


def _footer(file: BinaryIO, end: int) -> pq.FileMetaData:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    tail = _LENGTH + len(_MAGIC)
    file.seek(end - tail)
    size = int.from_bytes(file.read(_LENGTH), "little")
    file.seek(end - tail - size)
    return pq.read_metadata(pa.BufferReader(_MAGIC + file.read(size + tail)))


@contextmanager
def _behind(files: FileSystem, path: Path, length: int) -> Iterator[Any]:
    """Cut a file, let something be written behind the rest, and return when that lies on the disk."""
    descriptor = files.open(path)
    try:
        files.truncate(descriptor, length)
    finally:
        files.close(descriptor)
    with closing(files.append(path)) as out:
        yield out
        files.sync(out.fileno())
