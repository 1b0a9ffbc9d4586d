"""One scan of one table through the service, compared with what SQL says the table holds.

1. The truth is a SELECT with the query's own condition and no page, before the scan and after it.
2. *Lost* are rows that matched before and after, were not touched in between, and did not come. *Twice* are ids that
   came more than once. *Alien* are rows that matched at no time, or came with another trigger time than the table's.
   *Disorder* counts neighbours in the wrong order.
3. An error is right only where no set of requests can settle the question (`settleable`); it is printed all the same.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import attrs

from aioflows import AioflowsError, CompletenessError, FlowInstance, FlowQuery, FlowSession, Limits
from aioflows.query import SortKey
from tests.databases.changes import Changes
from tests.databases.instances import END_MS, START_MS
from tests.databases.service import Question, Service
from tests.databases.tables import Database, Layout, Row, moment

__all__ = ["Combination", "Outcome", "compare", "settleable"]

TYPES = (0, 1, 2)

_NEVER = datetime.max.replace(tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Combination:
    """What is asked of which service.

    Args:
        layout: The table.
        reading: How the service reads a page, "rows" or "keys".
        cap: Rows that it gives at most; None: no cap.
        order: Order of the query.
        type: The query's schedule type; None means all three.
        status: The query's statuses.
        owner: The query's owner.
        expression: The query's text.
        page_size: Rows that the client asks for in one page.
        changing: Whether rows are inserted, deleted and changed meanwhile.
        proven: Whether the scan is asked to collect everything before it sorts.
    """

    layout: Layout
    reading: str = "rows"
    cap: int | None = None
    order: SortKey | None = "trigger_time"
    type: int | None = 1
    status: tuple[int, ...] = ()
    owner: str = ""
    expression: str = ""
    page_size: int = 500
    changing: bool = False
    proven: bool = False


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of it; counts of rows, but for the ratio of requests to the fewest possible, and seconds."""

    rows: int
    lost: int
    twice: int
    alien: int
    disorder: int
    ratio: float
    seconds: float
    ending: str
    allowed: bool

    @property
    def right(self) -> bool:
        """Return True if the scan kept its promise: all rows once and in order, or an error that is allowed."""
        wrong = self.twice or self.alien or self.disorder
        return not wrong and (self.allowed or (self.ending == "complete" and not self.lost))


async def compare(
    database: Database, service: Service, url: str, one: Combination, *, timeout: float = 600.0
) -> Outcome:
    """Scan and compare.

    Args:
        database: Where the table is.
        service: The running service; it is set to the combination.
        url: Its address.
        one: What is asked.
        timeout: Seconds after which the scan is given up, and counts as wrong.
    """
    service.layout, service.reading, service.cap = one.layout, one.reading, one.cap
    before = await _truth(database, one)
    changes = Changes(database, one.layout, before, seed=len(before))
    changing = asyncio.create_task(changes.run()) if one.changing else None
    requests, began = service.requests, time.monotonic()
    got: list[FlowInstance] = []
    ending, incomplete = "complete", False
    try:
        async with asyncio.timeout(timeout):
            await _scan(url, one, got)
    except CompletenessError as error:
        ending, incomplete = f"CompletenessError: {error}", True
    except AioflowsError as error:
        ending = f"{type(error).__name__}: {error}"
    except TimeoutError:
        ending = f"not done after {timeout:.0f} s"
    seconds = time.monotonic() - began
    requests = service.requests - requests
    if changing is not None:
        changing.cancel()
        (result,) = await asyncio.gather(changing, return_exceptions=True)
        if not isinstance(result, asyncio.CancelledError):
            raise RuntimeError(f"the table could not be changed: {result!r}")
    after = await _truth(database, one) if one.changing else before
    matched = before | after
    lasting = (before.keys() & after.keys()) - changes.touched
    counts = Counter(instance.instance_id for instance in got)
    fewest = math.ceil(len(before) / min(one.page_size, one.cap or one.page_size))
    return Outcome(
        rows=len(lasting),
        lost=len(lasting - counts.keys()),
        twice=sum(count > 1 for count in counts.values()),
        alien=sum(_alien(instance, matched, changes.touched) for instance in got),
        disorder=_disorder(got, matched, one.order, nulls_last=database.name == "postgresql"),
        ratio=requests / max(1, fewest),
        seconds=seconds,
        ending=ending,
        allowed=incomplete and not settleable(list(before.values()), one),
    )


async def _scan(url: str, one: Combination, got: list[FlowInstance]) -> None:
    query = FlowQuery(
        START_MS,
        END_MS,
        type=one.type,
        status=one.status,
        owner=one.owner,
        expression=one.expression,
        order_by=one.order,
    )
    limits = Limits(page_size=one.page_size)
    async with (
        FlowSession(url, user_id="u", org_id="o", limits=limits) as session,
        session.scan(query, proven=one.proven) as scan,
    ):
        async for page in scan.pages():
            got.extend(page)


async def _truth(database: Database, one: Combination) -> dict[str, Row]:
    """Return the rows that match, by their ids."""
    table = database.table(one.layout)
    found: dict[str, Row] = {}
    for type in TYPES if one.type is None else (one.type,):
        question = Question(
            type=type,
            from_ms=START_MS,
            to_ms=END_MS,
            status=one.status,
            owner=one.owner,
            expression=one.expression,
        )
        where, values = question.where(database, one.layout)
        for row in await database.fetch(
            "SELECT instance_id, type, status, owner, trigger_time, start_time, end_time, create_time, update_time "
            f"FROM {table} WHERE {where}",
            values,
        ):
            found[row["instance_id"]] = row
    return found


def _alien(instance: FlowInstance, matched: dict[str, Row], touched: set[str]) -> bool:
    row = matched.get(instance.instance_id)
    if row is None:  # one that came and went meanwhile
        return instance.instance_id not in touched
    time = instance.trigger_time
    return time is None or int(time.timestamp()) != moment(row["trigger_time"]) // 1000


def _disorder(
    got: Sequence[FlowInstance], matched: dict[str, Row], order: SortKey | None, *, nulls_last: bool
) -> int:
    """Count neighbours that the order does not allow; ids decide between equal times."""
    if order is None:
        return 0
    field, descending = order.removeprefix("-"), order.startswith("-")

    def key(instance: FlowInstance) -> tuple[bool, datetime, str]:
        value: datetime | None
        if (
            field == "update_time"
        ):  # no answer tells it; the order is the service's, in which ids mean nothing
            row = matched.get(instance.instance_id)
            return False, row["update_time"].replace(tzinfo=UTC) if row else _NEVER, ""
        value = getattr(instance, "timestamp" if field == "create_time" else field)
        # Each database has a place for what is missing, and puts it at the other end when the order falls.
        return (value is None) == nulls_last, value or _NEVER, instance.instance_id

    keys = [key(instance) for instance in got]
    return sum((a < b) if descending else (a > b) for a, b in pairwise(keys))


def settleable(rows: Sequence[Row], one: Combination) -> bool:
    """Return True if some set of requests can read these rows whole, however unstable the order of ties is.

    What a page holds is certain if its rows can be asked for alone. Rows of one instant can be told apart by status and
    owner, by their other times as further sorters, and, unless the query itself asks for a text, by their ids.
    """
    if one.cap is None or not one.expression:
        return True
    crowds = Counter(
        tuple(
            row[name]
            for name in (
                "type",
                "status",
                "owner",
                "trigger_time",
                "start_time",
                "end_time",
                "create_time",
                "update_time",
            )
        )
        for row in rows
    )
    return max(crowds.values(), default=0) <= one.cap
