"""One child process that decodes picture files, as its parent sees it; `data.decoding.worker` is the other side."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from typing import IO, Protocol, TypeVar, cast

from data import errors
from data.children import child_environment, module_command
from data.decoding.budget import HEADER_BYTES, MEMORY, Busy, MemoryBudget
from data.decoding.messages import receive, send
from data.errors import PictureDamaged, PictureError, PictureTooLarge

START_SECONDS = 60.0
WALL = 4.0
"""Times the processor time of a picture may pass, as others use the processor too."""
SUSPECT = MEMORY // 4
"""Bytes; a larger picture is tried again with all memory, as some libraries call it damaged when memory runs out."""
LARGE = MEMORY // 2
"""Bytes; beside a file that takes more no process should be idle."""
END_SECONDS = 1.0
"""For a process that closed its pipes to end by itself, and to say how."""
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
"""Threads would reserve address space, which is limited."""


class Ended(Exception):
    """The process ended or wrote what makes no sense; `code` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"with code {code}")
        self.code = code


class LacksMemory(Exception):
    """The picture takes more memory than its header made believe."""


T_co = TypeVar("T_co", covariant=True)


class Work(Protocol[T_co]):
    """A job for a child: the bytes that it keeps of the file, the seconds for its header, and what it gets and answers.

    `answer` reads the messages that follow an answer without an error.
    """

    @property
    def size(self) -> int: ...

    @property
    def seconds(self) -> float: ...

    def to_messages(self) -> tuple[bytes, ...]: ...

    def answer(self, receive: Callable[[], bytes]) -> T_co: ...


class Child:
    """A process for one file after the other; it ends with this process, as its input is closed."""

    def __init__(self, module: str) -> None:
        """Start the process, which runs `module`, and wait until it is ready.

        Raises OSError or Ended if it does not start.
        """
        command, environment = module_command(module), child_environment() | ENVIRONMENT
        self._process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._jobs, self._answers = (cast(IO[bytes], pipe) for pipe in (self._process.stdin, self._process.stdout))
        self._exhausted = False
        with self._talk(START_SECONDS):
            receive(self._answers)

    @property
    def usable(self) -> bool:
        """Whether the process can take another job; one that kept much memory is ended."""
        if self._exhausted:
            self.end()
        return self._process.poll() is None

    def decode(
        self,
        job: Work[T_co],
        budget: MemoryBudget,
        patience: float | None,
        before_large: Callable[[], None],
        least: int = 0,
    ) -> T_co:
        """Do the job in the memory that its header asks for, but at least `least` bytes of `budget`.

        `before_large` is called before a file that takes more than LARGE bytes is decoded.
        Raises a PictureError, LacksMemory if more might help, Busy without memory after `patience` seconds, or Ended.
        """
        with budget.hold(job.size + HEADER_BYTES, patience), self._talk(job.seconds):
            send(self._jobs, *job.to_messages())
            cost = self._receive()
        if cost.kind:
            raise _refusal(cost, cost.memory)
        needed = job.size + cost.size
        if max(needed, least) > LARGE:
            before_large()
        with self._hold(budget, max(needed, least), patience) as held, self._talk(cost.seconds):
            send(self._jobs, str(held).encode())
            answer = self._receive()
            if not answer.kind:
                return job.answer(lambda: receive(self._answers))
        if held < MEMORY and (answer.memory or needed > SUSPECT):
            raise LacksMemory
        raise _refusal(answer, answer.memory or needed > MEMORY)

    def _receive(self) -> _Answer:
        answer = _Answer.read(receive(self._answers))
        self._exhausted = answer.exhausted
        return answer

    @contextmanager
    def _hold(self, budget: MemoryBudget, size: int, patience: float | None) -> Iterator[int]:
        """Hold memory while the process waits for it; without memory the process is of no more use."""
        try:
            with budget.hold(size, patience) as held:
                yield held
        except Busy:
            self.end()
            raise

    @contextmanager
    def _talk(self, seconds: float) -> Iterator[None]:
        """Exchange messages within `seconds` of processor time; if that fails, end the process.

        Raises PictureDamaged if the time is over, or Ended.
        """
        late = threading.Event()

        def expire() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(WALL * seconds, expire)
        timer.start()
        try:
            yield
        except (EOFError, OSError, ValueError, TypeError, KeyError) as cause:
            code = self.end()
            if late.is_set() or code == -signal.SIGPROF:
                raise PictureDamaged(f"takes too long to decode: more than {seconds:.2g} seconds") from cause
            raise Ended(code) from cause
        except BaseException:  # an answer that nobody reads would be taken for that of the next job
            self.end()
            raise
        finally:
            timer.cancel()

    def end(self) -> int:
        """End the process if it has not ended; return its exit code."""
        with suppress(OSError):  # What was not sent is lost.
            self._jobs.close()
        try:
            code = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._answers.close()
        return code


@dataclass(frozen=True)
class _Answer:
    """What a process answers: what a picture needs, or an error's class, message, and whether memory was lacking."""

    size: int = 0
    seconds: float = 0.0
    kind: str = ""
    message: str = ""
    memory: bool = False
    exhausted: bool = False

    @classmethod
    def read(cls, message: bytes) -> _Answer:
        """Return the answer in a message. Raises ValueError or TypeError if it makes no sense."""
        answer = cls(**json.loads(message))
        if any(type(getattr(answer, field.name)) is not type(field.default) for field in fields(cls)):
            raise TypeError("an answer of other types")
        return answer


def _refusal(answer: _Answer, for_memory: bool) -> PictureError:
    if for_memory:
        return PictureTooLarge(f"takes more than {MEMORY // 2**20} MiB of memory to decode; make a smaller copy of it")
    return cast(type[PictureError], getattr(errors, answer.kind, PictureDamaged))(answer.message)
