"""The statuses that end a wait, however they are given."""

from __future__ import annotations

from typing import Any

import pytest

from aioflows import FlowStatus, QueryError
from aioflows._core.wait.until import statuses_of

FINAL = {-1, 1, 4, 7, 8, 10}


@pytest.mark.parametrize(
    ("until", "codes"),
    [
        (FlowStatus.is_final, FINAL),
        (lambda status: status.is_final, FINAL),
        (lambda status: status == FlowStatus.RUNNING, {2}),
        (FlowStatus.SUCCESS, {1}),
        ("success", {1}),
        ({FlowStatus.FAIL, "CANCEL", 2}, {-1, 8, 2}),
        ([42], {42}),
        (property(lambda status: status == FlowStatus.WAIT), {5}),
    ],
)
def test_a_predicate_a_property_a_status_a_name_and_several_of_them_end_a_wait(
    until: Any, codes: set[int]
) -> None:
    assert statuses_of(until) == codes


@pytest.mark.parametrize("until", [(), lambda status: False, "done", {True}, {None}, None, {1.5}])
def test_what_no_status_satisfies_is_refused_before_anything_is_sent(until: Any) -> None:
    with pytest.raises(QueryError, match="until"):
        statuses_of(until)
