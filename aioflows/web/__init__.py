"""Answers of web applications: a scan or a follow as JSON lines, events, Arrow or pages, for ASGI and aiohttp.web."""

from aioflows.web.adapters import django_response, quart_response
from aioflows.web.aiohttp_stream import answer_query_errors, stream
from aioflows.web.answers import NDJSON, ArrowStream, JSONPage, ServerSentEvents, StreamAnswer
from aioflows.web.cursor import CursorSigner
from aioflows.web.failures import ErrorAnswer, bad_request
from aioflows.web.parameters import ParameterError, limit_from, query_from

__all__ = [
    "NDJSON",
    "ArrowStream",
    "CursorSigner",
    "ErrorAnswer",
    "JSONPage",
    "ParameterError",
    "ServerSentEvents",
    "StreamAnswer",
    "answer_query_errors",
    "bad_request",
    "django_response",
    "limit_from",
    "quart_response",
    "query_from",
    "stream",
]
