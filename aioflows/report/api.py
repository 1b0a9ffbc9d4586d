"""``report()``: a scan read to its end, and one page written, which is there whole or not at all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from datetime import date, tzinfo
from typing import Protocol, TypeVar

from aioflows.errors import QueryError
from aioflows.export import Format, Target
from aioflows.export.draft import Draft
from aioflows.export.errors import as_sink_error
from aioflows.export.filesystem import FileSystem
from aioflows.export.journal import JournalEntry
from aioflows.export.stream import Stream
from aioflows.models import FlowInstance
from aioflows.report.facts import Facts
from aioflows.report.page import page, plotly_js
from aioflows.report.tally import Tally
from aioflows.stats import ScanPlan, ScanStats

__all__ = ["report", "report_target"]


class ReportedScan(Protocol):
    """What is needed of a scan."""

    @property
    def stats(self) -> ScanStats:
        """Its account."""

    def pages(self) -> AsyncIterator[list[FlowInstance]]:
        """Iterate lists of instances."""

    def plan(self) -> ScanPlan:
        """Tell what is left."""

    async def aclose(self) -> None:
        """Stop it."""


S = TypeVar("S", bound=ReportedScan)


def report_target(name: str | os.PathLike[str], *, overwrite: bool) -> Target:
    """Read the name of a page to be written, and refuse one that cannot be.

    Raises:
        QueryError: it is no path, something is there that may not be replaced, or plotly is not installed.
    """
    plotly_js()
    place = Target.named(name, Format.JSONL)  # a page goes wherever a text may go
    place.check(resume=False, overwrite=overwrite)
    if place.path is not None and not place.special:
        _check_unused(Draft(place.path, place.name, FileSystem()))
    return place


async def report(
    scan: S,
    path: str | os.PathLike[str],
    *,
    zone: tzinfo | None = None,
    day: date | None = None,
    overwrite: bool = False,
    watch: Callable[[S], object] | None = None,
    files: FileSystem | None = None,
) -> Tally:
    """Read a scan to its end, and write a page about it.

    Args:
        scan: a *scan* that was not iterated; it is closed afterwards.
        path: the *file* to write; "-": standard output.
        zone: what days and hours are told *in*; None: the service's zone.
        day: the *day* whose runs are shown one by one; None: each of the newest ones.
        overwrite: whether a file that exists is replaced.
        watch: called with the *scan* whenever rows were taken from it.
        files: the file *system*.

    Raises:
        QueryError: the page cannot be written there, or plotly is not installed; nothing was sent.
        SinkError: it cannot be written.
        AioflowsError: as a scan raises it; nothing is written then.
    """
    place, files, tally = report_target(path, overwrite=overwrite), files or FileSystem(), Tally(zone, day)
    try:
        async for rows in scan.pages():
            tally.add(rows)
            if watch is not None:
                watch(scan)
    finally:
        await scan.aclose()
    content = page(tally, Facts.of(scan.plan(), scan.stats)).encode()
    if place.path is None or place.special:
        stream = Stream(place.path, files)
        try:
            await stream.open()
            await stream.write(content)
        finally:
            stream.close()
        return tally
    draft = Draft(place.path, place.name, files)
    await asyncio.to_thread(_written, draft, content, overwrite=overwrite)
    return tally


def _written(draft: Draft, content: bytes, *, overwrite: bool) -> None:
    with as_sink_error(draft.name):
        draft.enter()
        try:
            _check_unused(draft)  # once more, now that no other process can begin one
            draft.begin_again()
            try:
                draft.write(draft.rows, content)
                draft.publish(JournalEntry(job="report", overwrite=overwrite))
            finally:
                draft.begin_again()
        finally:
            draft.leave()


def _check_unused(draft: Draft) -> None:
    kept = draft.kept()
    if kept is not None and not kept.done:
        raise QueryError(f"an unfinished export to {draft.name!r} is kept; take another name, or resume it")
