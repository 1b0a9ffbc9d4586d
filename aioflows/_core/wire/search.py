"""The answer to "List Flow Instances": reads the page in it, in any of the forms that services give it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from aioflows._compiled import compiled_decoder
from aioflows._core.wire.envelope import (
    BOM,
    Unlisted,
    check,
    code_of,
    parse,
    parse_envelope,
    refuse_repeated_members,
    with_graphs_escaped,
)
from aioflows._core.wire.rows import Head, Loose, loose_answer
from aioflows._core.wire.search_page import SearchPage, row_decoder, row_path
from aioflows.errors import AnswerError

__all__ = ["read_purely", "read_search"]

_LIST = b'"flowInsts"'
_LONGEST_START = 4096  # bytes in which the envelope's list of rows is looked for
_DIGITS = re.compile(r"[0-9]{1,18}")
_COUNTS = ("count", "total", "totalCount", "totalSize")
"""Members that hold the number of rows: the documented one, and those of other services of the vendor and of
most paging libraries.
"""
_FIRST_ID = re.compile(rb'"instanceId"\s*:\s*"?')
_DOCUMENTED = re.compile(rb'\{"code":0,"msg":"[^"\\]*","data":\{"flowInsts":0,"count":[0-9]+\}\}')
"""The usual envelope, in which no member comes twice."""

_head = msgspec.json.Decoder(Head, strict=False)


def _count(value: object) -> int | None:
    # The count is documented as the number of rows on the page. It is a hint, so a wrong type is not an
    # error.
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return int(value) if _DIGITS.fullmatch(value) else None
    return int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else None


def read_search(
    body: bytes,
    throttle_codes: Collection[int] = (),
    *,
    whole: bool = False,
    page_no: int = 0,
    sorter: tuple[str, bool] | None = None,
) -> SearchPage:
    """Return the page of an answer, with only the columns decoded by which pages are planned.

    An empty page has many forms: an empty list, null in place of the list, no list, or no data, as
    serializers do that omit empty values. It may also have the empty value of another language (`LooseData`).
    All of these are an empty page, if the code means success and no count says that there are rows.

    Args:
        body: the body of the answer.
        throttle_codes: codes that mean "too many requests". Default: none.
        whole: True if all of it is decoded now, since it is handed out at once. Default: False.
        page_no: the page number in the request. The count of a later page may be that of all rows. Default:
            0.
        sorter: the field that the page was sorted by, and True if it is descending. Default: None, unknown.

    Raises:
        ServiceError: the service refused.
        AnswerError: this is not a page. The error names the problem and the path.
        BrokenBody: the answer ends too early.
    """
    body = body.removeprefix(BOM)
    decoder = compiled_decoder()
    plan = None if decoder is None else decoder.plan(body)
    if decoder is None or plan is None:
        return read_purely(body, throttle_codes, whole=whole, page_no=page_no, sorter=sorter)
    decoded = decoder.rows(plan) if whole else None
    return SearchPage(body, plan.ids, plan.times, plan.count, decoded, sorter, decoder, plan)


def read_purely(
    body: bytes,
    throttle_codes: Collection[int] = (),
    *,
    whole: bool = False,
    page_no: int = 0,
    sorter: tuple[str, bool] | None = None,
) -> SearchPage:
    """Return the page of an answer as `read_search` does, but without the compiled decoder.

    Raises:
        ServiceError: the service refused.
        AnswerError: this is not a page. The error names the problem and the path.
        BrokenBody: the answer ends too early.
    """
    body = body.removeprefix(BOM)
    try:
        answer = _answer(body, throttle_codes, whole=whole)
    except AnswerError:
        repaired = with_graphs_escaped(body)
        if repaired is None:
            raise
        body = repaired
        answer = _answer(body, throttle_codes, whole=whole)
    check(answer, throttle_codes)
    rows, count = _rows(answer)
    if not rows:
        reported = _largest_count(body)
        if reported and page_no == 0 and rows is None:
            raise Unlisted(
                f"the answer reports {reported:,} rows, but has no list of them", "$.data.flowInsts"
            )
        rows, count = (), reported or count
    if isinstance(answer, Loose):
        ids, times = _columns(rows)
    else:
        ids, times = [row.instance_id for row in rows], [row.trigger_time for row in rows]
    decoded = None if isinstance(answer, (Head, Loose)) else rows
    page = SearchPage(body, ids, times, count, decoded, sorter)
    if _may_repeat_members(body, ids):
        refuse_repeated_members(body)
    return page


def _rows(answer: Any) -> tuple[Any, int | None]:
    """Return the rows of a successful answer, or None if it has no list, and the count.

    Raises:
        AnswerError: there is no list of rows, and no code that means success.
    """
    data = answer.data or None
    rows, count = (None, None) if data is None else (data.flow_insts, _count(data.count))
    rows = rows if isinstance(rows, list) else None
    if rows is None and code_of(answer) is None:
        raise AnswerError(
            "there is no data" if data is None else "there is neither a list nor a code", "$.data"
        )
    return rows, count


def _largest_count(body: bytes) -> int:
    """Return the largest number of rows that an answer without a list reports, in any member. 0 means none.

    Such an answer is not an empty one (`aioflows._core.proofs.empty_answers`). The page was too large, or its
    rows were lost on the way.
    """
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return 0  # the body was read in another way, so it shows no count
    data = answer.get("data")
    paging = data.get("pagination") if isinstance(data, dict) else None
    places = [place for place in (answer, data, paging) if isinstance(place, dict)]
    return max(0, *(_count(place.get(name)) or 0 for place in places for name in _COUNTS))


def _answer(body: bytes, throttle_codes: Collection[int], *, whole: bool) -> Any:
    if whole:
        with contextlib.suppress(msgspec.ValidationError):
            return row_decoder.answer(body)
    try:
        return parse(_head, body)
    except msgspec.ValidationError:
        check(parse_envelope(body), throttle_codes)  # if the service refused, its data may be anything
        return loose_answer(body)


def _columns(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[Any]]:
    ids = [_id(row.get("instanceId"), number) for number, row in enumerate(rows)]
    return ids, [row.get("triggerTime") for row in rows]


def _id(value: object, number: int) -> str:
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return str(value)
    raise AnswerError(f"{value!r:.60} is not an id", f"{row_path(number)}.instanceId")


def _may_repeat_members(body: bytes, ids: Sequence[str]) -> bool:
    """Return True if a member of the envelope may have come twice, without decoding the rows again.

    A decoder keeps the last of two lists. Then the first row of the first list differs from the first row
    decoded.
    """
    start, end = body.find(_LIST, 0, _LONGEST_START), body.rfind(b"]") + 1
    if len(body) <= _LONGEST_START or start < 0:
        return True
    envelope = body[:start] + b'"flowInsts":0' + body[end:]
    if not (_DOCUMENTED.fullmatch(envelope) or refuse_repeated_members(envelope)):
        return True
    first = _FIRST_ID.search(body, start)
    if not ids or first is None:
        return bool(ids) or first is not None
    return not body.startswith(ids[0].encode(errors="replace"), first.end())
