"""What the API takes and answers, as types; the schemas in its description are made from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from data.catalogue.values import SOURCES as SOURCES_OF_FACTS
from data.catalogue.values import TYPES
from data.colour.names import NAMES
from data.metadata.dates import SOURCES
from retrieval.search.fields import COUNT
from webui.openapi.classes import PREDICTED, Group, Guess
from webui.openapi.faces import HitFace, ToldFace
from webui.openapi.films import DURATION, FOUND_AT, MOTION, FilmFacts


class Problem(TypedDict):
    """What went wrong (RFC 9457). `instance` names this one request, as the log and X-Request-Id do."""

    type: str
    title: str
    status: int
    detail: str
    instance: str


class Links(TypedDict):
    """Addresses of a picture's file, its thumbnail and, large enough for a screen, its preview."""

    file: str
    preview: str
    thumbnail: str


COLOUR = Literal[(*NAMES,)]  # type: ignore[valid-type]
FIELD_TYPE = Literal[(*TYPES,)]  # type: ignore[valid-type]
SOURCE = Annotated[
    Literal[(*SOURCES,)] | None,  # type: ignore[valid-type]
    {
        "description": "Which source gives taken_at: original, digitized and changed are those of EXIF, name is the "
        "file's name, file its own time; month and year are what the file's data tell without a day, taken_at is then "
        "their first day; null where an older version read it"
    },
]
TAKEN = Annotated[
    str | None,
    {"description": "When it was taken, as the camera's clock showed it: ISO 8601 without a zone"},
]


FAVOURITE = Annotated[bool, {"description": "Whether a person marked it as a favourite"}]


class Listed(TypedDict):
    """One picture of a list; width and height are in pixels."""

    id: COUNT
    path: str
    caption: str
    captions: list[str]
    taken_at: TAKEN
    taken_from: SOURCE
    fields: Annotated[dict[str, Any], {"description": "The values of the catalogue's fields, by name"}]
    predicted: PREDICTED
    favourite: FAVOURITE
    width: COUNT
    height: COUNT
    duration: DURATION
    links: Links


class Matched(TypedDict):
    """A text beside the captions that has words of the query."""

    field: Annotated[
        str,
        {
            "pattern": "^(name|folder|date|title|description|keyword|person|place|field[.].+)$",
            "description": "name, folder, date, title, description, keyword, person, place, or field.NAME",
        },
    ]
    text: str


class Hit(Listed):
    """A picture or film that matches, with its relevance."""

    time: FOUND_AT
    score: float
    scores: Annotated[
        dict[str, float],
        {
            "description": "The parts of the score by name: bleu, cosine, alike, neighbours, embedding, or the kind "
            "of by; prefixed with words., like1., like2., unlike1. and so on where the query has several parts, "
            "uploads first; metadata where names, keywords or dates match, 1 as a whole; face, the cosine to the face"
        },
    ]
    matched: Annotated[
        list[Matched], {"description": "Where the words of q are found beside captions; such hits come first"}
    ]
    face: NotRequired[HitFace]


class Told(TypedDict):
    """The query: its words, and the captions of its pictures; or the face, and the faces of its picture or film."""

    text: NotRequired[str]
    captions: list[str]
    face: NotRequired[ToldFace]
    faces: NotRequired[list[ToldFace]]


Correction = TypedDict("Correction", {"from": str, "to": str})
Correction.__doc__ = "The words as they were typed, and as they were searched for."


