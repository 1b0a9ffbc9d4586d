"""Add the pages of the guide that exist to the navigation, in the order of `GUIDE`, and every other one behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

GUIDE = [
    "scans",
    "orders",
    "follow",
    "schedules",
    "export",
    "arrow",
    "instances",
    "report",
    "board",
    "command-line",
    "web",
    "observability",
    "emulator",
    "sync",
    "errors",
    "decoder",
    "real-service",
    "sessions",
    "clusters",
    "times",
]


def on_config(config: Any) -> Any:
    """Return the configuration with the guide behind the first page of the navigation."""
    found = {path.stem for path in (Path(config["docs_dir"]) / "guide").glob("*.md")}
    pages = [name for name in ("index", *GUIDE) if name in found]
    pages += sorted(found.difference(pages))
    if pages:
        config["nav"].insert(1, {"Guide": [f"guide/{name}.md" for name in pages]})
    return config
