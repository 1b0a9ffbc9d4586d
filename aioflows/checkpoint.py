"""The checkpoint of a scan or a follow, as a value that survives the process."""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs

from aioflows._sealed import digest, sealed, unsealed
from aioflows.errors import QueryError
from aioflows.query import FlowQuery

__all__ = [
    "Checkpoint",
    "FollowCheckpoint",
    "Known",
    "Position",
    "ReadZone",
    "Remainder",
    "fingerprint",
    "follow_fingerprint",
]

Position: TypeAlias = tuple[tuple[int | None, ...], str] | tuple[tuple[int | None, ...], str, str]
"""A row's place in an order: its sort fields and its id.

The fields are times in microseconds since 1970, as the clock of the trigger time shows them. If the offset of
this clock changes, the fields are instants, and `INSTANTS` follows the id.
"""

INSTANTS = "instants"

_VERSION = 1
_WITH_INSTANTS = 2
"""The version of a checkpoint with a `Position` of instants, which older releases refuse."""

_SCAN, _FOLLOW = "scan", "follow"


@attrs.frozen
class ReadZone:
    """The zone that trigger times were read in.

    Two zones are the same here if both have the same offsets. Their names may differ.

    Args:
        name: the name of the zone.
        offsets: its offsets over the range, earliest first: the first millisecond since 1970-01-01 UTC, and
            the offset (seconds east of Greenwich).
        clocks: the clocks that start, end and creation times were read by, by field, if they differ from the
            trigger's. Default: None, which means that an earlier release made the checkpoint.
    """

    name: str
    offsets: tuple[tuple[int, int], ...]
    clocks: tuple[tuple[str, str], ...] | None = None

    def check(self, other: ReadZone) -> None:
        """Check that another zone has the same offsets.

        Raises:
            QueryError: the other zone has another offset somewhere in the range.
        """
        if self.offsets != other.offsets:
            raise QueryError(
                f"the checkpoint cannot be resumed: its rows were read in the zone {self.name}, and now they "
                f"would be read in the zone {other.name}. Earlier rows may have wrong times, and later rows would "
                "be skipped. Begin again without resume=, or pass the zone of the checkpoint as "
                "FlowSession(server_timezone=...) if it is the right one"
            )


@attrs.frozen
class Remainder:
    """A window whose rows were not all handed out.

    Args:
        type: the schedule type of the window.
        from_ms: the first millisecond of the window since 1970-01-01 UTC.
        to_ms: the first millisecond after the window.
        after: the last row handed out: its trigger time (whole seconds since 1970-01-01 UTC) and its id. A
            resumed scan reads this second again and skips the rows up to this row. Default: None, which means
            that no row was handed out.
    """

    type: int
    from_ms: int
    to_ms: int
    after: tuple[int, str] | None = None


@attrs.frozen
class Checkpoint:
    """The checkpoint of a scan. Pass it to `FlowSession.scan` as ``resume=`` to read the rows that are left.

    A checkpoint holds no secret. The query is stored only as a fingerprint.

    Args:
        fingerprint: the fingerprint of the query.
        remaining: the windows that are left. An empty tuple means that the scan was over.
        position: the place of the last row handed out, for orders other than the trigger time. A resumed scan
            reads the windows again and skips the rows up to this row. Default: None, which means that no row is
            skipped.
        zone: the zone that rows were read in, over the query's range. The scan can be resumed in this zone
            only. Default: None, which means that no row was read, that the times of all rows said the instant, or
            that an earlier release of this package made the checkpoint.
    """

    fingerprint: str
    remaining: tuple[Remainder, ...]
    position: Position | None = None
    zone: ReadZone | None = None

    def to_json(self) -> str:
        """Return the checkpoint as a JSON text."""
        content = attrs.asdict(self)
        if self.position is None:
            del content["position"]  # earlier releases refuse this field
        if self.zone is None:
            del content["zone"]
        elif self.zone.clocks is None:
            del content["zone"]["clocks"]
        with_instants = self.position is not None and len(self.position) == 3
        return sealed(content, _WITH_INSTANTS if with_instants else _VERSION)

    @classmethod
    def from_json(cls, text: str) -> Checkpoint:
        """Return the checkpoint that `to_json` wrote.

        Raises:
            QueryError: the text is damaged, is not a checkpoint of a scan, or has a newer version.
        """
        content = _content(text, _SCAN)
        try:
            return cls(
                content["fingerprint"],
                tuple(_remainder(**one) for one in content["remaining"]),
                _position(content.get("position")),
                _zone(content.get("zone")),
            )
        except (TypeError, KeyError, ValueError, IndexError) as error:
            raise QueryError("this checkpoint is damaged: a part is missing; use an earlier one") from error


