"""The rows that answer a search, and the rows that truly match it."""

from __future__ import annotations

import random
from typing import Any

import attrs

from aioflows.emulator.clock import Clock
from aioflows.emulator.options import Quirks
from aioflows.emulator.render import PageRow
from aioflows.emulator.search import (
    ILLEGAL_PARAMETER,
    SERVER_FAULT,
    SORTABLE,
    Filter,
    Refusal,
    Search,
    wall_in_sql,
)
from aioflows.emulator.store import Store

_COLUMNS = {field: field.replace("_time", "_ms") for field in SORTABLE}
_PRIME = 2_147_483_647


@attrs.frozen
class Page:
    """The rows of an answer, and what it says they count."""

    rows: list[PageRow]
    count: int


@attrs.frozen
class Chance:
    """What of an answer is drawn.

    Attributes:
        shuffle: what ties are *broken* by: other orders for other numbers.
        fewer: *rows* by which a cap is smaller than it may be.
    """

    shuffle: int
    fewer: int = 0


def find_page(store: Store, search: Search, quirks: Quirks, chance: Chance, clock: Clock) -> Page:
    """Answer a search.

    Args:
        store: the *rows*.
        search: *what* was asked.
        quirks: *how* this deployment answers.
        chance: what of this answer is *drawn*.
        clock: the server's.
    """
    filter = _heeded(search.filter, quirks, clock)
    condition, values = filter.sql()
    limit, offset = _slice(search, quirks, chance.fewer)
    if quirks.sort_by == "second":  # lets the index by second be used
        condition += " AND trigger_ms / 1000 >= ? AND trigger_ms / 1000 <= ?"
        values += [filter.from_ms // 1000, filter.to_ms // 1000]
    order = _order(search.sorters, quirks, chance.shuffle)
    if filter.walls:
        order = order.replace("trigger_ms", wall_in_sql(filter.walls))
    rows = store.execute(
        "SELECT id, flow, status, trigger_ms, start_ms, end_ms, create_ms"  # noqa: S608 - no text of a request is in it
        f" FROM inst WHERE {condition} ORDER BY {order} LIMIT {limit} OFFSET {offset}",
        values,
    ).fetchall()
    count = len(rows)
    if quirks.count == "total":
        count = store.execute(f"SELECT count(*) FROM inst WHERE {condition}", values).fetchone()[0]  # noqa: S608
    elif quirks.count != "page":
        count = count * 2 + 1 if quirks.count == "more" else count // 2
    return Page(rows, count)


def _heeded(filter: Filter, quirks: Quirks, clock: Clock) -> Filter:
    """What of a filter this deployment heeds, and how it understands that."""
    nothing, ignored = Filter(), quirks.ignore
    names = {"type": "type", "status": "status", "owner": "owner", "expression": "expression"}
    names |= {"from": "from_ms", "to": "to_ms"}
    changes: dict[str, Any] = {
        field: getattr(nothing, field) for name, field in names.items() if name in ignored
    }
    if quirks.bounds == "seconds":
        changes = {"from_ms": filter.from_ms // 1000 * 1000, "to_ms": filter.to_ms // 1000 * 1000, **changes}
    elif quirks.bounds == "closed":
        changes = {"to_ms": filter.to_ms + 1, **changes}
    elif quirks.bounds == "closed-seconds":
        changes = {
            "from_ms": filter.from_ms // 1000 * 1000,
            "to_ms": filter.to_ms // 1000 * 1000 + 1,
            **changes,
        }
    elif quirks.bounds == "wall":
        walls = clock.segments(filter.from_ms, filter.to_ms)
        first, until = (ms + clock.offset_ms(ms) for ms in (filter.from_ms, filter.to_ms))
        changes = {"from_ms": first, "to_ms": until, "walls": tuple(walls), **changes}
    if "type-0" in ignored and filter.type == 0:
        changes = {**changes, "type": None}
    if quirks.status_filter != "all" and "status" not in ignored:
        status = filter.status
        changes = {**changes, "status": status[:1] if quirks.status_filter == "first" else status[-1:]}
    return attrs.evolve(filter, found=quirks.expression, same=quirks.owner_compare, **changes)


def _slice(search: Search, quirks: Quirks, fewer: int) -> tuple[int, int]:
    """Limit and offset of a page; of what is cut off at the cap, *fewer* rows are left than of another page."""
    if quirks.refuse_page_size_above is not None and search.page_size > quirks.refuse_page_size_above:
        status = 200 if quirks.page_size_refusal == "1004" else int(quirks.page_size_refusal)
        raise Refusal(ILLEGAL_PARAMETER, "pageSize is not legal", status)
    # The structure is documented as starting from 0; the vendor's v2.1 samples send 1 for the first page.
    index = search.page_no - quirks.first_page
    if index < 0:
        if quirks.page_zero == "error":
            raise Refusal(SERVER_FAULT, "server internal exception")
        if quirks.page_zero == "parameter":
            raise Refusal(ILLEGAL_PARAMETER, "pageNo is not legal")
        if quirks.page_zero == "empty":
            return 0, 0
        index = 0
    if "page" in quirks.ignore:
        index = 0
    size = 10 if "size" in quirks.ignore else search.page_size
    limit = size if quirks.page_cap is None else min(size, quirks.page_cap)
    offset = min(index * (limit if quirks.cap_offset == "capped" else size), 2**62)
    if quirks.page_cap is not None:
        limit = min(limit, max(1, quirks.page_cap - fewer))
    if quirks.deepest_row is not None:
        limit = max(0, min(limit, quirks.deepest_row - offset))
    return limit, offset


def _order(sorters: tuple[tuple[str, bool], ...], quirks: Quirks, shuffle: int) -> str:
    terms = []
    if "sorters" in quirks.ignore:
        sorters = ()
    for field, downwards in sorters:
        descending = downwards and "descending" not in quirks.ignore
        column = (
            "trigger_ms / 1000" if field == "trigger_time" and quirks.sort_by == "second" else _COLUMNS[field]
        )
        nulls = "" if quirks.nulls == "smallest" or field not in ("start_time", "end_time") else quirks.nulls
        terms.append(f"{column} {'DESC' if descending else 'ASC'}{nulls and f' NULLS {nulls.upper()}'}")
    if not sorters:  # documented as optional; as a console shows it, then: the newest first
        terms.append("trigger_ms DESC")
    if quirks.ties != "stable":
        # Squared, since orders that differ by a factor only would keep neighbours neighbours.
        draw = random.Random(shuffle).randrange
        mixed = f"((number * {draw(1, _PRIME)} + {draw(_PRIME)}) % {_PRIME})"
        terms.append(f"({mixed} * {mixed} % {_PRIME} * {draw(1, _PRIME)}) % {_PRIME}")
    else:
        terms.append("number")
    return ", ".join(terms)


def matching(store: Store, filter: Filter) -> list[tuple[int, str]]:
    """Trigger times in ms and ids of all that matches, in the order of (trigger second, id): the oracle of tests."""
    condition, values = filter.sql()
    query = f"SELECT trigger_ms, id FROM inst WHERE {condition} ORDER BY trigger_ms / 1000, id"  # noqa: S608
    return store.execute(query, values).fetchall()


def matches(store: Store, filter: Filter, id: str) -> int | None:
    """The trigger time in ms of one instance, if it matches now."""
    condition, values = filter.sql()
    query = f"SELECT trigger_ms FROM inst WHERE id = ? AND {condition}"  # noqa: S608 - the condition holds no text
    found: tuple[int] | None = store.execute(query, [id, *values]).fetchone()
    return None if found is None else found[0]
