"""Asks the service for its zone, where a user typed a time without a zone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import tzinfo

from aioflows import Limits
from aioflows.cli.exit_codes import json_record, print_to_stderr
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.options.moments import needs_zone
from aioflows.cli.options.parsing import zone

__all__ = ["zone_of_times"]

_SILENT = 1.0
"""Seconds without an answer after which a user is told what is waited for."""


async def zone_of_times(
    connection: ConnectionOptions, given: str | None, texts: Iterable[str | None], *, as_json: bool = False
) -> tzinfo | None:
    """Return the zone for times as a user typed them: the given one, or the service's if a text needs one.

    Args:
        connection: the service.
        given: the zone that the user gave, as a text. None means none.
        texts: the times. None means that a time was not given.
        as_json: True to print a long wait as a JSON object. Default: False.

    Raises:
        QueryError: the zone is unknown, or an option of the service is invalid.
        AioflowsError: the service does not tell its zone.
    """
    if given is not None or not any(text is not None and needs_zone(text) for text in texts):
        return zone(given)
    async with connection.session(Limits()) as session:
        asking = asyncio.ensure_future(session.server_timezone())
        try:
            if not (await asyncio.wait([asking], timeout=_SILENT))[0]:
                _print_waiting(as_json=as_json)
            return await asking
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)


def _print_waiting(*, as_json: bool) -> None:
    reason = "the service is asked for its zone, since a time has none"
    if as_json:
        print_to_stderr(json_record("waiting", reason=reason, seconds=None))
    else:
        print_to_stderr(f"waiting: {reason}; --zone avoids the question")
