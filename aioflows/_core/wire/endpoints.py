"""The URLs of the service, from the base URL of a session. They are checked before anything is sent."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from aioflows.errors import QueryError

__all__ = ["Address"]

_SERVICE = "/batch-processing-service/v2.1"
_NAMED_SERVICE = re.compile(r"/[^/]*-service/v[^/]*$")
_OPERATION = re.compile(r"-service/v[^/]*/(flowInstances|time|token)(/|$)")

_HOLDS_USER = "base_url holds a user name or password; give auth=AppKey(...) instead"


class Address:
    """The URLs of one deployment.

    Args:
        base_url: scheme and host, as in ``https://apigw.example.com``, or a URL object. The gateway may stand
            below a path, as in ``https://example.com/gateway``. A path that ends with the name and version of
            the service (``/dataflow-batch-service/v2.0``) is kept. Otherwise that of version 2.1 is appended.
        allow_http: True if plain HTTP is allowed to a host other than this machine. Default: False.

    Raises:
        QueryError: this is not a URL of a service. The message names the part that is wrong.
    """

    def __init__(self, base_url: object, *, allow_http: bool = False) -> None:
        if not isinstance(base_url, str) and hasattr(base_url, "scheme"):  # of yarl, httpx or pydantic
            base_url = str(base_url)
        if not isinstance(base_url, str) or not base_url.strip():
            raise QueryError(
                "base_url is empty; give the address of the API gateway, as in https://apigw.example.com"
            )
        if "@" in (base_url.partition("//")[2] or base_url).partition("/")[0]:
            raise QueryError(_HOLDS_USER)
        shown = re.split("[?#]", base_url)[0]  # a query may hold a token
        if base_url != base_url.strip() or not base_url.isprintable() or " " in base_url:
            raise QueryError(f"base_url {shown!r} holds white space or a control character")
        try:
            parts = urlsplit(base_url)
            port = parts.port
        except ValueError as error:
            if "@" in base_url:  # behind a password with a slash
                raise QueryError(_HOLDS_USER) from None
            raise QueryError(f"base_url {shown!r} is not a URL: {error}") from None
        if parts.scheme not in ("https", "http"):
            raise QueryError(f"base_url {shown!r} must begin with https://")
        if not parts.hostname:
            raise QueryError(f"base_url {shown!r} has no host")
        if shown != base_url:
            raise QueryError(
                f"base_url {shown!r} has a query or a fragment behind it; give only scheme, host, port and path"
            )
        if parts.scheme == "http" and not allow_http and not _is_here(parts.hostname):
            raise QueryError(
                f"base_url {base_url!r} is not encrypted, so others on the network could read and change the requests; "
                "use https://, or pass allow_http=True if the network is trusted"
            )
        path = parts.path.rstrip("/")
        if _OPERATION.search(path) or {".", "..", ""} & set(path.split("/")[1:]):
            raise QueryError(
                f"base_url {base_url!r} has a path that does not end at the gateway or at the version of the "
                "service, or has empty parts; give it as in https://example.com/gateway"
            )
        self.scheme = parts.scheme
        name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self.host = name + (f":{port}" if port is not None else "")
        named = _NAMED_SERVICE.search(path)
        self.gateway = f"{parts.scheme}://{self.host}" + (path if named is None else path[: named.start()])
        service = f"{self.gateway}{_SERVICE if named is None else named[0]}"
        self.instances = f"{service}/flowInstances"
        self.time = f"{service}/time"


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
