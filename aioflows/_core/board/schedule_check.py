"""The scheduled runs of a board that are missing, wait or are late, as an audit of its runs finds them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from aioflows._core.audit.auditor import Auditor
from aioflows._core.audit.findings import LateRun, MissingRun
from aioflows._core.board.runs import BoardRun, ms_of
from aioflows._display.text import printable
from aioflows._statuses import ScheduleType
from aioflows.errors import QueryError

__all__ = ["ScheduleCheck"]

_LISTED = 200
_LONGEST_NAME = 200


class ScheduleCheck:
    """An audit of the periodic runs of a board.

    Args:
        late: the longest time from a trigger time to a start that is not late.
        expression: the text by which the service selected instances, as for an `Auditor`.
        since: the first trigger time of the board. Earlier runs tell what should come next, and are no finding
            themselves. Default: None, which means that all runs are findings.
    """

    def __init__(self, late: timedelta, expression: str = "", since: datetime | None = None) -> None:
        self._late = late
        self._since = since
        self._has_earlier = False
        self._auditor = Auditor(late, None, expression)
        self._problem = ""

    def add(self, runs: Sequence[BoardRun]) -> None:
        """Audit further runs, in the order of their trigger times. Runs of another type are left out."""
        if self._problem:
            return
        self._has_earlier |= any(not self._is_shown(run.trigger_time) for run in runs[:1])
        try:
            self._auditor.add([run for run in runs if run.type == ScheduleType.PERIODIC])
        except QueryError as error:
            self._problem = str(error)

    def finish(self, now: datetime) -> dict[str, Any]:
        """Return what was found, as values of JSON. Times are ms since the epoch.

        Args:
            now: the time up to which the board has read. A run is expected the limit for late runs before it.
        """
        if self._problem:
            return {"problem": self._problem}
        until = ms_of(now - self._late) // 1000
        findings = self._auditor.finish(until, present=now)
        missing, listed = 0, deque[MissingRun](maxlen=_LISTED)
        for run in findings.missing:
            if self._is_shown(run.trigger_time):
                missing += 1
                listed.append(run)
        late = [one for one in findings.late if self._is_shown(one.trigger_time)]
        waiting = [one for one in findings.waiting if self._is_shown(one.trigger_time)]
        stopped = sorted(findings.stopped, key=lambda one: one.last, reverse=True)
        return {
            "problem": "",
            "checked": ms_of(now),
            "late_s": self._late.total_seconds(),
            "missing": missing + sum(one.expected for one in stopped),
            "late": len(late),
            "waiting": len(waiting),
            "unjudged": len(findings.unjudged),
            "flows": findings.judged,
            "earlier": self._has_earlier,
            "missing_runs": [
                [one.flow_id, _name(one.flow_name), ms_of(one.trigger_time), 1] for one in listed
            ],
            "stopped_flows": [
                [one.flow_id, _name(one.flow_name), ms_of(one.last), one.expected]
                for one in stopped[:_LISTED]
            ],
            "late_runs": _listed(late),
            "waiting_runs": _listed(waiting),
        }

    def _is_shown(self, time: datetime) -> bool:
        return self._since is None or time >= self._since


def _listed(found: Iterable[LateRun]) -> list[list[Any]]:
    newest = sorted(found, key=lambda one: one.trigger_time, reverse=True)
    return [
        [
            one.flow_id,
            _name(one.flow_name),
            ms_of(one.trigger_time),
            round(one.delay.total_seconds()),
            one.instance_id,
        ]
        for one in newest[:_LISTED]
    ]


def _name(name: str | None) -> str:
    return printable(name or "–", _LONGEST_NAME)
