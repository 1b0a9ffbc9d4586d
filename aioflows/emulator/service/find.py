"""The rows that answer a search, and the rows that truly match it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from aioflows.emulator.service.constraints import Constraints
from aioflows.emulator.service.paging import Slice, clamped, slice_of
from aioflows.emulator.service.render import PageRow
from aioflows.emulator.service.search import (
    ILLEGAL_PARAMETER,
    SORTABLE,
    Filter,
    Refusal,
    Search,
    wall_in_sql,
)
from aioflows.emulator.service.ties import tie_break, top_n
from aioflows.emulator.switches import Quirks
from aioflows.emulator.world.clock import Clock
from aioflows.emulator.world.store import Store

_COLUMNS = {field: field.replace("_time", "_ms") for field in SORTABLE}
_ROW = "id, flow, status, trigger_ms, start_ms, end_ms, create_ms"


@attrs.frozen
class FoundPage:
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


def find_page(
    store: Store,
    search: Search,
    quirks: Quirks,
    constraints: Constraints,
    chance: Chance,
    clock: Clock,
    shown: Callable[[list[PageRow]], list[PageRow]] = list,
) -> FoundPage:
    """Answer a search.

    Args:
        store: the *rows*.
        search: *what* was asked.
        quirks: *how* this deployment answers.
        constraints: what it gives at *most*.
        chance: what of this answer is *drawn*.
        clock: the server's.
        shown: gives what is *left* of a page's rows when they are sent.
    """
    filter = clamped(_heeded(search.filter, quirks, clock), constraints)
    condition, values = filter.sql()
    sorters = _sorters(search.sorters, quirks, constraints)
    page = slice_of(search, quirks, constraints, chance.fewer)
    if quirks.sort_by == "second" and not filter.walls:  # lets the index by second be used
        condition += " AND trigger_ms / 1000 >= ? AND trigger_ms / 1000 <= ?"
        values += [filter.from_ms // 1000, filter.to_ms // 1000]
    matching = 0
    if quirks.count == "total" or quirks.ties == "two-plans":
        matching = store.execute(f"SELECT count(*) FROM inst WHERE {condition}", values).fetchone()[0]  # noqa: S608
    found = f"FROM inst WHERE {condition}"  # no text of a request is in it
    order = ", ".join(_terms(sorters, quirks))
    if filter.walls:
        order = order.replace("trigger_ms", wall_in_sql(filter.walls))
    if quirks.ties == "top-n":
        rows = _from_a_heap(store, found, values, order, page)
    else:
        downwards = order.partition(",")[0].endswith("DESC")
        tie = tie_break(quirks.ties, chance.shuffle, page, matching, descending=downwards)
        ordered = f"{found} ORDER BY {order}, {tie} LIMIT {page.limit} OFFSET {page.offset}"
        rows = store.execute(f"SELECT {_ROW} {ordered}", values).fetchall()
    rows = shown(rows)
    count = len(rows)
    if quirks.count == "total":
        count = matching
    elif quirks.count != "page":
        count = count * 2 + 1 if quirks.count == "more" else count // 2
    return FoundPage(rows, count)


def _from_a_heap(store: Store, found: str, values: list[object], order: str, page: Slice) -> list[PageRow]:
    ranked = store.execute(
        f"SELECT dense_rank() OVER (ORDER BY {order}), {_ROW} {found} ORDER BY number",
        values,
    )
    return top_n([(row[0], row[1:]) for row in ranked], page)


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


Sorters = tuple[tuple[str, bool], ...]


def _sorters(sorters: Sorters, quirks: Quirks, constraints: Constraints) -> Sorters:
    """What of the sorters this deployment heeds."""
    if "sorters" in quirks.ignore:
        return ()
    if len(sorters) > 1 and constraints.further_sorters == "refused":
        raise Refusal(ILLEGAL_PARAMETER, "sorters is not legal: there may be one")
    return sorters if constraints.further_sorters == "heeded" else sorters[:1]


def _terms(sorters: Sorters, quirks: Quirks) -> list[str]:
    terms = []
    for field, downwards in sorters:
        descending = downwards and "descending" not in quirks.ignore
        column = (
            "trigger_ms / 1000" if field == "trigger_time" and quirks.sort_by == "second" else _COLUMNS[field]
        )
        nulls = "" if quirks.nulls == "smallest" or field not in ("start_time", "end_time") else quirks.nulls
        terms.append(f"{column} {'DESC' if descending else 'ASC'}{nulls and f' NULLS {nulls.upper()}'}")
    if not sorters:  # documented as optional; as a console shows it, then: the newest first
        terms.append("trigger_ms DESC")
    return terms


def matching(store: Store, filter: Filter) -> list[tuple[int, str]]:
    """Trigger times in ms and ids of all that matches and may be seen, in the order of (trigger second, id): the oracle of tests."""
    condition, values = filter.sql()
    query = f"SELECT trigger_ms, id FROM inst WHERE {condition} ORDER BY trigger_ms / 1000, id"  # noqa: S608
    return [(ms, id) for ms, id in store.execute(query, values) if store.visible(id)]


def matches(store: Store, filter: Filter, id: str) -> int | None:
    """The trigger time in ms of one instance, if it matches now."""
    if not store.visible(id):
        return None
    condition, values = filter.sql()
    query = f"SELECT trigger_ms FROM inst WHERE id = ? AND {condition}"  # noqa: S608 - the condition holds no text
    found: tuple[int] | None = store.execute(query, [id, *values]).fetchone()
    return None if found is None else found[0]
