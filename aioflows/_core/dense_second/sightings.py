"""Sightings: estimates how many rows no pass has seen, from the passes in which each row was seen.

A row that was seen before and after a pass, but not in it, was overlooked by this pass. So the share of looks
that overlook a row can be measured (capture–recapture). Only rows that were overlooked at least once count: if
ties change between a few fixed orders, some rows are easy to see and others are not.

The estimate holds only for independent passes. A database may break ties by the page that is requested, in
the same way each time. A page that is requested again then brings the same rows.
"""

from __future__ import annotations

from collections import defaultdict

import attrs

from aioflows._core.dense_second.page_pass import PagePass

__all__ = ["Sightings"]

_MIXED = 0.5
"""The share of rows that were overlooked at least once, above which the order of ties counts as random."""

_RENEWED = 10
"""The order of ties changes by chance if more than one in so many repeated pages brings other rows."""


@attrs.define(eq=False)
class _SeenRow:
    """The first and the last pass in which a row was seen, and the number of passes in which it was seen."""

    first: int
    last: int
    times: int = 1


class Sightings:
    """The passes in which the rows of one instant were seen."""

    def __init__(self) -> None:
        self.passes = 0
        """The number of passes."""
        self.without_new = 0
        """The number of consecutive passes, up to the last one, that brought no new row."""
        self.mixed = 0.0
        """The share of rows that were overlooked at least once."""
        self.overlooked = 1.0
        """The share of looks at a row that overlook it."""
        self._rows: dict[str, _SeenRow] = {}
        self._versions: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
        """Hashes of the sets of rows that a page had, by its size and number."""
        self._repeated = self._renewed = 0
        """The number of pages that were requested again, and of those that brought a new set of rows."""

    def add(self, past: PagePass) -> None:
        """Add a pass that came to an end."""
        self.passes += 1
        known = len(self._rows)
        for number, shown in past.pages.items():
            versions, version = self._versions[past.size, number], hash(frozenset(shown.ids))
            self._repeated += bool(versions)
            self._renewed += bool(versions) and version not in versions
            versions.add(version)
        for name in {name for shown in past.pages.values() for name in shown.ids}:
            seen = self._rows.get(name)
            if seen is None:
                self._rows[name] = _SeenRow(self.passes, self.passes)
            else:
                seen.last = self.passes
                seen.times += 1
        self.without_new = self.without_new + 1 if len(self._rows) == known else 0
        self._measure()

    def expected_unseen(self, rows: int) -> float:
        """Return the expected number of rows that existed in every pass and were seen in none.

        Args:
            rows: rows of the last pass.
        """
        return max(1, rows) * self.overlooked**self.passes

    @property
    def well_mixed(self) -> bool:
        """True if ties are mixed so well that rows behind the last page would have come up.

        The same pages must bring other rows most times. An order that depends on the page mixes ties too, but
        a heap, for example, mixes only the rows that it holds.
        """
        return self.mixed > _MIXED and self._renewed * 2 > self._repeated

    @property
    def by_chance(self) -> bool:
        """True if ties are mixed by chance: a page that is requested again brings other rows."""
        return self.mixed > _MIXED and self._renewed * _RENEWED > self._repeated

    def _measure(self) -> None:
        rows = looks = overlooked = between = 0
        for seen in self._rows.values():
            inside = seen.last - seen.first - 1  # the row existed in every pass between these two
            missed = seen.last - seen.first + 1 - seen.times
            between += max(0, inside)
            if missed:
                rows += 1
                looks += inside
                overlooked += missed
        self.mixed = rows / len(self._rows) if self._rows else 0.0
        share = (overlooked + 1) / (looks + 1) if overlooked else 1 / (between + 2)
        self.overlooked = min(share, 1.0)
