"""Increments: a target that grows day by day holds what one export of all days does, whatever dies between."""

from __future__ import annotations

import random
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from aioflows import CompletenessError, FlowInstance, FlowQuery, FlowStatus, QueryError, ServerFault
from aioflows import export as exports
from aioflows.emulator import Emulator
from aioflows.export.filesystem import FileSystem
from benchmarks.worlds import session_to
from tests.export.test_failures import Died, Failing
from tests.export.test_resume import failing, to
from tests.support.export_cases import QUERY, START, Quick, Timed, instances
from tests.support.export_readers import ENDINGS, content, named
from tests.support.long import long_but

pytestmark = pytest.mark.real_time

ROWS = instances(24 * 6)
EVERY_ENDING = pytest.mark.parametrize("ending", long_but(".csv", ".sqlite", ".parquet/", of=ENDINGS))
_FILES = [one for one in ENDINGS if one not in (".sqlite", ".duckdb")]
FILES = pytest.mark.parametrize("ending", long_but(".jsonl", ".parquet", of=_FILES))
DATABASES = pytest.mark.parametrize("ending", [".sqlite", ".duckdb"])
export = partial(exports.export, files=Quick())
append = partial(export, append=True)


def days(first: int, last: int, **more: Any) -> FlowQuery:
    """From the beginning of one day to that of another."""
    return FlowQuery(START + timedelta(days=first), START + timedelta(days=last), **more)


async def whole(folder: Path, ending: str, rows: list[FlowInstance] = ROWS, **more: Any) -> object:
    """What one export of all days gives."""
    FileSystem().folder(folder)
    await export(Timed(rows), days(0, 6), to(folder / f"out{ending}", ending), **more)
    return content(folder / f"out{ending}")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("ranges", [[(0, 2), (2, 3), (3, 6)], [(0, 1), (0, 4), (2, 6)], [(0, 3), (5, 6)]])
async def test_increments_give_what_one_export_gives(
    ending: str, ranges: list[tuple[int, int]], tmp_path: Path
) -> None:
    """Ranges may meet, overlap, or leave out a day, which is made up for."""
    target = tmp_path / f"out{ending}"
    for first, last in ranges:
        await append(Timed(ROWS), days(first, last), to(target, ending))
        assert named(tmp_path) == {target.name}
    assert content(target) == await whole(tmp_path / "whole", ending)


