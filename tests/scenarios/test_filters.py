"""Filters that a service ignores, applies by halves, or compares by its own rules: through every way to read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from aioflows import (
    Checkpoint,
    CompletenessError,
    FlowQuery,
    FlowSession,
    FlowStatus,
    Limits,
    RetryPolicy,
    ScheduleType,
)
from aioflows._core.filters.seen_filters import SeenFilters
from aioflows._net.transport import Answer, Request
from aioflows.emulator import Emulator
from aioflows.export import export
from tests.support.fakes import EmulatorTransport
from tests.support.long import long_but

OWNER, WORD = "li.wei", "sync"
ORDERS: list[Any] = [
    "trigger_time",
    "-trigger_time",
    None,
    "start_time",
    "-create_time",
    ("trigger_time", "-end_time"),
    "update_time",
]
SOME_ORDERS = long_but("trigger_time", None, "start_time", "update_time", of=ORDERS)
SIZES = long_but(10, 500, of=[10, 100, 500])
LIES: list[tuple[str, dict[str, Any]]] = [
    ("owner", {"owner": OWNER}),
    ("expression", {"expression": WORD}),
    ("status", {"status": FlowStatus.FAIL}),
]
ALL_LIES = pytest.mark.parametrize(("ignored", "asked"), LIES, ids=[name for name, _ in LIES])


class _Changing(EmulatorTransport):
    """A service of which something changes before it answers a search.

    Args:
        change: takes what is asked, and may change it, or the service.
    """

    def __init__(
        self, emulator: Emulator, change: Callable[[Emulator, dict[str, Any]], object] | None
    ) -> None:
        super().__init__(emulator, latency=0.01)
        self._change = change

    async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer:
        if self._change is not None and request.operation == "search":
            asked = json.loads(request.body or b"")
            self._change(self.emulator, asked)
            request = attrs.evolve(request, body=json.dumps(asked).encode())
        return await super().send(request, headers, timeout)


@asynccontextmanager
async def world(
    instances: int = 2_000,
    *,
    page_size: int = 100,
    buffer: int = 20_000,
    change: Callable[[Emulator, dict[str, Any]], object] | None = None,
    **switches: Any,
) -> AsyncIterator[tuple[Emulator, FlowSession]]:
    with Emulator(instances, **{"seed": 5, "days": 20, **switches}) as emulator:
        async with FlowSession(
            "https://enos.test",
            user_id="u",
            org_id="o",
            http=_Changing(emulator, change),
            limits=Limits(page_size=page_size, concurrency=4, buffer=buffer),
            retry=RetryPolicy(base=0.01, cap=0.1),
        ) as session:
            yield emulator, session


def query(emulator: Emulator, **asked: Any) -> FlowQuery:
    return FlowQuery(emulator.start, emulator.end, **{"type": ScheduleType.PERIODIC, **asked})


async def _all(batches: AsyncIterator[Any]) -> list[Any]:
    return [batch async for batch in batches]


def matches(row: Any, asked: dict[str, Any]) -> bool:
    return (
        asked.get("owner", row.owner) == row.owner
        and asked.get("expression", "") in f"{row.instance_id} {row.flow_name}"
        and asked.get("status", row.status) == row.status
    )


class TestIgnored:
    @ALL_LIES
    @pytest.mark.parametrize("order", SOME_ORDERS, ids=str)
    @pytest.mark.parametrize("buffer", [20_000, 200])
    async def test_no_order_hands_out_a_row_that_was_not_asked_for(
        self, buffer: int, order: Any, ignored: str, asked: dict[str, Any]
    ) -> None:
        """In every order the filter is named, and whatever came before matches it."""
        got = []
        async with world(ignore={ignored}, buffer=buffer) as (emulator, session):
            with pytest.raises(CompletenessError, match=f"ignores the {ignored} filter"):
                async for row in session.scan(query(emulator, order_by=order, **asked)):
                    got.append(row)
        assert all(matches(row, asked) for row in got)

    @pytest.mark.parametrize(
        ("ignored", "asked"),
        [
            ("owner", {"owner": OWNER}),
            ("expression", {"expression": "o"}),
            ("status", {"status": FlowStatus.SUCCESS}),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("order", ["start_time", "-create_time", "update_time"])
    async def test_a_filter_that_is_ignored_in_some_orders_is_told(
        self, order: str, ignored: str, asked: dict[str, Any]
    ) -> None:
        """Rows that the service sorts are checked as well as those by trigger time."""

        def forget(_: Emulator, search: dict[str, Any]) -> None:
            if search["pagination"]["sorters"][0]["field"] != "trigger_time":
                search[ignored] = ""

        got = []
        async with world(4_000, change=forget, buffer=100, page_size=20) as (emulator, session):
            with pytest.raises(CompletenessError, match=f"ignores the {ignored} filter"):
                async for row in session.scan(query(emulator, order_by=order, **asked)):
                    got.append(row)
        assert all(matches(row, asked) for row in got)

    @pytest.mark.parametrize(
        "read",
        [
            lambda session, asked: session.scan(asked).list(),
            lambda session, asked: _all(session.flow_instances(asked)),
            lambda session, asked: _all(session.scan(asked).pages()),
            lambda session, asked: _all(session.scan(asked).undecoded()),
            lambda session, asked: _all(session.scan(asked).record_batches(["instance_id"])),
        ],
        ids=["list", "items", "pages", "undecoded", "record_batches"],
    )
    @ALL_LIES
    async def test_every_way_to_read_a_scan_tells_it(
        self,
        ignored: str,
        asked: dict[str, Any],
        read: Callable[[FlowSession, FlowQuery], Awaitable[object]],
    ) -> None:
        """Lists, pages and columns end in the same error as iterating."""
        async with world(ignore={ignored}) as (emulator, session):
            with pytest.raises(CompletenessError, match=f"ignores the {ignored} filter"):
                await read(session, query(emulator, **asked))

    @pytest.mark.real_time
    @pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet", "rows.sqlite"])
    @ALL_LIES
    async def test_a_file_is_not_written_to_its_end(
        self, ignored: str, asked: dict[str, Any], name: str, tmp_path: Path
    ) -> None:
        """An export ends in the error, and no file stands there under its name."""
        async with world(ignore={ignored}) as (emulator, session):
            with pytest.raises(CompletenessError, match=f"ignores the {ignored} filter"):
                await export(session, query(emulator, **asked), tmp_path / name)
        assert not (tmp_path / name).exists()

    @ALL_LIES
    async def test_a_single_page_tells_it(self, ignored: str, asked: dict[str, Any]) -> None:
        """One request is checked as a scan is."""
        async with world(ignore={ignored}) as (emulator, session):
            with pytest.raises(CompletenessError, match=f"ignores the {ignored} filter"):
                await session.page(query(emulator, **asked), 0, 50)

    @pytest.mark.parametrize(("ignored", "asked"), LIES[:2], ids=["owner", "expression"])
    async def test_a_follow_tells_it(self, ignored: str, asked: dict[str, Any]) -> None:
        """What a poll finds is checked as a scan is."""
        async with world(ignore={ignored}) as (emulator, session):
            follow = session.follow(query(emulator, **asked), since=emulator.start)
            with pytest.raises(CompletenessError, match=f"ignores the {ignored} filter"):
                async for row in follow:
                    assert matches(row, asked)
            await follow.aclose()

    async def test_the_scan_can_be_gone_on_with_where_the_filter_is_applied_again(self) -> None:
        """The checkpoint of the error leaves out nothing that matches."""
        async with world(ignore={"owner"}) as (emulator, session):
            asked = query(emulator, owner=OWNER)
            scan = session.scan(asked)
            got = []
            with pytest.raises(CompletenessError) as caught:
                async for row in scan:
                    got.append(row.instance_id)
        assert caught.value.checkpoint is not None
        async with world() as (emulator, session):
            rest = await session.scan(asked, resume=caught.value.checkpoint).list()
            due = [id for _, id in emulator.matching(type=1, owner=OWNER)]
        assert [*got, *(row.instance_id for row in rest)] == due


class TestWider:
    @pytest.mark.parametrize(
        ("switches", "asked"),
        [
            ({"owner_compare": "any-case"}, {"owner": "LI.WEI"}),
            ({"owner_compare": "trailing-spaces"}, {"owner": "li.wei  "}),
            ({"owner_compare": "collated"}, {"owner": "ｌí.WEI "}),
            ({"owner_compare": "like"}, {"owner": "l_.%"}),
            ({"owner_compare": "like"}, {"owner": "li\\.wei"}),
            ({"expression": "any-case"}, {"expression": "SYNC"}),
            ({"expression": "collated"}, {"expression": "ŠYNC"}),
            ({"expression": "like"}, {"expression": "s_nc"}),
            ({"expression": "like"}, {"expression": "turb%rt"}),
            ({"expression": "like"}, {"expression": "s\\ync"}),
            ({"expression": "word-start"}, {"expression": "sync"}),
        ],
        ids=str,
    )
    @pytest.mark.parametrize(
        "order", long_but("trigger_time", "create_time", of=["trigger_time", None, "create_time"]), ids=str
    )
    async def test_what_matches_by_the_comparison_of_the_service_is_handed_out(
        self, order: Any, switches: dict[str, Any], asked: dict[str, Any]
    ) -> None:
        """Rows that differ from what was asked for by case, accents, width, blanks or wildcards are not an error."""
        async with world(**switches) as (emulator, session):
            rows = await session.scan(query(emulator, order_by=order, **asked)).list()
            due = [id for _, id in emulator.matching(type=1, **asked)]
        assert due
        assert sorted(row.instance_id for row in rows) == sorted(due)

    async def test_an_honest_service_is_never_accused(self) -> None:
        """Each owner and many a word of a flow's name is read in full, and nothing is said against the filter."""
        async with world(4_000, page_size=500) as (emulator, session):
            every = await session.scan(query(emulator, type=None)).list()
            for owner in {row.owner for row in every}:
                rows = await session.scan(query(emulator, type=None, owner=owner)).list()
                assert [row.instance_id for row in rows] == [
                    row.instance_id for row in every if row.owner == owner
                ]
            for name in sorted(
                {row.flow_name for row in every if row.flow_name and row.flow_name.isprintable()}
            )[::25]:
                rows = await session.scan(query(emulator, type=None, expression=name)).list()
                assert rows
                assert all(name in (row.flow_name or "") for row in rows)


