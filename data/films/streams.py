"""Films that FFmpeg reads, through PyAV: their facts, and frames at given times. Only the child process imports this.

A film of hours is not read whole: for each time the reader goes to the key frame before it and decodes that alone. Only
a film with few key frames is decoded from one end to the other, as long as there is time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import IO, Any, NamedTuple

import av
from av.video.reformatter import Interpolation, VideoReformatter
from PIL import Image

from data.colour.profiles import HLG, PQ
from data.colour.source import Source, by_numbers
from data.colour.srgb import to_srgb
from data.errors import NotAPicture, PictureDamaged, PictureTooLarge, one_line
from data.films.orders import FilmFacts
from data.limits import Limits
from data.metadata.dates import now
from data.metadata.films import read_film_metadata

WHOLE = 1500
"""Frames: a film of few key frames and no more frames than these is decoded from one end to the other."""
SPARSE = 3
"""A film has few key frames where fewer than one in so many of the times have one of their own."""
LONGEST_GAP = 60.0
"""Seconds: a film whose key frames are farther apart on the whole is decoded from one end to the other, too."""
FORWARD = 10.0
"""Seconds: up to this distance the next time is reached by decoding on, beyond it by going to the key frame before."""
UNTRUE = 1000 * 3600.0
"""Seconds: a film that says to last longer is measured."""
MOST_PACKETS = 1_000_000
EARLY = 1e-3
"""Seconds by which a frame may be early: times are rounded where they are stored."""
WIDE_PRIMARIES = frozenset({9, 11, 12})
"""BT.2020, DCI-P3 and Display P3, by the numbers of H.273."""
KNOWN_SPACES = frozenset({1, 4, 5, 6, 7, 9})
"""Matrices of YUV, by the numbers of H.273; HD film that names none is taken for BT.709, other film for BT.601."""
HD = 720
_REFORMATTER = VideoReformatter()
_TURNS = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    -180: Image.Transpose.ROTATE_180,
    -90: Image.Transpose.ROTATE_270,
}


class Shot(NamedTuple):
    """A frame that was decoded and its time in the film, in seconds."""

    seconds: float
    frame: Any
    turn: int

    def render(self, width: int, height: int) -> Image.Image:
        """Return it upright, RGB in sRGB, in this size in pixels."""
        stored = (height, width) if self.turn in (90, -90) else (width, height)
        frame = self.frame
        space = int(frame.colorspace)
        matrix = space if space in KNOWN_SPACES else 1 if frame.height >= HD else 5
        rgb = _REFORMATTER.reformat(
            frame, *stored, "rgb24", src_colorspace=matrix, interpolation=Interpolation.BICUBIC, threads=1
        )
        image = Image.fromarray(rgb.to_ndarray())
        if self.turn in _TURNS:
            image = image.transpose(_TURNS[self.turn])
        return to_srgb(image, colours_of(frame))[0]


def colours_of(frame: Any) -> Source:
    """Return the colours of a decoded frame: HDR and wide ones by their numbers, all others as sRGB."""
    primaries, transfer = int(frame.color_primaries), int(frame.color_trc)
    if transfer in (PQ, HLG) or primaries in WIDE_PRIMARIES:
        return by_numbers(primaries, transfer)
    return Source()


class StreamFilm:
    """The first film in a file; closed with its file."""

    def __init__(self, file: IO[bytes], container: str, name: str, limits: Limits, deadline: float) -> None:
        """Open the film in `file` as a container of FFmpeg's name; `name` is what its format is called.

        Decoding ends where `time.process_time` reaches `deadline`. Raises a PictureError.
        """
        self._deadline = deadline
        try:
            self._container: Any = av.open(file, format=container, metadata_errors="replace")
        except Exception as error:
            raise PictureDamaged(f"is damaged: {_reason(error)}") from error
        films = [one for one in self._container.streams.video if not _is_cover(one)]
        if not films:
            raise NotAPicture("has no film in it, only " + _others(self._container))
        self._stream: Any = films[0]
        self._context = self._stream.codec_context
        if self._context is None:
            raise NotAPicture("is of a codec that cannot be decoded here")
        self._context.thread_count, self._context.thread_type = 1, "NONE"
        self._start = self._stream.start_time or 0
        self._cut = False
        self._duration: float | None = None
        width, height = self._context.width, self._context.height
        if width * height > limits.max_pixels:
            raise PictureTooLarge(
                f"has {width}x{height} pixels, the cap is {limits.max_pixels:,}; set RETROFLEX_MAX_PIXELS to allow more"
            )
        self.pixels = width * height
        self._name = name
        self._turn = 0
        self._notes: tuple[str, ...] = ()

    def close(self) -> None:
        """Give back what FFmpeg holds."""
        self._container.close()

    def facts(self) -> FilmFacts:
        """Return what is known of the film; its notes and orientation once a frame was decoded."""
        ratio = self._stream.sample_aspect_ratio or Fraction(1)
        size = max(1, round(self._context.width * ratio)), self._context.height
        width, height = reversed(size) if self._turn in (90, -90) else size
        written = {**self._stream.metadata, **self._container.metadata}
        metadata, identifier = read_film_metadata(written, now())
        notes = (*self._notes, *(("could not be read to its end in time",) if self._cut else ()))
        return FilmFacts(width, height, self.duration, self._name, metadata, None, notes, identifier)

    @property
    def duration(self) -> float:
        """The seconds that the film lasts; measured where the file does not say so."""
        if self._duration is None:
            said, own = self._container.duration, self._stream.duration
            seconds = float(own * self._stream.time_base) if own else said / av.time_base if said else 0.0
            self._duration = seconds if 0 < seconds < UNTRUE else self._measured()
        return self._duration

    def shots(self, times: Sequence[float], exact: bool) -> Iterator[Shot]:
        """Yield frames at rising `times` (seconds), each once: those that are shown then if `exact`, or near ones.

        Raises PictureDamaged where none can be decoded.
        """
        found = 0
        for shot in self._upright(self._at(times) if exact else self._near(times)):
            found += 1
            yield shot
        if not found and times:
            raise PictureDamaged("is damaged: no frame of it can be decoded")

    def _upright(self, frames: Iterator[tuple[float, Any]]) -> Iterator[Shot]:
        last = -math.inf
        for seconds, frame in frames:
            if seconds <= last:
                continue
            if last == -math.inf:
                self._turn = round(frame.rotation / 90) * 90
                self._notes = colours_of(frame).notes
            last = seconds
            yield Shot(max(0.0, round(seconds, 3)), frame, self._turn)

    def _near(self, times: Sequence[float]) -> Iterator[tuple[float, Any]]:
        """Yield key frames; all frames at `times` instead, where there are few and the film is short or they are far.

        A key frame stands for all times up to the next one, so each is decoded once.
        """
        keys: list[float] = []
        for moment in times:
            key = None if keys and moment <= keys[-1] else self._key_time(moment)
            if key is not None and (not keys or key > keys[-1] + EARLY):
                keys.append(key)
        few = len(keys) < max(2, len(times) / SPARSE) and len(times) > 1
        if few and (self._frames_at_most(WHOLE) or len(keys) < self.duration / LONGEST_GAP):
            yield from self._at(times)
            return
        for key in keys:
            if self._is_late():
                self._cut = True
                return
            frame = self._key_at(key)
            if frame is not None:
                yield frame

    def _frames_at_most(self, count: int) -> bool:
        rate = float(self._stream.average_rate or self._stream.guessed_rate or 25)
        return (self._stream.frames or self.duration * rate) <= count

    def _key_time(self, moment: float) -> float | None:
        """Return the time of the key frame at or before a time, or else of the first after it; nothing is decoded."""
        for packet in self._packets(moment):
            seconds = self._seconds(packet.pts if packet.pts is not None else packet.dts)
            if packet.is_keyframe and seconds is not None:
                return seconds
        return None

    def _key_at(self, key: float) -> tuple[float, Any] | None:
        """Decode the key frame at a time; None if that cannot be done."""
        for packet in self._packets(max(0.0, key)):
            seconds = self._seconds(packet.pts if packet.pts is not None else packet.dts)
            if not packet.is_keyframe or seconds is None or seconds < key - EARLY:
                continue
            try:
                # What is left in the decoder is asked for: it waits for later frames, which are not decoded.
                frames = self._context.decode(packet) or self._context.decode(None)
            except av.FFmpegError:
                frames = []
            self._context.flush_buffers()
            return (seconds, frames[0]) if frames else None
        return None

    def _at(self, times: Sequence[float]) -> Iterator[tuple[float, Any]]:
        """Yield the frame that is the first at or after each time; of the end, the last one."""
        frames: Iterator[tuple[float, Any]] = iter(())
        position, last = math.inf, None
        for moment in times:
            if self._is_late():
                self._cut = True
                return
            if last is not None and last[0] >= moment - EARLY:
                yield last
                continue
            if not position <= moment <= position + FORWARD:
                frames = self._frames_from(moment)
            for last in frames:
                position = last[0]
                if position >= moment - EARLY or self._is_late():
                    break
            if last is not None:
                yield last

    def _frames_from(self, moment: float) -> Iterator[tuple[float, Any]]:
        """Yield all frames from the key frame at or before a time."""
        for packet in self._packets(moment, flush=True):
            try:
                frames = self._context.decode(packet)
            except av.FFmpegError:
                continue  # frames around the damage can be read
            for frame in frames:
                seconds = self._time_of(frame)
                if seconds is not None:
                    yield seconds, frame

    def _packets(self, moment: float, flush: bool = False) -> Iterator[Any]:
        """Yield the packets of the film from the key frame at or before a time; with `flush` also the end, None."""
        ticks = self._start + int(moment / self._stream.time_base)
        try:
            self._container.seek(ticks, backward=True, stream=self._stream)
        except av.FFmpegError:
            if moment > 0:
                return
        try:
            for packet in self._container.demux(self._stream):
                if packet.has_sidedata("encryption_info"):
                    raise PictureDamaged("is encrypted: it can be played by those who have the key, but not read here")
                if packet.size:
                    yield packet
                elif flush:
                    yield None
        except av.FFmpegError:
            return  # the file is cut off here

    def _measured(self) -> float:
        """Return the seconds up to the last packet."""
        last = 0.0
        for number, packet in enumerate(self._packets(0.0)):
            last = max(last, self._seconds(packet.pts) or 0.0)
            if number >= MOST_PACKETS or self._is_late():
                break
        return last

    def _time_of(self, frame: Any) -> float | None:
        return self._seconds(frame.pts if frame.pts is not None else frame.dts)

    def _seconds(self, ticks: int | None) -> float | None:
        return None if ticks is None else float((ticks - self._start) * self._stream.time_base)

    def _is_late(self) -> bool:
        return time.process_time() > self._deadline


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & stream.disposition.__class__.attached_pic)


def _others(container: Any) -> str:
    kinds = sorted({stream.type or "data" for stream in container.streams if stream.type != "video"})
    return " and ".join(kinds) or "a cover"


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", "") or one_line(error)
    return "it is cut off or altered" if text.startswith(("Invalid data", "End of file")) else text
