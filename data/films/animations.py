"""Animated GIF and WebP as films, through Pillow; only the child process reads them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

from PIL import Image

from data.colour.source import Source
from data.colour.srgb import to_srgb
from data.errors import NotAPicture, PictureDamaged, PictureTooLarge, one_line
from data.films.orders import FilmFacts
from data.films.streams import EARLY
from data.limits import Limits

MOST_FRAMES = 5000
LEAST_MILLISECONDS = 20
"""Shorter frames are shown for USUAL_MILLISECONDS by all browsers."""
USUAL_MILLISECONDS = 100


class Still(NamedTuple):
    """A frame and its time in the film, in seconds."""

    seconds: float
    image: Image.Image

    def render(self, width: int, height: int) -> Image.Image:
        """Return it as RGB in sRGB, transparent parts white, in this size in pixels."""
        return self.image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)


class Animation:
    """A GIF or WebP of several frames."""

    def __init__(self, file: IO[bytes], name: str, limits: Limits, deadline: float) -> None:
        """Open `file`, of the format `name`; decoding ends where `time.process_time` reaches `deadline`.

        Raises a PictureError.
        """
        self._name, self._deadline, self._cut = name, deadline, False
        try:
            self._image = Image.open(file, formats=("GIF", "WEBP"))
        except Exception as error:
            raise PictureDamaged(f"is damaged: {one_line(error)}") from error
        self.pixels = self._image.width * self._image.height
        if self.pixels > limits.max_pixels:
            size = f"{self._image.width}x{self._image.height}"
            raise PictureTooLarge(
                f"has {size} pixels, the cap is {limits.max_pixels:,}; set RETROFLEX_MAX_PIXELS to allow more"
            )
        self._duration = 0.0

    def close(self) -> None:
        """Give back what Pillow holds."""
        self._image.close()

    @property
    def duration(self) -> float:
        """The seconds that it lasts, once round."""
        if not self._duration:
            for _ in self._frames():
                pass
        return self._duration

    def facts(self) -> FilmFacts:
        """Return what is known of it; a GIF or WebP tells no date and no words."""
        notes = ("could not be read to its end in time",) if self._cut else ()
        return FilmFacts(self._image.width, self._image.height, self.duration, self._name, notes=notes)

    def shots(self, times: Sequence[float], exact: bool) -> Iterator[Still]:
        """Yield the frames that are shown at rising `times` (seconds), each once. Raises a PictureError."""
        wanted, found = list(times), 0
        for seconds, _ in self._frames():
            if wanted and seconds >= wanted[0] - EARLY:
                found += 1
                yield Still(seconds, to_srgb(self._image.convert("RGBA"), Source())[0])
                wanted = [moment for moment in wanted if moment > seconds + EARLY]
        if times and not found:
            raise PictureDamaged("is damaged: no frame of it can be decoded")

    def _frames(self) -> Iterator[tuple[float, int]]:
        """Yield time and number of each frame, which is decoded; what follows damage is left out."""
        clock = 0.0
        for number in range(MOST_FRAMES):
            if time.process_time() > self._deadline:
                self._cut = True
                break
            try:
                self._image.seek(number)
                self._image.load()
            except EOFError:
                break
            except Exception as error:
                if number:
                    break
                raise NotAPicture(f"is damaged: {one_line(error)}") from error
            yield round(clock, 3), number
            shown = int(self._image.info.get("duration") or 0)
            clock += (shown if shown >= LEAST_MILLISECONDS else USUAL_MILLISECONDS) / 1000
        self._duration = max(clock, self._duration)
