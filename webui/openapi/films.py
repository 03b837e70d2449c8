"""What the API answers about films, see `webui.openapi.documents`."""

from __future__ import annotations

from typing import Annotated, TypedDict

FOUND_AT = Annotated[
    float | None, {"minimum": 0, "description": "Where in a film it is, in seconds; null for a picture"}
]
DURATION = Annotated[float | None, {"minimum": 0, "description": "Seconds that a film lasts; null for a picture"}]
MOTION = Annotated[str | None, {"description": "The address of the film of a Live Photo; null without one"}]


class Frame(TypedDict):
    """A frame that stands for a part of a film: its time in seconds, what it shows, the address of its thumbnail."""

    time: Annotated[float, {"minimum": 0}]
    caption: str
    thumbnail: str


class FilmFacts(TypedDict):
    """How long a film lasts, in seconds, and its frames by time."""

    duration: Annotated[float, {"minimum": 0}]
    frames: list[Frame]
