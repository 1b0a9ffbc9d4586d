"""What a board answers to each path: its page, its state, its events, runs of a cell, and one instance."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import attrs

from aioflows._core.board.runs import BoardRun
from aioflows._display.text import printable
from aioflows.board.event_stream import BoardEvents
from aioflows.board.feed import BoardFeed
from aioflows.board.instance_details import InstanceDetails
from aioflows.board.page import SAFE_HEADERS, page
from aioflows.board.settings import BoardSettings
from aioflows.errors import AioflowsError
from aioflows.web.answers import StreamAnswer
from aioflows.web.failures import ErrorAnswer, json_bytes

__all__ = ["BoardAnswers", "WholeAnswer"]

_LISTED = 500
_LONGEST_QUERY = 4_000  # characters
_REFUSED = "default-src 'none'; frame-ancestors 'none'"


@attrs.frozen
class WholeAnswer:
    """An answer that is sent at once.

    Args:
        status: the HTTP status.
        headers: the headers.
        body: the body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class BoardAnswers:
    """The answers of a board.

    Args:
        feed: the work behind the board.
        details: reads single instances.
        settings: the settings.
    """

    def __init__(self, feed: BoardFeed, details: InstanceDetails, settings: BoardSettings) -> None:
        self._feed = feed
        self._details = details
        self._settings = settings

    async def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str]
    ) -> WholeAnswer | StreamAnswer:
        """Return the answer to a request.

        Args:
            method: the HTTP method.
            path: the path below the board.
            query: the query string.
            headers: the headers, by their names in small letters.
        """
        hosts = self._settings.hosts
        if hosts is not None and host_name(headers.get("host", "")) not in hosts:
            return _refusal(403, "this board answers to its own address only")
        if method not in ("GET", "HEAD"):
            return _refusal(405, "a board is only read", {"allow": "GET, HEAD"})
        place = self._below_token(path)
        if place is None:
            return _refusal(403, "the address of this board begins with its token")
        if len(query) > _LONGEST_QUERY:
            return _refusal(414, "the query is too long")
        given = {
            name: values[-1]
            for name, values in parse_qs(query, keep_blank_values=True, max_num_fields=20).items()
        }
        if place in ("", "index.html"):
            return WholeAnswer(200, *page())
        if place == "state":
            return _json(self._feed.hub.whole(), {"content-encoding": "gzip"})
        if place == "events":
            number = self._feed.hub.number(headers.get("last-event-id") or given.get("after", ""))
            return StreamAnswer(BoardEvents(self._feed.hub, number))
        if place == "runs":
            return self._runs(given)
        if place == "instance":
            return await self._instance(given.get("id", ""))
        return _refusal(404, "a board has no such page")

    def _below_token(self, path: str) -> str | None:
        """Return the path behind the token. None means that the token is wrong."""
        place = path.removeprefix("/")
        if not self._settings.token:
            return place
        token, _, place = place.partition("/")
        right = hmac.compare_digest(token.encode(), self._settings.token.encode())
        return place if right else None

    def _runs(self, given: Mapping[str, str]) -> WholeAnswer:
        flow, bin = (given.get(name, "") for name in ("flow", "bin"))
        if not all(one.isdecimal() and len(one) < 15 for one in (flow, bin)):
            return _refusal(400, "flow and bin must be numbers")
        if not all(one.isdecimal() for name in ("series", "status") for one in _parts(given.get(name))):
            return _refusal(400, "series and status must be numbers, with commas between them")
        series, statuses = (
            {int(one) for one in _parts(given[name])} if name in given else None
            for name in ("series", "status")
        )
        runs = self._feed.state.runs_of(int(flow), int(bin), series, statuses)
        shown: list[dict[str, Any]] = [_members(run) for run in runs[:_LISTED]]
        return _json(json_bytes({"runs": shown, "left_out": len(runs) - len(shown)}))

    async def _instance(self, id: str) -> WholeAnswer:
        if not id or not id.isprintable():
            return _refusal(400, "id must be the id of an instance")
        try:
            return _json(json_bytes(await self._details.read(id)))
        except AioflowsError as error:
            answer = ErrorAnswer(error)
            return WholeAnswer(answer.status_code, _headers("application/json"), bytes(answer.body))


def _parts(text: str | None) -> list[str]:
    return text.split(",") if text else []


def host_name(host: str) -> str:
    """Return the name in a ``Host`` header, without its port, in small letters."""
    name = host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return name.lower()


def _members(run: BoardRun) -> dict[str, Any]:
    return {
        "id": printable(run.instance_id),
        "status": None if run.status is None else str(run.status),
        "trigger": run.trigger_ms,
        "start": run.start_ms,
        "end": run.end_ms,
        "type": None if run.type is None else int(run.type),
    }


def _headers(kind: str) -> dict[str, str]:
    return {**SAFE_HEADERS, "content-type": kind, "content-security-policy": _REFUSED}


def _json(body: bytes, more: Mapping[str, str] | None = None) -> WholeAnswer:
    return WholeAnswer(200, _headers("application/json") | dict(more or {}), body)


def _refusal(status: int, text: str, more: Mapping[str, str] | None = None) -> WholeAnswer:
    body = json.dumps({"error": text}).encode()
    return WholeAnswer(status, _headers("application/json") | dict(more or {}), body)
