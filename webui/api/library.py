"""The library itself: which folders are indexed, adding and removing them, indexing, and what was skipped."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, request

from data.notices import noted_pictures, skip_reasons
from data.paths import clean_text, display, to_bytes
from data.roots import Root, count_root, forget_root, read_roots, remember_root
from retrieval.indexing import jobs
from retrieval.library import library_model
from webui.api.streams import job_events, job_streams
from webui.auth.server_folders import ServerFolder, count_pictures
from webui.openapi.library import (
    Added,
    Event,
    Forgotten,
    Job,
    Library,
    LibraryFolder,
    NewJob,
    Noted,
    Notices,
    Places,
    Skipped,
)
from webui.openapi.operations import Parameter, operation
from webui.problems import Problem
from webui.request.values import WINDOW, body_field, optional_field, read_body, read_window
from webui.services import services

MOST_REASONS = 20

library = Blueprint("library", __name__, url_prefix="/api/v1/library")


@library.get("")
@operation(answer=Library, problems=(503,))
def overview() -> Response:
    """What the library holds: its folders, counts, what the captioner described, and the job that runs."""
    opened = services().library
    status = opened.store.status()
    job = services().jobs.current()
    return jsonify(
        {
            "folders": [_folder(root) for root in read_roots(opened.store)],
            "pictures": status.pictures,
            "captions": status.captions,
            "user_captions": status.user_captions,
            "skipped": status.skipped,
            "model": library_model(opened.settings, status)._asdict(),
            "job": job.to_json() if job else None,
        }
    )


@library.get("/places")
@operation(
    answer=Places,
    problems=(404, 503),
    query=(
        Parameter("in", str, "Token of the folder to list; without it, the top folders"),
        Parameter(
            "path", str, "Path of the folder to list, as a person types it; it must lie at or below a top folder"
        ),
        *WINDOW,
    ),
)
def places() -> Response:
    """Folders of the server's machine that may be added, each named by a token."""
    server_folders, window = services().server_folders, read_window(request.args)
    parent = server_folders.folder(request.args["in"]) if request.args.get("in") else None
    if parent is None and request.args.get("path"):
        parent = server_folders.typed(request.args["path"])
    folders = server_folders.inside(parent) if parent else server_folders.tops()
    page = folders[window.offset : window.offset + window.limit]
    listed = [_server_folder(folder) | {"pictures_here": count_pictures(folder.path)} for folder in page]
    return jsonify({"total": len(folders), "places": listed, "in": _server_folder(parent) if parent else None})


@library.post("/folders")
@operation(answer=LibraryFolder, status=201, body=Added, problems=(404, 415, 503))
def add_folder() -> tuple[Response, int]:
    """Add a folder to the library; its pictures appear once it is indexed."""
    return jsonify(_folder(add_server_folder(body_field(read_body(), "place", str)))), HTTPStatus.CREATED


@library.delete("/folders/<folder_id>")
@operation(answer=Forgotten, problems=(404, 409, 503))
def forget_folder(folder_id: str) -> Response:
    """Forget a folder and its pictures. Nothing on disk is touched."""
    root = _root(folder_id)
    job = services().jobs.current()
    if job is not None and not job.finished:
        raise Problem(HTTPStatus.CONFLICT, "indexing is running; stop it first")
    return jsonify({"files": forget_root(services().library.store, root)})


@library.post("/jobs")
@operation(answer=Job, status=202, body=NewJob, problems=(404, 409, 415, 503))
def start_job() -> tuple[Response, int]:
    """Start indexing one folder of the library, or all of them."""
    body = read_body()
    folder_id, recaption = optional_field(body, "folder", str), bool(optional_field(body, "recaption", bool))
    return jsonify(start_indexing(folder_id, recaption).to_json()), HTTPStatus.ACCEPTED


