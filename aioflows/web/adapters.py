"""Answers as the responses of frameworks that take no ASGI application from a view.

Both frameworks cancel a view, and close the iterator of a response, when the client has gone.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from importlib import import_module
from typing import Any

from aioflows.errors import AioflowsError
from aioflows.web.answers import StreamAnswer
from aioflows.web.delivery import all_chunks
from aioflows.web.failures import ErrorAnswer

__all__ = ["django_response", "quart_response"]


async def quart_response(answer: StreamAnswer | ErrorAnswer) -> Any:
    """Return an answer as a response of Quart.

    ``return await quart_response(NDJSON(scan))``
    """
    status, headers, body = await _parts(answer)
    response = import_module("quart").Response(body, status, headers)
    response.timeout = None  # Quart's RESPONSE_TIMEOUT would cut it after a minute
    return response


async def django_response(answer: StreamAnswer | ErrorAnswer) -> Any:
    """Return an answer as a response of Django, for an asynchronous view under ASGI.

    ``return await django_response(NDJSON(scan))``
    """
    status, headers, body = await _parts(answer)
    http = import_module("django.http")
    kind = http.HttpResponse if isinstance(body, bytes) else http.StreamingHttpResponse
    return kind(body, status=status, headers=headers)


async def _parts(
    answer: StreamAnswer | ErrorAnswer,
) -> tuple[int, dict[str, str], bytes | AsyncGenerator[bytes, None]]:
    """Return the status, the headers and the body of an answer, once its first rows are there."""
    body: bytes | AsyncGenerator[bytes, None]
    if isinstance(answer, ErrorAnswer):
        body = bytes(answer.body)
    else:
        chunks = all_chunks(answer.stream_body)
        try:
            body = _joined(await anext(chunks), chunks)
        except AioflowsError as error:
            return await _parts(ErrorAnswer(error))
    headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in answer.raw_headers}
    return answer.status_code, headers, body


async def _joined(first: bytes, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        if first:
            yield first
        async for chunk in chunks:
            if chunk:
                yield chunk
    finally:
        await chunks.aclose()
