"""The session of `aioflows.sync`, without ``await``, for scripts and notebooks.

1. The session has a separate thread with an event loop. So it also works where another loop runs, as in a
   notebook.
2. It is as lazy as `aioflows.FlowSession`. The thread works on a scan only while its consumer waits for rows.
   A consumer that stops pulling stops the requests.
3. An interrupted call, for instance by Ctrl-C, is cancelled, and its end is awaited. A scan loses no row by
   it.
4. A closed session leaves no request, no connection, no task and no thread.

    with aioflows.sync.FlowSession("https://apigw.example.com", user_id="u", org_id="o") as session:
        for instance in session.scan(query):
            print(instance.instance_id)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Coroutine, Iterator
from datetime import datetime, timedelta, tzinfo
from random import Random
from typing import Any, Self, TypeVar

import aioflows
from aioflows._net.observers import Observer
from aioflows._net.transport import Transport
from aioflows.checkpoint import Checkpoint, FollowCheckpoint
from aioflows.follow import timing_of
from aioflows.models import FlowInstance, FlowPage
from aioflows.query import FlowQuery
from aioflows.settings import AppKey, Limits, RetryPolicy
from aioflows.sync.follow import FlowFollow
from aioflows.sync.loop_thread import LoopThread
from aioflows.sync.scan import FlowScan

__all__ = ["FlowFollow", "FlowScan", "FlowSession"]

T = TypeVar("T")


class FlowSession:
    """A session with one EnOS deployment, for code without ``await``.

    Use it in a ``with`` block. Without a block, as between the cells of a notebook, call `open` and `close`.
    Several threads may use it.

    The arguments are those of `aioflows.FlowSession`, with two exceptions. *http* cannot be an
    ``aiohttp.ClientSession``, because it would belong to another loop. The *observer* is called in the
    session's thread and must not use the session.

    Args:
        base_url: the scheme and host of the API gateway, as in ``https://apigw.example.com``.

    Raises:
        QueryError: a value is invalid. The message says what to give instead.
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
        other_timezone: str | tzinfo | None = None,
        first_page: int | None = None,
        observer: Observer | None = None,
        allow_http: bool = False,
        rng: Random | None = None,
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
            other_timezone=other_timezone,
            first_page=first_page,
            observer=observer,
            allow_http=allow_http,
            rng=rng,
        )
        self._thread: LoopThread | None = None

    def __repr__(self) -> str:
        return f"<sync {self._session!r}>"

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> Self:
        """Start the thread. Nothing is sent.

        Raises:
            RuntimeError: the session was opened before.
        """
        if self._thread is not None:
            raise RuntimeError("this session was opened before; make a new one")
        self._thread = LoopThread(self._session)
        self._thread.start()
        return self

    def close(self) -> None:
        """Close all open scans and follows, the connections and the thread. Safe to call more than once."""
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
            thread.request_stop()

    def _running_thread(self) -> LoopThread:
        if self._thread is None:
            raise RuntimeError(
                "the session is not entered; use it inside 'with FlowSession(...) as session:'"
            )
        return self._thread

    def _run(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return self._running_thread().run(ask)

    def scan(
        self,
        query: FlowQuery,
        *,
        limit: int | None = None,
        resume: Checkpoint | None = None,
        proven: bool = False,
        confirm: bool = True,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        deadline: float | timedelta | None = None,
    ) -> FlowScan:
        """Return a new scan, as `aioflows.FlowSession.scan` does. Nothing is sent before it is iterated."""
        thread = self._running_thread()
        make = self._session.scan
        return FlowScan(
            thread,
            thread.ask(
                lambda: (
                    make(
                        query,
                        limit=limit,
                        resume=resume,
                        proven=proven,
                        confirm=confirm,
                        limits=limits,
                        retry=retry,
                        deadline=deadline,
                    ).reader
                )
            ),
        )

    def follow(
        self,
        query: FlowQuery,
        *,
        since: datetime | int | None = None,
        changes: bool = False,
        settle_time: float | None = None,
        watch_time: float | None = None,
        min_wait: float | None = None,
        max_wait: float | None = None,
        resume: FollowCheckpoint | None = None,
        settle: float | None = None,
        watch: float | None = None,
        least: float | None = None,
        most: float | None = None,
    ) -> FlowFollow:
        """Return a new follow, as `aioflows.FlowSession.follow` does.

        Nothing is sent before it is iterated.
        """
        timing = timing_of((settle_time, watch_time, min_wait, max_wait), (settle, watch, least, most))
        thread = self._running_thread()
        make = self._session.follow
        return FlowFollow(
            thread,
            thread.ask(lambda: make(query, since=since, changes=changes, resume=resume, **timing).reader),
        )

    def flow_instances(
        self,
        query: FlowQuery,
        *,
        limit: int | None = None,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        deadline: float | timedelta | None = None,
    ) -> Iterator[FlowInstance]:
        """Yield all instances of a query, in its order: a shortcut for `scan`, with the same arguments."""
        with self.scan(query, limit=limit, limits=limits, retry=retry, deadline=deadline) as scan:
            yield from scan

    def page(
        self,
        query: FlowQuery,
        page_no: int,
        page_size: int,
        *,
        retry: RetryPolicy | None = None,
        deadline: float | timedelta | None = None,
    ) -> FlowPage:
        """Return one page, by one search; see `aioflows.FlowSession.page`."""
        return self._run(
            lambda: self._session.page(query, page_no, page_size, retry=retry, deadline=deadline)
        )

    def get(
        self,
        instance_id: str,
        *,
        retry: RetryPolicy | None = None,
        deadline: float | timedelta | None = None,
    ) -> FlowInstance:
        """Return one flow instance by its id; see `aioflows.FlowSession.get`."""
        return self._run(lambda: self._session.get(instance_id, retry=retry, deadline=deadline))

    def server_timezone(self) -> tzinfo:
        """Return the zone of the service's times."""
        return self._run(self._session.server_timezone)

    def server_time(self) -> datetime:
        """Return the service's current time, in UTC."""
        return self._run(self._session.server_time)