@attrs.frozen
class Known:
    """An instance that a follow has handed out, or watches.

    Args:
        id: the instance's id.
        second: the trigger time (whole seconds since 1970-01-01 UTC).
        status: the status that was last seen. None means that the instance had no status.
        watched: True if the follow waits for its next status.
    """

    id: str
    second: int
    status: int | None
    watched: bool


@attrs.frozen
class FollowCheckpoint:
    """The checkpoint of a follow. Pass it to `FlowSession.follow` as ``resume=`` to continue the follow.

    A checkpoint holds no secret. The query is stored only as a fingerprint.

    Args:
        fingerprint: the fingerprint of the query.
        from_ms: the first trigger time to read again (milliseconds since 1970-01-01 UTC). None means that the
            follow has not begun.
        known: the instances handed out since *from_ms*, and all watched instances.
        zone: the zone that the known instances were read in, from the earliest instance to *from_ms*. The
            follow can be resumed in this zone only. Default: None, which means that no row was read, or that
            an earlier release made the checkpoint.
    """

    fingerprint: str
    from_ms: int | None
    known: tuple[Known, ...]
    zone: ReadZone | None = None

    @property
    def range(self) -> tuple[int, int] | None:
        """The range for which the zone matters (milliseconds): from the earliest instance to `from_ms`.

        None means that the follow has not begun.
        """
        if self.from_ms is None:
            return None
        return min((one.second * 1000 for one in self.known), default=self.from_ms), self.from_ms + 1

    def to_json(self) -> str:
        """Return the checkpoint as a JSON text."""
        known = [list(attrs.astuple(one)) for one in self.known]
        content: dict[str, Any] = {"kind": _FOLLOW, "fingerprint": self.fingerprint}
        content |= {"from_ms": self.from_ms, "known": known}
        if self.zone is not None:
            content["zone"] = attrs.asdict(self.zone, filter=lambda _, value: value is not None)
        return sealed(content, _VERSION)

    @classmethod
    def from_json(cls, text: str) -> FollowCheckpoint:
        """Return the checkpoint that `to_json` wrote.

        Raises:
            QueryError: the text is damaged, is not a checkpoint of a follow, or has a newer version.
        """
        content = _content(text, _FOLLOW)
        try:
            from_ms = content["from_ms"]
            return cls(
                str(content["fingerprint"]),
                None if from_ms is None else int(from_ms),
                tuple(_known(*one) for one in content["known"]),
                _zone(content.get("zone")),
            )
        except (TypeError, KeyError, ValueError) as error:
            raise QueryError("this checkpoint is damaged: a part is missing; use an earlier one") from error


def fingerprint(query: FlowQuery) -> str:
    """Return a text that two queries share if, and only if, they are equal."""
    return digest(_asked(query))


def range_free_fingerprint(query: FlowQuery) -> str:
    """Return a text that two queries share if, and only if, they differ in nothing but their range."""
    return digest({name: value for name, value in _asked(query).items() if name not in ("from", "to")})


def follow_fingerprint(query: FlowQuery, *, changes: bool) -> str:
    """Return a text that two follows share if, and only if, their queries and *changes* are equal."""
    return digest({**_asked(query), "changes": changes})


def _asked(query: FlowQuery) -> dict[str, Any]:
    return {
        "from": query.from_ms,
        "to": query.to_ms,
        "type": query.type,
        "status": sorted(query.status),
        "owner": query.owner,
        "expression": query.expression,
        "order": query.sorters,
    }


def _content(text: str, kind: str) -> dict[str, Any]:
    content = unsealed(
        text, (_VERSION, _WITH_INSTANTS), "checkpoint", "use an earlier one, or begin again without it"
    )
    if content.get("kind", _SCAN) != kind:
        raise QueryError(
            f"this is the checkpoint of a {content.get('kind', _SCAN)}, not of a {kind}; pass a checkpoint of a {kind}"
        )
    return content


def _known(id: str, second: int, status: int | None, watched: bool) -> Known:
    return Known(str(id), int(second), None if status is None else int(status), bool(watched))


def _remainder(type: int, from_ms: int, to_ms: int, after: list[Any] | None) -> Remainder:
    return Remainder(
        int(type), int(from_ms), int(to_ms), None if after is None else (int(after[0]), str(after[1]))
    )


def _position(value: list[Any] | None) -> Position | None:
    if value is None:
        return None
    fields, name = tuple(None if one is None else int(one) for one in value[0]), str(value[1])
    return (fields, name) if len(value) < 3 else (fields, name, str(value[2]))


def _zone(value: dict[str, Any] | None) -> ReadZone | None:
    if value is None:
        return None
    clocks = value.get("clocks")
    return ReadZone(
        str(value["name"]),
        tuple((int(instant), int(offset)) for instant, offset in value["offsets"]),
        None if clocks is None else tuple((str(field), str(clock)) for field, clock in clocks),
    )
