"""``aioflows demo``: reads an emulated deployment to its end, with a progress bar, and checks the result."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from typing import Any

import attrs
from rich.console import Console
from rich.text import Text

from aioflows import FlowQuery, FlowSession, Limits, QueryError
from aioflows._worker import run_in_thread
from aioflows.cli.exit_codes import Exit
from aioflows.cli.output.demo_account import DemoOutcome, print_outcome
from aioflows.cli.output.meters import Meter, live_meter, plain_meter
from aioflows.cli.output.order_check import OrderCheck
from aioflows.emulator import Emulator, EmulatorProcess
from aioflows.query import SortKey
from aioflows.report.flow_totals import FlowTotals

__all__ = ["Demo", "demo"]

_ORDERS = ("trigger_time", "-trigger_time", None)


@attrs.frozen
class Demo:
    """The settings of a demo.

    Args:
        instances: number of instances in the emulated deployment.
        seed: seed of the random instances.
        profile: distribution of the instances in time.
        latency: time until an answer (seconds).
        faults: share of requests that fail (0 to 1).
        limits: limits of the session.
        order_by: order of the scan: "trigger_time", "-trigger_time", or None for no order.

    Raises:
        QueryError: a value is invalid.
    """

    instances: int
    seed: int
    profile: str
    latency: float
    faults: float
    limits: Limits
    order_by: SortKey | tuple[SortKey, ...] | None

    def __attrs_post_init__(self) -> None:
        if self.order_by not in _ORDERS:
            raise QueryError(
                "--order must be trigger_time, -trigger_time or none; the demo can check only these orders"
            )
        Emulator(**self.switches)  # checks the values; the emulator is not opened

    @property
    def switches(self) -> dict[str, Any]:
        """The arguments of the emulator."""
        return {
            "instances": self.instances,
            "seed": self.seed,
            "profile": self.profile,
            "latency": self.latency,
            "fault_share": self.faults,
        }


async def demo(settings: Demo, console: Console) -> Exit:
    """Serve a deployment, read all of it, and print the outcome.

    The exit code is 0 only if every instance came exactly once and in order.
    """
    console.print(_title(settings))
    async with AsyncExitStack() as stack:
        with _spinner(console, "making the instances"):
            # The emulator is a separate process, so that it does not share a CPU core with the client.
            # The start runs in a daemon thread, so that Ctrl-C does not wait until all instances are made.
            # The emulator's process ends with this one.
            emulator = await run_in_thread(EmulatorProcess(**settings.switches).start)
        stack.push_async_callback(asyncio.to_thread, emulator.stop)
        with live_meter(console) if console.is_terminal else plain_meter(console.print) as meter:
            outcome = await _read(settings, emulator, meter)
    print_outcome(outcome, console)
    return Exit.COMPLETE if outcome.exact else Exit.INCONSISTENT


async def _read(settings: Demo, emulator: EmulatorProcess, meter: Meter) -> DemoOutcome:
    order_by = settings.order_by if isinstance(settings.order_by, str) else None
    query = FlowQuery(emulator.start_ms, emulator.end_ms, order_by=order_by)
    totals, order = FlowTotals(), OrderCheck(order_by)
    async with (
        FlowSession(
            emulator.url, user_id="u", org_id="o", limits=settings.limits, observer=meter.on_event
        ) as session,
        session.scan(query) as scan,
    ):
        async for rows in scan.pages():
            totals.add(rows)
            order.add(rows)
            meter.show(scan)
    return DemoOutcome(emulator.instances, totals, order, order_by, scan.stats, settings.limits.page_size)


def _title(settings: Demo) -> Text:
    service = f"{settings.latency * 1000:g} ms an answer, {settings.limits.concurrency} requests at once"
    if settings.faults:
        service += f", {settings.faults:.0%} of them fail"
    world = f"{settings.instances:,} emulated instances (profile {settings.profile}, seed {settings.seed})"
    facts = f"{world}\n{service}\n"
    return Text.assemble(("aioflows demo\n", "bold"), (facts, "dim"))


def _spinner(console: Console, text: str) -> AbstractContextManager[object]:
    return console.status(text) if console.is_terminal else nullcontext()
