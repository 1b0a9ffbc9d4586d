"""The HTML page of a report.

1. The page contains everything that it needs. Its content security policy forbids the browser to load anything
   else and to run other scripts.
2. Texts of the service are in the page once, as JSON. The script shows them as text, never as HTML.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from aioflows.report.facts import Facts
from aioflows.report.payload import embedded, payload
from aioflows.report.scheduled_runs import ScheduledRuns
from aioflows.report.tally import Tally

__all__ = ["page"]

_SCRIPTS = ("figures.js", "charts.js", "tables.js", "page.js")
_PLOTLY = "plotly/plotly-cartesian.min.js"
"""The charting library: plotly.js-cartesian-dist-min 4.1.1 of the npm registry (MIT), with its licence beside it."""


def page(tally: Tally, facts: Facts, runs: ScheduledRuns | None = None) -> str:
    """Return a report as HTML.

    Args:
        tally: counts of the instances.
        facts: origin of the report.
        runs: scheduled runs. Default: None, which means a page without their panel.
    """
    library, script = _part(_PLOTLY), "".join(map(_part, _SCRIPTS))
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data: blob:; "
        f"style-src 'unsafe-inline'; script-src {_hash(library)} {_hash(script)}"
    )
    parts = {
        "policy": policy,
        "style": _part("page.css"),
        "rows": embedded(payload(tally, facts, runs)),
        "library": library,
        "script": script,
    }
    pieces = _part("page.html").split("%%")  # the text and the names of parts take turns
    return "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces))


@cache
def _part(name: str) -> str:
    return resources.files("aioflows.report").joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
