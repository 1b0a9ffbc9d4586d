"""The rows that a search returns, with all quirks, and the rows that truly match the search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from aioflows.emulator.service.constraints import Constraints
from aioflows.emulator.service.options import Quirks
from aioflows.emulator.service.paging import Slice, clamp_range, slice_of
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
from aioflows.emulator.world.clock import Clock
from aioflows.emulator.world.store import Store

_COLUMNS = {field: field.replace("_time", "_ms") for field in SORTABLE}
_ROW = "id, flow, status, trigger_ms, start_ms, end_ms, create_ms"


@attrs.frozen
class FoundPage:
    """The rows of an answer, and its ``count``."""

    rows: list[PageRow]
    count: int


@attrs.frozen
class Chance:
    """The random draws for one answer.

    Attributes:
        shuffle: the seed of the order of ties.
        fewer: the rows by which the page cap is lowered.
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
    """Return the page that answers a search.

    Args:
        store: the rows.
        search: the search.
        quirks: how the service answers.
        constraints: the limits of the service.
        chance: the random draws for this answer.
        clock: the server's clock.
        shown: returns the rows of a page that are sent.
    """
    filter = clamp_range(_effective_filter(search.filter, quirks, clock), constraints)
    condition, values = filter.sql()
    sorters = _effective_sorters(search.sorters, quirks, constraints)
    page = slice_of(search, quirks, constraints, chance.fewer)
    if quirks.sort_by == "second" and not filter.walls:
        # SQLite uses the index of `Store.index_seconds` only if a condition has the same expression
        # (https://sqlite.org/expridx.html).
        condition += " AND trigger_ms / 1000 >= ? AND trigger_ms / 1000 <= ?"
        values += [filter.from_ms // 1000, filter.to_ms // 1000]
    matching = 0
    if quirks.count == "total" or quirks.ties == "two-plans":
        matching = store.execute(f"SELECT count(*) FROM inst WHERE {condition}", values).fetchone()[0]  # noqa: S608
    found = f"FROM inst WHERE {condition}"  # no injection: texts of the request are bound as values
    order = ", ".join(_terms(sorters, quirks))
    if filter.walls:
        order = order.replace("trigger_ms", wall_in_sql(filter.walls))
    if quirks.ties == "top-n":
        rows = _from_a_heap(store, found, values, order, page)
    else:
        descending = order.partition(",")[0].endswith("DESC")
        tie = tie_break(quirks.ties, chance.shuffle, page, matching, descending=descending)
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


_MINUTE = 60_000
_ADDED_TO_ROUND = {"minutes-down": 0, "minutes-nearest": _MINUTE // 2, "minutes-up": _MINUTE - 1}
"""The milliseconds that are added to a time before the time is cut to whole minutes."""


def _effective_filter(filter: Filter, quirks: Quirks, clock: Clock) -> Filter:
    """Return the filter as this deployment applies it."""
    nothing, ignored = Filter(), quirks.ignore
    names = {"type": "type", "status": "status", "owner": "owner", "expression": "expression"}
    names |= {"from": "from_ms", "to": "to_ms"}
    changes: dict[str, Any] = {
        field: getattr(nothing, field) for name, field in names.items() if name in ignored
    }
    if quirks.bounds == "seconds":
        changes = {"from_ms": filter.from_ms // 1000 * 1000, "to_ms": filter.to_ms // 1000 * 1000, **changes}
    elif quirks.bounds in _ADDED_TO_ROUND:
        add = _ADDED_TO_ROUND[quirks.bounds]
        first, until = ((ms + add) // _MINUTE * _MINUTE for ms in (filter.from_ms, filter.to_ms))
        changes = {"from_ms": first, "to_ms": until, **changes}
    elif quirks.bounds == "open":
        changes = {"from_ms": filter.from_ms + 1, **changes}
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


def _effective_sorters(sorters: Sorters, quirks: Quirks, constraints: Constraints) -> Sorters:
    """Return the sorters that this deployment applies."""
    if "sorters" in quirks.ignore:
        return ()
    if len(sorters) > 1 and constraints.further_sorters == "refused":
        raise Refusal(ILLEGAL_PARAMETER, "sorters is not legal: must be a single sorter")
    return sorters if constraints.further_sorters == "heeded" else sorters[:1]


def _terms(sorters: Sorters, quirks: Quirks) -> list[str]:
    terms = []
    for field, wants_descending in sorters:
        descending = wants_descending and "descending" not in quirks.ignore
        column = (
            "trigger_ms / 1000" if field == "trigger_time" and quirks.sort_by == "second" else _COLUMNS[field]
        )
        nulls = "" if quirks.nulls == "smallest" or field not in ("start_time", "end_time") else quirks.nulls
        terms.append(f"{column} {'DESC' if descending else 'ASC'}{nulls and f' NULLS {nulls.upper()}'}")
    # The documentation names no order for a search without sorters. The console shows the newest rows first.
    if not sorters:
        terms.append("trigger_ms DESC")
    return terms


def matching(store: Store, filter: Filter) -> list[tuple[int, str]]:
    """Return the trigger time (ms) and the id of each matching row that the user may see.

    The rows are in the order of trigger second and id. Tests compare scans with them.
    """
    condition, values = filter.sql()
    query = f"SELECT trigger_ms, id FROM inst WHERE {condition} ORDER BY trigger_ms / 1000, id"  # noqa: S608
    return [(ms, id) for ms, id in store.execute(query, values) if store.visible(id)]


def matches(store: Store, filter: Filter, id: str) -> int | None:
    """Return the trigger time (ms) of an instance if it matches now, otherwise None."""
    if not store.visible(id):
        return None
    condition, values = filter.sql()
    query = f"SELECT trigger_ms FROM inst WHERE id = ? AND {condition}"  # noqa: S608 - the condition holds no text
    found: tuple[int] | None = store.execute(query, [id, *values]).fetchone()
    return None if found is None else found[0]
