"""The file of a board's checkpoint."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from aioflows._core.board.saved_board import SavedBoard, pack_runs
from aioflows._core.board.state import BoardState
from aioflows.errors import QueryError
from aioflows.export.errors import as_sink_error
from aioflows.export.filesystem import FileSystem, write_atomically

__all__ = ["CheckpointFile"]


class CheckpointFile:
    """The checkpoint of a board in a file.

    Args:
        path: the path. None means that nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._packed: dict[int, str] = {}
        self._writing = threading.Lock()  # a write goes on in its thread when its task is cancelled

    def read(self, fingerprint: str) -> SavedBoard | None:
        """Return the checkpoint in the file. None means that there is no file.

        Raises:
            QueryError: the file cannot be read, or is the checkpoint of something else.
        """
        if self.path is None:
            return None
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            if not self.path.parent.is_dir():
                raise QueryError(
                    f"checkpoint {str(self.path)!r}: there is no folder {str(self.path.parent)!r}; make it first"
                ) from None
            return None
        except OSError as error:
            raise QueryError(f"checkpoint {str(self.path)!r} cannot be read: {error.strerror}") from error
        try:
            saved = SavedBoard.from_json(content)
            saved.check(fingerprint)
        except QueryError as error:
            raise QueryError(f"checkpoint {str(self.path)!r}: {error}") from None
        return saved

    async def pack(self, state: BoardState) -> dict[int, str]:
        """Return the packed runs by bin, once they are all packed. Other tasks have their turn meanwhile."""
        while state.changed_bins:
            number = state.changed_bins.pop()
            if runs := state.bin_runs(number):
                self._packed[number] = pack_runs(runs)
            else:
                self._packed.pop(number, None)
            await asyncio.sleep(0)
        return self._packed

    def write(self, saved: SavedBoard) -> None:
        """Replace the file in one step.

        Raises:
            SinkError: it cannot be written.
        """
        assert self.path is not None
        with self._writing, as_sink_error(str(self.path)):
            write_atomically(FileSystem(), self.path, saved.to_json().encode())
