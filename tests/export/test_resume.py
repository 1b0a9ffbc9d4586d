"""An export that ends early, and goes on: what is there afterwards is what would have been there anyway."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from aioflows import FlowQuery, QueryError, ServerFault
from aioflows import export as exports
from aioflows.export import SinkError
from aioflows.export.draft import Draft
from aioflows.export.filesystem import FileSystem
from tests.support.export_cases import QUERY, START, Quick, Rows, instances
from tests.support.export_readers import ENDINGS, content, named

pytestmark = [pytest.mark.real_time, pytest.mark.parametrize("ending", ENDINGS)]

MANY = instances(95)
export = partial(exports.export, files=Quick())


def failing(at: int, error: BaseException) -> Callable[[int], None]:
    """Raises once so many rows were handed out."""

    def look(handed: int) -> None:
        if handed >= at:
            raise error

    return look


def to(path: Path, ending: str) -> str:
    """Names a target; of a path, the slash that makes it a folder is lost."""
    return f"{path}/" if ending.endswith("/") else str(path)


async def whole(folder: Path, ending: str) -> object:
    """What an export that nothing disturbs gives."""
    FileSystem().folder(folder)
    await export(Rows(MANY), QUERY, to(folder / f"out{ending}", ending))
    return content(folder / f"out{ending}")


async def test_it_holds_every_row(ending: str, tmp_path: Path) -> None:
    done = await export(Rows(MANY), QUERY, to(tmp_path / f"out{ending}", ending), columns=["instance_id"])
    assert done.instances == 95
    ids = [row["instance_id"] for row in content(tmp_path / f"out{ending}")]
    assert ids == [row.instance_id for row in MANY]


async def test_only_its_owner_may_read_it(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await export(Rows(MANY), QUERY, to(target, ending))
    for path in (target, *target.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


async def test_it_appears_only_when_it_is_whole(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    seen: list[bool] = []
    await export(
        Rows(MANY, before=lambda _: seen.append(target.exists())), QUERY, to(target, ending), every=10
    )
    assert True not in seen
    assert target.exists()


async def test_nothing_at_all_is_an_export_too(ending: str, tmp_path: Path) -> None:
    done = await export(Rows([]), QUERY, to(tmp_path / f"out{ending}", ending))
    assert done.instances == 0
    assert not list(content(tmp_path / f"out{ending}"))


@pytest.mark.parametrize("error", [ServerFault(62109, "x"), asyncio.CancelledError(), ZeroDivisionError()])
async def test_after_a_failure_the_rest_follows_and_nothing_is_read_twice(
    ending: str, error: BaseException, tmp_path: Path
) -> None:
    target = tmp_path / f"out{ending}"
    with pytest.raises(type(error)) as caught:
        await export(Rows(MANY, before=failing(50, error)), QUERY, to(target, ending), every=10)
    if isinstance(error, ServerFault):
        assert caught.value.__notes__[-1] == "50 instances are kept; go on with resume=True (--resume)"
    assert not target.exists()
    rest = Rows(MANY)
    done = await export(rest, QUERY, to(target, ending), every=10, resume=True)
    assert done.instances == 95
    assert done.before + rest.handed == 95
    assert done.before >= (50 if isinstance(error, ServerFault) else 30)
    assert content(target) == await whole(tmp_path / "whole", ending)


async def test_what_counts_is_told_as_it_grows(ending: str, tmp_path: Path) -> None:
    target, told = tmp_path / f"out{ending}", list[int]()
    with pytest.raises(ServerFault):
        await export(
            Rows(MANY, before=failing(50, ServerFault(1, ""))),
            QUERY,
            to(target, ending),
            every=10,
            kept=told.append,
        )
    assert told[0] == 0
    assert told == sorted(told)
    assert told[-1] == 50
    again: list[int] = []
    done = await export(Rows(MANY), QUERY, to(target, ending), every=10, resume=True, kept=again.append)
    assert again[0] == done.before == 50
    assert again[-1] == 95


async def test_a_failure_before_the_first_row_leaves_nothing(ending: str, tmp_path: Path) -> None:
    with pytest.raises(ServerFault):
        await export(
            Rows(MANY, before=failing(0, ServerFault(1, ""))), QUERY, to(tmp_path / f"out{ending}", ending)
        )
    assert not named(tmp_path)


async def test_a_limit_is_a_total_over_all_runs(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    with pytest.raises(ServerFault):
        await export(Rows(MANY, before=failing(30, ServerFault(1, ""))), QUERY, to(target, ending), limit=42)
    done = await export(Rows(MANY), QUERY, to(target, ending), limit=42, resume=True)
    assert done.instances == 42
    assert len(list(content(target))) == 42


async def test_what_is_done_is_not_done_again(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await export(Rows(MANY), QUERY, to(target, ending))
    again = Rows(MANY)
    assert (await export(again, QUERY, to(target, ending), resume=True)).before == 95
    assert again.handed == 0
    assert len(list(content(target))) == 95


has_attributes = pytest.mark.skipif(not hasattr(os, "setxattr"), reason="files have no attributes here")


@has_attributes
async def test_nothing_lies_beside_a_finished_target(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await export(Rows(MANY), QUERY, to(target, ending))
    assert named(tmp_path) == {target.name}
    with pytest.raises(ServerFault):
        await export(
            Rows(MANY, before=failing(50, ServerFault(1, ""))), QUERY, to(target, ending), overwrite=True
        )
    await export(Rows(MANY), QUERY, to(target, ending), resume=True)
    assert named(tmp_path) == {target.name}


@has_attributes
async def test_a_finished_target_says_by_itself_what_it_is(ending: str, tmp_path: Path) -> None:
    """Moved to another name it is still known; another query is refused."""
    await export(Rows(MANY), QUERY, to(tmp_path / f"out{ending}", ending))
    target = tmp_path / f"moved{ending}"
    (tmp_path / f"out{ending}").rename(target)
    assert (await export(Rows(MANY), QUERY, to(target, ending), resume=True)).before == 95
    with pytest.raises(QueryError, match="another query"):
        await export(Rows(MANY), FlowQuery(START, QUERY.to_ms - 1), to(target, ending), resume=True)


async def test_where_files_have_no_attributes_an_account_stays_beside(ending: str, tmp_path: Path) -> None:
    class Plain(Quick):
        def mark(self, path: Path, text: str) -> bool:
            return False

    target = tmp_path / f"out{ending}"
    for resume in (False, True):
        rows = Rows(MANY)
        done = await export(rows, QUERY, to(target, ending), resume=resume, files=Plain())
        assert (done.instances, rows.handed) == (95, 0 if resume else 95)


async def test_resume_begins_where_there_is_nothing(ending: str, tmp_path: Path) -> None:
    done = await export(Rows(MANY), QUERY, to(tmp_path / f"out{ending}", ending), resume=True)
    assert (done.instances, done.before) == (95, 0)


async def test_what_was_whole_and_was_taken_away_is_made_again(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await export(Rows(MANY), QUERY, to(target, ending))
    FileSystem().remove(target)
    assert (await export(Rows(MANY), QUERY, to(target, ending), resume=True)).before == 0


async def test_a_target_that_exists_is_refused_and_stays(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await export(Rows(MANY[:5]), QUERY, to(target, ending))
    with pytest.raises(QueryError, match=r"exists; give overwrite=True \(--overwrite\)"):
        await export(Rows(MANY), QUERY, to(target, ending))
    assert len(list(content(target))) == 5


async def test_a_foreign_target_is_refused_though_it_resumes(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await export(Rows(MANY[:5]), QUERY, to(tmp_path / f"other{ending}", ending))
    FileSystem().rename(tmp_path / f"other{ending}", target)
    with pytest.raises(QueryError, match=r"no export to resume|has another query"):
        await export(Rows(MANY), QUERY, to(target, ending), resume=True, columns=["status"])
    assert len(list(content(target))) == 5


async def test_it_is_replaced_where_that_is_wanted(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await export(Rows(MANY[:5]), QUERY, to(target, ending))
    with pytest.raises(ZeroDivisionError):
        await export(
            Rows(MANY, before=failing(50, ZeroDivisionError())),
            QUERY,
            to(target, ending),
            overwrite=True,
            every=10,
        )
    assert len(list(content(target))) == 5
    await export(
        Rows(MANY), QUERY, to(target, ending), resume=True
    )  # that it may be replaced was said before
    assert content(target) == await whole(tmp_path / "whole", ending)


async def test_one_that_appeared_meanwhile_is_not_replaced(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"

    def appear(handed: int) -> None:
        if handed == 50:
            target.write_text("somebody else's")

    with pytest.raises(SinkError, match="has appeared since the export began"):
        await export(Rows(MANY, before=appear), QUERY, to(target, ending))
    assert target.read_text() == "somebody else's"
    target.unlink()
    rest = Rows(MANY)
    assert (await export(rest, QUERY, to(target, ending), resume=True)).instances == 95
    assert rest.handed == 0


async def test_an_unfinished_one_is_not_thrown_away_unasked(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    with pytest.raises(ServerFault):
        await export(Rows(MANY, before=failing(50, ServerFault(1, ""))), QUERY, to(target, ending))
    with pytest.raises(QueryError, match=r"holds 50 instances; give resume=True \(--resume\) to go on"):
        await export(Rows(MANY), QUERY, to(target, ending))
    assert (await export(Rows(MANY), QUERY, to(target, ending), overwrite=True)).before == 0


@pytest.mark.parametrize("other", [{"columns": ["status"]}, {"limit": 60}, {"tasks": True}])
async def test_another_export_is_not_mixed_in(ending: str, other: dict[str, object], tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    with pytest.raises(ServerFault):
        await export(Rows(MANY, before=failing(50, ServerFault(1, ""))), QUERY, to(target, ending))
    with pytest.raises(QueryError, match="another query or other options"):
        await export(Rows(MANY), QUERY, to(target, ending), resume=True, **other)  # type: ignore[arg-type]


async def test_an_order_that_cannot_be_resumed_is_refused_and_leaves_nothing(
    ending: str, tmp_path: Path
) -> None:
    query = FlowQuery(START, QUERY.to_trigger_time, order_by="update_time")
    with pytest.raises(QueryError, match="an export by update_time cannot be resumed"):
        await export(Rows(MANY), query, to(tmp_path / f"out{ending}", ending), resume=True)
    with pytest.raises(ServerFault):
        await export(
            Rows(MANY, before=failing(50, ServerFault(1, ""))),
            query,
            to(tmp_path / f"out{ending}", ending),
            every=10,
        )
    assert not named(tmp_path)
    assert (await export(Rows(MANY), query, to(tmp_path / f"out{ending}", ending))).instances == 95


async def test_two_exports_of_one_target_are_one_too_many(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    other = Draft(target, "other", FileSystem())
    other.enter()
    for more in ({"resume": True}, {"overwrite": True}, {}):
        with pytest.raises(SinkError, match="is being written by another export"):
            await export(Rows(MANY), QUERY, to(target, ending), **more)  # type: ignore[arg-type]
    other.leave()
    assert (await export(Rows(MANY), QUERY, to(target, ending))).instances == 95


async def test_a_link_keeps_pointing_where_it_points(ending: str, tmp_path: Path) -> None:
    real, link = tmp_path / f"real{ending}", tmp_path / f"link{ending}"
    await export(Rows(MANY[:5]), QUERY, to(real, ending))
    link.symlink_to(real)
    await export(Rows(MANY), QUERY, to(link, ending), overwrite=True)
    assert link.is_symlink()
    assert len(list(content(real))) == 95


async def test_a_folder_that_may_not_be_written_is_one_clear_error(ending: str, tmp_path: Path) -> None:
    class Refusing(FileSystem):
        def folder(self, path: Path) -> None:
            raise PermissionError(13, "Permission denied")

    with pytest.raises(SinkError, match="cannot be written: Permission denied"):
        await export(Rows(MANY), QUERY, to(tmp_path / f"out{ending}", ending), files=Refusing())
