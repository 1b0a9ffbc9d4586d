"""Answers of all kinds, most of them odd, and their rows as a scan hands them out undecoded."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from hypothesis import strategies as st

from aioflows import FlowInstance
from aioflows._core.wire.search import read_search
from aioflows._core.wire.zone import Zone
from aioflows._tables.raw_rows import Part, RawRows
from aioflows._tables.row_columns import read_columns

CHINA = Zone.parse("GMT+8")
PLAIN: dict[str, object] = {
    "instanceId": "7-1",
    "flowId": 7,
    "flowName": '风机 "7"',
    "freq": "0 0 7 ? * FRI *",
    "cycle": "W",
    "parameters": '[{"name":"区域","value":"华东"}]',
    "doAs": None,
    "graph": '{"tasks":[{"taskId":"t\\u0041","x":0.002}],"parameters":"[{\\"name\\":1}]"}',
    "status": 1,
    "statusDesc": "SUCCESS",
    "triggerTime": "2024-01-01 00:00:00",
    "startTime": "2024-01-01 00:00:01.5",
    "endTime": None,
    "timestamp": "2024-01-01 00:00:00.0",
    "virtual": False,
    "owner": "wang.fang",
    "hasEditPri": True,
    "hasReadPri": None,
}


def body_of(rows: Sequence[dict[str, object]], *, ascii: bool = False) -> bytes:
    answer = {"code": 0, "msg": "OK", "data": {"flowInsts": rows, "count": len(rows)}}
    return json.dumps(answer, ensure_ascii=ascii, separators=(",", ":")).encode("utf-8", "surrogatepass")


def numbered(*changes: dict[str, object]) -> list[dict[str, object]]:
    return [{**PLAIN, "instanceId": f"7-{number}", **one} for number, one in enumerate(changes)]


def undecoded(
    body: bytes,
    numbers: Sequence[int] | None = None,
    read: Callable[[], list[FlowInstance]] | None = None,
    zone: Zone = CHINA,
    order: Sequence[int] | None = None,
) -> RawRows:
    """Return rows of an answer as a scan hands them out undecoded."""
    page = read_search(body)
    numbers = range(len(page)) if numbers is None else numbers
    read = read or partial(page.instances, zone, numbers)
    ahead = zone.epoch.utcoffset() or timedelta()
    columns = partial(read_columns, page.body, page.ids, numbers, ahead)
    part = Part(page.body, page.ids, numbers, read, columns)
    return RawRows([part], order, ahead, FlowInstance(page.ids[-1]))


ODD: dict[str, list[object]] = {
    "flowId": [7, "8", 9.0, 1e3, 2**40, 2**63, 2**70, True, -0.5, "x", {}],
    "flowName": [5, True, "", "a\u0000b", "half \ud83d", "\U0001f300", ["x"]],
    "parameters": [{"a": 1}, [1, {"b": 2}, {"c": 3}], "", "{", 7],
    "graph": [{"tasks": [1]}, [{}, {"a": 1}], "风", "", '"\\n"', 1.5, False, "a},{b", '},{"instanceId":"7-1"}', "1,2", '"a', "],[", '{ "x" : [1, 1.50, 1E2, -0, 1e-7] }', '{"x":1e591}',
              '{"x":"\\/\\u0041\\u007f"}', '{"x":"a\nb"}', '{"x":1,"x":2}', '{"x":NaN}', '"[1]"', '"{\\"x\\":1e591}"',
              '{"x":123456789012345678901234567890}', "é\\x", "风é", "\x7f\x85\u2028\u202e", None],
    "status": [99, "2", "odd", -1, 2.0, 2**63],
    "triggerTime": ["2024-01-01T00:00:00", "2024-01-01 00:00:00.999"],
    "startTime": ["2024-01-01T00:00:01.5+02:00", "never", "2024-01-01", "2024-01-01 00:00", 1704067200000, ""],
    "endTime": ["9999-12-31 23:59:59", "0001-01-01 00:00:00", "2024-01-01 24:00:00", "2024-01-01 23:59:60"],
    "timestamp": ["2024-01-01 00:00:00.1234567", "2024-01-01 00:00:00Z", "2024-02-30 00:00:00", " 2024-01-01 00:00:00"],
    "virtual": [1, "true", "x"],
    "hasReadPri": [0, "0"],
    "alertMode": [3, "3", None],
    "calDt": ["2024-01-01", 20240101],
    "more": [1, None, {"a": [1]}],
    "instanceId": ["7-9", 2809],
}  # fmt: skip
odd_rows = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in ODD.items()}
).map(lambda odd: {**PLAIN, **odd})
zones = st.sampled_from(["GMT+8", "UTC", "-03:30"]).map(Zone.parse)


near_times = st.one_of(
    st.from_regex(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9][ Tt][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{0,9})?", fullmatch=True
    ),
    st.datetimes().map(str),
    st.text(st.sampled_from("0123456789-: T.Z+,"), min_size=10, max_size=30),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An answer of which a few bytes were changed, left out, or put in."""
    body = bytearray(
        body_of(numbered({}, {"parameters": [{"a": 1}, {"b": 2}]} if draw(st.booleans()) else {}))
    )
    pieces = [b"", b'"', b"\\", b",", b"}", b"{", b"]", b"[", b"},{", b"\n", b"\xff", b"\xed\xa0\x80", b"0", b"-", b" ",
              b'"flowId":8,', b"null", b"\\u0000", b"\\ud800"]  # fmt: skip
    for _ in range(draw(st.integers(1, 3))):
        at, length = draw(st.integers(0, len(body))), draw(st.integers(0, 2))
        body[at : at + length] = draw(st.sampled_from(pieces))
    return bytes(body)