@library.get("/jobs/current")
@operation(answer=Job, problems=(404,))
def current_job() -> Response:
    """The indexing job that runs, or the last one that was started from here."""
    job = services().jobs.current()
    if job is None:
        raise Problem(HTTPStatus.NOT_FOUND, "no indexing was started from here yet")
    return jsonify(job.to_json())


@library.delete("/jobs/current")
@operation(answer=Job, status=202, problems=(409,))
def stop_job() -> tuple[Response, int]:
    """Stop indexing; pictures that are already captioned are kept."""
    try:
        return jsonify(services().jobs.stop().to_json()), HTTPStatus.ACCEPTED
    except jobs.JobError as error:
        raise Problem(HTTPStatus.CONFLICT, str(error)) from error


@library.get("/events")
@operation(answer=Event, media="text/event-stream", problems=(503,))
def events() -> Response:
    """The progress of indexing as server-sent events: `progress` with each change of the job, then one `end`."""
    response = Response(job_streams.stream(job_events(services().jobs)), mimetype="text/event-stream")
    response.headers |= {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return response


@library.get("/skipped")
@operation(answer=Skipped, problems=(503,), query=WINDOW)
def skipped() -> Response:
    """Files that could not be indexed, and why."""
    window, store = read_window(request.args), services().library.store
    page = store.skipped_files(window.limit, window.offset)
    listed = [{"path": clean_text(path), "reason": reason} for path, reason in page]
    return jsonify({"total": store.status().skipped, "skipped": listed})


@library.get("/notices")
@operation(answer=Notices, problems=(503,))
def notices() -> Response:
    """How many pictures are absent or could not be read completely, damaged rows, and why files were skipped."""
    opened = services().library
    reasons = [reason._asdict() for reason in skip_reasons(opened.store, MOST_REASONS)]
    counts = opened.notices()._asdict()
    return jsonify({**counts, "skipped": opened.store.status().skipped, "skip_reasons": reasons})


@library.get("/noted")
@operation(answer=Noted, problems=(503,), query=WINDOW)
def noted() -> Response:
    """Pictures that could not be read completely, and what of them is missing."""
    window, opened = read_window(request.args), services().library
    page = noted_pictures(opened.store, window.limit, window.offset)
    listed = [{"id": one.id, "path": clean_text(one.path), "notes": list(one.notes)} for one in page]
    return jsonify({"total": opened.notices().noted, "noted": listed})


def add_server_folder(token: str) -> Root:
    """Add the folder that a token names. Raise Problem 404."""
    folder = services().server_folders.folder(token)
    return remember_root(services().library.store, to_bytes(folder.path))


def start_indexing(folder_id: str | None, recaption: bool) -> jobs.Job:
    """Start indexing one folder, None for all. Raise Problem 404 or 409."""
    services().library.store.check_writable()
    root = _root(folder_id) if folder_id is not None else None
    if root is None and not read_roots(services().library.store):
        raise Problem(HTTPStatus.CONFLICT, "the library has no folder yet; add one first")
    try:
        return services().jobs.start(root, recaption)
    except jobs.JobError as error:
        raise Problem(HTTPStatus.CONFLICT, str(error)) from error


def _root(folder_id: str) -> Root:
    found = [root for root in read_roots(services().library.store) if root.id == folder_id]
    if not found:
        raise Problem(HTTPStatus.NOT_FOUND, "there is no such folder in the library")
    return found[0]


def _folder(root: Root) -> dict[str, Any]:
    counts = count_root(services().library.store, root)
    indexed_at = root.indexed_at.isoformat(timespec="seconds") + "Z" if root.indexed_at else None
    return {"id": root.id, "path": clean_text(root.path), **counts._asdict(), "indexed_at": indexed_at}


def _server_folder(folder: ServerFolder) -> dict[str, Any]:
    name = display(Path(folder.path.name or folder.path))
    return {"token": folder.token, "name": name, "path": display(folder.path), "above": folder.above}
