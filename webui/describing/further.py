"""Further encoders of the server, for uploaded pictures that are compared by their kind of vectors."""

from __future__ import annotations

from http import HTTPStatus
from threading import Lock

from captioner.types import KindDescriber
from data.errors import RetroflexError
from retrieval.library import Library
from retrieval.search.query import QueryError
from webui.problems import Problem


class FurtherDescribers:
    """Describers by further encoders, each loaded when it is first needed and kept; safe for threads."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._loading = Lock()
        self._loaded: dict[str, KindDescriber] = {}

    def get(self, kind: str) -> KindDescriber:
        """Return the describer for a kind of the library. Raises QueryError, or Problem 503 if it cannot be loaded."""
        with self._loading:
            version = self._library.searcher().index.models.get(kind)
            loaded = self._loaded.get(kind)
            if loaded is None or loaded.model_version != version:
                loaded = self._loaded[kind] = self._load(kind)
            return loaded

    def _load(self, kind: str) -> KindDescriber:
        try:
            return self._library.further_describer(kind)
        except QueryError:
            raise
        except RetroflexError as error:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
