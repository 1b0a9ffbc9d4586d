"""Whether a scan's pages are first pages, where that is known from other scans only.

A service that counted from 1 may count from 0 when the next scan of a session begins. Then page 1 is the second page, and looks
like a first one. That pages are first pages is shown by a row that another window has shown at its edge, or by what is asked
for anyway. Where nothing of that kind has come, page 0 is asked for once, before a row is handed out.
"""

from __future__ import annotations

import attrs

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.first_page import refusal
from aioflows._core.pages.reading import Page, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows.errors import AioflowsError

__all__ = ["FirstPageCheck"]


class FirstPageCheck:
    """The number by which a scan asks for first pages.

    Args:
        service: what the session knows of the service.
        evidence: what this scan was shown.
    """

    def __init__(self, service: ServiceFacts, evidence: ScanEvidence) -> None:
        self._service = service
        self._evidence = evidence
        self._number = service.first_page
        self._sample: tuple[PageRequest, Page] | None = None
        self.asked = False
        """Whether page 0 was asked for."""

    def note(self, ask: PageRequest, page: Page) -> None:
        """Note an answer: the first page 1 that has rows is what page 0 is compared with."""
        if page.ids and self._sample is None and ask.page_no == 1:
            self._sample = ask, page

    @property
    def unsure(self) -> bool:
        """Whether rows have come by a number that is the first page's only as far as others have found out."""
        return self._sample is not None and not self._evidence.numbered

    @property
    def outdated(self) -> bool:
        """Whether another number was found out meanwhile, so that what was read by this one has to be read anew."""
        return not self._evidence.numbered and self._service.first_page != self._number

    def look(self) -> PageRequest | None:
        """Return the request for page 0 of what page 1 has brought rows of; None: it is not needed, or was sent before."""
        if self._sample is None or self.asked or not self.unsure:
            return None
        self.asked = True
        return attrs.evolve(self._sample[0], page_no=0, tries=2)

    def looked(self, answer: Page | AioflowsError) -> None:
        """Take the answer; raise it if it is an error that says nothing of page numbers."""
        assert self._sample is not None, "page 0 is compared with page 1"
        if isinstance(answer, AioflowsError) and not refusal(answer):
            raise answer
        if isinstance(answer, AioflowsError) or not answer.ids or set(answer.ids) & set(self._sample[1].ids):
            self._evidence.numbered = True
        elif self._service.first_page == self._number:
            self._service.first_page = self._service.base = None
