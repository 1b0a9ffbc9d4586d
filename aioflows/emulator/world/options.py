"""The switches of the world."""

from __future__ import annotations

import attrs

from aioflows.emulator import checks
from aioflows.emulator.world.clock import local_day, zone_named
from aioflows.errors import QueryError

__all__ = ["PROFILES", "World"]

PROFILES = ("cron", "uniform", "bursty", "midnight", "sparse-then-dense", "one-second")


def _zone(_: object, __: object, value: str) -> None:
    zone_named(value)


def _day(_: object, __: object, value: str) -> None:
    local_day(value)


@attrs.frozen(kw_only=True)
class World:
    """The rows that exist. Equal worlds have equal rows.

    Args:
        instances: the exact number of rows. Default: 10,000.
        seed: the seed of the rows. Another seed gives other rows. Default: 1.
        profile: the distribution of trigger times. "cron": a platform of flows that run by the minute, hour,
            day, week and month, with a peak at midnight. "uniform": rows at random milliseconds. "bursty":
            most rows in a few short bursts. "midnight": nearly all rows in midnight seconds.
            "sparse-then-dense": nearly all rows in the last twentieth of the span. "one-second": all rows in
            one millisecond. Default: "cron".
        days: the length of the time span (days). Default: 366.
        first_day: the first day of the time span, in the server's zone. Default: "2024-01-01".
        zone: the server's zone, as a key ("Europe/Berlin") or an offset ("+08:00"). Default: "+08:00".
        schedule_types: the schedule types that occur. With all three, 95 % of the rows are periodic. Default:
            all three.
        ids: the form of ids. "plain": as documented, ``2809-20190812080700``. "opaque": hexadecimal. "mixed":
            plain ids, opaque ids, and ids that resemble plain ones. Default: "plain".
        missed: the number of scheduled runs that have no instance, although their flow ran before and after.
            `missed`, `doubled` and `late` require the profile "cron". Default: 0.
        doubled: the number of scheduled runs with a second instance. Default: 0.
        late: the number of scheduled runs that started 2 to 12 hours late. Other runs start within about a
            minute. Default: 0.
    """

    instances: int = attrs.field(default=10_000, validator=checks.whole(0, 20_000_000))
    seed: int = attrs.field(default=1, validator=checks.whole(-(2**63), 2**63 - 1))
    profile: str = attrs.field(default="cron", validator=checks.one_of(*PROFILES))
    days: int = attrs.field(default=366, validator=checks.whole(1, 20_000))
    first_day: str = attrs.field(default="2024-01-01", validator=[checks.text, _day])
    zone: str = attrs.field(default="+08:00", validator=[checks.text, _zone])
    schedule_types: tuple[int, ...] = attrs.field(
        default=(0, 1, 2),
        converter=checks.distinct,
        validator=[checks.some_of(0, 1, 2), attrs.validators.min_len(1)],
    )
    ids: str = attrs.field(default="plain", validator=checks.one_of("plain", "mixed", "opaque"))
    missed: int = attrs.field(default=0, validator=checks.whole(0, 1_000_000))
    doubled: int = attrs.field(default=0, validator=checks.whole(0, 1_000_000))
    late: int = attrs.field(default=0, validator=checks.whole(0, 1_000_000))

    def __attrs_post_init__(self) -> None:
        if (self.missed or self.doubled or self.late) and (
            self.profile != "cron" or 1 not in self.schedule_types
        ):
            raise QueryError(
                "missed, doubled and late need runs on a schedule; use profile='cron' and the schedule type 1"
            )
