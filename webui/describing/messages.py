"""Messages of bytes between the server's processes: a length, then as many bytes; never objects."""

from __future__ import annotations

from struct import Struct
from typing import Protocol

_LENGTH = Struct("!Q")


class Pipe(Protocol):
    """A file, or a socket's file, in binary mode."""

    def read(self, size: int, /) -> bytes: ...
    def write(self, content: bytes, /) -> object: ...
    def flush(self) -> None: ...


def send(pipe: Pipe, *messages: bytes) -> None:
    """Write messages. Raises OSError."""
    for message in messages:
        pipe.write(_LENGTH.pack(len(message)))
        pipe.write(message)
    pipe.flush()


def receive(pipe: Pipe) -> bytes:
    """Read one message. Raises EOFError if the other side is gone, or OSError."""
    return _exactly(pipe, _LENGTH.unpack(_exactly(pipe, _LENGTH.size))[0])


def _exactly(pipe: Pipe, size: int) -> bytes:
    content = pipe.read(size)
    if len(content) < size:
        raise EOFError("the other process is gone")
    return content
