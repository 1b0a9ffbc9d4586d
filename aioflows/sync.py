"""The same session and scans without ``await``, for scripts and notebooks.

1. The loop is the session's own, in a thread of its own; so it does not matter whether one runs where it is called from,
   as it does in a notebook, and the two never meet.
2. It is as lazy as the other door. The thread works on a scan only while its consumer waits for the next rows: a consumer
   that stops pulling stops the requests.
3. A call that is interrupted, by Ctrl-C for instance, is cancelled and waited for. A scan loses nothing by that.
4. When the session ends, nothing is left: no request, no connection, no task, no thread.

    with aioflows.sync.FlowSession("https://apigw.example.com", user_id="u", org_id="o") as session:
        for instance in session.scan(query):
            print(instance.instance_id)
"""

# ruff: noqa: SLF001  (two doors of one scan)

from __future__ import annotations

import threading
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from datetime import datetime, tzinfo
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import aioflows
from aioflows._net.thread import Thread
from aioflows._net.transport import Transport
from aioflows._net.watch import Observer
from aioflows.checkpoint import Checkpoint, FollowCheckpoint
from aioflows.models import FlowInstance, FlowPage
from aioflows.query import FlowQuery
from aioflows.settings import AppKey, Limits, RetryPolicy
from aioflows.stats import ScanPlan, ScanStats
from aioflows.sync_follow import FlowFollow

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FlowFollow", "FlowScan", "FlowSession"]

T = TypeVar("T")
# Within the class, `list` is a method.
_Rows: TypeAlias = list[FlowInstance]


