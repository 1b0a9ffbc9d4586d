"""Which service, and as whom: from options, from the environment, and never a secret from the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from aioflows import AppKey, QueryError

__all__ = ["Service", "chosen"]

_LONGEST_SECRET_FILE = 10_000


@attrs.frozen
class Service:
    """What is needed to talk to a service.

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

    @classmethod
    def found(
        cls,
        environment: Mapping[str, str],
        *,
        url: str | None = None,
        user_id: str | None = None,
        org_id: str | None = None,
        secret_file: Path | None = None,
        ask: Callable[[str], str] | None = None,
    ) -> Service:
        """Put together what was given here and there.

        Args:
            environment: the *variables* of the process.
            url: what the *option* says, as do the two that follow.
            user_id: likewise.
            org_id: likewise.
            secret_file: a *file* that holds the secret key and nothing else.
            ask: asks a person for the secret; None: there is nobody to ask.

        Raises:
            QueryError: something is missing, or two places disagree.
        """
        return cls(
            _needed("--url", url, "AIOFLOWS_URL", environment),
            _needed("--user-id", user_id, "AIOFLOWS_USER_ID", environment),
            _needed("--org-id", org_id, "AIOFLOWS_ORG_ID", environment),
            _keys(environment, secret_file, ask),
        )


def chosen(option: str, given: str | None, variable: str, environment: Mapping[str, str]) -> str | None:
    """Give the value of an option that a variable may stand in for; two values that differ are a `QueryError`."""
    stated = environment.get(variable) or None
    if given is not None and stated is not None and given != stated:
        # To take one of them would read another service, or as another user, than somebody meant.
        raise QueryError(f"{option} and {variable} say different things; drop one of them")
    return given if given is not None else stated


def _needed(option: str, given: str | None, variable: str, environment: Mapping[str, str]) -> str:
    value = chosen(option, given, variable, environment)
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
