"""What the API takes and answers, as types; the schemas in its description are made from them."""

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


MOMENT = Annotated[str | None, {"format": "date-time"}]


class LibraryFolder(TypedDict):
    """A folder that is indexed; `indexed_at` is when it was last gone through to the end."""

    id: str
    path: str
    pictures: COUNT
    files: COUNT
    skipped: COUNT
    indexed_at: MOMENT


class Model(TypedDict):
    """The captioner in use (null where it cannot be read), and how many pictures it and others have described."""

    version: str | None
    described: COUNT
    stale: COUNT


class Job(TypedDict):
    """One run of indexing. `total` is null until files were counted; the rate is in pictures a second."""

    id: str
    state: Literal["running", "stopping", "done", "stopped", "failed"]
    folder: Annotated[str | None, {"description": "The only folder that it goes through; null for all"}]
    recaption: bool
    started_at: Annotated[str, {"format": "date-time"}]
    done: COUNT
    total: Annotated[int | None, {"minimum": 0}]
    captioned: COUNT
    skipped: COUNT
    rate: float | None
    seconds_left: float | None
    error: str | None


class Library(TypedDict):
    """What the library holds."""

    folders: list[LibraryFolder]
    pictures: COUNT
    captions: COUNT
    user_captions: COUNT
    skipped: COUNT
    model: Model
    job: Job | None


class PlaceInside(TypedDict):
    """A folder of the server's machine; `above` is the token of the one that it lies in."""

    token: str
    name: str
    path: str
    above: str | None


class PlaceListed(PlaceInside):
    """A folder, and how many pictures lie right in it; null where that is not known."""

    pictures_here: Annotated[int | None, {"minimum": 0}]


Places = TypedDict("Places", {"total": COUNT, "places": list[PlaceListed], "in": PlaceInside | None})
Places.__doc__ = "Folders in a folder, or where one may start to look."


class Added(TypedDict):
    """A folder to be added, by its token from the places."""

    place: str


class Forgotten(TypedDict):
    """How many files were forgotten."""

    files: COUNT


class NewJob(TypedDict):
    """What to index: one folder, or all; with `recaption` also what another captioner has captioned."""

    folder: NotRequired[str | None]
    recaption: NotRequired[bool]


class SkippedFile(TypedDict):
    """A file that could not be taken, and why."""

    path: str
    reason: str


class Skipped(TypedDict):
    """One page of files that could not be taken, by path."""

    total: COUNT
    skipped: list[SkippedFile]


class Event(TypedDict):
    """A server-sent event: `progress` or `end`; its data is a Job as JSON, or null where nothing was indexed."""

    event: Literal["progress", "end"]
    data: str
