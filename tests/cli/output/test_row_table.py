"""Flow instances as lines on a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, timezone

import pytest
from rich.cells import cell_len
from rich.console import Console

from aioflows import FlowInstance, FlowStatus
from aioflows.cli.output.row_table import RowTable, fit_to_width, format_status

CHINA = timezone(timedelta(hours=8))
NOON = datetime(2024, 1, 1, 12, tzinfo=CHINA)


def instance(name: str = "2809-20240101120000", **members: object) -> FlowInstance:
    given: dict[str, object] = {"flow_name": "风机_日统计", "status": 1, "trigger_time": NOON, **members}
    return FlowInstance(name, **given)  # type: ignore[arg-type]


async def lines(*batches: list[FlowInstance], width: int = 80, terminal: bool = False) -> list[str]:
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=terminal, color_system="standard" if terminal else None
    )
    table = RowTable(console)
    for batch in batches:
        await table.write(batch)
    return file.getvalue().splitlines()


async def test_a_row_is_a_line_under_a_head() -> None:
    head, row = await lines([instance(start_time=NOON, end_time=NOON + timedelta(seconds=185))])
    assert head.split() == ["time", "UTC+08:00", "instance", "status", "duration", "flow"]
    assert row.split() == [
        "2024-01-01",
        "12:00:00",
        "2809-20240101120000",
        "SUCCESS",
        "3m",
        "05s",
        "风机_日统计",
    ]


async def test_the_head_stands_once() -> None:
    shown = await lines([instance()], [], [instance()])
    assert [line.startswith("time") for line in shown] == [True, False, False]


async def test_columns_are_aligned() -> None:
    shown = await lines(
        [instance("a"), instance("b" * 20, status=None), instance("c", status=99, flow_name=None)]
    )
    assert len({line.rstrip().rfind("  ") for line in shown}) == 1


@pytest.mark.parametrize("width", [40, 80, 120])
async def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    shown = await lines([instance(flow_name="名" * 200), instance("i" * 30)], width=width)
    assert all(cell_len(line) <= width for line in shown)


async def test_a_name_cannot_drive_the_terminal() -> None:
    hostile = "\x1b]52;c;ZXZpbA==\x07\x9b31m\r\n\u202e[red]x[/red]:smile:"
    row = instance("id\x1b[2J", flow_name=hostile, status=99, status_desc="\x1b[31m")
    text = "\n".join(await lines([row], width=200))
    assert "\x1b" not in text
    assert "\\x1b]52;c;ZXZpbA==\\x07\\x9b31m\\r\\n\\u202e[red]x[/red]:smile:" in text


async def test_a_failure_is_red_on_a_terminal() -> None:
    _, row = await lines([instance(status=FlowStatus.FAIL)], terminal=True)
    assert "\x1b[1;31mFAIL " in row


async def test_all_times_are_in_the_zone_that_the_head_names() -> None:
    head, _, second = await lines([instance(), instance(trigger_time=datetime(2024, 7, 1, tzinfo=UTC))])
    assert head.startswith("time UTC+08:00")
    assert second.startswith("2024-07-01 08:00:00")


@pytest.mark.parametrize(
    ("status", "description", "shown"),
    [
        (FlowStatus.FAIL, "Fail", "FAIL"),
        (99, "PAUSED", "PAUSED 99"),
        (99, None, "status 99"),
        (None, None, "–"),
    ],
)
def test_a_status_is_named(status: int | None, description: str | None, shown: str) -> None:
    assert format_status(status, description) == shown


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 5, "abc  "),
        ("abcdef", 5, "abcd…"),
        ("名名名", 5, "名名…"),
        ("名名名", 4, "名 …"),
        ("abc", 0, ""),
    ],
)
def test_a_text_is_cut_or_filled_to_a_width_in_cells(text: str, width: int, shown: str) -> None:
    assert fit_to_width(text, width) == shown


async def test_a_narrow_terminal_shows_the_name_instead_of_the_duration() -> None:
    head, row = await lines([instance(flow_name="风机_日统计_2024")], width=60)
    assert head.split() == ["time", "UTC+08:00", "instance", "status", "flow"]
    assert row.endswith("风机_日…")
    assert cell_len(row) <= 60
