"""The state of a board: instances go in, and the changes of what its page shows come out.

1. A count is the number of runs that the board holds: by series (a flow, an owner and a type), by bin of time and
   by status. There is no other count, so every figure of the page is a sum of these.
2. An instance of a follow replaces what is known. An instance of a scan does so only if the follow has shown
   nothing of it since the scan began, because its page may be older.
3. A scan that has ended shows all instances of its range. Runs that neither it nor the follow has shown are gone.
4. Only runs from the first bin on are held. The first bin moves with the time of the service. Of each flow, the
   last two scheduled runs before it are kept aside: they count nowhere, and tell which run should come next.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from aioflows._core.board.numbered_changes import Changes
from aioflows._core.board.runs import BoardRun, p95_of, place_of, streak_of
from aioflows._display.text import printable
from aioflows._statuses import FlowStatus, ScheduleType
from aioflows.models import FlowInstance

__all__ = ["BoardState"]

_LONGEST_NAME = 200
_MOST_STATUSES = 64
_OTHER = "OTHER"
_MOST_JUDGED = 300
_MANY_RUNS = 1_000
_LONGEST_KEPT = 31 * 86_400_000  # ms
_NAMELESS = "–"


class BoardState:
    """The runs of a board, and the changes since they were last asked for.

    Args:
        span_ms: the time that the board shows (ms).
        bin_ms: the length of a bin (ms), which divides the span.
    """

    def __init__(self, span_ms: int, bin_ms: int) -> None:
        self.span_ms, self.bin_ms = span_ms, bin_ms
        self.first_bin = 0
        self.runs: dict[str, BoardRun] = {}
        self._bins: dict[int, dict[str, BoardRun]] = defaultdict(dict)
        self._flow_runs: list[dict[str, BoardRun]] = []
        self._flows: dict[Any, int] = {}
        self._flow_rows: list[tuple[int | None, str, str]] = []
        self._named: list[int] = []  # by flow, the trigger time (ms) of the run that named it
        self._earlier: dict[int, list[BoardRun]] = {}  # by id of a flow, its last runs before the first bin
        self._owners: dict[str, int] = {}
        self._series: dict[tuple[int, int, int], int] = {}
        self._flow_series: list[list[tuple[int, list[int]]]] = []  # by flow, its series
        self._statuses: dict[str, int] = {}
        self._counts: Counter[tuple[int, int, int]] = Counter()
        self._info: dict[str, Any] = {}
        self._open: dict[str, list[Any]] = {}
        self._failing: dict[int, list[Any]] = {}
        self._p95: dict[int, int] = {}
        self._changed: Changes = {}
        self._changed_flows: set[int] = set()
        self._stale_p95: dict[int, int] = {}  # by flow, the number of the call that computes it
        self._calls = 0
        self._mark = 0
        self.changed_bins: set[int] = set()
        """The bins whose runs have changed. Whoever saves them clears the set."""

    # What happens

    @property
    def from_ms(self) -> int:
        """The first trigger time that the board shows (ms since the epoch)."""
        return self.first_bin * self.bin_ms

    def told_time(self, now_ms: int) -> None:
        """Move the first bin to the present time of the service, and drop the runs before it."""
        first = (now_ms - self.span_ms) // self.bin_ms + 1
        if first <= self.first_bin:
            return
        before, self.first_bin = self.first_bin, first
        self.tell("first", first)
        for number in [number for number in self._bins if number < first] if before else ():
            for run in self.bin_runs(number):
                self._remove(run, number)
                self._keep_aside(run)
            del self._bins[number]
            self.changed_bins.add(number)
        for id in [id for id, runs in self._earlier.items() if self._is_outdated(runs)]:
            del self._earlier[id]

    def _keep_aside(self, run: BoardRun) -> None:
        """Keep a run before the first bin, if it is one of the last two scheduled runs of its flow there."""
        if run.type != ScheduleType.PERIODIC or run.flow_id is None:
            return
        kept = {one.trigger_ms: one for one in self._earlier.get(run.flow_id, ())} | {run.trigger_ms: run}
        self._earlier[run.flow_id] = [kept[time] for time in sorted(kept)[-2:]]

    def _is_outdated(self, runs: list[BoardRun]) -> bool:
        """Return True if runs are so old that their flow has ended rather than missed its last runs."""
        first, last = runs[0].trigger_ms, runs[-1].trigger_ms
        longest = max(self.span_ms, 2 * (last - first)) if len(runs) > 1 else _LONGEST_KEPT
        return last < self.from_ms - longest

    @property
    def earlier_runs(self) -> list[BoardRun]:
        """The last scheduled runs of each flow before the first bin, in the order of time: at most two of a flow."""
        return sorted((run for runs in self._earlier.values() for run in runs), key=place_of)

    def tell(self, name: str, value: Any) -> None:
        """Note a fact that the page shows, such as the state of the service."""
        if self._info.get(name) != value:
            self._info[name] = value
            self._change("info", name, value)

    def fact(self, name: str) -> Any:
        """Return a noted fact. None means that there is none."""
        return self._info.get(name)

    def begin_scan(self) -> int:
        """Return the mark of a scan that begins now, for `scanned` and `end_scan`."""
        self._mark += 1
        return self._mark

    def followed(self, rows: Iterable[FlowInstance], types: Mapping[str, ScheduleType]) -> None:
        """Process instances of the follow, and their types by id."""
        self._mark += 1
        for row in rows:
            self._put(row, types.get(row.instance_id))

    def scanned(self, rows: Iterable[FlowInstance], types: Mapping[str, ScheduleType], mark: int) -> None:
        """Process instances of the scan that began with a mark, and their types by id."""
        for row in rows:
            known = self.runs.get(row.instance_id)
            if known is None:
                self._put(row, types.get(row.instance_id), mark)
            elif known.mark <= mark:
                type = types.get(row.instance_id)
                if not known.shows(row, type):
                    self._put(row, type, mark)
                else:
                    self._name_flow(known.flow, row.flow_name, known.trigger_ms)
                known.mark = mark

    def end_scan(self, mark: int, from_ms: int, to_ms: int) -> int:
        """Drop the runs in a range that neither its whole scan nor the follow has shown. Return their number."""
        gone = [run for run in self.runs.values() if run.mark < mark and from_ms <= run.trigger_ms < to_ms]
        for run in gone:
            self._drop(run)
        return len(gone)

    def restore(self, runs: Iterable[BoardRun]) -> None:
        """Put runs of an earlier board back, those before the first bin aside."""
        for run in runs:
            number = run.trigger_ms // self.bin_ms
            if number >= self.first_bin:
                self._add(run, number)
                self.changed_bins.add(number)  # the next checkpoint has it too
            else:
                self._keep_aside(run)

    # Runs and counts

    def _put(self, row: FlowInstance, type: ScheduleType | None, mark: int | None = None) -> None:
        run = BoardRun.of(row, type)
        if run is None:
            return
        number = run.trigger_ms // self.bin_ms
        if number < self.first_bin:
            return
        run.mark = self._mark if mark is None else mark
        before = self.runs.get(run.instance_id)
        if before is not None:
            run.type = before.type if type is None else type
            self._drop(before)
        self._add(run, number)
        self.changed_bins.add(number)

    def _add(self, run: BoardRun, number: int) -> None:
        flow = self._flow_of(run)
        run.flow_id, run.flow_name, freq = self._flow_rows[flow]  # one text for all runs of a flow
        run.freq = freq if run.freq == freq else run.freq
        run.flow, run.series = flow, self._series_of(flow, run)
        self.runs[run.instance_id] = self._bins[number][run.instance_id] = run
        self._flow_runs[flow][run.instance_id] = run
        self._changed_flows.add(flow)
        self._count(run, number, 1)
        if run.is_open:
            shown = [run.series, self._status_of(run), run.trigger_ms, run.start_ms]
            self._open[run.instance_id] = shown
            self._change("run", run.instance_id, shown)

    def _drop(self, run: BoardRun) -> None:
        number = run.trigger_ms // self.bin_ms
        del self._bins[number][run.instance_id]
        self.changed_bins.add(number)
        self._remove(run, number)

    def _remove(self, run: BoardRun, number: int) -> None:
        del self.runs[run.instance_id]
        del self._flow_runs[run.flow][run.instance_id]
        self._changed_flows.add(run.flow)
        self._count(run, number, -1)
        if self._open.pop(run.instance_id, None) is not None:
            self._change("run", run.instance_id, None)

    def _count(self, run: BoardRun, number: int, by: int) -> None:
        key = (run.series, number, self._status_of(run))
        count = self._counts[key] + by
        if count:
            self._counts[key] = count
        else:
            del self._counts[key]
        if number >= self.first_bin:  # a page drops earlier bins by itself
            self._change("cell", key, count)

    def _flow_of(self, run: BoardRun) -> int:
        # Flows may share a name, and a flow may be renamed. So the name counts only without an id.
        name = run.flow_name or _NAMELESS
        key = name if run.flow_id is None else run.flow_id
        flow = self._flows.get(key)
        if flow is None:
            flow = self._flows[key] = len(self._flows)
            self._flow_rows.append((run.flow_id, name, run.freq or ""))
            self._flow_runs.append({})
            self._named.append(run.trigger_ms)
            self._flow_series.append([])
        else:
            self._name_flow(flow, name, run.trigger_ms)
        if not self._flow_runs[flow]:  # the whole state leaves out flows without runs
            self._change("flow", flow, [run.flow_id, printable(self._flow_rows[flow][1], _LONGEST_NAME)])
            for series, key_of_series in self._flow_series[flow]:
                self._change("series", series, key_of_series)
        return flow

    def _name_flow(self, flow: int, name: str | None, trigger_ms: int) -> None:
        """Set the name of a flow to that of a run, unless a later run has named it. A flow without an id is its name."""
        id, before, freq = self._flow_rows[flow]
        if trigger_ms < self._named[flow] or id is None:
            return
        self._named[flow] = trigger_ms
        name = name or _NAMELESS
        if name != before:
            self._flow_rows[flow] = id, name, freq
            for run in self._flow_runs[flow].values():
                run.flow_name = name
            self._change("flow", flow, [id, printable(name, _LONGEST_NAME)])

    def _series_of(self, flow: int, run: BoardRun) -> int:
        owner = self._number_of(self._owners, "owner", printable(run.owner or "–", _LONGEST_NAME))
        key = (flow, owner, -1 if run.type is None else int(run.type))
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = len(self._series)
            self._flow_series[flow].append((series, list(key)))
            self._change("series", series, list(key))
        return series

    def _status_of(self, run: BoardRun) -> int:
        name = _OTHER if run.status is None else str(run.status)
        if name not in self._statuses and len(self._statuses) >= _MOST_STATUSES - 1:
            name = _OTHER
        return self._number_of(self._statuses, "status", name)

    def _number_of(self, numbers: dict[str, int], kind: str, text: str) -> int:
        number = numbers.get(text)
        if number is None:
            number = numbers[text] = len(numbers)
            self._change(kind, number, text)
        return number

    # What changed, and the whole

    def _change(self, kind: str, key: Any, value: Any) -> None:
        self._changed.setdefault(kind, {})[key] = value

    def changes(self) -> Changes:
        """Return the changes since the last call.

        Streaks and durations of at most `_MOST_JUDGED` flows are computed in a call, so that no call takes long.
        The others follow in later calls, and so do the durations of flows with many runs.
        """
        self._calls += 1
        for flow in [flow for flow, call in self._stale_p95.items() if call <= self._calls]:
            del self._stale_p95[flow]
            self._set("p95", self._p95, flow, p95_of(self._flow_runs[flow].values()))
        for _ in range(min(_MOST_JUDGED, len(self._changed_flows))):
            self._judge_flow(self._changed_flows.pop())
        changed, self._changed = self._changed, {}
        return changed

    def _judge_flow(self, flow: int) -> None:
        runs = self._flow_runs[flow].values()
        streak = streak_of(runs)
        shown = None
        if streak is not None:
            status = self._number_of(self._statuses, "status", str(_status(streak.status)))
            shown = [streak.failures, streak.since_ms, streak.success_ms, streak.instance_id, status]
        self._set("fail", self._failing, flow, shown)
        if len(runs) < _MANY_RUNS:
            self._set("p95", self._p95, flow, p95_of(runs))
        else:
            self._stale_p95.setdefault(flow, self._calls + len(runs) // _MANY_RUNS)

    def _set(self, kind: str, values: dict[int, Any], key: int, value: Any) -> None:
        if values.get(key) == value:
            return
        if value is None:
            del values[key]
        else:
            values[key] = value
        self._change(kind, key, value)

    def whole(self) -> Changes:
        """Return the whole state in the form of a change. It includes the changes that were not asked for yet.

        Flows without runs are left out. They are told anew when a run of them comes.
        """
        return {
            "info": dict(self._info),
            "flow": {
                number: [id, printable(name, _LONGEST_NAME)]
                for number, (id, name, _) in enumerate(self._flow_rows)
                if self._flow_runs[number]
            },
            "owner": {number: text for text, number in self._owners.items()},
            "status": {number: text for text, number in self._statuses.items()},
            "series": {number: list(key) for key, number in self._series.items() if self._flow_runs[key[0]]},
            "cell": dict(self._counts),
            "run": dict(self._open),
            "fail": dict(self._failing),
            "p95": dict(self._p95),
        }

    # What a page asks for

    def runs_of(
        self,
        flow: int,
        bin: int,
        series: AbstractSet[int] | None = None,
        statuses: AbstractSet[int] | None = None,
    ) -> list[BoardRun]:
        """Return the runs of a flow in a bin, earliest first.

        Args:
            flow: the number of the flow.
            bin: the bin.
            series: the numbers of the series that count. Default: None, which means all.
            statuses: the numbers of the statuses that count. Default: None, which means all.
        """
        runs = self._flow_runs[flow].values() if 0 <= flow < len(self._flow_runs) else ()
        found = [
            run
            for run in runs
            if run.trigger_ms // self.bin_ms == bin
            and (series is None or run.series in series)
            and (statuses is None or self._status_of(run) in statuses)
        ]
        return sorted(found, key=place_of)

    def bins(self) -> Iterator[tuple[int, list[BoardRun]]]:
        """Yield the bins that hold runs, in the order of time, each with its runs in the order of time."""
        for number in sorted(self._bins):
            if self._bins.get(number):
                yield number, self.bin_runs(number)

    def bin_runs(self, number: int) -> list[BoardRun]:
        """Return the runs of a bin in the order of time."""
        return sorted(self._bins.get(number, {}).values(), key=place_of)

    @property
    def open_runs(self) -> list[BoardRun]:
        """The runs whose status may still change."""
        return [self.runs[id] for id in self._open]


def _status(code: int) -> FlowStatus | int:
    try:
        return FlowStatus(code)
    except ValueError:
        return code
