"""Where a scan stands, or a follow, as a value that survives the process."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeAlias

import attrs

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

Position: TypeAlias = tuple[tuple[int | None, ...], str]
"""A row's place in an order: the fields of it, in *microseconds* since 1970 as the service shows them, and its id."""

_VERSION = 1
_SCAN, _FOLLOW = "scan", "follow"


@attrs.frozen
class ReadZone:
    """The zone that trigger times were read in.

    Two zones are the same here if they mean the same offsets, whatever they are called.

    Args:
        name: what the zone is *called*.
        offsets: its *offsets* over the range in question: from which millisecond since 1970-01-01 UTC, and seconds east of
            Greenwich, earliest first.
    """

    name: str
    offsets: tuple[tuple[int, int], ...]

    def check(self, other: ReadZone) -> None:
        """Check that another zone means the same.

        Raises:
            QueryError: it has another offset somewhere in the range.
        """
        if self.offsets != other.offsets:
            raise QueryError(
                f"the checkpoint cannot be resumed: its rows were read in the zone {self.name}, and now they would be read "
                f"in the zone {other.name}. Rows that were handed out may have wrong times, and others would be passed over. "
                "Begin again without resume=, or give the zone of the checkpoint as FlowSession(server_timezone=...) if "
                "that is the right one"
            )


@attrs.frozen
class Remainder:
    """A window of which not everything was handed out.

    Args:
        type: the *schedule type* it belongs to.
        from_ms: its first *millisecond* since 1970-01-01 UTC.
        to_ms: the first millisecond behind it.
        after: the last row handed out in it, as its trigger time in whole *seconds* since 1970-01-01 UTC and its id:
            that second is read again, and what does not come after this row is dropped. None: nothing of it was.
    """

    type: int
    from_ms: int
    to_ms: int
    after: tuple[int, str] | None = None


@attrs.frozen
class Checkpoint:
    """What a scan had not handed out yet; `FlowSession.scan` takes it as ``resume=`` and goes on there.

    It holds no secret, and no word of the query but a fingerprint.

    Args:
        fingerprint: tells the *query* it belongs to.
        remaining: the *windows* that are left; none: the scan was over.
        position: the place of the last row handed out, in an order that windows of time say nothing of: they are read
            again, and what does not come after this row is dropped. None: nothing is dropped.
        zone: what rows were *read in*, over the query's range; under another zone it cannot be resumed. None: nothing was
            read, or an earlier release of this package made it.
    """

    fingerprint: str
    remaining: tuple[Remainder, ...]
    position: Position | None = None
    zone: ReadZone | None = None

    def to_json(self) -> str:
        """Give it as a JSON text."""
        content = attrs.asdict(self)
        if self.position is None:
            del content["position"]  # so that who knows no such orders reads all others
        if self.zone is None:
            del content["zone"]
        return _text(content)

    @classmethod
    def from_json(cls, text: str) -> Checkpoint:
        """Read what `to_json` gave.

        Raises:
            QueryError: it is damaged, no checkpoint at all, or of a newer version.
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
            raise QueryError("this checkpoint is damaged: it lacks a part") from error


@attrs.frozen
class Known:
    """An instance that a follow has handed out, or watches.

    Args:
        id: its *id*.
        second: its trigger time in whole *seconds* since 1970-01-01 UTC.
        status: the *status* it had when it was seen last.
        watched: whether its next status is waited for.
    """

    id: str
    second: int
    status: int | None
    watched: bool


@attrs.frozen
class FollowCheckpoint:
    """What a follow has settled; `FlowSession.follow` takes it as ``resume=`` and goes on there.

    It holds no secret, and no word of the query but a fingerprint.

    Args:
        fingerprint: tells the *query* it belongs to.
        from_ms: the first trigger time that is to be read again, in *milliseconds* since 1970-01-01 UTC; None: it has not
            begun.
        known: the *instances* from there on that were handed out, and all that are watched.
        zone: what these were *read in*, from the earliest of them to *from_ms*; under another zone it cannot be resumed.
            None: nothing was read, or an earlier release of this package made it.
    """

    fingerprint: str
    from_ms: int | None
    known: tuple[Known, ...]
    zone: ReadZone | None = None

    @property
    def range(self) -> tuple[int, int] | None:
        """The *milliseconds* from the earliest instance to `from_ms`, for which the zone matters; None: it has not begun."""
        if self.from_ms is None:
            return None
        return min((one.second * 1000 for one in self.known), default=self.from_ms), self.from_ms + 1

    def to_json(self) -> str:
        """Give it as a JSON text."""
        known = [list(attrs.astuple(one)) for one in self.known]
        content: dict[str, Any] = {"kind": _FOLLOW, "fingerprint": self.fingerprint}
        content |= {"from_ms": self.from_ms, "known": known}
        if self.zone is not None:
            content["zone"] = attrs.asdict(self.zone)
        return _text(content)

    @classmethod
    def from_json(cls, text: str) -> FollowCheckpoint:
        """Read what `to_json` gave.

        Raises:
            QueryError: it is damaged, no checkpoint of a follow, or of a newer version.
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
            raise QueryError("this checkpoint is damaged: it lacks a part") from error


def fingerprint(query: FlowQuery) -> str:
    """Give a text that is the same for two queries if, and only if, they ask the same."""
    return _digest(_asked(query))


def follow_fingerprint(query: FlowQuery, *, changes: bool) -> str:
    """The same for two follows."""
    return _digest({**_asked(query), "changes": changes})


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


def _digest(asked: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]


def _text(content: dict[str, Any]) -> str:
    content = {"version": _VERSION, **content}
    return json.dumps({**content, "checksum": _checksum(content)})


def _content(text: str, kind: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(text)
        version, checksum = content["version"], content.pop("checksum")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise QueryError("this is no checkpoint of aioflows, or it was cut off") from error
    if version != _VERSION:
        raise QueryError(f"this checkpoint has version {version!r}; this aioflows reads version {_VERSION}")
    if checksum != _checksum(content):
        raise QueryError("this checkpoint is damaged: its checksum does not fit; use an earlier one")
    if content.get("kind", _SCAN) != kind:
        raise QueryError(f"this is the checkpoint of a {content.get('kind', _SCAN)}, not of a {kind}")
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
    return tuple(None if one is None else int(one) for one in value[0]), str(value[1])


def _zone(value: dict[str, Any] | None) -> ReadZone | None:
    if value is None:
        return None
    return ReadZone(
        str(value["name"]), tuple((int(instant), int(offset)) for instant, offset in value["offsets"])
    )


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
