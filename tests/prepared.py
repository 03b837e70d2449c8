"""The command line in processes that start at once: they are forked from one that has imported the program before.

Each is a process with arguments, environment, folder, output and exit of its own; only the half second of processor
time that imports take is saved. Started as a program, this file is the process that is forked.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module

PREPARED = (
    "retrieval.commands.check",
    "retrieval.commands.index",
    "retrieval.commands.library",
    "retrieval.commands.search",
    "numba",
)
LARGEST = 2**17
"""Bytes of a request."""


def retroflex(
    arguments: Sequence[object], environment: Mapping[str, str], output: int | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run `retroflex` until it ends, in the folder of this process; return what it wrote, if not to `output`."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        request = {
            "arguments": [os.fspath(one) if isinstance(one, os.PathLike) else str(one) for one in arguments],
            "environment": dict(environment),
            "folder": os.getcwd(),
        }
        connection = _prepared()
        streams = [out.fileno() if output is None else output, errors.fileno()]
        socket.send_fds(connection, [json.dumps(request).encode()], streams)
        code = int(connection.recv(LARGEST))
        out.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(list(arguments), code, out.read(), errors.read())


@cache
def _prepared() -> socket.socket:
    """The connection to a process of this one's that is forked; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(120)
    with theirs:
        subprocess.Popen(
            [sys.executable, "-P", __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    return ours


def become_requested(connection: socket.socket) -> None:
    """Fork for each request, and tell how the child ended; return in the children only."""
    while True:
        content, streams, _, _ = socket.recv_fds(connection, LARGEST, 2)
        if not content:
            os._exit(0)
        child = os.fork()
        if not child:
            break
        for stream in streams:
            os.close(stream)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.send(str(code).encode())
    connection.close()
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    request = json.loads(content)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv = ["retroflex", *request["arguments"]]


def end_with(main: Callable[[], None]) -> None:
    """Run `main` and end as the interpreter does, but leave its memory to the system: to tear it down would copy it."""
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)  # the program never exits with a message
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `main` does, before NumPy is imported
    for module in PREPARED:
        import_module(module)
    from captioner.encoders.vgg16_int8 import load_openvino
    from retrieval.cli import main

    load_openvino()
    gc.freeze()
    become_requested(socket.socket(fileno=int(sys.argv[1])))
    end_with(main)
