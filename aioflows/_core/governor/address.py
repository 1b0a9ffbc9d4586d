"""The address of a governor: where it listens, its secret, and the share of a session that cannot reach it."""

from __future__ import annotations

import hashlib
import hmac
import re

import attrs

from aioflows._display.secret import Secret
from aioflows.errors import QueryError

__all__ = ["GovernorAddress"]

_FORM = re.compile(
    r"aioflows://(\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^\s\[\]:/?#@]+)):(?P<port>[0-9]{1,5})/"
    r"\?secret=(?P<secret>[0-9a-f]{32,128})&share=(?P<share>[0-9]{1,9}(\.[0-9]{1,9})?)"
)
_LAST_PORT = 65_535


@attrs.frozen
class GovernorAddress:
    """The address of a governor.

    Args:
        host: the host name or address.
        port: the port.
        secret: the secret that opens the governor.
        share: the requests per second of a session that has not reached the governor yet.
    """

    host: str
    port: int
    secret: Secret = attrs.field(repr=False)
    share: float

    @classmethod
    def parse(cls, text: str) -> GovernorAddress:
        """Return the address in a text.

        Raises:
            QueryError: it is not the address of a governor. The error does not show the text.
        """
        found = _FORM.fullmatch(text) if isinstance(text, str) else None
        if found is None or not 0 < int(found["port"]) <= _LAST_PORT or not float(found["share"]):
            raise QueryError("governor is not the address of a Governor; pass Governor.address as it is")
        host = found["six"] or found["host"]
        return cls(host, int(found["port"]), Secret(found["secret"]), float(found["share"]))

    def text(self) -> str:
        """Return the address as a text, which holds the secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"aioflows://{host}:{self.port}/?secret={self.secret.reveal()}&share={self.share:.4f}"

    def proof(self, nonce: str) -> str:
        """Return the text that proves knowledge of the secret. The secret itself never travels."""
        return hmac.new(self.secret.reveal().encode(), nonce.encode(), hashlib.sha256).hexdigest()

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
