"""The trigger times of instances: one sorted list of moments for each profile, and the flows.

A moment is ``(trigger ms since the span's start, type, flow)`` packed into one int, so that a million moments
can be sorted fast.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

import attrs

from aioflows.emulator.world.clock import DAY_MS, Clock
from aioflows.emulator.world.crons import Cron, draw_cron, firings
from aioflows.emulator.world.flows import Flow, flow_ids, new_flow
from aioflows.emulator.world.irregular_runs import PlantedRun, plan
from aioflows.emulator.world.options import World

_FLOW_BITS, _TYPE_BITS = 22, 2
_SHARES = {0: 0.03, 1: 0.95, 2: 0.02}
_CRON_SHARES = {"mi": 0.11, "H": 0.27, "M": 0.10, "W": 0.14, "D": 0.38}
_FINER = {"M": "W", "W": "D", "D": "H", "H": "mi"}
_DECORATION = {"D": 0.6, "H": 0.2, "W": 0.1, "M": 0.05, "mi": 0.05}


@attrs.frozen
class Span:
    """The half-open range of all trigger times (ms since the epoch)."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """The length (ms)."""
        return self.end - self.start


@attrs.frozen
class Timeline:
    """All flows, and all moments, in order.

    Args:
        flows: the flows.
        moments: the packed moments.
        span: the range of the moments.
        planted: the runs that were planted, if any.
    """

    flows: list[Flow]
    moments: list[int]
    span: Span
    planted: tuple[PlantedRun, ...] = ()

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """Yield the trigger time (ms), the type and the flow's number of every instance, in order."""
        start, flow_mask, type_mask = self.span.start, (1 << _FLOW_BITS) - 1, (1 << _TYPE_BITS) - 1
        for moment in self.moments:
            type_and_time = moment >> _FLOW_BITS
            yield start + (type_and_time >> _TYPE_BITS), type_and_time & type_mask, moment & flow_mask


def timeline(world: World, span: Span, clock: Clock) -> Timeline:
    """Return the timeline of a world."""
    rng = random.Random(f"{world.seed} {world.profile}")
    made = _of_crons(world, span, clock, rng) if world.profile == "cron" else _drawn(world, span, clock, rng)
    made.moments.sort()
    return made


def count_by_type(world: World) -> dict[int, int]:
    """Return the number of rows of each type. The sum is exactly `World.instances`."""
    types = world.schedule_types
    total = sum(_SHARES[one] for one in types)
    counts = {one: int(world.instances * _SHARES[one] / total) for one in types}
    counts[1 if 1 in types else types[0]] += world.instances - sum(counts.values())
    return counts


def _firings_by_type(world: World) -> dict[int, int]:
    """Return the number of firings of each type: the rows, and the missed runs, without the second instances."""
    counts = count_by_type(world)
    if world.missed or world.doubled:
        counts[1] = max(0, counts[1] + world.missed - world.doubled)
    return counts


def _pack(offset_ms: int, type: int, flow: int) -> int:
    return ((offset_ms << _TYPE_BITS) | type) << _FLOW_BITS | flow


def _of_crons(world: World, span: Span, clock: Clock, rng: random.Random) -> Timeline:
    """Return the timeline of a platform whose flows are created, fire for a while and end."""
    counts = _firings_by_type(world)
    crons: list[Cron] = []
    moments: list[int] = []
    lives: list[range] = []
    budgets = {cycle: int(counts.get(1, 0) * share) for cycle, share in _CRON_SHARES.items()}
    budgets["D"] += counts.get(1, 0) - sum(budgets.values())
    # A span may be too short for a coarse cycle. So coarse cycles come first, and leave their rows to finer
    # cycles.
    for cycle in ("M", "W", "D", "H", "mi"):
        left, misses = budgets[cycle], 0
        while left > 0:
            cron = draw_cron(cycle, left, span.length, rng)
            fired = _life(cron, left, span, clock, rng)
            misses = 0 if fired else misses + 1
            if misses > 50 and cycle in _FINER:
                budgets[_FINER[cycle]] += left
                break
            tail = (1 << _FLOW_BITS) | len(crons)  # type 1: periodic
            lives.append(range(len(moments), len(moments) + len(fired)))
            moments += [((one - span.start) << (_TYPE_BITS + _FLOW_BITS)) + tail for one in fired]
            crons.append(cron)
            left -= len(fired)
    if not crons:
        crons = [draw_cron("D", 1, span.length, rng)]
    by_hand = [  # users start flows at any time, not by a schedule
        _pack(int(rng.random() * span.length), type, rng.randrange(len(crons)))
        for type in (0, 2)
        for _ in range(counts.get(type, 0))
    ]
    flows = _flows(crons, rng)
    moments, planted = _planted(world, moments, lives, flows, span)
    return Timeline(flows, moments + by_hand, span, planted)


