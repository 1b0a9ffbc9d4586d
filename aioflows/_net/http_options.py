"""How requests leave this machine: the proxy, the trusted certificates, further headers and timeouts.

1. Everything is checked where it is given, so that a session with wrong options is never made.
2. No message shows a header's value or the URL of a proxy, because both may hold a secret.
3. Certificates are always verified. Nothing here switches that off.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from ssl import CERT_REQUIRED, SSLContext, SSLError, create_default_context
from typing import Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import attrs

from aioflows._core.wire.endpoints import Address
from aioflows._display.secret import Secret
from aioflows._net.transport import SecretHeaders, Transport
from aioflows._numbers import as_number
from aioflows._version import __version__
from aioflows.errors import QueryError
from aioflows.settings import RetryPolicy, Timeouts

__all__ = ["HttpOptions", "Proxy", "checked_headers", "connection_options", "find_proxy", "trusted"]

_DEFAULT_USER_AGENT: Final = f"aioflows/{__version__}"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_VALUE = re.compile(r"[!-~]([ \t!-~]*[!-~])?|")  # RFC 9110, section 5.5, in ASCII
_OURS: Final = dict.fromkeys(
    (
        "accept-encoding",
        "apim-accesstoken",
        "apim-signature",
        "apim-timestamp",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ),
    "aioflows sets it itself; remove it",
) | {
    "proxy-authorization": "it is made from the user and password in the URL of the proxy; give them there",
    "user-agent": "it has an argument of its own; give user_agent=",
}
_PUBLIC: Final = {"accept", "accept-language", "cache-control", "user-agent"}
"""Headers whose values are ordinary words, so that errors may show them."""
_A_PROXY = "must be the URL of an HTTP proxy, as in http://proxy.example.com:3128"


@attrs.frozen
class Proxy:
    """An HTTP proxy.

    Args:
        url: scheme, host and port.
        user: the user name. None means that the proxy asks for none.
        password: the password of the user.
    """

    url: str
    user: Secret | None = None
    password: Secret = attrs.field(factory=lambda: Secret(""))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The user, the password, and both as they are sent (RFC 7617, section 2)."""
        if self.user is None:
            return ()
        user, password = self.user.reveal(), self.password.reveal()
        return user, password, b64encode(f"{user}:{password}".encode("latin-1")).decode()


@attrs.frozen
class HttpOptions:
    """The checked options of a transport over HTTP.

    Args:
        proxy: the proxy. None means that there is none.
        context: the TLS context. None means the certificates that the system trusts.
        user_agent: the value of the header ``User-Agent`` of sessions that the transport makes.
        timeouts: the time for a connection, and between two pieces of an answer.
    """

    proxy: Proxy | None = None
    context: SSLContext | None = None
    user_agent: str = _DEFAULT_USER_AGENT
    timeouts: Timeouts = attrs.field(factory=Timeouts)

    def with_total(self, retry: RetryPolicy) -> RetryPolicy:
        """Return a policy whose attempts take at most the total time.

        Raises:
            QueryError: the policy has another time of its own.
        """
        total, usual = self.timeouts.total, attrs.fields(RetryPolicy).attempt_timeout.default
        if total is None:
            return retry
        if retry.attempt_timeout not in (usual, total):
            raise QueryError(
                f"timeout= says {total:g} seconds for an attempt and RetryPolicy(attempt_timeout=...) says "
                f"{retry.attempt_timeout:g}; remove one"
            )
        return attrs.evolve(retry, attempt_timeout=total)

    def secrets(self, headers: Mapping[str, str]) -> tuple[str, ...]:
        """Return the texts that no error may show: passwords, and what *headers* hold."""
        values = [value for name, value in headers.items() if name.lower() not in _PUBLIC]
        parts = [part for value in values for part in re.split(r"[\s;,=]+", value)]
        hidden = () if self.proxy is None else self.proxy.secrets
        return tuple(dict.fromkeys([*values, *parts, *hidden]))


def connection_options(
    address: Address,
    http: object,
    proxy: object,
    ssl: SSLContext | str | os.PathLike[str] | None,
    headers: Mapping[str, str] | None,
    user_agent: str | None,
    timeout: object,
    *,
    trust_env: bool,
) -> tuple[HttpOptions, SecretHeaders]:
    """Return the options of a session's transport, and the headers to add to each request.

    The arguments are those of `aioflows.FlowSession`.

    Raises:
        QueryError: a value is invalid, or does not go with the caller's own connections.
    """
    timeouts = _timeouts(timeout)
    if http is not None:
        for name, value in (("proxy", proxy), ("ssl", ssl), ("trust_env", trust_env or None)):
            if value is not None:
                raise QueryError(
                    f"{name}= and http= cannot be combined, because http= brings its own connections; give the "
                    f"setting to your aiohttp.ClientSession, or omit http="
                )
        if isinstance(http, Transport) and (timeouts.connect or timeouts.read):
            raise QueryError(
                "timeout= has a time for the connection or for reading, which the transport in http= decides "
                "itself; give Timeouts(total=...) only"
            )
    added = checked_headers(headers)
    agent = _user_agent(user_agent)
    if http is not None and agent is not None:
        added = SecretHeaders({**added, "User-Agent": agent})
    options = HttpOptions(
        find_proxy(proxy, trust_env=trust_env, scheme=address.scheme, host=address.host),
        trusted(ssl),
        agent or _DEFAULT_USER_AGENT,
        timeouts,
    )
    return options, added


# Headers


