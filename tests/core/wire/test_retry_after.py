"""How long an answer asks to wait, by its headers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from aioflows._core.wire.retry_after import resets_alone, retry_after, wait_named

NOON = 1_700_000_000.0


class TestRetryAfter:
    NOW = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC).timestamp()
    FORMS = ("Sun, 06 Nov 1994 08:50:07 GMT", "Sunday, 06-Nov-94 08:50:07 GMT", "Sun Nov  6 08:50:07 1994")

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("0", 0.0),
            ("120", 120.0),
            (" 5 ", 5.0),
            ("-5", 0.0),
            ("0009", 9.0),
            ("0.5", 0.5),
            ("1.250", 1.25),
            ("-0.5", 0.0),
        ],
    )
    def test_digits_are_seconds(self, text: str, seconds: float) -> None:
        assert retry_after({"Retry-After": text}) == seconds

    @pytest.mark.parametrize(
        "text", [*FORMS, "Sun, 06 Nov 1994 08:50:07 -0000", "Sun, 06 Nov 1994 16:50:07 +0800"]
    )
    def test_every_form_of_a_date_is_measured_against_the_answer_s_own(self, text: str) -> None:
        headers = {"Retry-After": text, "Date": "Sun, 06 Nov 1994 08:49:37 GMT"}
        assert retry_after(headers, now=0.0) == 30.0

    @pytest.mark.parametrize("text", FORMS)
    @pytest.mark.parametrize("date", ["", "yesterday"])
    def test_without_one_it_is_measured_against_the_time_given(self, text: str, date: str) -> None:
        assert retry_after({"Retry-After": text, "Date": date}, now=self.NOW) == 30.0
        assert retry_after({"Retry-After": text, "Date": date}) is None

    def test_a_date_that_has_passed_is_no_wait(self) -> None:
        assert retry_after({"Retry-After": self.FORMS[0]}, now=self.NOW + 3600) == 0.0

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("30s", 30.0), ("1m30s", 90.0), ("0.5s", 0.5), ("250ms", 0.25), ("1h0m0s", 3600.0)],
    )
    def test_a_duration_as_go_writes_it_is_read(self, text: str, seconds: float) -> None:
        """Source: `time.Duration.String` of Go's standard library."""
        assert retry_after({"Retry-After": text}) == seconds

    @pytest.mark.parametrize("scale", [1, 1000])
    def test_a_moment_since_the_epoch_is_no_wait_of_fifty_years(self, scale: int) -> None:
        assert (
            retry_after({"Retry-After": str((int(self.NOW) + 1_000_000_000) * scale)}, self.NOW + 1e9 - 7)
            == 7.0
        )

    @pytest.mark.parametrize("name", ["X-Retry-After", "X-RateLimit-Retry-After", "RateLimit-Retry-After"])
    def test_it_has_other_names(self, name: str) -> None:
        assert retry_after({name: "7"}) == 7.0
        assert retry_after({name: "7", "Retry-After": "3"}) == 3.0

    @pytest.mark.parametrize("text", ["9" * 5000, "99999999999"])
    def test_a_huge_one_is_finite(self, text: str) -> None:
        assert retry_after({"Retry-After": text}) == 1e9

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "soon",
            "²",
            "１２",
            "1.",
            ".5",
            "1.5.2",
            "1e3",
            "5,",
            "5, soon",
            "+5",
            "0x10",
            "nan",
            "inf",
            "--5",
            "99 Foo 99999",
        ],
    )
    def test_what_cannot_be_read_is_none(self, text: str) -> None:
        assert retry_after({"Retry-After": text}, now=self.NOW) is None

    @pytest.mark.parametrize("text", ["5, 120", "120,5", "-3, 120 , 7", "120, 120", "0.5, 120.0"])
    def test_of_several_waits_the_longest_counts(self, text: str) -> None:
        assert retry_after({"Retry-After": text}) == 120

    def test_none_is_none(self) -> None:
        assert retry_after({}) is None

    @pytest.mark.parametrize("name", ["Retry-After-Ms", "x-ms-retry-after-ms"])
    def test_milliseconds_are_read_and_go_before_whole_seconds(self, name: str) -> None:
        assert retry_after({name: "820", "Retry-After": "1"}) == 0.82
        assert retry_after({name: "soon", "Retry-After": "1"}) == 1.0


def renewed(headers: dict[str, str], now: float | None = NOON, *, resets: bool = True) -> float | None:
    """What an answer with these headers asks to wait."""
    return wait_named(CIMultiDict(headers), now, resets=resets)


