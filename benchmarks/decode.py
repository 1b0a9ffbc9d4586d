"""What does it cost to make flow instances of an answer's bytes?

Every line is the median of ratios to ``orjson.loads`` of the same bytes (dictionaries, nothing checked, no type), which
is timed just before and just after: the machine's speed drifts, the ratio does not.

    pip install orjson && python benchmarks/decode.py
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial

import orjson

from aioflows._compiled import decoder_name
from aioflows._core.wire.search import read_purely, read_search
from aioflows._core.wire.zone import Zone
from aioflows._tables.json_lines import line_encoder
from aioflows._tables.raw_rows import Part, RawRows
from aioflows._tables.row_columns import read_columns
from aioflows.export import json_line, json_lines
from aioflows.models import FlowInstance
from benchmarks.rows import answer

ZONE = Zone.parse("GMT+8")


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def ratio(
    call: Callable[[], object], base: Callable[[], object], rounds: int = 150
) -> tuple[float, float, float]:
    """Give the median, the 10th and the 90th percentile of what *call* takes in units of *base*."""
    for _ in range(3):
        call(), base()
    found = []
    before = timed(base)
    for _ in range(rounds):
        taken = timed(call)
        after = timed(base)
        found.append(2 * taken / (before + after))
        before = after
    tenths = statistics.quantiles(found, n=10)
    return statistics.median(found), tenths[0], tenths[-1]


def at_once(body: bytes) -> list[FlowInstance]:
    return read_search(body, whole=True).instances(ZONE)


def pure(body: bytes) -> list[FlowInstance]:
    return read_purely(body).instances(ZONE)


def by_and_by(body: bytes) -> list[FlowInstance]:
    return read_search(body).instances(ZONE)


def read_all(rows: Iterable[FlowInstance]) -> None:
    for one in rows:
        one.trigger_time, one.start_time, one.end_time, one.timestamp, one.status  # noqa: B018


def lines_of(body: bytes, *, nested: bool) -> bytes:
    page, ahead = read_search(body), ZONE.epoch.utcoffset() or timedelta()
    every = range(len(page))
    part = Part(
        body,
        page.ids,
        every,
        partial(page.instances, ZONE),
        partial(read_columns, body, page.ids, every, ahead),
    )
    return line_encoder(nested=nested).convert(RawRows([part], None, ahead, FlowInstance(page.ids[-1])))


def main() -> None:
    print(
        f"Python {platform.python_version()}, orjson {orjson.__version__}, decoder: {decoder_name()}, {platform.machine()}, {sys.platform}"
    )
    body = answer(500)
    print(
        f"pages of 500 rows, {len(body) // 500} bytes a row; x of orjson.loads, median [10th-90th percentile]\n"
    )
    wider, wrong = answer(500, region="north"), answer(500)
    wrong = wrong.replace(b'"virtual":false', b'"virtual":"no"', 1)
    all_wrong = answer(500, flowName=21)
    page, rows = read_search(body), by_and_by(body)
    lines: list[tuple[str, Callable[[], object], bytes]] = [
        ("orjson.loads", lambda: orjson.loads(body), body),
        ("json.loads", lambda: json.loads(body), body),
        ("read_search: what a page is planned by", lambda: read_search(body), body),
        ("instances: all fields", lambda: page.instances(ZONE), body),
        ("both", lambda: by_and_by(body), body),
        ("both without the compiled decoder", lambda: pure(body), body),
        ("both in one pass (whole=True)", lambda: at_once(body), body),
        ("... and every time and status read", lambda: read_all(at_once(body)), body),
        ("... an unknown member in every row", lambda: at_once(wider), wider),
        ("... a wrong type in one row", lambda: at_once(wrong), wrong),
        ("... a wrong type in every row", lambda: at_once(all_wrong), all_wrong),
        ("json_line of every row", lambda: b"".join(map(json_line, rows)), body),
        ("json_lines of all rows", lambda: json_lines(rows), body),
        ("lines from the bytes", lambda: lines_of(body, nested=True), body),
        ("... with graphs as texts", lambda: lines_of(body, nested=False), body),
    ]
    for name, call, given in lines:
        middle, low, high = ratio(call, lambda given=given: orjson.loads(given))  # type: ignore[misc]
        print(f"{name:45} {middle:6.2f}  [{low:.2f}-{high:.2f}]")
    for count in (100, 1000):
        given = answer(count)
        for name, read in (("both", by_and_by), ("both in one pass", at_once)):
            middle, low, high = ratio(lambda: read(given), lambda: orjson.loads(given))  # noqa: B023
            print(f"{f'pages of {count}: {name}':45} {middle:6.2f}  [{low:.2f}-{high:.2f}]")


if __name__ == "__main__":
    main()
