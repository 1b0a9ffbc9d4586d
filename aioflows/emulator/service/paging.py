"""The rows of a result that a page holds: page numbers, page sizes, caps and the depth limit."""

from __future__ import annotations

import attrs

from aioflows.emulator.service.constraints import Constraints
from aioflows.emulator.service.options import Quirks
from aioflows.emulator.service.search import ILLEGAL_PARAMETER, SERVER_FAULT, Filter, Refusal, Search

_FARTHEST = 2**62
_SIZE_REFUSALS = {
    "1004": (ILLEGAL_PARAMETER, 200),
    "62109": (SERVER_FAULT, 200),
    "400": (ILLEGAL_PARAMETER, 400),
    "413": (ILLEGAL_PARAMETER, 413),
    "500": (SERVER_FAULT, 500),
}


@attrs.frozen
class Slice:
    """LIMIT and OFFSET."""

    limit: int
    offset: int


_NONE = Slice(0, 0)


def slice_of(search: Search, quirks: Quirks, constraints: Constraints, fewer: int) -> Slice:
    """Return the slice of the result that answers a search.

    Args:
        search: the search.
        quirks: how the service answers.
        constraints: the limits of the service.
        fewer: rows by which the page cap is lowered.

    Raises:
        Refusal: the page or its size is refused.
    """
    size = _size(search, quirks, constraints)
    index = _index(search, quirks)
    if size is None or index is None:
        return _NONE
    cap = _cap(search.filter, quirks, constraints)
    limit = size if cap is None else min(size, cap)
    step = limit if quirks.cap_offset == "capped" else size
    page = Slice(
        limit if cap is None else min(limit, max(1, cap - fewer)),
        min(index * step, _FARTHEST),
    )
    return _within_depth(page, step, (index + 1) * size, quirks, constraints)


def _size(search: Search, quirks: Quirks, constraints: Constraints) -> int | None:
    """Return the page size that is applied. None means that a larger size is answered without rows."""
    largest, way = quirks.refuse_page_size_above, quirks.page_size_refusal
    if largest is not None and search.page_size > largest:
        if way in _SIZE_REFUSALS:
            code, status = _SIZE_REFUSALS[way]
            raise Refusal(code, "pageSize is not legal: above the limit", status)
        return {"default": constraints.default_page_size, "silent": largest}.get(way)
    return constraints.default_page_size if "size" in quirks.ignore else search.page_size


def _index(search: Search, quirks: Quirks) -> int | None:
    """Return the number of pages before the requested page, or None if page 0 is answered without rows."""
    # "List Flow Instances" documents page numbers from 0, but its samples for v2.1 send 1 for the first page.
    index = search.page_no - quirks.first_page
    if index < 0:
        if quirks.page_zero == "error":
            raise Refusal(SERVER_FAULT, "server internal exception")
        if quirks.page_zero == "parameter":
            raise Refusal(ILLEGAL_PARAMETER, "pageNo is not legal: must be at least 1")
        if quirks.page_zero == "empty":
            return None
        index = 0
    return 0 if "page" in quirks.ignore else index


def _cap(filter: Filter, quirks: Quirks, constraints: Constraints) -> int | None:
    caps = [quirks.page_cap]
    if constraints.page_cap_by_type is not None and filter.type is not None:
        caps.append(constraints.page_cap_by_type[filter.type])
    if filter.status or filter.owner or filter.expression:
        caps.append(constraints.page_cap_filtered)
    return min((cap for cap in caps if cap is not None), default=None)


def _within_depth(page: Slice, step: int, asked: int, quirks: Quirks, constraints: Constraints) -> Slice:
    """Return the page, or the answer in its place if the page reaches beyond the depth.

    Args:
        page: the page.
        step: rows from one page to the next.
        asked: the row at which the page ends, by the requested number and size.
        quirks: how the service answers.
        constraints: the limits of the service.

    Raises:
        Refusal: pages beyond the depth are refused.
    """
    depths = [
        depth
        for depth, end in (
            (quirks.deepest_row, page.offset + page.limit),
            (constraints.result_window, asked),
        )
        if depth is not None and end > depth
    ]
    if not depths:
        return page
    depth, way = min(depths), constraints.depth_answer
    if way == "refused":
        raise Refusal(ILLEGAL_PARAMETER, "the result window is too large")
    if way == "nothing":
        return _NONE
    offset = page.offset
    if way != "cut":
        offset = 0 if way == "first-page" else max(0, depth // step - 1) * step
    return Slice(max(0, min(page.limit, depth - offset)), offset)


def clamp_range(filter: Filter, constraints: Constraints) -> Filter:
    """Return the filter with its range cut to the longest range that is searched."""
    if constraints.range_clamp is None:
        return filter
    end, seconds = constraints.range_clamp
    length = round(seconds * 1000)
    if filter.to_ms - filter.from_ms <= length:
        return filter
    if end == "last":
        return attrs.evolve(filter, from_ms=filter.to_ms - length)
    return attrs.evolve(filter, to_ms=filter.from_ms + length)
