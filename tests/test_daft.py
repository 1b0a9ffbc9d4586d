"""DataFrames of Daft: the rows of an export, filters that are neither lost nor believed, and few requests.

python -m pytest -q -m long tests/test_daft.py
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from aioflows import (
    Event,
    FlowQuery,
    FlowStatus,
    Limits,
    QueryError,
    RequestSent,
)
from aioflows.emulator import Emulator, EmulatorProcess
from aioflows.sync import FlowSession
from tests.support.fakes import EmulatorTransport

daft = pytest.importorskip("daft", reason="daft is not installed; pip install 'enos-aioflows[daft]'")

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("default")]

col = daft.col
CHINA = timezone(timedelta(hours=8))


class Desk:
    """A service, and a session that frames are read by."""

    def __init__(self, emulator: Emulator) -> None:
        self.transport = EmulatorTransport(emulator, epoch_ms=emulator.end_ms)
        limits = Limits(page_size=100)
        self.session = FlowSession(
            "http://127.0.0.1", user_id="u", org_id="o", http=self.transport, limits=limits
        )
        self.query = FlowQuery(emulator.start_ms, emulator.end_ms)

    def frame(self, query: FlowQuery | None = None, **options: Any) -> Any:
        return daft_read(self.session, query or self.query, **options)

    def rows(self) -> list[dict[str, Any]]:
        table = self.session.scan(self.query).to_arrow(names="text")
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows


def daft_read(*arguments: Any, **options: Any) -> Any:
    from aioflows.daft import read

    return read(*arguments, **options)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Emulator(2_000, seed=4) as emulator:
        desk = Desk(emulator)
        with desk.session:
            yield desk


def by_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row["instance_id"]))


def test_rows_and_columns_are_those_of_an_export(desk: Desk) -> None:
    assert by_id(desk.frame().to_arrow().to_pylist()) == by_id(desk.rows())
    assert len(desk.rows()) == 2_000


def test_only_the_columns_that_are_used_are_made(desk: Desk) -> None:
    frame = desk.frame().where(col("duration") > 60).select("flow_name")
    expected = [row["flow_name"] for row in desk.rows() if (row["duration"] or 0) > 60]
    assert sorted(frame.to_pydict()["flow_name"]) == sorted(expected)
    assert desk.frame(columns=["owner", "status"]).column_names == ["owner", "status"]
    with pytest.raises(QueryError, match="unknown column"):
        desk.frame(columns=["ownr"])


def times(desk: Desk) -> tuple[datetime, datetime]:
    found = sorted(row["trigger_time"] for row in desk.rows())
    return found[500], found[1_300]


FILTERS: dict[str, tuple[Callable[[Desk], Any], bool]] = {
    "status": (lambda d: col("status") == int(FlowStatus.FAIL), True),
    "status on the right": (lambda d: daft.lit(int(FlowStatus.FAIL)) == col("status"), True),
    "statuses": (lambda d: col("status").is_in([int(FlowStatus.FAIL), int(FlowStatus.RUNNING)]), True),
    "either status": (lambda d: (col("status") == int(FlowStatus.FAIL)) | (col("status") == 2), True),
    "name of a status": (lambda d: col("status_name") == "FAIL", True),
    "not a status": (lambda d: ~(col("status") == int(FlowStatus.FAIL)), False),
    "unknown status": (lambda d: col("status").is_in([int(FlowStatus.FAIL), 99_999]), False),
    "no status that is known": (lambda d: col("status") == 99_999, False),
    "fraction": (lambda d: col("status") == 1.5, False),
    "owner": (lambda d: col("owner") == d.rows()[0]["owner"], True),
    "two owners": (lambda d: col("owner").is_in([one["owner"] for one in d.rows()[:9]]), False),
    "owner without one": (lambda d: col("owner") == "", False),
    "owner with a backslash": (lambda d: col("owner") == "a\\b", False),
    "owner with blanks": (lambda d: col("owner") == " anna ", False),
    "from": (lambda d: col("trigger_time") >= times(d)[0], True),
    "after": (lambda d: col("trigger_time") > times(d)[0], True),
    "until": (lambda d: col("trigger_time") <= times(d)[1], True),
    "before": (lambda d: col("trigger_time") < times(d)[1], True),
    "within a second": (lambda d: col("trigger_time") > times(d)[0] + timedelta(milliseconds=300), True),
    "microseconds": (lambda d: col("trigger_time") < times(d)[1] + timedelta(microseconds=1), True),
    "elsewhere": (lambda d: col("trigger_time") >= times(d)[0].astimezone(CHINA), True),
    "between": (lambda d: col("trigger_time").between(*times(d)), True),
    "one moment": (lambda d: col("trigger_time") == times(d)[0], False),
    "no range": (lambda d: (col("trigger_time") < times(d)[0]) & (col("trigger_time") > times(d)[1]), True),
    "before all time": (lambda d: col("trigger_time") >= datetime(1900, 1, 1, tzinfo=UTC), False),
    "several": (
        lambda d: (
            (col("status") == int(FlowStatus.FAIL))
            & (col("trigger_time") >= times(d)[0])
            & (col("flow_id") > 5)
            & (col("trigger_time") < times(d)[1])
        ),
        True,
    ),
    "one of two columns": (lambda d: (col("status") == int(FlowStatus.FAIL)) | (col("flow_id") > 100), False),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_gives_what_daft_makes_of_it_on_all_rows(desk: Desk, name: str) -> None:
    from aioflows.daft import _Narrowed, _Tree

    make, narrows = FILTERS[name]
    condition = make(desk)
    rows = daft.from_arrow(desk.session.scan(desk.query).to_arrow(names="text"))
    found = desk.frame().where(condition).to_pydict()["instance_id"]
    assert sorted(found) == sorted(rows.where(condition).to_pydict()["instance_id"])
    narrowed = _Narrowed(desk.query)
    narrowed.narrow(_Tree().visit(condition))
    assert (narrowed.query != desk.query) == narrows


def test_a_list_in_a_filter_makes_no_query_narrower(desk: Desk) -> None:
    from aioflows.daft import _Narrowed

    for value in ([1, 2], {"a": 1}, None, b"x"):
        narrowed = _Narrowed(desk.query)
        narrowed.narrow(("equal", ("column", "status"), ("value", value)))
        narrowed.narrow(("is_in", ("column", "owner"), ("value", value)))
        assert (narrowed.query, narrowed.exact) == (desk.query, False)


def test_a_filter_keeps_to_its_own_frame(desk: Desk) -> None:
    frame = desk.frame()
    failed = frame.where(col("status") == int(FlowStatus.FAIL))
    expected = sum(row["status"] == FlowStatus.FAIL for row in desk.rows())
    assert 0 < expected < 2_000
    assert [one.count_rows() for one in (frame, failed, frame, failed)] == [2_000, expected] * 2
    assert frame.concat(failed).count_rows() == 2_000 + expected


def test_the_filters_of_the_query_and_of_the_frame_hold_together(desk: Desk) -> None:
    statuses = (FlowStatus.FAIL, FlowStatus.SUCCESS)
    query = FlowQuery(desk.query.from_ms, desk.query.to_ms, status=statuses)
    of_both = desk.frame(query).where(col("status").is_in([int(FlowStatus.FAIL), int(FlowStatus.RUNNING)]))
    assert set(of_both.to_pydict()["status"]) == {FlowStatus.FAIL}
    assert desk.frame(query).where(col("status") == int(FlowStatus.RUNNING)).count_rows() == 0


def test_a_limit_counts_rows_that_pass_the_filters(desk: Desk) -> None:
    rows = desk.rows()
    for condition, passes in (
        (col("flow_id") > 50, lambda row: row["flow_id"] > 50),
        (col("owner") == rows[0]["owner"], lambda row: row["owner"] == rows[0]["owner"]),
        (col("status") == int(FlowStatus.FAIL), lambda row: row["status"] == FlowStatus.FAIL),
    ):
        expected = min(40, sum(map(passes, rows)))
        assert expected > 3
        found = desk.frame().where(condition).limit(40).to_arrow().to_pylist()
        assert len(found) == expected
        assert all(map(passes, found))
    assert desk.frame().limit(1_990).count_rows() == 1_990  # of all schedule types
    later = desk.frame().limit(1_000).where(col("flow_id") > 50).count_rows()
    assert later <= sum(row["flow_id"] > 50 for row in rows)


def test_ten_rows_of_very_many_take_three_requests() -> None:
    with EmulatorProcess(instances=200_000, seed=1) as emulator:
        sent: list[Event] = []
        with FlowSession(emulator.url, user_id="u", org_id="o", observer=sent.append) as session:
            query = FlowQuery(emulator.start_ms, emulator.end_ms)
            assert len(daft_read(session, query).limit(10).to_pydict()["instance_id"]) == 10
    requests = [event.operation for event in sent if isinstance(event, RequestSent)]
    assert requests.count("search") <= 3
    assert len(requests) <= 4  # the zone is asked for once in a session


def test_the_guide_is_right() -> None:
    page = (Path(__file__).parent.parent / "docs/guide/clusters.md").read_text(encoding="utf-8")
    code = page.split("<!-- daft -->\n```py\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "instance_id" in done.stdout


def test_an_error_of_the_service_ends_the_collection(desk: Desk) -> None:
    frame = desk.frame()
    desk.session.close()
    with pytest.raises(Exception, match="closed"):
        frame.collect()
