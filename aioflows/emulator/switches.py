"""Everything that can be told to the emulator, as six frozen values.

`World` says which rows exist, `Quirks` how the service answers, `Constraints` what it gives at most and how it says so,
`Meanwhile` what changes from answer to answer, `Access`
what the gateway in front of it asks and refuses, `Trouble` what goes wrong. `Emulator` takes all their fields as plain keywords; so does the command line.
The documentation leaves open how a real deployment does these things, so each of them is a switch.
"""

from __future__ import annotations

import difflib
from typing import Any

import attrs

from aioflows.emulator import checks
from aioflows.emulator.gateway.options import Access, Trouble
from aioflows.emulator.service.constraints import Constraints
from aioflows.emulator.world.clock import local_day, zone_named
from aioflows.errors import QueryError

PROFILES = ("cron", "uniform", "bursty", "midnight", "sparse-then-dense", "one-second")
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


def _distinct(value: object) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(checks.several(value)))


def _names(value: object) -> frozenset[Any]:
    return frozenset(checks.several(value))


def _a_zone(_: object, __: object, value: str) -> None:
    zone_named(value)


def _a_claim(_: object, __: object, value: str | None) -> None:
    if value is not None and not value.startswith("GMT"):
        zone_named(value)


def _maybe_pair(value: object) -> tuple[Any, ...] | None:
    return None if value is None else checks.listed(value)


def _a_turn(owner: object, field: attrs.Attribute[Any], value: tuple[Any, ...]) -> None:
    checks.pair(field, value)
    checks.whole(0, 2**53)(owner, field, value[0])
    checks.number(-24, 24)(owner, field, value[1])


def _a_range(owner: object, field: attrs.Attribute[Any], value: tuple[Any, ...]) -> None:
    checks.pair(field, value)
    checks.whole(0, 2**53)(owner, field, value[0])
    checks.whole(value[0] + 1, 2**53)(owner, field, value[1])


def _a_day(_: object, __: object, value: str) -> None:
    local_day(value)


@attrs.frozen(kw_only=True)
class World:
    """Which rows exist. The same world has the same rows, always.

    Args:
        instances: *rows*, exactly.
        seed: another *number* gives other rows.
        profile: how they *lie in time*: "cron" is a platform of flows that run by the minute, hour, day, week and month,
            with a peak at midnight; "uniform" spreads rows evenly, at random milliseconds; "bursty" puts most into a few
            short bursts; "midnight" nearly all into midnight seconds; "sparse-then-dense" nearly all into the last
            twentieth; "one-second" all into one millisecond.
        days: length of the *span* that the rows lie in, beginning with `first_day`.
        first_day: the *day* it begins with, in the server's zone.
        zone: the *server's zone*, as a key ("Europe/Berlin") or an offset ("+08:00").
        schedule_types: the *types* that occur; with all three, 95 % of the rows are periodic.
        ids: they are "plain" (``2809-20190812080700``, as documented), "opaque" (hexadecimal), or "mixed": plain ones,
            opaque ones, and others that look nearly like plain ones.
    """

    instances: int = attrs.field(default=10_000, validator=checks.whole(0, 20_000_000))
    seed: int = attrs.field(default=1, validator=checks.whole(-(2**63), 2**63 - 1))
    profile: str = attrs.field(default="cron", validator=checks.one_of(*PROFILES))
    days: int = attrs.field(default=366, validator=checks.whole(1, 20_000))
    first_day: str = attrs.field(default="2024-01-01", validator=[checks.text, _a_day])
    zone: str = attrs.field(default="+08:00", validator=[checks.text, _a_zone])
    schedule_types: tuple[int, ...] = attrs.field(
        default=(0, 1, 2),
        converter=_distinct,
        validator=[checks.some_of(0, 1, 2), attrs.validators.min_len(1)],
    )
    ids: str = attrs.field(default="plain", validator=checks.one_of("plain", "mixed", "opaque"))


