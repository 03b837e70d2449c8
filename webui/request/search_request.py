"""What a search or a page of pictures asks for, and the addresses that ask for a little more or less."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from math import log2
from typing import Annotated, Any
from urllib.parse import urlencode

from flask import Request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from data.decoding.orders import Part
from data.films.kinds import is_film_content
from retrieval.search.fields import ALBUM_ORDER, RELEVANCE, order_names
from retrieval.search.filters import Filters
from retrieval.search.query import (
    MAX_EXCLUDED,
    MAX_PICTURES,
    MAX_UNLIKE_WEIGHT,
    MAX_WEIGHT,
    QUERY_FRAMES,
    QueryError,
    check_cosine,
    check_query,
    read_weight,
)
from retrieval.search.search import DEFAULT_LIMIT
from webui.openapi.operations import Declared, Parameter
from webui.problems import Problem
from webui.request.filters import FILTERS, SORT, default_order, filter_parameters, read_filters, read_order
from webui.request.values import (
    LONGEST_ID,
    MAX_OFFSET,
    SHARE,
    check_text,
    no_picture,
    share,
    size_in_words,
    whole_number,
)
from webui.services import services

MOST_FACES = 1000
FIELD = "image"
UNLIKE_FIELD = "unlike_image"
ENVELOPE = 64 * 1024
"""Bytes that multipart boundaries and the other fields may add to the pictures."""

_FILES = Annotated[list[bytes], {"maxItems": MAX_PICTURES}]
UPLOADS = (
    Parameter(FIELD, _FILES, f"Files of pictures and films to be like; at most {MAX_PICTURES} in all"),
    Parameter(UNLIKE_FIELD, _FILES, "Files of pictures to be unlike; of a film, its frame in the middle"),
    Parameter(
        "face_number",
        Annotated[int, {"minimum": 1, "maximum": MOST_FACES}],
        "Which face of the one uploaded picture or film: pictures of this person; 1 is the largest",
    ),
)
"""What `read_uploads` reads."""

_IDS = Annotated[
    list[Annotated[str, {"pattern": r"^[0-9]+(@[0-9]+(\.[0-9]+)?)?$"}]], {"maxItems": MAX_PICTURES, "default": []}
]
_SHARE = r"(0(\.[0-9]+)?|1(\.0+)?)"
BOX = Annotated[str, {"pattern": f"^{_SHARE}(,{_SHARE}){{3}}$"}]
SMALLEST_BOX = 0.02
"""Share of the width and the height that a part has at least."""
_EXCLUDED = Annotated[list[str], {"maxItems": MAX_EXCLUDED, "default": []}]
FACE_ID = Annotated[int, {"minimum": 0, "maximum": MAX_OFFSET}]
SEARCH: tuple[Declared, ...] = (
    Parameter("q", str, "The words, at most 1,000; q, like or exclude must be given"),
    Parameter("exclude", _EXCLUDED, "Words that no caption of a hit may say, as -word in q"),
    Parameter("verbatim", Annotated[bool, {"default": False}], "Whether to search for q as it is spelled"),
    Parameter("like", _IDS, "Ids of pictures to be like; 7@2 counts twice as much, at most 100 times"),
    Parameter("unlike", _IDS, "Ids of pictures to be unlike; 7@0.5 takes half as much away, the weight is at most 1"),
    Parameter(
        "box", BOX, "The part of the first picture to be like that is searched for: left,top,right,bottom in shares"
    ),
    Parameter("by", str, "The kind of vectors that pictures are compared by alone, such as vgg16; several by default"),
    Parameter("min_cosine", SHARE, "The least cosine to a picture that is asked for; by default a calibrated border"),
    Parameter("group_by", str, "The field of the catalogue by whose values the hits are grouped, the best group first"),
    Parameter("face", FACE_ID, "The id of a face: pictures of this person, in place of q, like and unlike"),
    Parameter(
        "all", Annotated[bool, {"default": False}], "Whether to include pictures that are not close to the query"
    ),
    *FILTERS,
    SORT,
)
"""What `read_search_request` reads."""
PAGE_PARAMETERS: tuple[str | Declared, ...] = (*SEARCH, "why")
"""What `read_page_request` reads."""


_BOX = re.compile(rf"{_SHARE}(,{_SHARE}){{3}}")


WEIGHTS, UNLIKE_WEIGHTS = (1.0, 2.0, 4.0, 0.5), (1.0, 0.5, 0.25)
"""What the chips of the page offer."""


@dataclass(frozen=True)
class Uploads:
    """The bytes of pictures to be like and unlike."""

    like: tuple[bytes, ...] = ()
    unlike: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class QueryPicture:
    """A picture of the library in a query."""

    id: int
    weight: float = 1.0

    def next_weight(self, weights: Sequence[float]) -> QueryPicture:
        """Return it with the weight that comes after its own, the first one after any other."""
        at = weights.index(self.weight) if self.weight in weights else -1
        return replace(self, weight=weights[(at + 1) % len(weights)])

    def __str__(self) -> str:
        """Return it as a value of the parameters like and unlike."""
        return f"{self.id}@{self.weight:.9g}" if self.weight != 1 else str(self.id)


@dataclass(frozen=True)
class SearchRequest:
    """Words, pictures to be like and unlike, filters and an order.

    `exclude` are words that no caption of a hit may say; a `verbatim` text is searched for as it is spelled.
    `by` is the kind of vectors that pictures are compared by; None for all that the captioner is calibrated on.
    `min_cosine` is the least cosine of hits to a picture to be like, `group_by` the field that hits are grouped by.
    `box` is the part of the first picture to be like, an uploaded one first, that is searched for.
    `face` is the id of a face of the library, `face_number` the number of one in the uploaded picture or film.
    `distant` includes pictures that are not close; `why` shows on the page what each relevance is made of.
    """

    text: str = ""
    like: tuple[QueryPicture, ...] = ()
    unlike: tuple[QueryPicture, ...] = ()
    distant: bool = False
    uploads: Uploads = field(default_factory=Uploads)
    filters: Filters = field(default_factory=Filters)
    order: str = RELEVANCE.name
    why: bool = False
    exclude: tuple[str, ...] = ()
    verbatim: bool = False
    by: str | None = None
    min_cosine: float | None = None
    group_by: str | None = None
    box: Part | None = None
    face: int | None = None
    face_number: int | None = None

    @property
    def by_face(self) -> bool:
        """Whether pictures of a person are searched for, by a face."""
        return self.face is not None or self.face_number is not None

    @property
    def queried(self) -> bool:
        """Whether there is a query; without one the library is browsed."""
        pictures = self.like or self.unlike or self.uploads.like or self.uploads.unlike
        return bool(self.by_face or self.text or self.exclude or pictures)

    @property
    def in_album_order(self) -> bool:
        """Whether the pictures of an album are shown in the order that a person gave to them."""
        return "album" in self.filters and self.order == ALBUM_ORDER.name

    @property
    def kinds(self) -> list[str]:
        """What the query is made of: `words`, `picture` (of the library), `upload`, or a `face` alone."""
        if self.by_face:
            return ["face"]
        uploaded = self.uploads.like or self.uploads.unlike
        kinds = {"words": self.text or self.exclude, "picture": self.like or self.unlike, "upload": uploaded}
        return [kind for kind, given in kinds.items() if given]

    @property
    def to_be_like(self) -> bool:
        """Whether there is a picture to be like."""
        return bool(self.like or self.uploads.like)

    @property
    def balance(self) -> float:
        """How much more the pictures to be like count than the words: 1 is twice as much, -1 half."""
        return round(log2(max(one.weight for one in self.like)), 2) if self.like else 0.0

    def check(self) -> None:
        """Raise QueryError for no query, one of too many pictures, a least cosine to none, or a face beside others."""
        sent = self.uploads
        if self.by_face:
            self._check_face()
            return
        check_cosine(self.min_cosine, self.to_be_like)
        check_query(self.text, len(self.like) + len(sent.like), len(self.unlike) + len(sent.unlike), self.exclude)

    def _check_face(self) -> None:
        words, how = self.text or self.exclude, self.by or self.box or self.group_by or self.min_cosine is not None
        beside = words or how or self.like or self.unlike or self.uploads.unlike
        if beside or (self.face is not None and (self.face_number is not None or self.uploads.like)):
            raise QueryError("a face is searched for alone; leave the words and other pictures out, filters are fine")
        if self.face is None and len(self.uploads.like) != 1:
            raise QueryError(f"face_number needs one picture in the field {FIELD}")

    def more_like(self, picture_id: int) -> str:
        """Return the address of this search for pictures that are also like this one."""
        others = self._without(picture_id)
        return replace(others, like=(*others.like, QueryPicture(picture_id))).address()

    def less_like(self, picture_id: int) -> str:
        """Return the address of this search for pictures that are also unlike this one."""
        others = self._without(picture_id)
        return replace(others, unlike=(*others.unlike, QueryPicture(picture_id))).address()

    def weighted(self, picture_id: int) -> str:
        """Return the address of this search with the next weight of this picture: 1, 2, 4, 0.5 and 1 again."""
        like = tuple(one.next_weight(WEIGHTS) if one.id == picture_id else one for one in self.like)
        unlike = tuple(one.next_weight(UNLIKE_WEIGHTS) if one.id == picture_id else one for one in self.unlike)
        return replace(self, like=like, unlike=unlike).address()

    def without(self, picture_id: int) -> str:
        """Return the address of this search without this picture in the query."""
        return self._without(picture_id).address()

    def _without(self, picture_id: int) -> SearchRequest:
        like, unlike = (tuple(one for one in given if one.id != picture_id) for given in (self.like, self.unlike))
        first = self.like[:1] == like[:1] or bool(self.uploads.like)
        return replace(self, like=like, unlike=unlike, box=self.box if first else None)

    def address(self, **changed: Any) -> str:
        """Return the page's address for this search; uploads cannot be in it.

        `changed` are parameters to replace (None leaves one out), or `limit` and `offset`.
        """
        return url_for("pages.by_words", **self.parameters() | changed)

    def picture(self, picture_id: int, at: int | None = None, **changed: Any) -> str:
        """Return the address of the page of one picture, hit number `at` of this search."""
        return url_for("picture_page.show", picture_id=picture_id, **self.parameters(), at=at, **changed)

    def slideshow(self, at: int = 0, **changed: Any) -> str:
        """Return the address of the slideshow of its hits, from number `at` on."""
        return url_for("slides_page.show", **self.parameters(), at=at or None, **changed)

    def page_with(self, at: int | None) -> str:
        """Return the address of the page of hits that shows hit number `at`."""
        return self.address(offset=at // DEFAULT_LIMIT * DEFAULT_LIMIT or None if at is not None else None)

    def export(self, form: str) -> str:
        """Return the address of all hits as a file: csv, json or zip."""
        parameters = self.parameters() | {"why": None}
        return url_for("export.export_hits", **parameters | {"format": [form, *parameters.get("format", [])]})

    def as_query(self) -> str:
        """Return it as a query string, without what only changes how hits are shown; "" for the whole library."""
        saved = {name: value for name, value in self.parameters().items() if value and name != "why"}
        return urlencode(saved, doseq=True)

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of an address for this search."""
        return {
            "q": self.text or None,
            "exclude": list(self.exclude),
            "verbatim": "true" if self.verbatim else None,
            "like": list(map(str, self.like)),
            "unlike": list(map(str, self.unlike)),
            "by": self.by,
            "min_cosine": None if self.min_cosine is None else f"{self.min_cosine:g}",
            "group_by": self.group_by,
            "box": ",".join(f"{share:.4g}" for share in self.box) if self.box else None,
            "face": None if self.face is None else str(self.face),
            "face_number": None if self.face_number is None else str(self.face_number),
            "all": "true" if self.distant else None,
            "why": "true" if self.why else None,
            **filter_parameters(self.filters),
            "sort": None if self.order == default_order("album" in self.filters, self.queried) else self.order,
        }


