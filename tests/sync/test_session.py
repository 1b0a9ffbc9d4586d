"""The door for scripts and notebooks: the same instances in the same order, lazily, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, timedelta
from itertools import islice
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import aioflows.sync
from aioflows import (
    Denied,
    Event,
    FlowQuery,
    FlowStatus,
    Limits,
    ScanEnded,
    ScheduleType,
    WaitTimeout,
)
from aioflows._net.transport import Answer, Request
from aioflows.emulator import Emulator, EmulatorProcess, Fault
from aioflows.query import SortKey
from tests.scenarios.test_sockets import open_sockets
from tests.support.fakes import EmulatorTransport
from tests.test_session import ORDERS


class Here:
    """An emulator in this process, and a session that talks to it from its own thread."""

    def __init__(
        self, emulator: Emulator, transport: EmulatorTransport, session: aioflows.sync.FlowSession
    ) -> None:
        self.emulator = emulator
        self.transport = transport
        self.session = session

    def query(self, order_by: SortKey | None = "trigger_time", **rest: Any) -> FlowQuery:
        return FlowQuery(self.emulator.start, self.emulator.end, order_by=order_by, **rest)

    def expected(self, order_by: SortKey | None = "trigger_time", **rest: Any) -> list[str]:
        names = [name for _, name in self.emulator.matching(**rest)]
        return names[::-1] if order_by == "-trigger_time" else names


@contextmanager
def here(
    instances: int = 2_000,
    *,
    concurrency: int = 8,
    make: Callable[[Emulator], EmulatorTransport] = EmulatorTransport,
    observer: Callable[[Event], object] | None = None,
    **switches: Any,
) -> Iterator[Here]:
    with Emulator(instances=instances, seed=3, **switches) as emulator:
        transport = make(emulator)
        limits = Limits(page_size=50, concurrency=concurrency)
        with aioflows.sync.FlowSession(
            "https://enos.test", user_id="u", org_id="o", http=transport, limits=limits, observer=observer
        ) as session:
            yield Here(emulator, transport, session)
        assert transport.closed
        assert transport.in_flight == 0
        assert not own_threads()


def own_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("aioflows")]


def soon(true: Callable[[], bool]) -> bool:
    """Whether something comes true within five seconds."""
    end = time.monotonic() + 5
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    return true()


# The same


@pytest.mark.parametrize("order", ORDERS)
def test_the_same_instances_come_in_the_same_order(order: SortKey | None) -> None:
    with here() as world:
        got = [one.instance_id for one in world.session.scan(world.query(order))]
        assert (got if order else sorted(got)) == (
            world.expected(order) if order else sorted(world.expected())
        )


def test_every_way_to_read_a_scan_gives_the_same() -> None:
    with here(500) as world:
        session, query, expected = world.session, world.query(), world.expected()
        ways = [
            session.scan(query).list(),
            list(session.flow_instances(query)),
            [one for page in session.scan(query).pages() for one in page],
        ]
        assert [[one.instance_id for one in way] for way in ways] == [expected] * 3
        batches = session.scan(query).record_batches(["instance_id"])
        assert [name for batch in batches for name in batch.column(0).to_pylist()] == expected
        lines = b"".join(session.scan(query).json_lines())
        assert lines == b"".join([one.to_json() + b"\n" for one in session.scan(query)])
        first = session.scan(query).first()
        assert first is not None
        assert first.instance_id == expected[0]
        assert session.scan(FlowQuery(0, 0)).first() is None


def test_a_scan_is_a_stream_of_arrow_and_becomes_a_table_or_a_frame() -> None:
    with here(200) as world:
        session, query = world.session, world.query()
        table = session.scan(query).to_arrow()
        assert table["instance_id"].to_pylist() == world.expected()
        assert pa.table(session.scan(query)).equals(table)
        assert pl.DataFrame(session.scan(query)).equals(session.scan(query).to_polars())
        assert len(session.scan(query).to_pandas(["status"])) == 200
        empty = pa.RecordBatchReader.from_stream(session.scan(FlowQuery(0, 0))).read_all()
        assert empty.equals(table.schema.empty_table())


def test_it_works_where_a_loop_is_running_as_in_a_notebook() -> None:
    async def cell() -> list[str]:
        with here(500) as world:
            return [one.instance_id for one in world.session.scan(world.query())]

    assert len(asyncio.run(cell())) == 500


def test_single_requests_are_answered() -> None:
    with here(300) as world:
        page = world.session.page(world.query(type=ScheduleType.PERIODIC), 0, 10)
        assert [one.instance_id for one in page.instances] == world.expected(type=1)[:10]
        assert world.session.get(world.expected()[0]).instance_id == world.expected()[0]
        assert world.session.server_time().tzinfo is UTC
        assert world.session.server_timezone().utcoffset(None) == timedelta(hours=8)


def test_a_scan_goes_on_from_its_checkpoint_whichever_door_it_was_read_by() -> None:
    with here(500) as world:
        query = world.query()
        scan = world.session.scan(query)
        got = [one.instance_id for one in islice(scan, 123)]
        rest = world.session.scan(query, resume=scan.checkpoint())
        assert got + [one.instance_id for one in rest] == world.expected()
        assert rest.stats.rows_yielded == 500 - 123
        assert rest.progress == 1.0
        assert rest.checkpoint().remaining == ()
        assert rest.plan().windows == ()


# Lazy


def test_a_consumer_that_stops_pulling_stops_the_requests() -> None:
    with here(2_000, profile="uniform") as world:
        scan = world.session.scan(world.query(type=ScheduleType.PERIODIC))
        rows = list(islice(scan, 10))
        time.sleep(0.1)  # what was begun with these rows comes to its end
        sent = len(world.transport.sent)
        assert len(rows) == 10
        assert sent <= 4
        time.sleep(0.1)
        assert len(world.transport.sent) == sent
        assert world.transport.in_flight == 0


def test_making_a_scan_sends_nothing() -> None:
    with here(100) as world:
        world.session.scan(world.query())
        assert not world.transport.sent


# Nothing is left


def test_a_scan_that_is_broken_off_stops_by_itself() -> None:
    ends: list[Event] = []

    def hear(event: Event) -> None:
        if isinstance(event, ScanEnded):
            ends.append(event)

    with here(observer=hear) as world:
        for _ in world.session.scan(world.query()):
            break
        assert soon(lambda: len(ends) == 1)
        assert world.transport.in_flight == 0


def test_over_sockets_nothing_outlives_the_session() -> None:
    with EmulatorProcess(instances=3_000, seed=5, latency=0.005) as emulator:
        before = open_sockets()
        with aioflows.sync.FlowSession(emulator.url, user_id="u", org_id="o") as session:
            query = FlowQuery(emulator.start_ms, emulator.end_ms)
            assert len(list(session.scan(query))) == 3_000
            with session.scan(query) as scan:
                next(scan)
            for _ in session.scan(query):
                break
            left = session.scan(query)
            next(left)
        assert not own_threads()
        assert open_sockets() == before
        with pytest.raises(RuntimeError, match="closed"):
            list(left)
        left.close()


def test_a_session_that_is_forgotten_says_so_and_ends_its_thread() -> None:
    with Emulator(instances=10) as emulator:
        session = aioflows.sync.FlowSession(
            "https://enos.test", user_id="u", org_id="o", http=EmulatorTransport(emulator)
        ).open()
        with pytest.warns(ResourceWarning, match="never closed"):
            del session
            gc.collect()
        assert soon(lambda: not own_threads())


class Interrupting(EmulatorTransport):
    """Interrupts the main thread, as Ctrl-C does, while it waits for the answer to certain requests."""

    def __init__(self, emulator: Emulator, at: tuple[int, ...]) -> None:
        super().__init__(emulator)
        self._interrupt_at = at

    async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer:
        number = len(self.sent) + 1
        if number in self._interrupt_at:
            await asyncio.sleep(0.1)  # until whatever was there before has been taken
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGINT)
            self._interrupt_at = tuple(one for one in self._interrupt_at if one != number)
            await asyncio.sleep(0.1)
        return await super().send(request, headers, timeout)


@pytest.mark.parametrize("door", ["pages", "rows"])
def test_an_interrupted_scan_loses_nothing_and_may_go_on(door: str) -> None:
    def make(emulator: Emulator) -> EmulatorTransport:
        return Interrupting(emulator, (1, 3, 5, 8))

    with here(800, concurrency=1, make=make, profile="uniform") as world:
        query = world.query(type=ScheduleType.PERIODIC)
        pages = world.session.scan(query).pages()
        rows = world.session.flow_instances(query)
        got: list[str] = []
        interrupts = 0
        while True:
            try:
                got += (
                    [one.instance_id for one in next(pages)] if door == "pages" else [next(rows).instance_id]
                )
            except KeyboardInterrupt:
                interrupts += 1
            except StopIteration:
                break
        assert interrupts == 4
        assert got == world.expected(type=1)


def test_an_interrupt_ends_a_session_and_leaves_nothing() -> None:
    def make(emulator: Emulator) -> EmulatorTransport:
        return Interrupting(emulator, (2,))

    with pytest.raises(KeyboardInterrupt), here(800, concurrency=1, make=make) as world:
        list(world.session.scan(world.query()))
    assert not own_threads()


# Errors


def test_an_error_comes_after_all_rows_before_it_and_carries_where_to_go_on() -> None:
    with here(2_000, profile="uniform", faults=[Fault(at=12, kind="code-62103")]) as world:
        query = world.query()
        got: list[str] = []
        with pytest.raises(Denied) as caught:
            got.extend(one.instance_id for one in world.session.scan(query))
        got += [one.instance_id for one in world.session.scan(query, resume=caught.value.checkpoint)]
        assert got == world.expected()


def test_a_session_is_used_inside_its_block() -> None:
    session = aioflows.sync.FlowSession("https://enos.test", user_id="u", org_id="o")
    with pytest.raises(RuntimeError, match="not entered"):
        session.server_time()
    with session:
        pass
    session.close()
    with pytest.raises(RuntimeError, match="closed"):
        session.server_time()


def test_an_observer_that_would_wait_for_its_own_thread_is_told() -> None:
    said: list[str] = []

    def hear(event: Event) -> None:
        try:
            world.session.server_time()
        except RuntimeError as error:
            said.append(str(error))

    with here(10, observer=hear) as world:
        assert len(world.session.scan(world.query()).list()) == 10
    assert set(said) == {"the session cannot be used in its own thread, as in an observer; use it elsewhere"}


# Threads


def test_closing_the_session_ends_the_wait_of_another_thread() -> None:
    said: list[str] = []

    class Hanging(EmulatorTransport):
        async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer:
            waiting.set()
            await asyncio.get_running_loop().create_future()
            raise AssertionError

    def wait(ask: Callable[[], object]) -> None:
        try:
            ask()
        except RuntimeError as error:
            said.append(str(error))

    waiting = threading.Event()
    with here(10, make=Hanging) as world:
        scan = world.session.scan(world.query())
        asks: list[Callable[[], object]] = [lambda: next(scan), world.session.server_time]
        threads = [threading.Thread(target=wait, args=(ask,)) for ask in asks]
        for thread in threads:
            thread.start()
        waiting.wait()
        time.sleep(0.02)
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    assert len(said) == 2
    assert all("closed" in words for words in said)


def test_threads_that_share_a_scan_get_each_instance_once() -> None:
    with here(2_000) as world:
        scan = world.session.scan(world.query())
        parts: list[list[str]] = [[] for _ in range(4)]
        threads = [
            threading.Thread(target=lambda part=part: part.extend(one.instance_id for one in scan))
            for part in parts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        got = [name for part in parts for name in part]
        assert len(got) == 2_000
        assert sorted(got) == sorted(world.expected())


def test_waits_of_several_threads_share_polls() -> None:
    with here(500) as world:
        names = [world.emulator.insert(world.emulator.end_ms - one * 1_000, status=2) for one in range(40)]
        with ThreadPoolExecutor(len(names)) as threads:
            waits = [threads.submit(world.session.wait, name, timeout=60) for name in names]
            assert soon(lambda: bool(world.transport.sent))
            for name in names:
                world.emulator.set_status(name, FlowStatus.SUCCESS)
            assert [wait.result().instance_id for wait in waits] == names
        assert len(world.transport.sent) < 12
        assert [one.instance_id for one in world.session.wait(names[:3])] == names[:3]
        with pytest.raises(WaitTimeout):
            world.session.wait(world.emulator.insert(world.emulator.start_ms, status=2), timeout=0.1)
