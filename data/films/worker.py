"""A child process that decodes films for `data.films.decoding`, see `data.decoding.worker`.

A job is one message, the order in JSON with the path of the film, which this process opens. It is answered like that of
a picture.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import IO, Protocol

import numpy as np
from PIL import Image

from data.decoding.orders import Webp, encoded
from data.decoding.worker import Cost, serve
from data.errors import NotAPicture, PictureUnreadable
from data.films.animations import Animation, Still
from data.films.kinds import HEAD, container_of, format_name
from data.films.orders import FilmFacts, FilmJob, Frames
from data.films.sampling import choose, grid
from data.films.streams import Shot, StreamFilm
from data.limits import Limits

BYTES_A_PIXEL = 40
"""Of a frame: about eight in planes of 16 bits that the decoder keeps, and those that are converted."""
OVERHEAD = 160 * 2**20
SOFT = 0.6
"""After this share of its time a film is left as far as it was read."""
SECONDS_A_MEGAPIXEL = 1.0
"""For the frames of a film, of one megapixel each: for 180 key frames about six times what they take."""
SIDE = 224
"""Of the squares that are compared where none are ordered."""


class Film(Protocol):
    """A film that is open."""

    @property
    def pixels(self) -> int: ...

    @property
    def duration(self) -> float: ...

    def facts(self) -> FilmFacts: ...

    def shots(self, times: Sequence[float], exact: bool) -> Iterator[Shot | Still]: ...

    def close(self) -> None: ...


def main() -> None:
    """Answer jobs on standard input until it is closed."""
    serve(lambda get: FilmJob.from_message(get()), cost_of, lambda job: made(job).to_messages())


@contextmanager
def opened(job: FilmJob, seconds: float) -> Iterator[Film]:
    """Open the film of a job, to be read for so many seconds of processor time. Raises a PictureError."""
    deadline = time.process_time() + seconds
    try:
        file = job.path.open("rb")
        head = file.read(HEAD)
        file.seek(0)
    except OSError as error:
        raise PictureUnreadable(f"cannot be read: {error.strerror or error}") from error
    with file:
        container = container_of(head)
        if not head:
            raise NotAPicture("is empty (0 bytes)")
        if container is None:
            raise NotAPicture("is not a film in a supported format")
        name = format_name(container, job.path.suffix)
        with closing(_film(file, container, name, job.limits, deadline)) as film:
            yield film


def _film(file: IO[bytes], container: str, name: str, limits: Limits, deadline: float) -> Film:
    if container in ("gif", "webp"):
        return Animation(file, name, limits, deadline)
    return StreamFilm(file, container, name, limits, deadline)


def cost_of(job: FilmJob) -> Cost:
    """Return what a film costs by its header. Raises a PictureError."""
    with opened(job, job.seconds) as film:
        return Cost(OVERHEAD + film.pixels * BYTES_A_PIXEL, seconds_for(job, film.pixels))


def seconds_for(job: FilmJob, pixels: int) -> float:
    """Return the processor time for a film whose frames have so many pixels."""
    return job.seconds + SECONDS_A_MEGAPIXEL * 10 * pixels / 1e6


def made(job: FilmJob) -> Frames:
    """Make what was ordered of a film. Raises a PictureError."""
    order = job.order
    with opened(job, SOFT * job.seconds) as film:
        if order.times is not None:
            shots = film.shots(list(order.times), exact=True)
            if order.webp is not None:
                image = _small(next(shots), film.facts(), order.webp)
                return Frames(film.facts(), webp=encoded(image, order.webp))
            size = _size_within(film, order.times, order.within) if order.within else (order.side or SIDE,) * 2
            times, squares = _rendered(shots, size)
            return Frames(film.facts(), times, np.stack(squares))
        if order.side is None:
            next(film.shots([0.0], exact=False))
            return Frames(film.facts())
        shots = film.shots(grid(film.duration, order.every), order.every is not None)
        times, squares = _rendered(shots, (order.side, order.side))
        kept = range(len(times)) if order.every is not None else choose(times, squares)
        chosen = np.stack([squares[row] for row in kept])
        facts = replace(film.facts(), pixels=hashlib.blake2b(chosen.tobytes(), digest_size=16).hexdigest())
        return Frames(facts, tuple(times[row] for row in kept), chosen)


def _rendered(shots: Iterator[Shot | Still], size: tuple[int, int]) -> tuple[tuple[float, ...], list[np.ndarray]]:
    pairs = [(shot.seconds, np.asarray(shot.render(*size))) for shot in shots]
    return tuple(seconds for seconds, _ in pairs), [pixels for _, pixels in pairs]


def _size_within(film: Film, times: Sequence[float], longest: int) -> tuple[int, int]:
    """Return the size of upright frames within so many pixels; the first frame says which way is up."""
    next(film.shots(list(times[:1]), exact=True))
    facts = film.facts()
    return _scaled(facts, min(1.0, longest / max(facts.width, facts.height)))


def _small(shot: Shot | Still, facts: FilmFacts, webp: Webp) -> Image.Image:
    shorter, longer = min(facts.width, facts.height), max(facts.width, facts.height)
    return shot.render(*_scaled(facts, min(1.0, webp.shorter / shorter, webp.longer / longer)))


def _scaled(facts: FilmFacts, scale: float) -> tuple[int, int]:
    return max(1, round(facts.width * scale)), max(1, round(facts.height * scale))


if __name__ == "__main__":
    main()
