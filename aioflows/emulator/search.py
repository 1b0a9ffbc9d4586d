"""List Flow Instances: what may be asked, strictly, and the rows that answer it."""

from __future__ import annotations

import json
import random
from typing import Any

import attrs

from aioflows.emulator.options import Quirks
from aioflows.emulator.render import PageRow
from aioflows.emulator.store import Store
from aioflows.models import FlowStatus

# The gateway's codes (EnOS, "API authentication"), and the service's own (62102: "List Flow Instances").
ILLEGAL_PARAMETER, EMPTY_PARAMETER = 1004, 1202
ILLEGAL_SORT_FIELD, SERVER_FAULT = 62102, 62109

_COLUMNS = {
    "create_time": "create_ms",
    "update_time": "update_ms",
    "start_time": "start_ms",
    "trigger_time": "trigger_ms",
    "end_time": "end_ms",
}
_PRIME = 2_147_483_647


class Refusal(Exception):
    """A request that is answered with an error code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@attrs.frozen(kw_only=True)
class Filter:
    """Which instances match.

    Args:
        type: one *type*; None: all.
        from_ms: the first *trigger time* that matches.
        to_ms: the first that no longer does.
        status: *codes*; empty: all.
        owner: *user name*; empty: all.
        expression: *text* in the id or the flow's name; empty: all.
    """

    type: int | None = None
    from_ms: int = 0
    to_ms: int = 2**62
    status: tuple[int, ...] = ()
    owner: str = ""
    expression: str = ""

    def sql(self) -> tuple[str, list[object]]:
        """A condition and its values."""
        types = "type IN (0, 1, 2)" if self.type is None else f"type = {int(self.type)}"
        conditions = [types, "trigger_ms >= ?", "trigger_ms < ?"]
        values: list[object] = [self.from_ms, self.to_ms]
        if self.status:
            conditions.append(f"status IN ({', '.join(str(int(code)) for code in self.status)})")
        if self.owner:
            conditions.append("flow IN (SELECT flow FROM flow WHERE owner = ?)")
            values.append(self.owner)
        if self.expression:
            # instr, not LIKE: % and _ in an expression are letters like others.
            conditions.append(
                "(instr(id, ?) > 0 OR flow IN (SELECT flow FROM flow WHERE instr(name, ?) > 0))"
            )
            values += [self.expression, self.expression]
        return " AND ".join(conditions), values


@attrs.frozen(kw_only=True)
class Search:
    """One search, as it was asked."""

    filter: Filter
    page_no: int
    page_size: int
    sorters: tuple[tuple[str, bool], ...]
    """Field and whether it is descending."""


def read_search(body: bytes) -> Search:
    """Read the body of a search; what is missing, mistyped or illegal is a `Refusal`."""
    try:
        asked = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise Refusal(ILLEGAL_PARAMETER, "request body is not JSON") from None
    if not isinstance(asked, dict):
        raise Refusal(ILLEGAL_PARAMETER, "request body is not an object")
    type = _int64(asked, "type")
    if type not in (0, 1, 2):
        raise Refusal(ILLEGAL_PARAMETER, "type is not legal")
    page = _required(asked, "pagination", dict)
    # The documentation says "pageSize > 0".
    page_no, page_size = _int64(page, "pageNo"), _int64(page, "pageSize")
    if page_no < 0 or page_size <= 0:
        raise Refusal(ILLEGAL_PARAMETER, "pagination is not legal")
    filter = Filter(
        type=type,
        from_ms=_int64(asked, "fromTriggerTime"),
        to_ms=_int64(asked, "toTriggerTime"),
        status=_statuses(_required(asked, "status", str)),
        owner=_required(asked, "owner", str),
        expression="" if asked.get("expression") is None else _required(asked, "expression", str),
    )
    return Search(filter=filter, page_no=page_no, page_size=page_size, sorters=_sorters(page.get("sorters")))


def _required(asked: dict[str, Any], name: str, kind: type[Any]) -> Any:
    value = asked.get(name)
    if value is None:
        raise Refusal(EMPTY_PARAMETER, f"{name} must not be empty")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Refusal(ILLEGAL_PARAMETER, f"{name} is not legal")
    return value


def _int64(asked: dict[str, Any], name: str) -> int:
    value: int = _required(asked, name, int)
    if not -(2**63) <= value < 2**63:
        raise Refusal(ILLEGAL_PARAMETER, f"{name} is not legal")
    return value


def _statuses(text: str) -> tuple[int, ...]:
    if not text:
        return ()
    try:
        return tuple(sorted({int(FlowStatus(int(code))) for code in text.split(",")}))
    except ValueError:
        raise Refusal(ILLEGAL_PARAMETER, "status is not legal") from None


def _sorters(sorters: object) -> tuple[tuple[str, bool], ...]:
    if sorters is None:
        return ()
    if not isinstance(sorters, list) or not all(isinstance(one, dict) for one in sorters):
        raise Refusal(ILLEGAL_PARAMETER, "sorters is not legal")
    read = []
    for one in sorters:
        field, order = one.get("field"), one.get("order")
        if not isinstance(field, str) or field not in _COLUMNS:
            raise Refusal(ILLEGAL_SORT_FIELD, "illegal sorted by field")
        if order not in (None, "ASC", "DESC"):
            raise Refusal(ILLEGAL_PARAMETER, "order is not legal")
        read.append((field, order == "DESC"))
    return tuple(read)


@attrs.frozen
class Page:
    """The rows of an answer, and how many match in all, where that was asked for."""

    rows: list[PageRow]
    total: int | None


def find_page(store: Store, search: Search, quirks: Quirks, shuffle: int) -> Page:
    """Answer a search.

    Args:
        store: the *rows*.
        search: *what* was asked.
        quirks: *how* this deployment answers.
        shuffle: a *number* that is another for every answer.
    """
    ignored = quirks.ignore
    filter = _heeded(search.filter, ignored)
    condition, values = filter.sql()
    sorters = () if "sorters" in ignored else search.sorters
    limit, offset = _slice(search, quirks)
    if quirks.sort_by == "second":  # lets the index by second be used
        condition += " AND trigger_ms / 1000 >= ? AND trigger_ms / 1000 <= ?"
        values += [filter.from_ms // 1000, filter.to_ms // 1000]
    order = _order(sorters, quirks, shuffle)
    rows = store.execute(
        "SELECT id, flow, status, trigger_ms, start_ms, end_ms, create_ms"  # noqa: S608 - no text of a request is in it
        f" FROM inst WHERE {condition} ORDER BY {order} LIMIT {limit} OFFSET {offset}",
        values,
    ).fetchall()
    total = None
    if quirks.count == "total":
        total = store.execute(f"SELECT count(*) FROM inst WHERE {condition}", values).fetchone()[0]  # noqa: S608
    return Page(rows, total)


def _heeded(filter: Filter, ignored: frozenset[str]) -> Filter:
    if not ignored:
        return filter
    nothing = Filter()
    names = {"type": "type", "status": "status", "owner": "owner", "expression": "expression"}
    names |= {"from": "from_ms", "to": "to_ms"}
    changes: dict[str, Any] = {
        field: getattr(nothing, field) for name, field in names.items() if name in ignored
    }
    return attrs.evolve(filter, **changes)


def _slice(search: Search, quirks: Quirks) -> tuple[int, int]:
    """Limit and offset of a page."""
    if quirks.refuse_page_size_above is not None and search.page_size > quirks.refuse_page_size_above:
        raise Refusal(ILLEGAL_PARAMETER, "pageSize is not legal")
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
    if quirks.deepest_row is not None:
        limit = max(0, min(limit, quirks.deepest_row - offset))
    return limit, offset


def _order(sorters: tuple[tuple[str, bool], ...], quirks: Quirks, shuffle: int) -> str:
    terms = []
    for field, descending in sorters:
        column = (
            "trigger_ms / 1000" if field == "trigger_time" and quirks.sort_by == "second" else _COLUMNS[field]
        )
        nulls = "" if quirks.nulls == "smallest" or field not in ("start_time", "end_time") else quirks.nulls
        terms.append(f"{column} {'DESC' if descending else 'ASC'}{nulls and f' NULLS {nulls.upper()}'}")
    if not sorters:  # documented as optional; as a console shows it, then: the newest first
        terms.append("trigger_ms DESC")
    if quirks.ties == "unstable":
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


def matches(store: Store, filter: Filter, id: str) -> bool:
    """Whether one instance matches now."""
    condition, values = filter.sql()
    query = f"SELECT 1 FROM inst WHERE id = ? AND {condition}"  # noqa: S608 - the condition holds no text
    return store.execute(query, [id, *values]).fetchone() is not None
