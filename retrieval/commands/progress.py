"""What `retroflex index` shows while it runs, and how Ctrl-C stops it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from types import FrameType

import click
from tqdm import tqdm

from captioner.pipeline import Flow
from data.progress import progress_bar
from data.text import plural
from retrieval.indexing.indexer import Report

EXIT_INTERRUPTED = 130
REFRESH_SECONDS = 0.2
"""Seconds between two looks at how far the pipeline is."""


@contextmanager
def counting(what: str, hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """Yield what shows how many pictures are done, of how many, with the time left, see `progress_bar`."""
    with progress_bar(desc=what, unit="pic", hidden=hidden, delay=1) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


@contextmanager
def counting_faces(kind: type[Display]) -> Iterator[Callable[[int, int], None]]:
    """Yield what shows how many pictures and films were searched for faces, as a kind of display shows a run."""

    def told(done: int, total: int) -> None:
        click.echo(json.dumps({"faces_done": done, "faces_total": total}))

    if issubclass(kind, Lines):
        yield told
    else:
        with counting("faces", not issubclass(kind, Bar)) as show:
            yield show


class Display:
    """Follows a run: `show` is its progress callback, and a thread sees each picture in between; shows nothing."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._done, self._total, self._report = 0, 0, Report()
        self._ended = Event()
        self._failed: OSError | None = None

    def show(self, done: int, total: int, report: Report) -> None:
        """Note files done, all files and the report so far. Raises OSError if nobody reads the output any more."""
        self._done, self._total, self._report = done, total, report
        if self._failed is not None:
            raise self._failed

    @contextmanager
    def running(self) -> Iterator[None]:
        """Show the progress until the block ends."""
        thread = Thread(target=self._follow, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _follow(self) -> None:
        shown: tuple[int, ...] = ()
        while True:
            last = self._ended.wait(REFRESH_SECONDS)
            state = (self._done, max(self._done, min(self._flow.encoded, self._total)), self._total)
            try:
                if state != shown and self._total:
                    self._draw(*state, self._report)
            except OSError as error:
                self._failed = error
            if last:
                return
            shown = state

    def _draw(self, done: int, encoded: int, total: int, report: Report) -> None:
        """Show `done` files of `total`, and those that are done or `encoded`."""


class Bar(Display):
    """A bar on a terminal, else lines, on standard error; see `progress_bar`."""

    def __init__(self, flow: Flow, title: str = "indexing") -> None:
        super().__init__(flow)
        self._bar: tqdm = progress_bar(desc=title, unit="pic", smoothing=0.05, delay=REFRESH_SECONDS)

    @contextmanager
    def running(self) -> Iterator[None]:
        with self._bar, super().running():
            yield

    def _draw(self, done: int, encoded: int, total: int, report: Report) -> None:
        if self._flow.stopping:  # the line that says so stays the last
            return
        self._bar.total = total
        if not self._bar.update(encoded - self._bar.n):
            self._bar.refresh()  # tqdm passes over an update that comes early, and there may be no other for long


class Lines(Display):
    """Lines of JSON for programs, on standard output."""

    def _draw(self, done: int, encoded: int, total: int, report: Report) -> None:
        step = {
            "done": done,
            "encoded": encoded,
            "total": total,
            "captioned": report.captioned,
            "skipped": len(report.skipped),
            "passed_over": report.passed_over,
            "left_out": report.left_out,
        }
        click.echo(json.dumps(step))  # which flushes


@contextmanager
def stopping_by_signal(flow: Flow, at_once: bool) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop the pipeline: what is captioned is kept; with `at_once`, a second one ends it now."""

    def stop(number: int, frame: FrameType | None) -> None:
        if flow.stopping and at_once:
            _tell("stopped at once; what was written is kept")
            os._exit(EXIT_INTERRUPTED)
        if flow.stopping:
            return
        pending = flow.stop()
        if not pending:
            raise KeyboardInterrupt
        again = "; the captioner may have to be loaded first, and Ctrl-C again ends at once" if at_once else ""
        _tell(f"stopping, {plural(pending, 'picture')} being written{again}")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(line: str) -> None:
    """Write a line below the bar; what a signal has interrupted may be printing, so no buffer is used."""
    with suppress(OSError):
        os.write(2, f"\nretroflex: {line}\n".encode())
