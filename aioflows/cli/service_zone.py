"""Asks the service for its zone, where a user typed a time without a zone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from aioflows import Limits
from aioflows.cli.first_contact import open_session
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.options.moments import needs_zone
from aioflows.cli.options.parsing import zone
from aioflows.cli.output.meters import meter_of

__all__ = ["zone_of_times"]


async def zone_of_times(
    connection: ConnectionOptions,
    given: str | None,
    texts: Iterable[str | None],
    *,
    quiet: bool = False,
    as_json: bool = False,
) -> tzinfo | None:
    """Return the zone for times as a user typed them: the given one, or the service's if a text needs one.

    Args:
        connection: the service.
        given: the zone that the user gave, as a text. None means none.
        texts: the times. None means that a time was not given.
        quiet: True to print no wait. Default: False.
        as_json: True to print a long wait as a JSON object. Default: False.

    Raises:
        QueryError: the zone is unknown, or an option of the service is invalid.
        AioflowsError: the service does not tell its zone.
    """
    if given is not None or not any(text is not None and needs_zone(text) for text in texts):
        return zone(given)
    meter = meter_of(None, None, quiet=quiet, as_json=as_json)
    async with open_session(connection, Limits(), meter) as session:
        return await session.server_timezone()
