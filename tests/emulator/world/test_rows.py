"""Which rows exist."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from aioflows.emulator import Emulator, World
from aioflows.emulator.world.clock import Clock, zone_named
from aioflows.emulator.world.crons import Cron, firings
from aioflows.emulator.world.flows import NASTY_NAMES
from aioflows.emulator.world.options import PROFILES
from aioflows.errors import QueryError
from tests.support.asking import get, rows

DAY = 86_400_000


class TestCounts:
    @pytest.mark.parametrize("profile", PROFILES)
    @pytest.mark.parametrize("instances", [0, 1, 7, 3_000])
    def test_there_are_exactly_as_many_rows_as_asked_for(self, profile: str, instances: int) -> None:
        with Emulator(instances, profile=profile) as emulator:
            assert len(emulator.matching()) == emulator.instances == instances

    @pytest.mark.parametrize("days", [1, 2, 40])
    def test_a_short_span_holds_as_many(self, days: int) -> None:
        with Emulator(2_000, days=days) as emulator:
            assert len(emulator.matching()) == 2_000
            assert emulator.end_ms - emulator.start_ms == days * DAY

    @pytest.mark.parametrize("profile", PROFILES)
    def test_all_rows_can_be_of_one_type(self, profile: str) -> None:
        with Emulator(500, profile=profile, schedule_types=[1]) as emulator:
            assert len(emulator.matching(type=1)) == 500

    def test_most_rows_are_periodic(self) -> None:
        with Emulator(1_000) as emulator:
            assert [len(emulator.matching(type=type)) for type in (0, 1, 2)] == [30, 950, 20]

    def test_the_default_span_is_the_year_2024_of_the_server(self) -> None:
        emulator = Emulator()
        assert emulator.start.isoformat() == "2024-01-01T00:00:00+08:00"
        assert emulator.end.isoformat() == "2025-01-01T00:00:00+08:00"


class TestSeed:
    def test_the_same_world_has_the_same_rows(self) -> None:
        with Emulator(300) as one, Emulator(300) as other:
            assert rows(one, page_size=300) == rows(other, page_size=300)

    def test_another_seed_has_others(self) -> None:
        with Emulator(300) as one, Emulator(300, seed=2) as other:
            assert one.matching() != other.matching()


class TestProfiles:
    def seconds(self, profile: str) -> Counter[int]:
        with Emulator(20_000, profile=profile) as emulator:
            return Counter(trigger // 1000 for trigger, _ in emulator.matching())

    def test_cron_has_a_second_with_dozens_of_rows(self) -> None:
        assert self.seconds("cron").most_common(1)[0][1] > 50

    def test_uniform_has_none_with_more_than_a_few(self) -> None:
        assert self.seconds("uniform").most_common(1)[0][1] < 5

    def test_bursty_has_many_rows_in_a_few_hundred_seconds(self) -> None:
        assert sum(count for _, count in self.seconds("bursty").most_common(1_500)) > 19_000

    def test_midnight_has_hundreds_of_rows_in_one_second(self) -> None:
        busiest = self.seconds("midnight").most_common(20)
        assert busiest[-1][1] > 200
        assert all((second + 8 * 3600) % 86_400 < 6 for second, _ in busiest)

    def test_sparse_then_dense_has_nearly_all_rows_in_the_last_twentieth(self) -> None:
        with Emulator(1_000, profile="sparse-then-dense") as emulator:
            turn = emulator.start_ms + (emulator.end_ms - emulator.start_ms) * 95 // 100
            assert len(emulator.matching(to_ms=turn)) == 20

    def test_one_second_has_one_millisecond(self) -> None:
        with Emulator(1_000, profile="one-second") as emulator:
            assert len({trigger for trigger, _ in emulator.matching()}) == 1

    def test_crons_fire_on_whole_seconds_and_people_do_not(self) -> None:
        with Emulator(2_000) as emulator:
            assert all(trigger % 1000 == 0 for trigger, _ in emulator.matching(type=1))
            assert any(trigger % 1000 for trigger, _ in emulator.matching(type=0))


class TestRows:
    def test_ids_are_the_flow_and_the_local_trigger_time(self) -> None:
        with Emulator(500) as emulator:
            for row in rows(emulator, page_size=500):
                stamp = row["triggerTime"].translate({ord(char): None for char in "- :"})
                assert row["instanceId"].startswith(f"{row['flowId']}-{stamp}")

    @pytest.mark.parametrize(
        ("zone", "day"),
        [
            pytest.param("Europe/Berlin", "2024-10-26", marks=pytest.mark.long),
            ("Australia/Lord_Howe", "2024-04-06"),
        ],
    )
    def test_ids_are_unique_even_in_the_time_that_clocks_repeat(self, zone: str, day: str) -> None:
        with Emulator(20_000, zone=zone, days=3, first_day=day) as emulator:
            found = [id for _, id in emulator.matching()]
            assert len(set(found)) == len(found)
            assert any("-r" in id for id in found)

    def test_the_last_rows_wait_or_run_and_have_no_times_yet(self) -> None:
        with Emulator(2_000) as emulator:
            last = rows(emulator, sort=["-trigger_time"], page_size=20)
            unfinished = [row for row in last if row["statusDesc"] in ("RUNNING", "WAIT", "READY", "INIT")]
            assert len(unfinished) >= 3
            assert all(row["endTime"] is None for row in unfinished)
            assert any(row["startTime"] is None for row in unfinished)

    def test_the_task_graph_is_json_and_names_its_instance(self) -> None:
        with Emulator(50) as emulator:
            for row in rows(emulator):
                graph = json.loads(row["graph"])
                assert (graph["instId"], str(graph["id"])) == (row["instanceId"], str(row["flowId"]))
                assert graph["tasks"][0]["taskInstId"].endswith(row["instanceId"].split("-")[1])

    def test_ids_in_task_graphs_are_sometimes_ints_and_sometimes_texts(self) -> None:
        with Emulator(1_000) as emulator:
            kinds = {type(json.loads(row["graph"])["id"]) for row in rows(emulator, page_size=1_000)}
            assert kinds == {int, str}

    def test_nasty_names_occur_and_are_rare(self) -> None:
        with Emulator(5_000, profile="uniform", schedule_types=[1]) as emulator:
            names = [row["flowName"] for row in rows(emulator, page_size=5_000)]
            share = sum(name in NASTY_NAMES for name in names) / len(names)
            assert 0.005 < share < 0.1

    def test_failures_come_in_clusters(self) -> None:
        with Emulator(20_000, profile="uniform") as emulator:
            days = Counter(trigger // DAY for trigger, _ in emulator.matching(status=[-1]))
            assert max(days.values()) > 4 * sum(days.values()) / 366

    def test_local_times_follow_summer_time(self) -> None:
        with Emulator(0, zone="Europe/Berlin") as emulator:
            summer = emulator.insert(1_720_000_000_000)  # 2024-07-03 09:46:40 UTC
            row = get(emulator, "flowInstances", action="get", flowInstId=summer)["data"]
            assert row["triggerTime"] == "2024-07-03 11:46:40"


class TestCrons:
    clock = Clock(zone_named("+08:00"))
    start = 1_704_038_400_000  # 2024-01-01 00:00 +08:00, a Monday

    def fired(self, cron: Cron, days: int) -> list[float]:
        found = firings(cron, self.start, self.start + days * DAY, self.clock)
        return [(one - self.start) / DAY for one in found]

    def test_a_step_of_hours_fires_all_day(self) -> None:
        cron = Cron("H", "0 30 0/6 * * ? *", step=6 * 3_600_000, offset=1_800_000)
        assert self.fired(cron, 1) == [hours / 24 for hours in (0.5, 6.5, 12.5, 18.5)]

    def test_a_week_has_one_day(self) -> None:
        assert self.fired(Cron("W", "0 0 0 ? * WED *", day=2), 15) == [2, 9]

    def test_a_month_has_one_day(self) -> None:
        assert self.fired(Cron("M", "0 0 0 2 * ? *", day=2), 62) == [1, 32, 61]

    def test_days_follow_the_wall_clock_through_a_change(self) -> None:
        berlin = Clock(zone_named("Europe/Berlin"))
        start = 1_711_753_200_000  # 2024-03-30 00:00 in Berlin, the day before clocks move
        found = firings(Cron("D", "0 0 6 * * ? *", offset=6 * 3_600_000), start, start + 2 * DAY, berlin)
        assert [berlin.local(one)[11:] for one in found] == ["06:00:00", "06:00:00"]
        assert found[1] - found[0] == 23 * 3_600_000


class TestFiles:
    def test_a_file_serves_the_same_rows_again_with_their_changes(self, tmp_path: Path) -> None:
        with Emulator(200, path=tmp_path / "world.db") as emulator:
            gone = emulator.matching()[0][1]
            emulator.delete(gone)
            before = rows(emulator, page_size=200)
        with Emulator(200, path=tmp_path / "world.db") as emulator:
            assert emulator.instances == 199
            assert rows(emulator, page_size=200) == before

    def test_a_file_of_another_world_is_refused(self, tmp_path: Path) -> None:
        Emulator(20, path=tmp_path / "world.db").open().close()
        with pytest.raises(QueryError, match="another world"):
            Emulator(21, path=tmp_path / "world.db").open()

    def test_a_file_of_something_else_is_refused_and_kept(self, tmp_path: Path) -> None:
        (tmp_path / "letter.txt").write_text("Dear Sir or Madam,")
        with pytest.raises(QueryError, match="this version of the emulator did not make it"):
            Emulator(20, path=tmp_path / "letter.txt").open()
        assert (tmp_path / "letter.txt").read_text() == "Dear Sir or Madam,"


class TestSettings:
    @pytest.mark.parametrize(
        ("switches", "message"),
        [
            ({"instances": -1}, "instances must be a whole number"),
            ({"instances": True}, "instances must be a whole number"),
            ({"profile": "random"}, "profile must be one of"),
            ({"zone": "Mars/Olympus"}, "zone 'Mars/Olympus'"),
            ({"zone": "+25:00"}, "zone"),
            ({"first_day": "2024-02-30"}, "cannot be read as a day"),
            ({"schedule_types": (3,)}, "schedule_types must hold only"),
            ({"schedule_types": "1"}, "collection"),
            ({"page_cap": 0}, "page_cap"),
            ({"latency": float("nan")}, "latency"),
            ({"latency": "1"}, "latency"),
            ({"null_list": 1}, "null_list must be True or False"),
            ({"ignore": ["order"]}, "ignore must hold only"),
            ({"app_key": "k"}, "app_key and app_secret"),
            ({"fault_kinds": ["gremlins"]}, "kind must be one of"),
            ({"fist_page": 1}, "did you mean first_page"),
            ({"claimed_zone": "Mars"}, "zone 'Mars'"),
            ({"port": 70_000}, "port"),
            ({"host": "0.0.0.0"}, "no TLS"),
        ],
    )
    def test_nonsense_is_refused_by_name(self, switches: dict[str, object], message: str) -> None:
        with pytest.raises(QueryError, match=message):
            Emulator(**switches)  # type: ignore[arg-type]

    def test_secrets_do_not_appear_in_a_repr(self) -> None:
        emulator = Emulator(app_key="visible-key", app_secret="visible-secret")
        assert "visible" not in repr(emulator) + repr(emulator.access)

    def test_a_world_is_a_value(self) -> None:
        assert World(instances=5) == World(instances=5)

    def test_what_is_not_open_says_so(self) -> None:
        with pytest.raises(RuntimeError, match="not open"):
            Emulator().matching()
        with pytest.raises(RuntimeError, match="it is not served"):
            Emulator().url  # noqa: B018
