"""A report written: whole, for its owner alone, in place of nothing that exists, and with the scan's own account."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from aioflows import AppKey, CompletenessError, FlowQuery, FlowScan, FlowSession, Limits, QueryError
from aioflows.emulator import Emulator
from aioflows.export import SinkError
from aioflows.export.draft import Draft
from aioflows.export.filesystem import FileSystem
from aioflows.export.journal import JournalEntry
from aioflows.report import report
from tests.support.fakes import EmulatorTransport


async def written(
    path: Path, *, limit: int | None = None, watch: Callable[[FlowScan], object] | None = None, **more: object
) -> dict[str, object]:
    with Emulator(instances=1_500, seed=3, days=20) as emulator:
        session = FlowSession(
            "https://enos.test",
            user_id="u",
            org_id="o",
            auth=AppKey("ACCESS-CANARY", "SECRET-CANARY"),
            http=EmulatorTransport(emulator, latency=0.01),
            limits=Limits(page_size=200),
        )
        async with session:
            scan = session.scan(FlowQuery(emulator.start, emulator.end), limit=limit)
            await report(scan, path, watch=watch, **more)  # type: ignore[arg-type]
    found = re.search(r'id="rows">(.*?)</script>', path.read_text(encoding="utf-8"))
    assert found is not None
    content: dict[str, object] = json.loads(found[1])
    return content


async def test_the_page_is_whole_private_and_alone_in_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    content = await written(path)
    assert content["instances"] == 1_500
    assert str(content["verdict"]).startswith("complete and proven")
    assert content["zone"] == "UTC+08:00"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    assert "CANARY" not in path.read_text(encoding="utf-8")


async def test_a_scan_with_a_limit_is_called_a_part(tmp_path: Path) -> None:
    content = await written(tmp_path / "report.html", limit=100)
    assert content["instances"] == 100
    assert str(content["verdict"]).startswith("partial")


async def test_a_page_that_exists_is_replaced_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(QueryError, match="exists"):
        await written(path)
    assert path.read_text() == "mine"
    assert (await written(path, overwrite=True, day=date(2024, 1, 3)))["instances"] == 1_500


@pytest.mark.parametrize("overwrite", [False, True])
async def test_what_an_unfinished_export_has_kept_is_left_alone(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "report.html"
    draft = Draft(path, str(path), FileSystem())
    draft.enter()
    draft.keep(JournalEntry(job="another", instances=10))
    draft.leave()
    with pytest.raises(QueryError, match="unfinished export"):
        await written(path, overwrite=overwrite)
    kept = draft.kept()
    assert kept is not None
    assert kept.instances == 10
    assert not path.exists()


async def test_a_scan_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(scan: FlowScan) -> None:
        raise CompletenessError("lost")

    with pytest.raises(CompletenessError):
        await written(tmp_path / "report.html", watch=fail)
    assert list(tmp_path.iterdir()) == []


async def test_a_full_disk_is_a_sink_error_and_leaves_what_was_there(tmp_path: Path) -> None:
    class Full(FileSystem):
        def write(self, descriptor: int, content: bytes | bytearray) -> None:
            raise OSError(28, "No space left on device")

    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(SinkError, match="No space left"):
        await written(path, overwrite=True, files=Full())
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["report.json", "report", "html"])
async def test_a_name_that_is_no_page_is_refused_before_anything_is_sent(tmp_path: Path, name: str) -> None:
    with Emulator(instances=10, seed=3) as emulator:
        http = EmulatorTransport(emulator)
        async with FlowSession("https://enos.test", user_id="u", org_id="o", http=http) as session:
            scan = session.scan(FlowQuery(emulator.start, emulator.end))
            with pytest.raises(QueryError, match=r"does not end with \.html"):
                await report(scan, tmp_path / name)
            assert scan.stats.requests == 0


async def test_the_page_says_what_was_asked_for_and_of_which_service(tmp_path: Path) -> None:
    with Emulator(instances=100, seed=3) as emulator:
        http = EmulatorTransport(emulator)
        async with FlowSession("https://enos.test", user_id="u", org_id="o", http=http) as session:
            query = FlowQuery(
                emulator.start, emulator.end, type="periodic", status=("FAIL", "TIMEOUT"), owner="ann"
            )
            await report(session.scan(query), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '"selection":"periodic flow instances with status FAIL or TIMEOUT of owner ann"' in page
    assert '"service":"https://enos.test"' in page