def read_search_request(fields: MultiDict[str, str], uploads: Uploads | None = None) -> SearchRequest:
    """Read a query from a query string or form. Raise QueryError, also without any, or Problem 400 or 404."""
    search = _read(fields, uploads)
    search.check()
    return replace(search, filters=read_filters(fields), order=read_order(fields, queried=True))


def read_page_request(fields: MultiDict[str, str], uploads: Uploads | None = None) -> SearchRequest:
    """Read what the page shows: hits, or without a query the library. Raise QueryError or Problem 400 or 404.

    An order that only the other of the two has becomes the default.
    """
    search = _read(fields, uploads)
    if not search.to_be_like:
        search = replace(search, min_cosine=None)
    known = fields.copy()
    if known.get("sort") in {*order_names(not search.queried)} - {*order_names(search.queried)}:
        known.pop("sort")
    return replace(search, filters=read_filters(fields), order=read_order(known, search.queried))


def read_uploads(request: Request, max_bytes: int) -> Uploads:
    """Return the bytes of the multipart file fields; the client's file names and types are ignored.

    Raise Problem 413 over `max_bytes` in total (by the declared length, where there is one, before the body is read),
    415 for a body that is no form, and 429 when this client has sent too many pictures recently;
    a film counts as QUERY_FRAMES.
    """
    if (request.content_length or 0) > max_bytes + ENVELOPE:
        raise _too_large(max_bytes)
    if request.mimetype != "multipart/form-data":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send the picture as multipart/form-data, field {FIELD!r}")
    try:
        like, unlike = (
            # Browsers send a file input that was left empty as a file without a name.
            tuple(file.stream.read(max_bytes + 1) for file in request.files.getlist(name) if file.filename)
            for name in (FIELD, UNLIKE_FIELD)
        )
    except RequestEntityTooLarge as error:
        raise _too_large(max_bytes) from error
    if sum(map(len, (*like, *unlike))) > max_bytes:
        raise _too_large(max_bytes)
    costs = [QUERY_FRAMES if is_film_content(one) else 1 for one in (*like, *unlike)]
    services().rate_limits.pictures(request.remote_addr, sum(costs))
    return Uploads(like, unlike)


