"""The web applications of the README, as their readers would run them."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["readme_applications"]

_README = Path(__file__).parents[2] / "README.md"
_MARKED = re.compile(r"^<!-- application: (\w+) -->\n```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def readme_applications() -> dict[str, str]:
    """Gives the code of each, by the framework that it is written for."""
    return dict(_MARKED.findall(_README.read_text(encoding="utf-8")))
