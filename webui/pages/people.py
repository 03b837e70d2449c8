"""The page of people: groups of faces to name, join, part and hide; and the faces on other pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from data.faces import history
from data.faces import people as changes
from data.faces.forget import forget_faces
from data.faces.reads import face_counts, faces_by_id
from data.faces.records import Person
from data.store import Store, StoredPicture
from retrieval.faces.search import rounded
from webui.api.answers import Document, Preview, links_at
from webui.api.faces import changed, face_documents, find_person, person_document
from webui.request.parameters import takes
from webui.request.search_request import SearchRequest
from webui.request.values import check_text, find_picture, read_ids
from webui.services import services

people_page = Blueprint("people_page", __name__)


@people_page.get("/people")
@takes("hidden", "done")
def show() -> str:
    """All groups of faces, the named ones first."""
    store, hidden = _store(), request.args.get("hidden") == "true"
    people = [one for one in changes.list_people(store) if hidden or not one.hidden]
    counts = face_counts(store)
    return render_template(
        "people.html",
        people=_with_covers(people),
        hidden=hidden,
        scanned=counts.scanned,
        faces=counts.faces,
        undoable=history.last_change(store),
        done=_done(request.args.get("done", "")),
    )


@people_page.post("/people")
def change() -> Response:
    """Name a group, join those ticked, undo the last change, or forget all faces."""
    action = request.form.get("do", "name")
    if action == "merge":
        changed(lambda: changes.merge_people(_store(), read_ids(request.form, "people")))
    elif action == "undo":
        history.undo(_store())
    elif action == "forget":
        forget_faces(_store())
    else:
        _name(find_person(next(iter(read_ids(request.form, "person")), 0)).id)
    return redirect(url_for("people_page.show", done=action), 303)


def _done(action: str) -> str | None:
    """Return what a button did, None for no button."""
    return {
        "name": gettext("The name was saved. Search finds it at once."),
        "merge": gettext("They are one person now."),
        "split": gettext("They are a group of their own now."),
        "hide": gettext("Hidden from this page and from searches by name."),
        "show": gettext("Shown again."),
        "undo": gettext("The change was undone."),
        "forget": gettext("All faces, groups and names were deleted."),
    }.get(action)


@people_page.get("/people/<id:person_id>")
@takes("done")
def one(person_id: int) -> str:
    """One group with its faces."""
    return render_template(
        "person.html",
        person=person_document(person_id),
        undoable=history.last_change(_store()),
        done=_done(request.args.get("done", "")),
    )


@people_page.post("/people/<id:person_id>")
def change_one(person_id: int) -> Response:
    """Name or hide a group, part the ticked faces from it, or undo the last change."""
    action, store = request.form.get("do", "name"), _store()
    if action == "undo":
        history.undo(store)
    else:
        find_person(person_id)
    if action == "split":
        changed(lambda: changes.split_person(store, person_id, read_ids(request.form, "faces")))
    elif action in ("hide", "show"):
        changed(lambda: changes.hide_person(store, person_id, action == "hide"))
    elif action == "name":
        _name(person_id)
    still = any(listed.id == person_id for listed in changes.list_people(store))
    there = url_for("people_page.one", person_id=person_id, done=action)
    return redirect(there if still else url_for("people_page.show", done=action), 303)


def say_who() -> None:
    """Give the face of a form on the page of a picture the form's name. Raise Problem 400, 404 or 409."""
    face = next(iter(read_ids(request.form, "of")), 0)
    name = check_text("name", request.form.get("name", ""))
    changed(lambda: changes.say_who(_store(), face, name))


def faces_on(picture: StoredPicture, search: SearchRequest) -> list[Document]:
    """Return the faces of a picture with the addresses of more pictures of each person; the searched one is chosen."""
    return [
        face
        | {"thumbnail": links_at(picture, face["time"])["thumbnail"]}
        | {"label": face["name"] or gettext("Face %(number)s", number=number), "chosen": face["id"] == search.face}
        | {"address": SearchRequest(face=face["id"]).address()}
        for number, face in enumerate(face_documents(picture.id), 1)
    ]


def around(search: SearchRequest, query: dict[str, Any], previews: Sequence[Preview]) -> Document | None:
    """Return the picture that a searched face is in, with all its faces, of a film the frame; None without such a face.

    Of an uploaded film the faces of other frames are listed, too, but only those of its frame are `outlined`.
    """
    if search.face is not None:
        face = faces_by_id(_store(), [search.face])[search.face]
        picture = find_picture(face.picture_id)
        shown = links_at(picture, face.seconds)["thumbnail"]
        own = [one for one in faces_on(picture, search) if one["time"] == face.seconds]
        return {"image": shown, "faces": own, "outlined": own}
    if search.face_number is None:
        return None
    listed = [
        told
        | {"label": gettext("Face %(number)s", number=told["number"]), "chosen": told == query["face"]}
        | {"address": search.address(face_number=told["number"])}
        for told in query["faces"]
    ]
    outlined = [one for one in listed if one["time"] == query["face"]["time"]]
    return {"image": previews[0].address, "faces": listed, "outlined": outlined}


def _name(person_id: int) -> None:
    name = check_text("name", request.form.get("name", ""))
    changed(lambda: changes.name_person(_store(), person_id, name))


def _with_covers(people: Sequence[Person]) -> list[Document]:
    store = _store()
    covers = faces_by_id(store, [one.cover for one in people])
    pictures = store.pictures([face.picture_id for face in covers.values()])
    shown = []
    for one in people:
        picture = pictures.get(covers[one.cover].picture_id)
        if picture is not None:
            cover = covers[one.cover]
            size = {"width": picture.width, "height": picture.height, "links": links_at(picture, cover.seconds)}
            shown.append(one._asdict() | {"face": {"box": rounded(cover.box), **size}})
    return shown


def _store() -> Store:
    return services().library.store
