"""The face finder of the server, for uploaded pictures; loaded when it is first needed."""

from __future__ import annotations

from http import HTTPStatus
from threading import Lock

from captioner.faces.base import LONGEST, FaceFinder
from data.decoding.orders import Order
from data.decoding.pool import DECODERS
from data.errors import RetroflexError
from data.limits import Limits
from retrieval.faces.search import QueryFace, chosen
from webui.describing.describer import PREVIEW, data_address
from webui.problems import Problem


def load_shipped() -> FaceFinder:
    """Load the face finder that ships. Raises RetroflexError where packages are missing."""
    from captioner.faces.finder import ShippedFinder

    return ShippedFinder()


class UploadedFaces:
    """Finds faces in uploaded pictures, one at a time; safe for threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._turn = limits, Lock()
        self._loaded: FaceFinder | None = None

    def find(self, content: bytes, number: int) -> tuple[QueryFace, str]:
        """Return the `number`th largest face of a picture file's bytes, and a small WebP of it as a data: address.

        Raises QueryError without such a face, a PictureError, or Problem 503 where faces cannot be found here.
        """
        decoded = DECODERS.decode(content, Order(within=LONGEST, webp=PREVIEW), self._limits)
        assert decoded.pixels is not None
        with self._turn:
            finder = self._load()
            found = finder.find(decoded.pixels)
        face = chosen(
            [one.vector for one in found], [one.box for one in found], finder.model_version, number, "the picture"
        )
        return face, data_address(decoded.webp)

    def _load(self) -> FaceFinder:
        if self._loaded is None:
            try:
                self._loaded = load_shipped()
            except RetroflexError as error:
                raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
        return self._loaded
