"""The clocks of the times that a row has beside its trigger time: its start, its end and its creation.

The vendor's samples print them in another zone than the trigger time, and the answer names no zone. So each
page is checked before its rows are handed out, and its times are written as the trigger's clock shows them.
A page of a service with one clock costs a few comparisons.

1. A clock that the user gave is used. Otherwise the rows show it (`aioflows._core.clocks.verdict`). What
   a session has found is where the next page begins, and is checked by that page too.
2. The first rows of a session are kept as a sample, and seen before any row is dated. A page with few rows is
   judged together with them, so all rows of a scan are dated by the same clocks.
3. A clock that shows UTC stays at UTC when the trigger's clock is changed. Any other one is taken to be
   changed with it.
4. If a time may stand for two instants, since clocks were put back, the first one is taken for which
   trigger <= start <= end holds. A page that the service sorted by the time shows more: where the times run
   backwards, the second pass begins. A creation time is the one closest to the trigger time.
5. Rows whose runs still start before their trigger time are reported once.

See docs/guide/times.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from aioflows._core.clocks.page_times import FIELDS, TRIGGERS_CLOCK, DatedRow, FieldClock, PageTimes
from aioflows._core.clocks.time_sample import TimeSample
from aioflows._core.clocks.verdict import CHANGED, EITHER, LONG, ClockVerdict, judge
from aioflows._core.wire.zone import Zone
from aioflows.models import NAIVE_EPOCH

__all__ = ["FieldClocks", "NotingClocks"]

_EXPERIENCE = 100  # rows
_LONGEST_WAIT = 63  # pages


class FieldClocks:
    """The clocks of the times of one service's rows, as far as a session knows them.

    Args:
        given: the zone of these times, if the user gave it. Default: None.
        report: called with a sentence about times that may be wrong, once for each kind. Default: None.
    """

    def __init__(self, given: Zone | None = None, report: Callable[[str], object] | None = None) -> None:
        self.given = given
        self._report = report
        self._fixed = given is not None
        self._reported: set[str] = set()
        self._sample = TimeSample()
        self._fruitless = self._waited = 0
        self._odd = self._dated = False
        self._doubts: Sequence[tuple[str, str, str]] = ()
        self.corrections = 0
        """How often a clock was found out after times had been read by another one."""
        self.inexperienced = given is None
        """True while few rows were seen, so that a few odd ones cannot be judged."""
        self._clocks = dict.fromkeys(FIELDS, TRIGGERS_CLOCK if given is None else FieldClock(zone=given))

    def __repr__(self) -> str:
        return f"<FieldClocks {self.shown() or 'as the trigger time'}>"

    @property
    def differ(self) -> bool:
        """True if one of the clocks is known to differ from the trigger's."""
        return any(clock != TRIGGERS_CLOCK for clock in self._clocks.values())

    @property
    def unclear(self) -> bool:
        """True if the first rows look odd, and nothing has shown why. It is reported with the rows."""
        return bool(self._doubts)

    def shown(self) -> dict[str, str]:
        """Return the clocks that differ from the trigger's, as texts by the names of the fields."""
        return {field: str(clock) for field, clock in self._clocks.items() if clock != TRIGGERS_CLOCK}

    def as_recorded(self, record: Sequence[tuple[str, str]]) -> FieldClocks:
        """Return clocks as a checkpoint has recorded them, which no row changes.

        Args:
            record: texts of clocks by field, as of `shown`.

        Raises:
            QueryError: a text is not a clock.
        """
        fixed = FieldClocks(self.given, self._report)
        fixed._fixed, fixed.inexperienced = True, False
        clocks = {field: FieldClock.parse(text) for field, text in record if field in FIELDS}
        fixed._clocks = dict.fromkeys(FIELDS, TRIGGERS_CLOCK) | clocks
        return fixed

    def noting(self) -> NotingClocks:
        """Return clocks that only note the rows they are to date (`note`)."""
        return NotingClocks(self)

    def advances(self, at_ms: int, offset: int) -> list[int]:
        """Return how far each clock is ahead of one with a given offset, at an instant (ms since 1970; s)."""
        instant = NAIVE_EPOCH + timedelta(milliseconds=at_ms)
        return [clock.ahead(instant, offset) for clock in self._clocks.values()]

    def zone_of(self, field: str) -> Zone | None:
        """Return the zone of a field whose clock does not depend on the trigger's. None means it does."""
        return self._clocks[field].zone if field in self._clocks else None

    # Reading a page

    def note(
        self,
        rows: Sequence[DatedRow],
        walls: Sequence[datetime],
        zone: Zone,
        offset: int | Sequence[int] | None = None,
    ) -> bool:
        """Learn from the rows of a page before any of them is dated, while few rows were seen.

        Return True if they look odd, and more rows are needed to see why.

        Args:
            rows: the rows, which are not changed.
            walls: their trigger times, as the clock shows them.
            zone: the zone of the trigger times.
            offset: as for `date`. Default: None.
        """
        if not rows or not self.inexperienced:
            return False
        page = PageTimes(rows, walls, zone, offset)
        self._odd |= page.doubtful
        self._add(page)
        if not self._odd:
            return False
        self._doubts = self._judged(self._sample.page(zone)).doubts
        return self.inexperienced and bool(self._doubts)

    def date(
        self,
        rows: Sequence[DatedRow],
        walls: Sequence[datetime],
        zone: Zone,
        offset: int | Sequence[int] | None,
        sorter: tuple[str, bool] | None = None,
    ) -> bool:
        """Write the times of the rows of a page as the clock of the trigger time shows them.

        A time is left as it is unless another instant is meant. A time of the second pass of an hour that
        comes twice gets its zone. Return True, since the rows are dated by that.

        Args:
            rows: the rows, which are changed.
            walls: their trigger times, as the clock shows them.
            zone: the zone of the trigger times.
            offset: the offset in force at the trigger times, or one for each of them (s). None means that it
                is looked up.
            sorter: the field that the service sorted the page by, and True if it is descending. Default:
                None.
        """
        if not rows or (self._fruitless and self._waits(zone)):
            return True
        page = PageTimes(rows, walls, zone, offset)
        self._add(page)
        for doubt in self._doubts:  # rows are handed out, and nothing has resolved it
            self._tell(*doubt)
        self._doubts = ()
        if not self._fixed and not self.differ and not page.doubtful:
            self._dated = True
            if not page.repeats:
                return True
        else:
            self._find(page)
        self._dated = True
        page.write([self._clocks[field] for field in FIELDS], sorter)
        self._check(page)
        return True

    def _add(self, page: PageTimes) -> None:
        if not self._fixed and not self._sample.full:
            self._sample.add(page)
            self.inexperienced = self.inexperienced and len(self._sample) < _EXPERIENCE

    def _waits(self, zone: Zone) -> bool:
        """Return True if the rows of a page are not worth a look, since those of many earlier ones agreed in nothing.

        Such pages cost as much as all else that is done for a page.
        """
        if self.differ or not zone.fixed:  # its times must be told apart where clocks are put back
            return False
        self._waited += 1
        if self._waited <= min(self._fruitless, _LONGEST_WAIT):
            return True
        self._waited = 0
        return False

    def _find(self, page: PageTimes) -> None:
        """Find the clocks by which the times of a page agree. A few rows are judged together with the sample."""
        if self._fixed:
            return
        whole = page if len(page.rows) >= _EXPERIENCE else self._sample.with_page(page)
        verdict = self._judged(whole)
        for kind, field, example in verdict.doubts:
            self._tell(kind, field, example)
        if not verdict.doubts:
            self._fruitless = 0
        elif verdict.rows >= _EXPERIENCE:
            self._fruitless = 2 * self._fruitless + 1

    def _judged(self, page: PageTimes) -> ClockVerdict:
        """Judge rows, and take over the clocks that they show."""
        verdict, before = judge(page, self._clocks), self.shown()
        self._clocks = dict(verdict.clocks)
        changed = [field for field in FIELDS if self.shown().get(field) != before.get(field)]
        if self._dated and changed:
            self.corrections += 1
            self._tell("corrected", ", ".join(changed), page.rows[-1].instance_id)
        return verdict

    # Reporting

    def _check(self, page: PageTimes) -> None:
        if "early" not in self._reported and (row := page.find_early()) is not None:
            self._tell("early", "start_time", page.rows[row].instance_id)

    def _tell(self, kind: str, field: str, example: str) -> None:
        kind = "early" if kind == "contradicted" and field == "start_time" else kind
        if kind == LONG or self._report is None or kind in self._reported:
            return
        self._reported.add(kind)
        what = {
            "early": "some runs start before their trigger time",
            "contradicted": f"{field} of some rows is earlier than the start of their runs",
            "late": f"{field} of nearly all rows of a page lies at least an hour late",
            "lead": f"{field} of most rows of a page lies whole hours from their trigger time",
            CHANGED: f"{field} of some rows are off by an hour or half an hour: the clock of these times seems to be "
            "changed on another day than that of trigger times",
            EITHER: f"{field} has the clock of trigger times, or that of start times if all runs took long",
            "corrected": f"{field} of earlier rows was read by another clock than that of later rows",
        }[kind]
        self._report(
            f"{what} (for example instance {example!r:.80} and those beside it). The service may print "
            "these times in another zone than trigger times, and the rows do not show which. If so, pass it as "
            "FlowSession(other_timezone=...)"
        )


class NotingClocks(FieldClocks):
    """Clocks that write no time, and pass the rows on to others, which learn from them.

    Args:
        others: the clocks that learn.
    """

    def __init__(self, others: FieldClocks) -> None:
        super().__init__(others.given)
        self._others = others
        self.unsure = False
        """True if rows look odd, and more are needed to see why."""

    def date(
        self,
        rows: Sequence[DatedRow],
        walls: Sequence[datetime],
        zone: Zone,
        offset: int | Sequence[int] | None,
        sorter: tuple[str, bool] | None = None,  # noqa: ARG002
    ) -> bool:
        """Note rows. Return False, since they are not dated."""
        self.unsure = self._others.note(rows, walls, zone, offset)
        return False
