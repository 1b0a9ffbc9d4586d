"""Faults of the body, each of which spoils an honest answer in one way."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import attrs

from aioflows.emulator.faults.catalogue import Fault
from aioflows.emulator.reply import Reply

_Spoil = Callable[[dict[str, Any], list[dict[str, Any]]], object]


def spoil_body(reply: Reply, fault: Fault) -> Reply:
    """Return an answer with a fault of `catalogue.BODY`."""
    if fault.kind in _BYTES:
        return attrs.evolve(reply, body=_BYTES[fault.kind](reply.body))
    if fault.kind == "html":
        return Reply(
            200, {"Content-Type": "text/html"}, b"<!doctype html><title>Log in</title><form></form>\n"
        )
    if fault.kind == "huge":
        return attrs.evolve(reply, body=b'{"code":0,"msg":"' + b"x" * fault.size + b'"}')
    if fault.kind == "latin-1":
        headers = {**reply.headers, "Content-Type": "application/json;charset=ISO-8859-1"}
        return attrs.evolve(
            reply, headers=headers, body=reply.body.replace(b'"msg":"OK"', b'"msg":"\xe9t\xe9"')
        )
    try:
        answer = json.loads(reply.body)
    except ValueError:  # the honest answer is not JSON, so its members cannot be spoilt
        return reply
    data = answer.get("data")
    rows = data.get("flowInsts") if isinstance(data, dict) else None
    if fault.kind in _ENVELOPE:
        _ENVELOPE[fault.kind](answer)
    elif rows:
        _ROWS[fault.kind](data, rows)
    return attrs.evolve(reply, body=json.dumps(answer, ensure_ascii=fault.kind == "surrogate").encode())


def pack_badly(reply: Reply, fault: Fault) -> Reply:
    """Return an answer with a fault of `catalogue.PACKED`."""
    encoding, pack = _PACKED[fault.kind]
    return attrs.evolve(
        reply, body=pack(reply.body, fault.size), headers={**reply.headers, "Content-Encoding": encoding}
    )


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, 1, mtime=0)


def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    parts, block = [packer.compress(b'{"code":0,"msg":"')], b"x" * 2**20
    parts += [packer.compress(block[: min(2**20, size - at)]) for at in range(0, size, 2**20)]
    return b"".join([*parts, packer.compress(b'"}'), packer.flush()])


_PACKED: dict[str, tuple[str, Callable[[bytes, int], bytes]]] = {
    "cut-gzip": ("gzip", lambda body, _: _gzip(body)[: len(_gzip(body)) * 2 // 3]),
    "cut-trailer": ("gzip", lambda body, _: _gzip(body)[:-8]),
    "bad-crc": ("gzip", lambda body, _: _gzip(body)[:-8] + b"\0\1\2\3" + _gzip(body)[-4:]),
    "two-members": (
        "gzip",
        lambda body, _: _gzip(body[: len(body) // 2]) + _gzip(body[len(body) // 2 :]),
    ),
    "brotli": ("br", lambda body, _: body[::-1]),
    "unknown-encoding": ("x-own", lambda body, _: body[::-1]),
    "gzip-bomb": ("gzip", lambda _, size: _bomb(size)),
}


def _torn(body: bytes) -> bytes:
    """Return a JSON text without the value of one member near its middle, so that no parser accepts it."""
    begin = body.find(b'":', len(body) // 2)
    end = body.find(b',"', begin)
    return body[: len(body) // 2] if begin < 0 or end < 0 else body[:begin] + body[end:]


_BYTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "null": lambda _: b"null",
    "list": lambda _: b"[]",
    "text": lambda _: b'"x"',
    "cut-json": lambda body: body[: max(1, len(body) * 2 // 3)],
    "torn-json": _torn,
    "no-answer": lambda _: b"{}",
    "invalid-utf8": lambda body: body.replace(b'"msg":"OK"', b'"msg":"\xff\xfe"'),
    "bom": lambda body: b"\xef\xbb\xbf" + body,
    "deep": lambda _: b'{"code":0,"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "long-int": lambda body: body.replace(b'"msg":', b'"traceId":' + b"7" * 5_000 + b',"msg":', 1),
    "graph-in-quotes": lambda body: re.sub(rb'"graph":"', b'"graph":"{"name":"a" b","x":"', body, count=1),
    "long-flow-id": lambda body: re.sub(rb'"flowId":\d+', b'"flowId":' + b"7" * 5_000, body, count=1),
    "nan": lambda body: body.replace(b'"count":', b'"count":NaN,"more":', 1),
    "duplicate-keys": lambda body: body.replace(b',"count":', b',"flowInsts":[],"count":', 1),
}

_ENVELOPE: dict[str, Callable[[dict[str, Any]], object]] = {
    "no-data": lambda answer: answer.pop("data", None),
    "null-data": lambda answer: answer.update(data=None),
    "no-list": lambda answer: answer.update(data={"count": 0}),
    "null-list": lambda answer: answer.update(data={"flowInsts": None, "count": 0}),
    "text-list": lambda answer: answer.update(data={"flowInsts": "", "count": 0}),
    "false-empty": lambda answer: answer.update(data={"flowInsts": [], "count": 0}),
    "wrong-types": lambda answer: answer.update(data={"flowInsts": {"0": "row"}, "count": "one"}),
    "string-code": lambda answer: answer.update(
        {key: str(answer[key]) for key in ("code", "status") if key in answer}
    ),
    "no-code": lambda answer: [answer.pop(key, None) for key in ("code", "status")],
    "status-for-code": lambda answer: answer.update(status=answer.pop("code", 0)),
    "two-codes": lambda answer: answer.update(code=0, status=62109),
}


def _year_before(text: str) -> str:
    year, rest = int(text[:4]) - 1, text[4:]
    return f"{year}{rest.replace('-02-29', '-02-28')}"


def _moved(_: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    rows[-1]["triggerTime"] = _year_before(rows[-1]["triggerTime"])


def _changed(_: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    rows.insert(0, {**rows[0], "flowName": "another name", "status": 2})


def _twin(_: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    second = datetime.fromisoformat(rows[0]["triggerTime"]) + timedelta(seconds=1)
    rows.insert(1, {**rows[0], "triggerTime": second.isoformat(" ")})


def _far(_: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    rows[0].update(startTime="9999-12-31 23:59:59", endTime="0000-00-00 00:00:00")


def _foreign(_: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    first = rows[0]
    rows.append(
        {**first, "instanceId": "1-19990101000000", "triggerTime": _year_before(first["triggerTime"])}
    )


def _flags(_: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row.update({name: int(value) for name, value in row.items() if isinstance(value, bool)})


def _more(_: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row.update(newInThisRelease={"a": [1, None]})


_ROWS: dict[str, _Spoil] = {
    "surrogate": lambda _, rows: rows[0].update(flowName="half \ud83d"),
    "disordered": lambda _, rows: rows.reverse(),
    "repeated-row": lambda _, rows: rows.insert(0, rows[0]),
    "changed-row": _changed,
    "moved-twin": _twin,
    "moved-row": _moved,
    "foreign-row": _foreign,
    "bad-time": lambda _, rows: rows[0].update(triggerTime=rows[0]["triggerTime"][:11] + "24:61:00"),
    "hour-24": lambda _, rows: rows[0].update(triggerTime=rows[0]["triggerTime"][:11] + "24:00:00"),
    "february-30": lambda _, rows: rows[0].update(triggerTime="2024-02-30 00:00:00"),
    "year-9999": _far,
    "null-trigger": lambda _, rows: rows[0].update(triggerTime=None),
    "no-id": lambda _, rows: rows[0].update(instanceId=""),
    "owner-object": lambda _, rows: rows[0].update(owner={"name": "ops"}),
    "number-id": lambda _, rows: rows[0].update(instanceId=2809),
    "unknown-status": lambda _, rows: rows[0].update(status=77, statusDesc="PARKED"),
    "extra-field": _more,
    "numbers-for-flags": _flags,
}
