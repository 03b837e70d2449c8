"""BLEU's candidates out of Milvus: the n-grams of captions as one more kind of vectors there, which are sparse.

They follow the store as all vectors in Milvus do, see `retrieval.index.remote`. The search index of captions stays: it
scores the candidates, and finds without them where they cannot be had.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.errors import RetroflexError
from data.settings import Settings
from data.store import Store
from data.text import fold, tokenize
from retrieval.bleu.score import BleuVariant
from retrieval.bleu.sparse import SparseVector, picture_vector, query_vector
from retrieval.vectors.base import VectorsUnreachable
from retrieval.vectors.milvus import MOST, MilvusVectorStore
from retrieval.vectors.milvus_client import MilvusConnection, read_address

NGRAMS = "n-grams of captions"
"""What the kind is called; those of encoders have no spaces."""
NGRAMS_VERSION = "1"
"""Rises with every change to `retrieval.bleu.sparse.picture_vector` or to what words are, so that all are made anew."""

BY_INDEX = "finds candidates in the search index, as without RETROFLEX_BLEU_CANDIDATES"


class MilvusCandidates:
    """See `retrieval.bleu.sparse.CandidateSource`."""

    def __init__(self, vectors: MilvusVectorStore) -> None:
        self._vectors = vectors

    def find(self, query: Sequence[str], variant: BleuVariant, count: int) -> np.ndarray | None:
        """Return about the `count` best, None where Milvus cannot say."""
        if count > MOST:
            return None
        try:
            return self._vectors.search_sparse(NGRAMS, query_vector([fold(word) for word in query], variant), count)
        except VectorsUnreachable:  # which the search for vectors says
            return None


def candidates_told(settings: Settings) -> str:
    """Return where BLEU finds candidates, for a person who set that it shall be Milvus; asks Milvus."""
    connection = MilvusConnection(read_address(settings.vectors or ""))
    try:
        missing = what_is_missing(connection)
    except RetroflexError as error:  # also where pymilvus is not installed
        missing = str(error)
    finally:
        connection.close()
    return f"{BY_INDEX}: {missing}" if missing else f"finds candidates in {connection.name}"


def what_is_missing(connection: MilvusConnection) -> str:
    """Return why Milvus can find no candidates, "" if it can. Raises VectorsUnreachable."""
    version = connection.without_sparse()
    return f"Milvus {version} at {connection.name} has no sparse vectors, 2.4 and later do" if version else ""


def ngram_vectors(store: Store, ids: np.ndarray) -> dict[int, SparseVector]:
    """Return the vectors of those of the items `ids` (m,) that have captions, by id, rising. Raises StoreError."""
    captions = store.captions(ids.tolist())
    return {
        item: picture_vector([[fold(word) for word in tokenize(one.text)] for one in captions[item]])
        for item in sorted(captions)
    }