SEVERAL = (FlowStatus.FAIL, FlowStatus.SUCCESS, FlowStatus.TIMEOUT)


class TestSeveralStatuses:
    @pytest.mark.parametrize("read", ["first", "last"])
    @pytest.mark.parametrize("order", SOME_ORDERS, ids=str)
    @pytest.mark.parametrize("page_size", SIZES)
    async def test_a_service_that_reads_one_of_them_is_found_out(
        self, page_size: int, order: Any, read: str
    ) -> None:
        """The scan does not end quietly with the rows of one status: it names one that was left out."""
        async with world(status_filter=read, page_size=page_size) as (emulator, session):
            with pytest.raises(CompletenessError, match=r"for status .* alone.*Run a scan for each status"):
                await session.scan(query(emulator, order_by=order, status=SEVERAL)).list()

    @pytest.mark.parametrize("type", [None, ScheduleType.PERIODIC, ScheduleType.TEMPORARY], ids=str)
    @pytest.mark.parametrize("read", ["first", "last"])
    async def test_so_it_is_in_every_type(self, read: str, type: ScheduleType | None) -> None:
        """It makes no difference in which schedule type the rows of the other statuses lie."""
        async with world(5_000, status_filter=read, first_page=1, page_zero="empty") as (emulator, session):
            with pytest.raises(CompletenessError, match=r"for status .* alone"):
                await session.scan(query(emulator, type=type, status=SEVERAL)).list()

    async def test_a_status_that_is_read_and_has_no_rows_does_not_hide_the_others(self) -> None:
        """Where nothing came at all, each status is asked for alone."""
        async with world(status_filter="first") as (emulator, session):
            for id in [id for _, id in emulator.matching(status=[FlowStatus.FAIL])]:
                emulator.set_status(id, FlowStatus.CANCEL)
            with pytest.raises(CompletenessError, match=r"for status .* alone"):
                await session.scan(query(emulator, status=SEVERAL)).list()

    async def test_a_crowded_second_is_no_excuse(self) -> None:
        """The row that was left out is found by its id where its second holds more rows than a page."""
        async with world(1_000, profile="one-second", status_filter="first", page_cap=20) as (
            emulator,
            session,
        ):
            with pytest.raises(CompletenessError, match=r"for status .* alone"):
                await session.scan(query(emulator, status=SEVERAL)).list()

    async def test_nor_is_a_second_that_holds_all_rows(self) -> None:
        """Where a text is asked for already, the page behind the answer shows that there was no more."""
        async with world(300, profile="one-second", status_filter="first") as (emulator, session):
            with pytest.raises(CompletenessError, match=r"for status .* alone"):
                await session.scan(query(emulator, status=SEVERAL, expression="2")).list()

    async def test_a_window_that_is_too_wide_is_asked_about_in_parts(self) -> None:
        """A service that gives up over a wide range is asked about narrower ones."""
        async with world(status_filter="first", widest_window=6 * 86_400) as (emulator, session):
            with pytest.raises(CompletenessError, match=r"for status .* alone"):
                await session.scan(query(emulator, status=SEVERAL)).list()

    async def test_a_resumed_scan_ends_in_the_same_error(self) -> None:
        """What was left out cannot be got around by resuming from the error's checkpoint."""
        async with world(status_filter="first") as (emulator, session):
            asked = query(emulator, status=SEVERAL)
            checkpoint: Checkpoint | None = None
            for _ in range(3):
                with pytest.raises(CompletenessError, match=r"for status .* alone") as caught:
                    await session.scan(asked, resume=checkpoint).list()
                checkpoint = caught.value.checkpoint
                assert checkpoint is not None

    @pytest.mark.parametrize("order", ORDERS, ids=str)
    async def test_an_honest_service_is_asked_once_for_each_status_that_never_came(self, order: Any) -> None:
        """Its rows are all handed out, at the cost of one small search for each such status."""
        counts = []
        for missing in ((), (FlowStatus.INIT,), (FlowStatus.INIT, FlowStatus.SUSPEND)):
            async with world(300, days=2) as (emulator, session):
                for status in (FlowStatus.INIT, FlowStatus.SUSPEND):
                    for id in [id for _, id in emulator.matching(status=[status])]:
                        emulator.set_status(id, FlowStatus.SUCCESS)
                asked = query(emulator, order_by=order, status={FlowStatus.SUCCESS, *missing})
                rows = await session.scan(asked).list()
                assert len(rows) == len(emulator.matching(type=1, status=asked.status))
                counts.append(len(emulator.searches))
        assert [count - counts[0] for count in counts] == [0, 1, 2]

    async def test_nothing_is_asked_where_the_first_and_the_last_of_them_came(self) -> None:
        """A list that was read from its one end to the other was read."""
        async with world(2_000) as (emulator, session):
            asked = query(emulator, status={FlowStatus.FAIL, FlowStatus.INIT, FlowStatus.SUCCESS})
            await session.scan(asked).list()
            assert all(len(search.status) == 3 for search in emulator.searches)

    async def test_a_limit_that_is_reached_asks_nothing(self) -> None:
        """Who takes a few rows does not pay for the end of the scan."""
        async with world(2_000) as (emulator, session):
            asked = query(emulator, status={FlowStatus.SUCCESS, FlowStatus.SUSPEND})
            await session.scan(asked, limit=50).list()
            assert all(len(search.status) == 2 for search in emulator.searches)

    @pytest.mark.parametrize("seed", long_but(0, 1, 2, of=range(10)))
    @pytest.mark.parametrize("order", ["trigger_time", None], ids=str)
    async def test_rows_that_change_meanwhile_accuse_nobody(self, order: Any, seed: int) -> None:
        """A status that came about behind the scan is no sign of anything."""
        async with world(
            1_500, seed=seed, days=5, changes_per_search=3, change_kinds=["flip", "insert"], page_size=50
        ) as (emulator, session):
            asked = query(
                emulator, order_by=order, status={FlowStatus.SUCCESS, FlowStatus.SUSPEND, FlowStatus.INIT}
            )
            with emulator.watch(type=1, status=asked.status) as watch:
                got = {row.instance_id async for row in session.scan(asked)}
            assert watch.lasting <= got

    @pytest.mark.parametrize("goes", [False, True])
    async def test_a_status_that_comes_about_behind_the_scan_accuses_nobody(self, goes: bool) -> None:
        """A row that gets its status after the scan has passed it, and one that loses it again, are no sign of anything."""
        searches: list[str] = []

        def flip(emulator: Emulator, search: dict[str, Any]) -> None:
            if searches or search["status"] == "3":
                searches.append(search["status"])
            id = emulator.matching(type=1)[7][1]
            if searches:
                emulator.set_status(
                    id, FlowStatus.SUCCESS if goes and len(searches) > 2 else FlowStatus.SUSPEND
                )

        async with world(300, change=flip) as (emulator, session):
            for id in [id for _, id in emulator.matching(status=[FlowStatus.SUSPEND])]:
                emulator.set_status(id, FlowStatus.SUCCESS)
            await session.scan(query(emulator, status={FlowStatus.SUCCESS, FlowStatus.SUSPEND})).list()
        assert searches[:2] == ["3", "1,3"]

    @pytest.mark.parametrize("every", [2, 3, 5])
    async def test_answers_that_are_falsely_empty_accuse_nobody(self, every: int) -> None:
        """One empty answer to all statuses at once is not believed."""
        async with world(500, empty_answers=every) as (emulator, session):
            asked = query(emulator, status={FlowStatus.SUCCESS, FlowStatus.SUSPEND, FlowStatus.INIT})
            try:
                rows = await session.scan(asked).list()
            except CompletenessError as error:
                assert "asked for alone" not in str(error)  # noqa: PT017
            else:
                assert len(rows) == len(emulator.matching(type=1, status=asked.status))

    def test_the_scans_of_a_follow_are_seldom_followed_by_probes(self) -> None:
        """After the first all that is missing is probed, after every 16th later one, and each comes in its turn."""
        seen = SeenFilters()
        due = [seen.due("abc") for _ in range(100)]
        assert due[0] == "abc"
        assert {number: one for number, one in enumerate(due) if one and number} == {
            16: ["b"],
            32: ["c"],
            48: ["a"],
            64: ["b"],
            80: ["c"],
            96: ["a"],
        }


