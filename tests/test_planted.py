"""Planted bugs can still be planted: each changes what stands in the package today."""

from __future__ import annotations

import ast

import pytest

from tests.planted import BUGS, ROOT, Bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.harm)
def test_the_text_of_a_planted_bug_stands_in_its_file_once(bug: Bug) -> None:
    text = (ROOT / "aioflows" / bug.file).read_text()
    assert text.count(bug.old) == 1
    ast.parse(text.replace(bug.old, bug.new))


def test_there_are_enough_of_them() -> None:
    assert len(BUGS) >= 25
