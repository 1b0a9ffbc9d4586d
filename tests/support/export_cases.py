"""A session over given rows, without a service: what an export is tested with where it is not about reading."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Self

import attrs

from aioflows import Checkpoint, FlowInstance, FlowQuery, FlowStatus
from aioflows.checkpoint import Remainder, fingerprint
from aioflows.export.filesystem import FileSystem

START = datetime(2024, 1, 1, tzinfo=UTC)
QUERY = FlowQuery(START, START + timedelta(days=30))


def instances(count: int) -> list[FlowInstance]:
    """Rows with something in every field, an hour between one and the next."""
    return [
        FlowInstance(
            f"{number % 7}-{number:06}",
            flow_id=number % 7,
            flow_name=f'风机, "{number % 7}"',
            parameters='[{"a":1}]',
            graph=f'{{"tasks":[{{"taskId":{number},"taskName":"t"}},{{"taskId":"x","status":1}}]}}',
            status=FlowStatus.SUCCESS if number % 3 else FlowStatus.FAIL,
            trigger_time=START + timedelta(hours=number),
            start_time=START + timedelta(hours=number, seconds=1),
            end_time=START + timedelta(hours=number, seconds=3) if number % 5 else None,
            virtual=number % 2 == 0,
            extra={"more": number},
        )
        for number in range(count)
    ]


@attrs.define
class Rows:
    """Hands out given rows in pages, from where a checkpoint says.

    Args:
        rows: all there *are*.
        page: *rows* in one list.
        before: called before each *page* with the number of rows that were handed out; what it raises, the scan raises.
    """

    rows: Sequence[FlowInstance]
    page: int = 10
    before: Callable[[int], object] = bool
    handed: int = 0

    def scan(
        self,
        query: FlowQuery,
        *,
        limit: int | None = None,
        resume: Checkpoint | None = None,
        proven: bool = False,
    ) -> _Scan:
        begin = 0
        if resume is not None:
            assert resume.fingerprint == fingerprint(query)
            begin = resume.remaining[0].from_ms if resume.remaining else len(self.rows)
        end = len(self.rows) if limit is None else min(len(self.rows), begin + limit)
        return _Scan(self, query, begin, end)


@attrs.define
class Timed(Rows):
    """The same for queries and checkpoints that name times: what a service holds, of which a scan reads a range."""

    def scan(
        self,
        query: FlowQuery,
        *,
        limit: int | None = None,
        resume: Checkpoint | None = None,
        proven: bool = False,
    ) -> _Scan:
        after = (query.from_ms // 1000, "")
        if resume is not None:
            assert resume.fingerprint == fingerprint(query)
            after = (resume.remaining[0].after or after) if resume.remaining else (query.to_ms, "")
        found = sorted((place(row), row.instance_id, row) for row in self.rows)
        rows = [row for second, id, row in found if second * 1000 < query.to_ms and (second, id) > after]
        return _TimedScan(self, query, rows, len(rows) if limit is None else min(limit, len(rows)))


def place(row: FlowInstance) -> int:
    """The second of a row."""
    assert row.trigger_time is not None
    return int(row.trigger_time.timestamp())


class _Scan:
    def __init__(self, given: Rows, query: FlowQuery, begin: int, end: int) -> None:
        self._given, self._query, self._at, self._end = given, query, begin, end

    def pages(self) -> _Scan:
        return self

    undecoded = pages

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[FlowInstance]:
        self._given.before(self._at)
        rows = list(self._given.rows[self._at : min(self._at + self._given.page, self._end)])
        if not rows:
            raise StopAsyncIteration
        self._at += len(rows)
        self._given.handed += len(rows)
        return rows

    def checkpoint(self) -> Checkpoint:
        left = (Remainder(1, self._at, len(self._given.rows)),) if self._at < len(self._given.rows) else ()
        return Checkpoint(fingerprint(self._query), left)

    async def aclose(self) -> None:
        """Nothing is under way."""


class _TimedScan(_Scan):
    def __init__(self, given: Rows, query: FlowQuery, rows: Sequence[FlowInstance], end: int) -> None:
        super().__init__(given, query, 0, end)
        self._rows = rows

    async def __anext__(self) -> list[FlowInstance]:
        self._given.before(self._at)
        rows = list(self._rows[self._at : min(self._at + self._given.page, self._end)])
        if not rows:
            raise StopAsyncIteration
        self._at += len(rows)
        self._given.handed += len(rows)
        return rows

    def checkpoint(self) -> Checkpoint:
        last = self._rows[self._at - 1] if self._at else None
        if self._at == len(self._rows):
            return Checkpoint(fingerprint(self._query), ())
        after = None if last is None else (place(last), last.instance_id)
        left = Remainder(1, self._query.from_ms, self._query.to_ms, after)
        return Checkpoint(fingerprint(self._query), (left,))


class Quick(FileSystem):
    """Waits for no disk: what dies here is no machine."""

    def sync(self, descriptor: int) -> None:
        """Nothing is lost without it either, as long as the machine runs."""

    def sqlite(self, path: str) -> sqlite3.Connection:
        connection = super().sqlite(path)
        connection.execute("PRAGMA synchronous = OFF")
        return connection
