"""A Ray cluster: one that is started on this machine for as long as it is needed, or one that runs already."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from data.errors import RetroflexError, one_line

INSTALL = "pip install 'retroflex[cluster]'"
PROBE_SECONDS = 5.0
OBJECT_STORE = 100 * 2**20
"""Bytes on this machine for what workers return, which is little."""
_LOCAL = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray listens on loopback alone where it supports no further machines
    "RAY_AUTH_MODE": "token",  # other accounts of this machine have no say
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # as with threads; else other work on this machine comes first
}


def check_ray(address: str | None) -> None:
    """Raise RetroflexError where Ray is missing, or the address is none."""
    if find_spec("ray") is None:
        raise RetroflexError(f"--executor ray needs Ray: {INSTALL}")
    if address is not None and address != "auto" and _host_and_port(address) is None:
        raise RetroflexError(f"--address {address}: give auto, HOST:PORT or ray://HOST:PORT")


class Cluster:
    """The way to a Ray cluster; `ray` joins it at its first use, or starts one."""

    def __init__(self, address: str | None) -> None:
        """`address` is "auto", HOST:PORT or ray://HOST:PORT of a running one; None starts one on this machine."""
        self._address = address
        self._ray: ModuleType | None = None
        self._folder: str | None = None

    @property
    def ray(self) -> ModuleType:
        """Ray's module, connected. Raises RetroflexError."""
        if self._ray is None:
            # Ray ends the process at SIGTERM; who indexes has a way of its own.
            main = threading.current_thread() is threading.main_thread()
            handler = signal.getsignal(signal.SIGTERM)
            try:
                self._ray = self._start() if self._address is None else self._join(self._address)
                _silence(self._ray)
            finally:
                if main:
                    signal.signal(signal.SIGTERM, handler)
        return self._ray

    def close(self) -> None:
        """Leave the cluster; end it if it was started here."""
        if self._ray is not None:
            self._ray.shutdown()
            self._ray = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> ModuleType:
        os.environ.update(_LOCAL, RAY_AUTH_TOKEN=secrets.token_hex(32))  # before Ray's import
        self._folder = tempfile.mkdtemp(prefix="ray-")
        import ray

        try:
            ray.init(
                address="local",
                include_dashboard=False,
                num_gpus=0,
                object_store_memory=OBJECT_STORE,
                _node_ip_address="127.0.0.1",
                _temp_dir=str(Path(self._folder) / "s"),  # Ray lets all accounts into it, but not into its parent
                **_quiet(),
            )
        except Exception as error:  # whatever Ray raises
            raise RetroflexError(f"Ray cannot start on this machine: {one_line(error)}") from error
        return ray

    def _join(self, address: str) -> ModuleType:
        _probe(address)
        import ray

        try:
            ray.init(address=address, **_quiet())
        except Exception as error:  # whatever Ray raises
            raise RetroflexError(f"cannot join the Ray cluster at {address}: {one_line(error)}") from error
        return ray


def _silence(ray: ModuleType) -> None:
    """Let Ray write nothing about ended workers to standard output, which no option of its own does."""
    ray._private.worker.print_to_stdstream = lambda *_, **__: None


def _quiet() -> dict[str, Any]:
    return {"log_to_driver": False, "logging_level": "ERROR"}


def _host_and_port(address: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        if parts.scheme in ("", "ray") and parts.hostname and parts.port and not parts.path:
            return parts.hostname, parts.port
    except ValueError:
        pass
    return None


def _probe(address: str) -> None:
    """Raise RetroflexError where nothing listens, for which Ray itself would wait long."""
    target = _host_and_port(address)
    if target is None:
        return
    try:
        socket.create_connection(target, PROBE_SECONDS).close()
    except OSError as error:
        why = error.strerror or str(error)
        raise RetroflexError(
            f"no Ray cluster can be reached at {address} ({why}); start one or correct --address"
        ) from error
