"""The account of a governor: which windows were read, and whether they tile the ranges that were asked for.

1. A window that is read again replaces itself. So a task that was repeated counts once.
2. A range that is announced again begins anew, since other windows may be made of it.
3. A window belongs to the latest announced range of its query, service and user that holds it. Other windows are
   listed, but nothing tells whether they are all, so without an announced range no account is right.
4. Of many windows the oldest are forgotten, once the range that they tile is complete. Their rows still count.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from aioflows._core.governor.frames import BadFrame, WindowReport
from aioflows.stats import Proof

__all__ = ["GovernorAccount", "ReadWindow", "Reads"]

Range = tuple[int, int]

_ANY = ""
"""The service and the user of a range that was announced without them, until its first window is read."""
_MOST_WINDOWS = 10_000


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
        windows: the windows, earliest first. Of more than some 10,000 these are the latest.
        missing: the parts of the announced ranges that no window covers (milliseconds since 1970).
        overlapping: the parts of them that more than one window covers.
        announced: the announced ranges, by ``session.cuts`` or ``Governor.expect``. Default: none.
    """

    rows: int
    requests: int
    refused: int
    windows: tuple[ReadWindow, ...]
    missing: tuple[Range, ...]
    overlapping: tuple[Range, ...]
    announced: tuple[Range, ...] = ()

    @property
    def ok(self) -> bool:
        """True if there are announced ranges, and windows tile them, each proven complete by its scan."""
        return bool(self.announced) and not self.missing and not self.overlapping


@attrs.define
class _Read:
    """A range that is to be read, and the windows that were read of it."""

    asked: Range
    source: str
    windows: dict[Range, ReadWindow] = attrs.field(factory=dict)

    def holds(self, window: WindowReport) -> bool:
        begin, end = self.asked
        return self.source in (_ANY, window.source) and begin <= window.from_ms and window.to_ms <= end

    def tiling(self) -> tuple[list[Range], list[Range]]:
        """Return the parts that no window covers, and those that several windows cover."""
        missing, overlapping = [], []
        done, last = self.asked
        for begin, end in sorted(self.windows):
            if begin > done:
                missing.append((done, begin))
            elif begin < done and begin < end:
                overlapping.append((begin, min(end, done)))
            done = max(done, end)
        if done < last:
            missing.append((done, last))
        return missing, overlapping


class Reads:
    """The windows that the sessions of a governor have read.

    Args:
        most: the number of windows that are remembered one by one.
    """

    def __init__(self, most: int = _MOST_WINDOWS) -> None:
        self._most = most
        self._reads: dict[str, list[_Read]] = {}
        self._others: dict[tuple[str, str, Range], ReadWindow] = {}
        self._new = 0  # windows since the last look at their number
        self._done: dict[tuple[str, str], list[Range]] = {}
        self._done_rows = 0

    def announce(self, query: str, from_ms: int, to_ms: int, source: str = _ANY) -> None:
        """Record that a range of a query is to be read.

        Args:
            query: the fingerprint of the query without its range.
            from_ms: the first millisecond since 1970-01-01 UTC.
            to_ms: the first millisecond after it.
            source: a text for the service and the user. Default: those of the first window.
        """
        asked, reads = (from_ms, to_ms), self._reads.setdefault(query, [])
        reads[:] = [
            read
            for read in reads
            if read.asked != asked or (source != _ANY and read.source not in (_ANY, source))
        ]
        reads.append(_Read(asked, source))

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
        window = ReadWindow(begin, end, report.rows, report.requests, proofs)
        reads = reversed(self._reads.get(report.query, []))
        read = next((one for one in reads if one.holds(report)), None)
        if read is None:
            self._others[report.query, report.source, (begin, end)] = window
        else:
            read.source = report.source
            read.windows[begin, end] = window
        self._new += 1
        if self._new > self._most // 10:
            self._new = 0
            self._fold()

    def _fold(self) -> None:
        """Forget the oldest windows that need not be known one by one, but not their rows."""
        excess = sum(len(read.windows) for read in self._all()) + len(self._others) - self._most
        for key in list(self._others)[: max(0, excess)]:
            self._done_rows += self._others.pop(key).rows
            excess -= 1
        for query, reads in self._reads.items():
            for read in reads[:-1]:
                if excess <= 0:
                    return
                if read.windows and read.tiling() == ([], []):
                    reads.remove(read)
                    excess -= len(read.windows)
                    self._done_rows += sum(window.rows for window in read.windows.values())
                    ranges = self._done.setdefault((query, read.source), [])
                    ranges[:] = _joined([*ranges, read.asked])

    def account(self, requests: int, refused: int) -> GovernorAccount:
        """Return the account.

        Args:
            requests: the number of requests that had a permit.
            refused: the number of requests that were refused.
        """
        reads = self._all()
        tilings = [read.tiling() for read in reads]
        windows = [*self._others.values(), *(window for read in reads for window in read.windows.values())]
        done = [range for ranges in self._done.values() for range in ranges]
        return GovernorAccount(
            self._done_rows + sum(window.rows for window in windows),
            requests,
            refused,
            tuple(sorted(windows, key=lambda one: (one.from_ms, one.to_ms))),
            tuple(sorted(gap for missing, _ in tilings for gap in missing)),
            tuple(sorted(part for _, overlapping in tilings for part in overlapping)),
            tuple(sorted(done + [read.asked for read in reads])),
        )

    def _all(self) -> list[_Read]:
        return [read for reads in self._reads.values() for read in reads]


def _joined(ranges: list[Range]) -> list[Range]:
    """Return ranges in order, those that touch as one."""
    found: list[Range] = []
    for begin, end in sorted(ranges):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((begin, end))
    return found
