"""An async iterator that calls a function for each item, and one such call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Self, TypeVar

__all__ = ["AsyncCalls", "or_none"]

T = TypeVar("T")


class AsyncCalls(AsyncIterator[T]):
    """An async iterator that calls a function for each item. An async generator would end when it is cancelled.

    Args:
        take: returns the next item, or raises StopAsyncIteration.
    """

    def __init__(self, take: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._take = take

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Any, Any, T]:
        return self._take()


async def or_none(read: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
    """Return the next item, or None at the end."""
    try:
        return await read()
    except StopAsyncIteration:
        return None
