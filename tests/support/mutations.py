"""Answers of all kinds, and changes of their bytes: of single ones, of values, and of whole pieces."""

from __future__ import annotations

import asyncio
import json
import random
import re
import urllib.request
from collections.abc import Sequence

from aioflows.emulator import Emulator
from aioflows.emulator.faults.catalogue import BODY, Fault
from aioflows.emulator.faults.spoil import spoil_body
from aioflows.emulator.reply import Reply
from tests.support.odd_answers import ODD, PLAIN, body_of, numbered

__all__ = ["honest_answers", "hostile_answers", "mutated"]

_LARGE = {
    "huge",
    "deep",
    "long-int",
    "long-flow-id",
}  # kinds whose bodies are refused at once, and are slow to change
_SERVICES: tuple[dict[str, object], ...] = (
    {},
    {"sibling_fields": True, "null_times": "absent"},
    {"start_zone_shift": 9},
)
_VALUE = re.compile(rb'(?<=":)(?:"(?:[^"\\]|\\.)*"|[^",{}\[\]]+)')
_TIME = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:]{8}")
_ROW = re.compile(rb'\{"instanceId".*?\}(?=,\{"instanceId"|\])', re.DOTALL)
_PIECES = [
    b'"', b"\\", b",", b"}", b"{", b"]", b"[", b"},{", b"]}", b"]}}", b"\n", b"\t ", b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80",
    b"\xf0\x9f\x8c\x80", b"\xe9\xa3\x8e", b"0", b"-", b"1e5", b".0", b" ", b"null", b"true", b"\x00", b"\x1f", b"\x7f", b"\\u0000", b"\\ud800",
    b"\\ud83d\\ude00", b"\\u00e9", b"\\/", b"\\x", b'"flowId":8,', b'"graph":null,', b'"code":1,', b'"flowInsts":[],', b',"count":7', b'"status":0,',
    b'"instanceId":"","', b'"triggerTime":null,', b"\xef\xbb\xbf", b"2024-02-29", b"1900-02-29", b"24:00:00", b"23:59:60", b"0000-",
]  # fmt: skip
_VALUES = [
    b"null", b"true", b"false", b"0", b"-0", b"1", b"-1", b"007", b"1.0", b"1e3", b"999999999999999999", b"9223372036854775808", b'""', b'"x"',
    b'"1"', b'"true"', b"[]", b"{}", b'[{"a":"]"}]', b'{"a":{"b":[1]}}', b'"\\u98ce\\ud83c\\udf00"', b'"\\ud83d"', b'"\\u0000\\b\\f\\n\\r\\t\\\\"', b"NaN", b"nul",
    b'"2024-02-29 23:59:59"', b'"2023-02-29 00:00:00"', b'"2024-01-91 00:00:00"', b'"2024-04-31 00:00:00"', b'"2024-01-01T00:00:00"', b'"2024-01-01t00:00:00"',
    b'"2024-01-01 00:00:00.5"', b'"2024-01-01 00:00:00.123456"', b'"2024-01-01 00:00:00.1234567"', b'"2024-01-01 00:00:00."', b'"2024-01-01 24:00:00"',
    b'"2024-01-01 23:59:60"', b'"0000-01-01 00:00:00"', b'"0001-01-01 00:00:00"', b'"9999-12-31 23:59:59.999999"', b'"2024-01-01 00:00"', b'"2024-01-01"',
    b'"2024-01-01 00:00:00Z"', b'"2024-01-01 00:00:00+08:00"', b'" 2024-01-01 00:00:00"', b'"2024-01-01\\u002000:00:00"', b"1704067200000", b"1704067200", b"[2024,1,1,0,0]",
]  # fmt: skip