def checked_headers(headers: Mapping[str, str] | None) -> SecretHeaders:
    """Return the headers to add to each request.

    Raises:
        QueryError: a name or a value is not valid in HTTP, comes twice, or belongs to aioflows.
    """
    if headers is not None and not isinstance(headers, Mapping):
        raise QueryError('headers must be a mapping of names to texts, as in {"X-Team": "data"}')
    checked: dict[str, str] = {}
    for number, (name, value) in enumerate(() if headers is None else headers.items(), 1):
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise QueryError(
                f"the name of header number {number} is not valid: it must be letters, digits and hyphens, "
                "without a colon, a blank or a line break"
            )
        if name.lower() in _OURS:
            raise QueryError(f"the header {name} cannot be given, because {_OURS[name.lower()]}")
        if name.lower() in {one.lower() for one in checked}:
            raise QueryError(f"the header {name} was given twice; join its values by a comma")
        checked[name] = _checked_value(value, f"the value of the header {name}")
    return SecretHeaders(checked)


def _checked_value(value: object, what: str) -> str:
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise QueryError(
            f"{what} must be a text of visible ASCII characters, without line breaks and without blanks at "
            "its ends; encode others, for instance by urllib.parse.quote"
        )
    return value


def _user_agent(value: str | None) -> str | None:
    """Return the value of the header ``User-Agent``. None means the default.

    Raises:
        QueryError: it is blank or not valid in HTTP.
    """
    if value is None:
        return None
    if not value:
        raise QueryError(f"user_agent is empty; omit it to send {_DEFAULT_USER_AGENT!r}")
    return _checked_value(value, "user_agent")


# Certificates


def trusted(given: SSLContext | str | os.PathLike[str] | None) -> SSLContext | None:
    """Return a TLS context that trusts the authorities of a PEM file, or the context that was given.

    Raises:
        QueryError: the file cannot be read or holds no certificate, or the context does not verify.
    """
    if given is None:
        return None
    if isinstance(given, SSLContext):
        if given.verify_mode is not CERT_REQUIRED or not given.check_hostname:
            raise QueryError(
                "ssl is a context that does not verify certificates or host names, so anyone on the way could "
                "read and change the requests; use ssl.create_default_context(cafile=...)"
            )
        return given
    if not isinstance(given, (str, os.PathLike)):
        raise QueryError(
            f"ssl must be the PEM file of your certificate authority or an ssl.SSLContext, not {given!r}; "
            "verification cannot be switched off"
        )
    return _context_of(os.fspath(given))


def _context_of(path: str) -> SSLContext:
    context: SSLContext | None
    try:
        with Path(path).open("rb") as file:
            file.read(1)
        context = create_default_context(cafile=path)
    except SSLError:
        context = None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name holds a null character"
        raise QueryError(f"the certificate file {path!r} cannot be read: {reason}") from None
    if context is None or not context.cert_store_stats()["x509"]:
        raise QueryError(
            f"the certificate file {path!r} holds no certificate in PEM form, which begins with "
            "'-----BEGIN CERTIFICATE-----'; convert it by 'openssl x509 -inform der'"
        )
    context.set_alpn_protocols(["http/1.1"])
    return context


# The proxy


def find_proxy(given: object, *, trust_env: bool, scheme: str, host: str) -> Proxy | None:
    """Return the proxy for a gateway.

    Args:
        given: the URL of the proxy. None means none, or that of the environment.
        trust_env: True to use ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``.
        scheme: the scheme of the gateway.
        host: the host of the gateway, with its port if it has one.

    Raises:
        QueryError: this is not the URL of an HTTP proxy.
    """
    if given is not None:
        return _proxy("proxy", str(given) if hasattr(given, "scheme") else given)
    if not trust_env or proxy_bypass(host) or proxy_bypass(host.removeprefix("[").partition("]")[0]):
        return None
    for name, url in _of_environment(scheme):
        return _proxy(name, url)
    return None


def _of_environment(scheme: str) -> Iterator[tuple[str, str]]:
    proxies = getproxies()
    for name in (scheme, "all"):
        if url := proxies.get(name):
            yield f"{name.upper()}_PROXY", url


def _proxy(name: str, text: object) -> Proxy:
    if not isinstance(text, str) or not text.strip() or not text.isprintable() or " " in text:
        raise QueryError(f"{name} {_A_PROXY}")
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme.startswith("socks"):
        raise QueryError(
            f"{name} names a SOCKS proxy, which aiohttp does not speak; pass http= an aiohttp.ClientSession "
            "with the connector of the package aiohttp-socks"
        )
    if parts.scheme not in ("http", "https") or not host:
        raise QueryError(f"{name} {_A_PROXY}")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise QueryError(
            f"{name} {_A_PROXY}; it has more behind the host: percent-encode / ? # and @ in a password"
        )
    user = None if parts.username is None else unquote(parts.username)
    if user is not None and ":" in user:
        raise QueryError(f"{name} has a user with a colon, which HTTP cannot send (RFC 7617, section 2)")
    password = unquote(parts.password or "")
    if max((user or "") + password + "a") > "\xff":
        raise QueryError(
            f"{name} has a user or a password with characters beyond Latin-1, which aiohttp cannot send"
        )
    where = f"[{host}]" if ":" in host else host
    return Proxy(
        f"{parts.scheme}://{where}" + (f":{port}" if port is not None else ""),
        None if user is None else Secret(user),
        Secret(password),
    )


# Timeouts


def _timeouts(timeout: object) -> Timeouts:
    """Return the timeouts that a number of seconds or a `Timeouts` means.

    Raises:
        QueryError: it is neither.
    """
    if isinstance(timeout, Timeouts):
        return timeout
    seconds = None if timeout is None else as_number(timeout)
    if timeout is not None and seconds is None:
        raise QueryError(f"timeout must be a number of seconds, or Timeouts(...), not {timeout!r}")
    return Timeouts(total=seconds)
