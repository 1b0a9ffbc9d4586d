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
from aioflows.emulator.service.live import Life
from aioflows.emulator.service.operations import Service
from aioflows.emulator.service.options import Meanwhile, Quirks
from aioflows.emulator.service.render import Renderer
from aioflows.emulator.service.request_log import Record
from aioflows.emulator.service.rights import Rights
from aioflows.emulator.world.clock import DAY_MS, Clock, local_day, zone_named
from aioflows.emulator.world.crons import read_cron
from aioflows.emulator.world.flows import Flow
from aioflows.emulator.world.irregular_runs import PlantedRun
from aioflows.emulator.world.live_runs import NEW_FLOWS, LiveRuns, backlog, new_flows, still_scheduled
from aioflows.emulator.world.options import World
from aioflows.emulator.world.rows import Ids, Row, rows
from aioflows.emulator.world.store import Store, open_store
from aioflows.emulator.world.timeline import Span, timeline
from aioflows.errors import QueryError
from aioflows.models import FlowStatus

_UNFINISHED = tuple(
    int(one) for one in (FlowStatus.RUNNING, FlowStatus.WAIT, FlowStatus.READY, FlowStatus.INIT)
)


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
    opened_ms: int = attrs.field(
        init=False, default=attrs.Factory(lambda self: int(self.server_ms()), takes_self=True)
    )
    """The time of the service when the emulator was made (ms since the epoch)."""

    def __attrs_post_init__(self) -> None:
        if self.meanwhile.live and self.path is not None:
            raise QueryError("live=True keeps its rows in memory only; omit path, or live")

    def server_ms(self) -> float:
        """Return the time of the service (ms since the epoch)."""
        return self.now() + self.quirks.clock_skew * 1000

    @property
    def clock(self) -> Clock:
        """The clock of the server's zone."""
        return Clock(zone_named(self.world.zone))

    @property
    def span(self) -> Span:
        """The time span of the rows: whole days in the server's zone."""
        clock = self.clock
        if self.meanwhile.live:
            local = self.opened_ms + clock.offset_ms(self.opened_ms)
            last = local - local % DAY_MS
            return Span(clock.to_utc(last - self.world.days * DAY_MS), clock.to_utc(last))
        first = local_day(self.world.first_day)
        return Span(clock.to_utc(first), clock.to_utc(first + self.world.days * DAY_MS))


@attrs.frozen
class Assembly:
    """The parts of an emulator that is open."""

    store: Store
    changes: Changes
    deployment: Deployment
    life: Life | None


def assemble(settings: Settings, record: Record) -> Assembly:
    """Make the rows, or open a file of rows, and build a deployment that serves the rows."""
    world, quirks, clock = settings.world, settings.quirks, settings.clock

    def make() -> tuple[list[Flow], Iterable[Row], Iterable[PlantedRun]]:
        made = timeline(world, settings.span, clock)
        flows = [*made.flows, *new_flows(made.flows, world.seed)] if settings.meanwhile.live else made.flows
        return flows, rows(made, Ids(clock, world.ids, f"{world.seed} ids"), world.seed), made.planted

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
    life = _life(settings, store, flows, changes) if settings.meanwhile.live else None
    deployment = Deployment(
        Service(store, renderer, world, quirks, settings.constraints, trigger_clock),
        quirks=quirks,
        access=settings.access,
        trouble=settings.trouble,
        changes=changes,
        life=life,
        record=record,
        seed=world.seed,
    )
    return Assembly(store, changes, deployment, life)


def _life(settings: Settings, store: Store, flows: list[Flow], changes: Changes) -> Life:
    """Return the life of a platform after its past, brought up to the present."""
    world, clock, end = settings.world, settings.clock, settings.span.end
    latest = store.latest_scheduled() if world.profile == "cron" else {}
    crons = still_scheduled(flows, latest, end, clock)
    crons |= {flow.number: read_cron(flow.cycle, flow.cron) for flow in flows[-NEW_FLOWS:]}
    opened = settings.opened_ms
    runs = LiveRuns(flows, crons, opened_ms=opened, types=world.schedule_types, clock=clock, seed=world.seed)
    life = Life(changes, runs, end)
    for id, start, finish in backlog(store.with_status(_UNFINISHED), opened, world.seed):
        life.finish(id, start, finish)
    life.advance(opened)
    return life
