"""What a notebook shows of instances, scans and accounts is a table, and nothing in it is HTML of somebody else."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows import FlowInstance, FlowStatus, FollowStats, Proof, ScanStats
from aioflows._display.html import facts
from tests.display.test_text import HOSTILE
from tests.sync.test_session import here
from tests.test_session import world

OWN = {"table", "caption", "tr", "th", "td"}


class Reader(HTMLParser):
    """The tags of a text, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"style"}

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "</td></table><img src=x onerror=alert(1)>",
        "a'b\"c&amp;",
        *HOSTILE.values(),
    ],
)
def test_a_hostile_name_is_shown_and_is_no_html(name: str) -> None:
    shown = FlowInstance(f"1-{name}", flow_name=name, graph=name, extra={name: name})._repr_html_()
    read = Reader(shown)
    assert read.tags <= OWN
    assert all(word.isprintable() for word in read.words)
    assert "alert(1)" in "".join(read.words) or "alert" not in name


@given(st.text(), st.text())
def test_whatever_the_words_are_the_tags_are_ours(name: str, value: str) -> None:
    read = Reader(facts(name, [(name, value), (value, name)]))
    assert read.tags <= OWN
    assert "".join(read.words).isprintable()


def test_an_instance_shows_what_it_has_and_how_long_it_ran() -> None:
    start, end = (datetime(2024, 1, 1, 0, minute, tzinfo=UTC) for minute in (0, 7))
    shown = FlowInstance("1-2", status=FlowStatus.FAIL, start_time=start, end_time=end, parameters="[]")
    words = Reader(shown._repr_html_()).words
    pairs = dict(zip(words[1::2], words[2::2], strict=True))
    assert words[0] == "FlowInstance 1-2"
    assert pairs == {
        "parameters": "[]",
        "status": "FAIL",
        "start_time": "2024-01-01 00:00:00+00:00",
        "end_time": "2024-01-01 00:07:00+00:00",
        "duration": "0:07:00",
    }


def test_a_long_text_is_cut() -> None:
    assert len(FlowInstance("1-2", graph="<" * 1_000_000)._repr_html_()) < 3_000


def test_an_account_is_a_table() -> None:
    words = Reader(ScanStats(requests=3, elapsed=1.5, proofs={Proof.EMPTY: 2})._repr_html_()).words
    pairs = dict(zip(words[1::2], words[2::2], strict=False))
    assert (pairs["requests"], pairs["elapsed"], pairs["proofs"]) == ("3", "1.500", "empty: 2")
    assert "settled_ms" not in Reader(FollowStats()._repr_html_()).words


async def test_a_scan_and_a_follow_show_where_they_stand() -> None:
    async with world(300) as one:
        async with one.session.scan(one.query()) as scan:
            await anext(scan)
            words = Reader(scan._repr_html_()).words
            assert words[0] == repr(scan)
            assert words[words.index("rows_yielded") + 1] == "1"
        follow = one.session.follow(one.query())
        assert Reader(follow._repr_html_()).words[0] == repr(follow)


def test_a_scan_without_await_shows_the_same() -> None:
    with here(100) as one:
        scan = one.session.scan(one.query())
        next(scan)
        words = Reader(scan._repr_html_()).words
        assert words[words.index("rows_yielded") + 1] == "1"
