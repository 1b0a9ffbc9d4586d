"""The switches of the gateway and of its faults."""

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
"""The forms in which a gateway may state a wait."""

_THROTTLE_FORMS = ("<status>", *(f"<status>-{wait}" for wait in WAITS), "close", "reset", "envelope")
_THROTTLE_FORM = re.compile(rf"close|reset|envelope|[45]\d\d(?:-(?:{'|'.join(WAITS)}))?")


def _throttle_form() -> checks.Check:
    def check(_: object, field: attrs.Attribute[str], value: object) -> None:
        if not isinstance(value, str) or not _THROTTLE_FORM.fullmatch(value):
            known = ", ".join(map(repr, _THROTTLE_FORMS))
            raise QueryError(f"{field.name} must be one of {known}, such as '429-seconds', not {value!r}")

    check.__dict__["choices"] = _THROTTLE_FORMS
    return check


@attrs.frozen(kw_only=True)
class Access:
    """The requirements of the gateway. With an `app_key`, tokens and signatures are required.

    Args:
        app_key: the only access key. Default: None, which means that no token and no signature are required.
        app_secret: the secret of the access key. Default: None, which means no secret.
        token_seconds: the life of a token (seconds). Default: 7,200.
        token_uses: the life of a token (signed requests). Default: None, which means any number.
        claimed_expire: the value of ``expire`` in a token's answer. Default: None, which means the true value.
        misspelt_status: True if the token answer has ``stauts``, as the vendor's example has. Default: False.
        refuse_repeats: True if a repeated encryption is refused (1001). Default: True.
        skew_tolerance: the most seconds by which a timestamp may differ from the server's clock. Default:
            600.
        skew_code: the code for a timestamp that differs more. The documentation names no code. Default: 1004.
        expired: the answer to an expired token: "1203" in the envelope, ``apim_status`` "4011" or "4012" in a
            200, or HTTP "401". Default: "1203".
        rate: requests per second. Default: None, which means any number.
        burst: requests at once before the rate limits them. Default: 1.
        throttle: the answer to too many requests. An HTTP status from 400 on without a wait: "429", "503",
            "403". A status with a wait: "429-seconds" and "429-decimals" with ``Retry-After`` in seconds,
            "429-date" with a date ("429-rfc850" and "429-asctime" with its two older forms), "429-ms" with
            ``Retry-After-Ms``. A status with the time at which the quota is renewed: "429-reset" and
            "429-reset-ms" with ``X-RateLimit-Reset`` in seconds or milliseconds since the epoch,
            "429-reset-delta" with ``RateLimit-Reset`` in seconds from now, "429-reset-after" with
            ``X-RateLimit-Reset-After`` with decimals, "429-reset-list" with a structured
            ``RateLimit`` (``"default";r=0;t=12``). No answer: "close" closes the connection, "reset" resets it. "envelope":
            `throttle_code` in a 200. Default: "429-seconds".
        throttle_code: the code of the envelope for ``throttle="envelope"``. Default: 429.
        count_refused: True if refused requests use up the rate too, so that a client that goes on sending is
            always refused. Default: False.
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
        validator=_throttle_form(),
    )
    throttle_code: int = attrs.field(default=429, validator=checks.whole(-(2**31), 2**31))
    count_refused: bool = attrs.field(default=False, validator=checks.flag)

    def __attrs_post_init__(self) -> None:
        if (self.app_key is None) != (self.app_secret is None):
            raise QueryError("app_key and app_secret must be given together; give both, or neither")


@attrs.frozen(kw_only=True)
class Trouble:
    """The faults.

    Args:
        faults: scripted faults, a list of `Fault`. Default: no faults.
        fault_share: the share of searches that fail at random in addition, from 0 to 1, drawn from the seed.
            Default: 0.
        fault_kinds: the kinds of random faults. Default: six kinds.
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
