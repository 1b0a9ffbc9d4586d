"""An export to an object store: there whole or not at all, and gone on with after any failure."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fsspec", reason="fsspec is not installed (pip install 'enos-aioflows[object-stores]')")

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

from aioflows import QueryError, ServerFault
from aioflows.export import SinkError, Target, export
from aioflows.export.journal import JournalEntry
from aioflows.export.object_store.draft import ObjectDraft
from aioflows.export.object_store.store import ObjectStore
from aioflows.report.api import report_target
from tests.support.export_cases import QUERY, Quick, Rows, instances
from tests.support.export_readers import content
from tests.support.long import long_but
from tests.support.object_stores import below, stored

MANY = instances(95)
ENDINGS = (".jsonl", ".csv", ".csv.gz", ".jsonl.zst", ".parquet", ".parquet/", ".sqlite", ".duckdb")

pytestmark = pytest.mark.real_time


@pytest.fixture(params=long_but(".csv.gz", ".parquet/", of=ENDINGS))
def ending(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bucket() -> str:
    return f"/bucket-{uuid.uuid4().hex}"


@pytest.fixture
def files() -> Any:
    return fsspec.filesystem("memory")


def failing(at: int, error: BaseException) -> Any:
    def before(handed: int) -> None:
        if handed == at:
            raise error

    return before


async def on_disk(tmp_path: Path, ending: str, rows: list[Any] = MANY) -> list[dict[str, Any]]:
    folder = tmp_path / "disk"
    folder.mkdir()
    await export(Rows(rows), QUERY, f"{folder}/out{ending}")
    return content(folder / f"out{ending}".rstrip("/"))


async def test_an_object_holds_what_a_file_holds(
    bucket: str, files: Any, ending: str, tmp_path: Path
) -> None:
    """The rows of an export to an object store are those of an export to a file, and only a small journal lies beside."""
    done = await export(Rows(MANY), QUERY, f"memory:/{bucket}/a/out{ending}", every=10)
    assert (done.instances, done.before) == (95, 0)
    assert stored(files, f"{bucket}/a/out{ending}", tmp_path) == await on_disk(tmp_path, ending)
    assert below(files, f"{bucket}/a/.out{ending.rstrip('/')}.aioflows") == ["journal.json"]


async def test_a_text_is_the_same_bytes(bucket: str, files: Any, tmp_path: Path) -> None:
    """A text in an object store is byte for byte the file that an export writes."""
    await export(Rows(MANY), QUERY, f"memory:/{bucket}/out.csv", every=10)
    await export(Rows(MANY), QUERY, tmp_path / "out.csv")
    assert files.cat_file(f"{bucket}/out.csv") == (tmp_path / "out.csv").read_bytes()


@pytest.mark.parametrize("rows", [0, 1])
async def test_few_rows_have_their_columns(
    bucket: str, files: Any, ending: str, rows: int, tmp_path: Path
) -> None:
    """An export of one row or none has the columns that it has in a file."""
    await export(Rows(MANY[:rows]), QUERY, f"memory:/{bucket}/out{ending}")
    assert stored(files, f"{bucket}/out{ending}", tmp_path) == await on_disk(tmp_path, ending, MANY[:rows])


@pytest.mark.parametrize("error", [ServerFault(62109, "x"), asyncio.CancelledError(), ZeroDivisionError()])
async def test_after_a_failure_the_rest_follows(
    bucket: str, files: Any, ending: str, error: BaseException, tmp_path: Path
) -> None:
    """Until an export is done there is no object, and a resumed one reads only what was not committed."""
    url = f"memory:/{bucket}/out{ending}"
    with pytest.raises(type(error)):
        await export(Rows(MANY, before=failing(50, error)), QUERY, url, every=10)
    assert not files.exists(f"{bucket}/out{ending}")
    rest = Rows(MANY)
    done = await export(rest, QUERY, url, every=10, resume=True)
    assert done.instances == 95
    assert done.before + rest.handed == 95
    assert done.before >= 30
    assert stored(files, f"{bucket}/out{ending}", tmp_path) == await on_disk(tmp_path, ending)


async def test_what_is_done_is_not_done_again(bucket: str, ending: str) -> None:
    """A resumed export of a finished target reads nothing."""
    url = f"memory:/{bucket}/out{ending}"
    await export(Rows(MANY), QUERY, url)
    again = Rows(MANY)
    assert (await export(again, QUERY, url, resume=True)).before == 95
    assert again.handed == 0


async def test_a_target_that_exists_is_refused_and_replaced_on_wish(
    bucket: str, files: Any, ending: str, tmp_path: Path
) -> None:
    """An object is replaced only with overwrite=True; old files of a folder go."""
    url = f"memory:/{bucket}/out{ending}"
    await export(Rows(MANY), QUERY, url)
    with pytest.raises(QueryError, match=r"exists; give overwrite=True \(--overwrite\)"):
        await export(Rows(MANY[:5]), QUERY, url)
    await export(Rows(MANY[:5]), QUERY, url, overwrite=True)
    assert len(stored(files, f"{bucket}/out{ending}", tmp_path)) == 5


async def test_an_object_that_appeared_meanwhile_is_not_replaced(bucket: str, files: Any) -> None:
    """An object that another program wrote meanwhile stays, and the rows are kept."""
    url = f"memory:/{bucket}/out.csv"

    def appear(handed: int) -> None:
        if handed == 50:
            files.pipe_file(f"{bucket}/out.csv", b"of another")

    with pytest.raises(SinkError, match="has appeared since the export began"):
        await export(Rows(MANY, before=appear), QUERY, url)
    assert files.cat_file(f"{bucket}/out.csv") == b"of another"
    files.rm(f"{bucket}/out.csv")
    assert (await export(Rows(MANY), QUERY, url, resume=True)).instances == 95


class Dying(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The store in memory, where no change after the first *left* is made, as if the process had died."""

    protocol = "dying"

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("dying://", "memory://")))

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise ConnectionResetError("died")

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        self._step()
        super().pipe_file(path, value, **options)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode == "wb":
            self._step()
        return super()._open(path, mode, **options)

    def cp_file(self, path1: str, path2: str, **options: Any) -> None:
        self._step()
        super().cp_file(path1, path2, **options)

    def _rm(self, path: str) -> None:
        self._step()
        super()._rm(path)


