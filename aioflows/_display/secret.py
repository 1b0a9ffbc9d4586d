"""A text that shows as stars, whatever is done to see it.

Marking a field ``repr=False`` hides it from one door. A text that is printed, formatted, pickled, or made a dictionary
and then JSON leaves by others, so a secret is no text: it has to be asked for it, in the one place that needs it.
"""

from __future__ import annotations

import hmac
from typing import NoReturn, Self

__all__ = ["STARS", "Secret"]

STARS = "***"


class Secret:
    """Holds a text that nobody is to see.

    Equal to another one of the same text, which is compared in constant time. A copy is the same object; a pickle holds
    no text, and what is made of it says so when it is asked for one.

    Args:
        text: the *text*.
    """

    __slots__ = ("_text",)

    _text: str | None

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def reveal(self) -> str:
        """Give the text.

        Raises:
            RuntimeError: this came out of a pickle.
        """
        if self._text is None:
            raise RuntimeError("a secret does not travel by pickle; make the AppKey anew where it is used")
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
        return _forgotten, ()


def _forgotten() -> Secret:
    secret = Secret("")
    object.__setattr__(secret, "_text", None)
    return secret
