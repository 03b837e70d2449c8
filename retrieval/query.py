"""What can be asked for: words, pictures to be like, and pictures to be unlike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from captioner.types import Description
from data.errors import RetroflexError


class QueryError(RetroflexError):
    """The query or the page asked for is out of bounds; the message says what to change."""


@dataclass(frozen=True)
class Wanted:
    """A described picture in a query, and its weight; an unwanted one's is at most 1."""

    description: Description
    weight: float = 1.0


@dataclass(frozen=True)
class Query:
    """Words, pictures to be like, and pictures to be unlike; words or a picture to be like must be among them."""

    text: str = ""
    like: Sequence[Wanted] = ()
    unlike: Sequence[Wanted] = ()
