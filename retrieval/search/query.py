"""A query: words, pictures to be like, and pictures to be unlike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from captioner.types import Description
from data.errors import RetroflexError
from data.text import tokenize

QUERY_FRAMES = 20
"""The most frames of a film in a query; each costs as much as a picture."""
MAX_PICTURES = 20
"""The most pictures in one query; more are a mistake, or an attack."""
MAX_EXCLUDED = 50
MAX_WEIGHT = 100.0
MAX_UNLIKE_WEIGHT = 1.0


class QueryError(RetroflexError):
    """The query or the requested page is out of bounds; the message says what to change."""


@dataclass(frozen=True)
class QueryImage:
    """A described picture in a query, and its weight; at most 1 for a picture to be unlike."""

    description: Description
    weight: float = 1.0


@dataclass(frozen=True)
class QueryFilm:
    """The described frames of a film in a query, and its weight."""

    frames: Sequence[Description]
    weight: float = 1.0

    @property
    def description(self) -> Description:
        """The frame in the middle, which stands for the film where one picture is asked for."""
        return self.frames[len(self.frames) // 2]


@dataclass(frozen=True)
class Query:
    """Words, pictures to be like, and pictures to be unlike; it needs one of these.

    Where there are only pictures to be unlike, what looks least like the first one comes first. `by` names the kind of
    vectors that pictures are compared by; None for all that the captioner is calibrated on.
    `exclude` are words that no caption of a hit may say, beside those that the text excludes. A `verbatim` text is
    searched for as it is spelled. A hit has a cosine of at least `min_cosine` to one of the pictures to be like; with
    None, a relevance from the border that was calibrated.
    """

    text: str = ""
    like: Sequence[QueryImage | QueryFilm] = ()
    unlike: Sequence[QueryImage] = ()
    by: str | None = None
    exclude: Sequence[str] = ()
    verbatim: bool = False
    min_cosine: float | None = None

    def __post_init__(self) -> None:
        """Raise QueryError for a least cosine that cannot be."""
        check_cosine(self.min_cosine, bool(self.like))


def check_cosine(least: float | None, pictures: bool) -> None:
    """Raise QueryError for a least cosine that cannot be, or that is to no picture."""
    if least is not None and not 0 <= least <= 1:
        raise QueryError(f"the least cosine is {least:g}; give a number from 0 to 1")
    if least is not None and not pictures:
        raise QueryError("a least cosine needs a picture to be like; give one")


def check_query(text: str, like: int, unlike: int, exclude: Sequence[str] = ()) -> None:
    """Check the words and the numbers of pictures, before any picture is described. Raises QueryError."""
    if len(exclude) > MAX_EXCLUDED:
        raise QueryError(f"{len(exclude)} words are excluded; give {MAX_EXCLUDED} at most")
    if not (text.strip() or like or unlike or any(map(tokenize, exclude))):
        raise QueryError("the query is empty; give words, or a picture")
    if like + unlike > MAX_PICTURES:
        raise QueryError(f"the query has {like + unlike} pictures; give {MAX_PICTURES} at most")


def read_weight(text: str, most: float) -> float:
    """Read the WEIGHT of PICTURE@WEIGHT, above 0 and up to `most`. Raises QueryError."""
    # Plain digits only: float() also accepts "nan", "inf" and figures of other scripts.
    if re.fullmatch(r"[0-9]{1,9}\.?[0-9]{0,9}|\.[0-9]{1,9}", text) and 0 < float(text) <= most:
        return float(text)
    raise QueryError(f"the weight {text[:20]!r} is not valid; give a number above 0 and at most {most:g}")
