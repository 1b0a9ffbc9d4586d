"""The account of a governor: which windows were read, and whether they tile the ranges that were asked for.

1. A window that is read again replaces itself. So a task that was repeated counts once.
2. A range that is announced again begins anew, since other windows may be made of it.
3. A window belongs to the latest announced range of its query that holds it. Without one, the windows of a query
   are to tile the range from the first of them to the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from aioflows._core.governor.frames import BadFrame, WindowReport
from aioflows.stats import Proof

__all__ = ["GovernorAccount", "ReadWindow", "Reads"]

Range = tuple[int, int]


@attrs.frozen
class ReadWindow:
    """A window that one scan read and proved complete.

    Args:
        from_ms: the first millisecond of the window since 1970-01-01 UTC.
        to_ms: the first millisecond after the window.
        rows: the number of its rows.
        requests: the number of searches that its scan sent.
        proofs: the number of its parts for each kind of proof.
    """

    from_ms: int
    to_ms: int
    rows: int
    requests: int
    proofs: Mapping[Proof, int]


@attrs.frozen
class GovernorAccount:
    """What the sessions of a governor read.

    Args:
        rows: the number of rows in all windows. A window that was read again counts once.
        requests: the number of requests that had a permit. Plans, repeated windows and refusals count.
        refused: the number of requests that the service refused because they were too many.
        windows: the windows, earliest first.
        missing: the parts of the announced ranges that no window covers (milliseconds since 1970).
        overlapping: the parts that more than one window covers.
    """

    rows: int
    requests: int
    refused: int
    windows: tuple[ReadWindow, ...]
    missing: tuple[Range, ...]
    overlapping: tuple[Range, ...]

    @property
    def ok(self) -> bool:
        """True if the windows tile the announced ranges, each of them proven complete by its scan."""
        return bool(self.windows) and not self.missing and not self.overlapping


@attrs.define
class _Read:
    asked: Range | None
    windows: dict[Range, ReadWindow] = attrs.field(factory=dict)

    def holds(self, begin: int, end: int) -> bool:
        return self.asked is None or (self.asked[0] <= begin and end <= self.asked[1])

    def tiling(self) -> tuple[list[Range], list[Range]]:
        """Return the parts that no window covers, and those that several windows cover."""
        missing, overlapping = [], []
        done = self.asked[0] if self.asked else min(self.windows)[0] if self.windows else 0
        for begin, end in sorted(self.windows):
            if begin > done:
                missing.append((done, begin))
            elif begin < done and begin < end:
                overlapping.append((begin, min(end, done)))
            done = max(done, end)
        if self.asked and done < self.asked[1]:
            missing.append((done, self.asked[1]))
        return missing, overlapping


class Reads:
    """The windows that the sessions of a governor have read."""

    def __init__(self) -> None:
        self._reads: dict[str, list[_Read]] = {}

    def announce(self, query: str, from_ms: int, to_ms: int) -> None:
        """Record that a range of a query is to be read, by a fingerprint of the query without its range."""
        reads = self._reads.setdefault(query, [])
        reads[:] = [read for read in reads if read.asked != (from_ms, to_ms)]
        reads.append(_Read((from_ms, to_ms)))

    def add(self, report: WindowReport) -> None:
        """Record a window that was read.

        Raises:
            BadFrame: the window ends before it begins, or a proof is unknown.
        """
        try:
            proofs = {Proof(name): count for name, count in report.proofs.items()}
        except ValueError:
            raise BadFrame("a proof is unknown") from None
        begin, end = report.from_ms, report.to_ms
        if begin > end:
            raise BadFrame("a window ends before it begins")
        reads = self._reads.setdefault(report.query, [])
        read = next((one for one in reversed(reads) if one.holds(begin, end)), None)
        if read is None:
            read = _Read(None)
            reads.insert(0, read)  # an announced range that holds a window comes first
        read.windows[begin, end] = ReadWindow(begin, end, report.rows, report.requests, proofs)

    def account(self, requests: int, refused: int) -> GovernorAccount:
        """Return the account.

        Args:
            requests: the number of requests that had a permit.
            refused: the number of requests that were refused.
        """
        reads = [read for reads in self._reads.values() for read in reads]
        tilings = [read.tiling() for read in reads]
        windows = sorted(_windows(reads), key=lambda one: (one.from_ms, one.to_ms))
        return GovernorAccount(
            sum(window.rows for window in windows),
            requests,
            refused,
            tuple(windows),
            tuple(sorted(gap for missing, _ in tilings for gap in missing)),
            tuple(sorted(part for _, overlapping in tilings for part in overlapping)),
        )


def _windows(reads: Iterable[_Read]) -> list[ReadWindow]:
    return [window for read in reads for window in read.windows.values()]
