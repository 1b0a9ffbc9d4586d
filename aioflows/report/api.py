"""``report()``, which reads a scan to its end and writes an HTML page, completely or not at all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import date, tzinfo

from aioflows.errors import QueryError
from aioflows.export import Format, Target
from aioflows.export.draft import Draft
from aioflows.export.errors import as_sink_error
from aioflows.export.filesystem import FileSystem, write_atomically
from aioflows.export.stream import Stream
from aioflows.report.facts import Facts
from aioflows.report.page import page
from aioflows.report.scheduled_runs import RunAudit
from aioflows.report.tally import Tally
from aioflows.scan import FlowScan

__all__ = ["report", "report_target"]


_SUFFIXES = (".html", ".htm")


def report_target(name: str | os.PathLike[str], *, overwrite: bool) -> Target:
    """Return the target for the path of a page.

    Args:
        name: path of the page; "-" means standard output.
        overwrite: True if an existing file may be replaced.

    Raises:
        QueryError: the path is invalid or does not end with ".html", or the file exists and must not be replaced.
    """
    target = Target.named(name, Format.JSONL)  # a page is text, so a target for text fits
    if target.store is not None:
        raise QueryError(f"{target.name!r} is in an object store, and a report is a file; give a path")
    if target.path is not None and not target.special and target.path.suffix.lower() not in _SUFFIXES:
        raise QueryError(f"{target.name!r} does not end with .html, and a report is an HTML page; add .html")
    target.check(resume=False, overwrite=overwrite)
    if target.path is not None and not target.special:
        _check_unused(Draft(target.path, target.name, FileSystem()))
    return target


async def report(
    scan: FlowScan,
    path: str | os.PathLike[str],
    *,
    zone: tzinfo | None = None,
    day: date | None = None,
    overwrite: bool = False,
    watch: Callable[[FlowScan], object] | None = None,
    files: FileSystem | None = None,
) -> Tally:
    """Read a scan to its end, write a page about it, and return its counts.

    Args:
        scan: scan that was not iterated yet. The scan is closed at the end.
        path: file to write; "-" means standard output.
        zone: zone of days and hours. Default: None, which means the service's zone.
        day: day whose runs the page shows one by one. Default: None, which means each of the newest days.
        overwrite: True if an existing file may be replaced. Default: False.
        watch: called with the scan after each list of rows. Default: None, which means no call.
        files: file system. Default: None, which means the real file system.

    Raises:
        QueryError: the page cannot be written to that path. Nothing was sent.
        SinkError: writing the page failed.
        AioflowsError: the scan failed. Nothing was written.
    """
    target, files, tally = report_target(path, overwrite=overwrite), files or FileSystem(), Tally(zone, day)
    runs = RunAudit(scan)
    try:
        async for rows in scan.pages():
            tally.add(rows)
            runs.add(rows)
            if watch is not None:
                watch(scan)
    finally:
        await scan.aclose()
    content = page(tally, Facts.of(scan), runs.finish()).encode()
    if target.path is None or target.special:
        stream = Stream(target.path, files)
        try:
            await stream.open()
            await stream.write(content)
        finally:
            stream.close()
        return tally
    draft = Draft(target.path, target.name, files)
    await asyncio.to_thread(_write_page, draft, content, overwrite=overwrite)
    return tally


def _write_page(draft: Draft, content: bytes, *, overwrite: bool) -> None:
    with as_sink_error(draft.name):
        draft.enter()
        try:
            _check_unused(draft)  # before the lock, another process may have begun an export
            draft.begin_again()
            try:
                write_atomically(draft.files, draft.rows, content)
                draft.publish(overwrite=overwrite)
            finally:
                draft.begin_again()
        finally:
            draft.leave()


def _check_unused(draft: Draft) -> None:
    kept = draft.kept()
    if kept is not None and not kept.done:
        raise QueryError(
            f"{draft.name!r} cannot be written: it has an unfinished export; use another name, or resume the export"
        )
