"""Files of columns: written so that they are there whole or not at all, and read by no one else before they are."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aioflows.export.files import Files

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["GROUP", "Out", "fill_arrow", "fill_parquet", "job_of", "write_whole"]

GROUP = 128_000
"""The most rows of a row group."""

_PIECE = 1_000_000  # bytes


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


def write_whole(files: Files, path: Path, fill: Callable[[Out], None]) -> None:
    """Write a file that is there whole, or not at all, whenever this ends."""
    part = path.with_name(f"{path.name}.part")
    descriptor = files.open(part)
    try:
        files.truncate(descriptor, 0)
        # Closed before the descriptor is: a writer that failed writes once more when it is collected, and by then the
        # same number may be another file's.
        with Out(files, descriptor) as out:
            fill(out)
            out.drain()
        files.sync(descriptor)
    finally:
        files.close(descriptor)
    files.rename(part, path)


def fill_parquet(out: Out, *, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Write Parquet."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    # Texts that hardly ever repeat cost more as a dictionary than they save.
    names = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    with pq.ParquetWriter(
        out, schema, compression="zstd", compression_level=1, use_dictionary=names or False
    ) as writer:
        for table in tables:
            writer.write_table(table.cast(schema), row_group_size=GROUP)


def fill_arrow(out: Out, *, table: pa.Table) -> None:
    """Write what is read again by this module alone, and soon: Arrow's own format costs a third of Parquet."""
    import pyarrow.ipc  # noqa: PLC0415

    options = pyarrow.ipc.IpcWriteOptions(compression="lz4")
    with pyarrow.ipc.new_stream(out, table.schema, options=options) as writer:
        writer.write_table(table)


class Out(io.RawIOBase):
    """An open file, as pyarrow writes to it: in many small pieces, which are put together here."""

    def __init__(self, files: Files, descriptor: int) -> None:
        self._files = files
        self._descriptor = descriptor
        self._held = bytearray()

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, content: Any, /) -> int:
        """Take it."""
        if self.closed:
            raise ValueError("this file is closed")
        self._held += content
        if len(self._held) >= _PIECE:
            self.drain()
        return len(memoryview(content).cast("B"))

    def drain(self) -> None:
        """Write what was taken."""
        held, self._held = self._held, bytearray()
        self._files.write(self._descriptor, held)
