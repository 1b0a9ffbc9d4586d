"""What do answers of `aioflows.web` cost, and do they stop for clients that leave or do not read, on every server?

The service is canned and runs in a process of its own, and so does each server. Three figures:

- *left*: clients leave at random moments, some before the first page. Searches that the service was sent later than 0.3 s
  after the last client had left, and the searches of each client's scan. Limit: none later.
- *stalled*: clients that read nothing: the memory of the server, in MB per stream over idle, and the same if a scan may read
  ahead as far as its session allows. Limit: 3 MB.
- *CPU*: the processor time of the server for all rows as NDJSON, as a ratio to the bare scan in the same server, in turns.
  Limit: 3 times.

    python -m benchmarks.web [--servers uvicorn,granian] [--clients 100] [--rows 100000] [--only left,stalled,cpu]
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import selectors
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import attrs

from benchmarks.canned import CannedService

ROOT = Path(__file__).parent.parent
TICK = os.sysconf("SC_CLK_TCK")
LATEST = 0.3  # seconds after a client has left
MOST_MB, MOST_CPU = 3.0, 3.0
ASGI, AIOHTTP = "benchmarks.web_applications:app", "benchmarks.web_applications:application"


@attrs.frozen
class Server:
    """A server.

    Args:
        modules: the modules that it needs.
        command: its command, in which {port} stands for the port.
    """

    modules: str
    command: str

    @property
    def is_installed(self) -> bool:
        try:
            return all(find_spec(module) is not None for module in self.modules.split())
        except ModuleNotFoundError:
            return False


SERVERS = {
    "uvicorn": Server("uvicorn", f"uvicorn {ASGI} --port {{port}} --log-level critical"),
    "hypercorn": Server("hypercorn", f"hypercorn {ASGI} -b 127.0.0.1:{{port}} --log-level critical"),
    "granian": Server(
        "granian", f"granian {ASGI} --interface asgi --host 127.0.0.1 --port {{port}} --no-log"
    ),
    "gunicorn-uvicorn": Server(
        "gunicorn uvicorn_worker",
        f"gunicorn {ASGI} -k uvicorn_worker.UvicornWorker -b 127.0.0.1:{{port}} --log-level critical",
    ),
    "gunicorn-asgi": Server(
        "gunicorn.asgi", f"gunicorn {ASGI} -k asgi -b 127.0.0.1:{{port}} --log-level critical"
    ),
    "gunicorn-aiohttp": Server(
        "gunicorn",
        f"gunicorn {AIOHTTP} -k aiohttp.GunicornWebWorker -b 127.0.0.1:{{port}} --log-level critical",
    ),
    "aiohttp": Server("aiohttp", "benchmarks.web_applications"),
}


class Running:
    """A server that runs, with its child processes."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self.port = port

    def processes(self) -> Iterator[int]:
        todo = [self._process.pid]
        while todo:
            number = todo.pop()
            yield number
            with suppress(OSError):
                children = Path(f"/proc/{number}/task/{number}/children").read_text(encoding="ascii")
                todo += map(int, children.split())

    def megabytes(self) -> float:
        """Return the memory that its processes hold alone, and their share of the rest."""
        total = 0
        for number in self.processes():
            with suppress(OSError):
                for line in Path(f"/proc/{number}/smaps_rollup").read_text(encoding="ascii").splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
        return total / 1000 * 1.024

    def seconds(self) -> float:
        """Return the processor time that its processes have taken."""
        total = 0
        for number in self.processes():
            with suppress(OSError):
                fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / TICK

    def ask(self, path: str) -> socket.socket:
        """Connect, and send a request."""
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.settimeout(30)
        client.connect(("127.0.0.1", self.port))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return client

    def read(self, path: str) -> int:
        """Read an answer to its end, and return its bytes."""
        size = 0
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=600) as answer:
            while part := answer.read(1 << 20):
                size += len(part)
        return size


