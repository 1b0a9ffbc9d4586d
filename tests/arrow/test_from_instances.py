"""Record batches: their types, and that every value arrives."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows import FlowInstance, FlowQuery, QueryError
from aioflows._core.wire.search import read_search
from aioflows._core.wire.zone import Zone
from aioflows._tables.columns import COLUMNS, Layout, utf8
from aioflows.arrow import arrow_schema
from aioflows.emulator import Emulator
from benchmarks.worlds import session_to
from tests.support.batches import record_batch
from tests.support.export_cases import instances

NAMES = pa.dictionary(pa.int32(), pa.string())
TYPES = {
    pa.string(): "instance_id flow_name freq cycle parameters do_as graph status_desc owner cal_dt extra",
    NAMES: "status_name",
    pa.int64(): "flow_id status alert_mode",
    pa.bool_(): "virtual has_edit_pri has_read_pri is_cancelled",
    pa.timestamp("us", tz="UTC"): "trigger_time start_time end_time timestamp",
    pa.float64(): "duration",
}


def test_every_column_has_its_type_with_rows_and_without() -> None:
    wanted = {name: type for type, names in TYPES.items() for name in names.split()}
    for batch in (record_batch(Layout(), instances(3)), record_batch(Layout(), [])):
        assert {field.name: field.type for field in batch.schema} == wanted
        assert batch.schema == arrow_schema(Layout())
    assert set(wanted) == {column.name for column in COLUMNS}


def test_every_value_arrives() -> None:
    rows = instances(5)
    found = record_batch(Layout(), rows).to_pylist()
    for row, one in zip(found, rows, strict=True):
        assert row["instance_id"] == one.instance_id
        assert row["status"] == one.status
        assert row["graph"] == one.graph_text
        assert (row["trigger_time"], row["end_time"]) == (one.trigger_time, one.end_time)
        assert row["duration"] == (None if one.duration is None else one.duration.total_seconds())
        assert row["extra"] == f'{{"more":{one.extra["more"]}}}'


ZONES = [
    UTC,
    timezone(timedelta(hours=-3, minutes=-30)),
    ZoneInfo("Europe/Berlin"),
    ZoneInfo("Asia/Shanghai"),
]


@given(
    st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001
    st.sampled_from(ZONES),
    st.sampled_from([0, 1]),
)
def test_an_instant_is_the_same_in_whatever_zone_it_was_given(
    naive: datetime, zone: ZoneInfo, fold: int
) -> None:
    time = naive.replace(tzinfo=zone, fold=fold)
    batch = record_batch(Layout(["trigger_time"]), [FlowInstance("a", trigger_time=time)])
    assert batch.to_pylist() == [{"trigger_time": time.astimezone(UTC)}]


@pytest.mark.parametrize("name", ["风机", "\x1b]52;c;x\x07", "", None])
def test_any_name_is_kept(name: str | None) -> None:
    rows = [FlowInstance("a", flow_name=name, graph=name)]
    assert record_batch(Layout(["flow_name", "graph"]), rows).to_pylist() == [
        {"flow_name": name, "graph": name}
    ]


def test_a_lone_surrogate_is_escaped() -> None:
    rows = [FlowInstance("a", flow_name="x\ud800"), FlowInstance("b")]
    assert record_batch(Layout(["flow_name"]), rows).column(0).to_pylist() == ["x\\ud800", None]


HOSTILE = st.fixed_dictionaries(
    {
        "flowId": st.sampled_from([None, 7, "8", 9.0, 2**40]),
        "flowName": st.sampled_from([None, "风机", "", 5]),
        "graph": st.sampled_from([None, '{"tasks":[]}', {"tasks": [1]}, "风", ""]),
        "status": st.sampled_from([None, 1, -1, 99, "2", "odd"]),
        "startTime": st.sampled_from([None, "2024-01-01 00:00:01", "2024-01-01T00:00:01.5+02:00", "never"]),
        "endTime": st.sampled_from(
            [None, "2024-01-01 00:00:04.25", "2024-03-31 03:30:00", "9999-12-31 23:59:59"]
        ),
        "virtual": st.sampled_from([None, True, 0]),
        "more": st.sampled_from([None, 1, {"a": [1]}]),
    }
)


@given(st.lists(HOSTILE, min_size=1, max_size=4), st.sampled_from(["GMT+8", "UTC", "Europe/Berlin"]))
def test_columns_hold_what_their_rows_say_one_by_one(members: list[dict[str, object]], zone: str) -> None:
    given = [
        {"instanceId": f"a{number}", "triggerTime": "2024-01-01 00:00:00", **one}
        for number, one in enumerate(members)
    ]
    body = json.dumps({"code": 0, "data": {"flowInsts": given}}).encode()
    rows = read_search(body).instances(Zone.parse(zone))
    found = record_batch(Layout(), rows).to_pylist()
    for row, one in zip(found, rows, strict=True):
        assert row["duration"] == (None if one.duration is None else one.duration.total_seconds())
        for name in ("trigger_time", "start_time", "end_time", "flow_id", "flow_name", "status", "virtual"):
            assert row[name] == getattr(one, name), name
        assert row["graph"] == one.graph_text
        assert row["status_name"] == Layout(["status_name"]).values([one])[0][0]
        assert json.loads(row["extra"]) == one.extra


GRAPHS = st.one_of(
    st.none(),
    st.text(st.sampled_from('"\\\n\x7f{}[]:,e风\U0001f300\ud800')),
    st.builds(json.dumps, st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.text())),
    st.sampled_from([7, 1.5, True, [], {"tasks": ["\ud800"]}, {'a"': None}]),
)


@given(st.lists(GRAPHS, max_size=5), st.booleans(), st.lists(st.integers(0, 4)))
def test_a_graph_in_a_column_is_the_text_that_its_row_gives(
    graphs: list[object], escaped: bool, read: list[int]
) -> None:
    given = [
        {"instanceId": f"a{number}", "triggerTime": "2024-01-01 00:00:00", "graph": graph}
        for number, graph in enumerate(graphs)
    ]
    body = json.dumps({"code": 0, "data": {"flowInsts": given}}, ensure_ascii=escaped)
    rows = read_search(utf8(body).encode()).instances(Zone.parse("UTC"))
    for number in read:
        _ = number < len(rows) and rows[number].graph
    texts = [one.graph_text for one in rows]
    assert record_batch(Layout(["graph"]), rows).column(0).to_pylist() == [
        None if text is None else utf8(text) for text in texts
    ]
    assert [one.graph_text for one in rows] == texts


def test_a_number_of_more_than_64_bits_is_refused() -> None:
    with pytest.raises(QueryError, match="flow_id holds 9223372036854775808, which has more than 64 bits"):
        record_batch(Layout(), [FlowInstance("a", flow_id=2**63)])


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from aioflows.arrow.schema import pyarrow

    pyarrow.cache_clear()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(QueryError, match=r"install enos-aioflows\[arrow\]"):
        pyarrow()


class TestScan:
    async def test_its_batches_hold_every_instance_in_order_and_none_is_large(self) -> None:
        async with Emulator(instances=3_000, seed=5) as emulator:
            query = FlowQuery(emulator.start, emulator.end)
            async with session_to(emulator, page_size=100) as session:
                rows = [one async for one in session.flow_instances(query)]
                batches = [batch async for batch in session.scan(query).record_batches()]
        table = pa.Table.from_batches(batches)
        assert table.column("instance_id").to_pylist() == [row.instance_id for row in rows]
        assert max(batch.num_rows for batch in batches) <= 1_000

    async def test_a_checkpoint_between_two_batches_loses_and_repeats_nothing(self) -> None:
        async with Emulator(instances=1_000, seed=5) as emulator:
            query = FlowQuery(emulator.start, emulator.end)
            async with session_to(emulator, page_size=50) as session:
                whole = [one.instance_id async for one in session.flow_instances(query)]
                ids: list[str] = []
                checkpoint = None
                while len(ids) < len(whole):
                    async with session.scan(query, resume=checkpoint) as scan:
                        batches = scan.record_batches(["instance_id"])
                        for _ in range(3):
                            if (batch := await anext(batches, None)) is not None:
                                ids += batch.column(0).to_pylist()
                        checkpoint = scan.checkpoint()
        assert ids == whole

    async def test_a_column_that_there_is_not_is_refused_before_anything_is_sent(self) -> None:
        async with Emulator(instances=10) as emulator, session_to(emulator) as session:
            scan = session.scan(FlowQuery(emulator.start, emulator.end))
            with pytest.raises(QueryError, match="did you mean 'status'"):
                scan.record_batches(["statsu"])
            assert not emulator.requests