async def _emulated(options: dict[str, object], rows: int) -> bytes:
    async with Emulator(instances=200, seed=1, **options) as emulator:  # type: ignore[arg-type]
        asked = {
            "type": 1, "owner": "", "status": "", "expression": "", "fromTriggerTime": emulator.start_ms, "toTriggerTime": emulator.end_ms,
            "pagination": {"pageNo": 0, "pageSize": rows, "sorters": [{"field": "trigger_time", "order": "ASC"}]},
        }  # fmt: skip
        request = urllib.request.Request(
            f"{emulator.url}/batch-processing-service/v2.1/flowInstances?action=search&userId=u&orgId=o",
            json.dumps(asked).encode(),
            {"Content-Type": "application/json"},
        )

        def answer() -> bytes:
            with urllib.request.urlopen(request) as reply:
                body: bytes = reply.read()
                return body

        return await asyncio.to_thread(answer)


def honest_answers() -> list[bytes]:
    """Return answers of the emulator, of one row and of several."""

    async def all_of_them() -> list[bytes]:
        return [await _emulated(options, rows) for options in _SERVICES for rows in (1, 4)]

    return asyncio.run(all_of_them())


def hostile_answers(honest: Sequence[bytes]) -> list[bytes]:
    """Return answers with each fault of the emulator, and with each odd value, alone and beside a plain row."""
    faults = [Fault(at=1, kind=kind) for kind in BODY if kind not in _LARGE]
    spoilt = [spoil_body(Reply(200, {}, body), fault).body for body in honest for fault in faults]
    odd = [{name: value} for name, values in ODD.items() for value in values]
    answers = [body_of(numbered(*changes)) for one in odd for changes in ([one], [{}, one])]
    without = [{name: value for name, value in PLAIN.items() if name != left} for left in PLAIN]
    pretty = json.dumps(json.loads(body_of(numbered({}, {}))), indent=2).encode()
    ascii = body_of(numbered({"flowName": "\U0001f300 风"}), ascii=True)
    swapped = b'{"msg":"OK","data":{"count":2,"flowInsts":%b},"code":0} ' % (
        json.dumps(numbered({}, {})).encode()
    )
    return [*spoilt, *answers, *(body_of([row]) for row in without), pretty, ascii, swapped]


def mutated(answers: Sequence[bytes], rng: random.Random) -> bytes:
    """Return one of the answers with one to three changes."""
    body = rng.choice(answers)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        body = rng.choice(_CHANGES)(body, answers, rng)
    return body


def _one_byte(body: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    at = rng.randrange(len(body) + 1)
    return body[:at] + bytes([rng.randrange(256)]) + body[at + 1 :]


def _piece(body: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    at = rng.randrange(len(body) + 1)
    return body[:at] + rng.choice(_PIECES) + body[at + rng.choice((0, 0, 1, 2)) :]


def _left_out(body: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    at = rng.randrange(len(body) + 1)
    return body[:at] + body[at + rng.choice((1, 2, 5, 40, 400)) :]


def _repeated(body: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    at = rng.randrange(len(body) + 1)
    end = at + rng.choice((1, 3, 12, 60, 600))
    return body[:end] + body[at:end] + body[end:]


def _spliced(body: bytes, answers: Sequence[bytes], rng: random.Random) -> bytes:
    other = rng.choice(answers)
    return body[: rng.randrange(len(body) + 1)] + other[rng.randrange(len(other) + 1) :]


def _value(body: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    places = [*_VALUE.finditer(body)]
    if not places:
        return body
    start, end = rng.choice(places).span()
    return body[:start] + rng.choice(_VALUES) + body[end:]


def _digit(body: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    places = [*_TIME.finditer(body)]
    if not places:
        return body
    at = rng.randrange(*rng.choice(places).span())
    return body[:at] + rng.choice((b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"9")) + body[at + 1 :]


def _rows(body: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    rows = [*_ROW.finditer(body)]
    if not rows:
        return body
    one, other = rng.choice(rows), rng.choice(rows)
    return body[: one.start()] + other[0] + body[one.end() :]


_CHANGES = (_one_byte, _piece, _left_out, _repeated, _spliced, _value, _value, _value, _digit, _digit, _rows)
