"""Every history of small worlds, a slice of ``python -m tests.exhaustive``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.exhaustive import KINDS, Kind, explore
from tests.support.long import long_but


@pytest.mark.parametrize("states", long_but(600, of=[600, 12_000]))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_history_of_a_small_world_has_a_gap(
    kind: Kind, states: int, record_property: Callable[[str, object], None]
) -> None:
    tally = explore(kind, states, map, states // 4)
    record_property("states", tally.states)
    assert tally.states >= min(states, 1_000)
    assert not tally.gaps, "\n".join(
        f"{wrong}: python -m tests.exhaustive --replay '{world}' --choices {','.join(map(str, choices))}"
        for world, choices, wrong in tally.gaps
    )
