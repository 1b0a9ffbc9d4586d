"""A follow through the door without ``await``: the same instances, and nothing left behind."""

from __future__ import annotations

import gc
import signal
import threading
import time
from datetime import timedelta

import pytest

import aioflows.sync
from aioflows import FlowQuery, FollowCheckpoint, QueryError
from tests.sync.test_session import Here, here, soon


def span(world: Here, seconds: float) -> FlowQuery:
    """What is triggered from now on, for some seconds."""
    now = world.session.server_time()
    return FlowQuery(now, now + timedelta(seconds=seconds))


def follow(world: Here, query: FlowQuery, resume: FollowCheckpoint | None = None) -> aioflows.sync.FlowFollow:
    return world.session.follow(
        query, since=query.from_ms, settle_time=0.3, min_wait=0.05, max_wait=0.1, resume=resume
    )


def insert(world: Here, query: FlowQuery, instances: int) -> list[str]:
    return [world.emulator.insert(query.from_ms + one) for one in range(instances)]


def interrupt_in(seconds: float) -> None:
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(seconds, signal.pthread_kill, (main, signal.SIGINT)).start()


def test_what_appears_is_given_once_and_the_follow_ends_with_its_range() -> None:
    with here(100) as world:
        query = span(world, 2)
        names = insert(world, query, 30)
        with follow(world, query) as following:
            got = [next(following).instance_id for _ in range(30)]
            late = world.emulator.insert(query.from_ms + 1_500)
            got += [one.instance_id for one in following]
            assert (sorted(got[:-1]), got[-1]) == (sorted(names), late)
            assert following.stats.rows_yielded == 31


def test_a_follow_goes_on_from_its_checkpoint() -> None:
    with here(100) as world:
        query = span(world, 2)
        names = insert(world, query, 30)
        with follow(world, query) as following:
            got = [next(following).instance_id for _ in range(12)]
            mark = following.checkpoint()
        rest = follow(world, query, mark)
        got += [one.instance_id for batch in rest.batches() for one in batch]
        assert sorted(got) == sorted(names)


def test_an_old_name_warns_where_it_is_used_and_a_value_under_both_names_is_refused() -> None:
    with here(100) as world:
        query = span(world, 2)
        with pytest.warns(DeprecationWarning, match="settle=.*settle_time=") as warned:
            following = world.session.follow(query, settle=7.5)
        assert warned[0].filename == __file__
        assert following._reader._machine._pace.settle_time == 7.5
        with pytest.raises(QueryError, match="most= and max_wait= mean the same"):
            world.session.follow(query, most=9.0, max_wait=9.0)


def test_an_interrupt_ends_a_wait_at_once_and_loses_nothing() -> None:
    with here(100) as world:
        query = span(world, 3_600)
        following = world.session.follow(query, since=query.from_ms, min_wait=300.0, max_wait=300.0)
        names = insert(world, query, 1)
        assert next(following).instance_id == names[0]
        began = time.monotonic()
        interrupt_in(0.5)
        with pytest.raises(KeyboardInterrupt):
            next(following)
        assert time.monotonic() - began < 60
        assert world.transport.in_flight == 0
        rest = world.session.follow(
            query, since=query.from_ms, min_wait=0.05, max_wait=0.1, resume=following.checkpoint()
        )
        new = world.emulator.insert(query.from_ms + 1)
        assert next(rest).instance_id == new


def test_a_follow_that_is_dropped_stops_by_itself() -> None:
    with here(100) as world:
        query = span(world, 3_600)
        insert(world, query, 3)
        following = follow(world, query)
        next(following)
        inner = following._reader
        del following
        gc.collect()
        assert soon(lambda: "closed" in repr(inner))


def test_a_follow_is_over_with_its_session() -> None:
    with here(100) as world:
        query = span(world, 3_600)
        insert(world, query, 1)
        following = follow(world, query)
        next(following)
    with pytest.raises(RuntimeError, match="closed"):
        next(following)
    following.close()
