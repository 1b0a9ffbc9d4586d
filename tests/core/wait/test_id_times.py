"""The trigger time in an id: a hint for where to look first."""

from __future__ import annotations

import pytest

from aioflows._core.wait.id_times import hinted_ms
from aioflows._core.wire.zone import Zone

AT = 1_565_568_420_000  # 2019-08-12 00:07:00 UTC


@pytest.mark.parametrize("name", ["2809-20190812080700", "2809-20190812080700-n7", "a-b-20190812080700"])
def test_the_documented_form_and_its_suffixes_name_a_trigger_time_in_the_zone_of_the_service(
    name: str,
) -> None:
    assert hinted_ms(name, Zone.parse("GMT+8")) == AT


@pytest.mark.parametrize(
    "name",
    ["", "2809", "2809-20191301000000", "2809-20190230000000", "2809-201908120807001", "x20190812080700"],
)
def test_an_id_of_another_form_names_none(name: str) -> None:
    assert hinted_ms(name, Zone.parse("GMT+8")) is None
