"""The page as a text: what is in it cannot leave its place, and it asks for nothing outside."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest

from aioflows.report import Tally
from aioflows.report.page import page
from aioflows.report.payload import embedded
from tests.support.report_cases import HOSTILE, ZONE, facts, rows


def made(count: int = 200) -> str:
    tally = Tally(ZONE)
    tally.add(rows(count))
    return page(tally, facts())


def scripts(text: str) -> list[tuple[str, str]]:
    return re.findall(r"<script([^>]*)>(.*?)</script>", text, re.DOTALL)


def test_hostile_names_stay_within_the_json_and_are_the_same_afterwards() -> None:
    found = scripts(made())
    assert [attributes for attributes, _ in found] == [' type="application/json" id="rows"', "", ""]
    names = json.loads(found[0][1])["names"]
    assert f"{HOSTILE[0]} (0)" in names
    assert f"{HOSTILE[1]} (1)" in names
    assert "a\\u2028b\\u202ec (3)" in names, "what cannot be seen is shown escaped"


@pytest.mark.parametrize(
    "text", ["</script>", "<!--<script>", "]]>", "&amp;", "\u2028\u2029", "'\"\\", "风机"]
)
def test_embedded_json_is_ascii_without_anything_of_html(text: str) -> None:
    shown = embedded([text])
    assert json.loads(shown) == [text]
    assert shown.isascii()
    assert not set("<>&") & set(shown)


def test_the_policy_allows_its_own_two_scripts_and_no_network() -> None:
    text = made()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data: blob:"
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
        for attributes, code in scripts(text)
        if not attributes
    ]
    assert rules["script-src"].split() == hashes
    assert text.index("Content-Security-Policy") < text.index("<style")
