"""The figures of a scan so far, which all machines add up in the same way."""

from __future__ import annotations

from collections import Counter

import attrs

from aioflows.stats import CountedWindow, Proof

__all__ = ["ScanAccount"]


@attrs.frozen
class ScanAccount:
    """The figures of a scan so far.

    Args:
        rows_received: rows in all answers.
        duplicates: rows that came again and were dropped.
        proofs: number of windows that were read to their end, by the kind of proof.
        counted: windows whose rows were counted, not proven.
        undated: windows whose rows may be dated too late or too early (ms of real time).
        expected: rows to expect in the windows that were not read yet.
    """

    rows_received: int = 0
    duplicates: int = 0
    proofs: Counter[Proof] = attrs.field(factory=Counter)
    counted: tuple[CountedWindow, ...] = ()
    undated: tuple[tuple[int, int], ...] = ()
    expected: float = 0.0

    @property
    def windows(self) -> int:
        """The number of windows that were read to their end."""
        return self.proofs.total()

    def __add__(self, other: ScanAccount) -> ScanAccount:
        return ScanAccount(
            self.rows_received + other.rows_received,
            self.duplicates + other.duplicates,
            self.proofs + other.proofs,
            self.counted + other.counted,
            tuple(sorted({*self.undated, *other.undated})),
            self.expected + other.expected,
        )
