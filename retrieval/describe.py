"""Describe single pictures with the captioner that the settings name."""

from __future__ import annotations

from pathlib import Path

from captioner.facade import Captioner
from captioner.types import Description
from data.errors import RetroflexError
from data.paths import display
from data.pictures import PictureError, read_square
from data.settings import Settings


def describe_file(path: Path, settings: Settings) -> Description:
    """Caption one picture file. Raises RetroflexError with its name and the reason when it is no good picture."""
    captioner = Captioner.load(settings.bundle)
    try:
        picture = read_square(path, captioner.input_side, settings.limits)
    except PictureError as error:
        raise RetroflexError(f"{display(path)} {error}") from error
    return captioner.describe(picture[None])[0]
