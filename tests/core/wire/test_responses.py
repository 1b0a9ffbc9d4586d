"""Answers: HTTP, the envelope, and the small payloads."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioflows._core.wire.responses import (
    Token,
    decipher,
    not_found,
    read_instance,
    read_time,
    read_timezone,
    read_token,
)
from aioflows._core.wire.search import read_search
from aioflows._core.wire.zone import Zone
from aioflows.errors import (
    AioflowsError,
    AnswerError,
    BadCredentials,
    BrokenBody,
    Denied,
    NotFound,
    ServerFault,
    ServiceError,
    Throttled,
    TokenExpired,
)

SAMPLES = Path(__file__).parents[2] / "samples"
CHINA = Zone.parse("GMT+8")
OK = b'{"code":0,"msg":"OK","data":{}}'


def refused(
    status: int,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    codes: tuple[int, ...] = (),
    now: float | None = None,
) -> AioflowsError:
    with pytest.raises(AioflowsError) as caught:
        decipher(status, headers or {}, body, codes, now)
    return caught.value


class TestEnvelope:
    @pytest.mark.parametrize(
        "body",
        [OK, b'{"status":0,"data":{}}', b'{"stauts":0,"data":{}}', b'{"code":"0","data":{}}',b'{"code":0.0}', b'{"data":{}}',
         b'{"code":0,"status":0,"data":{}}', b'{"code":0,"status":"0"}', b'{"code":0,"status":"OK"}', b"\xef\xbb\xbf" + OK],
    )  # fmt: skip
    def test_every_dialect_can_say_yes(self, body: bytes) -> None:
        assert decipher(200, {}, body) == body

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (62101, Denied), (62103, Denied), (62109, ServerFault), (1005, ServerFault), (1002, BadCredentials),
            (1003, BadCredentials), (1203, TokenExpired), (62102, ServiceError), (1001, ServiceError), (1004, ServiceError),
            (1202, ServiceError), (1204, ServiceError), (-7, ServiceError), (429, ServiceError),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize(
        "form", ['{"code":%d,"msg":"m"}', '{"status":%d,"msg":"m"}', '{"code":"%d","message":"m"}']
    )
    def test_every_code_has_its_error(self, code: int, kind: type[ServiceError], form: str) -> None:
        error = refused(200, (form % code).encode())
        assert type(error) is kind
        assert isinstance(error, ServiceError)
        assert (error.code, error.message) == (code, "m")

    def test_a_throttle_code_beside_an_empty_list_counts(self) -> None:
        body = b'{"code":429,"msg":"slow down","data":{"flowInsts":[],"count":0}}'
        assert type(refused(200, body, codes=(429,))) is Throttled

    @pytest.mark.parametrize("status", [b"200", b'"OK"', b"null"])
    def test_any_other_apim_status_says_nothing(self, status: bytes) -> None:
        body = b'{"apim_status":%b,"code":0,"data":{}}' % status
        assert decipher(200, {}, body) == body

    @pytest.mark.parametrize("code", [4011, 4012])
    def test_apim_status_says_that_the_token_expired(self, code: int) -> None:
        assert type(refused(200, b'{"apim_status":%d,"code":0,"data":{}}' % code)) is TokenExpired

    def test_a_throttle_code_is_one_because_the_user_says_so(self) -> None:
        assert type(refused(200, b'{"code":62109}', codes=(62109,))) is Throttled

    @pytest.mark.parametrize(
        "body", [b'{"code":0,"status":62109}', b'{"code":62109,"status":0}', b'{"code":1,"status":"2"}']
    )
    def test_two_codes_that_differ_are_refused(self, body: bytes) -> None:
        assert "contradict" in str(refused(200, body))

    @pytest.mark.parametrize("body", [b"", b"{", b'{"code":0', b" \n"])
    def test_one_that_ends_early_is_a_broken_body(self, body: bytes) -> None:
        assert type(refused(200, body)) is BrokenBody

    @pytest.mark.parametrize(
        "body", [b"<html>login</html>", b"hello", b"[]", b"null", b'{"code":0,"code":0}', b'{"code":[]}']
    )
    def test_what_is_no_envelope_is_no_answer(self, body: bytes) -> None:
        assert type(refused(200, body)) is AnswerError

    def test_words_are_made_printable_and_short(self) -> None:
        error = refused(
            200, json.dumps({"code": 7, "msg": "one\x1b[31m\ntwo\u202e " + "x y " * 500}).encode()
        )
        assert isinstance(error, ServiceError)
        assert error.message.isprintable()
        assert error.message.startswith("one [31m two x y")
        assert len(error.message) == 200

    @pytest.mark.parametrize(
        "said",
        ["accessToken=SECRET123", 'token: "SECRET123"', "appSecret : SECRET123", '{"sign":"SECRET123"}', "SECRET123" * 6,
         "apim-accesstoken:SECRET123&x", "signature='SECRET123'"],
    )  # fmt: skip
    def test_what_may_be_secret_is_cut_out_of_them(self, said: str) -> None:
        assert "SECRET" not in str(refused(200, json.dumps({"code": 7, "msg": f"bad {said}"}).encode()))
        assert "SECRET" not in str(refused(400, said.encode()))

    def test_what_is_said_about_a_token_is_not(self) -> None:
        assert "access token expired" in str(refused(200, b'{"code":1203,"msg":"access token expired"}'))


class TestHttp:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, ServiceError), (401, TokenExpired), (403, TokenExpired), (404, ServiceError), (405, ServiceError),
            (407, ServiceError), (408, ServerFault), (413, ServiceError), (422, ServiceError), (429, Throttled),
            (500, ServerFault), (501, ServiceError), (502, ServerFault), (503, ServerFault), (504, ServerFault), (520, ServerFault),
            (201, AnswerError), (206, AnswerError), (304, AnswerError), (100, AnswerError),
            (600, AnswerError), (0, AnswerError),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize(
        "body", [b"", OK, b"<html>no</html>", b"\xff\xfe", b'{"status":%d,"error":"Spring"}']
    )
    def test_every_status_has_its_error(self, status: int, kind: type[AioflowsError], body: bytes) -> None:
        error = refused(status, body.replace(b"%d", b"%d" % status))
        assert type(error) is kind
        assert str(status) in str(error)

    def test_no_content_is_a_yes_that_holds_nothing(self) -> None:
        """RFC 9110, section 15.3.5: a search has found nothing; where data is due, it is missed."""
        body = decipher(204, {}, b"")
        assert len(read_search(body)) == 0
        with pytest.raises(AnswerError, match="no data"):
            read_timezone(body)

    @pytest.mark.parametrize("body", [OK, b"<html>"])
    def test_no_content_that_has_a_body_is_no_answer(self, body: bytes) -> None:
        assert type(refused(204, body)) is AnswerError

    def test_the_body_is_quoted_in_part(self) -> None:
        error = refused(400, b"<h1>Bad\x00 Request</h1> token=abcdefgh " + b"x " * 5000)
        assert isinstance(error, ServiceError)
        assert error.message.startswith("<h1>Bad Request</h1> token=*** x x")
        assert len(error.message) == 200

    def test_a_code_that_is_known_outweighs_the_status(self) -> None:
        for status in (400, 401, 500, 429):
            error = refused(status, b'{"code":62103,"msg":"no privilege"}')
            assert type(error) is Denied
            assert error.code == 62103

    def test_a_code_that_is_not_known_is_kept_under_the_status_s_error(self) -> None:
        error = refused(502, b'{"code":99999,"msg":"upstream"}')
        assert isinstance(error, ServerFault)
        assert (error.code, error.message) == (99999, "upstream")

    @pytest.mark.parametrize(("status", "code"), [(429, 62109), (503, 1005), (503, 99999), (500, 33)])
    def test_too_many_requests_with_a_code_is_still_that(self, status: int, code: int) -> None:
        error = refused(status, b'{"code":%d}' % code, {"Retry-After": "3"}, (33,))
        assert isinstance(error, Throttled)
        assert (error.code, error.retry_after) == (code, 3.0)

    def test_an_overload_that_names_a_wait_is_too_many_requests(self) -> None:
        error = refused(503, headers={"Retry-After": "7"})
        assert isinstance(error, Throttled)
        assert error.retry_after == 7.0

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 420, 425, 430, 500, 501, 502, 504, 529])
    @pytest.mark.parametrize(
        "headers",
        [
            {"Retry-After": "7"},
            {"Retry-After": "7.0"},
            {"Retry-After-Ms": "7000"},
            {"X-RateLimit-Reset": "1700000007", "X-RateLimit-Remaining": "0"},
            {"RateLimit": '"default";r=0;t=7'},
        ],
        ids=repr,
    )
    def test_any_refusal_that_asks_to_wait_is_too_many_requests(
        self, status: int, headers: dict[str, str]
    ) -> None:
        error = refused(status, b"API rate limit exceeded", headers, now=1_700_000_000.0)
        assert isinstance(error, Throttled)
        assert (error.code, error.retry_after) == (status, 7.0)

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, ServiceError),
            (401, TokenExpired),
            (403, TokenExpired),
            (404, ServiceError),
            (500, ServerFault),
        ],
    )
    def test_a_quota_that_is_not_used_up_changes_no_refusal(
        self, status: int, kind: type[ServiceError]
    ) -> None:
        headers = {"X-RateLimit-Remaining": "57", "X-RateLimit-Reset": "1700000007"}
        assert type(refused(status, headers=headers, now=1_700_000_000.0)) is kind

    @pytest.mark.parametrize(
        ("code", "kind"),
        [(62101, Denied), (62103, Denied), (1002, BadCredentials), (1203, TokenExpired)],
    )
    @pytest.mark.parametrize("status", [400, 401, 403, 500, 503])
    def test_a_code_about_the_request_outweighs_a_stray_header(
        self, status: int, code: int, kind: type[ServiceError]
    ) -> None:
        error = refused(status, b'{"code":%d,"msg":"m"}' % code, {"Retry-After": "7"})
        assert type(error) is kind

    @pytest.mark.parametrize("code", [62102, 1004, 1202])
    def test_so_does_one_that_says_what_was_wrong_with_it(self, code: int) -> None:
        assert type(refused(400, b'{"code":%d,"msg":"m"}' % code, {"Retry-After": "7"})) is ServiceError

    def test_a_throttle_code_takes_its_wait_from_the_headers_as_well(self) -> None:
        error = refused(200, b'{"code":429,"msg":"slow down"}', {"Retry-After": "7"}, (429,))
        assert isinstance(error, Throttled)
        assert error.retry_after == 7.0

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize(
        ("location", "named"),
        [
            (
                "https://user:pw@sso.example.com:8443/login?token=SECRET#x",
                " to https://sso.example.com:8443 is refused",
            ),
            ("/login?token=SECRET", "a redirect is refused"),
            ("//evil.example.com/SECRET", "a redirect is refused"),
            ("http://[SECRET", "a redirect is refused"),
            ("https://a:SECRET/", "a redirect is refused"),
            ("", "a redirect is refused"),
        ],
    )
    def test_a_redirect_is_refused_and_no_more_than_its_origin_named(
        self, status: int, location: str, named: str
    ) -> None:
        error = refused(status, headers={"Location": location})
        assert type(error) is AnswerError
        assert named in str(error)
        assert "SECRET" not in str(error)
        assert "pw" not in str(error)

    @given(st.integers(0, 700), st.binary(max_size=50), st.text(max_size=20), st.text(max_size=20))
    @settings(max_examples=300, deadline=None)
    def test_only_errors_of_this_library_come_of_anything(
        self, status: int, body: bytes, wait: str, date: str
    ) -> None:
        headers = {"Retry-After": wait, "Date": date, "Location": wait}
        with contextlib.suppress(AioflowsError):
            assert decipher(status, headers, body, (), 0.0) is body


class TestInstance:
    ROW = json.loads((SAMPLES / "list-flow-instances.answer.json").read_bytes())["data"]["flowInsts"][0]

    def test_one_reads_as_it_does_in_a_list(self) -> None:
        instance = read_instance(json.dumps({"code": 0, "data": self.ROW | {"new": 1}}).encode(), CHINA)
        assert instance.instance_id == "2809-20190812080700"
        assert instance.trigger_time == datetime(2019, 8, 12, 0, 7, 22, tzinfo=UTC)
        assert instance.extra == {"new": 1}

    @pytest.mark.parametrize(
        ("data", "path"),
        [([1], "$.data"), ("x", "$.data"), ({"a": 1}, "$.data.instanceId"), ({"instanceId": "", "flowId": 1}, "$.data.instanceId"),
         ({"instanceId": "a"}, "$.data.triggerTime"), ({"instanceId": "a", "triggerTime": 5}, "$.data.triggerTime"),
         ({"instanceId": [1], "triggerTime": "2024-01-01 00:00:00"}, "$.data.instanceId"),
         ({"instanceId": "a", "triggerTime": "2024-01-01 00:00:00", "owner": {}}, "$.data.owner")],
    )  # fmt: skip
    def test_it_says_where_it_cannot_be_read(self, data: object, path: str) -> None:
        with pytest.raises(AnswerError) as caught:
            read_instance(json.dumps({"code": 0, "data": data}).encode(), CHINA)
        assert caught.value.path == path

    @pytest.mark.parametrize(
        "body",
        [
            '{"code":0}',
            '{"code":0,"data":null}',
            '{"code":0,"data":{}}',
            '{"code":0,"data":[]}',
            '{"code":0,"data":{"instanceId":null,"flowId":null}}',
            '{"code":0,"data":{"flowInsts":[],"count":0}}',
        ],
    )
    def test_an_answer_without_an_instance_means_that_there_is_none(self, body: str) -> None:
        with pytest.raises(NotFound):
            read_instance(body.encode(), CHINA)

    @pytest.mark.parametrize(
        ("error", "found"),
        [
            (ServiceError(62104, "x"), False),
            (ServiceError(404, "<html>"), False),
            (ServiceError(62199, "flow instance 5 does not exist"), False),
            (ServiceError(7, "Instance Not Found"), False),
            (ServiceError(1004, "parameter is not legal"), True),
            (Denied(62101, "userId does not exist"), True),
            (ServerFault(62109, "row not found"), True),
        ],
        ids=str,
    )
    def test_a_refusal_of_the_id_is_told_from_others(self, error: ServiceError, found: bool) -> None:
        assert (not_found(error, "https://enos.test") is None) == found


class TestTime:
    def test_the_documented_answer_names_the_zone(self) -> None:
        assert read_timezone((SAMPLES / "get-timezone.answer.json").read_bytes()) == "GMT+8"

    @pytest.mark.parametrize("data", [None, {}, {"timezone": None}, {"timezone": " "}, 8, []])
    def test_a_zone_that_is_none_is_refused(self, data: object) -> None:
        with pytest.raises(AnswerError):
            read_timezone(json.dumps({"code": 0, "data": data}).encode())

    @pytest.mark.parametrize("data", [1573648355000, "1573648355000"])
    def test_the_time_is_milliseconds(self, data: object) -> None:
        assert read_time(json.dumps({"code": 0, "data": data}).encode()) == 1573648355000

    @pytest.mark.parametrize("data", [None, True, -1, 1.5, "now", "²", 10**13, {}])
    def test_a_time_that_is_none_is_refused(self, data: object) -> None:
        with pytest.raises(AnswerError):
            read_time(json.dumps({"code": 0, "data": data}).encode())


class TestToken:
    def test_the_vendor_s_misspelt_answer_is_read(self) -> None:
        token = read_token((SAMPLES / "get-token.answer.json").read_bytes())
        assert token == Token("x5TUVy3dpRFvQZuLLXgsXA", 7200.0)

    def test_its_repr_does_not_show_it(self) -> None:
        assert repr(Token("secret", 7200.0)) == "Token(expire_seconds=7200.0)"

    @pytest.mark.parametrize(
        ("expire", "seconds"),
        [(7200, 7200.0), ("7200", 7200.0), (0, 0.0), (-5, 0.0), ("never", 0.0), (None, 0.0), (True, 0.0), ([], 0.0),
         (10**30, 2_592_000.0), ("nan", 0.0), ("inf", 0.0), ("9" * 500, 0.0)],
    )  # fmt: skip
    def test_its_life_is_between_nothing_and_a_month(self, expire: object, seconds: float) -> None:
        body = json.dumps({"status": 0, "data": {"accessToken": "a", "expire": expire}}).encode()
        assert read_token(body).expire_seconds == seconds

    @pytest.mark.parametrize(
        "data", [None, {}, [], {"accessToken": None}, {"accessToken": ""}, {"accessToken": "SECRET\n"}]
    )
    def test_an_answer_without_one_is_refused_without_showing_it(self, data: object) -> None:
        with pytest.raises(AnswerError) as caught:
            read_token(json.dumps({"status": 0, "data": data}).encode())
        assert "SECRET" not in str(caught.value)

    def test_a_refusal_is_raised_as_one(self) -> None:
        with pytest.raises(BadCredentials):
            read_token(b'{"status":1002,"msg":"appKey does not exist"}')
