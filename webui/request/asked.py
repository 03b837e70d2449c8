"""What a request asks for, and the addresses of the page that ask for a little more or less."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Annotated, Any

from flask import url_for
from werkzeug.datastructures import MultiDict

from retrieval.search.collection import BROWSED
from retrieval.search.filters import ORDERS
from retrieval.search.query import MAX_PICTURES, MAX_UNLIKE_WEIGHT, MAX_WEIGHT, check_query, read_weight
from retrieval.search.search import DEFAULT_LIMIT
from webui.openapi.operations import Parameter
from webui.problems import Problem
from webui.request.narrowed import FILTERS, SORT, Narrowed, read_narrowed
from webui.request.uploads import Uploads

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
    """Words, pictures of the library to be like and unlike, and uploaded ones; `distant`: also what is not close.

    `why`: the page tells of each hit what its relevance is made of.
    """

    text: str = ""
    like: tuple[Chosen, ...] = ()
    unlike: tuple[Chosen, ...] = ()
    distant: bool = False
    uploads: Uploads = field(default_factory=Uploads)
    narrowed: Narrowed = field(default_factory=Narrowed)
    why: bool = False

    @property
    def anything(self) -> bool:
        """Whether there is a query; without one the library is looked through."""
        return bool(self.text or self.like or self.uploads.like)

    @property
    def kinds(self) -> list[str]:
        """What the query is made of: `words`, `picture` (of the library), `upload`."""
        uploaded = self.uploads.like or self.uploads.unlike
        kinds = {"words": self.text, "picture": self.like or self.unlike, "upload": uploaded}
        return [kind for kind, there in kinds.items() if there]

    def check(self) -> None:
        """Raises QueryError where there is no query, or one of too many pictures."""
        sent = self.uploads
        check_query(self.text, len(self.like) + len(sent.like), len(self.unlike) + len(sent.unlike))

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

    def address(self, **changed: Any) -> str:
        """The page's address for this query; an upload has no place in it.

        `changed` are fields of it to put in place of its own (None leaves one out), or `limit` and `offset`.
        """
        return url_for("pages.by_words", **self.fields() | changed)

    def picture(self, picture_id: int, at: int | None = None, **changed: Any) -> str:
        """The address of one picture's own page, found as number `at` by this query."""
        return url_for("picture_page.show", picture_id=picture_id, **self.fields(), at=at, **changed)

    def page_with(self, at: int | None) -> str:
        """The address of the page of hits that shows number `at`."""
        return self.address(offset=at // DEFAULT_LIMIT * DEFAULT_LIMIT or None if at is not None else None)

    def export(self, form: str) -> str:
        """The address of all hits as a file: csv, json or zip."""
        fields = self.fields() | {"why": None}
        return url_for("export.export_hits", **fields | {"format": [form, *fields.get("format", [])]})

    def fields(self) -> dict[str, Any]:
        """What stands in an address for this query."""
        return {
            "q": self.text or None,
            "like": list(map(str, self.like)),
            "unlike": list(map(str, self.unlike)),
            "all": "true" if self.distant else None,
            "why": "true" if self.why else None,
            **self.narrowed.fields,
        }


def read_asked(fields: MultiDict[str, str], uploads: Uploads | None = None) -> Asked:
    """Read a query from a query string or form. Raises QueryError, also without any, or Problem 400 or 404."""
    asked = replace(read_shown(fields, uploads), narrowed=read_narrowed(fields))
    asked.check()
    return asked


def read_shown(fields: MultiDict[str, str], uploads: Uploads | None = None) -> Asked:
    """Read what the page is to show, which may be the library itself. Raises QueryError or Problem 400 or 404."""
    like = tuple(_chosen(given, MAX_WEIGHT) for given in fields.getlist("like"))
    unlike = tuple(_chosen(given, MAX_UNLIKE_WEIGHT) for given in fields.getlist("unlike"))
    text = fields.get("q", "")
    distant, why = (_yes(fields, name) for name in ("all", "why"))
    asked = Asked(text if text.strip() else "", like, unlike, distant, uploads or Uploads(), why=why)
    return replace(asked, narrowed=_narrowed(fields, asked.anything))


def _narrowed(fields: MultiDict[str, str], queried: bool) -> Narrowed:
    """Filters and order; an order that only the other kind of page knows is the default of this one."""
    orders, others = (ORDERS, BROWSED) if queried else (BROWSED, ORDERS)
    known = fields.copy()
    if known.get("sort") in {*others} - {*orders}:
        known.pop("sort")
    return read_narrowed(known, orders)


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
