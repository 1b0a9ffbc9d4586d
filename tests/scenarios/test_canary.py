"""Marked secrets, and whatever goes wrong: none of them comes out, wherever one looks.

Every fault that the emulator knows befalls a search, and then a token request, over real sockets, with everything switched
on that makes Python and its libraries talkative. What is marked: both keys, each token that was issued, each signature
and each proof that was sent, and in logs the user and the organization as well.
"""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import traceback
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import pytest

from aioflows import (
    AioflowsError,
    AppKey,
    FlowQuery,
    FlowScan,
    FlowSession,
    Limits,
    RetryPolicy,
    ScheduleType,
)
from aioflows._net.http import AiohttpTransport
from aioflows._net.transport import Answer, Request
from aioflows.emulator import Emulator, Fault
from aioflows.emulator.faults.catalogue import KINDS
from tests.support.commands import command, environment
from tests.support.fakes import FakeTransport, Sent, answer, envelope
from tests.support.long import long_but

ACCESS, SECRET, HEADER = "ACCESS-KEY-CANARY", "SECRET-KEY-CANARY", "HEADER-VALUE-CANARY"
USER, ORG = "USER-CANARY", "ORG-CANARY"
RETRY = RetryPolicy(max_tries=2, base=0.0, attempt_timeout=0.2, max_retry_after=0.02)
STATUSES = (204, 307, 400, 401, 407, 500, 503)
CODES = (-1, 1001, 1002, 1003, 1203, 62103, 62109)


def kinds() -> Iterator[str]:
    for kind in KINDS:
        numbers = STATUSES if kind.startswith("http-") else CODES if kind.startswith("code-") else ()
        yield from (f"{kind.partition('<')[0]}{number}" for number in numbers) if numbers else (kind,)


class Recorder:
    """Carries requests, and remembers what in them is secret.

    Args:
        carrier: who carries them in truth.
    """

    def __init__(self, carrier: AiohttpTransport | FakeTransport) -> None:
        self.marked = {ACCESS, SECRET, HEADER}
        self._carrier = carrier

    async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer:
        self.marked |= {headers[name] for name in ("apim-accesstoken", "apim-signature") if name in headers}
        if "/token/" in request.url:
            self.marked.add(json.loads(request.body or b"")["encryption"])
        return await self._carrier.send(request, headers, timeout)

    async def close(self) -> None:
        await self._carrier.close()


def session_to(url: str, recorder: Recorder, events: list[object]) -> FlowSession:
    return FlowSession(
        url,
        user_id=USER,
        org_id=ORG,
        auth=AppKey(ACCESS, SECRET),
        http=recorder,
        headers={"X-Api-Key": HEADER, "Authorization": f"Bearer {HEADER}"},
        retry=RETRY,
        limits=Limits(page_size=10, concurrency=2),
        observer=events.append,
    )


async def shown(session: FlowSession, query: FlowQuery) -> str:
    """Scan, and give everything that can be seen of it and of the error that it ended with."""
    texts: list[str] = []
    scan = session.scan(query)
    for step in (rows_of(scan), session.page(query, 0, 10), session.get("1-2"), session.server_time()):
        try:
            texts.append(repr(await step))
        except AioflowsError as error:
            dump = traceback.TracebackException.from_exception(error, capture_locals=True)
            texts += [*dump.format(), repr(error), repr(vars(error)), repr(error.args)]
            texts += [repr(pickle.dumps(error)), repr(error.__cause__), repr(error.__context__)]
    texts += [repr(one) for one in (session, scan, scan.stats, scan.plan(), query, session.limits, RETRY)]
    texts += [repr(session._caller), scan.checkpoint().to_json(), repr(scan.checkpoint())]
    await scan.aclose()
    return "\n".join([*texts, repr(session), repr(scan)])


async def rows_of(scan: FlowScan) -> int:
    return len([row async for row in scan])


def told(events: list[Any]) -> str:
    return "\n".join(f"{one!r} {attrs.asdict(one)!r}" for one in events)


def hits(marked: set[str], **places: str) -> list[str]:
    """Where something marked stands, in words that do not repeat it."""
    assert all(len(mark) > 8 for mark in marked)
    return [f"{name}: …{text[max(0, at - 60) : at]!r}" for name, text in places.items()
            for mark in marked if (at := text.find(mark)) >= 0]  # fmt: skip


