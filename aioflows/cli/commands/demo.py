"""``aioflows demo``: a deployment of a hundred thousand instances, read to its end before your eyes, and checked."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from typing import Any

import attrs
from rich.console import Console
from rich.text import Text

from aioflows import FlowQuery, FlowSession, Limits, QueryError
from aioflows.cli.exit_codes import Exit
from aioflows.cli.output.demo_account import DemoOutcome, print_account
from aioflows.cli.output.flow_totals import OrderCheck, Summary
from aioflows.cli.output.meters import Meter, live_meter, plain_meter
from aioflows.emulator import Emulator, EmulatorProcess
from aioflows.export.worker import run_in_thread

__all__ = ["Demo", "demo"]

_ORDERS = ("trigger_time", "-trigger_time", None)


@attrs.frozen
class Demo:
    """What to show.

    Args:
        instances: *rows* of the emulated deployment.
        seed: another *number* gives other rows.
        profile: how they lie in time.
        latency: *seconds* that the deployment takes for an answer.
        faults: the *share* of requests that fail.
        limits: how much at a time.
        order_by: "trigger_time", "-trigger_time" or None.
    """

    instances: int
    seed: int
    profile: str
    latency: float
    faults: float
    limits: Limits
    order_by: str | tuple[str, ...] | None

    def __attrs_post_init__(self) -> None:
        if self.order_by not in _ORDERS:
            raise QueryError(
                "--order must be trigger_time, -trigger_time or none, which are what the demo can check"
            )
        Emulator(**self.switches)  # which refuses what makes no sense; it is not opened

    @property
    def switches(self) -> dict[str, Any]:
        """What the emulator is told."""
        return {
            "instances": self.instances,
            "seed": self.seed,
            "profile": self.profile,
            "latency": self.latency,
            "fault_share": self.faults,
        }


async def demo(show: Demo, console: Console) -> Exit:
    """Serve a deployment, read all of it, and say what came of it; exit code 0 only if it is exact and in order."""
    console.print(_title(show))
    async with AsyncExitStack() as stack:
        with _waiting(console, "making the instances"):
            # In a process of its own, so that the deployment does not take the time of the client; and started aside,
            # since Ctrl-C need not wait until all instances are made: that process ends with ours, however ours ends.
            emulator = await run_in_thread(EmulatorProcess(**show.switches).start)
        stack.push_async_callback(asyncio.to_thread, emulator.stop)
        with live_meter(console) if console.is_terminal else plain_meter(console.print) as meter:
            outcome = await _read(show, emulator, meter)
    print_account(outcome, console)
    return Exit.COMPLETE if outcome.exact else Exit.INCONSISTENT


async def _read(show: Demo, emulator: EmulatorProcess, meter: Meter) -> DemoOutcome:
    order_by = show.order_by if isinstance(show.order_by, str) else None
    query = FlowQuery(emulator.start_ms, emulator.end_ms, order_by=order_by)
    summary, order = Summary(), OrderCheck(order_by)
    async with (
        FlowSession(
            emulator.url, user_id="u", org_id="o", limits=show.limits, observer=meter.heard
        ) as session,
        session.scan(query) as scan,
    ):
        async for rows in scan.pages():
            summary.add(rows)
            order.add(rows)
            meter.show(scan)
    return DemoOutcome(emulator.instances, summary, order, order_by, scan.stats, show.limits.page_size)


def _title(show: Demo) -> Text:
    service = f"{show.latency * 1000:g} ms an answer, {show.limits.concurrency} requests at once"
    if show.faults:
        service += f", {show.faults:.0%} of them fail"
    facts = f"{show.instances:,} emulated instances (profile {show.profile}, seed {show.seed})\n{service}\n"
    return Text.assemble(("aioflows demo\n", "bold"), (facts, "dim"))


def _waiting(console: Console, what: str) -> AbstractContextManager[object]:
    return console.status(what) if console.is_terminal else nullcontext()
