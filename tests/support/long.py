"""What of the tests is in README's command, and what is left to the long part: the marker ``long``.

A kind of test that takes long has one case or two in README's command, so that this fails as well where the kind does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

__all__ = ["long_but"]


def long_but(*quick: object, of: Iterable[Any]) -> list[Any]:
    """Return the values for ``parametrize``, of which all but the *quick* ones are marked ``long``."""
    values = list(of)
    missing = [one for one in quick if one not in values]
    assert not missing, f"{missing} are none of them"
    return [one if one in quick else pytest.param(one, marks=pytest.mark.long) for one in values]
