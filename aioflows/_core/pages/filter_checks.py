"""Whether the service applied the filters it was asked for besides the time: schedule type, statuses, owner, expression.

Order and window are checked in every page (`pages`). A service that ignores the type answers the same for all three, and
every row would come three times; one that ignores another filter gives rows that the query did not ask for.

1. A status is a number: a row with another one shows that the filter is ignored.
2. Owner and expression are compared by the service's database, and its collation decides what matches. A row that some collation
   explains (`collation`) does match for this service, and is handed out. One that none explains shows that the filter is ignored.
3. A row that does not show the field cannot be judged, and is handed out. An empty text shows nothing either.
4. A flow may have several owners, which the service writes with semicolons between them: one of them suffices.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from aioflows._core.pages.collation import may_contain, may_equal
from aioflows._core.pages.reading import Page
from aioflows.errors import CompletenessError
from aioflows.models import FlowInstance, ScheduleType
from aioflows.query import FlowQuery

__all__ = ["FilterChecks", "TypeOverlapCheck", "checks_of"]

_MOST_TEXTS = 50_000
"""Texts of which it is remembered that they match, so that each is compared once."""

_LONGEST_SHOWN = 80
_BETWEEN_OWNERS = re.compile("[;,|]")


class TypeOverlapCheck:
    """The first page that had rows of each schedule type; over one range, no two of them may share a row."""

    def __init__(self) -> None:
        self.answered: set[ScheduleType] = set()
        """The types about which anything was answered."""
        self.error: CompletenessError | None = None
        """What is wrong, if rows were answered for two types."""
        self._ids: dict[ScheduleType, frozenset[str]] = {}

    def look(self, type: ScheduleType, page: Page) -> None:
        """Look at a page."""
        self.answered.add(type)
        if type in self._ids or not page.ids:
            return
        ids = frozenset(page.ids)
        for other, others in self._ids.items():
            if shared := ids & others:
                self.error = CompletenessError(
                    f"instance {min(shared)!r} was answered both for type {other.name} and for type {type.name}: the "
                    "service ignores the schedule type, and every row would come once for each. Ask for one type"
                )
        self._ids[type] = ids


class FilterChecks:
    """What every row of one query has to be.

    Args:
        statuses: the *codes* that rows may have; none: any.
        owner: the *user name* that was asked for; ``""``: none.
        expression: the *text* that was asked for; ``""``: none.
    """

    def __init__(self, statuses: Collection[int] = (), owner: str = "", expression: str = "") -> None:
        self._statuses = statuses
        self._owner = owner
        self._expression = expression
        self._words = expression.split() or [expression]
        self._owners: set[str | None] = {None, "", owner}
        self._names: set[str | None] = {None, ""}

    def check(self, rows: Sequence[FlowInstance]) -> None:
        """Check that each row matches, as far as it shows that.

        Raises:
            CompletenessError: the service ignores a filter; the message names it.
        """
        if self._statuses:
            self._check_statuses(rows)
        if self._owner:
            self._check_owners(rows)
        if self._expression:
            self._check_texts(rows)

    def _check_statuses(self, rows: Sequence[FlowInstance]) -> None:
        statuses = self._statuses
        for row in rows:
            status = row.status
            if status is not None and status not in statuses:
                asked = ", ".join(str(int(one)) for one in sorted(statuses))
                raise CompletenessError(
                    f"instance {row.instance_id!r} was answered with status {int(status)}, though only {asked} was asked for: "
                    "the service ignores the status filter. Ask without status, and choose among what comes"
                )

    def _check_owners(self, rows: Sequence[FlowInstance]) -> None:
        owners = self._owners
        for row in rows:
            if row.owner in owners:
                continue
            owner = row.owner or ""
            if not any(may_equal(self._owner, one) for one in (owner, *_BETWEEN_OWNERS.split(owner))):
                raise CompletenessError(
                    f"instance {row.instance_id!r} was answered with owner {_shown(owner)}, though {_shown(self._owner)} was "
                    "asked for, and no database takes one for the other (case, accents, width, blanks at the ends and "
                    "wildcards were allowed for): the service most likely ignores the owner filter, or finds owners by "
                    "another name than it shows. Ask without owner, and choose among what comes"
                )
            _remember(owners, owner)

    def _check_texts(self, rows: Sequence[FlowInstance]) -> None:
        expression, names = self._expression, self._names
        for row in rows:
            name = row.flow_name
            if name in names or expression in row.instance_id:
                continue
            name = name or ""
            if all(may_contain(word, name) for word in self._words):
                _remember(names, name)
            elif not all(may_contain(word, f"{row.instance_id} {name}") for word in self._words):
                raise CompletenessError(
                    f"instance {row.instance_id!r} of flow {_shown(name)} was answered, though {_shown(expression)} was looked "
                    "for, and no database finds that in its id or its name (case, accents, width, blanks and wildcards were "
                    "allowed for): the service most likely ignores the expression filter. Ask without expression, and "
                    "choose among what comes"
                )


def checks_of(query: FlowQuery) -> FilterChecks | None:
    """Return what rows of a query have to be; None: anything."""
    if not (query.status or query.owner or query.expression):
        return None
    return FilterChecks(query.status, query.owner, query.expression)


def _remember(texts: set[str | None], text: str) -> None:
    if len(texts) < _MOST_TEXTS:
        texts.add(text)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")
