"""A query: words, pictures to be like, and pictures to be unlike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from captioner.types import Description
from data.errors import RetroflexError
from data.text import tokenize

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
class Query:
    """Words, pictures to be like, and pictures to be unlike; it needs one of these.

    Where there are only pictures to be unlike, what looks least like the first one comes first. `by` names the kind of
    vectors that pictures are compared by; None for all that the captioner is calibrated on.
    `exclude` are words that no caption of a hit may say, beside those that the text excludes. A `verbatim` text is
    searched for as it is spelled.
    """

    text: str = ""
    like: Sequence[QueryImage] = ()
    unlike: Sequence[QueryImage] = ()
    by: str | None = None
    exclude: Sequence[str] = ()
    verbatim: bool = False


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
