"""The gallery of an evaluation: a data set's pictures, described by the captioner and indexed as the product does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os.path import commonpath
from pathlib import Path
from urllib.parse import quote

import numpy as np

from captioner.pipeline import ThreadExecutor, as_row, in_groups, read_files
from captioner.reading import Reading
from captioner.types import Description, SearchDescriber, StagedDescriber
from data.captioned import CaptionedPicture
from data.paths import display
from data.progress import progress_bar
from data.records import Batch, FileRow, PictureRow, content_hash
from data.store import Store
from data.temporary import temporary_folder
from retrieval.index.upkeep import build_index, current_index
from retrieval.search.query import Query
from retrieval.search.search import Searcher
from training.evaluation.folders import Labelled


@dataclass(frozen=True)
class Described:
    """The usable pictures with their descriptions, and a line for each picture left out."""

    pictures: list[CaptionedPicture]
    descriptions: list[Description]
    problems: list[str]

    @property
    def captions_per_picture(self) -> float:
        """Mean number of generated captions, 0 without pictures."""
        return sum(len(one.captions) for one in self.descriptions) / max(1, len(self.descriptions))

    @property
    def texts(self) -> list[list[str]]:
        """The generated captions of each picture, best first."""
        return [[caption.text for caption in one.captions] for one in self.descriptions]

    def with_captions(self, count: int | None) -> Described:
        """Return the same with at most `count` captions of each picture; None keeps all."""
        return replace(self, descriptions=[replace(one, captions=one.captions[:count]) for one in self.descriptions])


def describe_pictures(captioner: StagedDescriber, pictures: Sequence[CaptionedPicture]) -> Described:
    """Describe `pictures`, in the product's pipeline; those that cannot be decoded are left out and named."""
    described = Described([], [], [])

    def read(group: Sequence[CaptionedPicture]) -> list[Reading[tuple[CaptionedPicture, str]]]:
        readings = read_files([one.path for one in group], captioner.input_side)
        return [
            Reading((picture, one.source.problem), one.square) for picture, one in zip(group, readings, strict=True)
        ]

    with progress_bar(total=len(pictures), desc="captioning", unit="pic") as bar:
        for group in ThreadExecutor().describe(in_groups(pictures), read, captioner):
            for (picture, problem), description in group:
                if description is None:
                    described.problems.append(f"{picture.name} {problem}")
                else:
                    described.pictures.append(picture)
                    described.descriptions.append(description)
            bar.update(len(group))
    return described


def describe_labelled(captioner: StagedDescriber, labelled: Labelled) -> tuple[Described, np.ndarray]:
    """Describe labelled pictures; return also the label of each that can be decoded, (n,)."""
    above = Path(commonpath(labelled.files))
    pictures = [CaptionedPicture(display(file.relative_to(above)), file, []) for file in labelled.files]
    described = describe_pictures(captioner, pictures)
    classes = dict(zip(labelled.files, labelled.labels, strict=True))
    return described, np.array([classes[one.path] for one in described.pictures])


class RowRanker:
    """Ranks described pictures, by their rows, as the `searchable` library of them does."""

    def __init__(self, described: Described, searcher: Searcher, rows: Mapping[str, int]) -> None:
        self._searcher = searcher
        self._order = np.argsort([rows[one.name] for one in described.pictures])

    def rank(self, query: Query) -> np.ndarray:
        """Return the rows that are found, int64, best first."""
        ids = self._searcher.rank(query).ids
        return np.asarray(self._order[np.searchsorted(self._searcher.index.ids, ids)])


@contextmanager
def searchable(
    described: Described, captioner: SearchDescriber, index_dir: Path | None = None
) -> Iterator[tuple[Searcher, dict[str, int]]]:
    """Index the pictures in a temporary library, without human captions, while the context lasts.

    Yield its searcher and the row in the searcher's index of each picture by name. The index is in memory, or with
    `index_dir` in the files of that folder.
    """
    with temporary_folder() as folder:
        store = Store.open(f"sqlite:///{quote(str(folder))}/gallery.sqlite3")
        try:
            store.write_batch(_batch(described, captioner.model_version))
            index = build_index(store) if index_dir is None else current_index(store, index_dir)
            searcher = Searcher(store, index, captioner.search_model)
            yield searcher, _rows(store, searcher, described)
        finally:
            store.close()


def _batch(described: Described, model_version: str) -> Batch:
    batch = Batch()
    for picture, description in zip(described.pictures, described.descriptions, strict=True):
        digest = _digest(picture)
        # Its path is made up: the file names of data sets must not help to find pictures.
        batch.files.append(FileRow(b"/" + digest.encode(), 0, 0, digest))
        batch.pictures.append(PictureRow(digest, 0, 0, "JPEG", 0, None))
        batch.descriptions.append(as_row(digest, model_version, description))
    return batch


def _digest(picture: CaptionedPicture) -> str:
    """Hash the name, not the content: a picture that the data set has twice counts twice."""
    return content_hash(picture.name.encode())


def _rows(store: Store, searcher: Searcher, described: Described) -> dict[str, int]:
    names = {_digest(picture): picture.name for picture in described.pictures}
    ids = [int(one) for one in searcher.index.ids]
    stored = store.pictures(ids)
    return {names[stored[one].digest]: row for row, one in enumerate(ids)}
