"""Which number the first page has.

The Pagination structure is documented as counting from 0 and its sample shows 0, the request example beside it sends 1,
and a service that counts from 1 may answer page 0 with its first page, with nothing, or with an error. So page 0 is
asked first, and page 1 where 0 brought nothing; and since one empty or failed answer may be an accident, page 0 once
more before page 1 is taken for the first page.
"""

from __future__ import annotations

import enum

import attrs

from aioflows._core.pages.reading import Page
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
    """What came of asking for a page by its number."""

    ROWS = "rows"
    EMPTY = "empty"
    REFUSED = "refused"


class Step(enum.Enum):
    """What to do next."""

    ASK_0 = "ask page 0"
    ASK_1 = "ask page 1"
    TAKE_0 = "page 0 is the first: take its rows"
    TAKE_1 = "page 1 is the first: take its rows"
    EMPTY = "nothing there, and nothing learnt"
    FAIL = "report the error"


_ROWS, _EMPTY, _REFUSED = Outcome

_A_ROW, _A_STATUS = "$.data.flowInsts[", "HTTP "
"""What errors begin with that say where in an answer a row is bad, and of which status it is."""

_CODES_OF_THE_SERVICE = 1000
"""What is below is an HTTP status."""

_STEPS: dict[tuple[Outcome, ...], Step] = {
    # page 0
    (_ROWS,): Step.TAKE_0,
    (_EMPTY,): Step.ASK_1,
    (_REFUSED,): Step.ASK_1,
    # page 0, page 1
    (_EMPTY, _ROWS): Step.ASK_0,
    (_EMPTY, _EMPTY): Step.EMPTY,
    (_EMPTY, _REFUSED): Step.EMPTY,
    (_REFUSED, _ROWS): Step.ASK_0,
    (_REFUSED, _EMPTY): Step.ASK_1,  # at once: then no other request lies between two looks at it
    (_REFUSED, _REFUSED): Step.FAIL,
    # page 0, page 1, page 0
    (_EMPTY, _ROWS, _ROWS): Step.TAKE_0,
    (_EMPTY, _ROWS, _EMPTY): Step.TAKE_1,
    (_EMPTY, _ROWS, _REFUSED): Step.TAKE_1,
    (_REFUSED, _ROWS, _ROWS): Step.TAKE_0,
    (_REFUSED, _ROWS, _EMPTY): Step.TAKE_1,
    (_REFUSED, _ROWS, _REFUSED): Step.TAKE_1,
    # page 0, page 1, page 1
    (_REFUSED, _EMPTY, _EMPTY): Step.EMPTY,
    (_REFUSED, _EMPTY, _REFUSED): Step.EMPTY,
    (_REFUSED, _EMPTY, _ROWS): Step.ASK_0,
    # page 0, page 1, page 1, page 0
    (_REFUSED, _EMPTY, _ROWS, _ROWS): Step.TAKE_0,
    (_REFUSED, _EMPTY, _ROWS, _EMPTY): Step.TAKE_1,
    (_REFUSED, _EMPTY, _ROWS, _REFUSED): Step.TAKE_1,
}


def next_step(outcomes: tuple[Outcome, ...]) -> Step:
    """Tell what follows from the outcomes so far; the steps that they led to tell whose outcomes they are."""
    return _STEPS[outcomes]


def refusal(error: AioflowsError) -> bool:
    """Return True if an error may be about what was asked for rather than about who asks, or when."""
    return isinstance(error, ServiceError) and not isinstance(
        error, (BadCredentials, Denied, Throttled, TokenExpired)
    )


def no_such_page(error: AioflowsError) -> bool:
    """Return True if an error may mean "there is no page of this number".

    The service would say that itself. A gateway in trouble (HTTP 5xx) says nothing of page numbers, and to take page 1 for
    the first because of it would be to leave out a page everywhere.
    """
    if isinstance(error, Unlisted):
        return True  # page 0 of a service that counts from 1, and leaves out an empty list
    return refusal(error) and not (isinstance(error, ServerFault) and error.code < _CODES_OF_THE_SERVICE)


def unreadable(error: AioflowsError) -> bool:
    """Return True if an answer could not be read as a whole.

    So it may have been too large for something on its way, unlike one of which a row cannot be read, or one whose HTTP status
    is neither yes nor no.
    """
    if isinstance(error, AnswerError):
        return not (error.path.startswith(_A_ROW) or error.problem.startswith(_A_STATUS))
    return isinstance(error, (BrokenBody, Disconnected, Garbled))


@attrs.frozen
class FirstPageSearch:
    """What came of asking for the first page by its numbers, while these are not known.

    Args:
        outcomes: what came, one after the other.
        page: the last page that had rows, which is the one to take if any is.
        last: whether a refusal ends the scan, since nothing else is left to try.
        missing: *rows* that answers without any said there are.
        unlisted: the error of one that did not even have a list.
    """

    outcomes: tuple[Outcome, ...] = ()
    page: Page | None = None
    last: bool = False
    missing: int = 0
    unlisted: Unlisted | None = None

    def then(self, outcome: Outcome, answer: Page | AioflowsError) -> FirstPageSearch:
        """Add an outcome."""
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
        """What to do next."""
        return next_step(self.outcomes)
