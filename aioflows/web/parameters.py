"""Queries from the parameters of a request, and errors that say which parameter is wrong and what is right."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeAlias, TypeVar
from urllib.parse import parse_qs

from aioflows.errors import QueryError
from aioflows.models import FlowStatus, ScheduleType
from aioflows.query import SORT_FIELDS, FlowQuery, epoch_ms

__all__ = ["ParameterError", "Parameters", "limit_from", "query_from"]

T = TypeVar("T")


class _Lookup(Protocol):
    """A multi-dict, of which each framework has its own."""

    def __iter__(self) -> Any: ...

    def get(self, name: str, /) -> Any: ...


Parameters: TypeAlias = _Lookup | Mapping[str, Any] | str | bytes
"""Parameters: the multi-dict of a framework, a mapping of texts or of lists of texts, or a query string."""

_TIMES = {
    "from": ("from_ms", "from", "from_trigger_time"),
    "to": ("to_ms", "to", "to_trigger_time"),
}
_FILTERS = ("type", "status", "owner", "expression", "order_by")
_KNOWN = (*_TIMES["from"], *_TIMES["to"], "last", *_FILTERS)
_OF_PAGES = ("limit", "cursor")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LAST = re.compile(r"([1-9][0-9]{0,6})([smhdw])", re.ASCII)
_DIGITS = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_PLUS_AS_BLANK = re.compile(r"(?<=[0-9]) (?=[0-9]{2}:?[0-9]{2}$)", re.ASCII)
_MOST_FIELDS = 200
_SHOWN = 60  # characters of a value in an error
_TIME_FORM = "give epoch milliseconds, or ISO 8601 with an offset, as in 2024-01-31T08:00:00+08:00"


class ParameterError(QueryError):
    """A parameter of a request is wrong. The message says what is right.

    Attributes:
        parameter: the name of the parameter.
    """

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"{parameter}: {problem}")
        self.parameter = parameter
        self.problem = problem

    def __reduce__(self) -> tuple[type[ParameterError], tuple[str, str]]:
        return type(self), (self.parameter, self.problem)


def query_from(
    params: Parameters,
    *,
    also: Iterable[str] = (),
    default_last: timedelta | None = None,
    now: datetime | None = None,
) -> FlowQuery:
    """Return the query that the parameters of a request ask for.

    | parameter | value |
    | --- | --- |
    | ``from`` and ``to`` (or ``from_ms`` and ``to_ms``) | epoch milliseconds, or ISO 8601 with an offset |
    | ``last``, instead of these | a time until now, as in ``90s``, ``15m``, ``6h``, ``7d`` or ``2w`` |
    | ``type`` | ``manual``, ``periodic`` or ``temporary``, or its number |
    | ``status`` | names or codes; repeated, or separated by commas |
    | ``owner``, ``expression`` | texts |
    | ``order_by`` | sort fields, separated by commas, with ``-`` for descending; or ``none`` |

    ``limit`` and ``cursor`` may be there too: `limit_from` and `CursorSigner.checkpoint` read them. Every other
    parameter is refused, since a mistyped filter would return too much.

    Args:
        params: the parameters: the multi-dict of a framework, a mapping of texts or of lists of texts, or a
            query string.
        also: the names of parameters that the application reads itself.
        default_last: the range until now if the request names none. None means that it must. Default: None.
        now: the present time (aware datetime), for ``last``. Default: this machine's.

    Raises:
        ParameterError: a parameter is unknown, missing or wrong. It is a `QueryError`.
    """
    read = _Reader(params)
    read.check_known({*_KNOWN, *_OF_PAGES, *also})
    start, end = _range(read, default_last, now)
    order = read.one("order_by", _order)
    filters: dict[str, Any] = {
        "type": read.one("type", _schedule_type),
        "status": read.each("status", _status),
        "owner": read.one("owner", _text) or "",
        "expression": read.one("expression", _text) or "",
        "order_by": "trigger_time" if order is None else order[0],
    }
    return FlowQuery(start, end, **filters)


def limit_from(params: Parameters, *, default: int = 100, most: int = 1_000) -> int:
    """Return the ``limit`` that the parameters of a request ask for.

    Args:
        params: the parameters, as for `query_from`.
        default: the limit if the request names none. Default: 100.
        most: the greatest limit. Default: 1,000.

    Raises:
        ParameterError: the limit is not a whole number from 1 to *most*.
    """

    def limit(text: str) -> int:
        if not _DIGITS.fullmatch(text) or not 1 <= int(text) <= most:
            raise ValueError(f"must be a whole number from 1 to {most:,}, not {_short(text)}")
        return int(text)

    given = _Reader(params).one("limit", limit)
    return default if given is None else given


class _Reader:
    """Reads parameters by name, and names the parameter in errors."""

    def __init__(self, params: Parameters) -> None:
        if isinstance(params, (str, bytes)):
            text = params.decode("ascii", "replace") if isinstance(params, bytes) else params
            try:
                params = parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
            except ValueError:
                raise ParameterError("query string", f"has more than {_MOST_FIELDS} parameters") from None
        self._params: Any = params

    def check_known(self, known: Collection[str]) -> None:
        for name in self._params:
            if name not in known:
                shown = ", ".join(sorted(known))
                raise ParameterError(str(name)[:_SHOWN], f"is not a parameter; known parameters: {shown}")

    def values(self, name: str) -> list[str]:
        params = self._params
        for method in ("getall", "getlist"):  # multidict and Litestar; Starlette, Werkzeug and Django
            if (get := getattr(params, method, None)) is not None:
                return [str(one) for one in (get(name) if name in params else ())]
        value = params.get(name, ())
        if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
            return [str(one) for one in value]
        return [str(value)] if value not in (None, ()) else []

    def one(self, name: str, convert: Callable[[str], T]) -> T | None:
        values = self.values(name)
        if len(values) > 1:
            raise ParameterError(name, "is given more than once; give it once")
        return _converted(name, values[0], convert) if values else None

    def each(self, name: str, convert: Callable[[str], T]) -> tuple[T, ...]:
        parts = [part.strip() for value in self.values(name) for part in value.split(",")]
        return tuple(_converted(name, part, convert) for part in parts)

    def first_of(self, names: Sequence[str], convert: Callable[[str], T]) -> tuple[str, T] | None:
        given = [name for name in names if self.values(name)]
        if len(given) > 1:
            raise ParameterError(given[1], f"means the same as {given[0]}; give one of them")
        value = self.one(given[0], convert) if given else None
        return None if value is None else (given[0], value)


def _converted(name: str, text: str, convert: Callable[[str], T]) -> T:
    try:
        return convert(text)
    except ParameterError:
        raise
    except QueryError as error:
        raise ParameterError(name, _without_name(str(error))) from None
    except ValueError as error:
        raise ParameterError(name, str(error)) from None


def _without_name(text: str) -> str:
    return text.removeprefix("time ")


def _range(
    read: _Reader, default_last: timedelta | None, now: datetime | None
) -> tuple[datetime | int, datetime | int]:
    start, end = read.first_of(_TIMES["from"], _time), read.first_of(_TIMES["to"], _time)
    last = read.one("last", _duration)
    if last is None and start is None and end is None:
        last = default_last
    if last is not None:
        if start is not None or end is not None:
            raise ParameterError("last", "is a range until now; give it, or from and to, not both")
        if read.values("cursor"):
            raise ParameterError("last", "moves, so it does not go with a cursor; give from_ms and to_ms")
        until = now or datetime.now(UTC)
        try:
            return until - last, until
        except OverflowError:
            raise ParameterError("last", "reaches too far back") from None
    for name, found in (("from", start), ("to", end)):
        if found is None:
            raise ParameterError(name, f"is missing; {_TIME_FORM}")
    assert start is not None
    assert end is not None
    if epoch_ms(start[1]) > epoch_ms(end[1]):
        raise ParameterError(start[0], f"must not be after {end[0]}")
    return start[1], end[1]


def _time(text: str) -> datetime | int:
    text = text.strip()
    if _DIGITS.fullmatch(text):
        value: datetime | int = int(text)
    else:
        try:
            # A "+" in a query string that was not escaped arrives as a blank.
            value = datetime.fromisoformat(_PLUS_AS_BLANK.sub("+", text))
        except ValueError:
            raise ValueError(f"{_short(text)} is not a time; {_TIME_FORM}") from None
        if value.tzinfo is None:
            raise ValueError(f"{_short(text)} has no offset; {_TIME_FORM}")
    epoch_ms(value)
    return value


def _duration(text: str) -> timedelta:
    found = _LAST.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{_short(text)} is not a duration; give 90s, 15m, 6h, 7d or 2w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _member(text: str, members: type[FlowStatus | ScheduleType]) -> Any:
    by_name = {one.name.lower(): one for one in members}
    by_code = {str(one.value): one for one in members}
    wanted = text.strip().lower()
    if wanted in by_name:
        return by_name[wanted]
    if wanted in by_code:
        return by_code[wanted]
    known = ", ".join(f"{one.name} ({one.value})" for one in members)
    raise ValueError(f"{_short(text)} is not one of {known}")


def _status(text: str) -> FlowStatus:
    status: FlowStatus = _member(text, FlowStatus)
    return status


def _schedule_type(text: str) -> ScheduleType:
    type: ScheduleType = _member(text, ScheduleType)
    return type


def _order(text: str) -> tuple[str | tuple[str, ...] | None]:
    if text.strip().lower() == "none":
        return (None,)
    keys = tuple(key.strip() for key in text.split(","))
    for key in keys:
        if key.removeprefix("-") not in SORT_FIELDS:
            raise ValueError(f"{_short(key)} is not one of {', '.join(SORT_FIELDS)}, with - for descending")
    if len({key.removeprefix("-") for key in keys}) < len(keys):
        raise ValueError("has a field twice; name each once")
    return (keys[0] if len(keys) == 1 else keys,)


def _text(text: str) -> str:
    # FlowQuery checks it as well; its error would repeat the text.
    if len(text) > 1_000:
        raise ValueError("must have at most 1,000 characters")
    if not text.isprintable():
        raise ValueError("must have no control characters")
    return text


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