def _read(fields: MultiDict[str, str], uploads: Uploads | None) -> SearchRequest:
    """Read all but the filters and the order."""
    like = tuple(_query_picture(given, MAX_WEIGHT) for given in fields.getlist("like"))
    unlike = tuple(_query_picture(given, MAX_UNLIKE_WEIGHT) for given in fields.getlist("unlike"))
    text = check_text("q", fields.get("q", ""))
    distant, why, verbatim = (_true_or_false(fields, name) for name in ("all", "why", "verbatim"))
    exclude = tuple(check_text("exclude", given) for given in fields.getlist("exclude") if given.strip())
    given = SearchRequest(text if text.strip() else "", like, unlike, distant, uploads or Uploads(), why=why)
    by = check_text("by", fields.get("by", "")).strip() or None
    group_by = check_text("group_by", fields.get("group_by", "")).strip() or None
    given = replace(given, min_cosine=share(fields, "min_cosine"), group_by=group_by)
    box = _box(fields.get("box", "")) if given.like or given.uploads.like else None
    face = whole_number(fields, "face", None, 0, MAX_OFFSET)
    number = whole_number(fields, "face_number", None, 1, MOST_FACES) if uploads else None
    return replace(given, exclude=exclude, verbatim=verbatim, by=by, box=box, face=face, face_number=number)


