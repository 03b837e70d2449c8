"""Errors that users read: the base of all, and why a picture could not be decoded."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches


def one_line(error: BaseException | None) -> str:
    """Return an error's message as one line, or its type where it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def nearest_of(name: str, known: Collection[str]) -> str:
    """Return advice on a name that is not `known`: the nearest of those, or all."""
    nearest = get_close_matches(name, known, 1)
    return f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(known)}"


class RetroflexError(Exception):
    """An error that the user can act on. The message is one line: what, why, what to do."""


class PictureError(RetroflexError):
    """A picture could not be decoded; the message says why in one line."""


class PictureUnreadable(PictureError):
    """The file could not be opened or read."""


class PictureTooLarge(PictureError):
    """The file has more bytes, or the picture more pixels, than the cap allows."""


class NotAPicture(PictureError):
    """The bytes are no picture of a supported format."""


class PictureDamaged(PictureError):
    """The file begins like a picture but its pixels cannot be decoded."""
