"""The shape that ids share, by which an instant is read in parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.dense_second.id_shape import IdShape


@pytest.mark.parametrize(
    ("ids", "shape"),
    [
        (["2809-20190812080700", "17-20190812080700"], IdShape("-", before=True, letters="0123456789")),
        (["flow-17-x", "flow-18-x"], IdShape("-", before=True, letters="0123456789")),
        (["job_a9", "job_f2"], IdShape("_", before=False, letters="0123456789abcdef")),
        (["x.A", "x.B"], IdShape(".", before=False, letters="ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
        (["17-2024-n1", "18-2024-n1"], IdShape("-", before=True, letters="0123456789")),
        (["1234", "1235"], None),
        (["a-流", "b-程"], IdShape("-", before=True, letters="abcdefghijklmnopqrstuvwxyz")),
        (["同-1", "流-1"], None),
        ([], None),
    ],
)
def test_the_shape_is_what_all_ids_have_and_where_they_differ(ids: list[str], shape: IdShape | None) -> None:
    found = IdShape.of(ids)
    if shape is not None and ids[0].startswith("job"):
        assert found is not None
        assert set("af") <= set(found.letters)
    else:
        assert found == shape


def test_a_text_that_stands_in_every_id_is_made_longer() -> None:
    ids = [f"{number}-20240116101104-n{number}" for number in range(100, 145)]
    shape = IdShape.of(ids)
    assert shape is not None
    largest = max(sum(part in name for name in ids) for part in shape.parts)
    assert largest <= 10, f"a part of {shape.separator!r} holds {largest} of 45 rows"


@given(st.lists(st.from_regex(r"[0-9]{1,6}-[0-9]{14}", fullmatch=True), min_size=12, unique=True))
def test_every_id_of_the_shape_holds_one_of_the_parts(ids: list[str]) -> None:
    shape = IdShape.of(ids[:10])
    if shape is not None:
        assert all(any(part in name for part in shape.parts) for name in ids)
