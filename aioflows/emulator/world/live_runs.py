"""The runs of a platform that lives on: which flow runs when, and how each run ends.

1. Runs are drawn an hour at a time, and each hour has a random generator of its own. So the runs depend on the
   seed and on the hour, and not on how often anybody looks.
2. Flows whose schedule reaches the end of the past go on. Some new flows begin there, which run every few minutes.
3. Besides, people start a flow every few seconds.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from aioflows.emulator.world.clock import Clock
from aioflows.emulator.world.crons import Cron, firings, read_cron
from aioflows.emulator.world.flows import Flow, new_flow
from aioflows.models import FlowStatus

__all__ = ["HOUR_MS", "NEW_FLOWS", "LiveRun", "LiveRuns", "backlog", "new_flows", "still_scheduled"]

HOUR_MS = 3_600_000
_STEPS = (1, 1, 2, 5, 5, 10, 15, 30)  # minutes between the runs of the new flows
NEW_FLOWS = len(_STEPS)
"""The number of the new flows."""
_STARTED_BY_HAND = 900  # runs per hour
_BEFORE_OPENING = 60  # of so many runs that people started before anybody looked, one is kept
_LONGEST = 90.0  # seconds of a run by hand or of a new flow, so that people see it end
_ENDS = (FlowStatus.TIMEOUT, FlowStatus.CANCEL, FlowStatus.INTERNAL_ERROR)


@attrs.frozen
class LiveRun:
    """A run from its trigger to its end.

    Args:
        trigger_ms: the trigger time (ms since the epoch).
        type: the schedule type.
        flow: the number of its flow.
        start_ms: the time at which it begins to run.
        end_ms: the time at which it ends.
        status: the status code with which it ends.
    """

    trigger_ms: int
    type: int
    flow: int
    start_ms: int
    end_ms: int
    status: int


def new_flows(known: Sequence[Flow], seed: int) -> list[Flow]:
    """Return flows that begin at the end of the past, and run every few minutes."""
    rng = random.Random(f"{seed} new flows")
    first_id = max((flow.id for flow in known), default=100) + 1
    made = []
    for place, step in enumerate(_STEPS):
        flow = new_flow(len(known) + place, first_id + place, f"0 0/{step} * * * ? *", "mi", rng)
        made.append(attrs.evolve(flow, seconds=min(flow.seconds, _LONGEST / 1.5)))
    return made


def still_scheduled(
    flows: Sequence[Flow], latest: Mapping[int, int], end_ms: int, clock: Clock
) -> dict[int, Cron]:
    """Return the crons, by number of the flow, of the flows that missed no run until the end of the past.

    Args:
        flows: all flows.
        latest: the trigger time (ms) of the latest scheduled run, by number of the flow.
        end_ms: the end of the past (ms since the epoch).
        clock: the clock of the server's zone.
    """
    found = {}
    for flow in flows:
        cron = read_cron(flow.cycle, flow.cron)
        last = latest.get(flow.number)
        if last is not None and not firings(cron, last + 1, end_ms, clock):
            found[flow.number] = cron
    return found


class LiveRuns:
    """The runs after the end of the past.

    Args:
        flows: all flows.
        crons: the crons of the flows that run by a schedule, by number of the flow.
        opened_ms: the time from which people look (ms since the epoch).
        types: the schedule types that exist.
        clock: the clock of the server's zone.
        seed: the seed of all random draws.
    """

    def __init__(
        self,
        flows: Sequence[Flow],
        crons: Mapping[int, Cron],
        *,
        opened_ms: int,
        types: Sequence[int],
        clock: Clock,
        seed: int,
    ) -> None:
        self._flows = flows
        self._crons = crons if 1 in types else {}
        self._by_hand = [type for type in types if type != 1] or list(types)
        self._opened_ms = opened_ms
        self._clock = clock
        self._seed = seed

    def hour(self, from_ms: int) -> list[LiveRun]:
        """Return the runs of an hour, in the order of their trigger times."""
        rng = random.Random(f"{self._seed} live {from_ms}")
        to_ms = from_ms + HOUR_MS
        drawn = [
            (instant, 1, number)
            for number, cron in self._crons.items()
            for instant in firings(cron, from_ms, to_ms, self._clock)
        ]
        drawn += self._started_by_hand(from_ms, rng)
        return [self._run(trigger, type, number, rng) for trigger, type, number in sorted(drawn)]

    def _started_by_hand(self, from_ms: int, rng: random.Random) -> Iterator[tuple[int, int, int]]:
        for place in range(_STARTED_BY_HAND):
            at = from_ms + int(rng.random() * HOUR_MS)
            type, number = rng.choice(self._by_hand), rng.randrange(len(self._flows))
            if at >= self._opened_ms or not place % _BEFORE_OPENING:
                yield at, type, number

    def _run(self, trigger_ms: int, type: int, number: int, rng: random.Random) -> LiveRun:
        flow, luck, pace = self._flows[number], rng.random(), rng.random()
        seconds = flow.seconds * (0.5 + luck)
        start = trigger_ms + 200 + int(5_000 * pace**4)
        end = start + 600 + int(1_000 * (seconds if type == 1 else min(seconds, _LONGEST)))
        status = FlowStatus.SUCCESS if luck < 0.985 else _ENDS[int(pace * len(_ENDS))]
        if luck < flow.flaky:
            status = FlowStatus.FAIL
        return LiveRun(trigger_ms, type, number, start, end, int(status))


def backlog(
    rows: Iterable[tuple[str, int | None]], opened_ms: int, seed: int
) -> Iterator[tuple[str, int, int]]:
    """Yield the id, the start and the end (ms) of runs of the past that have not ended, soon after the opening.

    Args:
        rows: their ids, and their starts (ms), if they have started.
        opened_ms: the time from which people look.
        seed: the seed of all random draws.
    """
    rng = random.Random(f"{seed} backlog")
    for id, start in rows:
        began = opened_ms + int(rng.random() * 20_000) if start is None else start
        yield id, began, max(began, opened_ms) + int(2_000 + rng.random() * 60_000)
