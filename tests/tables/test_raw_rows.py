"""Lines, cells and rows that are made from the bytes of answers: those that are made from instances."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, reject, settings
from hypothesis import strategies as st

from aioflows import AioflowsError, FlowInstance, QueryError
from aioflows._core.wire.search import read_search
from aioflows._core.wire.zone import Zone
from aioflows._json_lines import as_ascii
from aioflows._tables.columns import Layout
from aioflows._tables.json_lines import JsonLinesEncoder, line_encoder
from aioflows._tables.raw_rows import RawRows
from aioflows._tables.text_columns import InstanceColumns
from aioflows.export import json_line, json_lines
from aioflows.export.formats.csv import CsvEncoder
from aioflows.export.formats.sqlite import database_rows
from tests.support.instances import ODD_ROWS
from tests.support.long import long_but
from tests.support.odd_answers import (
    CHINA,
    body_of,
    damaged,
    near_times,
    numbered,
    odd_rows,
    undecoded,
    zones,
)

LAYOUT = Layout()


class Form:
    """A form of rows: what is made of bytes, and what is made of each instance alone."""

    def __init__(
        self, of_bytes: Callable[[RawRows], Any], of_instances: Callable[[Sequence[FlowInstance]], Any]
    ) -> None:
        self.of_bytes, self.of_instances = of_bytes, of_instances

    def one_by_one(self, instances: Sequence[FlowInstance]) -> Any:
        made = [self.of_instances([instance]) for instance in instances]
        return b"".join(made) if isinstance(made[0], bytes) else [row for some in made for row in some]


def form_of(encoder: JsonLinesEncoder | CsvEncoder) -> Form:
    return Form(encoder.convert, encoder.encode)


to_rows = partial(database_rows, LAYOUT)
TO_JSON = Form(line_encoder().convert, lambda rows: b"".join([json_line(row) for row in rows]))
FORMS = {
    "lines": TO_JSON,
    "lines of all columns": form_of(JsonLinesEncoder(LAYOUT, nested=True)),
    "lines of texts": form_of(JsonLinesEncoder(LAYOUT)),
    "lines in UTF-8": form_of(line_encoder(utf8=True)),
    "lines of texts in UTF-8": form_of(line_encoder(nested=False, utf8=True)),
    "cells": form_of(CsvEncoder(LAYOUT)),
    "raw cells": form_of(CsvEncoder(LAYOUT, raw=True)),
    "rows of a database": Form(
        lambda rows: rows.encoded(LAYOUT, to_rows), lambda rows: to_rows(InstanceColumns(LAYOUT, rows))
    ),
}


def assert_alike(form: Form, body: bytes, zone: Zone = CHINA, numbers: Sequence[int] | None = None) -> None:
    try:
        rows = undecoded(body, numbers, zone=zone)
    except (AioflowsError, IndexError):  # it is no page, or one without rows
        reject()
    try:
        instances = read_search(body).instances(zone, numbers)
        wanted = form.one_by_one(instances)
    except AioflowsError as error:
        # A page has one error for all of its rows with large numbers.
        match = None if isinstance(error, QueryError) else re.escape(str(error))
        with pytest.raises(type(error), match=match):
            form.of_bytes(rows)
    else:
        assert form.of_bytes(rows) == wanted
        assert form.of_instances(instances) == wanted


@pytest.mark.parametrize("form", long_but("lines", "lines of texts", of=FORMS))
@given(st.lists(odd_rows, min_size=1, max_size=3), zones, st.booleans())
def test_bytes_give_what_each_instance_gives(
    form: str, rows: list[dict[str, object]], zone: Zone, ascii: bool
) -> None:
    assert_alike(FORMS[form], body_of(rows, ascii=ascii), zone)


@pytest.mark.parametrize(
    "field", long_but("timestamp", of=["triggerTime", "startTime", "endTime", "timestamp"])
)
@settings(suppress_health_check=[HealthCheck.filter_too_much])  # an answer without a trigger time is no page
@given(st.lists(st.none() | near_times, min_size=1, max_size=3), zones)
@example(["2024-01-01 00:00:00.0", "2024-01-01 00:00:00"], CHINA)
@example(["0001-01-01 00:00:00"], CHINA)
@example(["2024-01-01T00:00:00", "2024-01-01 00:00:00"], CHINA)
def test_times_are_read_as_in_instances(field: str, times: list[str | None], zone: Zone) -> None:
    changes: list[dict[str, object]] = [{field: time} for time in times]
    assert_alike(TO_JSON, body_of(numbered(*changes)), zone)


@given(damaged())
def test_a_damaged_answer_gives_what_its_instances_give(body: bytes) -> None:
    assert_alike(TO_JSON, body)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("numbers", [range(4), range(1, 3), range(3, -1, -1), [2, 0, 3]])
def test_rows_as_the_service_documents_them_are_not_decoded(form: str, numbers: Sequence[int]) -> None:
    def never() -> list[FlowInstance]:
        raise AssertionError("rows with nothing out of the ordinary in them were decoded")

    body = body_of(numbered({}, {"status": None}, {"graph": "{}"}, {"owner": ""}))
    wanted = FORMS[form].one_by_one(read_search(body).instances(CHINA, numbers))
    assert FORMS[form].of_bytes(undecoded(body, numbers, never)) == wanted


@pytest.mark.parametrize("zone", ["GMT+8", "GMT+5:30", "UTC", "-03:30"])
def test_times_of_many_hours_are_moved_to_utc_one_by_one(zone: str) -> None:
    times: list[dict[str, object]] = [
        {
            "triggerTime": f"2024-01-{1 + hour // 24:02} {hour % 24:02}:59:59",
            "startTime": None,
            "endTime": None,
            "timestamp": None,
        }
        for hour in range(100)
    ]
    assert_alike(TO_JSON, body_of(numbered(*times)), Zone.parse(zone))
    assert_alike(TO_JSON, body_of(numbered(*times[20:30])), Zone.parse(zone))


@pytest.mark.parametrize(
    "odd",
    [
        {"startTime": "2023-12-31 16:00:01", "endTime": "2023-12-31 16:00:02"},
        {"startTime": "2024-01-01 08:00:01", "endTime": "2024-01-01 08:00:02"},
        {"endTime": "2024-01-01 08:00:02"},
        {"timestamp": "2023-12-31 16:00:00.0"},
    ],
)
def test_rows_whose_times_hint_at_another_clock_are_decoded(odd: dict[str, object]) -> None:
    # Only decoded rows are dated by the clocks that their scan has found out.
    assert undecoded(body_of(numbered({}))).parts[0].columns() is not None
    assert undecoded(body_of(numbered(odd))).parts[0].columns() is None


@pytest.mark.parametrize("form", FORMS)
def test_rows_come_in_the_order_asked_for(form: str) -> None:
    body = body_of(numbered({}, {"flowName": "a\r\nb\n"}, {"more": 1}))
    wanted = FORMS[form].one_by_one(read_search(body).instances(CHINA, [2, 0, 1]))
    assert FORMS[form].of_bytes(undecoded(body, order=[2, 0, 1])) == wanted


@pytest.mark.parametrize("form", FORMS)
def test_odd_instances_change_nothing_of_those_beside_them(form: str) -> None:
    instances = [make() for name, make in ODD_ROWS.items() if name != "large numbers"]
    assert FORMS[form].of_instances(instances) == FORMS[form].one_by_one(instances)


def test_the_lines_of_instances_are_those_of_each() -> None:
    instances = [make() for make in ODD_ROWS.values()]
    assert json_lines(instances) == b"".join([json_line(instance) for instance in instances])
    assert json_lines([]) == b""


@given(st.text())
@example("é\\x")
@example("\\é")
@example("🔋é\\")
def test_ascii_escapes_every_character_as_json_does(text: str) -> None:
    try:
        line = b'"%b"' % text.replace("\\", "\\\\").encode()
    except UnicodeEncodeError:
        reject()
    escaped = as_ascii(line)
    assert escaped.isascii()
    assert (
        escaped
        == re.sub(r"[\x7f-\uffff]", lambda found: f"\\u{ord(found[0]):04x}", utf16(line.decode())).encode()
    )


def utf16(text: str) -> str:
    """Return a text in which pairs of surrogates stand for characters above U+FFFF."""
    units = text.encode("utf-16-be")
    return "".join(chr(int.from_bytes(units[at : at + 2], "big")) for at in range(0, len(units), 2))
