"""The body of a request for the operation "List Flow Instances"."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from aioflows.models import ScheduleType
from aioflows.query import FlowQuery

__all__ = ["search_body"]


def search_body(
    query: FlowQuery,
    *,
    type: ScheduleType,
    from_ms: int,
    to_ms: int,
    page_no: int,
    page_size: int,
    sorters: Sequence[tuple[str, bool]] = (("trigger_time", False),),
    expression: str = "",
    status: Collection[int] | None = None,
) -> bytes:
    """Return the body of a search request.

    Args:
        query: the query, for its owner, expression and status.
        type: the schedule type. A request takes only one.
        from_ms: the first trigger time (ms since the epoch).
        to_ms: the trigger time before which the range ends (ms since the epoch).
        page_no: the number of the page.
        page_size: rows per page.
        sorters: sort fields, each with True if it is descending. Default: trigger time, ascending.
        expression: a text to search for, if the query has none. Default: none.
        status: status codes to use instead of the query's. Default: None, which means those of the query.
    """
    return msgspec.json.encode(
        {
            "type": int(type),
            "fromTriggerTime": from_ms,
            "toTriggerTime": to_ms,
            "status": ",".join(str(int(code)) for code in sorted(query.status if status is None else status)),
            "owner": query.owner,
            "expression": query.expression or expression,
            "pagination": {
                "pageNo": page_no,
                "pageSize": page_size,
                "sorters": [
                    {"field": field, "order": "DESC" if descending else "ASC"}
                    for field, descending in sorters
                ],
            },
        }
    )
