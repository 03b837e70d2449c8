"""Long answers take a thread of the server as long as they last, so only so many may be under way."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import TypeVar

from webui.problems import Problem

T = TypeVar("T", str, bytes)


class Turns:
    """Places for `most` long answers at the same time; whoever finds none is told `busy`."""

    def __init__(self, most: int, busy: str) -> None:
        self._places = BoundedSemaphore(most)
        self._busy = busy

    def stream(self, pieces: Iterator[T]) -> Iterator[T]:
        """Give `pieces` a place until they end or are closed. Raises Problem 503."""
        if not self._places.acquire(blocking=False):
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, self._busy)
        return _Held(pieces, self._places)


class _Held(Iterator[T]):
    """An iterator that leaves its place also when it is closed before its first piece, as a generator would not."""

    def __init__(self, pieces: Iterator[T], places: BoundedSemaphore) -> None:
        self._pieces: Iterator[T] = pieces
        self._places: BoundedSemaphore | None = places

    def __next__(self) -> T:
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave the place; the server calls this in any case."""
        places, self._places = self._places, None
        if places is not None:
            places.release()
