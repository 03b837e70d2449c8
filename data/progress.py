"""Progress of what takes long: a bar on a terminal, and elsewhere, as in the log of a service, a line a minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

LINE_SECONDS = 60.0
"""Seconds to the first line, and from one to the next."""
LINE = "{desc}: {n_fmt} of {total_fmt} {unit}, {rate_fmt}, {remaining} left"
LINE_WITHOUT_TOTAL = "{desc}: {n_fmt} {unit}, {rate_fmt}"


def progress_bar(iterable: Iterable[Any] | None = None, hidden: bool = False, **options: Any) -> tqdm:
    """Return a tqdm that shows its progress on standard error, nothing if `hidden`; `options` are tqdm's."""
    if hidden or sys.stderr.isatty():
        return tqdm(iterable, disable=hidden, **options)
    return _Lines(iterable, **options)


class _Lines(tqdm):
    """Prints a line now and then, and none for what ends before the first is due."""

    disable: bool

    def __init__(self, iterable: Iterable[Any] | None, **options: Any) -> None:
        self._due = time.monotonic() + LINE_SECONDS
        own = {"delay": LINE_SECONDS, "mininterval": LINE_SECONDS, "maxinterval": LINE_SECONDS, "leave": False}
        super().__init__(iterable, **options | own)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Print the line, if it is due."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + LINE_SECONDS
            form = LINE if self.total else LINE_WITHOUT_TOTAL
            text = self.format_meter(**self.format_dict | {"bar_format": form})
            print(" ".join(text.split()), file=sys.stderr, flush=True)

    def clear(self, nolock: bool = False) -> None:
        """There is no bar to clear."""

    def close(self) -> None:
        """End without a last line: what was done is told by who did it."""
        if not self.disable:
            self.disable = True
            self._decr_instances(self)
