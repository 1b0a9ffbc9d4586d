"""The URLs of the service, from the base URL of a session. They are checked before anything is sent."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aioflows.errors import QueryError

__all__ = ["Address"]

_SERVICE = "/batch-processing-service/v2.1"


class Address:
    """The URLs of one deployment.

    Args:
        base_url: scheme and host, as in ``https://apigw.example.com``. A path that names the service and its
            version (``/dataflow-batch-service/v2.0``) is kept. Otherwise the path of version 2.1 is appended.
        allow_http: True if plain HTTP is allowed to a host other than this machine. Default: False.

    Raises:
        QueryError: this is not a URL of a service. The message names the part that is wrong.
    """

    def __init__(self, base_url: str, *, allow_http: bool = False) -> None:
        if not isinstance(base_url, str) or not base_url.strip():
            raise QueryError(
                "base_url is empty; give the address of the API gateway, as in https://apigw.example.com"
            )
        if base_url != base_url.strip() or not base_url.isprintable() or " " in base_url:
            raise QueryError(f"base_url {base_url!r} holds white space or a control character")
        try:
            parts = urlsplit(base_url)
            port = parts.port
        except ValueError as error:
            raise QueryError(f"base_url {base_url!r} is not a URL: {error}") from None
        if parts.scheme not in ("https", "http"):
            raise QueryError(f"base_url {base_url!r} must begin with https://")
        if parts.username is not None or parts.password is not None:
            raise QueryError("base_url holds a user name or password; give auth=AppKey(...) instead")
        if not parts.hostname:
            raise QueryError(f"base_url {base_url!r} has no host")
        if parts.query or parts.fragment or base_url.endswith(("?", "#")):
            raise QueryError(
                f"base_url {base_url!r} has a query or a fragment; give only scheme, host and port"
            )
        if parts.scheme == "http" and not allow_http and not _is_here(parts.hostname):
            raise QueryError(
                f"base_url {base_url!r} is not encrypted, so others on the network could read and change the requests; "
                "use https://, or pass allow_http=True if the network is trusted"
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self.gateway = f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
        path = parts.path.rstrip("/")
        service = path if "-service/v" in path else path + _SERVICE
        self.instances = f"{self.gateway}{service}/flowInstances"
        self.time = f"{self.gateway}{service}/time"


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
