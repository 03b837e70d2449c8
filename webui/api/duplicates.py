"""Groups of copies, and which of them to keep. No file is ever changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypedDict

from flask import Blueprint, Response, jsonify, request

from data.choices import Copy
from data.copy_facts import CopyFacts
from data.paths import clean_text
from data.store import StoredPicture
from retrieval.copies.duplicates import KINDS, Group, copy_id, decide, exact_groups, forget, near_groups
from retrieval.copies.keeping import best, facts_of, gain
from retrieval.search.fields import COUNT
from webui.api.answers import as_hit
from webui.openapi.documents import Listed
from webui.openapi.operations import Parameter, operation
from webui.problems import Problem
from webui.request.values import WINDOW, body_field, known_value, read_body, read_window
from webui.services import services

PATIENCE = 1.0
"""Seconds that a request waits for the near copies of a library that has changed."""
COPY_ID = int | str

duplicates = Blueprint("duplicates", __name__, url_prefix="/api/v1")


class CopyListed(Listed):
    """One of several copies. `copy` is its id: a picture's among near copies, a file's among exact ones."""

    copy: COPY_ID
    paths: list[str]
    format: str
    bytes: COUNT
    keep: Annotated[bool | None, {"description": "The decision; null where there is none"}]
    best: Annotated[bool, {"description": "Most pixels; of as many the camera's own, most bytes, the oldest file"}]


class CopyGroup(TypedDict):
    """Copies of one another. The key changes when a copy joins or leaves."""

    key: str
    kind: Literal["exact", "near"]
    decided: bool
    pictures: list[CopyListed]


class ToWin(TypedDict):
    """Files that need not be kept: by the decisions, and without one all of a group but the best."""

    files: COUNT
    bytes: COUNT


class Duplicates(TypedDict):
    """One page of groups. While `working`, near copies are still searched, and these are the groups so far."""

    total: COUNT
    groups: list[CopyGroup]
    to_win: ToWin
    working: bool
    done: Annotated[COUNT, {"description": "Pictures compared so far"}]
    of: COUNT


class Kept(TypedDict):
    """The copies to keep, by their `copy`; may be empty."""

    keep: list[COPY_ID]


@duplicates.get("/duplicates")
@operation(
    answer=Duplicates,
    problems=(503,),
    query=(
        Parameter("kind", Literal[KINDS], "exact: the same content in several files; near: pictures that look alike"),
        Parameter("decided", Literal["true", "false"], "Only groups with, or without, a decision"),
        *WINDOW,
    ),
)
def list_duplicates() -> Response:
    """Groups of copies, exact ones by default."""
    return jsonify(listed(PATIENCE))


def listed(patience: float) -> dict[str, Any]:
    """Return what the request asks for; near copies so far, if comparing takes more than these seconds."""
    kind = known_value(request.args, "kind", KINDS) or KINDS[0]
    decided = known_value(request.args, "decided", ("true", "false"))
    window = read_window(request.args)
    groups, progress = groups_of(kind, patience)
    groups = [group for group in groups if decided is None or group.decided == (decided == "true")]
    facts = facts_of(services().library.store, groups)
    page = _documents(groups[window.offset : window.offset + window.limit], facts)
    return {"total": len(groups), "groups": page, "to_win": gain(groups, facts)._asdict(), **progress}


@duplicates.put("/duplicates/<key>")
@operation(answer=CopyGroup, body=Kept, problems=(404, 415, 503))
def decide_duplicates(key: str) -> Response:
    """Remember which copies of a group to keep."""
    keep = body_field(read_body(), "keep", list)
    if not all(type(one) in (int, str) for one in keep):
        raise Problem(HTTPStatus.BAD_REQUEST, "the field keep must list ids of copies")
    keep_copies(key, keep)
    return jsonify(_document_of(_group(key)))


@duplicates.delete("/duplicates/<key>")
@operation(answer=CopyGroup, problems=(404, 503))
def forget_duplicates(key: str) -> Response:
    """Forget the decision on a group."""
    forget(services().library.store, _group(key))
    return jsonify(_document_of(_group(key)))


def keep_copies(key: str, keep: Collection[COPY_ID]) -> None:
    """Remember which copies of the group of this key to keep. Raise Problem 404 or QueryError."""
    decide(services().library.store, _group(key), keep)


def groups_of(kind: str, patience: float = PATIENCE) -> tuple[list[Group], dict[str, Any]]:
    """Return all groups of exact or near copies, and how far the comparing is."""
    store = services().library.store
    if kind == "exact":
        return exact_groups(store), {"working": False, "done": 0, "of": 0}
    found = services().copies.find(patience)
    return near_groups(store, found.groups), {"working": found.working, "done": found.done, "of": found.total}


def _group(key: str) -> Group:
    kind = key.partition("-")[0]
    found = [group for group in groups_of(kind)[0] if group.key == key] if kind in KINDS else []
    if not found:
        raise Problem(HTTPStatus.NOT_FOUND, "this group of copies no longer exists; reload the list")
    return found[0]


def _document_of(group: Group) -> dict[str, Any]:
    return _documents([group], facts_of(services().library.store, [group]))[0]


def _documents(groups: list[Group], facts: Mapping[int, CopyFacts]) -> list[dict[str, Any]]:
    ids = [copy.picture_id for group in groups for copy in group.copies]
    pictures = services().library.store.pictures(ids)
    return [_document(group, pictures, best(group, facts)) for group in groups]


def _document(group: Group, pictures: dict[int, StoredPicture], to_keep: Copy | None) -> dict[str, Any]:
    listed = []
    for copy, choice in zip(group.copies, group.choices, strict=True):
        picture = pictures.get(copy.picture_id)
        if picture is not None:
            paths = [clean_text(copy.path)] if copy.path else picture.shown_paths
            own = {"copy": copy_id(copy), "paths": paths, "bytes": picture.bytes, "keep": choice and choice.keep}
            shown = {"path": paths[0] if paths else "", "format": picture.format, "best": copy == to_keep}
            listed.append(as_hit(picture) | shown | own)
    return {"key": group.key, "kind": group.kind, "decided": group.decided, "pictures": listed}