class SearchResult(TypedDict):
    """One page of hits, and how many there are in all."""

    query: Told
    total: COUNT
    more: Annotated[
        bool,
        {"description": "Whether there may be more than `total`: of a large library only the best are ranked"},
    ]
    closest: Annotated[
        float | None,
        {"description": "The best score of any picture, whether it is a hit or not; null where there is none"},
    ]
    unsaid: Annotated[
        list[str],
        {
            "description": "Words of q, without function words, that no caption of the library contains in any "
            "inflection; hits can only look similar"
        },
    ]
    hits: list[Hit]
    corrected: Annotated[
        Correction | None,
        {"description": "How q was corrected; null where it was not. The parameter verbatim searches for it as typed"},
    ]
    expanded: Annotated[
        dict[str, str], {"description": "Words of q that no caption says, and those that were searched for instead"}
    ]
    without: Annotated[
        list[str], {"description": "What was excluded: by -word, no, not or without in q, or by exclude"}
    ]
    classes: Annotated[
        list[dict[str, list[Guess]]],
        {
            "description": "What each picture to be like is, uploads first: by field that was learnt "
            "(`retroflex train classes`) the likely values, best first"
        },
    ]
    groups: Annotated[list[Group], {"description": "Of group_by, in the order of the hits; else empty"}]
    degraded: Annotated[
        str | None,
        {
            "description": "What the answer lacks for now, as: by captions only, vectors unreachable; null where it "
            "lacks nothing"
        },
    ]


class Text(TypedDict):
    """A text of a picture file's EXIF, XMP, IPTC or PNG data."""

    field: Literal["title", "description", "keyword", "person", "place"]
    text: str


class Caption(TypedDict):
    """A caption of a picture, by a person or a model."""

    text: str
    source: Literal["model", "user"]
    logprob: float | None
    model_version: str | None


class Folder(TypedDict):
    """The folder of a picture's first file; its id filters searches."""

    id: str
    path: str


class ExifFacts(TypedDict):
    """What the camera wrote into the file, as text; null where it did not. Locations are left out, for privacy."""

    camera: str | None
    lens: str | None
    exposure: str | None
    aperture: str | None
    iso: str | None
    focal_length: str | None
    taken_at: str | None


class NearCopy(Listed):
    """A picture that looks the same, and the cosine of the two."""

    cosine: float


class CopiesOf(TypedDict):
    """Paths of further files with the same content, and pictures that look the same, closest first."""

    exact: list[str]
    near: list[NearCopy]


class FieldValue(TypedDict):
    """The value of a field of the catalogue, and who says so."""

    name: str
    label: str
    type: FIELD_TYPE
    value: Annotated[Any, {"description": "A text, number or true/false; days as 2024-07-31"}]
    source: Annotated[
        Literal[SOURCES_OF_FACTS],  # type: ignore[valid-type]
        {"description": "user: a person; a person's value is never overwritten"},
    ]
    confidence: Annotated[float | None, {"description": "From 0 to 1 of what a model predicted, else null"}]


class AlbumOf(TypedDict):
    """An album that a picture is in."""

    id: COUNT
    name: str


class Picture(TypedDict):
    """All that is stored about one picture, and what its camera wrote."""

    id: COUNT
    paths: list[str]
    width: COUNT
    height: COUNT
    format: str
    bytes: COUNT
    taken_at: TAKEN
    taken_from: SOURCE
    colours: Annotated[list[COLOUR], {"description": "The colours that it mostly has"}]
    favourite: FAVOURITE
    albums: Annotated[list[AlbumOf], {"description": "The hand-picked albums that it is in, by name"}]
    fields: list[FieldValue]
    metadata: Annotated[list[Text], {"description": "What its file says in words"}]
    captions: list[Caption]
    notes: Annotated[
        list[str],
        {"description": "What of its file could not be used; each continues a sentence with the file's name"},
    ]
    folder: Folder | None
    exif: ExifFacts
    copies: CopiesOf
    film: Annotated[FilmFacts | None, {"description": "Of a film; null for a picture"}]
    motion: MOTION
    can_undo: Annotated[bool, {"description": "Whether a change of a person's caption can be undone"}]
    links: Links


class Health(TypedDict):
    """The server runs."""

    status: Literal["ok"]


class Readiness(TypedDict):
    """Every kind of search works, with the captioner of this version."""

    status: Literal["ready"]
    model_version: str