@EVERY_ENDING
async def test_the_same_command_again_adds_nothing(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    for _ in range(3):
        await append(Timed(ROWS), days(0, 6), to(target, ending))
    assert content(target) == await whole(tmp_path / "whole", ending)
    assert named(tmp_path) == {target.name, "whole"}


@FILES
async def test_a_file_that_lacks_nothing_is_not_written_again(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await append(Timed(ROWS), days(0, 3), to(target, ending))
    before = target.stat()
    for query in (days(0, 3), days(0, 1)):
        assert (await append(Timed(ROWS), query, to(target, ending))).instances == 0
    assert (target.stat().st_ino, target.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@EVERY_ENDING
async def test_an_empty_export_is_a_beginning_too(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await append(Timed([]), days(0, 1), to(target, ending))
    await append(Timed(ROWS), days(0, 6), to(target, ending))
    assert content(target) == await whole(tmp_path / "whole", ending)


@EVERY_ENDING
async def test_an_export_without_append_can_be_continued_with_it(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await export(Timed(ROWS), days(0, 2), to(target, ending), tasks=True)
    await append(Timed(ROWS), days(1, 6), to(target, ending), tasks=True)
    assert content(target) == await whole(tmp_path / "whole", ending, tasks=True)


@EVERY_ENDING
async def test_rows_of_one_second_are_told_apart_by_their_ids(ending: str, tmp_path: Path) -> None:
    rows = [FlowInstance(f"{n:03}", trigger_time=START) for n in range(20)]
    target = tmp_path / f"out{ending}"
    await append(Timed(rows[:10]), days(0, 6), to(target, ending))
    await append(Timed(rows), days(0, 6), to(target, ending))
    assert [row["instance_id"] for row in content(target)] == [row.instance_id for row in rows]


@DATABASES
async def test_the_later_state_counts_in_a_database(ending: str, tmp_path: Path) -> None:
    """A run of yesterday that was running has ended, and one that the service has removed stays."""
    target = tmp_path / f"out{ending}"
    early = [attrs.evolve(row, status=FlowStatus.RUNNING) for row in ROWS[:48]]
    await append(Timed(early), days(0, 2), to(target, ending))
    await append(Timed(ROWS[25:]), days(1, 6), to(target, ending))
    found = content(target)
    assert [row["instance_id"] for row in found] == [row.instance_id for row in ROWS]
    assert [row["status"] for row in found[:25]] == [FlowStatus.RUNNING] * 25
    assert found[25:] == (await whole(tmp_path / "whole", ending))[25:]  # type: ignore[index]


@FILES
async def test_rows_of_a_file_stay_as_they_were_written(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    early = [attrs.evolve(row, status=FlowStatus.RUNNING) for row in ROWS[:48]]
    await append(Timed(early), days(0, 2), to(target, ending))
    await append(Timed(ROWS), days(0, 6), to(target, ending))
    states = [int(row["status"]) for row in content(target)]
    assert states[:48] == [FlowStatus.RUNNING] * 48
    assert len(states) == len(ROWS)


@EVERY_ENDING
@pytest.mark.parametrize("other", [{"columns": ["instance_id", "trigger_time"]}, {"tasks": True}])
async def test_other_columns_are_refused(ending: str, other: dict[str, Any], tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await append(Timed(ROWS), days(0, 2), to(target, ending))
    before = content(target)
    with pytest.raises(QueryError, match=r"another query or other options|other columns"):
        await append(Timed(ROWS), days(0, 6), to(target, ending), **other)
    assert content(target) == before
    assert named(tmp_path) == {target.name}


@EVERY_ENDING
async def test_another_query_is_refused(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await append(Timed(ROWS), days(0, 2), to(target, ending))
    with pytest.raises(QueryError, match="has another query or other options, so nothing is appended"):
        await append(Timed(ROWS), days(0, 6, owner="somebody"), to(target, ending))


@FILES
async def test_rows_before_the_first_are_refused(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await append(Timed(ROWS), days(2, 3), to(target, ending))
    with pytest.raises(QueryError, match=r"begins at 2024-01-03T00:00:00\+00:00, and rows before"):
        await append(Timed(ROWS), days(0, 6), to(target, ending))


@EVERY_ENDING
@pytest.mark.parametrize(
    "other", [{"order_by": "-trigger_time"}, {"order_by": None}, {"order_by": "start_time"}]
)
async def test_other_orders_are_refused(ending: str, other: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="in the order of trigger times only"):
        await append(Timed(ROWS), days(0, 6, **other), to(tmp_path / f"out{ending}", ending))


async def test_what_cannot_tell_its_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="without the column trigger_time"):
        await append(Timed(ROWS), days(0, 6), tmp_path / "out.csv", columns=["instance_id"])
    with pytest.raises(QueryError, match="is a stream, so nothing can be appended"):
        await append(Timed(ROWS), days(0, 6), "-")
    with pytest.raises(QueryError, match="shall be replaced, so nothing can be appended"):
        await append(Timed(ROWS), days(0, 6), tmp_path / "out.csv", overwrite=True)


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
@pytest.mark.parametrize("text", [b"thesis", b"\n", b"{}\n", b'{"instance_id":', b"a,b\r\n1,2\r\n"])
async def test_a_text_of_others_is_refused(ending: str, text: bytes, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    target.write_bytes(text)
    with pytest.raises(QueryError, match="nothing can be appended"):
        await append(Timed(ROWS), days(0, 6), target)
    assert target.read_bytes() == text


@EVERY_ENDING
async def test_a_copy_without_attributes_can_be_continued(ending: str, tmp_path: Path) -> None:
    """What counts is in the rows and in the metadata of the format."""
    first, target = tmp_path / "a" / f"out{ending}", tmp_path / f"out{ending}"
    first.parent.mkdir()
    await append(Timed(ROWS), days(0, 2), to(first, ending))
    for path in (first, *sorted(first.rglob("*"))):
        copy = target / path.relative_to(first) if path != first else target
        copy.mkdir() if path.is_dir() else copy.write_bytes(path.read_bytes())
    await append(Timed(ROWS), days(0, 6), to(target, ending))
    assert content(target) == await whole(tmp_path / "whole", ending)


@EVERY_ENDING
async def test_permissions_stay(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await append(Timed(ROWS), days(0, 2), to(target, ending), mode=0o644)
    await append(Timed(ROWS), days(0, 6), to(target, ending))
    one = next(target.rglob("*.parquet")) if target.is_dir() else target
    assert one.stat().st_mode & 0o777 == 0o644


@EVERY_ENDING
async def test_an_increment_that_died_is_resumed_by_the_same_call(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await append(Timed(ROWS), days(0, 2), to(target, ending))
    before, broken = content(target), Timed(ROWS, before=failing(50, ServerFault(1, "")))
    with pytest.raises(ServerFault) as caught:
        await append(broken, days(2, 6), to(target, ending), every=10)
    assert caught.value.__notes__ == ["50 instances are kept; go on with the same command"]
    assert content(target) == before
    rest, looked_for = Timed(ROWS), 1  # the last row of the target
    done = await append(rest, days(2, 6), to(target, ending), every=10)
    assert (done.before, done.instances) == (50, 50 + rest.handed - looked_for)
    assert content(target) == await whole(tmp_path / "whole", ending)
    assert named(tmp_path) == {target.name, "whole"}


@EVERY_ENDING
async def test_an_increment_that_died_does_not_hold_up_the_next(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await append(Timed(ROWS), days(0, 2), to(target, ending))
    with pytest.raises(ServerFault):
        await append(
            Timed(ROWS, before=failing(20, ServerFault(1, ""))), days(2, 4), to(target, ending), every=10
        )
    await append(Timed(ROWS), days(4, 6), to(target, ending))
    assert content(target) == await whole(tmp_path / "whole", ending)
    assert named(tmp_path) == {target.name, "whole"}


@EVERY_ENDING
async def test_a_first_increment_that_died_does_not_hold_up_the_next(ending: str, tmp_path: Path) -> None:
    """The next day's call begins again where there is no target yet. A call with another query is refused."""
    target = tmp_path / f"out{ending}"
    with pytest.raises(ServerFault):
        await append(
            Timed(ROWS, before=failing(20, ServerFault(1, ""))), days(0, 2), to(target, ending), every=10
        )
    with pytest.raises(QueryError, match="has another query or other options"):
        await append(Timed(ROWS), days(0, 6, owner="somebody"), to(target, ending))
    await append(Timed(ROWS), days(0, 6), to(target, ending))
    assert content(target) == await whole(tmp_path / "whole", ending)
    assert named(tmp_path) == {target.name, "whole"}


@pytest.mark.parametrize("ending", long_but(".csv", of=[".csv", ".parquet", ".parquet/"]))
@pytest.mark.parametrize("first", [1, 0])
async def test_a_damaged_draft_does_not_hold_up_an_increment(ending: str, first: int, tmp_path: Path) -> None:
    """Rows that an increment has committed and lost are read again, since the target and the service have all."""
    target, draft = tmp_path / f"out{ending}", tmp_path / f".out{ending.rstrip('/')}.aioflows"
    if first:
        await append(Timed(ROWS), days(0, first), to(target, ending))
    with pytest.raises(ServerFault):
        await append(
            Timed(ROWS, before=failing(50, ServerFault(1, ""))), days(0, 6), to(target, ending), every=10
        )
    for path in draft.rglob("*"):
        if path.is_file() and path.name not in ("journal.json", "lock"):
            path.unlink() if ending.endswith("/") else path.write_bytes(b"")
    done = await append(Timed(ROWS), days(0, 6), to(target, ending))
    assert done.before == 0
    assert content(target) == await whole(tmp_path / "whole", ending)
    assert named(tmp_path) == {target.name, "whole"}


@pytest.mark.parametrize("way", ["full", "died"])
@pytest.mark.parametrize("ending", long_but(of=ENDINGS))
async def test_whichever_call_fails_nothing_is_torn(ending: str, way: str, tmp_path: Path) -> None:
    async def grow(folder: Path, files: FileSystem, first: int, last: int) -> Path:
        Quick().folder(folder)
        name = f"{folder}/out{ending}"
        await append(Timed(ROWS), days(first, last), name, every=10, files=files)
        return Path(name)

    counting = Failing(0, way)
    before = content(await grow(tmp_path / "whole", Quick(), 0, 1))
    after = content(await grow(tmp_path / "whole", counting, 0, 2))
    for at in range(1, len(counting.calls) + 1):
        folder, files = tmp_path / f"{at}", Failing(at, way)
        target = await grow(folder, Quick(), 0, 1)
        with pytest.raises((exports.SinkError, Died)):
            await grow(folder, files, 0, 2)
        told = f"call {at}, {files.calls[at - 1]}, of {files.calls}"
        swapping = ending.endswith("/") and not target.exists()
        assert swapping or content(target) in (before, after), told
        await grow(folder, Quick(), 0, 2)
        assert content(target) == after, told
        assert named(folder) == {target.name}, told


@pytest.mark.parametrize("quoted", ['say "a\r\nb"', '"', '""\r\n"', "\r\n\r\n", ""])
async def test_the_last_record_of_a_csv_file_may_hold_anything(quoted: str, tmp_path: Path) -> None:
    rows = [
        FlowInstance(f"=\r\n{n}", flow_name=quoted * 3, owner=quoted, trigger_time=START + timedelta(hours=n))
        for n in range(4)
    ]
    for until in range(1, 5):
        await append(Timed(rows[:until]), QUERY, tmp_path / "out.csv")
    found = [one["flow_name"].removeprefix("'") for one in content(tmp_path / "out.csv")]
    assert found == [quoted * 3] * 4


@pytest.mark.long
@pytest.mark.parametrize("profile", ["cron", "one-second"])
@pytest.mark.parametrize("ending", [".csv", ".parquet/", ".duckdb"])
async def test_increments_from_a_service_end_anywhere(ending: str, profile: str, tmp_path: Path) -> None:
    """Limits cut increments within seconds that all three schedule types share; the next one goes on there."""
    rng = random.Random(f"{ending}{profile}")
    target = tmp_path / f"out{ending}"
    async with (
        Emulator(instances=1_500, seed=5, profile=profile) as emulator,
        session_to(emulator, page_size=100) as session,
    ):
        query = FlowQuery(emulator.start, emulator.end)
        while len(content(target) if target.exists() else ()) < 1_500:
            limit = rng.randrange(1, 400) + (1_500 if ending == ".duckdb" else 0)
            await append(session, query, to(target, ending), limit=limit)
        assert (await append(session, query, to(target, ending))).instances in (0, 1_500)
        await export(session, query, to(tmp_path / f"whole{ending}", ending))
    assert content(target) == content(tmp_path / f"whole{ending}")


@pytest.mark.parametrize("ending", long_but(".csv", of=[".csv", ".parquet/", ".sqlite", ".duckdb"]))
@pytest.mark.parametrize(
    ("held", "read"),
    [
        (0, "+07:00"),
        (1, "+08:00"),
        pytest.param(0, "+09:00", marks=pytest.mark.long),
        pytest.param(-1, "+08:00", marks=pytest.mark.long),
    ],
)
async def test_a_target_of_another_zone_is_told_from_its_last_row(
    ending: str, held: int, read: str, tmp_path: Path
) -> None:
    """If the target or the session has a time some hours off, nothing is appended: rows would be lost or repeated."""
    target = tmp_path / f"out{ending}"
    async with Emulator(instances=3, seed=1, zone="+08:00") as emulator:
        query = FlowQuery(emulator.start - timedelta(hours=2), emulator.end)
        async with session_to(emulator) as session:
            rows = [row async for row in session.flow_instances(query)][:-1]
        later = timedelta(hours=held)
        shifted = [attrs.evolve(row, trigger_time=(row.trigger_time or START) + later) for row in rows]
        await append(Timed(shifted), query, to(target, ending))
        before = content(target)
        async with session_to(emulator, server_timezone=read) as session:
            with pytest.raises((QueryError, CompletenessError), match="zone"):
                await append(session, query, to(target, ending))
    assert content(target) == before
    assert len(before) == len(rows) > 1
