"""The promise against real databases: what a scan brings is what SQL finds, however the table is laid out and paged."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

pytest.importorskip(
    "asyncpg", reason="asyncpg is not installed (pip install 'enos-aioflows[test-databases]')"
)
pytest.importorskip(
    "asyncmy", reason="asyncmy is not installed (pip install 'enos-aioflows[test-databases]')"
)

import asyncio

from tests.databases import collations
from tests.databases.comparison import Combination
from tests.databases.matrix import HEAD, Tables, line, sampled
from tests.databases.servers import DATABASES, NotInstalled, Server, serve
from tests.databases.service import Question, Service
from tests.databases.tables import Layout, Row, opened

pytestmark = [pytest.mark.long, pytest.mark.real_time]


@pytest.fixture(scope="module", params=DATABASES)
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Tables]]:
    try:
        with serve(request.param) as server:
            yield server, Tables()
    except NotInstalled as error:
        pytest.skip(str(error))


def _name(one: Combination) -> str:
    parts = (
        *one.layout.table.split("_"),
        one.reading,
        f"cap {one.cap}",
        one.order,
        one.owner,
        one.expression,
    )
    return " ".join(str(part) for part in (*parts, "changing" if one.changing else "") if part)


@pytest.mark.parametrize("one", sampled(), ids=_name)
async def test_a_scan_brings_what_the_table_holds(served: tuple[Server, Tables], one: Combination) -> None:
    """Every row comes once and in order, and an error comes only where no set of requests can settle the question."""
    server, tables = served
    async with opened(server) as database:
        service = Service(database)
        async with service.running() as url:
            outcome = await tables.outcome(database, service, url, one, timeout=300.0)
    assert outcome.right, "\n".join(["", HEAD, line(server.database, one, outcome)])


class Forgetful(Service):
    """A service that leaves one instance out of every answer."""

    async def _page(
        self, question: Question, sorters: list[tuple[str, str]], size: int, offset: int
    ) -> list[Row]:
        rows = await super()._page(question, sorters, size, offset)
        return [row for row in rows if row["flow_id"] != self.forgotten]

    forgotten = 0


async def test_the_comparison_sees_one_row_missing(served: tuple[Server, Tables]) -> None:
    """A row that no answer holds is counted as lost, so that the comparison above proves something."""
    server, _ = served
    tables = Tables(rows=5_400)
    one = Combination(layout=Layout("second", "number", "none"), type=0)
    async with opened(server) as database:
        service = Forgetful(database)
        await tables.prepare(database, one.layout)
        (row, *_) = await database.fetch(
            f"SELECT flow_id FROM {database.table(one.layout)} WHERE type = ?",
            [0],
        )
        async with service.running() as url:
            whole = await tables.outcome(database, service, url, one)
            service.forgotten = row["flow_id"]
            holed = await tables.outcome(database, service, url, one)
        await tables.drop(database, one.layout)
    assert whole.right
    assert not holed.right
    assert holed.lost >= 1


def test_the_collations_are_as_written_down() -> None:
    """``collations.json`` is what these versions of the databases answer."""
    try:
        measured = asyncio.run(collations.measure())
    except NotInstalled as error:
        pytest.skip(str(error))
    written = json.loads(collations.FILE.read_text())
    if measured["versions"] != written["versions"]:
        pytest.skip(f"the table was measured with {written['versions']}, here are {measured['versions']}")
    assert measured["pairs"] == written["pairs"]
