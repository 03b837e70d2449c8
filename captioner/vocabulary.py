"""The vocabulary: words and their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from data.text import fold

PAD, START, END, UNKNOWN = range(4)
SPECIAL = ("<pad>", "<start>", "<end>", "<unknown>")


class Vocabulary:
    """The words a decoder knows; numbers 0-3 are padding, start, end and the unknown word."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._number = {word: number for number, word in enumerate(self.words, len(SPECIAL))}
        if len(self._number) != len(self.words) or set(SPECIAL) & set(self.words):
            raise ValueError("the words of a vocabulary must be distinct and none may be a mark such as <end>")

    @classmethod
    def from_captions(cls, captions: Iterable[Sequence[str]], min_count: int) -> Vocabulary:
        """Keep the words that occur at least `min_count` times, most frequent first, ties by spelling."""
        counts = Counter(word for caption in captions for word in caption)
        kept = [word for word, count in counts.items() if count >= min_count]
        return cls(sorted(kept, key=lambda word: (-counts[word], word)))

    def __len__(self) -> int:
        return len(SPECIAL) + len(self.words)

    def encode(self, tokens: Sequence[str]) -> list[int]:
        """Return the numbers of `tokens`, without marks; an unknown word becomes UNKNOWN."""
        return [self._number.get(token, UNKNOWN) for token in tokens]

    def read(self, tokens: Sequence[str]) -> list[int]:
        """Return the numbers of typed words: an unknown word becomes the most frequent known word of its stem.

        People type "beaches" where captions say "beach".
        """
        numbered = zip(tokens, self.encode(tokens), strict=True)
        return [number if number != UNKNOWN else self._of_stem.get(fold(token), UNKNOWN) for token, number in numbered]

    @cached_property
    def _of_stem(self) -> dict[str, int]:
        """The number of the most frequent word of each stem; takes a tenth of a second and is seldom needed."""
        return {fold(word): number for word, number in reversed(self._number.items())}

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """Return the words up to the first END, without marks."""
        words = []
        for number in numbers:
            if number == END:
                break
            if number >= len(SPECIAL):
                words.append(self.words[number - len(SPECIAL)])
        return words

    def counts(self, captions: Iterable[Sequence[str]]) -> np.ndarray:
        """Count each number in `captions`, their END included, int64 (vocabulary,)."""
        counts = np.zeros(len(self), np.int64)
        for caption in captions:
            np.add.at(counts, [*self.encode(caption), END], 1)
        return counts

    def teacher_forcing(self, captions: Sequence[Sequence[str]], steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (inputs, targets), int32 (n, steps): START w1 w2 .. and w1 w2 .. END, padded; long ones are cut."""
        inputs = np.full((len(captions), steps), PAD, np.int32)
        targets = np.full((len(captions), steps), PAD, np.int32)
        for row, caption in enumerate(captions):
            numbers = self.encode(caption)[: steps - 1]
            inputs[row, : len(numbers) + 1] = [START, *numbers]
            targets[row, : len(numbers) + 1] = [*numbers, END]
        return inputs, targets
