"""A network of its own: Ray and Milvus listen on all interfaces, which are then those of nobody else."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from data.errors import RetroflexError

DOOR = "CLUSTER_DOOR"
"""The environment variable with the number of the socket that was opened outside."""
_SET_FLAGS, _UP = 0x8914, 1  # SIOCSIFFLAGS, IFF_UP of Linux


class Door(NamedTuple):
    """The port of the page on 127.0.0.1, and the number of a socket that listens there, 0 where none is open yet."""

    port: int
    socket: int = 0


def enter_own_network(module: str, arguments: Sequence[str], port: int = 0) -> Door:
    """Run `module` again in a network of its own if one can be made, unless this is there already.

    Return the way in from outside, at `port`, or at a free one if that is 0. Raises RetroflexError.
    """
    if DOOR in os.environ:
        _raise_loopback()
        return _door(int(os.environ[DOOR]))
    command, listening = _unshare(), _listen(port)
    if command is None:
        with socket.socket(fileno=listening) as unused:
            return Door(unused.getsockname()[1])
    variables = os.environ | {DOOR: str(listening), "PYTHONPATH": os.getcwd()}
    os.execvpe(command[0], [*command, sys.executable, "-m", module, *arguments], variables)


def _door(number: int) -> Door:
    with socket.socket(fileno=os.dup(number)) as listening:
        return Door(listening.getsockname()[1], number)


def is_own() -> bool:
    """Return whether this process is in a network of its own."""
    return DOOR in os.environ


def _unshare() -> list[str] | None:
    """Return the command that runs another one in a network of its own, as the same user."""
    user = [] if os.geteuid() == 0 else ["--map-current-user", "--keep-caps"]
    command = ["unshare", "--net", *user]
    if shutil.which("unshare") is None:
        return None
    return command if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0 else None


def _listen(port: int) -> int:
    try:
        listening = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise RetroflexError(
            f"port {port} cannot be used ({error.strerror}); choose another one with --port"
        ) from error
    listening.set_inheritable(True)
    return listening.detach()


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh", b"lo", _UP) + bytes(22))
