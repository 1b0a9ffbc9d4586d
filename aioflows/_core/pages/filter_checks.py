"""Filter checks: did the service apply schedule type, statuses, owner and expression?

Order and window are checked in every page (`ordered_page`). A service that ignores the type returns the same rows
for all three types, so every row would come three times. A service that ignores another filter returns rows
that do not match the query.

1. A status is a number. A row with another status shows that the filter is ignored.
2. The service's database compares owner and expression, and its collation decides. A row that some collation
   explains (`collation`) counts as a match. A row that no collation explains shows that the filter is
   ignored.
3. A row without the field, or with an empty text, cannot be checked. It counts as a match.
4. A flow may have several owners, separated by a semicolon, a comma or a bar. One matching owner is enough.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from aioflows._core.pages.collation import may_contain, may_equal
from aioflows._core.pages.page import Page
from aioflows.errors import CompletenessError
from aioflows.models import FlowInstance, ScheduleType
from aioflows.query import FlowQuery

__all__ = ["FilterChecks", "TypeOverlapCheck", "checks_of"]

_MOST_TEXTS = 50_000
"""The most matching texts that are remembered, so that each is compared once."""

_LONGEST_SHOWN = 80
_BETWEEN_OWNERS = re.compile("[;,|]")


class TypeOverlapCheck:
    """The check that no row comes for two schedule types. It compares the first page with rows of each type."""

    def __init__(self) -> None:
        self.answered: set[ScheduleType] = set()
        """The types that had an answer, with or without rows."""
        self.error: CompletenessError | None = None
        """The error for a row that came for two types. None means no such row."""
        self._ids: dict[ScheduleType, Sequence[str]] = {}

    def look(self, type: ScheduleType, page: Page) -> None:
        """Compare a page with the first pages of the other types, and set `error` if they share a row."""
        self.answered.add(type)
        if type in self._ids or not page.ids:
            return
        for other, ids in self._ids.items():
            if shared := set(ids).intersection(page.ids):
                self.error = CompletenessError(
                    f"instance {min(shared)!r} came for type {other.name} and for type {type.name}: the service ignores the "
                    "schedule type, so every row would come once for each type. Query one type"
                )
        self._ids[type] = page.ids  # not a set of them, which would take as much memory again


class FilterChecks:
    """The filters that every row of one query must match.

    Args:
        statuses: status codes that rows may have. Default: empty, which means every status.
        owner: user name of the owner. Default: ``""``, which means every owner.
        expression: text that rows must contain. Default: ``""``, which means every row.
    """

    def __init__(self, statuses: Collection[int] = (), owner: str = "", expression: str = "") -> None:
        self._statuses = statuses
        self._owner = owner
        self._expression = expression
        self._words = expression.split() or [expression]
        self._owners: set[str | None] = {None, "", owner}
        self._names: set[str | None] = {None, ""}

    def check(self, rows: Sequence[FlowInstance]) -> None:
        """Check that each row matches, as far as its fields show that.

        Raises:
            CompletenessError: the service ignores a filter. The message names the filter.
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
                    f"instance {row.instance_id!r} came with status {int(status)}, but the query has status {asked}: the "
                    "service ignores the status filter. Query without status, and select rows yourself"
                )

    def _check_owners(self, rows: Sequence[FlowInstance]) -> None:
        owners = self._owners
        for row in rows:
            if row.owner in owners:
                continue
            owner = row.owner or ""
            if not any(may_equal(self._owner, one) for one in (owner, *_BETWEEN_OWNERS.split(owner))):
                raise CompletenessError(
                    f"instance {row.instance_id!r} came with owner {_shown(owner)}, but the query has owner "
                    f"{_shown(self._owner)}, and no database treats the two as equal (case, accents, width, blanks at the ends "
                    "and wildcards were ignored): the service most likely ignores the owner filter, or shows owners by "
                    "another name. Query without owner, and select rows yourself"
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
                    f"instance {row.instance_id!r} of flow {_shown(name)} came, but no database finds the expression "
                    f"{_shown(expression)} in this id or name (case, accents, width, blanks and wildcards were ignored): the "
                    "service most likely ignores the expression filter. Query without expression, and select rows yourself"
                )


def checks_of(query: FlowQuery) -> FilterChecks | None:
    """Return the checks for the rows of a query. None means that the query has no such filter."""
    if not (query.status or query.owner or query.expression):
        return None
    return FilterChecks(query.status, query.owner, query.expression)


def _remember(texts: set[str | None], text: str) -> None:
    if len(texts) < _MOST_TEXTS:
        texts.add(text)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")
