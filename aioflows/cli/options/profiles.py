"""Profiles: options for a service, by a name, in a file.

1. A profile holds no secret key. It names a file, a variable or a command that has it.
2. A file with keys or headers that other users of the machine can read is refused.
3. An option of the command line and an environment variable each replace the value of a profile.
"""

from __future__ import annotations

import difflib
import os
import stat
import subprocess
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import typer

from aioflows.cli.options.parsing import read_text
from aioflows.errors import QueryError

__all__ = ["PLACE", "ProfileFile", "StoredProfile", "use_profile"]

PLACE = "AIOFLOWS_CONFIG"
"""The variable that names another file of profiles."""
_NAME = "AIOFLOWS_PROFILE"
_LONGEST_FILE = 1_000_000
_LONGEST_SECRET = 10_000
_TEXT, _WHOLE, _NUMBER, _FLAG, _TEXTS = (
    "a text",
    "a whole number",
    "a number",
    "true or false",
    "a list of texts",
)
_OPTIONS = {
    "url": _TEXT,
    "user-id": _TEXT,
    "org-id": _TEXT,
    "secret-file": _TEXT,
    "server-timezone": _TEXT,
    "other-timezone": _TEXT,
    "first-page": _WHOLE,
    "allow-http": _FLAG,
    "proxy": _TEXT,
    "trust-env": _FLAG,
    "cacert": _TEXT,
    "header": _TEXTS,
    "timeout": _NUMBER,
    "zone": _TEXT,
    "page-size": _WHOLE,
    "concurrency": _WHOLE,
    "rate": _NUMBER,
}
"""The options that a profile may hold, and what their values must be."""
_KEYS = {
    "access-key": _TEXT,
    "access-key-env": _TEXT,
    "secret-key-env": _TEXT,
    "secret-key-command": _TEXTS,
}
"""What a profile may hold besides options."""
_CHECKS: Mapping[str, Callable[[object], bool]] = {
    _TEXT: lambda value: isinstance(value, str),
    _WHOLE: lambda value: isinstance(value, int) and not isinstance(value, bool),
    _NUMBER: lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    _FLAG: lambda value: isinstance(value, bool),
    _TEXTS: lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
}
_PATHS = ("secret-file", "cacert")
_VARIABLES = {
    "url": "AIOFLOWS_URL",
    "user-id": "AIOFLOWS_USER_ID",
    "org-id": "AIOFLOWS_ORG_ID",
    "secret-file": "AIOFLOWS_SECRET_KEY",
}
"""The options of a profile that an environment variable replaces."""


@attrs.frozen
class StoredProfile:
    """A profile.

    Args:
        name: its name.
        options: the values of options, by their names without hyphens in front.
        keys: where the access key and the secret key are.
    """

    name: str
    options: Mapping[str, Any]
    keys: Mapping[str, Any] = attrs.field(repr=False)

    @property
    def has_secrets(self) -> bool:
        """True if the profile has a key, or names where one is."""
        return bool(self.keys) or "secret-file" in self.options

    def defaults(self, environment: Mapping[str, str]) -> dict[str, Any]:
        """Return the values of parameters, without those that a variable of the environment replaces."""
        return {
            name.replace("-", "_"): value
            for name, value in self.options.items()
            if not environment.get(_VARIABLES.get(name, ""))
        }

    def access_key(self, environment: Mapping[str, str]) -> str | None:
        """Return the access key, or None if the profile has none.

        Raises:
            QueryError: the variable that holds it is not set.
        """
        if "access-key-env" in self.keys:
            return self._variable("access-key-env", environment)
        key: str | None = self.keys.get("access-key")
        return key

    def secret_key(self, environment: Mapping[str, str]) -> str | None:
        """Return the secret key from its variable or its command, or None if the profile names neither.

        Raises:
            QueryError: the variable is not set, or the command fails. No output of the command is shown.
        """
        if "secret-key-env" in self.keys:
            return self._variable("secret-key-env", environment)
        command = self.keys.get("secret-key-command")
        return None if command is None else self._output(command)

    def _variable(self, key: str, environment: Mapping[str, str]) -> str:
        value = environment.get(self.keys[key])
        if not value:
            raise QueryError(f"profile {self.name}: {key} names {self.keys[key]}, which is not set; set it")
        return value

    def _output(self, command: Sequence[str]) -> str:
        failed = f"profile {self.name}: secret-key-command {command[0] if command else ''!r}"
        try:
            # The user's own file names the program; it gets the terminal, since it may ask for a pass phrase.
            done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # noqa: S603
            secret = done.stdout[:_LONGEST_SECRET].decode().strip("\r\n")
        except (OSError, ValueError, IndexError) as error:
            reason = (
                error.strerror if isinstance(error, OSError) else "it is not a program, or prints no text"
            )
            raise QueryError(f"{failed} cannot be run: {reason}") from None
        if done.returncode or not secret:
            reason = f"ended with exit code {done.returncode}" if done.returncode else "printed nothing"
            raise QueryError(f"{failed} {reason}; it must print the secret key")
        return secret


