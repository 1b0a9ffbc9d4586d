"""Keys: in which order rows go, and where those go that lack a field."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.sorted.sort_keys import SortOrder, by_key
from aioflows._core.wire.zone import Zone
from aioflows.errors import CompletenessError
from aioflows.models import FlowInstance, ScheduleType
from tests.support.model import START
from tests.support.sorted_model import FIELDS, FullRow, in_order, lacks_first

BERLIN = ZoneInfo("Europe/Berlin")

times = st.one_of(st.none(), st.integers(START, START + 5_000))
rows = st.lists(
    st.builds(
        FullRow,
        st.integers(0, 999).map(str),
        st.integers(START, START + 5_000),
        times,
        times,
        times,
    ),
    max_size=30,
    unique_by=lambda row: row.id,
)
orders = st.lists(st.tuples(st.sampled_from(FIELDS), st.booleans()), min_size=1, unique_by=lambda one: one[0])


def service_with(nulls: str) -> ServiceFacts:
    service = ServiceFacts()
    for field in FIELDS:
        for falling in (False, True):
            service.nulls_first[field, falling] = lacks_first(nulls, descending=falling)
    return service


@given(rows, orders, st.sampled_from(["smallest", "first", "last"]))
def test_keys_rise_as_rows_go_when_they_are_sorted_field_by_field(
    rows: list[FullRow], sorters: list[tuple[str, bool]], nulls: str
) -> None:
    entries = SortOrder(sorters, service_with(nulls)).entries(row.instance() for row in rows)
    assert [row.instance_id for _, row in entries] == in_order(rows, sorters, nulls)


@given(rows, orders)
def test_a_place_that_was_kept_stands_where_its_row_stands(
    rows: list[FullRow], sorters: list[tuple[str, bool]]
) -> None:
    order = SortOrder(sorters, service_with("smallest"))
    for key, row in order.entries(row.instance() for row in rows):
        assert order.key_at(order.position(row)) == key


def test_every_key_begins_with_a_shorter_one_that_precedes_it() -> None:
    order = SortOrder([("start_time", True), ("end_time", False)], service_with("smallest"))
    key = order.key(FullRow("1", START, START, START).instance())
    assert () < key[:1] < key < (*key, None)


def test_a_row_without_a_field_has_no_key_before_it_is_known_where_it_stands() -> None:
    order = SortOrder([("start_time", False), ("end_time", True)], ServiceFacts())
    whole, running = FullRow("1", START, START, START).instance(), FullRow("2", START, START).instance()
    assert not order.lacking([whole])
    assert order.lacking([whole, running])
    assert list(order.needed) == [("end_time", True)]
    order.learn(("end_time", True), first=True)
    assert not order.needed
    assert [row for _, row in order.entries([whole, running])] == [running, whole]


def test_what_one_answer_shows_another_may_not_contradict() -> None:
    order = SortOrder([("end_time", False)], ServiceFacts())
    order.learn(("end_time", False), first=True)
    order.learn(("end_time", True), first=True)
    with pytest.raises(CompletenessError, match="end_time ASC"):
        order.learn(("end_time", False), first=False)


@pytest.mark.parametrize("last", [False, True])
def test_a_page_of_rows_that_all_lack_the_field_shows_nothing_about_others(last: bool) -> None:
    service = ServiceFacts()
    order = SortOrder([("end_time", False)], service)
    assert order.lacking([FullRow("1", START).instance()])
    order.probed(("end_time", False), [FullRow("1", START).instance()], ScheduleType.PERIODIC, last=last)
    assert service.nulls_first == {}, "which is not remembered beyond the scan"
    assert bool(order.needed) is not last, "but a scan needs an answer once nobody is left to ask"


def _wall(hour: int, minute: int) -> timedelta:
    return datetime(2024, 10, 27, hour, minute) - datetime(1970, 1, 1)  # noqa: DTZ001


@pytest.mark.parametrize("falling", [False, True])
def test_an_hour_that_clocks_show_twice_is_one_group(falling: bool) -> None:
    order, zone = SortOrder([("start_time", falling)], ServiceFacts()), Zone(BERLIN)
    groups = [order.group(_wall(*at), zone) for at in ((1, 59), (2, 0), (2, 30), (2, 59), (3, 0))]
    assert len(set(groups)) == 3
    assert groups[1] == groups[2] == groups[3]
    assert groups == sorted(groups, reverse=falling)
    rows = [
        FlowInstance(str(minute), start_time=datetime(2024, 10, 27, 2, minute, tzinfo=BERLIN))
        for minute in (0, 30, 59)
    ]
    assert all((groups[1],) <= key for key, _ in order.entries(rows)), (
        "and its bound precedes all of its rows"
    )


def test_keys_are_compared_by_what_clocks_show_whatever_object_the_zone_is() -> None:
    order = SortOrder([("start_time", False)], ServiceFacts())
    twin = ZoneInfo.no_cache("Europe/Berlin")
    early = FlowInstance("1", start_time=datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN))
    late = FlowInstance("0", start_time=datetime(2024, 10, 27, 2, 31, tzinfo=twin))
    assert [row for _, row in sorted(order.entries([late, early]), key=by_key)] == [early, late]
