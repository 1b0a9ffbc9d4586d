"""The query: which flow instances, from when to when, in which order."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Literal, SupportsIndex, TypeAlias, cast

import attrs

from aioflows._numbers import as_whole
from aioflows.errors import QueryError
from aioflows.models import FlowStatus, ScheduleType

__all__ = ["SORT_FIELDS", "FlowQuery", "ScheduleTypeName", "SortKey", "Status", "StatusName"]

SortKey: TypeAlias = Literal[
    "create_time",
    "-create_time",
    "update_time",
    "-update_time",
    "start_time",
    "-start_time",
    "trigger_time",
    "-trigger_time",
    "end_time",
    "-end_time",
]
"""A sort field, with a leading ``-`` for descending order."""
ScheduleTypeName: TypeAlias = Literal["manual", "periodic", "temporary", "MANUAL", "PERIODIC", "TEMPORARY"]
"""The name of a `ScheduleType`."""
StatusName: TypeAlias = Literal[
    "FAIL",
    "INIT",
    "SUCCESS",
    "RUNNING",
    "SUSPEND",
    "INTERNAL_ERROR",
    "WAIT",
    "READY",
    "TIMEOUT",
    "CANCEL",
    "RERUN",
    "SKIP",
]
"""The name of a `FlowStatus`."""
Status: TypeAlias = FlowStatus | StatusName | SupportsIndex
"""One status: a member, its name or its code."""

SORT_FIELDS = ("create_time", "update_time", "start_time", "trigger_time", "end_time")
"""The fields that the service sorts by. It refuses others with 62102 ("illegal sorted by field")."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_LIKELY_BELOW = 978_307_200_000  # 2001-01-01 in ms: a smaller "ms" is most likely seconds
_MICROSECONDS_LIKELY_FROM = 10_000_000_000_000  # 2286 in ms: a larger "ms" is most likely microseconds
_LONGEST_TEXT = 1_000


def epoch_ms(value: datetime | SupportsIndex, name: str = "time") -> int:
    """Return an aware datetime or epoch milliseconds as epoch milliseconds.

    Args:
        value: the time.
        name: the name of the value in errors.

    Raises:
        QueryError: the time has no zone, does not exist in its zone, looks like another unit, or lies before
            1970.
    """
    whole = as_whole(value)
    if isinstance(value, datetime):
        ms = _ms_of(value, name)
    elif whole is not None:
        ms = whole
        if 0 < ms < _SECONDS_LIKELY_BELOW:
            raise QueryError(
                f"{name} {value} lies before 2001 and looks like seconds; give milliseconds ({value}000)"
            )
        if ms >= _MICROSECONDS_LIKELY_FROM:
            raise QueryError(f"{name} {value} lies after 2286 and looks like microseconds; give milliseconds")
    else:
        raise QueryError(
            f"{name} must be an aware datetime or whole epoch milliseconds, not {value!r}{_advice(value)}"
        )
    if ms < 0:
        raise QueryError(f"{name} {value} lies before 1970, which the service cannot express")
    return ms


def _ms_of(value: datetime, name: str) -> int:
    try:
        is_naive = value.utcoffset() is None
        is_skipped = not is_naive and value.astimezone(UTC).astimezone(value.tzinfo).replace(
            tzinfo=None
        ) != value.replace(tzinfo=None)
    except (ValueError, OverflowError) as error:  # pandas.NaT, or an end of the calendar
        raise QueryError(f"{name} {value} is not a moment that can be asked for: {error}") from None
    if is_naive:
        raise QueryError(f"{name} {value} has no time zone; add tzinfo=, as in datetime(..., tzinfo=UTC)")
    if is_skipped:
        raise QueryError(f"{name} {value} does not exist: clocks in {value.tzinfo} skip it")
    since = value - _EPOCH
    # Integer arithmetic, rounded down: a float would lose milliseconds.
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _advice(value: object) -> str:
    if type(value).__name__ == "datetime64":
        return "; numpy.datetime64 has no zone, so give pandas.Timestamp(value, tz=...) or milliseconds"
    if isinstance(value, date):
        return "; a date has no time of day and no zone, so give datetime(..., tzinfo=...)"
    return "; read it with datetime.fromisoformat(...)" if isinstance(value, str) else ""


