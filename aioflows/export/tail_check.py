"""The check that an increment reads times as its target does.

The increment begins at the trigger time of the target's last row. If the service or the session names another zone
than at the first export, this place is some hours off: rows between would be lost, or written again. So the last row
must come again with the time that it has in the target.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import attrs

from aioflows.errors import Denied, NotFound, QueryError
from aioflows.export.sink import Tail
from aioflows.models import FlowInstance
from aioflows.query import FlowQuery

__all__ = ["check_tail"]


async def check_tail(session: Any, query: FlowQuery, tail: Tail, name: str) -> None:
    """Check that the service has the last row of a target at the time that it has in the target.

    If the service has removed the row, or refuses to return it, nothing can be checked.

    Args:
        session: the session that reads the increment.
        query: the query of the increment.
        tail: the last row of the target.
        name: the target's name in messages.

    Raises:
        QueryError: the row has another time.
        AioflowsError: the row cannot be read, or a scan finds that the zone is wrong.
    """
    begin = tail.second * 1000
    scan = session.scan(attrs.evolve(query, from_trigger_time=begin, to_trigger_time=begin + 1000))
    try:
        async for rows in scan.pages():
            if any(row.instance_id == tail.id for row in rows):
                return
    finally:
        await scan.aclose()
    time = await _time_of(tail.id, getattr(session, "get", None))
    if time is None or int(time.timestamp()) == tail.second:
        return  # the row has left the query, or is gone
    held = datetime.fromtimestamp(tail.second, UTC)
    raise QueryError(
        f"nothing can be appended to {name!r}: its last row, instance {tail.id!r}, was triggered at {held.isoformat()}, "
        f"and the service has it at {time.astimezone(UTC).isoformat()} now, so rows would be lost or repeated. "
        "One of the two was read in a wrong zone: give the right one as FlowSession(server_timezone=...) "
        "(--server-timezone), and if the target is wrong, export it again"
    )


async def _time_of(id: str, get: Callable[[str], Awaitable[FlowInstance]] | None) -> datetime | None:
    """Return the trigger time of an instance, or None if it is unknown."""
    if get is None:
        return None
    try:
        return (await get(id)).trigger_time
    except (NotFound, Denied):
        return None
