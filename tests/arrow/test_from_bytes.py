"""Columns from the bytes of an answer: they hold what its rows hold, whatever stands in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import NoReturn

import pyarrow as pa
import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from aioflows import (
    AioflowsError,
    AnswerError,
    CompletenessError,
    FlowInstance,
    FlowQuery,
    FlowStatus,
    ScheduleType,
)
from aioflows._core.wire.rows import NAMES
from aioflows._core.wire.search import read_search
from aioflows._core.wire.zone import Zone
from aioflows._tables.columns import Layout
from aioflows._tables.raw_rows import RawRows
from aioflows.arrow import AnswerColumns, text_batch
from aioflows.arrow.from_bytes import _shape
from aioflows.emulator import Emulator, Fault
from aioflows.query import SortKey
from benchmarks.worlds import session_to
from tests.support.batches import record_batch
from tests.support.odd_answers import (
    CHINA,
    body_of,
    damaged,
    near_times,
    numbered,
    odd_rows,
    undecoded,
    zones,
)


def never() -> NoReturn:
    raise AssertionError("rows with nothing out of the ordinary in them were decoded")


def decoded(body: bytes, numbers: Sequence[int] | None = None, zone: Zone = CHINA) -> pa.RecordBatch:
    return text_batch(Layout(), read_search(body).instances(zone, numbers))


def test_the_members_are_those_that_rows_are_decoded_from() -> None:
    assert [field.name for field in _shape().field(0).type.value_type] == [*NAMES]


@pytest.mark.parametrize("numbers", [range(4), range(1, 3), range(3, -1, -1), [2, 0, 3], [1]])
@pytest.mark.parametrize("ascii", [True, False])
def test_rows_with_nothing_out_of_the_ordinary_are_not_decoded(numbers: Sequence[int], ascii: bool) -> None:
    body = body_of(
        numbered({}, {"status": None}, {"status": 99, "graph": "no JSON"}, {"owner": ""}), ascii=ascii
    )
    batch = AnswerColumns(Layout()).batch(undecoded(body, numbers, never))
    assert batch.equals(decoded(body, numbers))


def test_a_layout_may_name_some_columns_in_any_order() -> None:
    layout = Layout(["duration", "status_name", "instance_id", "extra"])
    rows = numbered({"endTime": "2024-01-01 00:00:04.25"}, {"status": 99})
    batch = AnswerColumns(layout).batch(undecoded(body_of(rows), None, never))
    assert batch.to_pylist() == [
        {"duration": 2.75, "status_name": "SUCCESS", "instance_id": "7-0", "extra": "{}"},
        {"duration": None, "status_name": "99", "instance_id": "7-1", "extra": "{}"},
    ]


def test_a_row_for_each_task_comes_of_the_instances() -> None:
    layout, body = Layout(tasks=True), body_of(numbered({}, {}))
    rows = read_search(body).instances(CHINA)
    assert AnswerColumns(layout).batch(undecoded(body)).equals(text_batch(layout, rows))


@given(st.lists(st.lists(odd_rows, min_size=1, max_size=3), min_size=1, max_size=3), zones, st.booleans())
def test_columns_of_answers_hold_what_their_rows_hold(
    answers: list[list[dict[str, object]]], zone: Zone, ascii: bool
) -> None:
    bodies = [body_of(rows, ascii=ascii) for rows in answers]
    try:
        pages = [undecoded(body, zone=zone) for body in bodies]
    except AioflowsError:  # one of them is no page
        reject()
    try:
        wanted = [decoded(body, zone=zone) for body in bodies]
    except AioflowsError as error:
        with pytest.raises(type(error), match=re.escape(str(error))):
            AnswerColumns(Layout()).batches(pages)
    else:
        found = AnswerColumns(Layout()).batches(pages)
        assert pa.concat_batches(found).equals(pa.concat_batches(wanted))


@given(st.lists(st.none() | near_times, min_size=1, max_size=3))
@example(["2024-01-01 00:00:00."])
@example(["2024-01-01 00:00:00,5"])
@example(["2024-1-01 00:00:00.00"])
@example(["2024-01-01 00:00:00 "])
@example(["0000-01-01 00:00:00"])
@example(["2024-01-01"])
@example(["2024-01-01 00:00"])
def test_times_are_read_as_in_rows(times: list[str | None]) -> None:
    changes: list[dict[str, object]] = [{"startTime": time} for time in times]
    body = body_of(numbered(*changes))
    assert AnswerColumns(Layout()).batch(undecoded(body)).equals(decoded(body))


def test_an_end_in_the_year_0_is_read_as_in_rows() -> None:
    """Without a start, no clock tells that it is odd. Arrow has that year, and Python has not."""
    body = body_of(numbered({"startTime": None, "endTime": "0000-01-01 00:00:00"}))
    assert AnswerColumns(Layout()).batch(undecoded(body)).equals(decoded(body))


FIRST = datetime(2024, 1, 1, tzinfo=UTC)
SHANGHAI = timezone(timedelta(hours=8))
INSTANTS: dict[str, Callable[[datetime], object]] = {
    "milliseconds": lambda time: int(time.timestamp() * 1000),
    "Z": lambda time: time.isoformat().replace("+00:00", "Z"),
    "offset": lambda time: time.astimezone(SHANGHAI).isoformat(" ", "milliseconds"),
    "basic offset": lambda time: time.strftime("%Y-%m-%dT%H:%M:%S.%f+0000"),
    "text": lambda time: time.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S"),
}


def in_form(time: datetime | None, form: str) -> object:
    return None if time is None else INSTANTS[form](time)


@pytest.mark.parametrize("form", INSTANTS)
def test_times_that_say_the_instant_are_not_decoded(form: str) -> None:
    starts = [FIRST + timedelta(seconds=1.5), None, FIRST + timedelta(minutes=1)]
    rows = numbered(
        *(
            {
                "triggerTime": in_form(FIRST, form),
                "startTime": in_form(start, form),
                "timestamp": in_form(FIRST, form),
            }
            for start in starts
        )
    )
    body = body_of(rows)
    batch = AnswerColumns(Layout()).batch(undecoded(body, None, never))
    assert batch.equals(decoded(body))
    assert batch["trigger_time"].to_pylist() == [FIRST] * 3
    shown = [start and start.replace(microsecond=0) if form == "text" else start for start in starts]
    assert batch["start_time"].to_pylist() == shown


ODD_INSTANTS = [0, -1, "", 1_704_067_200, 99_999_999_999, 10**14, 1.7e12, True, "1704067200000",
    "2024-01-01T00:00:00.1234567Z", "2024-01-01T00:00:00.9999999+08:00", "2024-01-01T00:00:00+18:00",
    "2024-01-01T00:00:00+19:00", "2024-01-01t00:00:00z", "2024-01-01T00:00:00 Z", "2024-01-01T00:00Z",
    "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "2024-02-30T00:00:00Z", "2024-01-01T24:00:00Z",
    "2024-01-01T00:00:00-00:00", "2024-01-01T00:00:00+08", "2024-01-01T00:00:00+08:60", "2024-01-01T00:00:00,5Z",
    "2024-01-01T00:00:00+01:00[Europe/Berlin]", [2024, 1, 1, 0, 0]]  # fmt: skip


@settings(max_examples=40)
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                name: st.one_of(
                    st.builds(
                        in_form,
                        st.none()
                        | st.integers(-4_000_000, 4_000_000).map(
                            lambda ms: FIRST + timedelta(milliseconds=ms)
                        ),
                        st.sampled_from([*INSTANTS, "milliseconds", "milliseconds"]),
                    ),
                    st.sampled_from(ODD_INSTANTS),
                )
                for name in ("triggerTime", "startTime", "endTime", "timestamp")
            },
        ),
        min_size=1,
        max_size=3,
    ),
    st.booleans(),
)
def test_columns_hold_the_instants_that_their_rows_hold(
    changes: list[dict[str, object]], alike: bool
) -> None:
    plain = {
        name: in_form(FIRST, "milliseconds" if alike else "Z")
        for name in ("triggerTime", "startTime", "endTime", "timestamp")
    }
    body = body_of(numbered(*({**plain, **one} for one in changes)))
    try:
        rows = undecoded(body)
    except AioflowsError:
        reject()
    assert AnswerColumns(Layout()).batch(rows).equals(decoded(body))


@given(damaged())
def test_a_damaged_answer_is_read_as_its_rows_are_or_refused_as_they_are(body: bytes) -> None:
    try:
        rows = undecoded(body)
    except (AioflowsError, IndexError):  # it is no page, or one without rows
        reject()
    try:
        wanted = decoded(body)
    except AioflowsError as error:
        with pytest.raises(type(error), match=re.escape(str(error))):
            AnswerColumns(Layout()).batch(rows)
    else:
        assert AnswerColumns(Layout()).batch(rows).equals(wanted)


class TestScan:
    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time"])
    async def test_a_scan_of_one_type_is_handed_out_undecoded(self, order: SortKey) -> None:
        async with Emulator(instances=3_000, seed=5) as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC, order_by=order)
            async with session_to(emulator, page_size=200) as session:
                rows = [one async for one in session.flow_instances(query)]
                async with session.scan(query) as scan:
                    answers = [answer async for answer in scan.undecoded()]
                assert scan.stats.rows_yielded == len(rows)
        plain = [answer for answer in answers if isinstance(answer, RawRows)]
        assert sum(map(len, plain)) > 0.8 * len(rows)
        assert [
            row for answer in answers for row in (answer.read() if isinstance(answer, RawRows) else answer)
        ] == rows
        for answer in plain:
            last = answer.read()[-1]
            assert (answer.last.instance_id, answer.last.trigger_time) == (
                last.instance_id,
                last.trigger_time,
            )

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", None])
    async def test_where_a_row_cannot_be_read_the_checkpoint_loses_and_repeats_nothing(
        self, order: SortKey | None
    ) -> None:
        async with Emulator(instances=2_000, seed=5) as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC, order_by=order)
            async with session_to(emulator, page_size=100) as session:
                whole = [one.instance_id async for one in session.flow_instances(query)]
        spoilt = [Fault(at=number, kind="owner-object") for number in (9, 14)]
        async with Emulator(instances=2_000, seed=5, faults=spoilt) as emulator:
            ids: list[str] = []
            checkpoint, failed = None, 0
            while True:
                async with session_to(emulator, page_size=100) as session:
                    scan = session.scan(query, resume=checkpoint)
                    try:
                        async for batch in scan.record_batches(["instance_id"]):
                            ids += batch.column(0).to_pylist()
                        break
                    except AnswerError as error:
                        checkpoint, failed = error.checkpoint, failed + 1
        assert failed
        assert sorted(ids) == sorted(whole)
        assert order is None or ids == whole

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", None])
    @pytest.mark.parametrize("tasks", [False, True])
    async def test_columns_of_all_types_hold_what_their_rows_hold(
        self, order: SortKey | None, tasks: bool
    ) -> None:
        layout = Layout(tasks=tasks)
        async with Emulator(instances=2_000, seed=5) as emulator:
            query = FlowQuery(emulator.start, emulator.end, order_by=order)
            async with session_to(emulator, page_size=100, latency=0.0) as session:
                rows = await session.scan(query).list()
                batches = [batch async for batch in session.scan(query).record_batches(tasks=tasks)]
        found, wanted = pa.Table.from_batches(batches), pa.Table.from_batches([record_batch(layout, rows)])
        if order is None:
            found, wanted = found.sort_by("instance_id"), wanted.sort_by("instance_id")
        assert found.to_pylist() == wanted.to_pylist()

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time"])
    async def test_rows_of_all_types_are_handed_out_undecoded(self, order: SortKey) -> None:
        async with Emulator(instances=3_000, seed=5) as emulator:
            query = FlowQuery(emulator.start, emulator.end, order_by=order)
            async with session_to(emulator, page_size=200) as session:
                rows = await session.scan(query).list()
                answers = [answer async for answer in session.scan(query).undecoded()]
        plain = [answer for answer in answers if isinstance(answer, RawRows)]
        assert (
            sum(len(part.numbers) for answer in plain for part in answer.parts if part.body) > len(rows) / 2
        )
        read = [answer.read() if isinstance(answer, RawRows) else answer for answer in answers]
        assert [row for some in read for row in some] == rows
        for answer in plain:
            last = answer.read()[-1]
            assert (answer.last.instance_id, answer.last.trigger_time) == (
                last.instance_id,
                last.trigger_time,
            )

    @pytest.mark.parametrize("type", [ScheduleType.PERIODIC, None])
    async def test_where_clocks_are_put_back_every_hour_is_told_from_the_one_that_looks_like_it(
        self, type: ScheduleType | None
    ) -> None:
        async with Emulator(
            instances=3_000,
            seed=5,
            zone="Europe/Berlin",
            first_day="2024-10-26",
            days=3,
            profile="uniform",
        ) as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=type)
            async with session_to(emulator, page_size=100, server_timezone="Europe/Berlin") as session:
                times = [one.trigger_time async for one in session.flow_instances(query)]
                batches = [batch async for batch in session.scan(query).record_batches(["trigger_time"])]
        found = [time.timestamp() for batch in batches for time in batch.column(0).to_pylist()]
        assert found == [time.timestamp() for time in times if time is not None] == sorted(found)
        assert len({time.utcoffset() for time in times if time is not None}) == 2

    async def test_a_service_that_ignores_the_status_is_found_out(self) -> None:
        async with Emulator(instances=1_000, seed=5, ignore=["status"]) as emulator:
            query = FlowQuery(
                emulator.start, emulator.end, type=ScheduleType.PERIODIC, status={FlowStatus.FAIL}
            )
            async with session_to(emulator, page_size=100) as session:
                handed: list[int] = []
                with pytest.raises(CompletenessError, match="ignores the status"):
                    async for batch in session.scan(query).record_batches(["status"]):
                        handed += batch.column(0).to_pylist()
        assert set(handed) <= {FlowStatus.FAIL}

    async def test_a_page_that_goes_out_in_parts_is_read_once(self) -> None:
        async with Emulator(instances=5_000, seed=5) as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC)
            async with session_to(emulator, page_size=2_000) as session:
                whole = [one.instance_id async for one in session.flow_instances(query)]
                answers = [answer async for answer in session.scan(query).undecoded()]
        plain = [answer for answer in answers if isinstance(answer, RawRows)]
        parts = [part for answer in plain for part in answer.parts if part.body]
        assert len({id(part.body) for part in parts}) == len(parts)
        assert sum(map(len, answers)) == len(whole)

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", None])
    @pytest.mark.parametrize("bad", [1, 2, 3])
    async def test_rows_of_a_last_second_that_cannot_be_read_are_left_to_the_checkpoint(
        self, bad: int, order: SortKey | None
    ) -> None:
        async with Emulator(instances=0, faults=[Fault(at=bad, kind="owner-object")]) as emulator:
            start = emulator.start_ms
            for type in ScheduleType:
                emulator.insert(start + 10_500, type=type)
            # It is that second, so that nothing of it goes out before all types were read.
            query = FlowQuery(start + 10_000, start + 11_000, order_by=order)
            found: list[FlowInstance] = []
            async with session_to(emulator, page_size=500) as session:
                with pytest.raises(AnswerError, match="owner") as caught:
                    async for page in session.scan(query).pages():
                        found += page
                found += await session.scan(query, resume=caught.value.checkpoint).list()
        assert len({one.instance_id for one in found}) == len(found) == len(ScheduleType)

    async def test_a_limit_counts_rows_as_ever(self) -> None:
        async with Emulator(instances=1_000, seed=5) as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC)
            async with session_to(emulator, page_size=100) as session:
                batches = [
                    batch async for batch in session.scan(query, limit=250).record_batches(["instance_id"])
                ]
        assert sum(batch.num_rows for batch in batches) == 250

    async def test_rows_batches_and_answers_can_be_taken_in_turn(self) -> None:
        async with Emulator(instances=2_000, seed=5) as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC)
            async with session_to(emulator, page_size=100) as session:
                whole = [one.instance_id async for one in session.flow_instances(query)]
                ids: list[str] = []
                async with session.scan(query) as scan:
                    batches, answers, pages = (
                        scan.record_batches(["instance_id"]),
                        scan.undecoded(),
                        scan.pages(),
                    )
                    while True:
                        ids += [one.instance_id for one in [await anext(scan, None)] if one is not None]
                        ids += [one.instance_id for one in await anext(pages, [])]
                        if (batch := await anext(batches, None)) is not None:
                            ids += batch.column(0).to_pylist()
                        if (answer := await anext(answers, None)) is None:
                            break
                        ids += [
                            one.instance_id
                            for one in (answer.read() if isinstance(answer, RawRows) else answer)
                        ]
        assert ids == whole


@pytest.mark.parametrize(
    "form", ["2024-01-01 00:00:00.92", "2024-01-01T00:00:00.123456", "2024-01-01 23:59:59.9999999"]
)
def test_a_trigger_time_with_a_fraction_has_whole_seconds(form: str) -> None:
    body = body_of(numbered({"triggerTime": form}, {}))
    layout = Layout(["instance_id", "trigger_time"])
    assert (
        AnswerColumns(layout)
        .batch(undecoded(body))
        .equals(text_batch(layout, read_search(body).instances(CHINA)))
    )
