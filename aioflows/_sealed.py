"""JSON texts with a version and a checksum, so that a damaged text is never taken for a whole one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import Any

from aioflows.errors import QueryError

__all__ = ["digest", "sealed", "unsealed"]

_CHECKSUM = 16  # hexadecimal digits


def digest(content: object, length: int = 32) -> str:
    """Return hexadecimal digits that two JSON values share if, and only if, they are equal."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:length]


def sealed(content: dict[str, Any], version: int) -> str:
    """Return a JSON text of an object, with its version and its checksum."""
    content = {"version": version, **content}
    return json.dumps({**content, "checksum": digest(content, _CHECKSUM)})


def unsealed(text: str | bytes, versions: Collection[int], name: str, advice: str) -> dict[str, Any]:
    """Return the object in a text made by `sealed`, without version and checksum.

    Args:
        text: the text.
        versions: the versions that can be read.
        name: what the text should be, for error messages.
        advice: what to do if it cannot be read, for error messages.

    Raises:
        QueryError: the text is damaged, is something else, or has another version.
    """
    try:
        content: dict[str, Any] = json.loads(text)
        found, checksum = content["version"], content.pop("checksum")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise QueryError(f"this text is not a {name} of aioflows, or it was cut off; {advice}") from error
    if found not in versions:
        raise QueryError(
            f"this {name} has version {found!r}, but this aioflows reads {_listed(versions)}; {advice}"
        )
    if checksum != digest(content, _CHECKSUM):
        raise QueryError(f"this {name} is damaged: its checksum does not match; {advice}")
    del content["version"]
    return content


def _listed(versions: Collection[int]) -> str:
    return f"version{'s' * (len(versions) > 1)} {' and '.join(map(str, sorted(versions)))}"
