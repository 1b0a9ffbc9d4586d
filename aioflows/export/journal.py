"""How far an export is: what was written, and where the scan stood then, as one value that moves as a whole."""

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
    """How far an export is.

    Args:
        job: tells *what* is exported, and how: the same for two exports that give the same.
        instances: *instances* that were written.
        length: how much of the draft counts: *bytes* of a file, part files of a folder.
        checkpoint: where the scan *stood*; None: nothing was written, or the order is one that cannot be gone on with.
        overwrite: whether a target that exists may be replaced by it.
        done: whether that is all.
    """

    job: str
    instances: int = 0
    length: int = 0
    checkpoint: Checkpoint | None = None
    overwrite: bool = False
    done: bool = False

    def to_json(self) -> str:
        """Give it as a JSON text."""
        checkpoint = None if self.checkpoint is None else self.checkpoint.to_json()
        content = {"version": _VERSION, **attrs.asdict(self, recurse=False), "checkpoint": checkpoint}
        return json.dumps({**content, "checksum": _checksum(content)})

    @classmethod
    def from_json(cls, text: str | bytes) -> JournalEntry:
        """Read what `to_json` gave.

        Raises:
            QueryError: it is damaged, or of a newer version.
        """
        try:
            content = json.loads(text)
            checksum, version = content.pop("checksum"), content["version"]
            if version != _VERSION:
                raise QueryError(
                    f"the unfinished export has version {version!r}; this aioflows reads {_VERSION}"
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
                "the account of the unfinished export is damaged; give overwrite=True (--overwrite) to begin again"
            ) from error


def _checksum(content: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
