"""The options of the Spark source: what is refused, and that no error shows a key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aioflows import QueryError
from aioflows.spark.options import SourceOptions

GIVEN = {"url": "https://enos.test", "user_id": "u", "org_id": "o"}
AT = "1767225600000"
CANARY = "CANARY-7f3a9c"


def parse(**more: Any) -> SourceOptions:
    return SourceOptions.parse(GIVEN | {name.removeprefix("_"): text for name, text in more.items()})


def refusal(**more: Any) -> str:
    with pytest.raises(QueryError) as caught:
        parse(**more)
    return str(caught.value)


def test_times_with_a_zone_and_milliseconds_are_the_same_instant() -> None:
    at = 1_767_225_600_000
    for text in ("2026-01-01T08:00+08:00", "2026-01-01 00:00:00+00:00", str(at)):
        assert parse(_from=text, to=text).batch().from_ms == at


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("stauts", "FAIL", "did you mean 'status'?"),
        ("path", "x", "load() takes no path"),
        ("from", "2026-01-01 00:00:00", "has no zone"),
        ("start", "now", "aioflows.spark.now()"),
        ("columns", "['instance_id', 'status']", "not a list"),
        ("columns", "instance_id,statsu", "did you mean 'status'?"),
        ("status", "FALI", "FAIL"),
        ("type", "periodc", "periodic"),
        ("tasks", "yes", "true or false"),
        ("page_size", "0", "1 to 10,000"),
        ("rate", "nan", "above 0"),
        ("parallel_tasks", "2", "rate"),
        ("rate", "40", "parallel_tasks"),
        ("owner", "['anna', 'ben']", "one text"),
        ("expression", '["daily"]', "one text"),
        ("access_key_env", "KEY", "secret_key_env"),
        ("columns", "task_id", "tasks=True"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_is_right(option: str, text: str, said: str) -> None:
    assert said in refusal(**{option: text})


@pytest.mark.parametrize("option", ["secret_key", "access_key", "accesskey", "password", "token", "auth"])
def test_a_key_as_an_option_is_refused_unseen(option: str) -> None:
    said = refusal(**{option: CANARY})
    assert "access_key_env" in said
    assert CANARY not in said


def test_a_key_in_place_of_a_variable_s_name_is_refused_unseen() -> None:
    assert CANARY not in refusal(access_key_env=CANARY, secret_key_env="NAME")
    named = parse(access_key_env="CANARY_7f3a9c", secret_key_env="CANARY_7f3a9c")
    with pytest.raises(QueryError, match="is not set") as caught:
        named.keys({})
    assert "CANARY" not in str(caught.value)


def test_keys_are_read_where_the_options_say(tmp_path: Path) -> None:
    assert parse().keys() is None
    key = parse(access_key_env="A", secret_key_env="B").keys({"A": "one", "B": "two"})
    assert key is not None
    assert (key.access_key, key.secret_key) == ("one", "two")
    file = tmp_path / "key.toml"
    file.write_text('access_key = "three"\nsecret_key = "four"\n')
    key = parse(key_file=str(file)).keys()
    assert key is not None
    assert (key.access_key, key.secret_key) == ("three", "four")


def test_a_key_in_place_of_a_key_file_is_refused_unseen() -> None:
    with pytest.raises(QueryError, match="cannot be used") as caught:
        parse(key_file=CANARY).keys()
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("content", [f'access_key = "{CANARY}"', f"{CANARY} = = ", "[access_key]\n"])
def test_a_key_file_that_is_no_such_file_is_refused_unseen(content: str, tmp_path: Path) -> None:
    file = tmp_path / "key.toml"
    file.write_text(content)
    with pytest.raises(QueryError, match="TOML") as caught:
        parse(key_file=str(file)).keys()
    assert CANARY not in str(caught.value)


def test_a_batch_has_a_range_and_a_stream_has_a_start() -> None:
    with pytest.raises(QueryError, match="option from is missing"):
        parse(to=AT).batch()
    with pytest.raises(QueryError, match="option max_rows is one that only a stream has"):
        parse(_from=AT, to=AT, max_rows="10").batch()
    with pytest.raises(QueryError, match="option start is missing"):
        parse().stream_start()
    with pytest.raises(QueryError, match="option to is one that only a batch has"):
        parse(start=AT, to=AT).stream_start()
    assert parse(start="1767225600999").stream_start() == 1_767_225_600_000


def test_the_rate_is_shared_by_the_tasks_with_a_governor_or_without() -> None:
    assert parse(rate="40", parallel_tasks="4").limits.rate == 10
    assert parse(rate="40", parallel_tasks="4", governor="aioflows://...").limits.rate == 10
    assert parse(governor="aioflows://...").limits.rate is None


def test_without_a_number_of_tasks_those_that_spark_runs_share_the_rate() -> None:
    assert SourceOptions.parse(GIVEN | {"rate": "40"}, 8).limits.rate == 5
    assert SourceOptions.parse(GIVEN | {"rate": "40", "parallel_tasks": "4"}, 8).limits.rate == 10
    assert SourceOptions.parse(GIVEN, 8).limits.rate is None


def test_the_secret_of_a_governor_is_not_shown() -> None:
    assert CANARY not in repr(parse(governor=f"aioflows://host:1/?secret={CANARY}&share=1"))


def test_brackets_in_a_name_are_no_list() -> None:
    assert parse(expression="[daily] load").expression == "[daily] load"


def test_a_fingerprint_tells_queries_apart_and_knows_one_again() -> None:
    plain = parse(start="2026-01-01T00:00Z").fingerprint
    assert {parse(start="2027-01-01T00:00Z", page_size="10", columns="status").fingerprint} == {plain}
    others = [
        {"status": "FAIL"},
        {"type": "1"},
        {"owner": "a"},
        {"expression": "a"},
        {"tasks": "true"},
        {"org_id": "p"},
    ]
    assert len({plain, *(parse(**other).fingerprint for other in others)}) == 7
    assert parse(status="FAIL,SUCCESS").fingerprint == parse(status="SUCCESS, FAIL").fingerprint
