"""Where a batch of a stream ends: never too many rows, always a step on, and every row once."""

from __future__ import annotations

import random
from bisect import bisect_left

import pytest

from aioflows import QueryError
from aioflows.spark.batch_end import batch_end, first_pages, further_pages
from aioflows.spark.offsets import StreamOffset
from aioflows.spark.schema import checked_names


class Service:
    """Rows of several types, shown one a page, and refused behind some depth."""

    def __init__(self, types: list[list[int]], *, first_page: int, deepest: int) -> None:
        self.types = [sorted(rows) for rows in types]
        self.first_page, self.deepest = first_page, deepest
        self.requests = 0

    def end(self, limit: int, begin: int, end: int) -> int:
        types = len(self.types)
        shown = self.shown(first_pages(limit, types), begin, end)
        shown |= self.shown(further_pages(limit, types, shown), begin, end)
        return batch_end(limit, begin, end, types, shown)

    def shown(self, pages: list[tuple[int, int]], begin: int, end: int) -> dict[tuple[int, int], int | None]:
        found: dict[tuple[int, int], int | None] = {}
        for type, page in pages:
            self.requests += 1
            rows = [row for row in self.types[type] if begin <= row < end]
            if page <= self.deepest:
                place = page - self.first_page
                found[type, page] = rows[place] if place < len(rows) else None
        return found

    def count(self, begin: int, end: int) -> int:
        return sum(bisect_left(rows, end) - bisect_left(rows, begin) for rows in self.types)


@pytest.mark.parametrize("first_page", [0, 1])
@pytest.mark.parametrize("deepest", [10**9, 40, 1, 0])
@pytest.mark.parametrize("limit", [1, 4, 100, 10_000])
def test_batches_are_not_too_large_and_end_at_last(first_page: int, deepest: int, limit: int) -> None:
    rng = random.Random(limit + deepest)
    counts = rng.choice([(300, 0, 0), (280, 15, 5), (100, 100, 100)])
    rows = [[rng.choice([rng.randrange(400), 7]) for _ in range(count)] for count in counts]
    service = Service(rows, first_page=first_page, deepest=deepest)
    begin, steps = 0, 0
    while begin < 400:
        end = service.end(limit, begin, 400)
        assert begin < end <= 400
        assert service.count(begin, end) <= limit or end == begin + 1
        begin, steps = end, steps + 1
    assert service.requests <= 24 * steps


def test_a_batch_of_one_type_costs_few_requests_and_is_nearly_full() -> None:
    service = Service([[], list(range(5_000)), []], first_page=1, deepest=10**9)
    end = service.end(1_000, 0, 5_000)
    assert service.count(0, end) >= 990
    assert service.requests <= 6


def test_an_offset_of_another_query_or_another_source_is_refused() -> None:
    offset = StreamOffset(5_000, "abc", 2_000)
    assert StreamOffset.from_dict(offset.to_dict(), "abc") == offset
    with pytest.raises(QueryError, match="another query"):
        StreamOffset.from_dict(offset.to_dict(), "abd")
    with pytest.raises(QueryError, match="no offset of this source"):
        StreamOffset.from_dict({"offset": 3}, "abc")


def test_a_first_batch_that_was_not_done_begins_again_where_it_was_planned_to() -> None:
    planned = StreamOffset(9_000, "abc", 2_000)  # all that Spark keeps of the batch
    for other_start in (2_000, 1_000, 5_000, 60_000):
        assert StreamOffset(other_start, "abc", other_start).range_to(planned) == (2_000, 9_000)


def test_a_later_batch_begins_where_the_last_one_ended() -> None:
    done, end = StreamOffset(9_000, "abc", 2_000), StreamOffset(12_000, "abc", 2_000)
    assert done.range_to(end) == (9_000, 12_000)
    assert done.range_to(done) == (9_000, 9_000)


def test_a_schema_beside_other_columns_is_refused() -> None:
    fields = [("status", "bigint", True), ("owner", "string", True)]
    assert checked_names(fields, ("status", "owner"), tasks=False) == ("status", "owner")
    for columns in (("status",), ("owner", "status"), ("duration",)):
        with pytest.raises(QueryError, match=r"columns.*\.schema"):
            checked_names(fields, columns, tasks=False)


def test_a_schema_of_another_type_or_name_is_refused() -> None:
    assert checked_names([("status", "bigint", True), ("instance_id", "string", True)], tasks=False) == (
        "status",
        "instance_id",
    )
    for field, said in [
        (("status", "int", True), "bigint"),
        (("stauts", "bigint", True), "did you mean 'status'"),
        (("status", "bigint", False), "NOT NULL"),
    ]:
        with pytest.raises(QueryError, match=said):
            checked_names([field], tasks=False)