def _moment(value: datetime | SupportsIndex) -> datetime | int:
    whole = None if isinstance(value, datetime) else as_whole(value)
    return value if whole is None else whole  # type: ignore[return-value]  # `_time` refuses other values


def _named(text: str) -> str:
    return text.upper().replace("-", "_").replace(" ", "_")


def _schedule_type(value: ScheduleType | ScheduleTypeName | SupportsIndex | None) -> ScheduleType | None:
    if value is None or isinstance(value, ScheduleType):
        return value
    if isinstance(value, str):
        if _named(value) in ScheduleType.__members__:
            return ScheduleType[_named(value)]
    elif (code := as_whole(value)) is not None and code in ScheduleType._value2member_map_:
        return ScheduleType(code)
    known = ", ".join(f"ScheduleType.{one.name} ({one.value})" for one in ScheduleType)
    near = difflib.get_close_matches(_named(str(value)), ScheduleType.__members__, n=1)
    hint = f"; did you mean {near[0].lower()!r}?" if near else ""
    raise QueryError(f"type must be one of {known}, or None for all three, not {value!r}{hint}")


def _one_status(value: object) -> int:
    if isinstance(value, FlowStatus):
        return value
    if isinstance(value, str):
        if _named(value) in FlowStatus.__members__:
            return FlowStatus[_named(value)]
    elif (code := as_whole(value)) is not None and code in FlowStatus._value2member_map_:
        return FlowStatus(code)
    names = [one.name for one in FlowStatus]
    near = difflib.get_close_matches(_named(str(value)), names, n=1)
    hint = f"; did you mean FlowStatus.{near[0]}?" if near else ""
    raise QueryError(f"status {value!r} is not one of {', '.join(names)}{hint}")


def _statuses(value: Status | Iterable[Status]) -> frozenset[int]:
    if isinstance(value, str) or as_whole(value) is not None:
        return frozenset({_one_status(value)})
    codes = frozenset(_one_status(one) for one in _several(value, "status must be one FlowStatus or several"))
    if not codes and not isinstance(value, (tuple, frozenset)):  # a query without a status holds a frozenset
        raise QueryError("status is empty, which matches nothing; omit it to ask for every status")
    return codes


def _several(value: object, rule: str) -> tuple[object, ...]:
    """Return the items of a collection. A mapping is not one, because its values would be dropped."""
    try:
        if isinstance(value, Iterable) and not isinstance(value, Mapping):
            return tuple(value)
    except TypeError:  # an array without dimensions
        pass
    raise QueryError(f"{rule}, not {value!r}")


def _text(value: str | None) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise QueryError(f"owner and expression must be text, not {value!r}")
    if len(value) > _LONGEST_TEXT:
        raise QueryError(
            f"a text of {len(value):,} characters was given; owner and expression must "
            f"have at most {_LONGEST_TEXT:,}"
        )
    if not value.isprintable():
        raise QueryError(f"the text {value!r} has a control character; remove it")
    return str(value)


def _order(value: SortKey | Iterable[SortKey] | None) -> SortKey | tuple[SortKey, ...] | None:
    if value is None:
        return None
    rule = "order_by must be a sort field, a list of them, or None for no order"
    keys = (value,) if isinstance(value, str) else _several(value, rule)
    if not keys or isinstance(value, (set, frozenset)):  # a set has no order
        raise QueryError(f"{rule}, not {value!r}")
    checked = tuple(_sort_key(key) for key in keys)
    if len({key.removeprefix("-") for key in checked}) < len(checked):
        raise QueryError(f"order_by {value!r} has a field twice; remove one of them")
    return checked[0] if len(checked) == 1 else checked


