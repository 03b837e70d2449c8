"""What the API answers about the library itself: its folders, indexing, and what of it could not be used."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from retrieval.search.fields import COUNT

MOMENT = Annotated[str | None, {"format": "date-time"}]


class LibraryFolder(TypedDict):
    """A folder of the library; `indexed_at` is when it was last fully indexed."""

    id: str
    path: str
    pictures: COUNT
    files: COUNT
    skipped: COUNT
    indexed_at: MOMENT


class Model(TypedDict):
    """The captioner in use (null where it cannot be loaded), and how many pictures it and others described."""

    version: str | None
    described: COUNT
    stale: COUNT


class Job(TypedDict):
    """One run of indexing. `total` is null until files are counted; the rate is in pictures per second."""

    id: str
    state: Literal["running", "stopping", "done", "stopped", "failed"]
    folder: Annotated[str | None, {"description": "The only folder that is indexed; null for all"}]
    recaption: bool
    started_at: Annotated[str, {"format": "date-time"}]
    done: COUNT
    encoded: Annotated[int, {"minimum": 0, "description": "Files that are done or being captioned and written"}]
    total: Annotated[int | None, {"minimum": 0}]
    captioned: COUNT
    faces_done: COUNT
    faces_total: Annotated[int, {"minimum": 0, "description": "Files to search for faces; 0 if none are, or not yet"}]
    skipped: COUNT
    passed_over: Annotated[dict[str, int], {"description": "Numbers of files that are no pictures, by suffix"}]
    left_out: Annotated[dict[str, int], {"description": "Numbers of folders that machines made, by name"}]
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
    """A folder of the server's machine; `above` is the token of its parent folder."""

    token: str
    name: str
    path: str
    above: str | None


class PlaceListed(PlaceInside):
    """A folder, and how many pictures it holds itself; null where that is unknown."""

    pictures_here: Annotated[int | None, {"minimum": 0}]


Places = TypedDict("Places", {"total": COUNT, "places": list[PlaceListed], "in": PlaceInside | None})
Places.__doc__ = "The folders in a folder, or the top folders."


class Added(TypedDict):
    """The folder to add, by its token."""

    place: str


class Forgotten(TypedDict):
    """How many files were removed from the library."""

    files: COUNT


class NewJob(TypedDict):
    """What to index: one folder, or all; with `recaption` also pictures that another captioner described."""

    folder: NotRequired[str | None]
    recaption: NotRequired[bool]


class SkippedFile(TypedDict):
    """A file that could not be indexed, and why."""

    path: str
    reason: str


class Skipped(TypedDict):
    """One page of files that could not be indexed, by path."""

    total: COUNT
    skipped: list[SkippedFile]


class SkipReason(TypedDict):
    """Why files were skipped, and how many; the reason continues a sentence that begins with a file's name."""

    reason: str
    files: COUNT


class Notices(TypedDict):
    """What is amiss in the library.

    `absent` pictures have no file at present, `noted` ones could not be read completely, `damaged` rows are left out
    until `retroflex check` mends them. `skip_reasons` are the most frequent ones.
    """

    absent: COUNT
    noted: COUNT
    damaged: COUNT
    skipped: COUNT
    skip_reasons: list[SkipReason]


class NotedPicture(TypedDict):
    """A picture that could not be read completely; each note continues a sentence that begins with the file's name."""

    id: COUNT
    path: str
    notes: list[str]


class Noted(TypedDict):
    """One page of pictures that could not be read completely, by path."""

    total: COUNT
    noted: list[NotedPicture]


class Event(TypedDict):
    """A server-sent event: `progress` or `end`; its data is a Job as JSON, or null where nothing was indexed."""

    event: Literal["progress", "end"]
    data: str
