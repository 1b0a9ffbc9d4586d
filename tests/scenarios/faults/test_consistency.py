"""Answers that contradict the question, or each other (faults C2 to C4). C1 is ``tests/scenarios/test_threats.py``."""

from __future__ import annotations

from typing import Any

import pytest

from aioflows import CompletenessError, FlowStatus
from aioflows.emulator import Fault
from aioflows.query import SortKey
from tests.support.story import ORDERS, told

ALL_ORDERS = pytest.mark.parametrize("order", ORDERS)


class TestRows:
    # C2

    @ALL_ORDERS
    @pytest.mark.parametrize("at", [1, 2, 9])
    async def test_rows_out_of_order_are_told(self, at: int, order: SortKey | None) -> None:
        story = await told(Fault(at, "disordered", times=1000), order=order)
        assert isinstance(story.error, CompletenessError)
        assert "order" in str(story.error)

    @ALL_ORDERS
    @pytest.mark.parametrize("at", [1, 2, 9])
    @pytest.mark.parametrize("kind", ["foreign-row", "moved-row"])
    async def test_a_row_outside_the_window_is_told(self, kind: str, at: int, order: SortKey | None) -> None:
        story = await told(Fault(at, kind, times=1000), order=order)
        assert isinstance(story.error, CompletenessError)
        assert "outside the window" in str(story.error) or "order" in str(story.error)

    @ALL_ORDERS
    @pytest.mark.parametrize("kind", ["repeated-row", "changed-row"])
    async def test_of_a_row_that_stands_twice_in_a_page_one_is_kept(
        self, kind: str, order: SortKey | None
    ) -> None:
        story = await told(Fault(1, kind, times=1000), order=order)
        assert story.error is None
        assert story.stats.duplicates

    @ALL_ORDERS
    async def test_one_that_stands_there_with_two_trigger_times_is_told(self, order: SortKey | None) -> None:
        story = await told(Fault(2, "moved-twin", times=1000), order=order)
        assert isinstance(story.error, CompletenessError)
        assert any(word in str(story.error) for word in ("two trigger times", "order", "rounds its times"))


class TestIgnored:
    # C3

    @ALL_ORDERS
    @pytest.mark.parametrize("ignored", ["sorters", "from", "to", "descending"])
    async def test_a_service_that_ignores_the_question_is_told_or_does_not_matter(
        self, ignored: str, order: SortKey | None
    ) -> None:
        story = await told(ignore={ignored}, order=order)
        assert story.error is None or isinstance(story.error, CompletenessError)
        assert len(story.outcomes) < 200
        if ignored == "sorters":
            assert story.error is not None

    @ALL_ORDERS
    async def test_one_that_ignores_the_status_is_told_before_a_wrong_row_is_given(
        self, order: SortKey | None
    ) -> None:
        # The rows that came before and after are judged by `told`: each of them has the status asked for.
        story = await told(ignore={"status"}, order=order, status=[FlowStatus.FAIL])
        assert isinstance(story.error, CompletenessError)
        assert "status" in str(story.error)
        assert len(story.outcomes) < 50

    @ALL_ORDERS
    @pytest.mark.parametrize("seed", range(4))
    async def test_one_that_ignores_the_type_is_told_before_a_row_is_given_twice(
        self, seed: int, order: SortKey | None
    ) -> None:
        story = await told(
            ignore={"type"}, order=order, schedule_types=(0, 1, 2), latency_spread=2.0, seed=seed
        )
        assert isinstance(story.error, CompletenessError)
        assert "schedule type" in str(story.error)
        assert len(story.outcomes) < 50


class TestNoProgress:
    # C4

    @ALL_ORDERS
    @pytest.mark.parametrize("types", [(1,), (0, 1, 2)])
    @pytest.mark.parametrize("profile", ["uniform", "one-second", "midnight"])
    async def test_the_same_answer_for_ever_ends_after_a_few_requests(
        self, profile: str, types: tuple[int, ...], order: SortKey | None
    ) -> None:
        world: dict[str, Any] = {"profile": profile, "schedule_types": types}
        story = await told(same_answer=True, order=order, **world)
        assert isinstance(story.error, CompletenessError)
        assert len(story.outcomes) < 200
