"""The JSON of changes: short, since a board has some 200,000 counts.

The counts of a series are one list, after the number of the series. A number that is not negative is the step from
the key before to the next key. A key is ``(bin - first bin) * 64 + status``. A negative number belongs to the key
before it: -1 means the count 0, -3 means 2, -4 means 3, and so on. A key without one has the count 1.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from aioflows._core.board.numbered_changes import Changes

__all__ = ["message_json", "packed_counts"]

_STATUSES = 64


def packed_counts(counts: Mapping[tuple[int, int, int], int], first: int) -> list[list[int]]:
    """Return the counts of each series as one list.

    Args:
        counts: the counts by series, bin and status.
        first: the bin that the others are counted from. Earlier bins are left out.
    """
    by_series: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for (series, bin, status), count in counts.items():
        if bin >= first:
            by_series[series].append(((bin - first) * _STATUSES + status, count))
    packed = []
    for series, pairs in by_series.items():
        line, before = [series], 0
        for key, count in sorted(pairs):
            line.append(key - before)
            if count != 1:
                line.append(-count - 1)
            before = key
        packed.append(line)
    return packed


def message_json(changes: Changes, first: int, **members: Any) -> bytes:
    """Return changes as one line of JSON in ASCII.

    Args:
        changes: the changes.
        first: the first bin of the board.
        members: further members, such as the number of the last change.
    """
    content: dict[str, Any] = {**members, "base": first}
    for kind, values in changes.items():
        if kind == "cell":
            content[kind] = packed_counts(values, first)
        elif kind == "info":
            content[kind] = values
        else:
            content[kind] = [[key, value] for key, value in values.items()]
    # Some readers of JSON take "</script>" in a text for the end of their script.
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c").encode("ascii")
