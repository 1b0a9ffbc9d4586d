"""The limits of a deployment, and its answers to requests beyond them: a group of switches.

Ordinary services and databases have these limits: a cap for each type, a cap on bytes, a longest range, a
result window. If a service does not report a limit, a client that reads by page number loses rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aioflows.emulator import checks
from aioflows.errors import QueryError

NOTHING = (
    *("list", "null", "no-list", "object-list", "text-list", "false-list"),
    *("empty-data", "empty-array", "null-data", "text-data", "false-data", "no-data"),
)
TYPES = (0, 1, 2)


def _by_type(value: object) -> tuple[Any, ...] | None:
    if isinstance(value, Mapping):
        unknown = value.keys() - set(TYPES)
        if unknown:
            raise QueryError(f"page_cap_by_type must hold only the types 0, 1 and 2, not {min(unknown)!r}")
        return tuple(value.get(type) for type in TYPES)
    return checks.optional_list(value)


def _caps(owner: object, field: attrs.Attribute[Any], value: tuple[Any, ...]) -> None:
    if len(value) != len(TYPES):
        raise QueryError(f"{field.name} must hold a cap for each of the types 0, 1 and 2, not {value!r}")
    for cap in value:
        checks.maybe(checks.whole(1, 1_000_000))(owner, field, cap)


def _a_clamp(owner: object, field: attrs.Attribute[Any], value: tuple[Any, ...]) -> None:
    if len(value) != 2 or value[0] not in ("first", "last"):
        raise QueryError(
            f"{field.name} must be a pair of 'first' or 'last' and seconds, as ('last', 86400), not {value!r}"
        )
    checks.number(0.001, 1e12)(owner, field, value[1])


@attrs.frozen(kw_only=True)
class Constraints:
    """The limits of the service, and its answers beyond them.

    Args:
        page_cap_by_type: a page cap (rows) for each schedule type: a mapping such as ``{0: 100, 1: 500}``, or
            three caps for the types 0, 1 and 2. None in place of a cap means no cap for the type.
            `Quirks.page_cap` holds too. Default: None, which means no caps.
        page_cap_filtered: the most rows of an answer to a search by status, owner or expression. Default: None,
            which means no cap.
        page_bytes: the most bytes of the rows of an answer, which has at least one row. The next page begins
            where the page size says, so the rows that were left out are in no page. Default: None, which means
            no cap.
        visible_share: the share of all rows that the user may see, from 0 to 1, drawn for each row. The
            rights are applied after paging: a hidden row is removed from its page, and no other row replaces
            it. Default: 1.
        default_page_size: the rows of a page if the service ignores the requested size. Default: 10.
        range_clamp: "first" or "last", and seconds. Of a longer range, only the first or the last part with
            this length is searched. Default: None, which means that a range may have any length.
        result_window: the most rows up to the end of a page, (number + 1) × size as requested.
            `Quirks.deepest_row` holds too, and counts by the rows that a page really has. Default: None, which
            means no limit.
        depth_answer: the answer to a page that reaches beyond the depth: the page "cut" off at the depth,
            "nothing", "refused" (1004), the "first-page", or the "last-page" before the depth. Default: "cut".
        further_sorters: sorters after the first are "heeded", "ignored", or "refused" (1004). Default:
            "heeded".
        nothing_as: the form of an answer without rows: an empty "list", "null" for the list, "no-list",
            "empty-data" (``{}``), an "empty-array" (``[]``), "null-data", or "no-data"; or an empty object, an
            empty text, or false in place of the list or of the data. Default: "list".
    """

    page_cap_by_type: tuple[int | None, ...] | None = attrs.field(
        default=None, converter=_by_type, validator=checks.maybe(_caps)
    )
    page_cap_filtered: int | None = attrs.field(
        default=None, validator=checks.maybe(checks.whole(1, 1_000_000))
    )
    page_bytes: int | None = attrs.field(default=None, validator=checks.maybe(checks.whole(1, 2**31)))
    visible_share: float = attrs.field(default=1.0, validator=checks.number(0, 1))
    default_page_size: int = attrs.field(default=10, validator=checks.whole(1, 1_000_000))
    range_clamp: tuple[str, float] | None = attrs.field(
        default=None, converter=checks.optional_list, validator=checks.maybe(_a_clamp)
    )
    result_window: int | None = attrs.field(default=None, validator=checks.maybe(checks.whole(1, 2**40)))
    depth_answer: str = attrs.field(
        default="cut", validator=checks.one_of("cut", "nothing", "refused", "first-page", "last-page")
    )
    further_sorters: str = attrs.field(
        default="heeded", validator=checks.one_of("heeded", "ignored", "refused")
    )
    nothing_as: str = attrs.field(default="list", validator=checks.one_of(*NOTHING))
