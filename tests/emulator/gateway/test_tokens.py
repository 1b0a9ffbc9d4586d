"""Tokens, signatures and throttling, judged by the vendor's worked example and by hashlib."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from aioflows.emulator import Emulator, Reply
from aioflows.emulator.gateway.tokens import signature
from aioflows.errors import QueryError
from tests.support.asking import BASE, JSON, NOW, USER, search_body, search_reply

KEY, SECRET = "5acb82e7-a11e-4300-9164-c8b20b638e8b", "s3cret"
GET_PATH, REFRESH_PATH = "/apim-token-service/v2.0/token/get", "/apim-token-service/v2.0/token/refresh"


def guarded(**switches: object) -> Emulator:
    return Emulator(50, schedule_types=[1], app_key=KEY, app_secret=SECRET, **switches)  # type: ignore[arg-type]


def token_answer(emulator: Emulator, now_ms: int = NOW, path: str = GET_PATH, **changes: Any) -> Any:
    stamp = changes.get("timestamp", now_ms)
    encryption = hashlib.sha256(f"{changes.get('appKey', KEY)}{stamp}{SECRET}".encode()).hexdigest()
    asked = {"appKey": KEY, "encryption": encryption, "timestamp": stamp, **changes}
    return json.loads(
        emulator.respond("POST", path, (), JSON, json.dumps(asked).encode(), now_ms=now_ms).body
    )


def token(emulator: Emulator, now_ms: int = NOW) -> str:
    text: str = token_answer(emulator, now_ms)["data"]["accessToken"]
    return text


def signed(
    emulator: Emulator, access_token: str, now_ms: int = NOW, *, stamp: str | None = None, sign: str = ""
) -> Reply:
    """A search, signed as the documentation says, by other means than the emulator's."""
    body = json.dumps(search_body(emulator), ensure_ascii=False).encode()
    query = [("userId", "u"), ("action", "search"), ("orgId", "o")]
    stamp = str(now_ms) if stamp is None else stamp
    text = f"{access_token}actionsearchorgIdouserIdu".encode() + body + f"{stamp}{SECRET}".encode()
    headers = {
        "apim-accesstoken": access_token,
        "apim-timestamp": stamp,
        "apim-signature": sign or hashlib.sha256(text).hexdigest(),
        **JSON,
    }
    return emulator.respond("POST", f"{BASE}/flowInstances", query, headers, body, now_ms=now_ms)


def code(reply: Reply) -> int:
    found: int = json.loads(reply.body)["code"]
    return found


class TestSignature:
    def test_the_vendors_worked_example(self) -> None:
        body = '{\n  "count": 20,\n  "page": 1,\n  "desc": "描述"\n}'.encode()
        query = [("k3", "v3"), ("k1", "v1"), ("k2", "v2")]
        assert signature("xxxxaaaxxxx", query, body, "1572574909697", "xxxappSecretxxx") == (
            "59828328f6c1f9771015dc74e4929ae30f518a35a3d2353972c2ea46556fc981"
        )

    def test_a_request_that_is_signed_so_passes(self) -> None:
        with guarded() as emulator:
            assert code(signed(emulator, token(emulator))) == 0

    def test_one_that_is_not_signed_does_not(self) -> None:
        with guarded() as emulator:
            assert code(search_reply(emulator)) == 1202

    def test_another_signature_does_not_pass(self) -> None:
        with guarded() as emulator:
            access = token(emulator)
            assert code(signed(emulator, access, sign="0" * 64)) == 1003

    def test_upper_case_is_another_signature(self) -> None:
        with guarded() as emulator:
            access = token(emulator)
            text = signature(access, [("action", "getTimeZone")], b"", str(NOW), SECRET).upper()
            headers = {"apim-accesstoken": access, "apim-timestamp": str(NOW), "apim-signature": text}
            reply = emulator.respond("GET", f"{BASE}/time", [("action", "getTimeZone")], headers, now_ms=NOW)
            assert code(reply) == 1003

    def test_values_count_as_they_are_before_percent_encoding(self) -> None:
        with guarded() as emulator:
            access = token(emulator)
            query = [("flowInstId", "a b/ü+%"), ("action", "get"), *USER]
            text = f"{access}actiongetflowInstIda b/ü+%orgIdouserIdu{NOW}{SECRET}".encode()
            headers = {
                "apim-accesstoken": access,
                "apim-timestamp": str(NOW),
                "apim-signature": hashlib.sha256(text).hexdigest(),
            }
            reply = emulator.respond("GET", f"{BASE}/flowInstances", query, headers, now_ms=NOW)
            assert code(reply) == 62104

    def test_a_timestamp_far_from_the_servers_time_is_refused(self) -> None:
        with guarded(skew_tolerance=300) as emulator:
            access = token(emulator)
            assert code(signed(emulator, access, stamp=str(NOW - 300_000))) == 0
            assert code(signed(emulator, access, stamp=str(NOW - 300_001))) == 1004
            assert code(signed(emulator, access, stamp=str(NOW + 300_001))) == 1004

    def test_the_servers_clock_counts_not_ours(self) -> None:
        with guarded(clock_skew=3600, skew_code=1003) as emulator:
            theirs = NOW + 3_600_000
            access = token_answer(emulator, NOW, timestamp=theirs)["data"]["accessToken"]
            assert code(signed(emulator, access)) == 1003
            assert code(signed(emulator, access, stamp=str(theirs))) == 0

    @pytest.mark.parametrize("stamp", ["", "soon", "²", "-5"])
    def test_a_timestamp_is_digits(self, stamp: str) -> None:
        with guarded() as emulator:
            assert code(signed(emulator, token(emulator), stamp=stamp)) in (1004, 1202)

    def test_a_made_up_token_is_refused(self) -> None:
        with guarded() as emulator:
            assert code(signed(emulator, "made-up")) == 1004


