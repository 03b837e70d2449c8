"""A Milvus server for tests and benchmarks, in a network namespace of its own, since it listens on all interfaces."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL

from retrieval.vectors.base import VectorsUnreachable
from retrieval.vectors.milvus_client import MilvusConnection, read_address

ROOT = Path(__file__).parents[1]
PORT = 19530
STARTS_WITHIN = 300.0


def installed() -> bool:
    """Return whether the package `milvus` 2.3 is installed, and a process may have a network of its own here."""
    with suppress(OSError):
        alone = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode == 0
        return alone and find_spec("milvus") is not None
    return False


@contextmanager
def running_server(folder: Path, port: int = 0) -> Iterator[str]:
    """Yield the address, for RETROFLEX_VECTORS, of a server with its data in `folder`; it is killed at the end."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        number, port = listening.fileno(), listening.getsockname()[1]
        inside = [sys.executable, "-m", "bench.milvus_server", str(number), str(folder)]
        # Milvus reads its own memory in /proc, and loads nothing where it cannot.
        command = ["unshare", "-rnpf", "--mount-proc", "--kill-child", *inside]
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=[number], stdout=DEVNULL, stderr=DEVNULL)
    address = f"milvus://127.0.0.1:{port}"
    try:
        _wait(address)
        yield address
    finally:
        process.kill()
        process.wait()


def _wait(address: str) -> None:
    connection, until = MilvusConnection(read_address(address)), time.monotonic() + STARTS_WITHIN
    while True:
        try:
            connection.call("list_collections")
            return
        except VectorsUnreachable:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
        finally:
            connection.close()


async def _serve(listening: socket.socket, command: list[str]) -> None:
    """Run the server, and hand connections of the outer network on to it."""
    server = await asyncio.create_subprocess_exec(*command)
    async with await asyncio.start_server(_hand_on, sock=listening):
        await server.wait()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        from_server, to_server = await asyncio.open_connection("127.0.0.1", PORT)
        await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))
    writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(2**16):
            writer.write(piece)
            await writer.drain()
    writer.close()


def _raise_loopback() -> None:
    up = struct.pack("16sh", b"lo", 1)  # IFF_UP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, 0x8914, up + bytes(22))  # SIOCSIFFLAGS


if __name__ == "__main__":
    _raise_loopback()
    START = "from milvus import main; main()"
    asyncio.run(_serve(socket.socket(fileno=int(sys.argv[1])), [sys.executable, "-c", START, "--data", sys.argv[2]]))
