"""The rows of instances: ids, statuses and times. Failures come in clusters; the last instances still run."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Iterator

from aioflows.emulator.world.clock import Clock, stamp
from aioflows.emulator.world.timeline import Span, Timeline
from aioflows.models import FlowStatus

Row = tuple[int, int, int, str, int, int, int | None, int | None, int, int]
"""type, trigger_ms, number, id, flow, status, start_ms, end_ms, create_ms, update_ms: the columns of the store."""

_FAIL, _SUCCESS = int(FlowStatus.FAIL), int(FlowStatus.SUCCESS)
_BEFORE_START = (int(FlowStatus.WAIT), int(FlowStatus.READY), int(FlowStatus.INIT))
_ODD_ENDS = (
    int(FlowStatus.TIMEOUT),
    int(FlowStatus.CANCEL),
    int(FlowStatus.RERUN),
    int(FlowStatus.INTERNAL_ERROR),
)
_NEVER_STARTED = (int(FlowStatus.SKIP), int(FlowStatus.CANCEL), int(FlowStatus.SUSPEND))


class Ids:
    """A source of ids such as the documented ``2809-20190812080700``: the flow's id and a local time stamp.

    A suffix makes ids unique if a flow has two instances in one second, or in an hour that the clock repeats.

    Args:
        clock: the clock of the time stamps.
        shape: the form of ids, as in `World.ids`.
        seed: the seed of random ids.
    """

    def __init__(self, clock: Clock, shape: str, seed: str) -> None:
        self._clock = clock
        self._shape = shape
        self._rng = random.Random(seed)
        self._second = -1
        self._stamp = ""
        self._taken: dict[str, int] = {}

    def new(self, flow_id: int, trigger_ms: int) -> str:
        """Return the id of the next instance. Trigger times must not decrease from call to call."""
        second = trigger_ms // 1000
        if second != self._second:
            self._second = second
            self._taken.clear()
            self._stamp = self.stamp(trigger_ms) + ("-r" if self._clock.repeats(trigger_ms) else "")
        text = f"{flow_id}-{self._stamp}"
        again = self._taken.get(text, 0)
        self._taken[text] = again + 1
        return self.shaped(f"{text}-{again}" if again else text)

    def stamp(self, trigger_ms: int) -> str:
        """Return a trigger time as a time stamp for ids."""
        return stamp(self._clock.local(trigger_ms))

    def shaped(self, plain: str) -> str:
        """Return an id in the form of this world. Unique ids stay unique."""
        if self._shape == "plain":
            return plain
        opaque = f"{self._rng.getrandbits(128):032x}"
        if self._shape == "opaque":
            return opaque
        return self._rng.choice(
            (
                plain,
                opaque,
                str(uuid.UUID(opaque)),
                plain[:-1] + opaque,  # the digits of a plain id, and more
                plain.replace("-", "_") + "_" + opaque[:8],
                f"backfill-{plain}",
                f"重跑 {plain}",
                f"0{int(opaque, 16)}",
            )
        )


def rows(made: Timeline, ids: Ids, seed: int) -> Iterator[Row]:
    """Yield the rows of a timeline, in the order of trigger times. The present is the end of the span."""
    rng = random.Random(f"{seed} rows")
    draw, flows, present = rng.random, made.flows, made.span.end
    outages = _outages(made.span, rng)
    outage_from, outage_to = next(outages)
    # A platform has a backlog: half of the last instances still wait or run.
    backlog = len(made.moments) - max(20, len(made.moments) // 2_000)
    delays = {(one.trigger_ms, one.flow_id): one.delay_ms for one in made.planted if one.kind == "late"}
    for number, (trigger, type, flow_number) in enumerate(made):
        while trigger >= outage_to:
            outage_from, outage_to = next(outages)
        flow = flows[flow_number]
        luck, pace = draw(), draw()
        # The fourth power of a uniform draw: most waits in the queue are short, and a few are long.
        start: int | None = trigger + int(200 + 60_000 * pace**4)
        end: int | None = trigger + int(800 + 60_000 * pace**4 + flow.seconds * (500 + 1000 * luck))
        fails = 0.6 if outage_from <= trigger else flow.flaky
        status = _FAIL if luck < fails else _SUCCESS if luck < 0.985 else _ODD_ENDS[int(pace * 4)]
        create = trigger + int(pace * 3000) if luck < 0.8 else trigger - int(pace * 3_600_000)
        if pace > 0.997:
            status, start, end = _NEVER_STARTED[int(luck * 3)], None, None
        if number >= backlog and luck < 0.5:
            status, end = int(FlowStatus.RUNNING), None
            if luck < 0.25:
                status, start = _BEFORE_START[int(luck * 12)], None
        elif end is not None and end > present:
            status, end = int(FlowStatus.RUNNING), None
            start = start if start is not None and start < present else trigger
        if delays and type == 1 and (delay := delays.get((trigger, flow.id))) is not None:
            start = trigger + delay
            end = start + int(flow.seconds * (500 + 1000 * luck))
            status = _SUCCESS
            if end > present:
                status, end = int(FlowStatus.RUNNING), None
        if luck < 0.7:
            create -= create % 1000  # the documented sample has whole seconds, written as ".0"
        update = (end or start or trigger) + int(pace * 2000)
        yield (
            type,
            trigger,
            number,
            ids.new(flow.id, trigger),
            flow_number,
            status,
            start,
            end,
            create,
            update,
        )


def _outages(span: Span, rng: random.Random) -> Iterator[tuple[int, int]]:
    """Yield random outages, about one a week, of minutes to hours. Most instances fail during an outage."""
    at = float(span.start)
    while True:
        at += rng.expovariate(1 / 600_000_000)
        length = math.exp(rng.uniform(13.3, 16.9))
        yield int(at), int(at + length)
        at += length
