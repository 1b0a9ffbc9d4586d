"""Scheduled runs that are planted as missed, doubled or late.

1. Flows that ran on time are changed after they were drawn. So a world without planted runs stays as it is.
2. A run is missed only between two runs of its flow. Before or after all runs, the flow may not exist.
3. No run is planted twice.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import attrs

from aioflows.emulator.world.options import World
from aioflows.errors import QueryError

_HOUR = 3_600_000
_DELAYS = (2 * _HOUR, 12 * _HOUR)
KINDS = ("missed", "doubled", "late")


@attrs.frozen
class PlantedRun:
    """A scheduled run that was planted.

    Args:
        kind: "missed", "doubled" or "late".
        flow_id: the id of its flow.
        trigger_ms: the moment for which the run was scheduled (ms since the epoch).
        delay_ms: the time from `trigger_ms` to the start of a late run (ms). Default: 0.
    """

    kind: str
    flow_id: int
    trigger_ms: int
    delay_ms: int = 0


@attrs.frozen
class Plan:
    """The positions of planted runs in a list of firings.

    Args:
        missed: the positions without an instance.
        doubled: the positions with two instances.
        late: the positions that started late, with their delays (ms).
    """

    missed: frozenset[int] = frozenset()
    doubled: frozenset[int] = frozenset()
    late: dict[int, int] = attrs.field(factory=dict)


def plan(world: World, lives: Sequence[range], latest: Sequence[int]) -> Plan:
    """Return the runs to plant in a world.

    Args:
        world: the world, with the numbers of runs.
        lives: the positions of the firings of each flow, one after the other.
        latest: for each position, the largest delay (ms) with which the run still starts before the present.

    Raises:
        QueryError: the world has too few suitable runs.
    """
    if not (world.missed or world.doubled or world.late):
        return Plan()
    rng = random.Random(f"{world.seed} planted")
    inner = [at for life in lives for at in life[1:-1]]
    missed = frozenset(_sample(rng, inner, world.missed, "missed"))
    kept = [at for life in lives for at in life if at not in missed]
    doubled = frozenset(_sample(rng, kept, world.doubled, "doubled"))
    punctual = [at for at in kept if at not in doubled and latest[at] > _DELAYS[1]]
    late = _sample(rng, punctual, world.late, "late")
    return Plan(missed, doubled, {at: rng.randrange(*_DELAYS) for at in late})


def _sample(rng: random.Random, positions: list[int], count: int, name: str) -> list[int]:
    if count > len(positions):
        raise QueryError(
            f"{name}={count:,} runs cannot be planted, because only {len(positions):,} runs are suitable; use a smaller "
            "number, or more instances"
        )
    return rng.sample(positions, count)
