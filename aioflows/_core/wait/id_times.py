"""The trigger time that an instance id names, as in the documented ``2809-20190812080700``.

It is a hint: it chooses where to look first. An instance is believed to have a trigger time only where an
answer shows it.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from aioflows._core.wire.zone import Zone

__all__ = ["hinted_ms"]

_STAMP: Final = re.compile(r"-(20\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(?!\d)")
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  (`Zone.instants` returns times in UTC without a zone)
_EARLIEST: Final = 978_307_200_000  # 2001-01-01 (ms); a query takes no earlier time


def hinted_ms(instance_id: str, zone: Zone) -> int | None:
    """Return the trigger time in an id (ms since the epoch), or None if the id has another form.

    Args:
        instance_id: the id.
        zone: the zone of trigger times.
    """
    found = _STAMP.search(instance_id)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        wall = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  (a wall clock)
    except ValueError:
        return None
    return max(_EARLIEST, (zone.instants(wall)[0] - _EPOCH) // timedelta(milliseconds=1))
