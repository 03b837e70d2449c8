"""The cluster: PostgreSQL, two web servers and nginx before them, all on this machine."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from threading import current_thread, main_thread

from bench.deployment import engines, nginx, postgresql
from bench.deployment.client import Client
from bench.deployment.network import Door
from bench.deployment.services import Keeper, Service, free_port
from data.errors import RetroflexError
from data.settings import ENV_PREFIX
from webui.auth.keys import TOKEN_VARIABLE

ROOT = Path(__file__).parents[2]
RETROFLEX = (sys.executable, "-m", "retrieval.cli")
WEB_SERVERS = 2


@dataclass
class Cluster:
    """A cluster with its files in `folder`, and the page at `door`. Use `running_cluster`."""

    folder: Path
    door: Door

    def __post_init__(self) -> None:
        self.token = secrets.token_hex(16)
        self._port = free_port() if self.door.socket else self.door.port
        self.client = Client(self._port, self.token)
        self.postgresql = postgresql.Server(_postgresql(), _folder(self.folder / "pg"))

    @cached_property
    def database_url(self) -> str:
        """The address of the library."""
        return self.postgresql.address("postgres")

    @cached_property
    def services(self) -> dict[str, Service]:
        """The services by name, in the order in which they start."""
        ports = [free_port() for _ in range(WEB_SERVERS)]
        web = [self._web(number, port) for number, port in enumerate(ports, 1)]
        vectors = [engines.milvus(self.folder, own_environment())] if engines.has("milvus") else []
        machines = engines.ray(self.folder, own_environment()) if engines.has("ray") else []
        return {one.name: one for one in (self._database(), *vectors, *machines, *web, self._proxy(ports))}

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment of a command or server, whose own files are in a folder of that `name`."""
        settings = {"LIBRARY": str(self.folder / name), "DATABASE_URL": self.database_url}
        if engines.has("milvus"):
            settings["VECTORS"] = engines.VECTORS
        return own_environment() | {ENV_PREFIX + name: value for name, value in settings.items()}

    def command(self, *arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command of `retroflex` on the library, with `given` on its standard input."""
        return run_retroflex(self.environment("commands") | engines.RAY_ENVIRONMENT, *arguments, given=given)

    def index(self, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """Index a folder, by Ray where it runs."""
        where = ("--executor", "ray", "--address", f"127.0.0.1:{engines.RAY_PORT}") if engines.has("ray") else ()
        return self.command("index", folder, *where, *options)

    def _database(self) -> Service:
        server = self.postgresql
        account = None if server.account is None else server.account.pw_uid
        log, environment = self.folder / "postgresql.log", {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
        return Service("postgresql", server.command(), server.answers, log, environment, account)

    def _web(self, number: int, port: int) -> Service:
        name = f"web-{number}"
        command = [*RETROFLEX, "serve", "--port", str(port), "--behind-proxy", "--public-name", "localhost"]
        environment = self.environment(name) | {TOKEN_VARIABLE: self.token}
        return Service(name, command, Client(port).is_healthy, self.folder / f"{name}.log", environment)

    def _proxy(self, ports: list[int]) -> Service:
        own, account = _folder(self.folder / "nginx"), postgresql.unprivileged()
        command = nginx.command(nginx.write_configuration(own, {self._port, self.door.port}, ports))
        log, environment = self.folder / "proxy.log", {"PATH": os.environ.get("PATH", "")}
        user = None if account is None else account.pw_uid
        service = Service("proxy", command, self.client.is_healthy, log, environment, user)
        if self.door.socket:
            service.environment, service.keep = environment | nginx.inherited(self.door.socket), [self.door.socket]
        return service


def own_environment() -> dict[str, str]:
    """Return an environment in which this code runs, without settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    return kept | {"PYTHONPATH": str(ROOT)}


def run_retroflex(
    environment: Mapping[str, str], *arguments: str | Path, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of `retroflex`, with `given` on its standard input."""
    command = [*RETROFLEX, *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, input=given, capture_output=True, text=True, check=False)


@contextmanager
def running_cluster(door: Door) -> Iterator[Cluster]:
    """Yield a cluster in service, in a temporary folder; it ends with the block, or by SIGTERM. Raises RetroflexError.

    Its path is short, as one of a socket may have 107 bytes, and can be entered by the accounts of its services.
    """
    nginx.program()
    if find_spec("psycopg") is None:
        raise RetroflexError("the store of a cluster needs psycopg; install it: pip install '.[postgres]'")
    with tempfile.TemporaryDirectory(prefix="retroflex-cluster-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        cluster = Cluster(folder, door)
        cluster.postgresql.init()
        keeper = Keeper(list(cluster.services.values()))
        if current_thread() is main_thread():
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            keeper.start()
            yield cluster
        finally:
            keeper.stop()


def _postgresql() -> Path:
    found = postgresql.programs()
    if found is None:
        raise RetroflexError(
            "the store of a cluster is PostgreSQL, which is missing; install it: apt-get install postgresql"
        )
    return found


def _folder(path: Path) -> Path:
    """Make a folder for a service, of the account that it runs as."""
    path.mkdir(mode=0o700)
    account = postgresql.unprivileged()
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)
    return path
