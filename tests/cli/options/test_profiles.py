"""Profiles: where values come from, which of them count, and what a file of profiles may not hold."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aioflows import QueryError
from aioflows.cli.app import run
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.options.profiles import ProfileFile

URL = "https://gw.example"
PLAIN = f'[prod]\nurl = "{URL}"\nuser-id = "u"\norg-id = "o"\n'
SCAN = ("scan", "--from", "2024-01-01T00:00Z")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AIOFLOWS_URL", "AIOFLOWS_USER_ID", "AIOFLOWS_ORG_ID", "AIOFLOWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIOFLOWS_CONFIG", str(tmp_path / "config.toml"))
    return tmp_path / "config.toml"


def write(place: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    place.write_text(text)
    place.chmod(mode)
    return {"AIOFLOWS_CONFIG": str(place)}


def options(profile: str = "prod", url: str = URL) -> ConnectionOptions:
    return ConnectionOptions(profile=profile, url=url, user_id="u", org_id="o")


def test_a_profile_gives_what_no_option_gives(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(place, PLAIN.replace(URL, "ftp://from-the-profile"))
    assert run([*SCAN, "--profile", "prod"]) == 2
    assert "ftp://from-the-profile" in capsys.readouterr().err


def test_the_environment_may_name_it(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place, PLAIN + 'server-timezone = "Middle/Earth"\n')
    monkeypatch.setenv("AIOFLOWS_PROFILE", "prod")
    assert run(SCAN) == 2
    assert "Middle/Earth" in capsys.readouterr().err


@pytest.mark.parametrize("by_variable", [False, True])
def test_an_option_and_a_variable_count_more(
    by_variable: bool, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place, PLAIN)
    more = () if by_variable else ("--url", "ftp://mine")
    if by_variable:
        monkeypatch.setenv("AIOFLOWS_URL", "ftp://mine")
    assert run([*SCAN, "--profile", "prod", *more]) == 2
    assert "ftp://mine" in capsys.readouterr().err


def test_limits_may_stand_in_it_and_are_checked_as_options_are(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(place, PLAIN + "page-size = 0\n")
    assert run([*SCAN, "--profile", "prod"]) == 2
    assert "--page-size must be a whole number from 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[other]\n", r"unknown profile 'prod' in .*; known profiles: other"),
        ("[prd]\n", r"did you mean prd\?"),
        ("[prod]\nuserid = 'u'\n", r"unknown key 'userid'; did you mean user-id\?"),
        ("[prod]\nuser_id = 'u'\n", r"did you mean user-id\?"),
        ("[prod]\npage-size = 'many'\n", "page-size must be a whole number"),
        ("[prod]\nallow-http = 1\n", "allow-http must be true or false"),
        ("[prod]\nsecret-key = 'CANARY'\n", "give secret-file, secret-key-env or secret-key-command"),
        ("[prod\n", "is not TOML"),
    ],
)
def test_what_cannot_be_meant_is_refused_without_a_secret(place: Path, text: str, words: str) -> None:
    write(place, text)
    with pytest.raises(QueryError, match=words) as caught:
        ProfileFile(place).profile("prod")
    assert "CANARY" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(place: Path) -> None:
    with pytest.raises(QueryError, match=r"the file of profiles .*config.toml' cannot be read"):
        ProfileFile(place).profile("prod")


class TestKeys:
    def test_variables_hold_them(self, place: Path) -> None:
        text = PLAIN + 'access-key-env = "PROD_KEY"\nsecret-key-env = "PROD_SECRET"\n'
        found = options().resolve(write(place, text) | {"PROD_KEY": "a", "PROD_SECRET": "b"}).auth
        assert found is not None
        assert (found.access_key, found.secret_key) == ("a", "b")

    def test_a_command_prints_the_secret(self, place: Path) -> None:
        program = f'["{sys.executable}", "-S", "-c", "print(\'s3cret\')"]'
        text = PLAIN + f'access-key = "a"\nsecret-key-command = {program}\n'
        found = options().resolve(write(place, text)).auth
        assert found is not None
        assert found.secret_key == "s3cret"

    def test_a_command_that_fails_is_named_without_what_it_printed(self, place: Path) -> None:
        program = f'["{sys.executable}", "-S", "-c", "print(\'CANARY\'); raise SystemExit(3)"]'
        environment = write(place, PLAIN + f'access-key = "a"\nsecret-key-command = {program}\n')
        with pytest.raises(QueryError, match="ended with exit code 3") as caught:
            options().resolve(environment)
        assert "CANARY" not in str(caught.value)

    def test_a_variable_that_is_not_set_is_named(self, place: Path) -> None:
        environment = write(place, PLAIN + 'access-key-env = "PROD_KEY"\n')
        with pytest.raises(QueryError, match="access-key-env names PROD_KEY, which is not set"):
            options().resolve(environment)

    def test_they_are_sent_to_the_service_of_their_profile_only(self, place: Path) -> None:
        """An option that names another service, and forgets the profile, would otherwise use its keys there."""
        environment = write(place, PLAIN + 'access-key = "a"\nsecret-key-env = "S"\n') | {"S": "b"}
        with pytest.raises(QueryError, match="are for the url in that profile"):
            options(url="https://other.example").resolve(environment)

    def test_keys_of_the_environment_count_more(self, place: Path) -> None:
        environment = write(place, PLAIN + 'access-key = "a"\nsecret-key-env = "S"\n')
        found = (
            options()
            .resolve(environment | {"AIOFLOWS_ACCESS_KEY": "mine", "AIOFLOWS_SECRET_KEY": "own"})
            .auth
        )
        assert found is not None
        assert (found.access_key, found.secret_key) == ("mine", "own")

    def test_a_file_with_keys_that_all_users_can_read_is_refused(self, place: Path) -> None:
        write(place, PLAIN + 'access-key = "a"\n', mode=0o644)
        with pytest.raises(QueryError, match=r"can be read by every user of this machine.*chmod 600"):
            ProfileFile(place).profile("prod")

    def test_so_is_a_secret_file_and_its_path_is_relative_to_the_profiles(self, place: Path) -> None:
        write(place, PLAIN + 'secret-file = "key"\n', mode=0o644)
        secret = place.parent / "key"
        secret.write_text("b")
        secret.chmod(0o604)
        with pytest.raises(QueryError, match="key' can be read by every user"):
            ProfileFile(place).profile("prod")
        secret.chmod(0o600)
        assert ProfileFile(place).profile("prod").options["secret-file"] == str(secret)
