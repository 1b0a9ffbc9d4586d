"""How many empty answers are needed until something counts as empty.

A broken service returns empty answers as easily as correct ones. So one empty answer is never believed, about a
window, a part of a second, or a deleted row. See docs/algorithms/empty-answers.md.
"""

from __future__ import annotations

from aioflows._core.pages.service_facts import ServiceFacts

__all__ = ["EMPTY_ANSWERS", "ROWS_OF_A_FALSE_ANSWER", "empty_answers_needed"]

EMPTY_ANSWERS = 3
"""Empty answers that are needed if no known row should have come along.

The last two are requested at once, with no other request between. If every n-th answer of a service is wrong,
for any n above 1, one of these two answers is right.
"""

_OF_ALL_THAT_IS_LEFT = 2
"""As `EMPTY_ANSWERS`, if the window is all that remains to be requested.

No requests about other windows come between. A request for a part of the window follows, as the third look.
"""

_AGAINST_A_ROW = 6
"""As `EMPTY_ANSWERS`, if a known row should have come along. False answers are likelier than a deleted row."""

_AFTER_A_FALSE_ONE = 24
"""As `EMPTY_ANSWERS`, after the service has returned a false empty answer."""

ROWS_OF_A_FALSE_ANSWER = 3
"""Rows in an empty window from which the earlier empty answer counts as false. Fewer rows may be new."""


def empty_answers_needed(
    service: ServiceFacts, *, row_known: bool = False, nothing_else: bool = False
) -> int:
    """Return how many empty answers are needed until something counts as empty.

    Args:
        service: the facts about the service that the session knows.
        row_known: True if a known row should have come along.
        nothing_else: True if nothing else remains to be requested.
    """
    needed = _AGAINST_A_ROW if row_known else _OF_ALL_THAT_IS_LEFT if nothing_else else EMPTY_ANSWERS
    return max(needed, _AFTER_A_FALSE_ONE) if service.false_empty_seen else needed
