"""The checkpoint of a board: what it has read, where its follow and its scan go on, and a checksum.

The runs are packed bin by bin, since only the newest bins change between two checkpoints.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo

import attrs

from aioflows._core.board.runs import BoardRun
from aioflows._sealed import sealed, unsealed
from aioflows._statuses import STATUSES, ScheduleType
from aioflows.errors import QueryError

__all__ = ["SavedBoard", "pack_runs"]

_VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_BIN = 500_000_000  # bytes
_ADVICE = "delete it, or name another file"


def pack_runs(runs: Iterable[BoardRun]) -> str:
    """Return runs as a text."""
    rows = [
        [
            run.instance_id,
            run.flow_id,
            run.flow_name,
            run.freq,
            run.owner,
            run.type,
            run.status,
            run.trigger_ms,
            run.start_ms,
            run.end_ms,
        ]
        for run in runs
    ]
    return base64.b85encode(zlib.compress(json.dumps(rows).encode(), 1)).decode()


def _unpack_runs(text: str, zone: tzinfo) -> list[BoardRun]:
    rows = json.loads(zlib.decompressobj().decompress(base64.b85decode(text), _LARGEST_BIN))
    epoch = _EPOCH.astimezone(zone)

    def time(ms: int | None) -> datetime | None:
        return None if ms is None else (_EPOCH + timedelta(milliseconds=ms)).astimezone(zone)

    return [
        BoardRun(
            str(id),
            flow_id,
            name,
            freq,
            owner,
            None if type is None else ScheduleType(type),
            STATUSES.get(status, status),
            time(trigger) or epoch,
            time(start),
            time(end),
        )
        for id, flow_id, name, freq, owner, type, status, trigger, start, end in rows
    ]


@attrs.frozen
class SavedBoard:
    """A checkpoint of a board.

    Args:
        fingerprint: the fingerprint of what the board shows.
        from_ms: the start of the range that is read as history (ms since the epoch).
        since_ms: its end, where the follow began.
        follow: the checkpoint of the follow, as JSON.
        scan: the checkpoint of the scan of the history, as JSON. None means that the history was read.
        bins: the packed runs by bin.
    """

    fingerprint: str
    from_ms: int
    since_ms: int
    follow: str
    scan: str | None
    bins: Mapping[int, str]

    def to_json(self) -> str:
        """Return the checkpoint as a JSON text."""
        content = attrs.asdict(self, recurse=False)
        content["bins"] = [[number, text] for number, text in self.bins.items()]
        return sealed({"kind": "board", **content}, _VERSION)

    @classmethod
    def from_json(cls, text: str | bytes) -> SavedBoard:
        """Return the checkpoint that `to_json` wrote.

        Raises:
            QueryError: the text is damaged, or is something else.
        """
        content = unsealed(text, (_VERSION,), "checkpoint of a board", _ADVICE)
        if content.pop("kind", None) != "board":
            raise QueryError(f"this is not the checkpoint of a board; {_ADVICE}")
        try:
            content["bins"] = {int(number): str(packed) for number, packed in content["bins"]}
            return cls(**content)
        except (TypeError, KeyError, ValueError) as error:
            raise QueryError(f"this checkpoint of a board is damaged; {_ADVICE}") from error

    def check(self, fingerprint: str) -> None:
        """Check that the checkpoint is of a board that shows the same.

        Raises:
            QueryError: it is of another board.
        """
        if self.fingerprint != fingerprint:
            raise QueryError(
                "the checkpoint is of a board of another service, user, time or selection; start it as before, or "
                "name another file"
            )

    def runs(self, zone: tzinfo, wanted: Callable[[int], bool]) -> Iterable[BoardRun]:
        """Yield the runs of the wanted bins.

        Args:
            zone: the zone of their times.
            wanted: returns True for the number of a bin whose runs are wanted.

        Raises:
            QueryError: the runs of a bin cannot be read.
        """
        for number, text in self.bins.items():
            if wanted(number):
                try:
                    yield from _unpack_runs(text, zone)
                except (ValueError, TypeError, zlib.error) as error:
                    raise QueryError(f"this checkpoint of a board is damaged; {_ADVICE}") from error
