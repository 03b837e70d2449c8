"""What a cluster has besides its store and web servers, where it is installed: Milvus and Ray."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from bench.deployment import network
from bench.deployment.services import Service

WORKERS = 2
MILVUS_PORT = 19530
RAY_PORT = 6379
VECTORS = f"milvus://127.0.0.1:{MILVUS_PORT}"
TOKEN = secrets.token_hex(32)
"""What the nodes of Ray know each other by."""
RAY_ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": TOKEN,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # as what else a cluster runs; at Ray's 15 nothing is described on a busy machine
}
_MILVUS = """import milvus, socket
milvus.MilvusServerConfig.try_bind_port = lambda self, port: socket.create_server(("127.0.0.1", port))
milvus.main()"""
"""Soon after a server was killed its ports look taken, and this package would choose others."""
_OBJECT_STORE = 100 * 2**20
"""Bytes of each node of Ray: what workers return is little."""


def missing() -> list[str]:
    """Return a line for each engine that cannot run here, with what to do."""
    if not network.is_own():
        return [
            "no Milvus and no Ray: they listen on all interfaces, and no network of its own can be made here (unshare)"
        ]
    lines = {
        "milvus": "no Milvus, vectors are in the index of each server: pip install milvus '.[milvus]'",
        "ray": "no Ray, pictures are described by one process: pip install '.[cluster]'",
    }
    return [line for package, line in lines.items() if not has(package)]


def has(package: str) -> bool:
    """Return whether an engine can run here, "milvus" or "ray"."""
    return network.is_own() and find_spec(package) is not None


def milvus(folder: Path, environment: Mapping[str, str]) -> Service:
    """Return the server of Milvus, with its data in `folder`."""
    command = [sys.executable, "-c", _MILVUS, "--data", str(folder / "milvus")]
    return Service("milvus", command, _milvus_answers, folder / "milvus.log", environment)


def _milvus_answers() -> bool:
    from retrieval.vectors.base import VectorsUnreachable
    from retrieval.vectors.milvus_client import MilvusConnection, read_address

    connection = MilvusConnection(read_address(VECTORS))
    try:
        connection.call("list_collections")
    except VectorsUnreachable:
        return False
    finally:
        connection.close()
    return True


def ray(folder: Path, environment: Mapping[str, str]) -> list[Service]:
    """Return the nodes of Ray: the head, which describes nothing, and workers, each with an address of its own."""
    head = ("--head", f"--port={RAY_PORT}", "--num-cpus=0", "--include-dashboard=false", f"--temp-dir={folder}/ray")
    worker = (f"--address=127.0.0.1:{RAY_PORT}", "--num-cpus=1")
    workers = [
        _node(folder, environment, f"ray-worker-{number}", f"127.0.0.{number + 1}", worker)
        for number in range(1, WORKERS + 1)
    ]
    return [_node(folder, environment, "ray-head", "127.0.0.1", head), *workers]


def _node(folder: Path, environment: Mapping[str, str], name: str, address: str, options: Sequence[str]) -> Service:
    log = folder / f"{name}.log"
    own = ("--block", f"--node-ip-address={address}", "--num-gpus=0", f"--object-store-memory={_OBJECT_STORE}")
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", *options, *own]
    service = Service(name, command, lambda: False, log, {**environment, **RAY_ENVIRONMENT})
    service.ready = lambda: "runtime started" in service.told()
    return service
