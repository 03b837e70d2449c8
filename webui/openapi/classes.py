"""What the API answers of predicted values, and of groups of hits."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from retrieval.search.fields import COUNT

PREDICTED = Annotated[
    dict[str, float], {"description": "The confidence, 0 to 1, of those of `fields` that a model predicted"}
]


class Guess(TypedDict):
    """A value that a picture may have, and its probability."""

    value: str
    probability: float


class Group(TypedDict):
    """The hits that have one value of the field that hits are grouped by, null for none: from number `first` on."""

    value: Any
    pictures: COUNT
    first: COUNT
