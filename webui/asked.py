"""What a request asks for, and the addresses of the page that ask for a little more or less."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Annotated, Any

from flask import url_for
from werkzeug.datastructures import MultiDict

from retrieval.query import MAX_PICTURES, MAX_UNLIKE_WEIGHT, MAX_WEIGHT, check_wanted, read_weight
from webui.narrowed import FILTERS, SORT, Narrowed, read_narrowed
from webui.openapi import Parameter
from webui.problems import Problem
from webui.uploads import Uploads

LONGEST_ID = 18
"""Digits; a database's ids are not longer."""

CHOSEN = Annotated[
    list[Annotated[str, {"pattern": r"^[0-9]+(@[0-9]+(\.[0-9]+)?)?$"}]], {"maxItems": MAX_PICTURES, "default": []}
]
ASKED = (
    Parameter("q", str, "The words, at most 1,000; q or like must be given"),
    Parameter("like", CHOSEN, "Ids of pictures to be like; 7@2 lets one count twice as much, 100 times at most"),
    Parameter("unlike", CHOSEN, "Ids of pictures to be unlike; 7@0.5 takes half as much away, the weight is 1 at most"),
    Parameter(
        "all", Annotated[bool, {"default": False}], "Whether to give pictures that are not close to the words, too"
    ),
    *FILTERS,
    SORT,
)
"""What `read_asked` reads."""


@dataclass(frozen=True)
class Chosen:
    """A picture of the library in a query."""

    id: int
    weight: float = 1.0

    def __str__(self) -> str:
        """As it stands in an address."""
        return f"{self.id}@{self.weight:.9g}" if self.weight != 1 else str(self.id)


@dataclass(frozen=True)
class Asked:
    """Words, pictures of the library to be like and unlike, and uploaded ones; `distant`: also what is not close."""

    text: str = ""
    like: tuple[Chosen, ...] = ()
    unlike: tuple[Chosen, ...] = ()
    distant: bool = False
    uploads: Uploads = field(default_factory=Uploads)
    narrowed: Narrowed = field(default_factory=Narrowed)

    def more_like(self, picture_id: int) -> str:
        """The address that asks for pictures like this one as well."""
        freed = self._without(picture_id)
        return replace(freed, like=(*freed.like, Chosen(picture_id))).address()

    def less_like(self, picture_id: int) -> str:
        """The address that asks for pictures unlike this one as well."""
        freed = self._without(picture_id)
        return replace(freed, unlike=(*freed.unlike, Chosen(picture_id))).address()

    def without(self, picture_id: int) -> str:
        """The address that leaves this picture out of the query."""
        return self._without(picture_id).address()

    def _without(self, picture_id: int) -> Asked:
        like, unlike = (tuple(one for one in chosen if one.id != picture_id) for chosen in (self.like, self.unlike))
        return replace(self, like=like, unlike=unlike)

    def address(self, distant: bool | None = None, **window: int) -> str:
        """The page's address for this query; an upload has no place in it."""
        shown = self.distant if distant is None else distant
        chosen = {"like": list(map(str, self.like)), "unlike": list(map(str, self.unlike))}
        fields: dict[str, Any] = {"q": self.text or None, **chosen, "all": "true" if shown else None}
        fields |= {**self.narrowed.fields, **window}
        return url_for("pages.by_words", **fields)


def read_asked(fields: MultiDict[str, str], uploads: Uploads | None = None) -> Asked:
    """Read `q`, `like`, `unlike`, `all`, filters and `sort` from a query string or form.

    Raises QueryError or Problem 400 or 404.
    """
    sent = uploads or Uploads()
    like = tuple(_chosen(given, MAX_WEIGHT) for given in fields.getlist("like"))
    unlike = tuple(_chosen(given, MAX_UNLIKE_WEIGHT) for given in fields.getlist("unlike"))
    text = fields.get("q", "")
    check_wanted(text, len(like) + len(sent.like), len(unlike) + len(sent.unlike))
    narrowed = read_narrowed(fields)
    return Asked(text if text.strip() else "", like, unlike, _yes(fields, "all"), sent, narrowed)


def _chosen(given: str, most: float) -> Chosen:
    number, mark, weight = given.partition("@")
    if not (number.isascii() and number.isdigit()):
        raise Problem(
            HTTPStatus.BAD_REQUEST, "like and unlike must be ids of pictures, such as 7, or 7@0.5 to weigh it"
        )
    if len(number) > LONGEST_ID:
        raise no_picture(number[:LONGEST_ID] + "…")
    return Chosen(int(number), read_weight(weight, most) if mark else 1.0)


def _yes(fields: MultiDict[str, str], name: str) -> bool:
    given = fields.get(name, "")
    if given not in {"", "true", "false"}:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{name} must be true or false")
    return given == "true"


def no_picture(picture_id: int | str) -> Problem:
    """The answer to an id that no picture has."""
    return Problem(HTTPStatus.NOT_FOUND, f"there is no picture {picture_id} in the library")
