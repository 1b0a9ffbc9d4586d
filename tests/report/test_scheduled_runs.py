"""The panel of scheduled runs: what an audit finds, from the scan of the report, or why it is not known."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from aioflows import FlowQuery, FlowSession, FlowStatus, Limits, ScheduleType
from aioflows.audit import AuditReport, audit
from aioflows.cli.output.terminal_report import print_report
from aioflows.emulator import Emulator
from aioflows.report import Facts, RunAudit, ScheduledRuns, Tally, report
from tests.support.fakes import EmulatorTransport
from tests.support.virtual import run_virtual

PERIODIC = {"type": ScheduleType.PERIODIC}


def session_to(emulator: Emulator) -> FlowSession:
    transport = EmulatorTransport(emulator, latency=0.01)
    return FlowSession(
        "https://enos.test", user_id="u", org_id="o", http=transport, limits=Limits(page_size=200)
    )


def panel(path: Path) -> dict[str, Any]:
    found = re.search(r'id="rows">(.*?)</script>', path.read_text(encoding="utf-8"))
    assert found is not None
    content: dict[str, Any] = json.loads(found[1])["scheduled"]
    return content


def reported(emulator: Emulator, path: Path, **selection: Any) -> dict[str, Any]:
    async def main() -> None:
        async with session_to(emulator) as session:
            await report(session.scan(FlowQuery(emulator.start, emulator.end, **selection)), path)

    run_virtual(main())
    return panel(path)


def audited(emulator: Emulator, **selection: Any) -> AuditReport:
    async def main() -> AuditReport:
        async with session_to(emulator) as session:
            return await audit(session, FlowQuery(emulator.start, emulator.end, **selection))

    return run_virtual(main())


def printed(emulator: Emulator, **selection: Any) -> tuple[ScheduledRuns, list[str]]:
    async def main() -> tuple[ScheduledRuns, list[str]]:
        tally, out = Tally(), io.StringIO()
        async with session_to(emulator) as session:
            scan = session.scan(FlowQuery(emulator.start, emulator.end, **selection))
            runs = RunAudit(scan)
            async for rows in scan.pages():
                tally.add(rows)
                runs.add(rows)
        found = runs.finish()
        print_report(tally, Facts.of(scan), found, Console(file=out, width=80))
        return found, out.getvalue().splitlines()

    return run_virtual(main())


@pytest.mark.parametrize("selection", [PERIODIC, {}], ids=["periodic", "all types"])
def test_the_counts_of_the_panel_are_those_of_an_audit(tmp_path: Path, selection: dict[str, Any]) -> None:
    with Emulator(2_500, seed=5, missed=60, doubled=40, late=30) as emulator:
        found, true = reported(emulator, tmp_path / "report.html", **selection), audited(emulator, **PERIODIC)
    assert (len(true.missing), len(true.doubled), len(true.late)) == (60, 40, 30)
    assert found["left_out"] == ""
    assert found["missing"] == 60
    assert found["expected"] == true.on_schedule + 60
    assert (found["doubled"], found["late"]) == (40, 30)
    assert found["stopped"] == len(true.stopped) > 0
    first = [
        [one.flow_name, one.flow_id, one.trigger_time.isoformat(sep=" ")] for one in list(true.missing)[:50]
    ]
    assert found["first_missing"] == first
    expected = {one.flow_id: one.expected for one in true.stopped}
    assert all(expected[flow_id] == since for _, flow_id, _, since in found["first_stopped"])
    assert "fewer than two runs" in found["unjudged"]


@pytest.mark.parametrize("selection", [PERIODIC, {}], ids=["periodic", "all types"])
def test_the_report_sends_no_request_more_for_the_panel(tmp_path: Path, selection: dict[str, Any]) -> None:
    async def read(emulator: Emulator) -> None:
        async with session_to(emulator) as session:
            await session.scan(FlowQuery(emulator.start, emulator.end, **selection)).list()

    with Emulator(2_000, seed=1) as emulator:
        run_virtual(read(emulator))
        alone = sum(emulator.requests.values())
        reported(emulator, tmp_path / "report.html", **selection)
        assert sum(emulator.requests.values()) == 2 * alone


def test_the_terminal_shows_the_same_counts_on_one_screen() -> None:
    with Emulator(6_000, seed=5, missed=60, doubled=40, late=30) as emulator:
        found, lines = printed(emulator)
    counts = f"{found.expected:,} expected · 60 missing · 40 twice · 30 late"
    assert any(line.startswith("scheduled runs") and counts in line for line in lines)
    assert any(line.startswith("not judged") for line in lines)
    assert len(lines) <= 24


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        ({"type": ScheduleType.MANUAL}, "have no schedule"),
        ({**PERIODIC, "status": FlowStatus.FAIL}, "every status"),
        ({**PERIODIC, "order_by": "-trigger_time"}, "reads by 'trigger_time'"),
        ({**PERIODIC, "order_by": None}, "reads by 'trigger_time'"),
    ],
)
def test_a_scan_that_cannot_be_audited_leaves_the_counts_out_and_says_why(
    tmp_path: Path, selection: dict[str, Any], reason: str
) -> None:
    with Emulator(500, seed=1, missed=5) as emulator:
        found = reported(emulator, tmp_path / "report.html", **selection)
        _, lines = printed(emulator, **selection)
    assert reason in found["left_out"]
    assert found["first_missing"] == []
    assert any(line.startswith("scheduled runs") and reason in line for line in lines)
    assert len(lines) <= 24


def test_of_a_scan_with_a_limit_nothing_is_said_about_the_end(tmp_path: Path) -> None:
    async def main() -> None:
        async with session_to(emulator) as session:
            query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC)
            await report(session.scan(query, limit=400), tmp_path / "report.html")

    with Emulator(1_000, seed=1) as emulator:
        run_virtual(main())
    found = panel(tmp_path / "report.html")
    assert (found["left_out"], found["stopped"]) == ("", 0)
