"""The batches of a task: all rows, in order, the first ones early."""

from __future__ import annotations

import pytest

from aioflows.governor import Governor
from aioflows.spark.options import SourceOptions
from aioflows.spark.reading import _in_pieces, _larger, new_session, plan
from aioflows.spark.windows import TaskWindow

pa = pytest.importorskip("pyarrow")

AT = 1_767_225_600_000


@pytest.mark.parametrize("sizes", [[], [1], [500] * 40, [10, 900, 3_000, 5, 5]])
def test_batches_grow_and_lose_no_row(sizes: list[int]) -> None:
    numbers = iter(range(100_000))
    batches = [pa.record_batch({"n": [next(numbers) for _ in range(size)]}) for size in sizes]
    got = list(_larger(batches))
    assert [row for one in got for row in one["n"].to_pylist()] == list(range(sum(sizes)))
    assert [one.num_rows for one in got[:2]] == sizes[:2]
    assert len(got) <= 10


def test_batches_of_long_texts_have_fewer_rows() -> None:
    batches = [pa.record_batch({"n": [number] * 10, "text": ["x" * 100_000] * 10}) for number in range(40)]
    got = list(_larger(batches))
    assert [row for one in got for row in one["n"].to_pylist()] == [
        number for number in range(40) for _ in range(10)
    ]
    assert max(one.nbytes for one in got) < 9_100_000


@pytest.mark.parametrize("rows", [1, 25, 500])
@pytest.mark.parametrize("text", ["", "x" * 1_000])
def test_the_first_rows_are_pushed_out_of_the_buffer_of_a_worker(rows: int, text: str) -> None:
    batch = pa.record_batch({"n": range(rows), "text": [text] * rows})
    first, *others = _in_pieces(batch)
    assert pa.Table.from_batches([first, *others]).equals(pa.Table.from_batches([batch]))
    assert first.num_rows == min(rows, 25)
    assert sum(pa.ipc.get_record_batch_size(one) for one in others) >= 65_536


def test_an_empty_range_is_planned_without_a_request_and_accounted_for() -> None:
    with Governor() as governor:
        given = {"url": "http://127.0.0.1:9", "user_id": "u", "org_id": "o", "governor": governor.address}
        (window,) = plan(SourceOptions.parse(given), AT, AT, 2)
        assert window.is_empty
        assert governor.account().ok


def test_the_plan_of_a_stream_keeps_its_session_and_has_no_first_window() -> None:
    options = SourceOptions.parse({"url": "http://127.0.0.1:9", "user_id": "u", "org_id": "o"})
    with new_session(options) as session:
        assert not plan(options, AT, AT, 2, session)[0].is_first
        assert session.cuts(options.query(AT, AT), 1)
    assert plan(options, AT, AT, 2)[0].is_first


def test_a_window_is_named_by_its_bounds() -> None:
    window = TaskWindow(1_767_225_600_000, 1_767_225_600_000)
    assert str(window) == "the window from 2026-01-01T00:00:00+00:00 to 2026-01-01T00:00:00+00:00"
    assert window.is_empty
