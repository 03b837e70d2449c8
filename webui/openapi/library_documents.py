"""What the API answers and takes about the library, as types."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from webui.openapi.schemas import COUNT

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