@pytest.mark.real_time
@pytest.mark.parametrize("kind", long_but(*list(kinds())[::9], of=kinds()))
async def test_whatever_goes_wrong_no_secret_is_seen(
    kind: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0  # every step of every task is logged
    for fault in (
        Fault(3, kind, times=10_000, seconds=0.01, size=34_000_000),
        Fault(1, kind, times=10_000, seconds=0.01, size=34_000_000, on="token"),
    ):
        recorder, events = Recorder(AiohttpTransport()), list[object]()
        emulator = Emulator(
            40, seed=1, app_key=ACCESS, app_secret=SECRET, user_id=USER, org_id=ORG, faults=[fault]
        )
        with warnings.catch_warnings(record=True, action="always") as warned:
            async with emulator, session_to(emulator.url, recorder, events) as session:
                query = FlowQuery(emulator.start_ms, emulator.end_ms, type=ScheduleType.PERIODIC)
                seen = await shown(session, query)
                recorder.marked |= emulator._require_open().deployment.gateway._issued
        out, err = capsys.readouterr()
        logs = "\n".join(f"{one.getMessage()} {one.exc_text} {one.args!r}" for one in caplog.records)
        caplog.clear()
        found = hits(
            recorder.marked,
            objects=seen,
            events=told(events),
            logs=logs,
            warnings="\n".join(str(one.message) for one in warned),
            output=out + err,
        )
        assert found + hits({USER, ORG}, logs=logs, output=out + err) == []
    loop.set_debug(False)


@pytest.mark.real_time
@pytest.mark.parametrize("kind", long_but("http-401", of=["code-0", "html", "http-401", "wrong-types"]))
async def test_the_command_line_shows_none_either(kind: str) -> None:
    keys = {"AIOFLOWS_ACCESS_KEY": ACCESS, "AIOFLOWS_SECRET_KEY": SECRET}
    talkative = {"PYTHONASYNCIODEBUG": "1", "PYTHONDEVMODE": "1", "PYTHONFAULTHANDLER": "1"}
    faults = [Fault(2, kind, times=10_000)]
    async with Emulator(40, seed=1, app_key=ACCESS, app_secret=SECRET, faults=faults) as emulator:
        asked = ["scan", "--url", emulator.url, "--user-id", "u", "--org-id", "o", "--page-size", "10"]
        window = ["--from", emulator.start.isoformat(), "--to", emulator.end.isoformat()]
        process = await asyncio.create_subprocess_exec(
            *command(*asked, *window),
            env=environment(**keys, **talkative),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        issued = emulator._require_open().deployment.gateway._issued
    assert issued, "it has got as far as to a token"
    assert hits({ACCESS, SECRET} | issued, out=out.decode(), err=err.decode()) == []


TOKEN = "TOKEN-CANARY+a/b=="


def echo(sent: Sent, how: str) -> Answer:
    """An answer that repeats everything that it was sent, as debug pages do."""
    heard = f"invalid {TOKEN}: {dict(sent.headers)} {(sent.request.body or b'').decode()} {ACCESS}"
    answers: dict[str, Any] = {
        "text": answer(heard, 400),
        "message": envelope(None, 62102, heard),
        "page": answer(f"<html>{heard}</html>"),
        "fault": answer({"status": 500, "error": heard}, 500),
        "redirect": answer("", 302, Location=f"https://{TOKEN}:x@{TOKEN}/?{heard}"),
        "throttled": answer({"code": 429, "msg": heard}, 429),
        "code": answer({"code": TOKEN, "msg": heard}),
        "zone": envelope({"timezone": heard}),
        "cut": envelope(None, 62102, "word " * 38 + TOKEN),
    }
    made: Answer = answers[how]
    return made


@pytest.mark.parametrize(
    "how", ["text", "message", "page", "fault", "redirect", "throttled", "code", "zone", "cut"]
)
async def test_a_service_that_repeats_what_it_hears_is_not_repeated(how: str) -> None:
    def respond(sent: Sent) -> Answer:
        if "/token/" in sent.request.url:
            return envelope({"accessToken": TOKEN, "expire": 7200})
        return echo(sent, how)

    recorder, events = Recorder(FakeTransport(respond)), list[object]()
    async with session_to("https://enos.test", recorder, events) as session:
        text = await shown(session, FlowQuery(0, 1_704_067_200_000, type=ScheduleType.PERIODIC))
    assert hits(recorder.marked | {TOKEN, TOKEN[:10]}, objects=text, events=told(events)) == []


@pytest.mark.parametrize("how", ["text", "message", "page", "fault", "throttled"])
async def test_nor_is_one_that_does_so_where_the_token_is_asked_for(how: str) -> None:
    recorder, events = Recorder(FakeTransport(lambda sent: echo(sent, how))), list[object]()
    async with session_to("https://enos.test", recorder, events) as session:
        text = await shown(session, FlowQuery(0, 1_704_067_200_000, type=ScheduleType.PERIODIC))
    assert hits(recorder.marked, objects=text, events=told(events)) == []


def test_a_mark_would_be_found() -> None:
    assert hits({ACCESS}, somewhere=f"at {ACCESS}") == ["somewhere: …'at '"]
