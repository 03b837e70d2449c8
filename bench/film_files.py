"""Films that ffmpeg makes of photographs, for `bench.films`: panned and cut together, and changed copies of them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

SCENE = 3.0
"""Seconds of a scene."""
RATE = 25
SIZE = (640, 360)
LARGER = (800, 450)
"""What the photograph is scaled to, so that the picture can move across it."""
PART = 0.5
"""Of a film, in the middle, that a cut copy has."""


class Change(NamedTuple):
    """How a copy is made: filters, options of the encoder, the suffix, and whether it has only a part."""

    filters: str
    codec: Sequence[str]
    suffix: str
    part: bool = False


X264 = ("-c:v", "libx264", "-preset", "veryfast")
_LOGO = "drawbox=x=iw-150:y=20:w=130:h=50:color=red:t=fill,drawbox=x=iw-140:y=30:w=60:h=30:color=white:t=fill"
_CROP = "crop=iw*0.8:ih*0.8"
CHANGES = {
    "recoded (x264, crf 36)": Change("null", (*X264, "-crf", "36"), ".mp4"),
    "recoded (MPEG-4 in AVI, half size)": Change("scale=iw/2:-2", ("-c:v", "mpeg4", "-q:v", "8"), ".avi"),
    "cropped to 80 %": Change(_CROP, X264, ".mp4"),
    "twice as fast": Change("setpts=PTS/2", X264, ".mp4"),
    "with a logo": Change(_LOGO, X264, ".mp4"),
    "cut to its middle half": Change("null", X264, ".mp4", part=True),
    "all of these": Change(f"setpts=PTS/2,{_CROP},{_LOGO},scale=320:-2", (*X264, "-crf", "34"), ".mkv", part=True),
}
"""The changes by name."""


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg. Raises CalledProcessError."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-nostdin", *map(str, arguments)], check=True)


def make_film(photographs: Sequence[Path], target: Path) -> None:
    """Make a film in which the picture moves over one photograph after the other, SCENE seconds each."""
    inputs: list[str | Path] = []
    chains = []
    for number, photograph in enumerate(photographs):
        inputs += ["-loop", "1", "-framerate", str(RATE), "-t", str(SCENE), "-i", photograph]
        across = "t" if number % 2 == 0 else f"({SCENE}-t)"
        move = f"crop={SIZE[0]}:{SIZE[1]}:'(iw-ow)*{across}/{SCENE}':'(ih-oh)*{across}/{SCENE}'"
        fit = f"scale={LARGER[0]}:{LARGER[1]}:force_original_aspect_ratio=increase,crop={LARGER[0]}:{LARGER[1]}"
        chains.append(f"[{number}:v]{fit},{move},setsar=1,format=yuv420p[s{number}]")
    joined = "".join(f"[s{number}]" for number in range(len(photographs)))
    graph = ";".join([*chains, f"{joined}concat=n={len(photographs)}:v=1[v]"])
    ffmpeg(*inputs, "-filter_complex", graph, "-map", "[v]", *X264, target)


def make_copy(film: Path, duration: float, change: Change, target: Path) -> None:
    """Make a changed copy of a film that lasts `duration` seconds."""
    begin = duration * (1 - PART) / 2
    part = ["-ss", f"{begin:.3f}", "-t", f"{duration * PART:.3f}"] if change.part else []
    ffmpeg(*part, "-i", film, "-vf", change.filters, *change.codec, "-an", target.with_suffix(change.suffix))
