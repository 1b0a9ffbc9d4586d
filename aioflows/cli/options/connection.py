"""The service and its credentials, from options and environment variables.

1. A key or a password is never read from an option: other users of the machine can see the command lines of
   processes. Headers may come from a file for that reason.
2. An option and an environment variable that differ are an error. Choosing one might read the wrong service.
3. An option and a variable each replace the value of a profile. But the keys of a profile go to its own service
   only.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from aioflows.cli.options import flags
from aioflows.cli.options.parsing import headers, read_text
from aioflows.cli.options.profiles import ProfileFile
from aioflows.cli.output.console import is_terminal
from aioflows.errors import QueryError

if TYPE_CHECKING:
    from aioflows import AppKey, Event, FlowSession, Limits, RetryPolicy, Transport

__all__ = ["Connection", "ConnectionOptions"]

_LONGEST_SECRET_FILE = 10_000


@attrs.frozen
class Connection:
    """A service and the credentials for it.

    Args:
        url: scheme and host of the API gateway.
        user_id: user that sends the requests.
        org_id: organization of the user.
        auth: access key and secret key. Default: None, for a gateway without keys.
    """

    url: str
    user_id: str
    org_id: str
    auth: AppKey | None = None


@attrs.frozen
class ConnectionOptions:
    """The options that select the service and the user."""

    profile: flags.ProfileName = None
    url: flags.Url = None
    user_id: flags.UserId = None
    org_id: flags.OrgId = None
    secret_file: flags.SecretFile = None
    server_timezone: flags.ServerTimezone = None
    other_timezone: flags.OtherTimezone = None
    first_page: flags.FirstPage = None
    allow_http: flags.AllowHttp = False
    proxy: flags.Proxy = None
    trust_env: flags.TrustEnv = False
    cacert: flags.CaCert = None
    header: flags.Header = None
    timeout: flags.Timeout = None
    typed: list[str] = attrs.field(factory=list, init=False, repr=False, eq=False)
    """The secret key that a user typed, so that a second session of the command does not ask for it again."""

    @property
    def resolved(self) -> Connection:
        """The connection that the options and this process's environment describe."""
        interactive = is_terminal(sys.stdin) and is_terminal(sys.stderr)
        return self.resolve(os.environ, self._ask if interactive else None)

    def _ask(self, prompt: str) -> str:
        if not self.typed:
            self.typed.append(getpass.getpass(prompt))
        return self.typed[0]

    def session(
        self,
        limits: Limits,
        observer: Callable[[Event], None] | None = None,
        *,
        retry: RetryPolicy | None = None,
        transport: Transport | None = None,
        zone: tzinfo | None = None,
    ) -> FlowSession:
        """Return a session with the service. On a terminal, ask for a secret key that is missing.

        Args:
            limits: limits of the session.
            observer: called with each event of the session. Default: None.
            retry: rules for retries. Default: None, those of the library.
            transport: sends the requests, instead of one with these options. Default: None.
            zone: zone of the service, instead of that of the options. Default: None.

        Raises:
            QueryError: an option is missing or invalid, or an option and a variable differ.
        """
        from aioflows import FlowSession, RetryPolicy

        if self.proxy is not None and "@" in self.proxy:
            raise QueryError(
                "--proxy holds a user or a password, which other users of this machine can see; set HTTPS_PROXY "
                "to that address and give --trust-env"
            )
        service = self.resolved
        return FlowSession(
            service.url,
            user_id=service.user_id,
            org_id=service.org_id,
            auth=service.auth,
            limits=limits,
            server_timezone=self.server_timezone if zone is None else zone,
            other_timezone=self.other_timezone,
            first_page=self.first_page,
            observer=observer,
            allow_http=self.allow_http,
            http=transport,
            proxy=self.proxy if transport is None else None,
            trust_env=self.trust_env and transport is None,
            ssl=self.cacert if transport is None else None,
            retry=RetryPolicy() if retry is None else retry,
            headers=headers(self.header),
            timeout=self.timeout,
        )

    def resolve(self, environment: Mapping[str, str], ask: Callable[[str], str] | None = None) -> Connection:
        """Return the connection that the options and the environment describe.

        Args:
            environment: environment variables.
            ask: asks the user for the secret key. Default: None, a missing secret key is an error.

        Raises:
            QueryError: an option is missing, or an option and a variable differ.
        """
        url = _required("--url", self.url, "AIOFLOWS_URL", environment)
        return Connection(
            url,
            _required("--user-id", self.user_id, "AIOFLOWS_USER_ID", environment),
            _required("--org-id", self.org_id, "AIOFLOWS_ORG_ID", environment),
            _read_keys(self._with_profile(url, environment), self.secret_file, ask),
        )

    def _with_profile(self, url: str, environment: Mapping[str, str]) -> Mapping[str, str]:
        """Return the environment with the keys of the profile, where it has no others.

        Raises:
            QueryError: the profile has keys, but *url* is not its own.
        """
        own = [environment.get(name) for name in ("AIOFLOWS_ACCESS_KEY", "AIOFLOWS_SECRET_KEY")]
        if self.profile is None or all(own):
            return environment
        stored = ProfileFile.of(environment).profile(self.profile)
        if stored.has_secrets and stored.options.get("url") != url:
            raise QueryError(
                f"the keys of profile {self.profile} are for the url in that profile, not for another one; set "
                "AIOFLOWS_ACCESS_KEY and AIOFLOWS_SECRET_KEY, or add a profile for that url"
            )
        if own[0]:
            return environment
        keys = {"AIOFLOWS_ACCESS_KEY": stored.access_key(environment)}
        if not environment.get("AIOFLOWS_SECRET_KEY") and self.secret_file is None:
            keys["AIOFLOWS_SECRET_KEY"] = stored.secret_key(environment)
        return {**environment, **{name: key for name, key in keys.items() if key is not None}}


def _required(option: str, given: str | None, variable: str, environment: Mapping[str, str]) -> str:
    from_environment = environment.get(variable) or None
    if given is not None and from_environment is not None and given != from_environment:
        raise QueryError(f"{option} and {variable} differ; remove one")
    value = given if given is not None else from_environment
    if value is None:
        raise QueryError(f"{option} is missing; add the option, or set {variable}")
    return value


def _read_keys(
    environment: Mapping[str, str], secret_file: Path | None, ask: Callable[[str], str] | None
) -> AppKey | None:
    from aioflows import AppKey

    access, secret = environment.get("AIOFLOWS_ACCESS_KEY"), environment.get("AIOFLOWS_SECRET_KEY")
    if secret_file is not None:
        if secret:
            raise QueryError("--secret-file and AIOFLOWS_SECRET_KEY cannot be used together; remove one")
        secret = read_text("--secret-file", secret_file, _LONGEST_SECRET_FILE).strip("\r\n")
    if not access:
        if secret:
            raise QueryError("a secret key was given without an access key; set AIOFLOWS_ACCESS_KEY")
        return None
    if not secret and ask is not None:
        secret = ask("secret key: ")
    if not secret:
        raise QueryError(
            "the secret key for AIOFLOWS_ACCESS_KEY is missing; set AIOFLOWS_SECRET_KEY or give --secret-file"
        )
    return AppKey(access, secret)
