"""Faces of pictures, and the people that they belong to."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, NotRequired, TypedDict

from flask import Blueprint, Response, jsonify

from data.faces import history
from data.faces import people as changes
from data.faces.forget import forget_faces
from data.faces.reads import faces_of
from data.faces.records import Person, StoredFace
from data.store import StoreError
from retrieval.faces.search import rounded
from retrieval.search.fields import COUNT
from webui.api.answers import links_at
from webui.openapi.documents import Links as PictureLinks
from webui.openapi.faces import BOX
from webui.openapi.films import FOUND_AT
from webui.openapi.operations import operation
from webui.problems import Problem
from webui.request.values import PICTURE, body_field, body_ids, check_text, find_picture, optional_field, read_body
from webui.services import services

MOST = 1000
"""Ids in one request."""
PERSON = "/people/<id:person_id>"

faces = Blueprint("faces", __name__, url_prefix="/api/v1")


class FaceOf(TypedDict):
    """A face of a picture; `person` is the id of its group, null for a face that no other is like."""

    id: COUNT
    box: BOX
    time: FOUND_AT
    person: Annotated[int | None, {"minimum": 0}]
    name: str | None


class FacesOf(TypedDict):
    """The faces of a picture, from left to right; of a film by time."""

    faces: list[FaceOf]


class ListedPerson(TypedDict):
    """A group of faces, and its name if it has one; `cover` is the id of its clearest face."""

    id: COUNT
    name: str | None
    hidden: bool
    faces: COUNT
    pictures: COUNT
    cover: COUNT


class PersonFace(TypedDict):
    """A face of a person, and its picture."""

    id: COUNT
    box: BOX
    time: FOUND_AT
    picture: COUNT
    width: COUNT
    height: COUNT
    links: PictureLinks


class PersonInFull(ListedPerson):
    """A group of faces with all of its faces."""

    listed: list[PersonFace]


class People(TypedDict):
    """All groups of faces, the named ones first; `undo` says what undoing would undo."""

    people: list[ListedPerson]
    undo: str | None


class Named(TypedDict):
    """Whose face it is."""

    name: Annotated[str, {"minLength": 1, "maxLength": changes.LONGEST_NAME}]


class PersonChange(TypedDict):
    """A name for a group, and whether it is hidden from lists and searches by name."""

    name: NotRequired[str | None]
    hidden: NotRequired[bool | None]


class Merged(TypedDict):
    """The groups that are one person."""

    people: Annotated[list[int], {"minItems": 2, "maxItems": MOST}]


class Split(TypedDict):
    """The faces that make a new group."""

    faces: Annotated[list[int], {"minItems": 1, "maxItems": MOST}]


class ForgottenFaces(TypedDict):
    """How many faces and groups were deleted."""

    faces: COUNT
    people: COUNT


@faces.get(f"{PICTURE}/faces")
@operation(answer=FacesOf, problems=(404, 503))
def faces_in_picture(picture_id: int) -> Response:
    """The faces of a picture; none also where the library was not searched for faces."""
    find_picture(picture_id)
    return jsonify({"faces": face_documents(picture_id)})


@faces.put("/faces/<id:face_id>/name")
@operation(answer=PersonInFull, body=Named, problems=(404, 409, 415, 503))
def name_face(face_id: int) -> Response:
    """Say whose face it is: its group gets the name, or joins the person who has it."""
    name = check_text("name", body_field(read_body(), "name", str))
    return _person(changed(lambda: changes.say_who(services().library.store, face_id, name)))


@faces.get("/people")
@operation(answer=People, problems=(503,))
def people() -> Response:
    """All groups of faces, hidden ones too."""
    store = services().library.store
    listed = [one._asdict() for one in changes.list_people(store)]
    return jsonify({"people": listed, "undo": history.last_change(store)})


@faces.get(PERSON)
@operation(answer=PersonInFull, problems=(404, 503))
def person(person_id: int) -> Response:
    """A group of faces, with its faces."""
    return _person(person_id)


@faces.patch(PERSON)
@operation(answer=PersonInFull, body=PersonChange, problems=(404, 409, 415, 503))
def change_person(person_id: int) -> Response:
    """Name a group, hide it or show it again; its faces stay with it from then on."""
    body, store = read_body(), services().library.store
    name, hidden = optional_field(body, "name", str), optional_field(body, "hidden", bool)
    find_person(person_id)
    if name is not None:
        checked = check_text("name", name)
        changed(lambda: changes.name_person(store, person_id, checked))
    if hidden is not None:
        changed(lambda: changes.hide_person(store, person_id, hidden))
    return _person(person_id)


@faces.post("/people/merge")
@operation(answer=PersonInFull, body=Merged, problems=(404, 409, 415, 503))
def merge_people() -> Response:
    """Join groups of the same person into the first that has a name."""
    chosen = body_ids(read_body(), "people", MOST)
    return _person(changed(lambda: changes.merge_people(services().library.store, chosen)))


@faces.post(f"{PERSON}/split")
@operation(answer=PersonInFull, body=Split, problems=(404, 409, 415, 503))
def split_person(person_id: int) -> Response:
    """Take faces of somebody else out of a group; they make a new one, which is answered."""
    find_person(person_id)
    chosen = body_ids(read_body(), "faces", MOST)
    return _person(changed(lambda: changes.split_person(services().library.store, person_id, chosen)))


@faces.post("/people/undo")
@operation(answer=People, problems=(409, 503))
def undo_people() -> Response:
    """Undo the last change of people, one more each time."""
    if history.undo(services().library.store) is None:
        raise Problem(HTTPStatus.CONFLICT, "no change of people is left to undo")
    return people()


@faces.delete("/faces")
@operation(answer=ForgottenFaces, problems=(503,))
def forget_all_faces() -> Response:
    """Delete all faces, their vectors, groups, names and decisions, for ever."""
    found, groups = forget_faces(services().library.store)
    return jsonify({"faces": found, "people": groups})


def face_documents(picture_id: int) -> list[dict[str, Any]]:
    """Return the faces of a picture as plain values. Raise StoreError."""
    store = services().library.store
    own = faces_of(store, [picture_id]).get(picture_id, [])
    names = {one.id: one.name for one in changes.list_people(store)} if own else {}
    return [_face(face) | {"name": names.get(face.person_id or 0)} for face in own]


def _face(face: StoredFace) -> dict[str, Any]:
    return {"id": face.id, "box": rounded(face.box), "time": face.seconds, "person": face.person_id}


def find_person(person_id: int) -> Person:
    """Return one of the people. Raise Problem 404."""
    found = next((one for one in changes.list_people(services().library.store) if one.id == person_id), None)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no group of faces {person_id} in the library")
    return found


def person_document(person_id: int) -> dict[str, Any]:
    """Return a group with its faces. Raise Problem 404."""
    one, store = find_person(person_id), services().library.store
    own = changes.faces_of_person(store, person_id)
    pictures = store.pictures([face.picture_id for face in own])
    listed = [
        {"id": face.id, "box": rounded(face.box), "time": face.seconds, "picture": face.picture_id}
        | {"width": pictures[face.picture_id].width, "height": pictures[face.picture_id].height}
        | {"links": links_at(pictures[face.picture_id], face.seconds)}
        for face in own
        if face.picture_id in pictures
    ]
    return one._asdict() | {"listed": listed}


def _person(person_id: int) -> Response:
    return jsonify(person_document(person_id))


def changed(change: Callable[[], Any]) -> Any:
    """Make a change of people. Raise Problem 404 for an id that is gone, 409 for a change that cannot be."""
    try:
        return change()
    except StoreError as error:
        if type(error) is not StoreError:
            raise
        unknown = str(error).startswith(("no face", "there is no"))
        raise Problem(HTTPStatus.NOT_FOUND if unknown else HTTPStatus.CONFLICT, str(error)) from error
