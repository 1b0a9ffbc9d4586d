"""The assembly of an emulator from its parts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

import attrs

from aioflows.emulator.deployment import Deployment
from aioflows.emulator.gateway.options import Access, Trouble
from aioflows.emulator.service.changes import Changes
from aioflows.emulator.service.constraints import Constraints
from aioflows.emulator.service.operations import Service
from aioflows.emulator.service.options import Meanwhile, Quirks
from aioflows.emulator.service.render import Renderer
from aioflows.emulator.service.request_log import Record
from aioflows.emulator.service.rights import Rights
from aioflows.emulator.world.clock import DAY_MS, Clock, local_day, zone_named
from aioflows.emulator.world.flows import Flow
from aioflows.emulator.world.irregular_runs import PlantedRun
from aioflows.emulator.world.options import World
from aioflows.emulator.world.rows import Ids, Row, rows
from aioflows.emulator.world.store import Store, open_store
from aioflows.emulator.world.timeline import Span, timeline


def wall_ms() -> float:
    """Return the current time in ms since the epoch."""
    return time.time() * 1000


@attrs.frozen
class Settings:
    """All settings of an emulator."""

    world: World
    quirks: Quirks
    constraints: Constraints
    meanwhile: Meanwhile
    access: Access
    trouble: Trouble
    path: str | os.PathLike[str] | None
    now: Callable[[], float]

    @property
    def clock(self) -> Clock:
        """The clock of the server's zone."""
        return Clock(zone_named(self.world.zone))

    @property
    def span(self) -> Span:
        """The time span of the rows: whole days in the server's zone."""
        first = local_day(self.world.first_day)
        clock = self.clock
        return Span(clock.to_utc(first), clock.to_utc(first + self.world.days * DAY_MS))


@attrs.frozen
class Assembly:
    """The parts of an emulator that is open."""

    store: Store
    changes: Changes
    deployment: Deployment


def assemble(settings: Settings, record: Record) -> Assembly:
    """Make the rows, or open a file of rows, and build a deployment that serves the rows."""
    world, quirks, clock = settings.world, settings.quirks, settings.clock

    def make() -> tuple[list[Flow], Iterable[Row], Iterable[PlantedRun]]:
        made = timeline(world, settings.span, clock)
        return made.flows, rows(made, Ids(clock, world.ids, f"{world.seed} ids"), world.seed), made.planted

    store = open_store(settings.path, attrs.asdict(world), make)
    store.visible = Rights(settings.constraints.visible_share, world.seed).visible
    flows = store.flows()
    if quirks.sort_by == "second":
        store.index_seconds()

    def clock_with(shift_hours: float = 0) -> Clock:
        shift_ms = round(shift_hours * 3_600_000)
        return Clock(clock.zone, shift_ms, turn=quirks.zone_turn, rounding=quirks.round_times)

    trigger_clock = clock_with()
    renderer = Renderer(
        flows,
        trigger_clock,
        tuple(
            clock_with(quirks.start_zone_shift if shift is None else shift)
            for shift in (None, quirks.end_zone_shift, quirks.create_zone_shift)
        ),
        absent=quirks.null_times == "absent",
        siblings=quirks.sibling_fields,
        unescaped=quirks.unescaped_graph,
        times=quirks.times_as,
        numbers_as_texts=quirks.numbers_as == "text",
    )
    changes = Changes(
        store,
        flows,
        settings.meanwhile,
        span=settings.span,
        ids=Ids(clock, world.ids, f"{world.seed} new ids"),
        types=world.schedule_types,
        found=quirks.expression,
        seed=world.seed,
    )
    deployment = Deployment(
        Service(store, renderer, world, quirks, settings.constraints, trigger_clock),
        quirks=quirks,
        access=settings.access,
        trouble=settings.trouble,
        changes=changes,
        record=record,
        seed=world.seed,
    )
    return Assembly(store, changes, deployment)
