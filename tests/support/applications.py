"""The web applications of examples/, as their readers would run them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["APPLICATIONS"]

_EXAMPLES = Path(__file__).parents[2] / "examples"

APPLICATIONS = {
    path.stem.removesuffix("_app"): path.read_text("utf-8") for path in _EXAMPLES.glob("*_app.py")
}
"""The code of each, by the framework that it is written for."""