fsspec.register_implementation("dying", Dying)


@pytest.mark.parametrize(
    "ending", long_but(".csv.gz", ".parquet/", of=[one for one in ENDINGS if one != ".duckdb"])
)
async def test_a_process_that_dies_before_any_request_is_gone_on_with(
    bucket: str, files: Any, ending: str, tmp_path: Path
) -> None:
    """Whichever request to the store is the last of a process, the next one ends with the same rows."""
    whole = await on_disk(tmp_path, ending, MANY[:60])
    steps, died = 0, True
    while died:
        place, died = f"{bucket}/{steps}/out{ending}", False
        try:
            await export(
                Rows(MANY[:60]),
                QUERY,
                f"dying:/{place}",
                every=20,
                files=Quick(),
                storage_options={"left": steps},
            )
        except SinkError:
            died = True
        scratch = tmp_path / f"{steps}"
        scratch.mkdir()
        if died and not ending.endswith("/") and files.exists(f"{bucket}/{steps}/out{ending}"):
            (scratch / "early").mkdir()
            assert stored(files, f"{bucket}/{steps}/out{ending}", scratch / "early") == whole
        done = await export(Rows(MANY[:60]), QUERY, f"memory:/{place}", every=20, files=Quick(), resume=True)
        assert done.instances == 60
        assert stored(files, f"{bucket}/{steps}/out{ending}", scratch) == whole
        steps += 1
    assert steps > 5


async def test_the_newest_of_two_exports_goes_on(
    bucket: str, files: Any, ending: str, tmp_path: Path
) -> None:
    """If another run has begun to write the target, the older one ends with an error, and no row is lost or doubled."""
    url = f"memory:/{bucket}/out{ending}"
    newer = ObjectDraft(ObjectStore(url), url, folder=ending.endswith("/"))

    def take_over(handed: int) -> None:
        if handed == 50:
            newer.enter()

    with pytest.raises(SinkError, match="is being written by another export, which began later"):
        await export(Rows(MANY, before=take_over), QUERY, url, every=10)
    assert (await export(Rows(MANY), QUERY, url, every=10, resume=True)).before >= 30
    assert stored(files, f"{bucket}/out{ending}", tmp_path) == await on_disk(tmp_path, ending)


async def test_an_older_export_without_rows_leaves_the_newer_one_alone(bucket: str, files: Any) -> None:
    """An export that another one has overtaken before its first commit removes nothing of that one."""
    url = f"memory:/{bucket}/out.csv"

    def overtaken(handed: int) -> None:
        if handed == 0:
            draft = ObjectDraft(ObjectStore(url), url, folder=False)
            draft.enter()
            draft.continue_after(0)
            draft.put_part(0, b"rows")
            draft.keep(JournalEntry(job="", length=1))

    with pytest.raises(SinkError, match="is being written by another export"):
        await export(Rows(MANY, before=overtaken), QUERY, url, every=10)
    assert len(below(files, f"{bucket}/.out.csv.aioflows")) == 4


