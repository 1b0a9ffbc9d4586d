"""The request of List Flow Instances: its parts, and a strict parser."""

from __future__ import annotations

import json
from typing import Any

import attrs

from aioflows.emulator.world.text_match import found_in_sql, same_in_sql
from aioflows.models import FlowStatus

# Sources: EnOS, "API authentication" for codes of the gateway; "List Flow Instances" for 62102.
ILLEGAL_PARAMETER, EMPTY_PARAMETER = 1004, 1202
ILLEGAL_SORT_FIELD, SERVER_FAULT = 62102, 62109

SORTABLE = ("create_time", "update_time", "start_time", "trigger_time", "end_time")


class Refusal(Exception):
    """The refusal of a request, with an error code or an HTTP status."""

    def __init__(self, code: int, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@attrs.frozen(kw_only=True)
class Filter:
    """The conditions of a search.

    Args:
        type: a schedule type. None means all types.
        from_ms: the start of the range of trigger times (ms since the epoch).
        to_ms: the end of the range (ms since the epoch), exclusive.
        status: status codes. Empty means all.
        owner: the owner's user name. Empty means all.
        expression: a text in the id or in the flow's name. Empty means all.
        found: the match of the expression, a key of `FOUND`. Default: "contains".
        same: the comparison of owners, as in `Quirks.owner_compare`. Default: "exact".
    """

    type: int | None = None
    from_ms: int = 0
    to_ms: int = 2**62
    status: tuple[int, ...] = ()
    owner: str = ""
    expression: str = ""
    found: str = "contains"
    same: str = "exact"
    walls: tuple[tuple[int, int, int], ...] = ()
    """The segments of `Clock.segments` for a comparison by wall clock. Empty means a comparison by instants."""

    def sql(self) -> tuple[str, list[object]]:
        """Return the conditions in SQL, and the values of their parameters."""
        types = "type IN (0, 1, 2)" if self.type is None else f"type = {int(self.type)}"
        if self.walls:
            wall = wall_in_sql(self.walls)
            conditions = [types, f"{wall} >= ?", f"{wall} < ?"]
        else:
            conditions = [types, "trigger_ms >= ?", "trigger_ms < ?"]
        values: list[object] = [self.from_ms, self.to_ms]
        if self.status:
            conditions.append(f"status IN ({', '.join(str(int(code)) for code in self.status)})")
        if self.owner:
            owned = same_in_sql("owner", self.same)
            conditions.append(f"flow IN (SELECT flow FROM flow WHERE {owned})")  # noqa: S608 - texts are values
            values.append(self.owner)
        if self.expression:
            id, name = found_in_sql("id", self.found), found_in_sql("name", self.found)
            conditions.append(f"({id} OR flow IN (SELECT flow FROM flow WHERE {name}))")  # noqa: S608 - texts are values
            values += [self.expression, self.expression]
        return " AND ".join(conditions), values


def wall_in_sql(walls: tuple[tuple[int, int, int], ...]) -> str:
    """Return a term of SQL: the wall clock (ms) at a row's trigger time."""
    cases = " ".join(f"WHEN trigger_ms < {until} THEN {offset}" for _, until, offset in walls)
    return f"(trigger_ms + CASE {cases} ELSE {walls[-1][2]} END)"


@attrs.frozen(kw_only=True)
class Search:
    """A search, as it was requested."""

    filter: Filter
    page_no: int
    page_size: int
    sorters: tuple[tuple[str, bool], ...]
    """Pairs of a field and True if it is descending."""


def read_search(body: bytes) -> Search:
    """Return the search in the body of a request.

    Raises:
        Refusal: a member is missing, has another type, or is not legal.
    """
    try:
        asked = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise Refusal(ILLEGAL_PARAMETER, "request body must be JSON") from None
    if not isinstance(asked, dict):
        raise Refusal(ILLEGAL_PARAMETER, "request body must be an object")
    type = _int64(asked, "type")
    if type not in (0, 1, 2):
        raise Refusal(ILLEGAL_PARAMETER, "type is not legal: must be 0, 1 or 2")
    page = _required(asked, "pagination", dict)
    # "List Flow Instances" requires "pageSize > 0".
    page_no, page_size = _int64(page, "pageNo"), _int64(page, "pageSize")
    if page_no < 0 or page_size <= 0:
        raise Refusal(
            ILLEGAL_PARAMETER, "pagination is not legal: pageNo must be at least 0, pageSize at least 1"
        )
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
        raise Refusal(ILLEGAL_PARAMETER, f"{name} is not legal: must be of type {kind.__name__}")
    return value


def _int64(asked: dict[str, Any], name: str) -> int:
    value: int = _required(asked, name, int)
    if not -(2**63) <= value < 2**63:
        raise Refusal(ILLEGAL_PARAMETER, f"{name} is not legal: must fit into 64 bits")
    return value


def _statuses(text: str) -> tuple[int, ...]:
    if not text:
        return ()
    try:
        # `Quirks.status_filter` may use only the first or the last status, so the order is kept.
        return tuple(dict.fromkeys(int(FlowStatus(int(code))) for code in text.split(",")))
    except ValueError:
        raise Refusal(
            ILLEGAL_PARAMETER, "status is not legal: must be known codes, separated by commas"
        ) from None


def _sorters(sorters: object) -> tuple[tuple[str, bool], ...]:
    if sorters is None:
        return ()
    if not isinstance(sorters, list) or not all(isinstance(one, dict) for one in sorters):
        raise Refusal(ILLEGAL_PARAMETER, "sorters is not legal: must be a list of objects")
    read = []
    for one in sorters:
        field, order = one.get("field"), one.get("order")
        if not isinstance(field, str) or field not in SORTABLE:
            raise Refusal(ILLEGAL_SORT_FIELD, "illegal sorted by field")
        if order not in (None, "ASC", "DESC"):
            raise Refusal(ILLEGAL_PARAMETER, "order is not legal: must be ASC or DESC")
        read.append((field, order == "DESC"))
    return tuple(read)
