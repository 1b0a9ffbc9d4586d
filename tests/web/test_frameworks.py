"""The answers in the frameworks that the guide names, as it says, with the real packages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from aioflows import FlowQuery, FlowSession, QueryError
from aioflows.emulator import Emulator
from aioflows.web import NDJSON, bad_request, django_response, quart_response, query_from

pytestmark = pytest.mark.real_time

PATIENCE = 10


def starlette(session: FlowSession) -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def instances(request: Request) -> Response:
        return NDJSON(session.scan(query_from(request.query_params)))

    return Starlette(routes=[Route("/instances", instances)], exception_handlers={QueryError: bad_request})


def fastapi(session: FlowSession) -> Any:
    from fastapi import FastAPI, Request

    app = FastAPI(exception_handlers={QueryError: bad_request})

    async def instances(request: Request):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return NDJSON(session.scan(query_from(request.query_params)))

    instances.__annotations__["request"] = Request
    app.get("/instances")(instances)
    return app


def litestar(session: FlowSession) -> Any:
    from litestar import Litestar, Request, Response, get
    from litestar.types import ASGIApp

    from aioflows.web import ErrorAnswer

    async def instances(request: Any) -> Any:
        return NDJSON(session.scan(query_from(request.query_params)))

    instances.__annotations__ |= {"request": Request, "return": ASGIApp}

    def refuse(_: Any, error: Any) -> Any:
        return Response(bytes(ErrorAnswer(error).body), status_code=400, media_type="application/json")

    handlers: Any = {QueryError: refuse}
    return Litestar([get("/instances")(instances)], exception_handlers=handlers)


def quart(session: FlowSession) -> Any:
    import quart

    from aioflows.web import ErrorAnswer

    app = quart.Quart("app")

    @app.get("/instances")  # type: ignore[untyped-decorator,unused-ignore]
    async def instances() -> Any:
        return await quart_response(NDJSON(session.scan(query_from(quart.request.args))))

    @app.errorhandler(QueryError)  # type: ignore[untyped-decorator,unused-ignore]
    async def refuse(error: QueryError) -> Any:
        return await quart_response(ErrorAnswer(error))

    return app


def django(session: FlowSession) -> Any:
    import sys
    from types import ModuleType

    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.urls import clear_url_caches, path

    from aioflows.web import ErrorAnswer

    async def instances(request: Any) -> Any:
        try:
            query = query_from(request.GET)
        except QueryError as error:
            return await django_response(ErrorAnswer(error))
        return await django_response(NDJSON(session.scan(query)))

    urls: Any = ModuleType("aioflows_test_urls")
    urls.urlpatterns = [path("instances", instances)]
    sys.modules[urls.__name__] = urls
    clear_url_caches()
    if not settings.configured:
        settings.configure(
            ROOT_URLCONF=urls.__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", LOGGING_CONFIG=None
        )
    return get_asgi_application()


FRAMEWORKS: dict[str, Callable[[FlowSession], Any]] = {
    one.__name__: one for one in (starlette, fastapi, litestar, quart, django)
}


async def ask(app: Any, query: str, leaves: asyncio.Event | None = None) -> tuple[int | None, bytes]:
    """Ask an application, as a server does."""
    status, parts, asked = None, [], False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await (leaves or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)
        parts.append(message.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/instances",
        "raw_path": b"/instances",
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await asyncio.wait_for(app(scope, receive, send), PATIENCE)
    return status, b"".join(parts)


@pytest.mark.long
@pytest.mark.parametrize("name", FRAMEWORKS)
async def test_the_framework_answers_with_every_row_refuses_and_stops(name: str) -> None:
    pytest.importorskip(name)
    async with (
        Emulator(700, seed=2, schedule_types=(1,)) as emulator,
        FlowSession(emulator.url, user_id="u", org_id="o") as session,
    ):
        app = FRAMEWORKS[name](session)
        query = f"from_ms={emulator.start_ms}&to_ms={emulator.end_ms}&type=periodic"
        status, body = await ask(app, query)
        assert status == 200
        assert len([json.loads(line) for line in body.splitlines()]) == 700
        status, body = await ask(app, f"{query}&status=<b>")
        assert (status, json.loads(body)["parameter"]) == (400, "status")
    async with (
        Emulator(700, seed=2, latency=PATIENCE * 2) as emulator,
        FlowSession(emulator.url, user_id="u", org_id="o", server_timezone="GMT+8") as session,
    ):
        app, leaves = FRAMEWORKS[name](session), asyncio.Event()
        asking = asyncio.create_task(ask(app, f"from_ms={emulator.start_ms}&to_ms={emulator.end_ms}", leaves))
        while not (emulator.in_flight or asking.done()):  # noqa: ASYNC110  (the service is behind sockets)
            await asyncio.sleep(0.01)
        leaves.set()
        await asyncio.wait([asking])
        assert asking.exception() is None
        await asyncio.sleep(0.3)
        assert emulator.in_flight == 0


def test_a_query_is_equal_however_it_was_asked_for() -> None:
    assert query_from("from_ms=1704067200000&to_ms=1704153600000") == FlowQuery(1704067200000, 1704153600000)
