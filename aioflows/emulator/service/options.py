"""The switches of the service: its way of answering, and the changes between answers.

Each switch is a point that the vendor's documentation leaves open.
"""

from __future__ import annotations

from typing import Any

import attrs

from aioflows.emulator import checks
from aioflows.emulator.service.time_forms import TIME_FORMS
from aioflows.emulator.world.clock import zone_named

__all__ = ["IGNORABLE", "Meanwhile", "Quirks"]

IGNORABLE = (
    "sorters",
    "descending",
    "type",
    "type-0",
    "status",
    "owner",
    "expression",
    "from",
    "to",
    "page",
    "size",
)
CHANGE_KINDS = ("insert", "delete", "flip")


def _claimed_zone(_: object, __: object, value: str | None) -> None:
    if value is not None and value != "Z" and not value.startswith("GMT"):
        zone_named(value)


def _zone_turn(owner: object, field: attrs.Attribute[Any], value: tuple[Any, ...]) -> None:
    checks.pair(field, value)
    checks.whole(0, 2**53)(owner, field, value[0])
    checks.number(-24, 24)(owner, field, value[1])


def _range(owner: object, field: attrs.Attribute[Any], value: tuple[Any, ...]) -> None:
    checks.pair(field, value)
    checks.whole(0, 2**53)(owner, field, value[0])
    checks.whole(value[0] + 1, 2**53)(owner, field, value[1])


