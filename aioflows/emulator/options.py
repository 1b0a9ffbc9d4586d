"""Everything that can be told to the emulator, as four frozen values.

`World` says which rows exist, `Quirks` how the service answers, `Access` what the gateway in front of it asks and
refuses, `Trouble` what goes wrong. `Emulator` takes all their fields as plain keywords; so does the command line.
The documentation leaves open how a real deployment does these things, so each of them is a switch.
"""

from __future__ import annotations

import difflib
from typing import Any

import attrs

from aioflows.emulator import checks
from aioflows.emulator.clock import local_day, zone_named
from aioflows.emulator.faults import Fault
from aioflows.errors import QueryError

PROFILES = ("cron", "uniform", "bursty", "midnight", "sparse-then-dense", "one-second")
IGNORABLE = ("sorters", "type", "status", "owner", "expression", "from", "to", "page", "size")


def _maybe(check: checks.Check) -> checks.Check:
    return attrs.validators.optional(check)


def _types(value: object) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(checks.several(value)))


def _names(value: object) -> frozenset[Any]:
    return frozenset(checks.several(value))


def _list(value: object) -> tuple[Any, ...]:
    return tuple(checks.several(value))


def _a_zone(_: object, __: object, value: str) -> None:
    zone_named(value)


def _a_claim(_: object, __: object, value: str | None) -> None:
    if value is not None and not value.startswith("GMT"):
        zone_named(value)


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
    """

    instances: int = attrs.field(default=10_000, validator=checks.whole(0, 20_000_000))
    seed: int = attrs.field(default=1, validator=checks.whole(-(2**63), 2**63 - 1))
    profile: str = attrs.field(default="cron", validator=checks.one_of(*PROFILES))
    days: int = attrs.field(default=366, validator=checks.whole(1, 20_000))
    first_day: str = attrs.field(default="2024-01-01", validator=[checks.text, _a_day])
    zone: str = attrs.field(default="+08:00", validator=[checks.text, _a_zone])
    schedule_types: tuple[int, ...] = attrs.field(
        default=(0, 1, 2),
        converter=_types,
        validator=[checks.some_of(0, 1, 2), attrs.validators.min_len(1)],
    )


@attrs.frozen(kw_only=True)
class Quirks:
    """How the service answers.

    Args:
        first_page: the *number* of the first page, 0 or 1 (the documentation says both).
        page_zero: what page 0 is where pages count from 1: the "first" page, an "empty" page, an "error" (62109), or an
            illegal "parameter" (1004).
        page_cap: *rows* that an answer never exceeds, whatever page size is asked for, without a word.
        cap_offset: where a capped page begins: at pages of the "capped" size, or of the "requested" size, so that the
            rows between cap and size can never be read.
        refuse_page_size_above: *rows*; a larger page size is refused (1004).
        deepest_row: no *row* beyond this offset is ever answered, as if the result ended there.
        count: the rows of the "page" (as documented), or the "total".
        ties: rows with equal sort keys are "stable" (in the order of their insertion), or "unstable": in another order
            in every answer.
        nulls: rows without a start or end time are the "smallest", or stand "first" or "last" in either direction.
        sort_by: trigger times are compared by "ms", or by "second".
        claimed_zone: the *zone* that Get Timezone names, a key, an offset, or a text such as "GMT+8" that is answered as
            it stands; None: the true one, as it is at that moment.
        start_zone_shift: *hours* by which all other times of an instance differ from its ``triggerTime``'s zone (the
            documented sample has -8).
        null_times: a time that does not exist yet is "null", or "absent".
        clock_skew: *seconds* that the server's clock is ahead.
        empty_answers: every n-th search is answered falsely empty; 0: none is.
        null_list: an empty list is answered as ``null``.
        ignore: what of a search the server *ignores*: any of "sorters", "type", "status", "owner", "expression",
            "from", "to", "page" (every page is the first) and "size" (every page has 10 rows).
        sibling_fields: instances have ``alertMode`` and ``calDt`` too, as the sibling operation's answers do.
        unescaped_graph: the task graph is printed unescaped, which is invalid JSON (one edition of the documentation).
        compress: answers are gzipped where the client accepts it.
        latency: *seconds* before an answer is sent; requests overlap.
        latency_spread: *seconds* at most that are added at random, so that answers overtake each other.
        latency_per_row: *seconds* added for each row of a page.
        changes_per_search: *rows* that are inserted, deleted or change their status before each search.
        user_id: the only *user* there is; None: any.
        org_id: the user's *organization*; None: any.
        denied: the user has no privilege (62103).
        keep_searches: *records* of searches that are kept, the newest.
    """

    first_page: int = attrs.field(default=0, validator=checks.whole(0, 1))
    page_zero: str = attrs.field(
        default="first", validator=checks.one_of("first", "empty", "error", "parameter")
    )
    page_cap: int | None = attrs.field(default=None, validator=_maybe(checks.whole(1, 1_000_000)))
    cap_offset: str = attrs.field(default="capped", validator=checks.one_of("capped", "requested"))
    refuse_page_size_above: int | None = attrs.field(
        default=None, validator=_maybe(checks.whole(1, 1_000_000))
    )
    deepest_row: int | None = attrs.field(default=None, validator=_maybe(checks.whole(1, 2**40)))
    count: str = attrs.field(default="page", validator=checks.one_of("page", "total"))
    ties: str = attrs.field(default="stable", validator=checks.one_of("stable", "unstable"))
    nulls: str = attrs.field(default="smallest", validator=checks.one_of("smallest", "first", "last"))
    sort_by: str = attrs.field(default="ms", validator=checks.one_of("ms", "second"))
    claimed_zone: str | None = attrs.field(default=None, validator=[_maybe(checks.text), _a_claim])
    start_zone_shift: float = attrs.field(default=0.0, validator=checks.number(-24, 24))
    null_times: str = attrs.field(default="null", validator=checks.one_of("null", "absent"))
    clock_skew: float = attrs.field(default=0.0, validator=checks.number(-1e9, 1e9))
    empty_answers: int = attrs.field(default=0, validator=checks.whole(0, 2**31))
    null_list: bool = attrs.field(default=False, validator=checks.flag)
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
    changes_per_search: int = attrs.field(default=0, validator=checks.whole(0, 10_000))
    user_id: str | None = attrs.field(default="u", validator=_maybe(checks.text))
    org_id: str | None = attrs.field(default="o", validator=_maybe(checks.text))
    denied: bool = attrs.field(default=False, validator=checks.flag)
    keep_searches: int = attrs.field(default=100_000, validator=checks.whole(0, 2**31))


@attrs.frozen(kw_only=True)
class Access:
    """What the gateway asks and refuses. It asks for tokens and signatures if an `app_key` is given.

    Args:
        app_key: the only *access key* there is; None: the gateway asks for no token and no signature.
        app_secret: its *secret*.
        token_seconds: *seconds* that a token lives.
        token_uses: signed *requests* that a token lives; None: any number.
        claimed_expire: what a token's ``expire`` *says*; None: the truth.
        misspelt_status: the token answer says ``stauts``, as the vendor's example does.
        refuse_repeats: the same encryption is refused when it comes again (1001).
        skew_tolerance: *seconds* that a timestamp may differ from the server's clock.
        skew_code: the *code* for a timestamp that differs more (the documentation names none).
        expired: how an expired token is told: envelope "1203", ``apim_status`` "4011" or "4012" in a 200, or HTTP "401".
        rate: *requests per second*; None: any number.
        burst: *requests* at once, before the rate counts.
        throttle: how "too many requests" is said: HTTP "429" or "503" without a word, "429-seconds", "503-seconds" or
            "429-date" with a ``Retry-After``, or "envelope": `throttle_code` in a 200.
        throttle_code: the envelope's *code* for it.
    """

    app_key: str | None = attrs.field(default=None, validator=_maybe(checks.secret), repr=False)
    app_secret: str | None = attrs.field(default=None, validator=_maybe(checks.secret), repr=False)
    token_seconds: float = attrs.field(default=7200, validator=checks.number(0, 1e9))
    token_uses: int | None = attrs.field(default=None, validator=_maybe(checks.whole(0, 2**31)))
    claimed_expire: int | str | None = None
    misspelt_status: bool = attrs.field(default=False, validator=checks.flag)
    refuse_repeats: bool = attrs.field(default=True, validator=checks.flag)
    skew_tolerance: float = attrs.field(default=600.0, validator=checks.number(0, 1e12))
    skew_code: int = attrs.field(default=1004, validator=checks.whole(-(2**31), 2**31))
    expired: str = attrs.field(default="1203", validator=checks.one_of("1203", "4011", "4012", "401"))
    rate: float | None = attrs.field(default=None, validator=_maybe(checks.number(1e-6, 1e9)))
    burst: int = attrs.field(default=1, validator=checks.whole(1, 1_000_000))
    throttle: str = attrs.field(
        default="429-seconds",
        validator=checks.one_of("429", "429-seconds", "429-date", "503", "503-seconds", "envelope"),
    )
    throttle_code: int = attrs.field(default=429, validator=checks.whole(-(2**31), 2**31))

    def __attrs_post_init__(self) -> None:
        if (self.app_key is None) != (self.app_secret is None):
            raise QueryError("app_key and app_secret go together; give both, or neither")


@attrs.frozen(kw_only=True)
class Trouble:
    """What goes wrong.

    Args:
        faults: a readable *list* of `Fault`, by request number.
        fault_share: the *share* of searches that fail besides, from 0 to 1, drawn from the seed.
        fault_kinds: the *kinds* of fault that these draw from.
    """

    faults: tuple[Fault, ...] = attrs.field(
        default=(),
        converter=_list,
        validator=attrs.validators.deep_iterable(attrs.validators.instance_of(Fault)),
    )
    fault_share: float = attrs.field(default=0.0, validator=checks.number(0, 1))
    fault_kinds: tuple[str, ...] = attrs.field(
        default=("http-500", "http-503", "code-62109", "throttle", "reset", "cut"),
        converter=_list,
        validator=attrs.validators.min_len(1),
    )

    def __attrs_post_init__(self) -> None:
        for kind in self.fault_kinds:
            Fault(at=1, kind=kind)


GROUPS: tuple[type[Any], ...] = (World, Quirks, Access, Trouble)


def sorted_out(switches: dict[str, object]) -> tuple[World, Quirks, Access, Trouble]:
    """Give each group the keywords that are its own; a keyword that is nobody's is a `QueryError`."""
    owners = {field.name: group for group in GROUPS for field in attrs.fields(group)}
    for name in switches:
        if name not in owners:
            near = difflib.get_close_matches(name, owners, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise QueryError(f"the emulator has no switch {name!r}{hint}")
    world, quirks, access, trouble = (
        group(**{name: value for name, value in switches.items() if owners[name] is group})
        for group in GROUPS
    )
    return world, quirks, access, trouble


__all__ = ["GROUPS", "IGNORABLE", "PROFILES", "Access", "Quirks", "Trouble", "World", "sorted_out"]
