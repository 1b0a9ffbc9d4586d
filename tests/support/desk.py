"""What judges answers, put together without a scan: a test hands in one answer and looks at what that has proven."""

from __future__ import annotations

from collections.abc import Callable

from aioflows._core.pages.ordered_page import OrderedPage, PageReader
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.planning.gaps import Gap, Gaps
from aioflows._core.planning.keyset_state import KeysetOptions, KeysetState
from aioflows._core.wire.zone import Zone
from aioflows.errors import AioflowsError
from tests.support.model import ModelPage, ModelService, ids_of

__all__ = ["Desk"]

_MOST = 2_000
"""Requests after which a conversation is taken for one without end."""


class Desk:
    """The parts of a scan that a judge of answers works with.

    Args:
        spans: the windows that the scan reads, in milliseconds of real time.
        descending: the direction of the scan.
        facts: what the session knows of the service. Default: that pages count from 0.
        zone: the zone that the answers' times are read in.
        options: the options of the scan.
    """

    def __init__(
        self,
        *spans: tuple[int, int],
        descending: bool = False,
        facts: ServiceFacts | None = None,
        zone: Zone | None = None,
        options: KeysetOptions | None = None,
    ) -> None:
        self.axis = Direction(descending)
        self.facts = ServiceFacts(0) if facts is None else facts
        self.reader = PageReader(self.facts)
        self.reader.zone = Zone.parse("UTC") if zone is None else zone
        windows = sorted(self.axis.window(*span) for span in spans)
        self.state = KeysetState(
            windows, self.reader, self.facts, KeysetOptions() if options is None else options
        )
        self.frontier, self.follow_ups, self.evidence = (
            self.state.frontier,
            self.state.follow_ups,
            self.state.evidence,
        )

    @property
    def gaps(self) -> Gaps:
        """The gaps of the scan."""
        return self.frontier.gaps

    @property
    def gap(self) -> Gap:
        """The only gap that is left."""
        (gap,) = self.gaps
        return gap

    @property
    def unproven(self) -> list[tuple[int, int]]:
        """The windows that nothing has proven, in milliseconds of real time, in order."""
        return sorted(self.axis.window(gap.first, gap.until) for gap in self.gaps)

    @property
    def error(self) -> AioflowsError | None:
        """The error that the scan would end with."""
        return next((gap.error for gap in self.gaps if gap.error), self.frontier.error)

    def ask(
        self, first: int, until: int, *, size: int = 10, backward: bool = False, page_no: int = 0
    ) -> PageRequest:
        """Return a request for a window of real time, which is under way from then on."""
        ask = PageRequest(
            *self.axis.window(first, until), self.axis, size, backward=backward, page_no=page_no
        )
        gaps = self.gaps.within(ask.first, ask.until)
        if gaps and backward:
            gaps[-1].end.ask = ask
        elif gaps:
            gaps[0].start.ask = ask
        return ask

    def read(self, ask: PageRequest, page: ModelPage) -> OrderedPage:
        """Read a page, and note it as one that the scan was shown."""
        reading = self.reader.read(ask, page)
        self.evidence.note(ask, reading)
        return reading

    def handed_out(self) -> list[str]:
        """Return the ids of all rows that may be handed out, in order."""
        names = []
        while (run := self.frontier.release.next()) is not None:
            names += ids_of(run)
        return names

    def serve(
        self,
        service: ModelService,
        ordinary: Callable[[PageRequest, ModelPage], None] = lambda ask, page: None,
    ) -> list[PageRequest]:
        """Answer the requests that were found necessary until there are none; return them.

        Args:
            service: what answers.
            ordinary: takes an answer that no job waits for.
        """
        asked: list[PageRequest] = []
        while (ask := self.follow_ups.next()) is not None:
            assert len(asked) < _MOST, "it does not come to an end"
            asked.append(ask)
            job = self.follow_ups.job(ask)
            try:
                page = service.answer(ask)
            except AioflowsError as error:
                assert job is not None, "an error is taken by the scan"
                job(error)
            else:
                ordinary(ask, page) if job is None else job(page)
        return asked
