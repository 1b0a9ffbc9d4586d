"""Rows that no filter explains are told, and rows that a database's comparison explains are not."""

from __future__ import annotations

import pytest

from aioflows import CompletenessError, FlowInstance, FlowQuery
from aioflows._core.pages.filter_checks import FilterChecks, checks_of

DAY = 1_704_153_600_000


def row(owner: str | None = "li.wei", name: str | None = "site_kpi", id: str = "17-20240101") -> FlowInstance:
    return FlowInstance(id, owner=owner, flow_name=name, status=1)


def test_a_query_without_filters_has_no_checks() -> None:
    """A query of time and type alone costs nothing for each row."""
    assert checks_of(FlowQuery(0, DAY)) is None
    assert checks_of(FlowQuery(0, DAY, owner="li.wei")) is not None


@pytest.mark.parametrize("owner", ["li.wei", "Li.Wei", "LÍ.WEI ", "ops;li.wei", "li.wei, ops", None, ""])
def test_an_owner_that_a_database_takes_for_the_one_asked_for_is_handed_out(owner: str | None) -> None:
    """Case, accents, blanks and a second owner explain a row, and a row without an owner cannot be judged."""
    FilterChecks(owner="li.wei").check([row(owner)])


def test_an_owner_that_nothing_explains_is_told_with_both_names() -> None:
    """The error says which row came, whose it is, who was asked for, and what to do."""
    with pytest.raises(
        CompletenessError, match=r"'17-20240101'.*'wang\.fang'.*'li\.wei'.*owner filter.*without owner"
    ):
        FilterChecks(owner="li.wei").check([row(), row("wang.fang")])


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("site", "site_kpi"),
        ("KPI", "site_kpi"),
        ("17-2024", "other"),
        ("s_te", "site_kpi"),
        ("kpi site", "site_kpi"),
        ("hourly", None),
        ("hourly", ""),
    ],
)
def test_an_expression_is_found_in_the_id_or_the_name(expression: str, name: str | None) -> None:
    """It explains a row by either of them, by its words in any order, and a row without a name cannot be judged."""
    FilterChecks(expression=expression).check([row(name=name)])


def test_a_row_that_holds_the_expression_nowhere_is_told() -> None:
    """The error names the filter, the flow and what was looked for."""
    with pytest.raises(
        CompletenessError, match=r"'site_kpi'.*'hourly'.*expression filter.*without expression"
    ):
        FilterChecks(expression="hourly").check([row(name="hourly_sync"), row()])


def test_a_long_text_is_cut_in_the_error() -> None:
    """An owner of thousands of characters does not fill the screen."""
    with pytest.raises(CompletenessError) as caught:
        FilterChecks(owner="li.wei").check([row("x" * 5000)])
    assert len(str(caught.value)) < 700