async def test_another_export_is_not_mixed_in(bucket: str) -> None:
    """An unfinished export of another query is neither continued nor thrown away."""
    url = f"memory:/{bucket}/out.csv"
    with pytest.raises(ServerFault):
        await export(Rows(MANY, before=failing(50, ServerFault(1, ""))), QUERY, url)
    with pytest.raises(QueryError, match="another query or other options"):
        await export(Rows(MANY), QUERY, url, resume=True, columns=["status"])
    with pytest.raises(QueryError, match=r"holds 50 instances; give resume=True \(--resume\) to go on"):
        await export(Rows(MANY), QUERY, url)


async def test_parts_that_are_missing_are_an_error(bucket: str, files: Any, ending: str) -> None:
    """A part that was removed is told as such, and nothing is read from the service."""
    url = f"memory:/{bucket}/out{ending}"
    with pytest.raises(ServerFault):
        await export(Rows(MANY, before=failing(50, ServerFault(1, ""))), QUERY, url, every=10)
    for path in files.find(f"{bucket}/.out{ending.rstrip('/')}.aioflows"):
        if "/000001-" in path:
            files.rm(path)
    rest = Rows(MANY)
    with pytest.raises(SinkError, match="some of its parts are missing"):
        await export(rest, QUERY, url, resume=True)
    assert rest.handed == 0


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("memory://bucket/out.sqlite/", "only parquet can be written to a folder"),
        ("memory://bucket", "names no object in the bucket"),
        ("memory://bucket/", "names no object in the bucket"),
        ("memory://bucket/out", "the format of .* is unknown"),
        ("memory://bucket/out.csv/", "only parquet can be written to a folder"),
        ("memory://bucket/out.parquet.gz", "compressed inside"),
        ("memory://bucket/out*.csv", "stand for patterns"),
        ("file:///tmp/out.csv", "is not an object store"),
        ("nowhere://bucket/out.csv", "unknown protocol 'nowhere'"),
    ],
)
def test_a_url_that_cannot_be_a_target_is_refused(url: str, words: str) -> None:
    """A target that no object store can hold is refused, with what to do instead."""
    with pytest.raises(QueryError, match=words):
        Target.named(url)


def test_credentials_in_a_url_are_refused_and_not_shown() -> None:
    """A URL with a password is refused by a message that does not show it."""
    with pytest.raises(QueryError) as caught:
        Target.named("s3://key:c0ffee@bucket/out.csv")
    assert "c0ffee" not in str(caught.value)


async def test_an_error_of_the_store_comes_before_the_first_row_and_shows_no_option(bucket: str) -> None:
    """A store that refuses the target is one clear error, before anything is read, and no option is shown in it."""
    rows = Rows(MANY)
    options = {"secret": "c0ffee", "nested": {"token": "c0ffee"}}
    store = ObjectStore(f"memory:/{bucket}/out.csv", options)
    assert "c0ffee" not in repr(store) + repr(Target.named(f"memory:/{bucket}/out.csv", None, options))
    with pytest.raises(SinkError) as caught, store._as_sink_error():
        raise PermissionError(13, "the secret is c0ffee")
    assert str(caught.value) == (
        f"memory:/{bucket}/out.csv cannot be written: the store refuses the credentials: the secret is ***; "
        "check them, and their right to write there"
    )
    fsspec.filesystem("memory").pipe_file(f"{bucket}", b"an object where the bucket should be")
    with pytest.raises(SinkError, match="cannot be written"):
        await export(rows, QUERY, f"memory:/{bucket}/out.csv")
    assert rows.handed == 0


async def test_options_that_do_not_fit_are_refused(bucket: str, tmp_path: Path) -> None:
    """An object has no mode, and a path has no storage options."""
    with pytest.raises(QueryError, match="an object has no mode"):
        await export(Rows(MANY), QUERY, f"memory:/{bucket}/out.csv", mode=0o640)
    with pytest.raises(QueryError, match="are for object stores"):
        await export(Rows(MANY), QUERY, tmp_path / "out.csv", storage_options={})


def test_a_report_is_not_written_to_a_store() -> None:
    """A report to an object store is refused."""
    with pytest.raises(QueryError, match="a report is a file"):
        report_target("memory://bucket/page.html", overwrite=False)
