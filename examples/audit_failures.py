"""Read all failed runs of a year, and print a table by flow: how many, how often, and the last one.

    python examples/audit_failures.py

It reads the emulator, unless AIOFLOWS_URL names a service; then AIOFLOWS_USER_ID, AIOFLOWS_ORG_ID, AIOFLOWS_ACCESS_KEY and
AIOFLOWS_SECRET_KEY say who asks.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import attrs

from aioflows import AppKey, FlowInstance, FlowQuery, FlowSession, FlowStatus
from aioflows.emulator import Emulator

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
YEAR = FlowQuery(
    BEGIN,
    BEGIN + timedelta(days=366),
    status={FlowStatus.FAIL, FlowStatus.INTERNAL_ERROR, FlowStatus.TIMEOUT},
)


@attrs.define
class Failures:
    """The failed runs of one flow.

    Args:
        runs: how many there were.
        days: the days on which there were any.
        last: the trigger time of the last one.
    """

    runs: int = 0
    days: set[str] = attrs.field(factory=set)
    last: datetime | None = None

    def add(self, instance: FlowInstance) -> None:
        """Add a run; runs come in the order of their trigger times."""
        self.runs += 1
        self.last = instance.trigger_time
        if self.last is not None:
            self.days.add(self.last.date().isoformat())


async def read(session: FlowSession) -> dict[str, Failures]:
    """Return the failures of the year by the name of their flow; every one of them, or an error."""
    flows: defaultdict[str, Failures] = defaultdict(Failures)
    async with session.scan(YEAR) as scan:
        async for instances in scan.pages():  # lists, which is the fast way for bulk work
            for instance in instances:
                flows[instance.flow_name or "(no name)"].add(instance)
    return flows


def table(flows: dict[str, Failures]) -> str:
    """Return the flows as a table, the one with the most failures first."""
    lines = [f"{'failed':>8}{'days':>6}  {'last':<17} flow"]
    for name, flow in sorted(flows.items(), key=lambda item: (-item[1].runs, item[0])):
        last = f"{flow.last:%Y-%m-%d %H:%M}" if flow.last else "-"
        shown = name if name.isprintable() else ascii(name)  # a name may hold line breaks and control codes
        lines.append(f"{flow.runs:>8,}{len(flow.days):>6}  {last:<17} {shown}")
    lines.append(f"{sum(flow.runs for flow in flows.values()):>8,} in all, of {len(flows)} flows")
    return "\n".join(lines)


async def main() -> None:
    """Read the year, and print its table."""
    async with AsyncExitStack() as stack:
        url, key = os.environ.get("AIOFLOWS_URL"), os.environ.get("AIOFLOWS_ACCESS_KEY")
        if url is None:
            url = (await stack.enter_async_context(Emulator(20_000, seed=1))).url
        session = await stack.enter_async_context(
            FlowSession(
                url,
                user_id=os.environ.get("AIOFLOWS_USER_ID", "u"),
                org_id=os.environ.get("AIOFLOWS_ORG_ID", "o"),
                auth=AppKey(key, os.environ["AIOFLOWS_SECRET_KEY"]) if key else None,
            )
        )
        print(table(await read(session)))


if __name__ == "__main__":
    asyncio.run(main())
