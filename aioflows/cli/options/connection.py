"""Which service, and as whom: from options, from the environment, and never a secret from the command line."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from aioflows import AppKey, Event, FlowSession, Limits, QueryError
from aioflows.cli.options import types as flags
from aioflows.cli.output.console import is_terminal

__all__ = ["Connection", "ConnectionOptions"]

_LONGEST_SECRET_FILE = 10_000


@attrs.frozen
class Connection:
    """A service, and who asks it.

    Args:
        url: *scheme and host* of the gateway.
        user_id: the *user* who asks.
        org_id: the *organization*.
        auth: the *keys*; None: the gateway asks for none.
    """

    url: str
    user_id: str
    org_id: str
    auth: AppKey | None = None


@attrs.frozen
class ConnectionOptions:
    """What the options of a command say of the service."""

    url: flags.Url = None
    user_id: flags.UserId = None
    org_id: flags.OrgId = None
    secret_file: flags.SecretFile = None
    server_timezone: flags.ServerZone = None
    first_page: flags.FirstPage = None
    allow_http: flags.AllowHttp = False

    def session(self, limits: Limits, observer: Callable[[Event], None] | None = None) -> FlowSession:
        """Make a session with the service, for which a person at a terminal may be asked for the secret.

        Raises:
            QueryError: something is missing or makes no sense, or two places disagree.
        """
        person = is_terminal(sys.stdin) and is_terminal(sys.stderr)
        service = self.found(os.environ, getpass.getpass if person else None)
        return FlowSession(
            service.url,
            user_id=service.user_id,
            org_id=service.org_id,
            auth=service.auth,
            limits=limits,
            server_timezone=self.server_timezone,
            first_page=self.first_page,
            observer=observer,
            allow_http=self.allow_http,
        )

    def found(self, environment: Mapping[str, str], ask: Callable[[str], str] | None = None) -> Connection:
        """Put together what was given here and there.

        Args:
            environment: the *variables* of the process.
            ask: asks a person for the secret; None: there is nobody to ask.

        Raises:
            QueryError: something is missing, or two places disagree.
        """
        return Connection(
            _needed("--url", self.url, "AIOFLOWS_URL", environment),
            _needed("--user-id", self.user_id, "AIOFLOWS_USER_ID", environment),
            _needed("--org-id", self.org_id, "AIOFLOWS_ORG_ID", environment),
            _keys(environment, self.secret_file, ask),
        )


def _needed(option: str, given: str | None, variable: str, environment: Mapping[str, str]) -> str:
    stated = environment.get(variable) or None
    if given is not None and stated is not None and given != stated:
        # To take one of them would read another service, or as another user, than somebody meant.
        raise QueryError(f"{option} and {variable} say different things; drop one of them")
    value = given if given is not None else stated
    if value is None:
        raise QueryError(f"{option} is missing; give it, or set {variable}")
    return value


def _keys(
    environment: Mapping[str, str], secret_file: Path | None, ask: Callable[[str], str] | None
) -> AppKey | None:
    access, secret = environment.get("AIOFLOWS_ACCESS_KEY"), environment.get("AIOFLOWS_SECRET_KEY")
    if secret_file is not None:
        if secret:
            raise QueryError(
                "--secret-file is given, but AIOFLOWS_SECRET_KEY is set as well; drop one of them"
            )
        secret = _content(secret_file)
    if not access:
        if secret:
            raise QueryError("a secret key is given, but no access key; set AIOFLOWS_ACCESS_KEY")
        return None
    if not secret and ask is not None:
        secret = ask("secret key: ")
    if not secret:
        raise QueryError(
            "AIOFLOWS_ACCESS_KEY is set, but no secret key; set AIOFLOWS_SECRET_KEY or give --secret-file"
        )
    return AppKey(access, secret)


def _content(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_LONGEST_SECRET_FILE).strip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise QueryError(f"--secret-file {str(path)!r} cannot be read: {reason}") from None
