"""Describe single pictures with the captioner that the settings name."""

from __future__ import annotations

from pathlib import Path

from captioner.facade import Captioner
from captioner.types import Description
from data.errors import RetroflexError
from data.paths import display
from data.pictures import PictureError, decode, read_bytes, square
from data.settings import Settings


def describe_file(path: Path, settings: Settings) -> Description:
    """Caption one picture file. Raises RetroflexError with its name and the reason when it is no good picture."""
    try:
        # The picture is looked at first: a wrong name should not wait for the captioner to load.
        picture = decode(read_bytes(path, settings.limits), settings.limits)
    except PictureError as error:
        raise RetroflexError(f"{display(path)} {error}") from error
    captioner = Captioner.load(settings.bundle)
    return captioner.describe(square(picture.image, captioner.input_side)[None])[0]
