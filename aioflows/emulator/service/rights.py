"""The rights of a user to see rows."""

from __future__ import annotations

import zlib

_ALL = 2**32


class Rights:
    """The rights to a share of all rows.

    Args:
        share: the share, from 0 to 1. 1 means every row.
        seed: the seed of the draw.
    """

    def __init__(self, share: float, seed: int) -> None:
        self._below = round(share * _ALL)
        self._salt = f"{seed} rights ".encode()

    def visible(self, id: str) -> bool:
        """Return True if the user may see the row with this id."""
        return self._below == _ALL or zlib.crc32(self._salt + id.encode()) < self._below
