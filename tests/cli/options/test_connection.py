"""Which service and as whom, from options, the environment, files and people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aioflows import Limits, QueryError
from aioflows._net.http import AiohttpTransport
from aioflows._net.http_options import Proxy
from aioflows.cli.commands.scan import resume_command
from aioflows.cli.options.connection import ConnectionOptions
from tests.support.wire import SELF_SIGNED, certified

WHERE = {"AIOFLOWS_URL": "https://gw.example", "AIOFLOWS_USER_ID": "u", "AIOFLOWS_ORG_ID": "o"}
KEYS = {"AIOFLOWS_ACCESS_KEY": "access", "AIOFLOWS_SECRET_KEY": "s3cret-value"}


def test_the_environment_is_enough() -> None:
    service = ConnectionOptions().resolve(WHERE | KEYS)
    assert (service.url, service.user_id, service.org_id) == ("https://gw.example", "u", "o")
    assert service.auth is not None
    assert service.auth.secret_key == "s3cret-value"


def test_options_are_enough() -> None:
    assert ConnectionOptions(url="https://gw.example", user_id="u", org_id="o").resolve({}).auth is None


@pytest.mark.parametrize(
    ("variable", "option"),
    [("AIOFLOWS_URL", "--url"), ("AIOFLOWS_USER_ID", "--user-id"), ("AIOFLOWS_ORG_ID", "--org-id")],
)
def test_what_is_missing_is_named_with_both_ways_to_give_it(variable: str, option: str) -> None:
    environment = {name: value for name, value in WHERE.items() if name != variable}
    with pytest.raises(QueryError, match=f"{option} is missing; add the option, or set {variable}"):
        ConnectionOptions().resolve(environment)


def test_an_empty_variable_is_no_value() -> None:
    with pytest.raises(QueryError, match="--url is missing"):
        ConnectionOptions().resolve(WHERE | {"AIOFLOWS_URL": ""})


def test_an_option_and_a_variable_that_differ_are_refused() -> None:
    with pytest.raises(QueryError, match="--url and AIOFLOWS_URL differ; remove one"):
        ConnectionOptions(url="https://other.example").resolve(WHERE)


def test_an_option_and_a_variable_that_agree_are_fine() -> None:
    assert ConnectionOptions(url="https://gw.example").resolve(WHERE).url == "https://gw.example"


class TestSecret:
    def test_a_file_may_hold_it(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text("from-file\n")
        service = ConnectionOptions(secret_file=file).resolve(WHERE | {"AIOFLOWS_ACCESS_KEY": "access"})
        assert service.auth is not None
        assert service.auth.secret_key == "from-file"

    def test_a_file_and_a_variable_are_one_too_many(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text("from-file\n")
        with pytest.raises(QueryError, match="remove one"):
            ConnectionOptions(secret_file=file).resolve(WHERE | KEYS)

    @pytest.mark.parametrize("content", [None, b"\xff\xfe"])
    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path, content: bytes | None) -> None:
        file = tmp_path / "secret"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(QueryError, match="cannot be read"):
            ConnectionOptions(secret_file=file).resolve(WHERE | {"AIOFLOWS_ACCESS_KEY": "access"})

    def test_a_person_is_asked_for_it(self) -> None:
        service = ConnectionOptions().resolve(
            WHERE | {"AIOFLOWS_ACCESS_KEY": "access"}, ask=lambda _: "typed"
        )
        assert service.auth is not None
        assert service.auth.secret_key == "typed"

    def test_nobody_is_asked_without_an_access_key(self) -> None:
        def ask(_: str) -> str:
            raise AssertionError

        assert ConnectionOptions().resolve(WHERE, ask=ask).auth is None

    def test_an_access_key_alone_is_refused_where_nobody_can_be_asked(self) -> None:
        with pytest.raises(QueryError, match="set AIOFLOWS_SECRET_KEY or give --secret-file"):
            ConnectionOptions().resolve(WHERE | {"AIOFLOWS_ACCESS_KEY": "access"})

    def test_a_secret_alone_is_refused(self) -> None:
        with pytest.raises(QueryError, match="set AIOFLOWS_ACCESS_KEY"):
            ConnectionOptions().resolve(WHERE | {"AIOFLOWS_SECRET_KEY": "s3cret-value"})

    def test_it_is_in_no_repr(self) -> None:
        assert "s3cret" not in repr(ConnectionOptions().resolve(WHERE | KEYS))


class TestHttp:
    def test_the_options_reach_the_session(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        authority, secrets = tmp_path / "ca.pem", tmp_path / "headers"
        certified(tmp_path, SELF_SIGNED)
        (tmp_path / "certificate.pem").rename(authority)
        secrets.write_text("Authorization: Bearer abc\n\nX-Two:2\n")
        session = ConnectionOptions(
            url="https://gw.example",
            user_id="u",
            org_id="o",
            proxy="proxy:3128",
            cacert=authority,
            header=["X-One: 1", f"@{secrets}"],
            timeout=7,
        ).session(Limits())
        transport, caller = session._transport, session._caller
        assert isinstance(transport, AiohttpTransport)
        options = transport._options
        assert options.proxy == Proxy("http://proxy:3128")
        assert options.context is not None
        assert dict(caller._attempts._headers) == {"X-One": "1", "Authorization": "Bearer abc", "X-Two": "2"}
        assert caller._rules.policy.attempt_timeout == 7
        monkeypatch.setenv("HTTPS_PROXY", "http://other:1")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        trusting = ConnectionOptions(url="https://gw.example", user_id="u", org_id="o", trust_env=True)
        http = trusting.session(Limits())._transport
        assert isinstance(http, AiohttpTransport)
        assert http._options.proxy == Proxy("http://other:1")

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"proxy": "http://u:CANARY@proxy:3128"}, "set HTTPS_PROXY to that address and give --trust-env"),
            ({"proxy": "socks5://proxy"}, "SOCKS"),
            ({"header": ["CANARY"]}, "--header has no colon"),
            ({"header": ["X: CANARY", "x: CANARY"]}, "--header has x twice"),
            ({"header": ["Host: CANARY"]}, "aioflows sets it itself"),
            ({"header": ["@/no/such/CANARY-less/file"]}, "cannot be read"),
            ({"cacert": Path("/no/such/file.pem")}, "certificate file '/no/such/file.pem' cannot be read"),
            ({"timeout": 0.0}, "seconds"),
        ],
        ids=str,
    )
    def test_what_makes_no_sense_is_refused_without_a_secret(
        self, options: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(QueryError, match=words) as caught:
            ConnectionOptions(url="https://gw.example", user_id="u", org_id="o", **options).session(Limits())
        assert "CANARY" not in str(caught.value).replace("/no/such/CANARY-less/file", "")

    def test_the_command_that_resumes_shows_no_value_of_a_header(self) -> None:
        shown = resume_command(
            ("scan", "--header", "X: CANARY", "--header=Y: CANARY", "--header", "@file", "-o", "a=b")
        )
        assert shown.endswith("scan --header 'X: ***' '--header=Y: ***' --header @file -o a=b")