@attrs.frozen
class ProfileFile:
    """A file of profiles.

    Args:
        path: the path of the file.
    """

    path: Path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> ProfileFile:
        """Return the file that the environment names, or that of the user by the platform's convention."""
        named = environment.get(PLACE)
        return cls(Path(named) if named else Path(typer.get_app_dir("aioflows")) / "config.toml")

    def profile(self, name: str) -> StoredProfile:
        """Return the profile with a name.

        Raises:
            QueryError: the file cannot be read, or others can read its keys; the profile is unknown; or a key of
                it is unknown or has an invalid value.
        """
        stored = self._read()
        found = stored.get(name)
        if not isinstance(found, dict):
            known = [one for one, value in stored.items() if isinstance(value, dict)]
            raise QueryError(
                f"unknown profile {name!r} in {self.path}{_nearest(name, known)}; known profiles: "
                f"{', '.join(known) or 'none'}"
            )
        for key, value in found.items():
            self._check(name, key, value)
        options = {key: self._value(key, value) for key, value in found.items() if key in _OPTIONS}
        if "access-key" in found or any(not one.startswith("@") for one in found.get("header", ())):
            _refuse_readable(self.path, "it holds keys or headers")
        if "secret-file" in options:
            _refuse_readable(Path(options["secret-file"]), "it holds a secret key")
        return StoredProfile(name, options, {key: found[key] for key in found if key in _KEYS})

    def names(self) -> list[str]:
        """Return the names of all profiles, for the shell. A file that cannot be read has none."""
        try:
            return [name for name, value in self._read().items() if isinstance(value, dict)]
        except QueryError:
            return []

    def _read(self) -> dict[str, Any]:
        try:
            return tomllib.loads(read_text("the file of profiles", self.path, _LONGEST_FILE))
        except tomllib.TOMLDecodeError as error:
            raise QueryError(f"the file of profiles {str(self.path)!r} is not TOML: {error}") from None

    def _check(self, name: str, key: str, value: object) -> None:
        where = f"profile {name} in {self.path}"
        if key in ("secret-key", "secret"):
            raise QueryError(
                f"{where}: a secret key does not belong there; give secret-file, secret-key-env or "
                "secret-key-command instead"
            )
        known = _OPTIONS | _KEYS
        if key not in known:
            raise QueryError(
                f"{where}: unknown key {key!r}{_nearest(key.replace('_', '-'), known)}; known keys: "
                f"{', '.join(known)}"
            )
        if not _CHECKS[known[key]](value):
            raise QueryError(f"{where}: {key} must be {known[key]}")

    def _value(self, key: str, value: Any) -> Any:
        """Return a value. A path is relative to the folder of the file, and ``~`` is the user's folder."""
        return str(self.path.parent / Path(value).expanduser()) if key in _PATHS else value


def _nearest(text: str, known: Sequence[str] | Mapping[str, str]) -> str:
    near = difflib.get_close_matches(text.lower(), list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _refuse_readable(path: Path, reason: str) -> None:
    """Raise `QueryError` if all users of the machine can read a file. Windows has no such permissions."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # reading it gives the better error
    if mode & stat.S_IROTH and os.name == "posix":
        raise QueryError(
            f"{str(path)!r} can be read by every user of this machine, but {reason}; run: chmod 600 {path}"
        )


def use_profile(context: typer.Context, name: str | None, environment: Mapping[str, str]) -> str | None:
    """Make the options of a profile the defaults of a command, and return the profile's name.

    Args:
        context: the context of the command, before its other options are read.
        name: the name that was given. None means that of the environment, if it has one.
        environment: environment variables.

    Raises:
        QueryError: the profile is unknown or invalid.
    """
    name = name or environment.get(_NAME) or None
    if name is not None and not context.resilient_parsing:
        stored = ProfileFile.of(environment).profile(name)
        context.default_map = {**(context.default_map or {}), **stored.defaults(environment)}
    return name
