"""Sends a body: the head after the first rows, keep-alives while there are none, and the reason of an error.

ASGI, aiohttp and the frameworks with responses of their own differ only in how they send.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from aioflows.errors import AioflowsError
from aioflows.web.bodies import KEEP_ALIVE, StreamBody

__all__ = ["all_chunks", "deliver", "run_while"]


async def deliver(
    body: StreamBody, begin: Callable[[], Awaitable[None]], write: Callable[[bytes], Awaitable[None]]
) -> None:
    """Send a body, and close it.

    Args:
        body: the body.
        begin: sends the head of the answer.
        write: sends bytes, and returns when more are wanted.

    Raises:
        AioflowsError: the rows ended with an error. After the head, the client has been told of it.
    """
    begun = False
    async with aclosing(all_chunks(body)) as chunks:
        async for chunk in chunks:
            if not begun:
                begun = True
                await begin()
            if chunk:
                await write(chunk)
                await asyncio.sleep(0)  # a server may take bytes without a pause, and so may a scan


async def all_chunks(body: StreamBody) -> AsyncGenerator[bytes, None]:
    """Yield the chunks of a body, at least one, and close it. An empty chunk only says that the head can go.

    Raises:
        AioflowsError: the rows ended with an error. If chunks came before it, the last one tells the client.
    """
    begun = False
    try:
        async with aclosing(body.chunks()) as rows, aclosing(_with_keep_alives(body, rows)) as chunks:
            async for chunk in chunks:
                begun = True
                yield chunk
        if not begun:
            yield b""
    except AioflowsError as error:
        if begun:
            yield body.last_words(error)
        raise
    finally:
        await body.aclose()


async def _with_keep_alives(
    body: StreamBody, chunks: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    """Yield chunks, and bytes that keep the connection alive if none comes for a while."""
    alive, wait = None if body.keep_alive is None else KEEP_ALIVE, body.patience
    while True:
        if wait is None:
            chunk = await anext(chunks, b"")
        else:
            step = asyncio.ensure_future(anext(chunks, b""))
            try:
                while not (await asyncio.wait({step}, timeout=wait))[0]:
                    yield body.keep_alive or b""
                    wait = alive
            finally:
                step.cancel()
                await asyncio.wait({step})
            chunk = step.result()
        if not chunk:
            return
        wait = alive
        yield chunk


async def run_while(staying: Awaitable[object], work: Awaitable[None]) -> bool:
    """Run work until it ends, or until its client has gone. Return True if the work ended.

    Args:
        staying: ends when the client has gone.
        work: the work. It is cancelled when the client has gone.
    """
    leaving, working = asyncio.ensure_future(staying), asyncio.ensure_future(work)
    both = {leaving, working}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        ended = working.done()
    finally:
        for task in both:
            task.cancel()
        await asyncio.wait(both)
    for task in both:
        if not task.cancelled():
            task.exception()  # so that asyncio does not report it
    if ended:
        working.result()
    return ended
