"""The product's own search by a picture, over a temporary library of described pictures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np

from captioner.types import Description, SearchDescriber
from data.captioned import CaptionedPicture
from data.temporary import temporary_folder
from retrieval.search.query import Query, QueryImage
from training.evaluation.gallery import Described, RowRanker, searchable


class ProductSearch:
    """Ranks `descriptions` (n) by the likeness of their pictures to another one; a context, which holds the library."""

    def __init__(self, captioner: SearchDescriber, descriptions: Sequence[Description]) -> None:
        self._stack = ExitStack()
        pictures = [CaptionedPicture(str(row), Path(str(row)), []) for row in range(len(descriptions))]
        with self._stack:
            folder = self._stack.enter_context(temporary_folder()) / "index"
            described = Described(pictures, list(descriptions), [])
            self._ranker = RowRanker(described, *self._stack.enter_context(searchable(described, captioner, folder)))
            self.bytes = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
            """The files of the search index."""
            self._open = self._stack.pop_all()

    def ranked(self, description: Description, count: int) -> np.ndarray:
        """Return the rows of the `count` best, int64, best first; those without any relevance are left out."""
        return self._ranker.rank(Query(like=[QueryImage(description)]))[:count]

    def __enter__(self) -> ProductSearch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
