"""``aioflows get``: shows instances by their ids."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, tzinfo

from aioflows import FlowInstance, FlowSession, Limits, NotFound
from aioflows.cli.exit_codes import Exit, exit_for, print_error
from aioflows.cli.first_contact import open_session
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.output.console import console_on, is_terminal
from aioflows.cli.output.meters import meter_of
from aioflows.cli.output.standard_output import standard_output
from aioflows.export.formats.json_lines import line_encoder

__all__ = ["get"]


async def get(
    connection: ConnectionOptions, ids: Sequence[str], *, zone: tzinfo | None, as_json: bool
) -> Exit:
    """Show instances in the order of their ids. An unknown one does not keep the others from being shown.

    Args:
        connection: the service and the user.
        ids: the ids of the instances. An id that comes again is shown once.
        zone: the zone of the times that are written. None means UTC, and on a terminal the service's.
        as_json: True to print JSON lines to a terminal as well, and errors as JSON objects.
    """
    screen = standard_output()
    meter = meter_of(None, None, quiet=False, as_json=as_json)
    async with open_session(connection, Limits(), meter) as session:
        found = await _read(session, list(dict.fromkeys(ids)))
    instances = [one for one in found if isinstance(one, FlowInstance)]
    if as_json or not is_terminal(screen):
        screen.write(line_encoder(zone or UTC).encode(instances).decode())
    elif instances:
        from aioflows.cli.output.row_table import RowTable

        await RowTable(console_on(screen), zone).write(instances)
    screen.flush()
    unknown = [one for one in found if isinstance(one, NotFound)]
    for error in unknown:
        _, line = exit_for(error) or (Exit.NOT_FOUND, str(error))
        print_error(line if as_json else f"error: {line}", Exit.NOT_FOUND if as_json else None)
    return Exit.NOT_FOUND if unknown else Exit.COMPLETE


async def _read(session: FlowSession, ids: Sequence[str]) -> list[FlowInstance | NotFound]:
    async def one(name: str) -> FlowInstance | NotFound:
        try:
            return await session.get(name)
        except NotFound as error:
            return error

    tasks = [asyncio.create_task(one(name)) for name in ids]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
