"""How many empty answers are needed until something counts as empty."""

from __future__ import annotations

from aioflows._core.pages.empty_answer_policy import EMPTY_ANSWERS, empty_answers_needed
from aioflows._core.pages.service_facts import ServiceFacts


def test_one_empty_answer_is_never_believed_and_a_known_row_is_given_up_later_than_nothing() -> None:
    service = ServiceFacts(0)
    nothing_else = empty_answers_needed(service, nothing_else=True)
    against_a_row = empty_answers_needed(service, row_known=True)
    assert 1 < nothing_else < empty_answers_needed(service) == EMPTY_ANSWERS < against_a_row
    assert empty_answers_needed(service, row_known=True, nothing_else=True) == against_a_row


def test_after_a_false_empty_answer_many_more_are_needed_whatever_is_known() -> None:
    service = ServiceFacts(0)
    service.false_empty_seen = True
    needed = {
        empty_answers_needed(service, row_known=known, nothing_else=alone)
        for known in (False, True)
        for alone in (False, True)
    }
    assert len(needed) == 1
    assert min(needed) > 2 * empty_answers_needed(ServiceFacts(0), row_known=True)
