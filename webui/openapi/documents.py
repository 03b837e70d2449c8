"""What the API answers, as types; their schemas in the API's description are made of them."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from webui.openapi.schemas import COUNT


class Problem(TypedDict):
    """What went wrong (RFC 9457). `instance` names this one request, as the log and X-Request-Id do."""

    type: str
    title: str
    status: int
    detail: str
    instance: str


class Links(TypedDict):
    """Addresses of a picture's file and thumbnail."""

    file: str
    thumbnail: str


class Listed(TypedDict):
    """One picture of a list; width and height are in pixels."""

    id: COUNT
    path: str
    caption: str
    captions: list[str]
    width: COUNT
    height: COUNT
    links: Links


class Hit(Listed):
    """One picture found."""

    score: float
    scores: Annotated[
        dict[str, float],
        {
            "description": "The parts of the score by name: bleu, cosine, embedding; with words., like1., like2., "
            "unlike1. and so on before it where several things were asked for, uploads first"
        },
    ]


class Told(TypedDict):
    """What was asked for: words, and what query pictures were taken to show."""

    text: NotRequired[str]
    captions: list[str]


class SearchResult(TypedDict):
    """One page of hits, and how many there are in all."""

    query: Told
    total: COUNT
    more: Annotated[
        bool, {"description": "Whether there may be more than `total`: a large library is not looked through whole"}
    ]
    closest: Annotated[
        float | None,
        {"description": "The best score of any picture, close enough for a hit or not; null where there is none"},
    ]
    unsaid: Annotated[
        list[str],
        {
            "description": "Words of q, without function words, that no caption of the library says in any inflection; "
            "hits are near them by looks at most"
        },
    ]
    hits: list[Hit]


class Caption(TypedDict):
    """One caption of a picture, a person's or a model's."""

    text: str
    source: Literal["model", "user"]
    logprob: float | None
    model_version: str | None


class Folder(TypedDict):
    """The folder of a picture's first file; its id filters searches."""

    id: str
    path: str


class ExifFacts(TypedDict):
    """What the camera wrote into the file, in words; null where it did not. The place is left out, for privacy."""

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


class Picture(TypedDict):
    """All that is known of one picture."""

    id: COUNT
    paths: list[str]
    width: COUNT
    height: COUNT
    format: str
    bytes: COUNT
    taken_at: Annotated[str | None, {"format": "date-time"}]
    captions: list[Caption]
    folder: Folder | None
    exif: ExifFacts
    copies: CopiesOf
    can_undo: Annotated[bool, {"description": "Whether a change of a person's caption can be undone"}]
    links: Links


class Health(TypedDict):
    """The server answers."""

    status: Literal["ok"]


class Readiness(TypedDict):
    """Every kind of search works, with the captioner of this version."""

    status: Literal["ready"]
    model_version: str
