"""A secret text that is always shown as stars.

A field with ``repr=False`` is hidden only in `repr`. A text can also leak when it is printed, formatted,
pickled, or converted to a dictionary and then to JSON. So a secret is not a `str`: the one place that needs
its text calls `reveal`.
"""

from __future__ import annotations

import hmac
from typing import NoReturn, Self

__all__ = ["STARS", "Secret"]

STARS = "***"


class Secret:
    """A text that is never shown.

    Two secrets are equal if their texts are; the comparison takes constant time. A copy is the same object. A
    pickle does not hold the text, so `reveal` raises after unpickling.

    Args:
        text: the text.
    """

    __slots__ = ("_text",)

    _text: str | None

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def reveal(self) -> str:
        """Return the text.

        Raises:
            RuntimeError: the secret came out of a pickle.
        """
        if self._text is None:
            raise RuntimeError("a secret cannot be pickled; make a new AppKey in the process that uses it")
        return self._text

    def __repr__(self) -> str:
        return STARS

    def __format__(self, spec: str) -> str:
        return format(STARS, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        if self._text is None or other._text is None:
            return self is other
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret cannot be changed")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return _without_text, ()


def _without_text() -> Secret:
    secret = Secret("")
    object.__setattr__(secret, "_text", None)
    return secret
