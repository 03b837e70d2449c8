"""What a film says of itself: when and where it was made, and the words of its tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from data.metadata import dates
from data.metadata.embedded import LONGEST, Metadata
from data.metadata.positions import film_position
from data.paths import clean_text
from data.records import PictureText

IDENTIFIER = "com.apple.quicktime.content.identifier"
"""The tag that the film of a Live Photo shares with its picture."""
_DATES = ("com.apple.quicktime.creationdate", "creation_time", "date")
"""The first one has the local time; the second is in UTC, as other programs show it."""
_PLACES = ("com.apple.quicktime.location.iso6709", "location")
_TEXTS = {
    "title": "title",
    "com.apple.quicktime.title": "title",
    "comment": "description",
    "description": "description",
    "synopsis": "description",
    "com.apple.quicktime.description": "description",
    "keywords": "keyword",
    "com.apple.quicktime.keywords": "keyword",
}


def read_film_metadata(tags: Mapping[str, str], now: datetime) -> tuple[Metadata, str]:
    """Return what the tags of a film say, and the identifier of a Live Photo, "" for none."""
    written = {name.lower(): clean_text(value.encode(errors="replace"))[:LONGEST] for name, value in tags.items()}
    taken_at = next((date for name in _DATES if (date := dates.read_date(written.get(name, ""), now))), None)
    texts: dict[PictureText, None] = {}
    for name, field in _TEXTS.items():
        parts = re.split(r"[;,]", written.get(name, "")) if field == "keyword" else [written.get(name, "")]
        texts.update((PictureText(field, part.strip()), None) for part in parts if part.strip())
    position = next(filter(None, (film_position(written.get(name, "")) for name in _PLACES)), None)
    metadata = Metadata(taken_at, "film" if taken_at else None, tuple(texts), position)
    return metadata, written.get(IDENTIFIER, "")
