"""A person's caption of a picture: set, taken away, and changed back."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, TypedDict

from flask import Blueprint, Response, jsonify

from webui.api import answers
from webui.openapi.documents import Picture
from webui.openapi.operations import operation
from webui.problems import Problem
from webui.request.values import PICTURE, body_field, find_picture, read_body
from webui.services import services

LONGEST = 1000
"""Characters of a caption; search takes no longer sentences either."""

captions = Blueprint("captions", __name__, url_prefix="/api/v1")


class NewCaption(TypedDict):
    """What a person says that a picture shows."""

    text: Annotated[str, {"minLength": 1, "maxLength": LONGEST}]


@captions.put(f"{PICTURE}/caption")
@operation(answer=Picture, body=NewCaption, problems=(404, 415, 503))
def set_caption(picture_id: int) -> Response:
    """Give a picture a caption that no captioner will ever overwrite."""
    find_picture(picture_id)
    services().library.store.set_user_caption(picture_id, checked(body_field(read_body(), "text", str)))
    return _changed(picture_id)


@captions.delete(f"{PICTURE}/caption")
@operation(answer=Picture, problems=(404, 503))
def remove_caption(picture_id: int) -> Response:
    """Take a person's caption away; the captioner's captions are there again."""
    find_picture(picture_id)
    services().library.store.remove_user_caption(picture_id)
    return _changed(picture_id)


@captions.post(f"{PICTURE}/caption/undo")
@operation(answer=Picture, problems=(404, 409, 503))
def undo_caption(picture_id: int) -> Response:
    """Take the last change of a person's caption back, one more each time."""
    find_picture(picture_id)
    if not services().library.store.undo_user_caption(picture_id):
        raise Problem(HTTPStatus.CONFLICT, "the caption of this picture was never changed, so nothing can be undone")
    return _changed(picture_id)


def _changed(picture_id: int) -> Response:
    return jsonify(answers.picture_document(find_picture(picture_id)))


def checked(text: str) -> str:
    """Return the text of a caption. Raises Problem 400 where it is empty or too long."""
    if not 0 < len(text.strip()) <= LONGEST:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the field text must have 1 to {LONGEST:,} characters")
    return text
