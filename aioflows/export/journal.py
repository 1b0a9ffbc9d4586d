"""The journal entry of an export: how many rows were committed, and the scan's checkpoint behind them."""

from __future__ import annotations

import hashlib
import json

import attrs

from aioflows.checkpoint import Checkpoint
from aioflows.errors import QueryError

__all__ = ["JournalEntry"]

_VERSION = 1


@attrs.frozen(kw_only=True)
class JournalEntry:
    """The progress of an export.

    Args:
        job: the identity of the export. Two exports with the same query, format and options have the same
            identity.
        instances: the instances that were committed.
        length: the part of the draft that counts: bytes of a file, or part files of a folder.
        checkpoint: the position of the scan. None means that nothing was written, or that the order cannot be
            resumed.
        overwrite: True if the export may replace a target that exists.
        done: True if the export is complete.
    """

    job: str
    instances: int = 0
    length: int = 0
    checkpoint: Checkpoint | None = None
    overwrite: bool = False
    done: bool = False

    def to_json(self) -> str:
        """Return the entry as a JSON text."""
        checkpoint = None if self.checkpoint is None else self.checkpoint.to_json()
        content = {"version": _VERSION, **attrs.asdict(self, recurse=False), "checkpoint": checkpoint}
        return json.dumps({**content, "checksum": _checksum(content)})

    @classmethod
    def from_json(cls, text: str | bytes) -> JournalEntry:
        """Return the entry in a text made by `to_json`.

        Raises:
            QueryError: the text is damaged, or has another version.
        """
        try:
            content = json.loads(text)
            checksum, version = content.pop("checksum"), content["version"]
            if version != _VERSION:
                raise QueryError(
                    f"the unfinished export has version {version!r}, but this aioflows reads {_VERSION}; "
                    "give overwrite=True (--overwrite) to begin again"
                )
            if checksum != _checksum(content):
                raise ValueError("checksum")  # noqa: TRY301
            del content["version"]
            kept = content["checkpoint"]
            return cls(**content | {"checkpoint": None if kept is None else Checkpoint.from_json(kept)})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            if isinstance(error, QueryError):
                raise
            raise QueryError(
                "the journal of the unfinished export is damaged; "
                "give overwrite=True (--overwrite) to begin again"
            ) from error


def _checksum(content: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
