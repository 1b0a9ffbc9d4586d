"""The query: which flow instances, from when to when, in which order."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from aioflows.errors import QueryError
from aioflows.models import FlowStatus, ScheduleType

__all__ = ["SORT_FIELDS", "FlowQuery"]

SORT_FIELDS = ("create_time", "update_time", "start_time", "trigger_time", "end_time")
"""The fields that the service sorts by. It refuses others with 62102 ("illegal sorted by field")."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_LIKELY_BELOW = 978_307_200_000  # 2001-01-01 in ms: a smaller "ms" is most likely seconds
_MICROSECONDS_LIKELY_FROM = 10_000_000_000_000  # 2286 in ms: a larger "ms" is most likely microseconds
_LONGEST_TEXT = 1_000


def epoch_ms(value: datetime | int, name: str = "time") -> int:
    """Return an aware datetime or epoch milliseconds as epoch milliseconds.

    Args:
        value: the time.
        name: the name of the value in errors.

    Raises:
        QueryError: the time has no zone, does not exist in its zone, looks like another unit, or lies before
            1970.
    """
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise QueryError(f"{name} {value} has no time zone; add tzinfo=, as in datetime(..., tzinfo=UTC)")
        if value.astimezone(UTC).astimezone(value.tzinfo).replace(tzinfo=None) != value.replace(tzinfo=None):
            raise QueryError(f"{name} {value} does not exist: clocks in {value.tzinfo} skip it")
        since = value - _EPOCH
        # Integer arithmetic, rounded down: a float would lose milliseconds.
        ms = (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
    elif isinstance(value, int) and not isinstance(value, bool):
        ms = value
        if 0 < ms < _SECONDS_LIKELY_BELOW:
            raise QueryError(
                f"{name} {value} lies before 2001 and looks like seconds; give milliseconds ({value}000)"
            )
        if ms >= _MICROSECONDS_LIKELY_FROM:
            raise QueryError(f"{name} {value} lies after 2286 and looks like microseconds; give milliseconds")
    else:
        raise QueryError(f"{name} must be an aware datetime or whole epoch milliseconds, not {value!r}")
    if ms < 0:
        raise QueryError(f"{name} {value} lies before 1970, which the service cannot express")
    return ms


def _schedule_type(value: object) -> ScheduleType | None:
    if value is None or isinstance(value, ScheduleType):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value in ScheduleType._value2member_map_:
        return ScheduleType(value)
    known = ", ".join(f"ScheduleType.{one.name} ({one.value})" for one in ScheduleType)
    raise QueryError(f"type must be one of {known}, or None for all three, not {value!r}")


def _one_status(value: object) -> int:
    if isinstance(value, FlowStatus):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value in FlowStatus._value2member_map_:
        return FlowStatus(value)
    names = [one.name for one in FlowStatus]
    near = difflib.get_close_matches(str(value).upper(), names, n=1)
    hint = f"; did you mean FlowStatus.{near[0]}?" if near else ""
    raise QueryError(f"status {value!r} is not one of {', '.join(names)}{hint}")


def _statuses(value: object) -> frozenset[int]:
    if isinstance(value, (int, str)):
        return frozenset({_one_status(value)})
    if not isinstance(value, Iterable):
        raise QueryError(f"status must be one FlowStatus or several, not {value!r}")
    codes = frozenset(_one_status(one) for one in value)
    if not codes and not isinstance(value, (tuple, frozenset)):  # a query without a status holds a frozenset
        raise QueryError("status is empty, which matches nothing; omit it to ask for every status")
    return codes


def _text(value: object) -> str:
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
    return value


def _order(value: object) -> str | tuple[str, ...] | None:
    if value is None:
        return None
    keys = (value,) if isinstance(value, str) else value
    if not isinstance(keys, Collection) or not keys:
        raise QueryError(f"order_by must be a sort field, several, or None for no order, not {value!r}")
    checked = tuple(_sort_key(key) for key in keys)
    if len({key.removeprefix("-") for key in checked}) < len(checked):
        raise QueryError(f"order_by {value!r} has a field twice; remove one of them")
    return checked[0] if len(checked) == 1 else checked


def _sort_key(key: object) -> str:
    if isinstance(key, str) and key.removeprefix("-") in SORT_FIELDS:
        return key
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
        to_trigger_time: the first trigger time after the range (an aware datetime, or epoch milliseconds).
        type: one schedule type. None means all three, as one stream. Default: None.
        status: one `FlowStatus` or several. ``()`` means every status. Default: ``()``.
        owner: the user name of the owner, compared as a whole. ``""`` means every owner. Default: ``""``.
        expression: a text searched in the instance's id and the flow's name. ``""`` means every instance.
            Default: ``""``.
        order_by: ``"trigger_time"``, ``"start_time"``, ``"end_time"``, ``"create_time"`` or
            ``"update_time"``, with a leading ``-`` for descending order; several of them; or None for no
            order. Default: ``"trigger_time"``.

    Raises:
        QueryError: a value is invalid. The message says what to give instead.
    """

    from_trigger_time: datetime | int = attrs.field(validator=_time)
    to_trigger_time: datetime | int = attrs.field(validator=_time)
    type: ScheduleType | None = attrs.field(default=None, converter=_schedule_type, kw_only=True)
    status: Collection[int] = attrs.field(default=(), converter=_statuses, kw_only=True)
    owner: str = attrs.field(default="", converter=_text, kw_only=True)
    expression: str = attrs.field(default="", converter=_text, kw_only=True)
    order_by: str | Sequence[str] | None = attrs.field(default="trigger_time", converter=_order, kw_only=True)

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