class TestReset:
    @pytest.mark.parametrize(
        "headers",
        [
            {"X-RateLimit-Reset": "1700000012"},
            {"x-ratelimit-reset": "1700000012"},
            {"X-Rate-Limit-Reset": "1700000012"},
            {"X-RateLimit-Reset": "1700000012000"},
            {"X-RateLimit-Reset": "12"},
            {"RateLimit-Reset": "12"},
            {"RateLimit-Reset": "1700000012"},
            {"RateLimit-Reset": "12;w=60"},
            {"X-RateLimit-Reset": "12.0"},
            {"X-RateLimit-Reset-After": "12.000"},
            {"X-RateLimit-Reset": "Tue, 14 Nov 2023 22:13:32 GMT"},
            {"X-RateLimit-Reset": "2023-11-14T22:13:32Z"},
            {"X-RateLimit-Reset-Requests": "12s"},
            {"X-RateLimit-Reset-Requests": "0m11s1000ms"},
            {"X-RateLimit-Reset-Ms": "12000"},
            {"X-RateLimit-Reset-Ms": "12000", "X-RateLimit-Remaining": "0"},
            {
                "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:32Z",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2023-11-14T23:13:32Z",
                "anthropic-ratelimit-tokens-remaining": "5000",
            },
            {"RateLimit": '"default";r=0;t=12'},
            {"RateLimit": "default;r=0;t=12"},
            {"RateLimit": "limit=100, remaining=0, reset=12"},
            {"RateLimit": '"a;r=9, b";r=0;t=12;pk=:cGFydA==:'},
            {"RateLimit": '"burst";r=0;t=2, "hour";r=0;t=12, "day";r=7;t=80000'},
        ],
        ids=repr,
    )
    def test_every_common_kind_is_read(self, headers: dict[str, str]) -> None:
        assert renewed(headers) == pytest.approx(12.0)

    @pytest.mark.parametrize(
        "headers",
        [
            {"X-RateLimit-Reset": "1700000012", "X-RateLimit-Remaining": "57"},
            {"X-RateLimit-Reset": "12", "x-ratelimit-remaining": "1"},
            {"RateLimit-Reset": "12", "RateLimit-Remaining": "3", "RateLimit-Limit": "10, 10;w=60"},
            {"RateLimit-Reset": "12", "X-RateLimit-Remaining": "3"},
            {"X-RateLimit-Reset-After": "12.5", "X-RateLimit-Remaining": "4"},
            {"X-RateLimit-Reset-Requests": "12s", "X-RateLimit-Remaining-Requests": "9"},
            {"RateLimit": '"default";r=5;t=12'},
            {"RateLimit": '"burst";r=5;t=2, "hour";r=900;t=12'},
            {"RateLimit": "limit=100, remaining=7, reset=12"},
        ],
        ids=repr,
    )
    def test_where_something_remains_it_is_no_wait(self, headers: dict[str, str]) -> None:
        assert renewed(headers) is None

    @pytest.mark.parametrize(
        "headers",
        [
            {"X-RateLimit-Reset": "1700000012", "X-RateLimit-Remaining": "0"},
            {"RateLimit-Reset": "12", "RateLimit-Remaining": "0", "X-RateLimit-Remaining-Hour": "80"},
            {"X-RateLimit-Reset": "12, 3", "X-RateLimit-Remaining": "0, 57"},
            {
                "X-RateLimit-Reset-Requests": "12s",
                "X-RateLimit-Remaining-Requests": "0",
                "X-RateLimit-Reset-Tokens": "6m0s",
                "X-RateLimit-Remaining-Tokens": "149984",
            },
        ],
        ids=repr,
    )
    def test_where_a_quota_is_used_up_its_own_renewal_counts(self, headers: dict[str, str]) -> None:
        assert renewed(headers) == pytest.approx(12.0)
        assert renewed(headers, resets=False) == pytest.approx(12.0)

    def test_one_that_stands_alone_counts_unless_good_answers_bear_it_as_well(self) -> None:
        assert renewed({"X-RateLimit-Reset": "12"}) == 12.0
        assert renewed({"X-RateLimit-Reset": "12"}, resets=False) is None

    @pytest.mark.parametrize(
        ("headers", "alone"),
        [
            ({"X-RateLimit-Reset": "12"}, True),
            ({"X-RateLimit-Reset": "12", "X-RateLimit-Limit": "60"}, True),
            ({"X-RateLimit-Reset": "12", "X-RateLimit-Remaining": "5"}, False),
            ({"RateLimit": '"default";r=50;t=30'}, False),
            ({"RateLimit-Policy": '"default";q=100;w=60'}, False),
            ({"Content-Type": "application/json"}, False),
        ],
        ids=repr,
    )
    def test_it_is_told_whether_it_stands_alone(self, headers: dict[str, str], alone: bool) -> None:
        assert resets_alone(CIMultiDict(headers)) is alone

    def test_a_wait_in_so_many_words_goes_before_it(self) -> None:
        assert (
            renewed({"Retry-After": "0.5", "X-RateLimit-Reset": "3600", "X-RateLimit-Remaining": "0"}) == 0.5
        )

    def test_one_that_has_passed_is_no_wait_but_a_refusal_all_the_same(self) -> None:
        assert renewed({"X-RateLimit-Reset": "1600000000"}) == 0.0

    def test_the_answers_own_date_counts_and_not_the_local_clock(self) -> None:
        date = "Tue, 14 Nov 2023 22:13:20 GMT"
        assert renewed({"X-RateLimit-Reset": "1700000012", "Date": date}, 0.0) == 12.0

    def test_a_moment_that_cannot_be_measured_is_none(self) -> None:
        assert renewed({"X-RateLimit-Reset": "1700000012"}, None) is None
        assert renewed({"X-RateLimit-Reset": "12"}, None) == 12.0

    @pytest.mark.parametrize(
        "text", ["", "soon", "²", "1e3", "nan", "12 apples", "2023-99-99T00:00:00Z", "s", "5x", ";"]
    )
    def test_what_cannot_be_read_is_none(self, text: str) -> None:
        assert renewed({"X-RateLimit-Reset": text}) is None
        assert renewed({"RateLimit": f"default;r=0;t={text}"}) is None

    @given(st.text(max_size=40), st.text(max_size=40), st.booleans())
    def test_whatever_stands_there_it_is_a_wait_or_none(self, one: str, other: str, resets: bool) -> None:
        for names in (("X-RateLimit-Reset", "X-RateLimit-Remaining"), ("RateLimit", "Retry-After")):
            wait = renewed(dict(zip(names, (one, other), strict=True)), resets=resets)
            assert wait is None or 0 <= wait <= 1e9
