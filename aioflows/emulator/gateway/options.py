"""What stands between a client and the service: a gateway that asks and refuses, and everything that may go wrong."""

from __future__ import annotations

import re

import attrs

from aioflows.emulator import checks
from aioflows.emulator.faults.catalogue import Fault
from aioflows.errors import QueryError

WAITS = (
    "seconds",
    "decimals",
    "date",
    "rfc850",
    "asctime",
    "ms",
    "reset",
    "reset-ms",
    "reset-delta",
    "reset-after",
    "reset-list",
)
"""How a gateway may say how long to wait."""

_GUISES = ("<status>", *(f"<status>-{wait}" for wait in WAITS), "close", "reset", "envelope")
_GUISE = re.compile(rf"close|reset|envelope|[45]\d\d(?:-(?:{'|'.join(WAITS)}))?")


def _a_guise() -> checks.Check:
    def check(_: object, field: attrs.Attribute[str], value: object) -> None:
        if not isinstance(value, str) or not _GUISE.fullmatch(value):
            raise QueryError(
                f"{field.name} must be one of {', '.join(map(repr, _GUISES))}, as in '429-seconds', not {value!r}"
            )

    check.__dict__["choices"] = _GUISES
    return check


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
        throttle: how "too many requests" is said. By any HTTP status from 400 on without a word: "429", "503", "403"; or
            with a wait: "429-seconds" or "429-decimals" with a ``Retry-After``, "429-date" with one as a date ("429-rfc850"
            and "429-asctime": in the two older forms), "429-ms" with ``Retry-After-Ms``; or with the time when the quota is
            renewed: "429-reset" and "429-reset-ms" with ``X-RateLimit-Reset`` in seconds or milliseconds since the epoch,
            "429-reset-delta" with ``RateLimit-Reset`` in seconds from now, "429-reset-after" with
            ``X-RateLimit-Reset-After`` with decimals, "429-reset-list" with ``RateLimit: "default";r=0;t=12``. Or without
            any answer: "close" closes the connection, "reset" resets it. Or by the "envelope": `throttle_code` in a 200.
        throttle_code: the envelope's *code* for it.
        count_refused: what is refused uses up the rate as well, so that who goes on asking is never let in again.
    """

    app_key: str | None = attrs.field(default=None, validator=checks.maybe(checks.secret), repr=False)
    app_secret: str | None = attrs.field(default=None, validator=checks.maybe(checks.secret), repr=False)
    token_seconds: float = attrs.field(default=7200, validator=checks.number(0, 1e9))
    token_uses: int | None = attrs.field(default=None, validator=checks.maybe(checks.whole(0, 2**31)))
    claimed_expire: int | str | None = None
    misspelt_status: bool = attrs.field(default=False, validator=checks.flag)
    refuse_repeats: bool = attrs.field(default=True, validator=checks.flag)
    skew_tolerance: float = attrs.field(default=600.0, validator=checks.number(0, 1e12))
    skew_code: int = attrs.field(default=1004, validator=checks.whole(-(2**31), 2**31))
    expired: str = attrs.field(default="1203", validator=checks.one_of("1203", "4011", "4012", "401"))
    rate: float | None = attrs.field(default=None, validator=checks.maybe(checks.number(1e-6, 1e9)))
    burst: int = attrs.field(default=1, validator=checks.whole(1, 1_000_000))
    throttle: str = attrs.field(
        default="429-seconds",
        validator=_a_guise(),
    )
    throttle_code: int = attrs.field(default=429, validator=checks.whole(-(2**31), 2**31))
    count_refused: bool = attrs.field(default=False, validator=checks.flag)

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
        converter=checks.listed,
        validator=attrs.validators.deep_iterable(attrs.validators.instance_of(Fault)),
    )
    fault_share: float = attrs.field(default=0.0, validator=checks.number(0, 1))
    fault_kinds: tuple[str, ...] = attrs.field(
        default=("http-500", "http-503", "code-62109", "throttle", "reset", "cut"),
        converter=checks.listed,
        validator=attrs.validators.min_len(1),
    )

    def __attrs_post_init__(self) -> None:
        for kind in self.fault_kinds:
            Fault(at=1, kind=kind)
