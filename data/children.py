"""Child processes: they run this program's code, know no secrets, and end with their parent."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from data.settings import ENV_PREFIX, Settings

CODE = Path(__file__).parents[1]
LIFELINE = ENV_PREFIX + "LIFELINE"
"""Names the descriptor of a pipe that only the parent has open for writing, and that nobody writes to."""


def module_command(module: str, *arguments: str | os.PathLike[str]) -> list[str | os.PathLike[str]]:
    """Return the command that runs a module of this program; -P keeps the working directory out of the imports."""
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment(settings: Settings | None = None) -> dict[str, str]:
    """Return an environment for the same code and `settings`, without other variables of Retroflex such as the token.

    Without `settings` the child does not learn of the library either.
    """
    values = {field.name: getattr(settings, field.name) for field in fields(settings)} if settings else {}
    variables = {ENV_PREFIX + name.upper(): str(value) for name, value in values.items() if value is not None}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    code = os.pathsep.join(filter(None, [str(CODE), os.environ.get("PYTHONPATH")]))
    return {**inherited, **variables, "PYTHONPATH": code}


def start_child(
    command: Sequence[str | os.PathLike[str]], settings: Settings, keep: Sequence[int] = (), output: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a process that calls `end_with_parent`, with `keep` as its own descriptors too. Raises OSError.

    It ends with this process, also when this one is killed, and when the object that is returned is deleted. With
    `output`, for example PIPE, standard output and errors go there.
    """
    reading, writing = os.pipe()
    environment = child_environment(settings) | {LIFELINE: str(reading)}
    errors = None if output is None else subprocess.STDOUT
    try:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=errors, pass_fds=(reading, *keep), stdin=subprocess.DEVNULL
        )
    except OSError:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    weakref.finalize(process, os.close, writing)
    return process


def end_with_parent() -> None:
    """End this process as soon as the one that called `start_child` has ended; do nothing if none did."""
    descriptor = os.environ.pop(LIFELINE, None)
    if descriptor is not None:
        threading.Thread(target=_wait_and_end, args=(int(descriptor),), name="lifeline", daemon=True).start()


def _wait_and_end(descriptor: int) -> None:
    os.read(descriptor, 1)
    os._exit(1)  # At any instant the library is consistent: nothing has to be cleaned up.
