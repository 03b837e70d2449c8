"""Errors that users read: the base of all, and why a picture could not be decoded."""

from __future__ import annotations


def one_line(error: BaseException | None) -> str:
    """Return an error's message as one line, or its type where it has none."""
    return " ".join(str(error).split()) or type(error).__name__


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