@attrs.frozen(kw_only=True)
class Quirks:
    """How the service answers.

    Args:
        first_page: the *number* of the first page, 0 or 1 (the documentation says both).
        page_zero: what page 0 is where pages count from 1: the "first" page, an "empty" page, an "error" (62109), or an
            illegal "parameter" (1004).
        page_cap: *rows* that an answer never exceeds, whatever page size is asked for, without a word.
        cap_spread: *rows* at most by which that cap is smaller in one answer than in another, at random.
        cap_offset: where a capped page begins: at pages of the "capped" size, or of the "requested" size, so that the
            rows between cap and size can never be read.
        refuse_page_size_above: *rows*; a larger page size is refused, or not heeded.
        page_size_refusal: how: with the code "1004" or "62109" in a 200, or with HTTP "400", "413" or "500"; or answered
            with "nothing", with pages of the "default" size (`Constraints.default_page_size`), or, "silent", with pages
            of the largest size that is heeded.
        deepest_row: no *row* beyond this offset is ever answered; see `Constraints.depth_answer`. By default it is as if
            the result ended there.
        count: the rows of the "page" (as documented), the "total" of all pages, or, wrongly, "fewer" or "more" than the
            page has.
        ties: rows with equal sort keys are "stable" (in the order of their insertion), "unstable": in another order in
            every answer, or "replicas": in an order of its own in each of several servers that answer by turns. As in
            databases that stand still, it may depend on which rows of the result are asked for, and on nothing else:
            "top-n" takes them from a heap of the first LIMIT + OFFSET rows, "two-plans" reads an index backwards or
            forwards for a small part of the result, and sorts for a larger one.
        replicas: how *many* such servers there are; which of them answers is drawn for every search.
        nulls: rows without a start or end time are the "smallest", or stand "first" or "last" in either direction.
        sort_by: trigger times are compared by "ms", or by "second".
        bounds: the ends of the range are compared by "ms", as documented; "seconds": both rounded down to the whole
            second; "closed": a row that lies on the end belongs to it; "closed-seconds": both; or "wall": by wall clocks, as
            by a column of local times, so that a question about one pass of the hour that clocks show twice is answered with
            the rows of both, in the order of the clocks.
        expression: it matches where id or name "contains" it (the documentation says "fuzzy"), where they contain it in
            whatever case ("any-case"), in whatever case, accents and width ("collated"), with ``%`` and ``_`` as wildcards
            and a backslash before what is meant as it stands ("like"), or only where a word of theirs begins with it
            ("word-start").
        owner_compare: an owner is the one asked for where the two texts are "exact", "any-case", the same but for
            "trailing-spaces", the same but for case, accents, width and trailing spaces ("collated"), or where the text asked
            for is a pattern ("like").
        status_filter: of several statuses "all" are read, or, as by a back end that makes one number of the list, only the
            "first", or only the "last".
        round_times: to whole seconds, times are rounded "down", "up", or to the "nearest".
        zone_turn: a *moment* in ms since the epoch, and *hours* by which the server's clock is further on from then;
            None: it is what `World.zone` says.
        claimed_zone: the *zone* that Get Timezone names, a key, an offset, or a text such as "GMT+8" that is answered as
            it stands; None: the true one, as it is at that moment.
        start_zone_shift: *hours* by which all other times of an instance differ from its ``triggerTime``'s zone (the
            documented sample has -8).
        null_times: a time that does not exist yet is "null", or "absent".
        clock_skew: *seconds* that the server's clock is ahead.
        empty_answers: every n-th search is answered falsely empty; 0: none is.
        null_list: an empty list is answered as ``null``, as with ``nothing_as="null"``.
        same_answer: every search is answered as the first one was, as by a cache that looks at the address alone.
        widest_window: *seconds*; a search over a wider window is given up by the gateway (HTTP 504); None: none is.
        ignore: what of a search the server *ignores*: any of "sorters", "descending" (everything is sorted upwards),
            "type", "type-0" (0 counts as "not given", so a search for manual instances brings all), "status", "owner",
            "expression", "from", "to", "page" (every page is the first) and "size" (every page has the
            default size).
        sibling_fields: instances have ``alertMode`` and ``calDt`` too, as the sibling operation's answers do.
        unescaped_graph: the task graph is printed unescaped, which is invalid JSON (one edition of the documentation).
        compress: answers are gzipped where the client accepts it.
        latency: *seconds* before an answer is sent; requests overlap.
        latency_spread: *seconds* at most that are added at random, so that answers overtake each other.
        latency_per_row: *seconds* added for each row of a page.
        user_id: the only *user* there is; None: any.
        org_id: the user's *organization*; None: any.
        denied: the user has no privilege (62103).
        keep_searches: *records* of searches that are kept, the newest.
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
        default="ms", validator=checks.one_of("ms", "seconds", "closed", "closed-seconds", "wall")
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
        default=None, converter=_maybe_pair, validator=checks.maybe(_a_turn)
    )
    claimed_zone: str | None = attrs.field(default=None, validator=[checks.maybe(checks.text), _a_claim])
    start_zone_shift: float = attrs.field(default=0.0, validator=checks.number(-24, 24))
    null_times: str = attrs.field(default="null", validator=checks.one_of("null", "absent"))
    clock_skew: float = attrs.field(default=0.0, validator=checks.number(-1e9, 1e9))
    empty_answers: int = attrs.field(default=0, validator=checks.whole(0, 2**31))
    null_list: bool = attrs.field(default=False, validator=checks.flag)
    same_answer: bool = attrs.field(default=False, validator=checks.flag)
    widest_window: float | None = attrs.field(
        default=None, validator=checks.maybe(checks.number(0.001, 1e12))
    )
    ignore: frozenset[str] = attrs.field(
        default=frozenset(),
        converter=_names,
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
    """What changes from answer to answer, and how soon that shows.

    Args:
        changes_per_search: how many *changes* are made before each search; 0.2: one before every fifth.
        changes_in: the *range* of trigger times, in ms since the epoch and half-open, that all changes fall into, which
            may be a single millisecond; None: anywhere.
        change_kinds: which *kinds*: "insert", "delete", and "flip": a row changes its status, and where a search asks
            for some statuses, leaves what it asks for, or comes (back) into it.
        new_rows: inserted rows are "matching" what is asked for, match something "other", or "both".
        stale_searches: an answer shows the rows as they were up to so many *searches* ago, at random, as a replica does
            that lags behind.
    """

    changes_per_search: float = attrs.field(default=0, validator=checks.number(0, 10_000))
    changes_in: tuple[int, int] | None = attrs.field(
        default=None, converter=_maybe_pair, validator=checks.maybe(_a_range)
    )
    change_kinds: tuple[str, ...] = attrs.field(
        default=CHANGE_KINDS,
        converter=_distinct,
        validator=[checks.some_of(*CHANGE_KINDS), attrs.validators.min_len(1)],
    )
    new_rows: str = attrs.field(default="both", validator=checks.one_of("both", "matching", "other"))
    stale_searches: int = attrs.field(default=0, validator=checks.whole(0, 10_000))


GROUPS: tuple[type[Any], ...] = (World, Quirks, Constraints, Meanwhile, Access, Trouble)


def sorted_out(
    switches: dict[str, object],
) -> tuple[World, Quirks, Constraints, Meanwhile, Access, Trouble]:
    """Give each group the keywords that are its own; a keyword that is nobody's is a `QueryError`."""
    owners = {field.name: group for group in GROUPS for field in attrs.fields(group)}
    for name in switches:
        if name not in owners:
            near = difflib.get_close_matches(name, owners, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise QueryError(f"the emulator has no switch {name!r}{hint}")
    world, quirks, constraints, meanwhile, access, trouble = (
        group(**{name: value for name, value in switches.items() if owners[name] is group})
        for group in GROUPS
    )
    return world, quirks, constraints, meanwhile, access, trouble


__all__ = ["GROUPS", "IGNORABLE", "PROFILES", "Meanwhile", "Quirks", "World", "sorted_out"]
