"""Rows of a sorted window that wait until their group is complete."""

from __future__ import annotations

from datetime import timedelta

from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.sorted.group_buffer import GroupBuffer
from aioflows._core.sorted.page_groups import PageGroups
from aioflows._core.sorted.sort_keys import SortOrder
from aioflows._core.wire.zone import Zone
from tests.support.model import START
from tests.support.sorted_model import FullRow

ORDER = SortOrder([("start_time", False)], ServiceFacts())


def groups(*rows: tuple[str, int]) -> PageGroups:
    instances = [FullRow(name, START, START + second * 1000).instance() for name, second in rows]
    return PageGroups(instances, [timedelta(seconds=second) for _, second in rows])


def buffer_of(*rows: tuple[str, int]) -> GroupBuffer:
    buffer = GroupBuffer(ORDER, Zone.parse("UTC"))
    buffer.add(groups(*rows), 0)
    buffer.sort()
    return buffer


def ready(buffer: GroupBuffer) -> list[str]:
    return [row.instance_id for _, row in buffer.entries]


def test_a_group_is_handed_out_sorted_once_a_row_of_a_later_group_has_come() -> None:
    buffer = buffer_of(("2", 0), ("1", 0))
    assert ready(buffer) == []
    buffer.add(groups(("3", 5)), 0)
    buffer.sort()
    assert ready(buffer) == ["1", "2"]
    buffer.close()
    buffer.sort()
    assert ready(buffer) == ["1", "2", "3"]


def test_an_id_is_handed_out_once() -> None:
    buffer = buffer_of(("1", 0), ("2", 0))
    buffer.add(groups(("1", 0), ("2", 0), ("3", 5)), 0)
    buffer.sort()
    assert ready(buffer) == ["1", "2"]
    assert buffer.duplicates == 2


def test_rows_that_are_dropped_may_come_again_and_are_preceded_by_a_known_key() -> None:
    buffer = buffer_of(("1", 0), ("2", 5), ("3", 9))
    del buffer.entries[:1]  # handed out
    first = buffer.drop()
    assert first is not None
    assert buffer.seen == {"1"}
    assert first <= ORDER.key(FullRow("2", START, START + 5_000).instance())
    assert len(buffer) == 0
