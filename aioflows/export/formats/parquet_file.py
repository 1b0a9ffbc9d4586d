"""Parquet files: written atomically, or grown by row groups.

The footer at the end of a Parquet file has the places of its row groups, so rows cannot be appended to a
finished file. But readers ignore all bytes that the last footer does not name. So a growing file is a
sequence of parts, each a whole Parquet file whose footer has offsets in the growing file. At the end, one
more footer names the row groups of all parts. No row is encoded twice, and the file can be cut and continued
behind any part. The footers of the parts stay in the file, some kilobytes each.

pyarrow opens the file. At each write to a Python file object, pyarrow would wait for the GIL while Python
decodes the next rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from aioflows._extras import pa, pq
from aioflows.export.filesystem import FileSystem, write_atomically

__all__ = [
    "GROUP",
    "GROUP_BYTES",
    "add_part",
    "memory_pool",
    "merged_groups",
    "read_footers",
    "read_groups",
    "read_job",
    "read_last",
    "read_names",
    "read_parts",
    "write_file",
    "write_final_footer",
    "write_parquet",
]

GROUP = 128_000
"""The most rows of a row group."""
GROUP_BYTES = 16_000_000
"""Bytes of columns in a part, or in a row group that is written again."""

# https://parquet.apache.org/docs/file-format/: a file is the magic bytes, the rows, the footer, the length of the
# footer (4 bytes, little-endian), and the magic bytes.
_MAGIC = b"PAR1"
_LENGTH_BYTES = 4


def memory_pool() -> pa.MemoryPool:
    """Return the memory pool for the rows of an export.

    In an export, one thread allocates memory and another thread frees it. pyarrow's default pool would keep
    most of such memory.
    """
    return pa.system_memory_pool()


def read_names(file: Any) -> tuple[str, str] | None:
    """Return the identity of the export in a file's metadata, and that of its series. None: the file is not Parquet.

    Each is "" if the file does not have it.

    Args:
        file: the file, open for reading, or its path.
    """
    try:
        metadata = pq.read_schema(file).metadata or {}
    except (pa.ArrowException, OSError):
        return None
    return metadata.get(b"aioflows", b"").decode(), metadata.get(b"aioflows.series", b"").decode()


def read_job(path: Path) -> str | None:
    """Return the identity of the export in a file's metadata, or None if the file is not Parquet."""
    names = read_names(path)
    return None if names is None else names[0]


def read_last(opened: Any, columns: Sequence[str], names: Sequence[str]) -> dict[str, Any] | None:
    """Return some columns of the last row of a file, or None if it has no rows.

    Args:
        opened: the file, open for reading.
        columns: the names of the columns to return.
        names: the names of all columns of the file.

    Raises:
        ValueError: the file is not Parquet, or has other columns.
    """
    try:
        with pq.ParquetFile(opened) as file:
            if file.schema_arrow.names != list(names):
                raise ValueError("it has other columns")
            for group in reversed(range(file.num_row_groups)):
                table = file.read_row_group(group, columns=list(columns))
                if table.num_rows:
                    last: dict[str, Any] = table.slice(table.num_rows - 1).to_pylist()[0]
                    return last
            return None
    except (pa.ArrowException, OSError) as error:
        raise ValueError("it cannot be read as Parquet") from error


def read_groups(opened: Any) -> Iterator[pa.Table]:
    """Yield the rows of each row group of a file that is open for reading."""
    with pq.ParquetFile(opened) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


def write_file(files: FileSystem, path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Write tables as a Parquet file, in one step."""

    def write(part: Path) -> None:
        with _appending(files, part, 0) as out:
            write_parquet(out, schema, tables)

    write_atomically(files, path, write)


def write_parquet(out: Any, schema: pa.Schema, tables: Iterable[pa.Table]) -> pq.FileMetaData:
    """Write tables as Parquet, and return the footer."""
    # Only names repeat, so a dictionary of other texts would cost more than it saves.
    names = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    footers: list[pq.FileMetaData] = []
    writer = pq.ParquetWriter(
        out,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=names or False,
        metadata_collector=footers,
        memory_pool=memory_pool(),
    )
    try:
        for table in tables:
            # Batches have different dictionaries, for which the writer would use plain encoding.
            writer.write_table(table.cast(schema).unify_dictionaries(memory_pool()), row_group_size=GROUP)
        writer.close()
    except BaseException:
        with suppress(Exception):  # an error of closing would hide the first error
            writer.close()
        writer.is_open = False  # its finalizer would close it again, and print an error
        raise
    return footers[0]


def merged_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows of tables in order, in tables as large as a row group."""
    merged: list[pa.Table] = []
    for table in tables:
        merged.append(table)
        rows, size = sum(one.num_rows for one in merged), sum(one.nbytes for one in merged)
        if rows >= GROUP or size >= GROUP_BYTES:
            yield pa.concat_tables(merged)
            merged = []
            pa.default_memory_pool().release_unused()
    if merged:
        yield pa.concat_tables(merged)


# A growing file


def add_part(
    files: FileSystem, path: Path, length: int, schema: pa.Schema, tables: Iterable[pa.Table]
) -> tuple[pq.FileMetaData, int]:
    """Append a part to a file, and wait until it is on the disk. Return its footer and the new length.

    Args:
        files: the file system.
        path: the growing file.
        length: the length of the file so far (bytes). Bytes behind it are cut off.
        schema: the schema of the rows.
        tables: the rows.
    """
    with _appending(files, path, length) as out:
        # pyarrow's writer refuses a file that is not at position 0. Bytes go to the end of the file all the
        # same, since the file is open for appending.
        os.lseek(out.fileno(), 0, os.SEEK_SET)
        footer = write_parquet(out, schema, tables)
        return footer, out.tell()


def write_final_footer(
    files: FileSystem, path: Path, length: int, footers: Sequence[pq.FileMetaData]
) -> None:
    """Append the footer that names the row groups of all parts. The parts end at *length* (bytes)."""
    whole = footers[0]
    for footer in footers[1:]:
        whole.append_row_groups(footer)
    with _appending(files, path, length) as out:
        whole.write_metadata_file(out)


def read_footers(path: Path, length: int) -> list[pq.FileMetaData]:
    """Return the footers of the parts in the first *length* bytes of a file.

    Raises:
        ValueError: the bytes are not a sequence of parts.
    """
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
                raise ValueError(f"the file cannot be continued: no part ends at byte {length:,}") from error
            if not len(_MAGIC) <= first < length:
                raise ValueError(
                    f"the file cannot be continued: a part begins at byte {first:,}, outside the file"
                )
            footers.append(footer)
            length = first - len(_MAGIC)
    return footers[::-1]


def read_parts(path: Path, footers: Iterable[pq.FileMetaData]) -> Iterator[pa.Table]:
    """Yield the rows of each part."""
    for footer in footers:
        with pq.ParquetFile(path, metadata=footer) as file:
            yield file.read()


def _footer(file: BinaryIO, end: int) -> pq.FileMetaData:
    tail = _LENGTH_BYTES + len(_MAGIC)
    file.seek(end - tail)
    size = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    file.seek(end - tail - size)
    return pq.read_metadata(pa.BufferReader(_MAGIC + file.read(size + tail)))


@contextmanager
def _appending(files: FileSystem, path: Path, length: int) -> Iterator[Any]:
    """Cut a file to a length (bytes), yield it for appending, and wait until it is on the disk."""
    descriptor = files.open(path)
    try:
        files.truncate(descriptor, length)
    finally:
        files.close(descriptor)
    with closing(files.append(path)) as out:
        yield out
        files.sync(out.fileno())
