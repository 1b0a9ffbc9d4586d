"""The base class of answers: Starlette's ``Response`` where Starlette is installed.

FastAPI takes an object for an answer only if it is such a ``Response``. Everywhere else an answer is an ASGI
application, which needs no framework.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias

__all__ = ["Message", "Receive", "Response", "Scope", "Send"]

# https://asgi.readthedocs.io/en/latest/specs/main.html
Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

if TYPE_CHECKING:
    from starlette.responses import Response
else:
    try:
        from starlette.responses import Response
    except ImportError:

        class Response:
            """What an answer needs of Starlette's class of that name."""

            media_type = None

            def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
                self.raw_headers = [
                    (name.lower().encode("latin-1"), text.encode("latin-1"))
                    for name, text in (headers or {}).items()
                ]
                if not any(name == b"content-type" for name, _ in self.raw_headers):
                    self.raw_headers.append((b"content-type", self.media_type.encode("latin-1")))
