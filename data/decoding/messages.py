"""Messages of bytes between processes: a length, then as many bytes; never objects."""

from __future__ import annotations

from struct import Struct
from typing import Protocol

_LENGTH = Struct("!Q")
LONGEST = 2**31
"""Bytes; a longer message is no message, but noise of a process that went wrong."""


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
    """Read one message. Raises EOFError if the other side is gone or writes no messages, or OSError."""
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    if length > LONGEST:
        raise EOFError("the other process does not write messages")
    return _exactly(pipe, length)


def _exactly(pipe: Pipe, size: int) -> bytes:
    content = pipe.read(size)
    if len(content) < size:
        raise EOFError("the other process is gone")
    return content
