"""How near the decoder's captions lie to their picture in the space that both share.

Of the few captions that a beam search finds, the likeliest is often one that would do for many pictures; the shared
space knows what tells this picture apart (docs/training.md has what that is worth).
"""

from __future__ import annotations

import numpy as np

from captioner.embedding import Embedding, join_members, member_weights, pool_words
from captioner.vocabulary import SPECIAL, UNKNOWN, Vocabulary


class CaptionEmbedder:
    """Captions, as numbers of the decoder's words, to places: `TextEmbedder`, out of tables of what each word gives.

    Whoever captions many pictures meets the same three thousand words again and again.
    """

    def __init__(self, embedding: Embedding, vocabulary: Vocabulary) -> None:
        """`vocabulary` is the decoder's. Raises ValueError where the embedding's weights do not fit."""
        sizes = embedding.config
        numbers = np.array([UNKNOWN] * len(SPECIAL) + embedding.vocabulary.read(vocabulary.words))
        self._known = numbers != UNKNOWN
        self._members = [
            member_weights(embedding.weights, member, sizes.text_shapes()) for member in range(sizes.members)
        ]
        self._tables = [_table(member, numbers) for member in self._members]
        self._parts = np.cumsum([sizes.word, sizes.units, sizes.units])

    def nearness(self, captions: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Cosines float32 (n, h) of captions int (n, h, steps) to their pictures at `places` (n, e); 0 for none."""
        rows = captions.reshape(-1, captions.shape[2])
        read = [row[self._known[row]] for row in rows]
        said = np.array([len(one) > 0 for one in read])
        cosines = np.zeros(len(rows), np.float32)
        if said.any():
            beside = np.repeat(places, captions.shape[1], axis=0)[said]
            cosines[said] = np.einsum("me,me->m", self._embed([one for one in read if len(one)]), beside)
        return cosines.reshape(captions.shape[:2])

    def _embed(self, read: list[np.ndarray]) -> np.ndarray:
        """Places (m, e) of captions that say something."""
        return join_members(
            [
                np.stack([pool_words(*np.split(table[one], self._parts, axis=1)) for one in read])
                @ member["sentence/kernel"]
                + member["sentence/bias"]
                for member, table in zip(self._members, self._tables, strict=True)
            ]
        )


def _table(w: dict[str, np.ndarray], numbers: np.ndarray) -> np.ndarray:
    """What each of the words gives to `pool_words`, side by side: (words, word + 3 units)."""
    words = w["words/embeddings"][numbers]
    single = np.maximum(words @ w["single/kernel"] + w["single/bias"], 0)
    return np.concatenate(
        [words, single, words @ w["first/kernel"] + w["first/bias"], words @ w["second/kernel"]], axis=1
    )