@attrs.frozen(kw_only=True)
class Quirks:
    """The way in which the service answers.

    Args:
        first_page: the number of the first page, 0 or 1. The documentation has both. Default: 0.
        page_zero: the answer to page 0 if pages count from 1: the "first" page, an "empty" page, an "error"
            (62109), or an illegal "parameter" (1004). Default: "first".
        page_cap: the most rows of an answer, whatever page size is requested. The service does not report the
            cap. Default: None, which means no cap.
        cap_spread: the most rows by which the cap is lowered, at random for each answer. Default: 0.
        cap_offset: the offsets of capped pages: multiples of the "capped" size, or of the "requested" size.
            With "requested", the rows between cap and size are in no page. Default: "capped".
        refuse_page_size_above: the largest page size (rows) that is accepted. Default: None, which means every
            size.
        page_size_refusal: the answer to a larger page size: the code "1004" or "62109" in a 200; HTTP "400",
            "413" or "500"; "nothing", a page without rows; "default", pages of
            `Constraints.default_page_size`; "silent", pages of the largest size that is accepted. Default:
            "1004".
        deepest_row: the offset (rows) from which on no row is answered. `Constraints.depth_answer` is the
            answer instead. Default: None, which means no limit.
        count: the meaning of ``count``: the rows of the "page" (as documented), the "total" of all pages, or
            a wrong number, "fewer" or "more" rows than the page has. Default: "page".
        ties: the order of rows with equal sort keys. "stable": the order of insertion. "unstable": another
            order in every answer. "replicas": several servers answer, each with a different order.
            Two further values model a database without changes, in which the order depends on the page that
            is requested. "top-n": rows come from a heap of the first LIMIT + OFFSET rows. "two-plans": an
            index is read for a small part of the result, and the rows are sorted for a larger part. Default:
            "stable".
        replicas: the number of servers for ``ties="replicas"``. The server is drawn for every search.
            Default: 3.
        nulls: the place of rows without a start or end time: as the "smallest" value, or always "first" or
            "last". Default: "smallest".
        sort_by: the precision by which trigger times are sorted, "ms" or "second". Default: "ms".
        bounds: the comparison with the ends of the range. "ms": as documented. "seconds": both ends are
            rounded down to whole seconds. "closed": the end belongs to the range. "closed-seconds": both ends
            are rounded down, and the end belongs to the range.
            "open": the start does not belong to the range. "minutes-down", "minutes-nearest" and "minutes-up":
            both ends are rounded to whole minutes.
            "wall": by wall clock, as with a column of local times; a search for one pass of a repeated hour
            returns the rows of both passes, in the order of the clock. Default: "ms".
        expression: the match of an expression with an id or name; the documentation says "fuzzy". "contains":
            the id or name contains the expression. "any-case": case is ignored. "collated": case, accents and
            width are ignored. "like": ``%`` and ``_`` are wildcards, and a backslash escapes wildcards.
            "word-start": a word begins with the expression. Default: "contains".
        owner_compare: the comparison of owners. "exact"; "any-case": case is ignored; "trailing-spaces":
            trailing spaces are ignored; "collated": case, accents, width and trailing spaces are ignored;
            "like": the requested text is a pattern. Default: "exact".
        status_filter: the statuses that are read from a list of several: "all", or only the "first" or the
            "last", as a back end does that parses the list as one number. Default: "all".
        round_times: the rounding of times to whole seconds: "down", "up" or "nearest". Default: "down".
        zone_turn: an instant (ms since the epoch), and the hours by which the server's clock is ahead of
            `World.zone` from then on. Default: None, which means never.
        claimed_zone: the zone that Get Timezone returns: a key, an offset, or a text such as "GMT+8" or "Z",
            which is returned unchanged. Default: None, which means the true offset at the time of the request.
        full_zone_name: True if Get Timezone returns the key of the zone instead of its offset. Default: False.
        start_zone_shift: hours by which the zone of all other times differs from that of ``triggerTime``. The
            documented sample has -8. Default: 0.
        end_zone_shift: the hours for end times alone. Default: None, which means `start_zone_shift`.
        create_zone_shift: the hours for creation times alone. Default: None, which means `start_zone_shift`.
        null_times: the form of a time that does not exist yet, "null" or "absent". Default: "null".
        times_as: the form of all times of a row: a wall-clock "text" as documented, or a form that Java services
            write. "fraction": the same with a fraction of a second. "ms": milliseconds since the epoch. "ms-text":
            these as a text. "seconds": seconds with a fraction. "offset", "basic-offset" and "utc": ISO 8601 with
            ``+08:00``, ``+0800`` and ``Z``. "list": a list of year, month and so on. "mixed": another form in each
            row. Default: "text".
        numbers_as: the form of ``status`` and ``flowId``, "number" or "text". Default: "number".
        clock_skew: seconds by which the server's clock is ahead. Default: 0.
        empty_answers: n, if every n-th search is answered without rows, wrongly. Default: 0, which means no
            search.
        null_list: True if an empty list is answered as ``null``, as with ``nothing_as="null"``. Default: False.
        same_answer: True if every search gets the answer of the first search, as from a cache whose key is only
            the URL. Default: False.
        widest_window: the widest window (seconds). The gateway answers a wider window with HTTP 504. Default:
            None, which means no limit.
        ignore: the parts of a search that the server ignores: "sorters", "descending" (all sorting is
            ascending), "type", "type-0" (0 counts as "not given", so a search for manual instances returns
            all types), "status", "owner", "expression", "from", "to", "page" (every page is the first),
            "size" (every page has the default size). Default: no parts.
        sibling_fields: True if instances have ``alertMode`` and ``calDt`` too, as in the answers of the
            sibling operation. Default: False.
        unescaped_graph: True if the task graph is not escaped, as in one edition of the documentation, so that
            the answer is invalid JSON. Default: False.
        compress: True if answers are gzipped for clients that accept gzip. Default: False.
        latency: seconds before an answer is sent. Requests overlap. Default: 0.
        latency_spread: the most seconds that are added at random, so that answers overtake each other.
            Default: 0.
        latency_per_row: seconds that are added for each row of a page. Default: 0.
        user_id: the only user id that is accepted. None means any. Default: "u".
        org_id: the only organization id that is accepted. None means any. Default: "o".
        denied: True if the user has no privilege (62103). Default: False.
        keep_searches: the most records of searches that are kept. The oldest are dropped. Default: 100,000.
    """

    first_page: int = attrs.field(default=0, validator=checks.whole(0, 1))
    page_zero: str = attrs.field(
        default="first", validator=checks.one_of("first", "empty", "error", "parameter")
    )
    page_cap: int | None = attrs.field(default=None, validator=checks.maybe(checks.whole(1, 1_000_000)))
    cap_spread: int = attrs.field(default=0, validator=checks.whole(0, 1_000_000))
    cap_offset: str = attrs.field(default="capped", validator=checks.one_of("capped", "requested"))
    refuse_page_size_above: int | None = attrs.field(
        default=None, validator=checks.maybe(checks.whole(1, 1_000_000))
    )
    page_size_refusal: str = attrs.field(
        default="1004",
        validator=checks.one_of("1004", "62109", "400", "413", "500", "nothing", "default", "silent"),
    )
    deepest_row: int | None = attrs.field(default=None, validator=checks.maybe(checks.whole(1, 2**40)))
    count: str = attrs.field(default="page", validator=checks.one_of("page", "total", "fewer", "more"))
    ties: str = attrs.field(
        default="stable",
        validator=checks.one_of("stable", "unstable", "replicas", "top-n", "two-plans"),
    )
    replicas: int = attrs.field(default=3, validator=checks.whole(1, 100))
    nulls: str = attrs.field(default="smallest", validator=checks.one_of("smallest", "first", "last"))
    sort_by: str = attrs.field(default="ms", validator=checks.one_of("ms", "second"))
    bounds: str = attrs.field(
        default="ms",
        validator=checks.one_of(
            "ms",
            "seconds",
            "closed",
            "closed-seconds",
            "open",
            "minutes-down",
            "minutes-nearest",
            "minutes-up",
            "wall",
        ),
    )
    expression: str = attrs.field(
        default="contains",
        validator=checks.one_of("contains", "any-case", "collated", "like", "word-start"),
    )
    owner_compare: str = attrs.field(
        default="exact", validator=checks.one_of("exact", "any-case", "trailing-spaces", "collated", "like")
    )
    status_filter: str = attrs.field(default="all", validator=checks.one_of("all", "first", "last"))
    round_times: str = attrs.field(default="down", validator=checks.one_of("down", "up", "nearest"))
    zone_turn: tuple[int, float] | None = attrs.field(
        default=None, converter=checks.optional_list, validator=checks.maybe(_zone_turn)
    )
    claimed_zone: str | None = attrs.field(default=None, validator=[checks.maybe(checks.text), _claimed_zone])
    full_zone_name: bool = attrs.field(default=False, validator=checks.flag)
    start_zone_shift: float = attrs.field(default=0.0, validator=checks.number(-24, 24))
    end_zone_shift: float | None = attrs.field(default=None, validator=checks.maybe(checks.number(-24, 24)))
    create_zone_shift: float | None = attrs.field(
        default=None, validator=checks.maybe(checks.number(-24, 24))
    )
    null_times: str = attrs.field(default="null", validator=checks.one_of("null", "absent"))
    times_as: str = attrs.field(default="text", validator=checks.one_of(*TIME_FORMS))
    numbers_as: str = attrs.field(default="number", validator=checks.one_of("number", "text"))
    clock_skew: float = attrs.field(default=0.0, validator=checks.number(-1e9, 1e9))
    empty_answers: int = attrs.field(default=0, validator=checks.whole(0, 2**31))
    null_list: bool = attrs.field(default=False, validator=checks.flag)
    same_answer: bool = attrs.field(default=False, validator=checks.flag)
    widest_window: float | None = attrs.field(
        default=None, validator=checks.maybe(checks.number(0.001, 1e12))
    )
    ignore: frozenset[str] = attrs.field(
        default=frozenset(),
        converter=checks.members,
        validator=checks.some_of(*IGNORABLE),
    )
    sibling_fields: bool = attrs.field(default=False, validator=checks.flag)
    unescaped_graph: bool = attrs.field(default=False, validator=checks.flag)
    compress: bool = attrs.field(default=False, validator=checks.flag)
    latency: float = attrs.field(default=0.0, validator=checks.number(0, 3600))
    latency_spread: float = attrs.field(default=0.0, validator=checks.number(0, 3600))
    latency_per_row: float = attrs.field(default=0.0, validator=checks.number(0, 60))
    user_id: str | None = attrs.field(default="u", validator=checks.maybe(checks.text))
    org_id: str | None = attrs.field(default="o", validator=checks.maybe(checks.text))
    denied: bool = attrs.field(default=False, validator=checks.flag)
    keep_searches: int = attrs.field(default=100_000, validator=checks.whole(0, 2**31))


