"""A service whose answers are ready, for measuring clients: it does as little as can be done for a request.

Rows lie in days of 5,320, of which 870 share the second of midnight; the rest are spread evenly. Each is one of 2,000
ready-made texts with an id and times of its own put in front. It knows windows, page numbers (the first is 0) and
both directions of the trigger time, and nothing else: no authentication, no filters. Of what a service may do wrong, it has
the three things that every reader of pages meets: rows of one second in another order in every answer, answers that are
silently cut short, and answers that fail now and then. The rest is the emulator's business.

    python -m benchmarks.canned INSTANCES LATENCY CAP FAILING UNSTABLE
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
import urllib.request
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any, Self

import msgspec

from benchmarks.rows import row

__all__ = ["CannedService"]

DAY, A_DAY, AT_MIDNIGHT = 86_400, 5_320, 870  # seconds, rows, rows
START = int(datetime(2023, 12, 31, 16, tzinfo=UTC).timestamp())  # a midnight by the service's clocks
SHIFT = timedelta(hours=8)
TEXTS = 2_000

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_ZONE = b'{"code":0,"msg":"OK","data":"GMT+8"}'


def trigger_second(number: int) -> int:
    """Give when a row was triggered, in seconds since the epoch."""
    day, place = divmod(number, A_DAY)
    if place < AT_MIDNIGHT:
        return START + DAY * day
    return START + DAY * day + (place - AT_MIDNIGHT + 1) * DAY // (A_DAY - AT_MIDNIGHT + 1)


@lru_cache(maxsize=8)  # a second's rows come one after the other
def wall_clock(second: int) -> bytes:
    return f"{datetime.fromtimestamp(second, UTC) + SHIFT:%Y-%m-%d %H:%M:%S}".encode()


def times(number: int, second: int) -> bytes:
    """Write the times of a row: started 8 seconds after its trigger, if at all, and most have ended."""
    trigger = wall_clock(second)
    started = b'"%b"' % wall_clock(second + 8) if number % 20 else b"null"
    ended = (
        b'"%b"' % wall_clock(second + 9 + number * 37 % 4000) if number % 20 and number % 10 != 5 else b"null"
    )
    return b'"triggerTime":"%b","startTime":%b,"endTime":%b,"timestamp":"%b.0",' % (
        trigger,
        started,
        ended,
        trigger,
    )


def ready_texts() -> list[bytes]:
    """Write rows but for their id and trigger time, each ending with the brace."""
    rng = random.Random(1)
    texts = []
    for number in range(TEXTS):
        members = row(number, rng)
        for name in ("instanceId", "triggerTime", "startTime", "endTime", "timestamp"):
            del members[name]
        texts.append(json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()[1:])
    return texts


class Answers:
    """What is answered to which body.

    Args:
        instances: *rows* there are.
        cap: *rows* that no answer exceeds.
        unstable: whether rows of one second come in another *order* in every answer.
    """

    def __init__(self, instances: int, cap: int, *, unstable: bool) -> None:
        self._cap, self._unstable, self._rng = cap, unstable, random.Random(1)
        self._texts = ready_texts()
        self._seconds = [trigger_second(number) for number in range(instances)]
        self._heads = [
            b'{"instanceId":"%d-%08d",%b' % (number % 900, number, times(number, second))
            for number, second in enumerate(self._seconds)
        ]

    def search(self, body: bytes) -> bytes:
        asked = msgspec.json.decode(body)
        if asked["expression"] or asked["owner"] or asked["status"]:
            raise ValueError("this service knows no filters")
        window = range(
            bisect_left(self._seconds, -(-asked["fromTriggerTime"] // 1000)),
            bisect_left(self._seconds, -(-asked["toTriggerTime"] // 1000)),
        )
        paging = asked["pagination"]
        size = min(paging["pageSize"], self._cap)
        backward = paging["sorters"][0]["order"] == "DESC"
        first = paging["pageNo"] * size
        numbers: Sequence[int] = (
            window[::-1][first : first + size] if backward else window[first : first + size]
        )
        if self._unstable:
            numbers = self._mixed(numbers, window)
        rows = b",".join(map(self._row, numbers)) if asked["type"] == 1 else b""
        return b'{"code":0,"msg":"OK","data":{"flowInsts":[%b],"count":%d}}' % (rows, len(numbers))

    def _mixed(self, numbers: Sequence[int], window: range) -> list[int]:
        """Put any rows of a second in the places of that second."""
        mixed: list[int] = []
        for second, places in groupby(numbers, self._seconds.__getitem__):
            low = max(bisect_left(self._seconds, second), window.start)
            high = min(bisect_right(self._seconds, second), window.stop)
            mixed += self._rng.sample(range(low, high), len(list(places)))
        return mixed

    def _row(self, number: int) -> bytes:
        return self._heads[number] + self._texts[number * 7 % TEXTS]


class Connection(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self, answers: Answers, latency: float, failing: int, counted: dict[str, int]) -> None:
        self._answers, self._latency, self._failing, self._counted = answers, latency, failing, counted
        self._came = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._counted["connections"] += 1

    def data_received(self, data: bytes) -> None:
        self._came += data
        while (end := self._came.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._came[:end])
            length = int(found[1]) if (found := _LENGTH.search(head)) else 0
            if len(self._came) < end + 4 + length:
                return
            body = bytes(self._came[end + 4 : end + 4 + length])
            del self._came[: end + 4 + length]
            self._ask(head, body)

    def _ask(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST"):
            self._counted["searches"] += 1
            loop = asyncio.get_running_loop()
            due = loop.time() + self._latency
            if self._failing and self._counted["searches"] % self._failing == 0:
                loop.call_at(due, self._say, b"try again", b"503 Service Unavailable")
            else:
                answer = self._answers.search(body)
                loop.call_at(due, self._say, answer)  # the latency includes what the answer took to make
        elif b"getTimeZone" in head:
            asyncio.get_running_loop().call_later(self._latency, self._say, _ZONE)
        else:
            self._say(json.dumps(self._counted).encode())
            self._counted.update(searches=0, connections=0)

    def _say(self, body: bytes, status: bytes = b"200 OK") -> None:
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
            status,
            len(body),
        )
        self._transport.write(head + body)


async def serve(instances: int, latency: float, cap: int, failing: int, *, unstable: bool) -> None:
    """Serve until standard input closes; the first line printed is the port."""
    loop = asyncio.get_running_loop()
    answers, counted = Answers(instances, cap, unstable=unstable), {"searches": 0, "connections": 0}
    server = await loop.create_server(lambda: Connection(answers, latency, failing, counted), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


class CannedService:
    """``with CannedService(instances, latency) as service:``, in a process of its own.

    Args:
        instances: *rows*.
        latency: *seconds* from a request to its answer.
        cap: *rows* that no answer exceeds.
        unstable: whether rows of one second come in another *order* in every answer.
        failing: every so *many* searches one is answered with HTTP 503; 0: none.
    """

    def __init__(
        self,
        instances: int,
        latency: float = 0.0,
        *,
        cap: int = 1_000_000,
        unstable: bool = False,
        failing: int = 0,
    ) -> None:
        self._arguments = [str(instances), str(latency), str(cap), str(failing), str(int(unstable))]
        self.start_ms = START * 1000
        self.end_ms = (trigger_second(instances - 1) // DAY * DAY + DAY) * 1000

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.canned", *self._arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # closes its input, and waits
            pass

    def counted(self) -> Any:
        """Give the *searches* and *connections* since the last call."""
        with urllib.request.urlopen(self.url) as answer:
            return json.load(answer)


if __name__ == "__main__":
    asyncio.run(
        serve(
            int(sys.argv[1]),
            float(sys.argv[2]),
            int(sys.argv[3]),
            int(sys.argv[4]),
            unstable=sys.argv[5] == "1",
        )
    )
