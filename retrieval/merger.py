"""Merging in the background of a long-running process, in a process of its own with its own time and memory."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from threading import Lock, Thread

from data.errors import RetroflexError
from data.settings import ENV_PREFIX, Settings, load_settings
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
        variables = {"LIBRARY": str(self._settings.library), "DATABASE_URL": self._settings.database_url or ""}
        environment = os.environ | {ENV_PREFIX + name: value for name, value in variables.items()}
        try:
            subprocess.run([sys.executable, "-m", __name__], env=environment, check=True)
            self._merged()
        except (RetroflexError, OSError, subprocess.CalledProcessError) as error:
            logger.warning("the search index was not merged: %s", error)
        finally:
            time.sleep(PAUSE)
            self._busy.release()


def main() -> None:
    """Merge the index of the library that the environment names."""
    os.nice(NICENESS)
    try:
        settings = load_settings()
        merge_index(open_store(settings), settings.index_dir)
    except RetroflexError as error:
        sys.exit(f"retroflex: {error}")


if __name__ == "__main__":
    main()