class TestTokens:
    def test_a_token_is_answered_as_documented(self) -> None:
        with guarded() as emulator:
            answer = token_answer(emulator)
            assert {name: answer[name] for name in ("status", "msg", "business")} == {
                "status": 0,
                "msg": "SUCCESS",
                "business": "apim-token-service",
            }
            assert answer["data"]["expire"] == 7200
            assert len(answer["data"]["accessToken"]) == 32

    def test_the_status_may_be_misspelt_as_in_the_vendors_example(self) -> None:
        with guarded(misspelt_status=True) as emulator:
            assert next(iter(token_answer(emulator))) == "stauts"

    def test_asking_again_gives_the_same_token_while_it_lives(self) -> None:
        with guarded(token_seconds=60) as emulator:
            first = token_answer(emulator, NOW)["data"]
            again = token_answer(emulator, NOW + 59_999)["data"]
            later = token_answer(emulator, NOW + 60_000)["data"]
            assert again == {"accessToken": first["accessToken"], "expire": 0}
            assert later["accessToken"] != first["accessToken"]

    def test_the_same_encryption_twice_is_refused(self) -> None:
        with guarded() as emulator:
            assert token_answer(emulator)["status"] == 0
            assert token_answer(emulator)["status"] == 1001

    def test_unless_the_gateway_does_not_mind(self) -> None:
        with guarded(refuse_repeats=False) as emulator:
            assert token(emulator) == token(emulator)

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({"appKey": "unknown"}, 1002),
            ({"encryption": "0" * 64}, 1003),
            ({"encryption": None}, 1202),
            ({"appKey": ""}, 1202),
            ({"timestamp": "soon"}, 1004),
            ({"timestamp": True}, 1004),
            ({"timestamp": NOW - 700_000}, 1004),
            ({"appKey": 5}, 1004),
        ],
    )
    def test_what_is_wrong_is_refused_with_its_code(self, changes: dict[str, Any], status: int) -> None:
        with guarded() as emulator:
            answer = token_answer(emulator, **changes)
            assert (answer["status"], answer["data"]) == (status, None)

    def test_a_timestamp_may_be_text(self) -> None:
        with guarded() as emulator:
            assert token_answer(emulator, timestamp=str(NOW))["status"] == 0

    def test_refreshing_gives_another_token_and_ends_the_first(self) -> None:
        with guarded() as emulator:
            first = token(emulator)
            second = token_answer(emulator, NOW + 1, REFRESH_PATH, accessToken=first)["data"]["accessToken"]
            assert second != first
            assert code(signed(emulator, first)) == 1203
            assert code(signed(emulator, second)) == 0

    def test_refreshing_what_does_not_live_fails(self) -> None:
        with guarded() as emulator:
            assert token_answer(emulator, path=REFRESH_PATH, accessToken="dead")["status"] == 1204

    def test_the_expire_may_be_a_lie(self) -> None:
        with guarded(claimed_expire="7200") as emulator:
            assert token_answer(emulator)["data"]["expire"] == "7200"


class TestExpiry:
    def test_a_token_dies_of_age(self) -> None:
        with guarded(token_seconds=5) as emulator:
            access = token(emulator)
            assert code(signed(emulator, access, NOW + 4_999)) == 0
            assert code(signed(emulator, access, NOW + 5_000)) == 1203

    def test_a_token_dies_of_use(self) -> None:
        with guarded(token_uses=2) as emulator:
            access = token(emulator)
            assert [code(signed(emulator, access)) for _ in range(3)] == [0, 0, 1203]
            assert token(emulator, NOW + 1) != access

    def test_a_test_can_kill_it(self) -> None:
        with guarded() as emulator:
            access = token(emulator)
            emulator.expire_tokens()
            assert code(signed(emulator, access)) == 1203

    @pytest.mark.parametrize("said", ["4011", "4012"])
    def test_it_may_be_told_as_the_vendors_sdk_expects(self, said: str) -> None:
        with guarded(token_uses=0, expired=said) as emulator:
            reply = signed(emulator, token(emulator))
            assert (reply.status, json.loads(reply.body)["apim_status"]) == (200, int(said))

    def test_it_may_be_told_by_http(self) -> None:
        with guarded(token_uses=0, expired="401") as emulator:
            assert signed(emulator, token(emulator)).status == 401


