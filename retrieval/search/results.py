"""Search results: hits with their scores, the same in JSON, in the terminal and over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data.catalogue.values import PREDICTED
from data.films.records import StoredFilm
from data.records import PictureText
from data.store import StoredPicture
from retrieval.classes import Guess
from retrieval.search.grouping import Group
from retrieval.search.unsaid import unsaid_notice


def taken(picture: StoredPicture) -> dict[str, str | None]:
    """Return when a picture was taken, in ISO 8601, and which source says so, as plain values for JSON."""
    return {"taken_at": picture.taken_as_text, "taken_from": picture.taken_from}


def values_of(picture: StoredPicture) -> dict[str, dict[str, Any]]:
    """Return the values of the catalogue's fields as plain values for JSON; of predicted ones also the confidence."""
    return {
        "fields": {fact.field.name: fact.plain for fact in picture.facts},
        "predicted": {fact.field.name: fact.confidence or 0.0 for fact in picture.facts if fact.source == PREDICTED},
    }


@dataclass(frozen=True)
class FoundFrame:
    """The frame of a film that a query finds best: its second in the film, its captions, and the film.

    What is found by the film's own caption or name is shown by its first frame.
    """

    seconds: float
    captions: Sequence[str]
    film: StoredFilm

    @classmethod
    def of(cls, film: StoredFilm, item: int, captions: Sequence[str]) -> FoundFrame:
        """Return the frame `item` of a film, or its first one if that is none."""
        first = film.frames[0].seconds if film.frames else 0.0
        return cls(next((frame.seconds for frame in film.frames if frame.id == item), first), captions, film)


@dataclass(frozen=True)
class Hit:
    """One picture or film found, and its caption that best matches the query.

    `score` is the relevance that orders the hits; `scores` are its parts: "bleu", "cosine" and so on, or "words.bleu",
    "like1.cosine", "unlike1.embedding" for a query of several parts. `matched` are the names, keywords and dates that
    have words of the query. `face` has the "id" and "box" of the face that a search by a face found: left, top, right
    and bottom in shares of width and height. `frame` is the best frame of a film, None for a
    picture.
    """

    picture: StoredPicture
    caption: str
    score: float
    scores: dict[str, float]
    matched: Sequence[PictureText] = ()
    face: Mapping[str, Any] | None = None
    frame: FoundFrame | None = None

    @property
    def id(self) -> int:
        """The picture's id."""
        return self.picture.id

    @property
    def path(self) -> str:
        """The path of its file, as clean text."""
        return next(iter(self.picture.shown_paths), "")

    @property
    def captions(self) -> list[str]:
        """All its captions, the user's first and then the model's best first; of a film also those of the frame."""
        return [*self.picture.texts, *(self.frame.captions if self.frame else ())]

    @property
    def time(self) -> float | None:
        """Where in a film it was found, in seconds; None for a picture."""
        return None if self.frame is None else self.frame.seconds

    def to_json(self) -> dict[str, Any]:
        """Return the hit as plain values for JSON."""
        names = ("id", "path", "time", "caption", "captions", "score", "scores")
        matched = [text._asdict() for text in self.matched]
        return (
            {name: getattr(self, name) for name in names}
            | {"matched": matched}
            | taken(self.picture)
            | values_of(self.picture)
            | ({"face": dict(self.face)} if self.face else {})
        )


@dataclass(frozen=True)
class SearchResult:
    """One page of hits.

    `query` is {"text", "captions": []} for words, {"captions": [...]} for a picture, that of
    `retrieval.faces.search.QueryFace` for a face; `total` counts all hits, or with
    `more` those among the best candidates: in a large library not every picture that shares a word is ranked.
    `closest` is the best relevance of any picture, hit or not; None if there are no candidates. `unsaid` are
    the words of the query that no caption of the library says, see `retrieval.search.unsaid`. `corrected` is None or
    {"from": as typed, "to": as searched for}; `expanded` has the words that were searched for in place of others, and
    `without` the excluded ones, see `retrieval.search.reading`. `classes` say what each picture to be like is, by
    field of the library's classifiers; `groups` are those that the hits are in, if they are grouped. `degraded` says
    what the answer lacks for now, as "by captions only, vectors unreachable".
    """

    query: dict[str, Any]
    total: int
    more: bool
    closest: float | None
    unsaid: list[str]
    hits: list[Hit]
    corrected: dict[str, str] | None = None
    expanded: dict[str, str] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    classes: list[dict[str, list[Guess]]] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    degraded: str | None = None

    @property
    def words(self) -> str:
        """The words of the query as they were searched for: corrected, and with those in place of others."""
        text: str = self.corrected["to"] if self.corrected else self.query.get("text", "")
        return " ".join([text, *self.expanded.values()])

    @property
    def notice(self) -> str:
        """One line: what is lacking, words that were searched for instead, that were excluded, that no caption says."""
        told = [self.degraded] if self.degraded else []
        told += [f"searched for {to} ({word})" for word, to in self.expanded.items()]
        told += ["without " + ", ".join(f"“{word}”" for word in self.without)] if self.without else []
        read = "; ".join(told)
        text = self.corrected["to"] if self.corrected else self.query.get("text", "")
        unsaid = unsaid_notice(text, self.unsaid, [hit.scores for hit in self.hits])
        return " ".join([*([f"{read[0].upper()}{read[1:]}."] if read else []), *([unsaid] if unsaid else [])])

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values for JSON."""
        return vars(self) | self.told() | {"hits": [hit.to_json() for hit in self.hits]}

    def told(self) -> dict[str, Any]:
        """Return classes and groups as plain values for JSON."""
        classes = [{name: [one._asdict() for one in own] for name, own in each.items()} for each in self.classes]
        return {"classes": classes, "groups": [one._asdict() for one in self.groups]}