@contextmanager
def served(server: Server, service: CannedService) -> Iterator[Running]:
    """Run a server with the applications."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", *server.command.format(port=port).split()]
    environment = os.environ | {
        "AIOFLOWS_URL": service.url,
        "FROM_MS": str(service.start_ms),
        "TO_MS": str(service.end_ms),
        "PORT": str(port),
    }
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    running = Running(process, port)
    try:
        for _ in range(600):
            with suppress(OSError):
                running.read("/")
                break
            time.sleep(0.05)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        for number in running.processes():
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        process.wait()


def left(server: Server, service: CannedService, clients: int) -> tuple[int, float]:
    """Let clients leave at random moments. Return the searches after that, and the searches of each client."""
    chance = random.Random(1)
    with served(server, service) as running:
        service.counted()
        moments = sorted((chance.uniform(0, 3), running.ask("/rows")) for _ in range(clients))
        began = time.monotonic()
        with selectors.DefaultSelector() as reading:
            for number, (_, client) in enumerate(moments):
                if number % 2:  # the others read nothing
                    reading.register(client, selectors.EVENT_READ)
            for number, (moment, client) in enumerate(moments):
                while (wait := began + moment - time.monotonic()) > 0:
                    for key, _ in reading.select(wait):
                        key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
                if number % 2:
                    reading.unregister(client)
                client.close()
        time.sleep(LATEST)
        during = service.counted()["searches"]
        time.sleep(3)
        return service.counted()["searches"], during / clients


def stalled(server: Server, service: CannedService, clients: int, path: str) -> float:
    """Return the memory of a server per client that reads nothing, over idle."""
    with served(server, service) as running, ExitStack() as stack:
        running.read("/bare")
        idle = running.megabytes()
        for _ in range(clients):
            stack.enter_context(running.ask(path))
        before, found = 0.0, idle
        while found > before + 1:  # until it grows no more
            time.sleep(5)
            before, found = found, running.megabytes()
        return (found - idle) / clients


def cost(server: Server, service: CannedService, path: str, rounds: int) -> float:
    """Return the processor time of an answer, as a ratio to the bare scan."""
    ratios = []
    with served(server, service) as running:
        running.read("/bare")
        for _ in range(rounds):
            took = []
            for each in ("/bare", path, "/bare"):
                began = running.seconds()
                running.read(each)
                took.append(running.seconds() - began)
            ratios.append(2 * took[1] / (took[0] + took[2]))
    return median(ratios)


def title(name: str) -> str:
    with suppress(PackageNotFoundError):
        return f"{name} {version(name.partition('-')[0])}"
    return name


def main(options: argparse.Namespace) -> int:
    print(f"Python {platform.python_version()}, {options.clients} clients, {options.rows:,} rows\n")
    print(
        f"{'':26}{'searches later':>15}{'a client':>10}{'MB stalled':>12}{'with all':>10}{'NDJSON':>9}{'Arrow':>8}"
    )
    failed = 0
    with CannedService(options.rows, 0.2) as slow, CannedService(options.rows) as quick:
        for name in options.servers.split(","):
            server = SERVERS[name]
            if not server.is_installed:
                print(f"{name:26} is not installed")
                continue
            line = f"{title(name):26}"
            if "left" in options.only:
                later, each = left(server, slow, options.clients)
                failed += later > 0
                line += f"{later:15}{each:10.1f}"
            if "stalled" in options.only:
                held = stalled(server, quick, options.clients, "/rows")
                ahead = stalled(server, quick, max(1, options.clients // 10), "/ahead")
                failed += held > MOST_MB
                line += f"{held:12.2f}{ahead:10.2f}"
            if "cpu" in options.only:
                ratio = cost(server, quick, "/rows", options.rounds)
                failed += ratio > MOST_CPU
                line += f"{ratio:9.2f}{cost(server, quick, '/arrow', options.rounds):8.2f}"
            print(line, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--servers", default=",".join(SERVERS))
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="left,stalled,cpu")
    sys.exit(main(parser.parse_args()))
