"""The short door to a scan: its rows as an asynchronous generator that survives a step that timed out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from types import TracebackType
from typing import Any, Never, Self

from aioflows._net.scan_reader import ScanReader
from aioflows.models import FlowInstance

__all__ = ["FlowInstances"]


class FlowInstances(AsyncGenerator[FlowInstance, None]):
    """All instances of a query, with the interface of an async generator.

    A generator made by ``yield`` ends when a step is cancelled, and its consumer takes that for the end of
    the rows. This one goes on at the same row. An instance without references closes its scan.

    Args:
        reader: reads the scan.
    """

    def __init__(self, reader: ScanReader) -> None:
        self._reader = reader
        self._next: Callable[[], Coroutine[Any, Any, FlowInstance]] = reader.next_row

    def __repr__(self) -> str:
        return f"<flow_instances of {self._reader!r}>"

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Any, Any, FlowInstance]:
        """Return the next instance."""
        return self._next()

    def asend(self, value: None) -> Coroutine[Any, Any, FlowInstance]:
        """Return the next instance. Nothing can be sent into it."""
        if value is not None:
            raise TypeError(f"flow_instances() takes no values, so None must be sent, not {value!r}")
        return self._next()

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
        /,
    ) -> FlowInstance:
        """Close the scan, and raise the given error."""
        await self.aclose()
        error = typ if isinstance(typ, BaseException) else val if isinstance(val, BaseException) else typ()
        raise error.with_traceback(tb) if tb is not None else error

    async def aclose(self) -> None:
        """Close the scan: cancel its requests and wait for their end. Safe to call more than once."""
        self._next = _ended
        await self._reader.aclose()

    def __del__(self) -> None:
        reader = getattr(self, "_reader", None)
        if reader is not None and self._next is not _ended:
            reader.close_in_background()


async def _ended() -> Never:
    raise StopAsyncIteration
