"""The journal entry of an export: the number of committed rows, and the scan's checkpoint behind these."""

from __future__ import annotations

import attrs

from aioflows._sealed import sealed, unsealed
from aioflows.checkpoint import Checkpoint

__all__ = ["JournalEntry"]

_VERSION, _OLDER = 2, 1


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
        size: for gzip, the length of the text that counts (bytes). Default: 0.
        crc: for gzip, the CRC-32 of the text that counts. Default: 0.
        overwrite: True if the export may replace a target that exists.
        done: True if the export is complete.
        series: the identity of all exports that may be appended to each other. Default: "", which means unknown.
        base: the state of the target that the draft began with. Default: "", which means that there was none.
        adopted: the part of `length` that was copied from the target. Default: 0.
        first_ms: the start of the target's range (epoch ms). Default: None, which means unknown.
    """

    job: str
    instances: int = 0
    length: int = 0
    size: int = 0
    crc: int = 0
    checkpoint: Checkpoint | None = None
    overwrite: bool = False
    done: bool = False
    series: str = ""
    base: str = ""
    adopted: int = 0
    first_ms: int | None = None

    def to_json(self) -> str:
        """Return the entry as a JSON text."""
        checkpoint = None if self.checkpoint is None else self.checkpoint.to_json()
        return sealed(attrs.asdict(self, recurse=False) | {"checkpoint": checkpoint}, _VERSION)

    @classmethod
    def from_json(cls, text: str | bytes) -> JournalEntry:
        """Return the entry in a text made by `to_json`.

        Raises:
            QueryError: the text is damaged, or has another version.
        """
        content = unsealed(
            text,
            (_VERSION, _OLDER),
            "journal of an unfinished export",
            "give overwrite=True (--overwrite) to begin again",
        )
        kept = content["checkpoint"]
        return cls(**content | {"checkpoint": None if kept is None else Checkpoint.from_json(kept)})