def _planted(
    world: World, moments: list[int], lives: list[range], flows: list[Flow], span: Span
) -> tuple[list[int], tuple[PlantedRun, ...]]:
    """Return the moments of a world with its planted runs, and the planted runs."""
    bits, flow_mask = _TYPE_BITS + _FLOW_BITS, (1 << _FLOW_BITS) - 1
    chosen = plan(world, lives, [span.length - (moment >> bits) for moment in moments])

    def run(kind: str, at: int, delay_ms: int = 0) -> PlantedRun:
        moment = moments[at]
        return PlantedRun(kind, flows[moment & flow_mask].id, span.start + (moment >> bits), delay_ms)

    planted = [
        *(run("missed", at) for at in chosen.missed),
        *(run("doubled", at) for at in chosen.doubled),
        *(run("late", at, delay) for at, delay in chosen.late.items()),
    ]
    planted.sort(key=lambda one: (one.trigger_ms, one.flow_id))
    twice = [moments[at] for at in chosen.doubled]
    if chosen.missed:
        moments = [moment for at, moment in enumerate(moments) if at not in chosen.missed]
    return moments + twice, tuple(planted)


def _life(cron: Cron, most: int, span: Span, clock: Clock, rng: random.Random) -> list[int]:
    """Return the firings of a flow from its creation to its end, at most *most*."""
    length = span.length if rng.random() < 0.35 else int(span.length * rng.uniform(0.05, 0.9))
    if cron.step:
        length = min(length, most * cron.step)
    born = span.start + int(rng.random() * (span.length - length))
    return list(firings(cron, born, min(born + length, span.end), clock)[:most])


def _drawn(world: World, span: Span, clock: Clock, rng: random.Random) -> Timeline:
    """Return the timeline of a profile without crons: random times, and in each second the flows in turn."""
    times = _PROFILES[world.profile](world.instances, span, clock, rng)
    types = [type for type, count in count_by_type(world).items() for _ in range(count)]
    rng.shuffle(types)
    times.sort()
    size = max(20, min(5_000, world.instances // (1 if world.profile == "one-second" else 50)))
    moments, second, flow = [], -1, 0
    for offset, type in zip(times, types, strict=True):
        if offset // 1000 != second:
            second, flow = offset // 1000, int(rng.random() * size)
        else:
            flow = (flow + 1) % size
        moments.append(_pack(offset, type, flow))
    cycles = rng.choices(list(_DECORATION), list(_DECORATION.values()), k=size)
    return Timeline(
        _flows([draw_cron(cycle, 10**6, span.length, rng) for cycle in cycles], rng), moments, span
    )


def _flows(crons: list[Cron], rng: random.Random) -> list[Flow]:
    ids = flow_ids(len(crons), rng)
    return [
        new_flow(number, id, cron.text, cron.cycle, rng)
        for number, (id, cron) in enumerate(zip(ids, crons, strict=True))
    ]


def _uniform(count: int, span: Span, _: Clock, rng: random.Random) -> list[int]:
    return [int(rng.random() * span.length) for _ in range(count)]


def _whole_seconds(count: int, low: float, high: float, rng: random.Random) -> list[int]:
    """Return random times (ms) on whole seconds of a range, which counts as at least a second long."""
    first = int(low) // 1000
    width = max(1, int(high) // 1000 - first)
    return [(first + int(rng.random() * width)) * 1000 for _ in range(count)]


def _bursty(count: int, span: Span, _: Clock, rng: random.Random) -> list[int]:
    """Return times of which 95 % lie in bursts of 5 to 300 s, each of several thousand rows."""
    bursts = max(5, count // 5_000)
    weights = [rng.uniform(0.3, 1.7) for _ in range(bursts)]
    sizes = Counter(rng.choices(range(bursts), weights, k=int(count * 0.95)))
    times = _whole_seconds(count - sizes.total(), 0, span.length, rng)
    for burst in range(bursts):
        width = 1000 * 5 * 60 ** rng.random()
        low = rng.random() * (span.length - width)
        times += _whole_seconds(sizes[burst], low, low + width, rng)
    return times


def _midnight(count: int, span: Span, clock: Clock, rng: random.Random) -> list[int]:
    """Return times of which 97 % lie at local midnights, most of these in the first second."""
    days = span.length // DAY_MS
    nights = rng.sample(range(days), max(1, min(days, count // 400)))
    first = span.start + clock.offset_ms(span.start)
    midnights = [max(0, clock.to_utc(first + night * DAY_MS) - span.start) for night in nights]
    weights = [rng.uniform(0.3, 1.7) for _ in nights]
    chosen = rng.choices(midnights, weights, k=int(count * 0.97))
    times = _whole_seconds(count - len(chosen), 0, span.length, rng)
    return times + [one + (0 if rng.random() < 0.8 else rng.randrange(6) * 1000) for one in chosen]


def _sparse_then_dense(count: int, span: Span, _: Clock, rng: random.Random) -> list[int]:
    """Return times of which 2 % lie in the first 95 % of the span, and all others in the rest."""
    turn = span.length * 0.95
    few = count // 50
    return _whole_seconds(few, 0, turn, rng) + _whole_seconds(count - few, turn, span.length, rng)


def _one_second(count: int, span: Span, _: Clock, __: random.Random) -> list[int]:
    return [span.length // 2 // 1000 * 1000] * count


_PROFILES: dict[str, Callable[[int, Span, Clock, random.Random], list[int]]] = {
    "uniform": _uniform,
    "bursty": _bursty,
    "midnight": _midnight,
    "sparse-then-dense": _sparse_then_dense,
    "one-second": _one_second,
}
