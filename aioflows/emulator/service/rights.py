"""Which rows a user may see."""

from __future__ import annotations

import zlib

_ALL = 2**32


class Rights:
    """The rights on a share of all rows.

    Args:
        share: the *share*; 1 means every row.
        seed: another *number* gives other rows.
    """

    def __init__(self, share: float, seed: int) -> None:
        self._below = round(share * _ALL)
        self._salt = f"{seed} rights ".encode()

    def visible(self, id: str) -> bool:
        """Return True if the user may see the row with this id."""
        return self._below == _ALL or zlib.crc32(self._salt + id.encode()) < self._below
