"""The lies of a dishonest service: what is done to a request before it is answered, or to the rows that answer it.

A lie never changes the table. What the service would have answered in truth is kept beside what it says, so that the
judge knows what each request could have told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.support.worlds.service import DAY, Answered, Row, Service

__all__ = ["LIES", "Heard", "Kind", "Liar", "Lie"]


@dataclass(frozen=True)
class Lie:
    """One lie as it is told.

    Args:
        name: its name.
        share: how often it is told, from 0 to 1.
        every: every how many requests it is told; 0: at random.
        number: what else it depends on.
    """

    name: str
    share: float
    every: int
    number: int

    @property
    def always(self) -> bool:
        """Return True if it is told in every answer, so that some request shows it."""
        return self.share >= 1 and not self.every

    def __str__(self) -> str:
        often = f"every {self.every}" if self.every else f"{self.share:.0%}"
        return f"{self.name} ({often}, {self.number})"


@dataclass(frozen=True)
class Kind:
    """A kind of lie.

    Args:
        name: its name.
        always: whether it is told in every answer.
    """

    name: str
    always: bool = True

    def drawn(self, rng: Random) -> Lie:
        """Draw how it is told."""
        every = 0 if self.always else rng.choice([0, 3, 5, 7, 11])
        share = 1.0 if self.always else 0.0 if every else rng.choice([0.02, 0.05, 0.1])
        return Lie(self.name, share, every, rng.randint(1, 1_000_000))


LIES = {
    kind.name: kind
    for kind in (
        Kind("false empty answers", always=False),
        Kind("rows left out", always=False),
        Kind("wrong order", always=False),
        Kind("wrong order always"),
        Kind("ignores type"),
        Kind("drops type 0"),
        Kind("ignores status"),
        Kind("heeds the first status"),
        Kind("ignores owner"),
        Kind("ignores expression"),
        Kind("ignores from"),
        Kind("ignores to"),
        Kind("ignores sorters"),
        Kind("ignores direction"),
        Kind("ignores page numbers"),
        Kind("rows outside the window", always=False),
        Kind("same answer always"),
        Kind("rows again in other windows", always=False),
        Kind("contradictory times", always=False),
        Kind("wrong zone named"),
        Kind("count wrong", always=False),
        Kind("count wrong always"),
    )
}


@dataclass
class Heard:
    """A request, the rows that answer it in truth, and what was said.

    Args:
        asked: the body.
        truth: the rows that an honest service would have shown.
        said: the rows that were shown.
        status: the HTTP status.
        words: what the answer was, in a few words.
        counted: what `count` said; None: it was left out.
        told: the lies that made a difference.
    """

    asked: dict[str, Any]
    truth: list[Row]
    said: list[Row]
    status: int
    words: str
    counted: int | None = None
    told: tuple[Lie, ...] = ()


class Liar:
    """A service that lies.

    Args:
        service: the honest one.
        lies: what it lies about.
        rng: draws when.
    """

    def __init__(self, service: Service, lies: tuple[Lie, ...], rng: Random) -> None:
        self.service = service
        self.lies = lies
        self.rng = rng
        self.heard: list[Heard] = []
        self._first: list[Row] = []

    @property
    def zone_name(self) -> str:
        """The zone as it is named."""
        for lie in self.lies:
            if lie.name == "wrong zone named":
                minutes = self.service.quirks.offset_minutes + (15, 30, 60, -60, 480, -330)[lie.number % 6]
                sign = "-" if minutes < 0 else "+"
                return f"GMT{sign}{abs(minutes) // 60}:{abs(minutes) % 60:02}"
        return self.service.quirks.zone_name

    def search(self, asked: dict[str, Any]) -> tuple[int, bytes]:
        """Answer the body of a search."""
        truth = self.service.search(asked)
        if not self.lies:
            self._hear(asked, truth, truth)
            return truth.status, truth.body
        told = [lie for lie in self.lies if self._tells(lie)]
        changed = asked
        for lie in told:
            changed = _BEFORE.get(lie.name, _unchanged)(changed)
        answered = truth if changed is asked else self.service.search(changed)
        count: int | None = None
        rows = list(answered.rows)
        for lie in told:
            rows = _AFTER.get(lie.name, _as_they_are)(self, lie, asked, rows)
            if lie.name.startswith("count wrong"):
                count = max(0, len(rows) + (lie.number % 7 - 3 or 5))
        refused = answered.status != 200 or (not answered.rows and answered.words != "no rows")
        if any(lie.name == "same answer always" for lie in told) and not refused:
            self._first = self._first or rows
            rows = self._first
        same = refused or (rows == list(answered.rows) and count is None)
        said = answered if same else self.service.written(rows, answered.total, count)
        self._hear(asked, truth, said, tuple(told) if said.body != truth.body else ())
        return said.status, said.body

    def _hear(
        self, asked: dict[str, Any], truth: Answered, said: Answered, told: tuple[Lie, ...] = ()
    ) -> None:
        self.heard.append(
            Heard(asked, list(truth.rows), list(said.rows), said.status, said.words, said.counted, told)
        )

    def _tells(self, lie: Lie) -> bool:
        if lie.every:
            return (len(self.heard) + lie.number) % lie.every == 0
        return lie.always or self.rng.random() < lie.share


def _unchanged(asked: dict[str, Any]) -> dict[str, Any]:
    return asked


def _with(**members: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda asked: {**asked, **members}


def _paged(**members: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda asked: {**asked, "pagination": {**asked["pagination"], **members}}


def _ascending(asked: dict[str, Any]) -> dict[str, Any]:
    sorters = [{**one, "order": "ASC"} for one in asked["pagination"]["sorters"]]
    return _paged(sorters=sorters)(asked)


def _first_page(asked: dict[str, Any]) -> dict[str, Any]:
    return _paged(pageNo=1)(asked) if asked["pagination"]["pageNo"] > 1 else asked


_BEFORE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "ignores type": _with(type=None),
    "drops type 0": lambda asked: asked if asked["type"] else {**asked, "type": None},
    "ignores status": _with(status=""),
    "heeds the first status": lambda asked: {**asked, "status": asked["status"].split(",")[0]},
    "ignores owner": _with(owner=""),
    "ignores expression": _with(expression=""),
    "ignores from": _with(fromTriggerTime=0),
    "ignores to": _with(toTriggerTime=1 << 45),
    "ignores sorters": _paged(sorters=[]),
    "ignores direction": _ascending,
    "ignores page numbers": _first_page,
}


def _as_they_are(liar: Liar, lie: Lie, asked: dict[str, Any], rows: list[Row]) -> list[Row]:
    return rows


def _empty(liar: Liar, lie: Lie, asked: dict[str, Any], rows: list[Row]) -> list[Row]:
    return []


def _thinned(liar: Liar, lie: Lie, asked: dict[str, Any], rows: list[Row]) -> list[Row]:
    if not rows:
        return rows
    drop = set(liar.rng.sample(range(len(rows)), max(1, len(rows) // 20)))
    return [row for at, row in enumerate(rows) if at not in drop]


def _shuffled(liar: Liar, lie: Lie, asked: dict[str, Any], rows: list[Row]) -> list[Row]:
    return liar.rng.sample(rows, len(rows))


def _foreign(liar: Liar, lie: Lie, asked: dict[str, Any], rows: list[Row]) -> list[Row]:
    """Put a row of another window into the page, at one of its ends."""
    others = [
        row for row in liar.service.rows if not asked["fromTriggerTime"] <= row.ms < asked["toTriggerTime"]
    ]
    if not others or not rows:
        return rows
    other = liar.rng.choice(others)
    return [other, *rows] if liar.rng.random() < 0.5 else [*rows, other]


def _again(liar: Liar, lie: Lie, asked: dict[str, Any], rows: list[Row]) -> list[Row]:
    """Show a row of another window once more, dated as its new neighbour is."""
    if not rows or not liar.service.rows:
        return rows
    other, at = liar.rng.choice(liar.service.rows), liar.rng.randrange(len(rows))
    return [*rows[:at], replace(other, ms=rows[at].ms, body=b""), *rows[at:]]


def _contradicting(liar: Liar, lie: Lie, asked: dict[str, Any], rows: list[Row]) -> list[Row]:
    """Date one row as its neighbour, or a little later within the window."""
    if not rows:
        return rows
    at = liar.rng.randrange(len(rows))
    near = rows[min(at + 1, len(rows) - 1)].ms if len(rows) > 1 else rows[at].ms + min(DAY, 7_000)
    return [*rows[:at], replace(rows[at], ms=near, body=b""), *rows[at + 1 :]]


_AFTER: dict[str, Callable[[Liar, Lie, dict[str, Any], list[Row]], list[Row]]] = {
    "false empty answers": _empty,
    "rows left out": _thinned,
    "wrong order": _shuffled,
    "wrong order always": _shuffled,
    "rows outside the window": _foreign,
    "rows again in other windows": _again,
    "contradictory times": _contradicting,
}