class TestThrottling:
    def test_a_bucket_lets_a_burst_pass_and_then_a_rate(self) -> None:
        with Emulator(10, rate=2, burst=3) as emulator:
            found = [search_reply(emulator, now_ms=NOW).status for _ in range(4)]
            assert found == [200, 200, 200, 429]
            assert search_reply(emulator, now_ms=NOW + 499).status == 429
            assert search_reply(emulator, now_ms=NOW + 500).status == 200
            assert search_reply(emulator, now_ms=NOW + 501).status == 429

    def refused(self, **switches: object) -> Reply:
        with Emulator(10, rate=0.4, **switches) as emulator:  # type: ignore[arg-type]
            search_reply(emulator)
            return search_reply(emulator)

    @pytest.mark.parametrize(("guise", "status"), [("429", 429), ("503", 503)])
    def test_it_may_be_told_without_a_word(self, guise: str, status: int) -> None:
        reply = self.refused(throttle=guise)
        assert reply.status == status
        assert "Retry-After" not in reply.headers

    @pytest.mark.parametrize(("guise", "status"), [("429-seconds", 429), ("503-seconds", 503)])
    def test_or_with_whole_seconds(self, guise: str, status: int) -> None:
        reply = self.refused(throttle=guise)
        assert (reply.status, reply.headers["Retry-After"]) == (status, "3")

    @pytest.mark.parametrize(
        ("form", "text"),
        [
            ("date", "Wed, 01 Jan 2025 02:53:23 GMT"),
            ("rfc850", "Wednesday, 01-Jan-25 02:53:23 GMT"),
            ("asctime", "Wed Jan  1 02:53:23 2025"),
        ],
    )
    def test_or_with_a_date_in_each_form(self, form: str, text: str) -> None:
        said = self.refused(throttle=f"429-{form}").headers["Retry-After"]
        date = parsedate_to_datetime(said)
        assert said == text
        assert (date if date.tzinfo else date.replace(tzinfo=UTC)) == datetime.fromtimestamp(
            NOW / 1000 + 3, UTC
        )

    def test_or_in_the_envelope(self) -> None:
        reply = self.refused(throttle="envelope", throttle_code=4290)
        assert (reply.status, code(reply)) == (200, 4290)

    @pytest.mark.parametrize(
        ("guise", "headers"),
        [
            ("403-seconds", {"Retry-After": "3"}),
            ("403-decimals", {"Retry-After": "2.500"}),
            ("425-ms", {"Retry-After-Ms": "2500"}),
            ("429-reset", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(NOW // 1000 + 3)}),
            ("429-reset-ms", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(NOW + 2_500)}),
            ("500-reset-delta", {"RateLimit-Remaining": "0", "RateLimit-Reset": "3"}),
            ("430-reset-after", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "2.500"}),
            ("420-reset-list", {"RateLimit": '"default";r=0;t=3'}),
        ],
    )
    def test_or_by_any_status_with_any_header(self, guise: str, headers: dict[str, str]) -> None:
        reply = self.refused(throttle=guise)
        assert reply.status == int(guise[:3])
        assert headers.items() <= reply.headers.items()

    @pytest.mark.parametrize("guise", ["close", "reset"])
    def test_or_without_any_answer(self, guise: str) -> None:
        assert self.refused(throttle=guise).wire == guise

    @pytest.mark.parametrize("guise", ["", "200", "429-soon", "close-seconds", "429-", None])
    def test_another_guise_is_refused(self, guise: object) -> None:
        with pytest.raises(QueryError, match="throttle must be one of"):
            Emulator(5, throttle=guise)

    @pytest.mark.parametrize(("count_refused", "answered"), [(False, 12), (True, 3)])
    def test_what_is_refused_may_count_as_well(self, count_refused: bool, answered: int) -> None:
        with Emulator(10, rate=2, burst=3, throttle="429", count_refused=count_refused) as emulator:
            found = [search_reply(emulator, now_ms=NOW + 100 * n).status for n in range(50)]
            assert found.count(200) == answered
            assert search_reply(emulator, now_ms=NOW + 100_000).status == 200

    def test_requests_within_a_named_wait_are_counted(self) -> None:
        with Emulator(10, rate=1) as emulator:
            for at in (0, 10, 20, 1_500):
                search_reply(emulator, now_ms=NOW + at)
            assert emulator.requests == {"search": 4, "throttled": 2, "early": 1}
