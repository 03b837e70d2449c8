"""A gallery's captions, cut into words and laid end to end: what postings are built from."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from data.text import tokenize
from retrieval.bleu.kinds import Kinds
from retrieval.bleu.words import WordTable


@dataclass(frozen=True)
class CaptionWords:
    """All captions of a gallery.

    `words` (t,) int32: word ids; `caption` (t,) int32: which caption each stands in; `picture` (captions,) int32:
    the row of each caption's picture; `kinds`: how many captions each picture has and how long they are.
    """

    table: WordTable
    words: np.ndarray
    caption: np.ndarray
    picture: np.ndarray
    kinds: Kinds


def read_captions(gallery: Iterable[Sequence[str]], fold: Callable[[str], str]) -> CaptionWords:
    """Cut every picture's captions into words, each as `fold` gives it; pictures and captions keep their order."""
    pieces = _Pieces(fold)
    words, lengths, picture, kind = array("i"), array("i"), array("i"), array("i")
    kinds: dict[tuple[int, ...], int] = {}
    for row, captions in enumerate(gallery):
        own = []
        for caption in captions:
            before = len(words)
            for piece in caption.split() if caption.isascii() else (caption,):
                words.extend(pieces[piece])
            own.append(len(words) - before)
            picture.append(row)
        lengths.extend(own)
        kind.append(kinds.setdefault((len(own), *sorted(set(own))), len(kinds)))
    table, ids = WordTable.build(pieces.numbers)
    return CaptionWords(
        table,
        words=ids.astype(np.int32)[np.asarray(words)],
        caption=np.repeat(np.arange(len(lengths), dtype=np.int32), np.asarray(lengths)),
        picture=np.asarray(picture),
        kinds=Kinds.build(np.asarray(kind), list(kinds)),
    )


class _Pieces(dict[str, array]):
    """The word numbers of every text seen. ASCII text is cut at its spaces first, since its words never span them."""

    def __init__(self, fold: Callable[[str], str]) -> None:
        super().__init__()
        self.numbers: dict[str, int] = {}
        self._fold = fold

    def __missing__(self, text: str) -> array:
        numbers, tokens = self.numbers, [self._fold(word) for word in tokenize(text)]
        found = array("i", [numbers.setdefault(token, len(numbers)) for token in tokens])
        if text.isascii():  # Whole captions in other scripts are too many to keep.
            self[text] = found
        return found
