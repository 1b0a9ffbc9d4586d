"""Real gateways in front of the emulator: nginx and HAProxy, in real time, on the loopback interface.

The exact shares are claimed in virtual time, in ``test_rate_used.py``. Here each scan must be complete, and the share is a
loose bound, since the machine may be busy.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aioflows import FlowQuery, FlowSession, Limits, ScheduleType
from aioflows.emulator import EmulatorProcess
from aioflows.stats import ScanStats

pytestmark = [pytest.mark.long, pytest.mark.real_time]

PAGES, PAGE = 200, 10
RATE = 40

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log crit;
events {{ }}
http {{
    access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    limit_req_zone $server_name zone=all:1m rate=40r/s;
    server {{
        listen 127.0.0.1:{port}; server_name all;
        location / {{ limit_req zone=all {burst}; limit_req_status {status}; proxy_pass http://127.0.0.1:{behind}; }}
    }}
}}
"""

HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend all
    bind 127.0.0.1:{port}
    stick-table type ip size 1k expire 1m store http_req_rate(1s)
    http-request track-sc0 src
    http-request {refusal} if {{ sc_http_req_rate(0) gt 40 }}
    default_backend service
backend service
    server one 127.0.0.1:{behind}
"""


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


@contextmanager
def gateway(program: str, arguments: list[str], port: int) -> Iterator[str]:
    """Run a gateway, and give its address."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if path is None:
        pytest.skip(f"{program} is not installed; Debian's package has the same name")
    process = subprocess.Popen([path, *arguments], stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as tried:
                if not tried.connect_ex(("127.0.0.1", port)):
                    break
            assert process.poll() is None, f"{program} ended with {process.returncode}"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


async def read(program: str, config: str, folder: Path, **settings: object) -> tuple[ScanStats, float]:
    """Read everything through a gateway. Return the account, and the share of the rate that was used."""
    emulator = EmulatorProcess(
        instances=PAGES * PAGE, seed=1, profile="uniform", schedule_types=(1,), days=900, latency=0.03
    )
    async with emulator as service:
        port = free_port()
        text = config.format(folder=folder, port=port, behind=service.url.rpartition(":")[2], **settings)
        file = folder / "config"
        file.write_text(text)
        arguments = ["-c", str(file), "-p", str(folder)] if program == "nginx" else ["-f", str(file)]
        with gateway(program, arguments, port) as url:
            limits = Limits(page_size=PAGE, concurrency=64)
            async with FlowSession(url, user_id="u", org_id="o", limits=limits, allow_http=True) as session:
                query = FlowQuery(service.start_ms, service.end_ms, type=ScheduleType.PERIODIC)
                async with session.scan(query) as scan:
                    rows = [row.instance_id async for page in scan.pages() for row in page]
                stats = scan.stats
    assert len(set(rows)) == len(rows) == PAGES * PAGE
    return stats, (stats.requests - stats.throttled) / stats.elapsed / RATE


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("burst", ["", "burst=10 nodelay", "burst=10"])
async def test_the_rate_of_nginx_is_used_with_and_without_a_burst(
    burst: str, status: int, tmp_path: Path
) -> None:
    stats, share = await read("nginx", NGINX, tmp_path, burst=burst, status=status)
    assert share > (0.5 if burst else 0.3), stats


@pytest.mark.parametrize("refusal", ["deny deny_status 429", "deny deny_status 503", "reject"])
async def test_nothing_is_missing_behind_haproxy_that_counts_refused_requests_too(
    refusal: str, tmp_path: Path
) -> None:
    stats, share = await read("haproxy", HAPROXY, tmp_path, refusal=refusal)
    assert share > 0.2, stats
