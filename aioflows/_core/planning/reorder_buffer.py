"""A reorder buffer: hands out proven runs in order, or as they arrive."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

import attrs

from aioflows._core.pages.page import Batch

__all__ = ["ProvenRun", "ReorderBuffer"]


@attrs.frozen(eq=False)
class ProvenRun:
    """A proven window (milliseconds of scan time) and its rows."""

    first: int
    until: int
    batch: Batch


class ReorderBuffer:
    """A buffer that hands out a run only when no unproven row can precede it.

    Args:
        spans: the windows that the scan reads, in order (milliseconds of scan time).
        ordered: True if a run waits until everything before the run was handed out.
    """

    def __init__(self, spans: Sequence[tuple[int, int]], ordered: bool) -> None:
        self._spans = spans
        self._ordered = ordered
        self._resume = {until: later for (_, until), (later, _) in pairwise(spans)}
        self._length = sum(until - first for first, until in spans)
        self._given = 0
        self._runs: dict[int, ProvenRun] = {}
        self._loose: deque[ProvenRun] = deque()
        self.rows = 0
        """Rows in the runs that wait."""
        self.position = spans[0][0] if spans else 0
        """The start of the next run, if runs are handed out in order (milliseconds of scan time)."""

    def put(self, run: ProvenRun) -> None:
        """Add a proven run."""
        self.rows += len(run.batch)
        if self._ordered:
            self._runs[run.first] = run
        else:
            self._loose.append(run)

    def next(self) -> ProvenRun | None:
        """Remove the next run and return it. Return None if no run may be handed out yet."""
        if self._ordered:
            run = self._runs.pop(self.position, None)
        else:
            run = self._loose.popleft() if self._loose else None
        if run is None:
            return None
        self.position = self._resume.get(run.until, run.until)
        self._given += run.until - run.first
        self.rows -= len(run.batch)
        return run

    @property
    def waiting(self) -> Sequence[ProvenRun]:
        """The runs that were not handed out yet, in no order."""
        return [*self._runs.values(), *self._loose]

    @property
    def progress(self) -> float:
        """The share of the scan's time that was handed out, from 0 to 1."""
        return self._given / self._length if self._length else 1.0
