"""How tests ask the emulator: without a socket, at a fixed moment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aioflows.emulator import Emulator, Reply

BASE = "/batch-processing-service/v2.1"
NOW = 1_735_700_000_000
JSON = {"Content-Type": "application/json"}
USER = [("userId", "u"), ("orgId", "o")]


def search_body(emulator: Emulator, **changes: Any) -> dict[str, Any]:
    pagination = {
        "pageNo": changes.pop("page_no", emulator.quirks.first_page),
        "pageSize": changes.pop("page_size", 100),
        "sorters": [
            {"field": field.removeprefix("-"), "order": "DESC" if field.startswith("-") else "ASC"}
            for field in changes.pop("sort", ["trigger_time"])
        ],
    }
    return {
        "type": changes.pop("type", 1),
        "expression": changes.pop("expression", ""),
        "owner": changes.pop("owner", ""),
        "fromTriggerTime": changes.pop("from_ms", emulator.start_ms),
        "toTriggerTime": changes.pop("to_ms", emulator.end_ms),
        "status": changes.pop("status", ""),
        "pagination": pagination,
        **changes,
    }


def post(
    emulator: Emulator,
    body: object,
    headers: Mapping[str, str] | None = None,
    *,
    now_ms: float = NOW,
    base: str = BASE,
) -> Reply:
    return emulator.respond(
        "POST",
        f"{base}/flowInstances",
        [("action", "search"), *USER],
        {**JSON, **(headers or {})},
        json.dumps(body).encode(),
        now_ms=now_ms,
    )


def search_reply(emulator: Emulator, *, now_ms: float = NOW, **changes: Any) -> Reply:
    return post(emulator, search_body(emulator, **changes), now_ms=now_ms)


def search(emulator: Emulator, **changes: Any) -> Any:
    """The envelope that answers a search."""
    return json.loads(search_reply(emulator, **changes).body)


def rows(emulator: Emulator, **changes: Any) -> list[dict[str, Any]]:
    """The instances that answer a search."""
    listed: list[dict[str, Any]] = search(emulator, **changes)["data"]["flowInsts"]
    return listed


def ids(emulator: Emulator, **changes: Any) -> list[str]:
    return [row["instanceId"] for row in rows(emulator, **changes)]


def get(emulator: Emulator, resource: str, base: str = BASE, **query: str) -> Any:
    reply = emulator.respond("GET", f"{base}/{resource}", [*query.items(), *USER], now_ms=NOW)
    return json.loads(reply.body)
