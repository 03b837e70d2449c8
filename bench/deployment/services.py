"""Processes that are started again when they end, as containers with a restart policy are."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread

from data.errors import RetroflexError

READY_WITHIN = 180.0
"""Seconds: two cores that have much else to do load a captioner in one."""
ENDS_WITHIN = 15.0
PAUSE = 0.5
"""Seconds between the end of a process and its next start."""

_MARK = b"-- started --\n"


@dataclass
class Service:
    """A process with the `command`, that `ready` says is in service; its output goes to the file `log`."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    log: Path
    environment: Mapping[str, str]
    account: int | None = None
    keep: Sequence[int] = ()
    """Numbers of open files that it gets."""
    starts: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _changing: Lock = field(default_factory=Lock)

    @property
    def process(self) -> int:
        """The id of its process, 0 while there is none."""
        return 0 if self._process is None or self._process.poll() is not None else self._process.pid

    def start(self) -> None:
        """Start it unless it runs; return at once."""
        with self._changing:
            if self.process:
                return
            groups: list[int] | None = None if self.account is None else []
            with self.log.open("ab") as log:
                log.write(_MARK)
                log.flush()
                self._process = subprocess.Popen(
                    self.command,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    user=self.account,
                    extra_groups=groups,
                    pass_fds=self.keep,
                    start_new_session=True,  # Ctrl-C is for this program, which stops its services in order
                    cwd="/" if self.account is not None else None,
                )
            self.starts += 1

    def told(self) -> str:
        """Return what it has written since its last start."""
        return self.log.read_bytes().rpartition(_MARK)[2].decode(errors="replace").strip() if self.log.exists() else ""

    def wait(self) -> None:
        """Return once it is in service, started again if it ends. Raises RetroflexError with the end of its log."""
        end = time.monotonic() + READY_WITHIN
        while not (self.process and self.ready()):
            self.start()
            if time.monotonic() > end:
                lines = self.log.read_bytes().replace(_MARK, b"").decode(errors="replace").split("\n")
                told = next((line for line in reversed(lines) if line.strip()), "")
                raise RetroflexError(f"{self.name} does not start: {told or 'it says nothing'}")
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill it with all processes that it started, as the end of a container does."""
        with self._changing:
            self._signal_all(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and kill what is left."""
        with self._changing:
            if self._process is None:
                return
            left = list(descendants(self._process.pid))
            with suppress(ProcessLookupError):
                self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDS_WITHIN)
            self._signal_all(signal.SIGKILL, left)

    def _signal_all(self, number: signal.Signals, more: Sequence[int] = ()) -> None:
        if self._process is None:
            return
        for one in (self._process.pid, *descendants(self._process.pid), *more):
            if one != self._process.pid or self._process.poll() is None:
                with suppress(ProcessLookupError):
                    os.kill(one, number)
        self._process.wait()


class Keeper:
    """Starts services, and starts each again that ends, until they are stopped."""

    def __init__(self, services: Sequence[Service]) -> None:
        self.services = services
        self._ending = Event()
        self._thread = Thread(target=self._keep, name="keeper", daemon=True)

    def start(self) -> None:
        """Start all, each once those before it are in service. Raises RetroflexError."""
        for one in self.services:
            one.start()
            one.wait()
        self._thread.start()

    def stop(self) -> None:
        """Stop all, the last one first."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        for one in reversed(self.services):
            one.stop()

    def _keep(self) -> None:
        while not self._ending.wait(PAUSE):
            for one in self.services:
                if not one.process:
                    one.start()


def descendants(process: int) -> Iterator[int]:
    """Yield the processes that a process started, and those that these did."""
    with suppress(OSError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            with suppress(OSError):
                for child in map(int, (thread / "children").read_text().split()):
                    yield child
                    yield from descendants(child)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])
