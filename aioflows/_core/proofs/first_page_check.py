"""First page check: does this scan request first pages, if only other scans have found out the number?

A service that counted from 1 may count from 0 when the next scan of a session begins. Then page 1 is the
second page, but looks like a first page. A row at the edge of two windows shows that pages are first pages, and
so do some other answers of the scan. If no such answer has come, page 0 is requested once, before the scan
returns a row.
"""

from __future__ import annotations

import attrs

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.first_page import refusal
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows.errors import AioflowsError

__all__ = ["FirstPageCheck"]


class FirstPageCheck:
    """The check of the number by which a scan requests first pages.

    Args:
        service: facts of the session about the service.
        evidence: facts of this scan.
    """

    def __init__(self, service: ServiceFacts, evidence: ScanEvidence) -> None:
        self._service = service
        self._evidence = evidence
        self._number = service.first_page
        self._sample: tuple[PageRequest, Page] | None = None
        self.asked = False
        """True after page 0 was requested."""

    def note(self, ask: PageRequest, page: Page) -> None:
        """Note an answer. Page 0 is later compared with the first page 1 that has rows."""
        if page.ids and self._sample is None and ask.page_no == 1:
            self._sample = ask, page

    @property
    def unsure(self) -> bool:
        """True if rows came from page 1, and only other scans have shown that page 1 is the first page."""
        return self._sample is not None and not self._evidence.numbered

    @property
    def outdated(self) -> bool:
        """True if the number was found to be another meanwhile, so that the scan must read its rows again."""
        return not self._evidence.numbered and self._service.first_page != self._number

    def look(self) -> PageRequest | None:
        """Return the request for page 0, once and if it is needed. Otherwise return None."""
        if self._sample is None or self.asked or not self.unsure:
            return None
        self.asked = True
        return attrs.evolve(self._sample[0], page_no=0, tries=2)

    def looked(self, answer: Page | AioflowsError) -> None:
        """Note the answer to the request for page 0. Raise an error that is not about page numbers."""
        assert self._sample is not None, "page 0 is compared with page 1"
        if isinstance(answer, AioflowsError) and not refusal(answer):
            raise answer
        if isinstance(answer, AioflowsError) or not answer.ids or set(answer.ids) & set(self._sample[1].ids):
            self._evidence.numbered = True
        elif self._service.first_page == self._number:
            self._service.first_page = self._service.base = None
