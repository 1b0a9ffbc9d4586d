"""Random histories of larger worlds, a slice of ``python -m tests.histories``."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.histories import run
from tests.support.history import KINDS, Ending
from tests.support.long import long_but


@pytest.mark.parametrize("first", long_but(0, of=range(0, 6_000, 300)))
def test_no_history_ends_with_a_row_lost_repeated_or_misplaced(first: int) -> None:
    ends: Counter[Ending] = Counter()
    wrong = []
    for seed in range(first, first + 300):
        kind, ending, why, _ = run(seed)
        ends[ending] += 1
        if ending is Ending.WRONG:
            wrong.append(f"python -m tests.histories --verbose --seed {seed}  # {kind}: {why:.200}")
    assert not wrong, "\n".join(wrong)
    assert ends[Ending.UNPROVABLE] <= 0.03 * sum(ends.values()), ends


def test_a_slice_has_histories_of_every_kind() -> None:
    assert {run(seed)[0] for seed in range(len(KINDS))} == {kind.name for kind in KINDS}
