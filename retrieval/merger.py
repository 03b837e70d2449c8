"""Merging in the background of a long-running process, in a process of its own with its own time and memory."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from threading import Lock, Thread

from data.children import end_with_parent, module_command, start_child
from data.errors import RetroflexError
from data.settings import Settings, load_settings
from data.store import open_store
from retrieval.index.upkeep import merge_index

PAUSE = 10.0
"""Seconds between two merges, so that small changes are merged together."""
NICENESS = 10

logger = logging.getLogger(__name__)


class Merger:
    """Merges the search index of one library, one run at a time."""

    def __init__(self, settings: Settings, merged: Callable[[], None]) -> None:
        """`merged` is called after each run, in the merger's thread."""
        self._settings, self._merged = settings, merged
        self._busy = Lock()

    def start(self) -> None:
        """Start a run unless one is running; return at once."""
        if self._busy.acquire(blocking=False):
            Thread(target=self._run, name="merger", daemon=True).start()

    def _run(self) -> None:
        try:
            code = start_child(module_command(__name__), self._settings).wait()
            if code:
                logger.warning("the search index was not merged: the process ended with code %d", code)
            else:
                self._merged()
        except (RetroflexError, OSError) as error:
            logger.warning("the search index was not merged: %s", error)
        finally:
            time.sleep(PAUSE)
            self._busy.release()


def main() -> None:
    """Merge the index of the library that the environment names."""
    end_with_parent()
    os.nice(NICENESS)
    try:
        settings = load_settings()
        merge_index(open_store(settings), settings.index_dir, settings.vectors is None)
    except RetroflexError as error:
        sys.exit(f"retroflex: {error}")


if __name__ == "__main__":
    main()