def _sort_key(key: object) -> SortKey:
    if isinstance(key, str) and key.removeprefix("-") in SORT_FIELDS:
        return cast("SortKey", str(key))
    near = difflib.get_close_matches(_snake(str(key)), SORT_FIELDS, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise QueryError(f"order_by {key!r} is not one of {', '.join(SORT_FIELDS)} (with - for descending){hint}")


def _snake(text: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in text)


def _time(_: object, field: attrs.Attribute[Any], value: datetime | int) -> None:
    epoch_ms(value, field.name)


@attrs.frozen
class FlowQuery:
    """A query: which flow instances, and in which order.

    The service's database compares `owner` and `expression` by its collation. Many collations ignore case,
    accents, width and trailing blanks. They read ``%`` and ``_`` as wildcards and a backslash as an escape.
    Every row that the service returns is handed out, so ``owner="alice"`` may return "Alice " as well.
    Compare `FlowInstance.owner` if the spelling matters. A row that no such comparison explains raises a
    `CompletenessError` that names the filter, and so does a row with another status. A row without an owner,
    name or status is handed out.

    Some services apply two filters only in part, so these cost more searches:

    - With several statuses, each status that never appeared is searched alone after everything was read. This
      takes one search for each such status and schedule type. It is skipped if the least and the greatest
      code appeared.
    - The first scan of a session with ``type=ScheduleType.MANUAL`` searches another type beside its first
      page. This takes one search, or two if the range has hardly any periodic instance.

    Args:
        from_trigger_time: the first trigger time that matches (an aware datetime, or epoch milliseconds).
            Numbers of NumPy and times of pandas are taken as well.
        to_trigger_time: the first trigger time after the range (an aware datetime, or epoch milliseconds).
        type: one schedule type, as a member or as its name (``"periodic"``). None means all three, as one
            stream. Default: None.
        status: one `FlowStatus` or several, as members or as names (``"FAIL"``). ``()`` means every status.
            Default: ``()``.
        owner: the user name of the owner, compared as a whole. ``""`` means every owner. Default: ``""``.
        expression: a text searched in the instance's id and the flow's name. ``""`` means every instance.
            Default: ``""``.
        order_by: ``"trigger_time"``, ``"start_time"``, ``"end_time"``, ``"create_time"`` or
            ``"update_time"``, with a leading ``-`` for descending order; several of them; or None for no
            order. Default: ``"trigger_time"``.

    Raises:
        QueryError: a value is invalid. The message says what to give instead.
    """

    from_trigger_time: datetime | int = attrs.field(converter=_moment, validator=_time)
    to_trigger_time: datetime | int = attrs.field(converter=_moment, validator=_time)
    type: ScheduleType | None = attrs.field(default=None, converter=_schedule_type, kw_only=True)
    status: Collection[int] = attrs.field(default=(), converter=_statuses, kw_only=True)
    owner: str = attrs.field(default="", converter=_text, kw_only=True)
    expression: str = attrs.field(default="", converter=_text, kw_only=True)
    order_by: SortKey | tuple[SortKey, ...] | None = attrs.field(
        default="trigger_time", converter=_order, kw_only=True
    )

    def __attrs_post_init__(self) -> None:
        if self.from_ms > self.to_ms:
            raise QueryError(
                f"from_trigger_time {self.from_trigger_time} is after to_trigger_time {self.to_trigger_time}"
            )

    @property
    def from_ms(self) -> int:
        """The first matching trigger time, in milliseconds since 1970-01-01 UTC."""
        return epoch_ms(self.from_trigger_time)

    @property
    def to_ms(self) -> int:
        """The first trigger time after the range, in milliseconds since 1970-01-01 UTC."""
        return epoch_ms(self.to_trigger_time)

    @property
    def sorters(self) -> tuple[tuple[str, bool], ...]:
        """The sort fields, each with True if it is descending. The tuple is empty if *order_by* is None."""
        keys = (
            ()
            if self.order_by is None
            else (self.order_by,)
            if isinstance(self.order_by, str)
            else self.order_by
        )
        return tuple((key.removeprefix("-"), key.startswith("-")) for key in keys)
