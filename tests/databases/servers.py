"""PostgreSQL and MariaDB servers for a run of the suite: private, empty, on a unix socket, and gone afterwards.

1. A server has a new folder, which only the user that runs it can enter. It listens on a unix socket in that folder and
   on no network address, so two runs on one machine do not meet, and no port is taken.
2. Nothing is flushed to disk (``fsync=off`` and its equivalents). All other settings that decide about query plans keep
   the defaults of Debian, since these plans are what is tested.
3. PostgreSQL refuses to run as root and MariaDB does so unwillingly: root starts them as the users that their packages
   make. The kernel ends them when the process that started them dies.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

__all__ = ["DATABASES", "NotInstalled", "Server", "serve"]

DATABASES = ("postgresql", "mariadb")

_START_TIMEOUT = 60.0  # seconds
_STOP_TIMEOUT = 20.0  # seconds

_POSTGRESQL_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # it would gather statistics, and so change plans, at moments that no run can repeat
    "max_connections": "60",
}

_MARIADB_OPTIONS = (
    "--skip-networking",
    "--skip-log-bin",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--innodb-stats-auto-recalc=0",  # statistics are gathered once, after loading
    "--character-set-server=utf8mb4",  # and the collation that belongs to it by default
    "--max-connections=60",
)


class NotInstalled(Exception):
    """The programs of a database are not on this machine."""


@attrs.frozen
class Server:
    """A running database server.

    Args:
        database: "postgresql" or "mariadb".
        folder: Folder that holds the server's files and its socket.
        version: What the server's program says about its version.
        user: Name of the user that the server runs as, and that owns the databases in it.
    """

    database: str
    folder: Path
    version: str
    user: str

    @property
    def socket(self) -> str:
        """Return what a driver takes as the place: PostgreSQL's folder, MariaDB's file."""
        return str(self.folder if self.database == "postgresql" else self.folder / "mariadb.sock")


@contextmanager
def serve(database: str) -> Iterator[Server]:
    """Start a server, wait until it answers, and stop it at the end.

    Args:
        database: "postgresql" or "mariadb".

    Raises:
        NotInstalled: the database's programs, or the user to run them as, are missing.
    """
    user, wrapper = _identity("postgres" if database == "postgresql" else "mysql")
    # Short, since the path of a unix socket has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="flows-db-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user, user)
        prepare = _prepare_postgresql if database == "postgresql" else _prepare_mariadb
        command, probe, version = prepare(folder, user, wrapper)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*wrapper, *command], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            _wait_until_ready(process, probe, folder)
            yield Server(database, folder, version, user)
        finally:
            _stop(process, database)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _identity(user: str) -> tuple[str, list[str]]:
    """Return the user that a server runs as, and the words that start a program so and end it with this process."""
    words = ["setpriv", "--pdeathsig", "TERM"]
    if shutil.which("setpriv") is None:
        raise NotInstalled("setpriv (of util-linux) is not installed")
    if os.geteuid() != 0:
        return _own_name(), words
    if subprocess.run(["id", user], capture_output=True, check=False).returncode != 0:
        raise NotInstalled(f"there is no user {user} to run the server as")
    return user, [*words, f"--reuid={user}", f"--regid={user}", "--clear-groups"]


def _own_name() -> str:
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def _prepare_postgresql(folder: Path, user: str, wrapper: Sequence[str]) -> tuple[list[str], list[str], str]:
    """Make an empty cluster; return the command that serves it, one that asks whether it is ready, and the version."""
    programs = _postgresql_programs()
    files = folder / "files"
    _run(
        [
            *wrapper,
            str(programs / "initdb"),
            "--pgdata",
            str(files),
            "--username",
            user,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ],
        folder,
    )
    settings = [word for name, value in _POSTGRESQL_SETTINGS.items() for word in ("-c", f"{name}={value}")]
    server = str(programs / "postgres")
    return (
        [server, "-D", str(files), "-k", str(folder), *settings],
        [str(programs / "pg_isready"), "--quiet", "--host", str(folder)],
        _run([server, "--version"], folder),
    )


def _postgresql_programs() -> Path:
    """Return the folder of the newest installed server's programs, which Debian keeps out of the path."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: float(path.parent.parent.name),
    )
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise NotInstalled("PostgreSQL's initdb is not installed (apt-get install postgresql)")
    return found[-1].parent if found else Path(str(on_path)).resolve().parent


def _prepare_mariadb(folder: Path, user: str, wrapper: Sequence[str]) -> tuple[list[str], list[str], str]:
    """Do the same for MariaDB, whose root has no password on a socket that nobody else reaches."""
    install, server = shutil.which("mariadb-install-db"), shutil.which("mariadbd", path=_with_sbin())
    admin = shutil.which("mariadb-admin")
    if install is None or server is None or admin is None:
        raise NotInstalled("MariaDB's server is not installed (apt-get install mariadb-server)")
    files = folder / "files"
    _run(
        [
            *wrapper,
            install,
            "--no-defaults",
            f"--datadir={files}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        folder,
    )
    socket = folder / "mariadb.sock"
    return (
        [
            server,
            "--no-defaults",
            f"--datadir={files}",
            f"--socket={socket}",
            f"--pid-file={folder / 'pid'}",
            *_MARIADB_OPTIONS,
        ],
        [admin, "--no-defaults", f"--socket={socket}", "--user=root", "--silent", "ping"],
        _run([server, "--version"], folder),
    )


def _with_sbin() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command} failed: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def _wait_until_ready(process: subprocess.Popen[bytes], probe: Sequence[str], folder: Path) -> None:
    """Wait until the probe succeeds; raise RuntimeError with the server's log if it does not."""
    end = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < end and process.poll() is None:
        if subprocess.run(probe, cwd=folder, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {(folder / 'log').read_text(errors='replace')[-4000:]}")


def _stop(process: subprocess.Popen[bytes], database: str) -> None:
    """Stop the server without a checkpoint, since its files are thrown away."""
    with suppress(ProcessLookupError):
        process.send_signal(
            3 if database == "postgresql" else 15
        )  # SIGQUIT is PostgreSQL's immediate shutdown
    try:
        process.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
