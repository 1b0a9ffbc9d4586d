"""The options of a read: texts, as Spark passes them, and their values.

1. An unknown option is refused. A mistyped filter would read too much in silence.
2. No option holds a key. Options name the variables or the file that hold them, where requests are made.
3. No error repeats the value of an option that is unknown or that may be a key.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from aioflows import AppKey, FlowQuery, Limits, QueryError
from aioflows._sealed import digest
from aioflows._tables.columns import Layout
from aioflows.spark.option_texts import (
    KEY_FORM,
    SHOWN,
    TIME_FORM,
    flag,
    instant,
    name,
    name_or_code,
    names,
    number,
    text,
    variable,
    whole,
)

__all__ = ["SourceOptions"]

_SECRETS: Final = re.compile(r"secret|password|passwd|token|credential|access_?key|api_?key|^auth|^key$")
_LONGEST_KEY_FILE: Final = 10_000
_OWN: Final[Mapping[str, str]] = {
    "path": "load() takes no path; give from and to as options",
    "paths": "load() takes no paths; give from and to as options",
    "order_by": "rows of a data frame have no order; sort the data frame",
}
"""What to do instead of options that others have."""


def _option(read: Callable[[str], Any], default: Any = None, called: str = "", *, shown: bool = True) -> Any:
    return attrs.field(default=default, repr=shown, metadata={"read": read, "option": called})


@attrs.frozen(kw_only=True)
class SourceOptions:
    """The options of a read, or of a stream.

    Each option has the name of its argument, but for ``from`` and ``to``. A value of None means that it was not
    given.

    Args:
        url: the address of the API gateway.
        user_id: the EnOS user.
        org_id: the organization of the user.
        access_key_env: the name of the environment variable that has the access key.
        secret_key_env: the name of the environment variable that has the secret key.
        key_file: the path of a TOML file with ``access_key`` and ``secret_key``.
        from_ms: the first trigger time of a batch (ms since the epoch).
        to_ms: the first trigger time after a batch (ms since the epoch).
        start_ms: the first trigger time of a stream (ms since the epoch).
        settle: how long after its trigger time an instance may show, in a stream (seconds).
        max_rows: the greatest number of rows of a batch of a stream.
        type: a schedule type.
        status: statuses.
        owner: the owner.
        expression: a text in the id or the name.
        columns: the names of columns. None means every column.
        tasks: True for a row for each task.
        partitions: the greatest number of windows.
        page_size: rows per request.
        concurrency: requests in flight of each task.
        rate: requests per second over all tasks, also of those that have a governor.
        parallel_tasks: how many tasks run at a time, which share the rate. With a rate it is always given.
        governor: the address of a governor.
        server_timezone: the zone of the service's times.
        first_page: the number of the service's first page.
        allow_http: True to accept plain HTTP to another machine.
    """

    url: str = _option(name)
    user_id: str = _option(name)
    org_id: str = _option(name)
    access_key_env: str | None = _option(variable)
    secret_key_env: str | None = _option(variable)
    key_file: str | None = _option(name)
    from_ms: int | None = _option(instant, called="from")
    to_ms: int | None = _option(instant, called="to")
    start_ms: int | None = _option(instant, called="start")
    settle: float = _option(number("seconds"), 60.0)
    max_rows: int | None = _option(whole(1, 10**12))
    type: str | None = _option(name)
    status: tuple[str, ...] = _option(names, ())
    owner: str = _option(text, "")
    expression: str = _option(text, "")
    columns: tuple[str, ...] | None = _option(names)
    tasks: bool = _option(flag, default=False)
    partitions: int | None = _option(whole(1, 100_000))
    page_size: int = _option(whole(1, 10_000), 500)
    concurrency: int = _option(whole(1, 1_024), 8)
    rate: float | None = _option(number("requests per second", above_zero=True))
    parallel_tasks: int | None = _option(whole(1, 1_000_000))
    governor: str | None = _option(name, shown=False)  # it holds a secret
    server_timezone: str | None = _option(name)
    first_page: int | None = _option(whole(0, 1))
    allow_http: bool = _option(flag, default=False)

    @classmethod
    def parse(cls, options: Mapping[str, str], parallel_tasks: int | None = None) -> SourceOptions:
        """Return the values of options.

        Args:
            options: the options: names in any case, and their texts.
            parallel_tasks: how many tasks share a rate if no option says so. None means that it is not known.

        Raises:
            QueryError: an option is unknown, missing, has an invalid value, or does not go with another.
        """
        fields = {one.metadata["option"] or one.name: one for one in attrs.fields(cls)}
        given = {str(option).lower(): str(value) for option, value in options.items()}
        for option in given:
            if option not in fields:
                raise QueryError(_refusal(option, list(fields)))
        for option in ("url", "user_id", "org_id"):
            if option not in given:
                raise QueryError(f"option {option} is missing; give it as .option({option!r}, ...)")
        values = {
            fields[option].name: _read(option, fields[option], value) for option, value in given.items()
        }
        if "rate" in values:
            values.setdefault("parallel_tasks", parallel_tasks)
        found = cls(**values)
        found._check()
        return found

    def _check(self) -> None:
        if (self.access_key_env is None) is not (self.secret_key_env is None):
            raise QueryError("options access_key_env and secret_key_env go together; give both or none")
        if self.key_file is not None and self.access_key_env is not None:
            raise QueryError("options key_file and access_key_env say two places of keys; give one of them")
        if self.parallel_tasks is not None and self.rate is None:
            raise QueryError("option parallel_tasks shares a rate, and there is none; give rate as well")
        if self.rate is not None and self.parallel_tasks is None:
            raise QueryError(
                "option rate is shared by tasks, and how many run at a time is not known; give parallel_tasks as well, or "
                "call aioflows.spark.register(spark, rate=...) instead, whose governor shares the rate"
            )
        self.query(0, 0)
        Layout(self.columns, tasks=self.tasks)

    def query(self, from_ms: int, to_ms: int) -> FlowQuery:
        """Return the query of a range (ms since the epoch), in the order of trigger time.

        Raises:
            QueryError: the type or a status is unknown, or the range ends before it starts.
        """
        filters: dict[str, Any] = {
            "type": None if self.type is None else name_or_code(self.type),
            "status": tuple(map(name_or_code, self.status)),
        }
        return FlowQuery(from_ms, to_ms, owner=self.owner, expression=self.expression, **filters)

    def batch(self) -> FlowQuery:
        """Return the query of a batch.

        Raises:
            QueryError: the range is not given, or options are given that only a stream has.
        """
        self._refuse("only a stream has", start=self.start_ms, max_rows=self.max_rows)
        if self.from_ms is None or self.to_ms is None:
            missing = "from" if self.from_ms is None else "to"
            raise QueryError(f"option {missing} is missing; {TIME_FORM}")
        return self.query(self.from_ms, self.to_ms)

    def stream_start(self) -> int:
        """Return the first trigger time of a stream (ms since the epoch, whole seconds).

        Raises:
            QueryError: it is not given, or options are given that only a batch has.
        """
        self._refuse("only a batch has; a stream has start", **{"from": self.from_ms, "to": self.to_ms})
        if self.start_ms is None:
            raise QueryError(f"option start is missing; {TIME_FORM}, or aioflows.spark.now()")
        return self.start_ms // 1000 * 1000

    def _refuse(self, reason: str, **given: object) -> None:
        for option, value in given.items():
            if value is not None:
                raise QueryError(f"option {option} is one that {reason}; leave it out")

    @property
    def fingerprint(self) -> str:
        """A digest of what decides which rows a stream has. Its start, its address and its user are left out."""
        query = self.query(0, 0)
        return digest(
            [self.org_id, query.type, sorted(query.status), self.owner, self.expression, self.tasks]
        )

    @property
    def share(self) -> float | None:
        """The rate of one task (requests per second). None means that the service's is found out."""
        return None if self.rate is None else self.rate / (self.parallel_tasks or 1)

    @property
    def limits(self) -> Limits:
        """The limits of the session of one task."""
        return Limits(concurrency=self.concurrency, rate=self.share, page_size=self.page_size)

    def keys(self, environment: Mapping[str, str] = os.environ) -> AppKey | None:
        """Return the keys of the application, from where this process finds them.

        Args:
            environment: the environment variables. Default: those of this process.

        Raises:
            QueryError: a variable is not set, or the file cannot be read. No value is shown.
        """
        if self.key_file is not None:
            return _keys_of(Path(self.key_file))
        if self.access_key_env is None or self.secret_key_env is None:
            return None
        found = []
        for option, place in (
            ("access_key_env", self.access_key_env),
            ("secret_key_env", self.secret_key_env),
        ):
            value = environment.get(place)
            if not value:
                raise QueryError(
                    f"the environment variable that option {option} names is not set in this Python process. Set it "
                    "on the driver and on every executor, before they start"
                )
            found.append(value)
        return AppKey(*found)


def _read(option: str, field: attrs.Attribute[Any], value: str) -> Any:
    try:
        return field.metadata["read"](value)
    except ValueError as error:  # a QueryError is one
        raise QueryError(f"option {option}: {error}") from None


def _refusal(option: str, known: list[str]) -> str:
    """Return why an option is refused. Its value is not shown."""
    shown = option[:SHOWN]
    if option in _OWN:
        return f"option {shown} is unknown; {_OWN[option]}"
    if _SECRETS.search(option):
        return f"option {shown} would show a key, because options travel and are shown in clear; {KEY_FORM}"
    near = difflib.get_close_matches(option, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"option {shown!r} is unknown{hint} Known options: {', '.join(sorted(known))}"


def _keys_of(path: Path) -> AppKey:
    form = 'it must be a TOML file with access_key = "..." and secret_key = "..."'
    try:
        with path.open("rb") as file:
            found = tomllib.loads(file.read(_LONGEST_KEY_FILE).decode())
        return AppKey(found["access_key"], found["secret_key"])
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    except (ValueError, KeyError, TypeError, AttributeError):  # whatever the file holds is not shown
        reason = form
    # The path is not shown, since it may be a key by mistake.
    raise QueryError(f"option key_file: the file cannot be used on this machine: {reason}")
