"""The state of one keyset scan, which all its parts share."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.ordered_page import PageReader
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.planning.frontier import Frontier

__all__ = ["KeysetOptions", "KeysetState"]

_MOST_PARTS = 128
"""The most windows that a stretch is cut into, if the limit of the service is unknown."""


@attrs.frozen
class KeysetOptions:
    """The options of a keyset scan.

    Args:
        page_size: rows per request. Default: 500.
        ordered: True if rows are released in order, False if rows are released as their pages come. Default:
            True.
        splits: True if dense seconds may be read in parts, by a text in ids. False if the query has a text.
            Default: True.
        filtered: True if the query leaves out rows by more than their type and time. Default: False.
        alone: True if no other scan sends requests in turn with this one. Default: True.
        confirm: True if ends that no row has shown are requested again. Default: True.
        growing: True if many rows may still appear at once in empty ranges, so that new rows do not show that
            an empty answer was false. Default: False.
    """

    page_size: int = 500
    ordered: bool = True
    splits: bool = True
    filtered: bool = False
    alone: bool = True
    confirm: bool = True
    growing: bool = False


class KeysetState:
    """The state of a keyset scan. The parts of the scan read it and change it.

    Args:
        spans: the windows to read, in order (milliseconds of scan time).
        reader: the reader of answers.
        service: the facts about the service that the session knows.
        options: the options of the scan.
    """

    def __init__(
        self,
        spans: Sequence[tuple[int, int]],
        reader: PageReader,
        service: ServiceFacts,
        options: KeysetOptions,
    ) -> None:
        self.frontier = Frontier(spans, options.ordered)
        self.gaps = self.frontier.gaps
        self.follow_ups = self.frontier.follow_ups
        self.reader = reader
        self.service = service
        self.evidence = ScanEvidence(service)
        self.options = options
        self._wanted_size = options.page_size
        self.sizes_tried = False
        """True if no page size was answered, so that pages of one row were tried."""
        self.renumbered = False
        """True if the known number of the first page was refused, so that it was searched again."""

    def begin_again(self) -> KeysetState:
        """Return the state of the same scan with nothing read. Page sizes and numbers are not tried again."""
        state = KeysetState(self.frontier.spans, self.reader, self.service, self.options)
        state.sizes_tried, state.renumbered = self.sizes_tried, self.renumbered
        return state

    @property
    def page_size(self) -> int:
        """The usual page size (rows): the size of the options, or a smaller size if that is refused."""
        return self.service.usual(self._wanted_size)

    @property
    def full_page(self) -> int:
        """The expected rows of a full page of the usual size."""
        return self.service.full(self.page_size)

    def read_in_parts(self, first: int, until: int, width: int | None = None) -> None:
        """Cut a stretch into windows that are not wider than the service was seen to look.

        Args:
            first: where the stretch starts (milliseconds of scan time).
            until: where the stretch ends (milliseconds of scan time).
            width: the longest window that is answered (milliseconds). Default: None, which means the longest
                window that the scan has seen answered.
        """
        if width is None:
            width = max(self.evidence.seen, (until - first) // _MOST_PARTS)
        else:
            self.evidence.shown(width)
        seen = max(1000, width // 1000 * 1000)
        self.service.cuts_to(seen)
        for cut in range(first // 1000 * 1000 + seen, until, seen):
            for gap in self.gaps.within(cut - 1, cut + 1):
                if gap.first < cut < gap.until:
                    self.gaps.split(gap, cut)
        for gap in self.gaps.within(first, until):
            gap.halvings = max(1, gap.halvings)
