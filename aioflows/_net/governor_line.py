"""The connection of a session to its governor: it connects, proves the secret, listens, and connects again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from aioflows._core.governor.address import GovernorAddress
from aioflows._core.governor.frames import (
    LONGEST_LINE,
    PROTOCOL,
    BadFrame,
    GovernorFrame,
    Hello,
    SessionFrame,
    Welcome,
    decode_frame,
    encode_frame,
)
from aioflows._net.governed_gate import GovernedGate

__all__ = ["GovernorLine"]

_JOIN: Final = 3.0  # seconds to connect and to be welcome
_SILENCE: Final = 5.0  # seconds without a word after which the governor is asked whether it is there
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 5.0  # seconds between two attempts to connect
_CLOSING: Final = 1.0  # seconds for the last words
_OTHER_VERSION: Final = "speaks another version of the protocol; install the same aioflows everywhere"


class _Unusable(Exception):
    """The governor cannot be used; the text says why."""


class GovernorLine:
    """The TCP connection of one session to its governor.

    Args:
        address: the address of the governor.
    """

    def __init__(self, address: GovernorAddress) -> None:
        self._address = address
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self._hurry = asyncio.Event()
        self._said = 0.0  # when the last message was sent (seconds of the loop)

    def start(self, gate: GovernedGate) -> None:
        """Connect in the background, now and whenever the connection is lost."""
        self._task = asyncio.get_running_loop().create_task(self._run(gate))

    def send(self, frame: SessionFrame) -> bool:
        """Send a message. Return False if the connection is lost, and so the message is, too."""
        if self._writer is None or self._writer.is_closing():
            return False
        self._writer.write(encode_frame(frame))
        self._said = asyncio.get_running_loop().time()
        return True

    async def settle(self) -> None:
        """Wait until an attempt to connect is over: the first one, or a new one without a connection."""
        if self._writer is None or self._writer.is_closing():
            if self._task is None:
                return  # it was closed
            self._settled.clear()
            self._hurry.set()
        await self._settled.wait()

    async def aclose(self) -> None:
        """Close the connection, after what was sent. Safe to call more than once."""
        task, self._task = self._task, None
        if task is not None:
            writer = self._writer
            if writer is not None:
                writer.close()
            task.cancel()
            await asyncio.wait([task])

    async def _run(self, gate: GovernedGate) -> None:
        wait = _FIRST_WAIT
        while True:
            try:
                async with asyncio.timeout(_JOIN):
                    reader, share, rate = await self._join()
            except (OSError, TimeoutError):
                reason = f"the governor at {self._address} cannot be reached"
            except (BadFrame, ValueError, EOFError, asyncio.LimitOverrunError):
                reason = f"what listens at {self._address} is not the governor of this address"
            except _Unusable as error:
                reason = f"the governor at {self._address} {error}"
            except Exception as error:  # noqa: BLE001  (requests wait for the end of this attempt)
                reason = f"the governor at {self._address} cannot be used: {type(error).__name__}"
            else:
                wait = _FIRST_WAIT
                reason = await self._listen(reader, gate, share, rate)
            gate.lost(reason)
            self._settled.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._hurry.wait()
            self._hurry.clear()
            wait = min(2 * wait, _LONGEST_WAIT)

    async def _join(self) -> tuple[asyncio.StreamReader, float | None, float]:
        address = self._address
        reader, writer = await asyncio.open_connection(address.host, address.port, limit=LONGEST_LINE)
        try:
            welcome = _same_version(decode_frame(await reader.readuntil(), Welcome))
            writer.write(encode_frame(Hello(PROTOCOL, address.proof(welcome.nonce))))
            first = decode_frame(await reader.readuntil(), GovernorFrame)
        except BaseException:
            writer.transport.abort()
            raise
        self._writer = writer
        return reader, first.share, first.rate

    async def _listen(
        self, reader: asyncio.StreamReader, gate: GovernedGate, share: float | None, rate: float
    ) -> str:
        """Hand messages to the gate until the connection ends. Return how it ended."""
        now = asyncio.get_running_loop().time
        self._said = heard = now()
        asked: float | None = None
        try:
            gate.joined(share, rate)
            self._settled.set()
            while True:
                # Each side takes a silent one for gone, so either silence makes this one ask.
                try:
                    async with asyncio.timeout_at(
                        _SILENCE + min(self._said, heard if asked is None else asked)
                    ):
                        line = await reader.readuntil()
                except TimeoutError:
                    if asked is not None and now() >= asked + _SILENCE:
                        return f"the governor at {self._address} does not answer any more"
                    asked = now() if asked is None else asked
                    self.send(SessionFrame(ping=True))
                    self._said = now()
                    continue
                heard, asked = now(), None
                gate.received(decode_frame(line, GovernorFrame))
        except (OSError, EOFError):
            return f"the governor at {self._address} is gone"
        except (BadFrame, ValueError, asyncio.LimitOverrunError):
            return f"the governor at {self._address} {_OTHER_VERSION}"
        except Exception as error:  # noqa: BLE001  (requests wait until a new connection or none)
            return f"the governor at {self._address} cannot be used: {type(error).__name__}"
        finally:
            await self._hang_up()

    async def _hang_up(self) -> None:
        """Close the connection after its last bytes are out."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.close()
        try:
            async with asyncio.timeout(_CLOSING):
                await writer.wait_closed()
        except (OSError, TimeoutError):
            writer.transport.abort()


def _same_version(welcome: Welcome) -> Welcome:
    if welcome.governor != PROTOCOL:
        raise _Unusable(_OTHER_VERSION)
    return welcome
