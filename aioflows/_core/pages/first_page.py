"""The search for the number of the first page: 0 or 1.

The vendor's documentation contradicts itself: the Pagination structure counts from 0 and the sample shows 0,
but the request example sends 1. A service that counts from 1 may answer page 0 with its first page, without
rows, or with an error.

So page 0 is requested first, and page 1 if page 0 had no rows. One empty or failed answer may be transient, so
page 0 is requested once more before page 1 counts as the first page.
"""

from __future__ import annotations

import enum

import attrs

from aioflows._core.pages.page import Page
from aioflows._core.resilience.retry import Disconnected, Garbled
from aioflows._core.wire.envelope import Unlisted
from aioflows.errors import (
    AioflowsError,
    AnswerError,
    BadCredentials,
    BrokenBody,
    Denied,
    ServerFault,
    ServiceError,
    Throttled,
    TokenExpired,
)

__all__ = ["FirstPageSearch", "Outcome", "Step", "next_step", "no_such_page", "refusal", "unreadable"]


class Outcome(enum.Enum):
    """The outcome of a request for a page by its number."""

    ROWS = "rows"
    EMPTY = "empty"
    REFUSED = "refused"


class Step(enum.Enum):
    """The next step of the search."""

    ASK_0 = "ask page 0"
    ASK_1 = "ask page 1"
    TAKE_0 = "page 0 is the first: take its rows"
    TAKE_1 = "page 1 is the first: take its rows"
    EMPTY = "no rows, and the number stays unknown"
    FAIL = "report the error"


_ROWS, _EMPTY, _REFUSED = Outcome

_A_ROW, _A_STATUS = "$.data.flowInsts[", "HTTP "
"""The starts of two error texts: the path to a bad row, and an odd HTTP status (neither success nor failure)."""

_CODES_OF_THE_SERVICE = 1000
"""The lowest code that the service itself returns. Lower codes are HTTP statuses."""

_STEPS: dict[tuple[Outcome, ...], Step] = {
    # after page 0
    (_ROWS,): Step.TAKE_0,
    (_EMPTY,): Step.ASK_1,
    (_REFUSED,): Step.ASK_1,
    # after page 0, page 1
    (_EMPTY, _ROWS): Step.ASK_0,
    (_EMPTY, _EMPTY): Step.EMPTY,
    (_EMPTY, _REFUSED): Step.EMPTY,
    (_REFUSED, _ROWS): Step.ASK_0,
    (_REFUSED, _EMPTY): Step.ASK_1,  # at once, so that no other request comes between the two
    (_REFUSED, _REFUSED): Step.FAIL,
    # after page 0, page 1, page 0
    (_EMPTY, _ROWS, _ROWS): Step.TAKE_0,
    (_EMPTY, _ROWS, _EMPTY): Step.TAKE_1,
    (_EMPTY, _ROWS, _REFUSED): Step.TAKE_1,
    (_REFUSED, _ROWS, _ROWS): Step.TAKE_0,
    (_REFUSED, _ROWS, _EMPTY): Step.TAKE_1,
    (_REFUSED, _ROWS, _REFUSED): Step.TAKE_1,
    # after page 0, page 1, page 1
    (_REFUSED, _EMPTY, _EMPTY): Step.EMPTY,
    (_REFUSED, _EMPTY, _REFUSED): Step.EMPTY,
    (_REFUSED, _EMPTY, _ROWS): Step.ASK_0,
    # after page 0, page 1, page 1, page 0
    (_REFUSED, _EMPTY, _ROWS, _ROWS): Step.TAKE_0,
    (_REFUSED, _EMPTY, _ROWS, _EMPTY): Step.TAKE_1,
    (_REFUSED, _EMPTY, _ROWS, _REFUSED): Step.TAKE_1,
}


def next_step(outcomes: tuple[Outcome, ...]) -> Step:
    """Return the next step after the outcomes so far, listed in the order of the requests."""
    return _STEPS[outcomes]


def refusal(error: AioflowsError) -> bool:
    """Return True if the service may have refused the content of the request.

    Errors about the user, the token or the request rate do not count.
    """
    return isinstance(error, ServiceError) and not isinstance(
        error, (BadCredentials, Denied, Throttled, TokenExpired)
    )


def no_such_page(error: AioflowsError) -> bool:
    """Return True if an error may mean that no page has this number.

    Only the service itself can report a missing page. A failing gateway (HTTP 5xx) knows no page numbers. If
    page 1 counted as the first page because of a gateway's error, every window would lack a page.
    """
    if isinstance(error, Unlisted):
        return True  # a service that counts from 1 may leave out the empty list of page 0
    return refusal(error) and not (isinstance(error, ServerFault) and error.code < _CODES_OF_THE_SERVICE)


def unreadable(error: AioflowsError) -> bool:
    """Return True if a whole answer was unreadable, perhaps because a proxy cut it.

    A single unreadable row, or an HTTP status that means neither success nor failure, does not count.
    """
    if isinstance(error, AnswerError):
        return not (error.path.startswith(_A_ROW) or error.problem.startswith(_A_STATUS))
    return isinstance(error, (BrokenBody, Disconnected, Garbled))


@attrs.frozen
class FirstPageSearch:
    """The outcomes of the search so far.

    Args:
        outcomes: outcomes in the order of the requests. Default: no outcomes.
        page: last page with rows, which is the page to use. Default: None, which means that no page had rows.
        last: True if a refusal ends the scan, because no other request is left to try. Default: False.
        missing: largest count (rows) that an answer without rows stated. Default: 0.
        unlisted: error of an answer without a list of rows. Default: None, which means no such answer.
    """

    outcomes: tuple[Outcome, ...] = ()
    page: Page | None = None
    last: bool = False
    missing: int = 0
    unlisted: Unlisted | None = None

    def then(self, outcome: Outcome, answer: Page | AioflowsError) -> FirstPageSearch:
        """Return the search with one more outcome."""
        page, missing, unlisted = self.page, self.missing, self.unlisted
        if not isinstance(answer, AioflowsError):
            page, missing = answer if outcome is Outcome.ROWS else page, max(missing, answer.count or 0)
        elif isinstance(answer, Unlisted):
            unlisted = answer
        return attrs.evolve(
            self, outcomes=(*self.outcomes, outcome), page=page, missing=missing, unlisted=unlisted
        )

    @property
    def step(self) -> Step:
        """The next step."""
        return next_step(self.outcomes)
