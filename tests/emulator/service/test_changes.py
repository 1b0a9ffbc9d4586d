"""What changes from answer to answer, and an oracle that knows it exactly."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from aioflows.emulator import Emulator
from aioflows.errors import QueryError
from tests.support.asking import ids, rows, search


def all_ids(emulator: Emulator) -> set[str]:
    return {id for _, id in emulator.matching(emulator.start_ms, emulator.end_ms)}


def changing(instances: int = 60, **switches: object) -> Emulator:
    switches = {"changes_per_search": 5, "profile": "uniform", "schedule_types": [1], **switches}
    return Emulator(instances, **switches)  # type: ignore[arg-type]


class TestKinds:
    def test_inserts_alone_only_add_rows(self) -> None:
        with changing(change_kinds=["insert"], new_rows="matching") as emulator:
            before = all_ids(emulator)
            search(emulator)
            assert all_ids(emulator) > before
            assert emulator.instances == 65

    def test_deletes_alone_only_remove_rows(self) -> None:
        with changing(change_kinds=["delete"]) as emulator:
            before = all_ids(emulator)
            search(emulator)
            assert all_ids(emulator) < before
            assert emulator.instances == 55

    def test_flips_alone_change_nothing_but_statuses(self) -> None:
        with changing(change_kinds=["flip"]) as emulator:
            before = {row["instanceId"]: row["status"] for row in rows(emulator)}
            after = {row["instanceId"]: row["status"] for row in rows(emulator)}
            assert before.keys() == after.keys()
            assert 1 <= sum(before[id] != after[id] for id in before) <= 5

    def test_a_flipped_row_leaves_a_status_that_is_asked_for_and_comes_back(self) -> None:
        with changing(5, change_kinds=["flip"], changes_per_search=1) as emulator:
            answers = [set(ids(emulator, status="1,-1")) for _ in range(60)]
        turns: dict[str, list[bool]] = {id: [id in one for one in answers] for id in set().union(*answers)}
        returns = [
            id
            for id, shown in turns.items()
            if any(not shown[i] and any(shown[:i]) and any(shown[i:]) for i in range(60))
        ]
        assert returns

    def test_a_delete_where_no_row_is_left_changes_nothing(self) -> None:
        with changing(3, change_kinds=["delete"]) as emulator:
            for _ in range(3):
                search(emulator)
            assert emulator.instances == 0

    def test_less_than_one_change_a_search_is_one_every_few(self) -> None:
        with changing(change_kinds=["insert"], changes_per_search=0.25) as emulator:
            counts = []
            for _ in range(8):
                search(emulator)
                counts.append(emulator.instances)
        assert counts == [60, 60, 60, 61, 61, 61, 61, 62]


class TestPlace:
    @pytest.mark.parametrize("kind", ["insert", "delete", "flip"])
    def test_all_changes_may_fall_into_one_millisecond(self, kind: str) -> None:
        moment = Emulator(0).start_ms + 12_345_678
        with changing(
            0, change_kinds=[kind], changes_in=(moment, moment + 1), changes_per_search=1
        ) as emulator:
            there = {emulator.insert(moment) for _ in range(40)}
            others = {emulator.insert(moment + beside) for beside in (-1, 1) for _ in range(10)}
            before = {row["instanceId"]: row["status"] for row in rows(emulator)}
            for _ in range(10):
                search(emulator, status="1")
            after = {row["instanceId"]: row["status"] for row in rows(emulator)}
            changed = {id for id in before.keys() | after.keys() if before.get(id) != after.get(id)}
            assert len(changed) >= 5
            assert changed.isdisjoint(others)
            new = {id: at for at, id in emulator.matching() if id not in there | others}
            assert set(new.values()) <= {moment}

    def test_every_row_of_a_dense_moment_may_change(self) -> None:
        with changing(0, change_kinds=["delete"], changes_per_search=1) as emulator:
            made = [emulator.insert(emulator.start_ms) for _ in range(30)]
            for _ in range(10):
                search(emulator)
            gone = [made.index(id) for id in set(made) - all_ids(emulator)]
            assert max(gone) > 15 > min(gone)

    @pytest.mark.parametrize(
        "asked", [{"status": "-1"}, {"owner": "ops"}, {"expression": "sync"}, {"type": 2}], ids=str
    )
    @pytest.mark.parametrize(("new_rows", "match"), [("matching", True), ("other", False)])
    def test_new_rows_match_what_is_asked_for_or_do_not(
        self, asked: dict[str, object], new_rows: str, match: bool
    ) -> None:
        with Emulator(2_000, changes_per_search=5, change_kinds=["insert"], new_rows=new_rows) as emulator:
            before = {id for _, id in emulator.matching()}
            search(emulator, **asked)
            new = {id for _, id in emulator.matching()} - before
            kept = {"status": [-1]} if "status" in asked else dict(asked)
            matching = {id for _, id in emulator.matching(**{"type": 1, **kept})}  # type: ignore[arg-type]
            assert len(new) == 5
            assert (new <= matching) if match else new.isdisjoint(matching)

    @pytest.mark.parametrize("wrong", [(1, 1), (5, 2), (1,), (0.5, 2), "1-2"])
    def test_a_range_that_makes_no_sense_is_refused(self, wrong: object) -> None:
        with pytest.raises(QueryError):
            Emulator(changes_in=wrong)


class TestStale:
    def test_an_answer_may_show_the_rows_of_some_searches_ago(self) -> None:
        with changing(stale_searches=3, change_kinds=["insert"], new_rows="matching") as emulator:
            shown = [len(ids(emulator, page_size=1_000)) for _ in range(40)]
        late = {(60 + 5 * number - count) // 5 for number, count in enumerate(shown, 1)}
        assert late == {0, 1, 2, 3}

    def test_the_rows_themselves_are_what_they_are(self) -> None:
        with changing(stale_searches=5) as stale, changing() as prompt:
            for _ in range(20):
                search(stale)
                search(prompt)
            assert stale.matching() == prompt.matching()

    def test_what_a_test_changes_shows_late_too(self) -> None:
        with changing(stale_searches=2, changes_per_search=0) as emulator:
            gone = ids(emulator)[0]
            emulator.delete(gone)
            shown = [gone in ids(emulator) for _ in range(20)]
        assert any(shown[:2])
        assert not any(shown[2:])


class TestOracle:
    """Against every state that was, taken down after every single change."""

    FILTERS: tuple[dict[str, object], ...] = (
        {},
        {"type": 1},
        {"status": (1, -1)},
        {"owner": "ops"},
        {"expression": "SYNC"},
        {"status": (1,), "type": 2},
    )

    @staticmethod
    def states(emulator: Emulator, filter: dict[str, object]) -> set[str]:
        return {id for _, id in emulator.matching(**filter)}  # type: ignore[arg-type]

    @pytest.mark.parametrize("filter", FILTERS, ids=str)
    @pytest.mark.parametrize("stale", [0, 4])
    @pytest.mark.parametrize("seed", range(3))
    def test_it_is_exact_for_every_change_and_filter(
        self, filter: dict[str, object], stale: int, seed: int
    ) -> None:
        rng = random.Random(seed)
        with Emulator(120, seed, stale_searches=stale, expression="any-case") as emulator:
            history = [self.states(emulator, filter)]

            def change() -> None:
                known = sorted(id for _, id in emulator.matching())
                kind = rng.random()
                if kind < 0.3:
                    emulator.insert(
                        rng.randrange(emulator.start_ms, emulator.end_ms),
                        type=rng.randrange(3),
                        status=rng.choice((1, -1, 2)),
                    )
                elif kind < 0.6:
                    emulator.delete(rng.choice(known))
                else:
                    emulator.set_status(rng.choice(known), rng.choice((1, -1, 2)))

            def step() -> set[str]:
                for _ in range(rng.randrange(4)):
                    change()
                history.append(self.states(emulator, filter))
                asked = {**filter, "page_size": 1_000}
                if "status" in asked:
                    asked["status"] = ",".join(map(str, filter["status"]))  # type: ignore[call-overload]
                types: Iterable[object] = [asked.pop("type")] if "type" in asked else (0, 1, 2)
                return set().union(*(ids(emulator, type=type, **asked) for type in types))

            for _ in range(6):
                step()
            # Three searches a step where all types are asked for, so fewer steps are visible then than searches.
            with emulator.watch(**filter) as watch:  # type: ignore[arg-type]
                searches = len(emulator.searches)
                began = len(history)
                shown = [step() for _ in range(20)]
            per_step = searches // 6
            visible = history[began - 1 - -(-stale // per_step) :] if stale else history[began - 1 :]
            assert watch.ever <= set().union(*visible)
            assert watch.lasting >= set.intersection(*visible)
            if not stale:
                assert watch.ever == set().union(*visible)
                assert watch.lasting == set.intersection(*visible)
            for answer in shown:
                assert watch.lasting <= answer <= watch.ever

    def test_a_row_that_no_answer_may_show_yet_is_not_owed(self) -> None:
        with Emulator(0, stale_searches=3) as emulator:
            search(emulator)
            new = emulator.insert(emulator.start_ms)
            with emulator.watch() as watch:
                pass
            assert (watch.lasting, watch.ever) == (set(), {new})
            for _ in range(3):
                search(emulator)
            with emulator.watch() as watch:
                pass
            assert watch.lasting == {new}

    def test_a_row_that_is_gone_but_may_still_be_shown_matched_once(self) -> None:
        with Emulator(0, stale_searches=3) as emulator:
            gone = emulator.insert(emulator.start_ms)
            for _ in range(5):
                search(emulator)
            emulator.delete(gone)
            with emulator.watch() as watch:
                pass
            assert (watch.lasting, watch.ever) == (set(), {gone})
