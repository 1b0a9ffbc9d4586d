"""The page of a board, and the headers that every answer of a board has.

1. The page holds everything that it needs, and its policy lets the browser load nothing else. Only the two
   texts below it, whose hashes the policy names, are a style and a script.
2. Texts of the service come as JSON. The script shows them as text, never as HTML.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from functools import cache
from importlib import resources

__all__ = ["SAFE_HEADERS", "page"]

_STYLE = "board.css"
_SCRIPTS = ("format.js", "model.js", "grid.js", "lists.js", "details.js", "board.js")

SAFE_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@cache
def page() -> tuple[dict[str, str], bytes]:
    """Return the headers and the compressed bytes of the page."""
    style = _part(_STYLE)
    script = "\n".join(['"use strict";', *map(_part, _SCRIPTS)])
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    html = _part("board.html").replace("%%style%%", style).replace("%%script%%", script)
    headers = {
        **SAFE_HEADERS,
        "content-type": "text/html; charset=utf-8",
        "content-encoding": "gzip",
        "content-security-policy": policy,
    }
    return headers, gzip.compress(html.encode(), mtime=0)


def _part(name: str) -> str:
    return resources.files("aioflows.board").joinpath("static", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
