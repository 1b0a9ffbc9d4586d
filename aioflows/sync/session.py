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

import os
import warnings
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from random import Random
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, NoReturn, Self, SupportsIndex, TypeVar, overload

import aioflows
from aioflows._core.wait.until import Until
from aioflows._net.loop_bound import not_copied
from aioflows._net.observers import Observer
from aioflows._net.transport import Transport
from aioflows.checkpoint import Checkpoint, FollowCheckpoint
from aioflows.errors import SessionClosed
from aioflows.follow import timing_of
from aioflows.models import FlowInstance, FlowPage, FlowStatus
from aioflows.query import FlowQuery
from aioflows.settings import AppKey, Limits, RetryPolicy, Timeouts
from aioflows.sync.follow import FlowFollow
from aioflows.sync.loop_thread import LoopThread
from aioflows.sync.scan import FlowScan

if TYPE_CHECKING:
    from yarl import URL

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
        base_url: the address of the API gateway, as in ``https://apigw.example.com``.

    Raises:
        QueryError: a value is invalid. The message says what to give instead.
    """

    def __init__(
        self,
        base_url: str | URL,
        *,
        user_id: str,
        org_id: str,
        auth: AppKey | None = None,
        http: Transport | None = None,
        proxy: str | URL | None = None,
        ssl: SSLContext | str | os.PathLike[str] | None = None,
        headers: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        trust_env: bool = False,
        timeout: float | Timeouts | None = None,
        limits: Limits = Limits(),  # noqa: B008  (frozen)
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  (frozen)
        server_timezone: str | tzinfo | None = None,
        other_timezone: str | tzinfo | None = None,
        first_page: int | None = None,
        governor: str | None = None,
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
            proxy=proxy,
            ssl=ssl,
            headers=headers,
            user_agent=user_agent,
            trust_env=trust_env,
            timeout=timeout,
            limits=limits,
            retry=retry,
            server_timezone=server_timezone,
            other_timezone=other_timezone,
            first_page=first_page,
            governor=governor,
            observer=observer,
            allow_http=allow_http,
            rng=rng,
        )
        self._thread: LoopThread | None = None
        self._entered = False

    @property
    def limits(self) -> Limits:
        """The limits of the session."""
        return self._session.limits

    def __repr__(self) -> str:
        return f"<sync {self._session!r}>"

    def __reduce__(self) -> NoReturn:
        not_copied("session")

    def __enter__(self) -> Self:
        self.open()
        if self._entered:
            raise RuntimeError(
                "this session is entered by a 'with' already, whose end would close it for both; enter it once, "
                "and pass it to the code that uses it"
            )
        self._entered = True
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> Self:
        """Start the thread, and return the session. Nothing is sent. Safe to call more than once.

        Raises:
            SessionClosed: the session was closed. A closed session cannot be opened again.
            RuntimeError: the session was opened before this process was forked.
        """
        if self._thread is None:
            thread = LoopThread(self._session)
            thread.start()
            self._thread = thread
        self._thread.check_process()
        if not self._thread.alive:
            raise SessionClosed("this session was closed, and cannot be opened again; make a new one")
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
                "the session is not entered; use it inside 'with FlowSession(...) as session:', or call open()"
            )
        self._thread.check_process()
        return self._thread

    def _run(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return self._running_thread().run(ask)

    def scan(
        self,
        query: FlowQuery,
        *,
        limit: SupportsIndex | None = None,
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
        since: datetime | SupportsIndex | None = None,
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
        limit: SupportsIndex | None = None,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        deadline: float | timedelta | None = None,
    ) -> Iterator[FlowInstance]:
        """Return an iterator of all instances of a query, in its order: a shortcut for `scan`, with the same arguments.

        An interrupted step loses no instance.
        """
        return self.scan(query, limit=limit, limits=limits, retry=retry, deadline=deadline)

    def page(
        self,
        query: FlowQuery,
        page_no: SupportsIndex,
        page_size: SupportsIndex,
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

    def cuts(
        self,
        query: FlowQuery,
        n: SupportsIndex,
        *,
        min_rows: SupportsIndex = 0,
        retry: RetryPolicy | None = None,
        deadline: float | timedelta | None = None,
    ) -> list[FlowQuery]:
        """Return the query cut into at most *n* queries of about as many instances; see `aioflows.FlowSession.cuts`."""
        return self._run(
            lambda: self._session.cuts(query, n, min_rows=min_rows, retry=retry, deadline=deadline)
        )

    @overload
    def wait(  # type: ignore[overload-overlap]  # a text is an iterable of texts as well
        self,
        ids: str,
        until: Until = ...,
        timeout: float | timedelta | None = ...,
        *,
        poll: float = ...,
        grace: float = ...,
    ) -> FlowInstance: ...

    @overload
    def wait(
        self,
        ids: Iterable[str],
        until: Until = ...,
        timeout: float | timedelta | None = ...,
        *,
        poll: float = ...,
        grace: float = ...,
    ) -> list[FlowInstance]: ...

    def wait(
        self,
        ids: str | Iterable[str],
        until: Until = FlowStatus.is_final,
        timeout: float | timedelta | None = None,
        *,
        poll: float = 30.0,
        grace: float = 3.0,
    ) -> FlowInstance | list[FlowInstance]:
        """Wait until instances have a status; see `aioflows.FlowSession.wait`.

        The waits of all threads share their polls.
        """
        wait = self._session.wait
        if isinstance(ids, str):
            one = ids
            return self._run(lambda: wait(one, until, timeout, poll=poll, grace=grace))
        several = list(ids) if isinstance(ids, Iterable) else ids
        return self._run(lambda: wait(several, until, timeout, poll=poll, grace=grace))

    def server_timezone(self) -> tzinfo:
        """Return the zone of the service's times."""
        return self._run(self._session.server_timezone)

    def server_time(self) -> datetime:
        """Return the service's current time, in UTC."""
        return self._run(self._session.server_time)
