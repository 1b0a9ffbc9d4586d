"""What a deployment gives at most, what it does not do, and how it answers what is beyond: a group of switches.

The limits are those of ordinary services and databases: a cap for each type, a cap on bytes, a longest range, a result
window. Where a service says nothing about a limit, a client that pages by number loses rows there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aioflows.emulator import checks
from aioflows.errors import QueryError

NOTHING = ("list", "null", "no-list", "empty-data", "empty-array", "null-data", "no-data")
TYPES = (0, 1, 2)


def _by_type(value: object) -> tuple[Any, ...] | None:
    if isinstance(value, Mapping):
        unknown = value.keys() - set(TYPES)
        if unknown:
            raise QueryError(f"page_cap_by_type may hold the types 0, 1 and 2, not {min(unknown)!r}")
        return tuple(value.get(type) for type in TYPES)
    return None if value is None else checks.listed(value)


def _caps(owner: object, field: attrs.Attribute[Any], value: tuple[Any, ...]) -> None:
    if len(value) != len(TYPES):
        raise QueryError(f"{field.name} must be a cap for each of the types 0, 1 and 2, not {value!r}")
    for cap in value:
        checks.maybe(checks.whole(1, 1_000_000))(owner, field, cap)


def _listed(value: object) -> tuple[Any, ...] | None:
    return None if value is None else checks.listed(value)


def _a_clamp(owner: object, field: attrs.Attribute[Any], value: tuple[Any, ...]) -> None:
    if len(value) != 2 or value[0] not in ("first", "last"):
        raise QueryError(f"{field.name} must be 'first' or 'last' and seconds, not {value!r}")
    checks.number(0.001, 1e12)(owner, field, value[1])


@attrs.frozen(kw_only=True)
class Constraints:
    """What the service gives at most, what it does not do, and how it says so.

    Args:
        page_cap_by_type: a page cap for each type: a mapping such as ``{0: 100, 1: 500}``, or the three caps of the
            types 0, 1 and 2. None: no cap for that type. It holds beside `Quirks.page_cap`.
        page_cap_filtered: *rows* that an answer never exceeds where a status, an owner or an expression is asked for.
        page_bytes: *bytes* that the rows of an answer never exceed, whatever page size is asked for; one row always
            comes. The next page begins where the page size says, so the rows that were left out are in no page.
        visible_share: the *share* of all rows that the user may see, drawn for each row. The rights are applied after
            paging: what may not be seen is taken out of its page, and no other row fills the page up.
        default_page_size: *rows* that the service gives where it takes no notice of the page size.
        range_clamp: "first" or "last", and *seconds*: of a longer range, only so many seconds are searched, at its
            beginning or at its end. None: ranges may have any length.
        result_window: a page is beyond the depth if (number + 1) × size, as asked for, is more than this. It holds
            beside `Quirks.deepest_row`, which counts the rows that come, up to the end of the page.
        depth_answer: how a page is answered that reaches beyond the depth: "cut" off there, with "nothing", "refused"
            (1004), or as the "first-page" or the "last-page" that does not reach beyond it.
        further_sorters: sorters beyond the first are "heeded", "ignored", or "refused" (1004).
        nothing_as: how an answer without rows is written: with an empty "list", with "null" for the list, with
            "no-list", with "empty-data" (``{}``) or an "empty-array" (``[]``), with "null-data", or with "no-data".
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
        default=None, converter=_listed, validator=checks.maybe(_a_clamp)
    )
    result_window: int | None = attrs.field(default=None, validator=checks.maybe(checks.whole(1, 2**40)))
    depth_answer: str = attrs.field(
        default="cut", validator=checks.one_of("cut", "nothing", "refused", "first-page", "last-page")
    )
    further_sorters: str = attrs.field(
        default="heeded", validator=checks.one_of("heeded", "ignored", "refused")
    )
    nothing_as: str = attrs.field(default="list", validator=checks.one_of(*NOTHING))