class TestManual:
    @pytest.mark.parametrize("order", SOME_ORDERS, ids=str)
    @pytest.mark.parametrize("page_size", SIZES)
    async def test_a_service_that_takes_0_for_not_given_is_found_out_before_a_row_goes_out(
        self, page_size: int, order: Any
    ) -> None:
        """The instances of the other types are never handed out for manual ones."""
        async with world(ignore={"type-0"}, page_size=page_size) as (emulator, session):
            with pytest.raises(CompletenessError, match=r"ignores type MANUAL \(0\)"):
                await anext(session.scan(query(emulator, type=ScheduleType.MANUAL, order_by=order)))

    @pytest.mark.parametrize("types", [(0, 2), (0, 1)])
    async def test_whichever_the_other_type_is(self, types: tuple[int, ...]) -> None:
        """It does not matter whether the strangers are periodic or temporary."""
        async with world(ignore={"type-0"}, schedule_types=types) as (emulator, session):
            with pytest.raises(CompletenessError, match=r"ignores type MANUAL \(0\)"):
                await session.scan(query(emulator, type=ScheduleType.MANUAL)).list()

    async def test_a_page_of_a_part_of_the_range_is_not_the_last_that_is_looked_at(self) -> None:
        """Where the first window holds manual instances alone, a later one shows that the service ignores the type."""
        async with world(0, ignore={"type-0"}, widest_window=2 * 86_400, page_size=10) as (emulator, session):
            for number in range(400):
                type = 0 if number < 40 else 1
                emulator.insert(emulator.start_ms + number * 3_600_000, type=type)
            with pytest.raises(CompletenessError, match=r"ignores type MANUAL \(0\)"):
                await session.scan(query(emulator, type=ScheduleType.MANUAL)).list()

    @pytest.mark.parametrize("asked", [{}, {"expression": "2"}, {"status": SEVERAL}], ids=str)
    @pytest.mark.parametrize("page_cap", [3, 20, None])
    async def test_a_second_is_no_excuse_and_be_it_a_crowded_one(
        self, page_cap: int | None, asked: dict[str, Any]
    ) -> None:
        """A stranger is found by its id, or on the later page that holds it, where the first page holds none."""
        async with world(1_000, profile="one-second", ignore={"type-0"}, page_cap=page_cap) as (
            emulator,
            session,
        ):
            with pytest.raises(CompletenessError, match=r"ignores type MANUAL \(0\)"):
                await session.scan(query(emulator, type=ScheduleType.MANUAL, **asked)).list()

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", None, "end_time"], ids=str)
    @pytest.mark.parametrize("page_size", SIZES)
    async def test_so_is_it_where_all_types_are_asked_for(self, page_size: int, order: Any) -> None:
        """No instance comes once as manual and once as what it is."""
        got = []
        async with world(ignore={"type-0"}, page_size=page_size) as (emulator, session):
            with pytest.raises(CompletenessError, match="for type MANUAL"):
                async for row in session.scan(query(emulator, type=None, order_by=order)):
                    got.append(row.instance_id)
        assert len(got) == len(set(got))

    async def test_an_honest_service_is_asked_once_in_a_session(self) -> None:
        """The first manual page costs one search more, and none later does."""
        async with world(2_000) as (emulator, session):
            for _ in range(3):
                rows = await session.scan(query(emulator, type=ScheduleType.MANUAL)).list()
                assert [row.instance_id for row in rows] == [id for _, id in emulator.matching(type=0)]
            assert [search.type for search in emulator.searches].count(1) == 1

    async def test_a_service_with_manual_instances_alone_is_read(self) -> None:
        """Where there is nothing of another type, nothing can be wrong."""
        async with world(500, schedule_types=[0]) as (emulator, session):
            rows = await session.scan(query(emulator, type=ScheduleType.MANUAL)).list()
            assert len(rows) == len(emulator.matching(type=0))
