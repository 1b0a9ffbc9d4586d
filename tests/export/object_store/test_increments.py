"""Increments onto an object store: the target holds what one export of all days does, whatever dies between."""

from __future__ import annotations

import io
import uuid
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

pytest.importorskip("fsspec", reason="fsspec is not installed (pip install 'enos-aioflows[object-stores]')")

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

from aioflows import FlowQuery, FlowStatus, QueryError, ServerFault
from aioflows.export import SinkError, export
from aioflows.export.errors import DraftDamaged
from aioflows.export.object_store.draft import ObjectDraft
from aioflows.export.object_store.store import ObjectStore
from tests.export.object_store.test_memory import ENDINGS, failing
from tests.support.export_cases import START, Quick, Timed, instances
from tests.support.export_readers import content
from tests.support.long import long_but
from tests.support.object_stores import below, stored

ROWS = instances(24 * 4)
FILES = [one for one in ENDINGS if one not in (".sqlite", ".duckdb")]
append = partial(export, append=True, files=Quick())

pytestmark = pytest.mark.real_time


@pytest.fixture(params=long_but(".csv.gz", of=ENDINGS))
def ending(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def files() -> Any:
    return fsspec.filesystem("memory")


@pytest.fixture
def place() -> str:
    return f"bucket-{uuid.uuid4().hex}"


def days(first: int, last: int, **more: Any) -> FlowQuery:
    """From the beginning of one day to that of another."""
    return FlowQuery(START + timedelta(days=first), START + timedelta(days=last), **more)


def folder_of(place: str, ending: str) -> str:
    """The draft beside a target."""
    return f"/{place}/.out{ending.rstrip('/')}.aioflows"


async def whole(tmp_path: Path, ending: str, **more: Any) -> list[dict[str, Any]]:
    """What one export of all days gives in a file."""
    (tmp_path / "disk").mkdir()
    await export(Timed(ROWS), days(0, 4), f"{tmp_path}/disk/out{ending}", files=Quick(), **more)
    return content(tmp_path / "disk" / f"out{ending}".rstrip("/"))


@pytest.mark.parametrize(
    "ranges",
    long_but(
        [(0, 1), (0, 3), (2, 4)], of=[[(0, 1), (0, 3), (2, 4)], [(0, 2), (2, 3), (3, 4)], [(0, 1), (3, 4)]]
    ),
)
async def test_increments_give_what_one_export_gives(
    place: str, files: Any, ending: str, ranges: list[tuple[int, int]], tmp_path: Path
) -> None:
    """Ranges may meet, overlap, or leave out a day, which is made up for."""
    for first, last in ranges:
        await append(Timed(ROWS), days(first, last), f"memory://{place}/out{ending}", every=10)
        assert below(files, folder_of(place, ending)) == ["journal.json"]
    assert stored(files, f"/{place}/out{ending}", tmp_path) == await whole(tmp_path, ending)


@pytest.mark.parametrize(
    "more", long_but({"tasks": True}, of=[{"tasks": True}, {"columns": ["trigger_time", "instance_id"]}])
)
async def test_an_export_without_append_can_be_continued_with_it(
    place: str, files: Any, ending: str, more: dict[str, Any], tmp_path: Path
) -> None:
    """An increment goes on with any export of the same query and options, also with an empty one."""
    url = f"memory://{place}/out{ending}"
    await export(Timed([]), days(0, 1), url, **more)
    await append(Timed(ROWS), days(0, 2), url, **more)
    await append(Timed(ROWS), days(1, 4), url, **more)
    assert stored(files, f"/{place}/out{ending}", tmp_path) == await whole(tmp_path, ending, **more)


async def test_an_object_that_lacks_nothing_is_not_written_again(
    place: str, files: Any, ending: str, tmp_path: Path
) -> None:
    """The same call again adds nothing, and the journal still knows the query of the target."""
    url = f"memory://{place}/out{ending}"
    await append(Timed(ROWS), days(0, 4), url)
    before = {path: files.info(path) for path in files.find(f"/{place}/out{ending}")}
    for query in (days(0, 4), days(0, 1)) if ending in FILES else ():
        assert (await append(Timed(ROWS), query, url)).instances == 0
        assert {path: files.info(path) for path in files.find(f"/{place}/out{ending}")} == before
        assert below(files, folder_of(place, ending)) == ["journal.json", "run"]
    await append(Timed(ROWS), days(0, 4), url)
    assert stored(files, f"/{place}/out{ending}", tmp_path) == await whole(tmp_path, ending)
    with pytest.raises(QueryError, match="has another query or other options"):
        await append(Timed(ROWS), days(0, 4, owner="somebody"), url)


@pytest.mark.parametrize("ending", long_but(".sqlite", of=[".sqlite", ".duckdb"]))
async def test_the_later_state_counts_in_a_database(
    place: str, files: Any, ending: str, tmp_path: Path
) -> None:
    """A run of yesterday that was running has ended, and one that the service has removed stays."""
    url = f"memory://{place}/out{ending}"
    early = [attrs.evolve(row, status=FlowStatus.RUNNING) for row in ROWS[:48]]
    await append(Timed(early), days(0, 2), url)
    await append(Timed(ROWS[25:]), days(1, 4), url, every=10)
    found = stored(files, f"/{place}/out{ending}", tmp_path)
    assert [row["instance_id"] for row in found] == [row.instance_id for row in ROWS]
    assert [row["status"] for row in found[:25]] == [FlowStatus.RUNNING] * 25
    assert found[25:] == (await whole(tmp_path, ending))[25:]


async def test_other_queries_and_columns_are_refused_also_after_a_death(
    place: str, files: Any, ending: str, tmp_path: Path
) -> None:
    """An increment that died does not make the target forget its query."""
    url = f"memory://{place}/out{ending}"
    await append(Timed(ROWS), days(1, 2), url)
    before = [files.cat_file(path) for path in files.find(f"/{place}/out{ending}")]
    for at in (0, 20):
        with pytest.raises(ServerFault):
            await append(Timed(ROWS, before=failing(at, ServerFault(1, ""))), days(1, 4), url, every=10)
        with pytest.raises(QueryError, match="has another query or other options"):
            await append(Timed(ROWS), days(1, 4, owner="somebody"), url)
        with pytest.raises(QueryError, match=r"another query or other options|other columns"):
            await append(Timed(ROWS), days(1, 4), url, columns=["instance_id", "trigger_time"])
        if ending in FILES:
            with pytest.raises(QueryError, match=r"begins at 2024-01-02T00:00:00\+00:00, and rows before"):
                await append(Timed(ROWS), days(0, 4), url)
    assert [files.cat_file(path) for path in files.find(f"/{place}/out{ending}")] == before


async def test_an_increment_that_died_is_resumed_by_the_same_call(
    place: str, files: Any, ending: str, tmp_path: Path
) -> None:
    """What an increment has committed is not read again, and what another one committed does not hold it up."""
    url = f"memory://{place}/out{ending}"
    await append(Timed(ROWS), days(0, 1), url)
    before, broken = stored(files, f"/{place}/out{ending}", tmp_path), failing(30, ServerFault(1, ""))
    with pytest.raises(ServerFault):
        await append(Timed(ROWS, before=broken), days(1, 3), url, every=10)
    (tmp_path / "between").mkdir()
    assert stored(files, f"/{place}/out{ending}", tmp_path / "between") == before
    rest = await append(Timed(ROWS), days(1, 3), url, every=10)
    assert rest.before == 30
    with pytest.raises(ServerFault):
        await append(
            Timed(ROWS, before=failing(10, ServerFault(1, ""))),
            days(2, 4),
            url,
            every=5,
        )
    await append(Timed(ROWS), days(3, 4), url)
    (tmp_path / "after").mkdir()
    assert stored(files, f"/{place}/out{ending}", tmp_path / "after") == await whole(tmp_path, ending)
    assert below(files, folder_of(place, ending)) == ["journal.json"]


async def test_a_first_increment_that_died_does_not_hold_up_the_next(
    place: str, files: Any, ending: str, tmp_path: Path
) -> None:
    """The next day's call begins again where there is no target yet. A call with another query is refused."""
    url = f"memory://{place}/out{ending}"
    with pytest.raises(ServerFault):
        await append(Timed(ROWS, before=failing(20, ServerFault(1, ""))), days(0, 2), url, every=10)
    with pytest.raises(QueryError, match="has another query or other options"):
        await append(Timed(ROWS), days(0, 4, owner="somebody"), url)
    await append(Timed(ROWS), days(0, 4), url)
    assert stored(files, f"/{place}/out{ending}", tmp_path) == await whole(tmp_path, ending)


async def test_parts_that_are_missing_are_read_again(
    place: str, files: Any, ending: str, tmp_path: Path
) -> None:
    """If a part of an increment was removed, the increment begins again, since the target is whole."""
    url = f"memory://{place}/out{ending}"
    await append(Timed(ROWS), days(0, 1), url)
    with pytest.raises(ServerFault):
        await append(Timed(ROWS, before=failing(30, ServerFault(1, ""))), days(1, 4), url, every=10)
    files.rm([path for path in files.find(folder_of(place, ending)) if "-" in path.rpartition("/")[2]])
    assert (await append(Timed(ROWS), days(1, 4), url, every=10)).before == 0
    assert stored(files, f"/{place}/out{ending}", tmp_path) == await whole(tmp_path, ending)


@pytest.mark.parametrize("ending", long_but(".csv", of=[one for one in ENDINGS if one != ".duckdb"]))
async def test_a_process_that_dies_before_any_request_is_gone_on_with(
    place: str, files: Any, ending: str, tmp_path: Path
) -> None:
    """Whichever request of an increment is the last one, the target is whole, and the next call ends with all rows."""
    (tmp_path / "scratch").mkdir()
    rows = await whole(tmp_path, ending)
    old, steps, died = rows[: 24 * 2], 0, True
    while died:
        target, died = f"{place}/{steps}/out{ending}", False
        await append(Timed(ROWS), days(0, 2), f"memory://{target}")
        try:
            await append(
                Timed(ROWS), days(0, 4), f"dying://{target}", every=30, storage_options={"left": steps}
            )
        except SinkError:
            died = True
        scratch = tmp_path / f"{steps}"
        scratch.mkdir()
        found = stored(files, f"/{target}", scratch)
        # The objects of a folder come one after the other.
        assert found in (old, rows) or (ending.endswith("/") and found == rows[: len(found)]), steps
        await append(Timed(ROWS), days(0, 4), f"memory://{target}")
        (scratch / "after").mkdir()
        assert stored(files, f"/{target}", scratch / "after") == rows, steps
        assert set(below(files, folder_of(f"{place}/{steps}", ending))) <= {"journal.json", "run"}
        steps += 1
    assert steps > 5


@pytest.mark.parametrize("first", [2, 0])
@pytest.mark.parametrize("ending", long_but(of=[".csv.gz", ".parquet/", ".sqlite"]))
async def test_a_complete_draft_without_its_parts_does_not_hold_up_the_next(
    place: str, files: Any, ending: str, first: int, tmp_path: Path
) -> None:
    """Whichever request of an increment is the last one, its parts may be lost as well. A folder that is half filled
    by its first export is an exception, which is told."""
    rows = await whole(tmp_path, ending)
    steps, died = 0, True
    while died:
        target, died = f"{place}/{steps}/out{ending}", False
        if first:
            await append(Timed(ROWS), days(0, first), f"memory://{target}")
        try:
            await append(
                Timed(ROWS), days(0, 4), f"dying://{target}", every=30, storage_options={"left": steps}
            )
        except SinkError:
            died = True
        beside = files.find(folder_of(f"{place}/{steps}", ending))
        if parts := [path for path in beside if "-" in path.rpartition("/")[2]]:
            files.rm(parts)
        is_half = not first and ending.endswith("/") and bool(files.find(f"/{target}"))
        try:
            await append(Timed(ROWS), days(0, 4), f"memory://{target}")
        except DraftDamaged:
            refused = True
        else:
            refused = False
            (tmp_path / f"{steps}").mkdir()
            assert stored(files, f"/{target}", tmp_path / f"{steps}") == rows, steps
        assert not refused or is_half, steps
        steps += 1
    assert steps > 5


async def test_the_newest_of_two_increments_goes_on(
    place: str, files: Any, ending: str, tmp_path: Path
) -> None:
    """If another run has begun to append, the older one ends with an error, and no row is lost or doubled."""
    url = f"memory://{place}/out{ending}"
    await append(Timed(ROWS), days(0, 1), url)

    def take_over(handed: int) -> None:
        if handed == 50:
            ObjectDraft(ObjectStore(url), url, folder=ending.endswith("/")).enter()

    with pytest.raises(SinkError, match="is being written by another export, which began later"):
        await append(Timed(ROWS, before=take_over), days(0, 4), url, every=10)
    await append(Timed(ROWS), days(0, 4), url, every=10)
    assert stored(files, f"/{place}/out{ending}", tmp_path) == await whole(tmp_path, ending)


@pytest.mark.parametrize("ending", long_but(".csv", of=[one for one in ENDINGS if one != ".parquet/"]))
async def test_an_object_that_was_replaced_meanwhile_is_not_overwritten(
    place: str, files: Any, ending: str, tmp_path: Path
) -> None:
    """An increment replaces only the object that it began with. The next one begins with the present object."""
    url, target = f"memory://{place}/out{ending}", f"/{place}/out{ending}"
    await export(Timed(ROWS), days(0, 2), f"memory://{place}/other/out{ending}")
    await append(Timed(ROWS), days(0, 1), url)

    def replace(handed: int) -> None:
        if handed == 50:
            files.pipe_file(target, files.cat_file(f"/{place}/other/out{ending}"))

    with pytest.raises(SinkError, match="was replaced by another program since the increment began"):
        await append(Timed(ROWS, before=replace), days(0, 4), url, every=10)
    await append(Timed(ROWS), days(0, 4), url)
    assert stored(files, target, tmp_path) == await whole(tmp_path, ending)


class Unreadable(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The store in memory, which breaks off while an object is read."""

    protocol = "unreadable"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("unreadable://", "memory://")))

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        file = super()._open(path, mode, **options)
        return _Broken(file.getvalue()) if mode == "rb" else file


class _Broken(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise ConnectionResetError("the server is gone")


fsspec.register_implementation("unreadable", Unreadable)


@pytest.mark.parametrize("ending", long_but(".parquet", of=FILES))
async def test_an_object_that_cannot_be_read_is_not_taken_for_another_file(place: str, ending: str) -> None:
    """If the store fails while the last row is read, that is told, and not that the target is no such file."""
    await append(Timed(ROWS), days(0, 1), f"memory://{place}/out{ending}")
    with pytest.raises(SinkError, match="the server is gone"):
        await append(Timed(ROWS), days(0, 4), f"unreadable://{place}/out{ending}")