class FlowSession:
    """A session with one EnOS deployment, for code that does not await.

    Use it in a ``with`` block; where there is none, as between the cells of a notebook, `open` and `close` it. It may be
    used from several threads.

    Args:
        base_url: *scheme and host* of the API gateway, and so on: everything is as in `aioflows.FlowSession`, but that
            there is no ``aiohttp.ClientSession`` to be given, since it would belong to another loop. The observer is
            called in the session's thread, and may not use the session.

    Raises:
        QueryError: a value makes no sense; the message says what to give instead.
    """

    def __init__(
        self,
        base_url: str,
        *,
        user_id: str,
        org_id: str,
        auth: AppKey | None = None,
        http: Transport | None = None,
        limits: Limits = Limits(),  # noqa: B008  (frozen)
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  (frozen)
        server_timezone: str | tzinfo | None = None,
        first_page: int | None = None,
        observer: Observer | None = None,
        allow_http: bool = False,
    ) -> None:
        self._session = aioflows.FlowSession(
            base_url,
            user_id=user_id,
            org_id=org_id,
            auth=auth,
            http=http,
            limits=limits,
            retry=retry,
            server_timezone=server_timezone,
            first_page=first_page,
            observer=observer,
            allow_http=allow_http,
        )
        self._thread: Thread | None = None

    def __repr__(self) -> str:
        return f"<sync {self._session!r}>"

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> Self:
        """Start the thread; nothing is sent.

        Raises:
            RuntimeError: it was opened before.
        """
        if self._thread is not None:
            raise RuntimeError("this session was opened before; make a new one")
        self._thread = Thread(self._session)
        self._thread.start()
        return self

    def close(self) -> None:
        """Close every scan and follow that is still open, the connections, and the thread. Twice is fine."""
        if self._thread is not None:
            self._thread.stop()

    def __del__(self) -> None:
        thread = getattr(self, "_thread", None)
        if thread is not None and thread.alive:
            warnings.warn(
                f"{self!r} was never closed; use 'with FlowSession(...)'",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )
            thread.let_go()

    def _opened(self) -> Thread:
        if self._thread is None:
            raise RuntimeError(
                "the session is not entered; use it inside 'with FlowSession(...) as session:'"
            )
        return self._thread

    def _run(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return self._opened().run(ask)

    def scan(
        self,
        query: FlowQuery,
        *,
        limit: int | None = None,
        resume: Checkpoint | None = None,
        proven: bool = False,
    ) -> FlowScan:
        """Make a scan; nothing is sent before it is iterated. All is as in `aioflows.FlowSession.scan`."""
        thread = self._opened()
        make = self._session.scan
        return FlowScan(thread, thread.ask(lambda: make(query, limit=limit, resume=resume, proven=proven)))

    def follow(
        self,
        query: FlowQuery,
        *,
        since: datetime | int | None = None,
        changes: bool = False,
        settle: float = 60.0,
        watch: float = 86_400.0,
        least: float = 2.0,
        most: float = 60.0,
        resume: FollowCheckpoint | None = None,
    ) -> FlowFollow:
        """Make a follow; nothing is sent before it is iterated. All is as in `aioflows.FlowSession.follow`."""
        thread = self._opened()
        make = self._session.follow
        return FlowFollow(
            thread,
            thread.ask(
                lambda: make(
                    query,
                    since=since,
                    changes=changes,
                    settle=settle,
                    watch=watch,
                    least=least,
                    most=most,
                    resume=resume,
                )
            ),
        )

    def flow_instances(self, query: FlowQuery, *, limit: int | None = None) -> Iterator[FlowInstance]:
        """Give every instance that a query asks for, in its order."""
        with self.scan(query, limit=limit) as scan:
            yield from scan

    def page(self, query: FlowQuery, page_no: int, page_size: int) -> FlowPage:
        """Ask for one page, as the service understands it; see `aioflows.FlowSession.page`."""
        return self._run(lambda: self._session.page(query, page_no, page_size))

    def get(self, instance_id: str) -> FlowInstance:
        """Ask for one flow instance by its id."""
        return self._run(lambda: self._session.get(instance_id))

    def server_timezone(self) -> tzinfo:
        """Tell the zone that the service's times are in."""
        return self._run(self._session.server_timezone)

    def server_time(self) -> datetime:
        """Ask for the service's current time, in UTC."""
        return self._run(self._session.server_time)


class FlowScan(Iterator[FlowInstance]):
    """Every flow instance that a query asks for, as an iterator; made by `FlowSession.scan`.

    It is `aioflows.FlowScan` without ``await``. One that is dropped before its end, as by ``break``, stops by itself;
    ``with`` or `close` wait for that. Threads may share it: each instance goes to one of them.

    Raises:
        AioflowsError: while iterating, the specific error, after everything before it in the order was handed out; its
            ``checkpoint`` tells what is left.
        RuntimeError: it was closed, or its session was.
    """

    def __init__(self, thread: Thread, scan: aioflows.FlowScan) -> None:
        self._thread = thread
        self._scan = scan
        self._one_at_a_time = threading.Lock()

    def __repr__(self) -> str:
        return f"<sync {self._scan!r}>"

    def _repr_html_(self) -> str:
        return self._thread.ask(self._scan._repr_html_)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop: cancel what is under way, and wait until it is over. Twice is fine."""
        if self._thread.alive:
            self._thread.run(self._scan.aclose)

    def __del__(self) -> None:
        if hasattr(self, "_scan"):
            self._thread.soon(self._scan.aclose)

    def __next__(self) -> FlowInstance:
        """Give the next instance."""
        with self._one_at_a_time:
            self._need_rows()
            return self._scan._take()

    def pages(self) -> Iterator[_Rows]:
        """Iterate lists of instances, in the same order: the fast way for bulk work. Lists have no fixed length."""
        return _Pages(self)

    def record_batches(
        self, columns: Iterable[str] | None = None, *, tasks: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """Iterate Arrow record batches, in the same order; see `aioflows.FlowScan.record_batches`."""
        return _Batches(self, self._scan.record_batches(columns, tasks=tasks))

    def list(self) -> _Rows:
        """Read everything that was not handed out yet, as one list, and close."""
        with self._one_at_a_time:
            return self._thread.run(self._scan.list)

    def first(self) -> FlowInstance | None:
        """Give the next instance, or None if there is none, and close."""
        with self._one_at_a_time:
            return self._thread.run(self._scan.first)

    def _next_page(self) -> _Rows:
        with self._one_at_a_time:
            self._need_rows()
            return self._scan._take_page()

    def _next_of(self, batches: AsyncIterator[pa.RecordBatch]) -> pa.RecordBatch | None:
        with self._one_at_a_time:
            return self._thread.run(lambda: _next_or_none(batches))

    def _need_rows(self) -> None:
        # They stay in the scan until they are taken here, so an interrupted call loses none.
        if not self._scan._held and not self._thread.run(self._more):
            raise StopIteration

    async def _more(self) -> bool:
        try:
            await self._scan._refill()
        except StopAsyncIteration:
            return False
        return True

    @property
    def number(self) -> int:
        """Which scan it is, of all in this process: the ``scan`` of its events."""
        return self._scan.number

    @property
    def progress(self) -> float:
        """The share of the time range that was read and handed out, from 0 to 1."""
        return self._thread.ask(lambda: self._scan.progress)

    @property
    def stats(self) -> ScanStats:
        """The account so far."""
        return self._thread.ask(lambda: self._scan.stats)

    def plan(self) -> ScanPlan:
        """Tell what is left to be read, and at how few requests, as far as that is known; nothing is sent for it."""
        return self._thread.ask(self._scan.plan)

    def checkpoint(self) -> Checkpoint:
        """Tell what was not handed out yet, to go on there with ``session.scan(query, resume=...)``."""
        return self._thread.ask(self._scan.checkpoint)


class _Pages(Iterator[_Rows]):
    """A scan by lists. Not a generator: one that is interrupted while it waits would be over."""

    def __init__(self, scan: FlowScan) -> None:
        self._scan = scan

    def __next__(self) -> _Rows:
        return self._scan._next_page()


class _Batches(Iterator["pa.RecordBatch"]):
    """A scan by record batches, which come from its own loop."""

    def __init__(self, scan: FlowScan, batches: AsyncIterator[pa.RecordBatch]) -> None:
        self._scan = scan
        self._batches = batches

    def __next__(self) -> pa.RecordBatch:
        batch = self._scan._next_of(self._batches)
        if batch is None:
            raise StopIteration
        return batch


async def _next_or_none(batches: AsyncIterator[pa.RecordBatch]) -> pa.RecordBatch | None:
    return await anext(batches, None)
