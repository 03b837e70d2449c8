"""A PostgreSQL server, for tests and for a cluster on this machine.

It runs as an unprivileged user, in a temporary folder, and is reached by a socket there.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import glob
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

USER = "retroflex"
FAST = ("fsync=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=32MB")


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, None where it is not installed."""
    known = [shutil.which("initdb") or "", *sorted(glob("/usr/lib/postgresql/*/bin/initdb"), reverse=True)]
    found = next((Path(one).resolve().parent for one in known if one and Path(one).exists()), None)
    return found if found is not None and (found / "pg_ctl").exists() else None


class Server:
    """A running server."""

    def __init__(self, bin_folder: Path, folder: Path) -> None:
        self._bin, self._numbers = bin_folder, count(1)
        self.folder = folder
        self.data = folder / "data"
        self.account = unprivileged()

    def address(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql+psycopg://{USER}@/{name}?host={quote(str(self.folder), safe='')}"

    def database(self) -> str:
        """Make a database and return its address."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def execute(self, *statements: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run statements outside of transactions; return the rows of the last one."""
        import psycopg

        rows: list[tuple[Any, ...]] = []
        with psycopg.connect(host=str(self.folder), user=USER, dbname=database, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def command(self) -> list[str]:
        """Return the command that runs it in the foreground, durable as it is by default."""
        options = ("listen_addresses=", f"unix_socket_directories={self.folder}")
        return [str(self._bin / "postgres"), "-D", str(self.data), *(word for one in options for word in ("-c", one))]

    def answers(self) -> bool:
        """Return whether it takes connections."""
        return subprocess.run([self._bin / "pg_isready", "-q", "-h", self.folder], check=False).returncode == 0

    def start(self, *settings: str) -> None:
        """Start it for tests, fast rather than durable, and wait until it answers."""
        options = ["listen_addresses=", f"unix_socket_directories={self.folder}", *FAST, *settings]
        given = " ".join(f"-c {option}" if option.split("=")[1] else f"-c {option}''" for option in options)
        self._run("pg_ctl", "-D", self.data, "-w", "-s", "-l", self.folder / "log", "-o", given, "start")

    def stop(self, how: str = "immediate") -> None:
        """Stop it and end all connections."""
        self._run("pg_ctl", "-D", self.data, "-w", "-s", "-m", how, "stop")

    def kill(self) -> None:
        """Kill all of its processes, as a crash of the machine does."""
        lock = self.data / "postmaster.pid"
        main = int(lock.read_text().split()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        processes = [main, *map(int, children)]
        for one in processes:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        while any(map(_runs, processes)):
            time.sleep(0.01)
        for stale in (lock, *self.folder.glob(".s.PGSQL.*")):
            stale.unlink()  # in a container nobody may reap the process, and then it looks alive to PostgreSQL

    def init(self) -> None:
        """Make its folder. Texts are ordered as people do, which the store must not depend on."""
        locale = ("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")
        self._run("initdb", "-D", self.data, "-U", USER, "-A", "trust", "-E", "UTF8", *locale, "--no-sync")

    def _run(self, program: str, *arguments: str | Path) -> None:
        user = None if self.account is None else self.account.pw_uid
        group = None if self.account is None else self.account.pw_gid
        done = subprocess.run(
            [self._bin / program, *arguments],
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "Asia/Kathmandu"},
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.stderr.decode()}"


@contextmanager
def running_server(bin_folder: Path) -> Iterator[Server]:
    """Yield a server with a folder of its own; a short path, as one of a socket may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="retroflex-pg-") as folder:
        server = Server(bin_folder, Path(folder))
        if server.account is not None:
            os.chown(folder, server.account.pw_uid, server.account.pw_gid)
        server.init()
        server.start()
        try:
            yield server
        finally:
            with suppress(AssertionError):  # a test may have stopped it
                server.stop()


def _runs(pid: int) -> bool:
    """Return whether a process is there; one that has ended may wait for its parent to hear of it."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def unprivileged() -> pwd.struct_passwd | None:
    """Return the account to run as, None for the present one: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise LookupError("there is no account but root")