@attrs.frozen(kw_only=True)
class Meanwhile:
    """The changes between answers, and the delay until answers show them.

    Args:
        changes_per_search: the changes before each search. 0.2 means one change before every fifth search.
            Default: 0.
        changes_in: the half-open range of trigger times (ms since the epoch) of all changed rows. Default:
            None, which means the whole time span.
        change_kinds: the kinds of changes: "insert", "delete" and "flip". "flip" changes the status of a row;
            if a search asks for certain statuses, the row stops or begins to match. Default: all three.
        new_rows: inserted rows are "matching" the search, or "other", or "both" occur. Default: "both".
        stale_searches: the most searches by which an answer is out of date, at random, as with a replica that
            lags behind. Default: 0.
        live: True if the platform lives: the time span ends at the last midnight before the emulator is made,
            and since then flows run by their schedules, and people start some. Each run waits, runs and ends
            as the time of the service goes on. `World.first_day` is not used. Default: False.
    """

    changes_per_search: float = attrs.field(default=0, validator=checks.number(0, 10_000))
    changes_in: tuple[int, int] | None = attrs.field(
        default=None, converter=checks.optional_list, validator=checks.maybe(_range)
    )
    change_kinds: tuple[str, ...] = attrs.field(
        default=CHANGE_KINDS,
        converter=checks.distinct,
        validator=[checks.some_of(*CHANGE_KINDS), attrs.validators.min_len(1)],
    )
    new_rows: str = attrs.field(default="both", validator=checks.one_of("both", "matching", "other"))
    stale_searches: int = attrs.field(default=0, validator=checks.whole(0, 10_000))
    live: bool = attrs.field(default=False, validator=checks.flag)
