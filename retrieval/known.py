"""Descriptions of pictures that a library holds already: a query by one of them needs no captioner."""

from __future__ import annotations

from captioner.types import Caption, Description
from data.scan import content_hash
from retrieval.library import Library


def known_picture(library: Library, picture_id: int) -> Description | None:
    """Return what the library holds of one of its pictures, None where none can be found by this id.

    The captions are those that it is found by, a person's own included. Raises StoreError.
    """
    index = library.searcher().index
    row, picture = index.row_of(picture_id), library.picture(picture_id)
    if picture is None or row is None:
        return None
    captions = [Caption(caption.text, caption.logprob or 0.0) for caption in picture.captions]
    return Description(captions, index.vectors.vector(row), index.embeddings.vector(row))


def known_content(library: Library, content: bytes, model_version: str) -> Description | None:
    """Return what the library holds of a picture file's bytes, None unless `model_version` described it.

    Another model's vectors could not be compared with those of the library. Raises StoreError.
    """
    digest = content_hash(content)
    if library.searcher().index.model_version != model_version:
        return None
    if library.store.describe_needed([digest], model_version):
        return None
    picture_id = library.store.picture_id(digest)
    return None if picture_id is None else known_picture(library, picture_id)