def _box(given: str) -> Part | None:
    """Read the part of a picture, None for the whole. Raise Problem 400."""
    if not given.strip():
        return None
    if not _BOX.fullmatch(given):
        raise Problem(HTTPStatus.BAD_REQUEST, "box must be left,top,right,bottom, each a share from 0 to 1")
    left, top, right, bottom = map(float, given.split(","))
    if right - left < SMALLEST_BOX or bottom - top < SMALLEST_BOX:
        raise Problem(HTTPStatus.BAD_REQUEST, f"box must be {SMALLEST_BOX:.0%} of the picture wide and high at least")
    return left, top, right, bottom


def _query_picture(given: str, largest_weight: float) -> QueryPicture:
    number, mark, weight = given.partition("@")
    if not (number.isascii() and number.isdigit()):
        raise Problem(HTTPStatus.BAD_REQUEST, "like and unlike must be picture ids, such as 7, or 7@0.5 with a weight")
    if len(number) > LONGEST_ID:
        raise no_picture(number[:LONGEST_ID] + "…")
    return QueryPicture(int(number), read_weight(weight, largest_weight) if mark else 1.0)


def _true_or_false(fields: MultiDict[str, str], name: str) -> bool:
    given = fields.get(name, "")
    if given not in {"", "true", "false"}:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{name} must be true or false")
    return given == "true"


def _too_large(max_bytes: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the upload is too large: at most {size_in_words(max_bytes)} can be uploaded",
    )
