"""Words and numbers."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.vocabulary import END, PAD, START, UNKNOWN, Vocabulary


def test_keeps_frequent_words_most_frequent_first() -> None:
    captions = [["a", "dog", "runs"], ["a", "dog"], ["a", "cat"]]
    assert Vocabulary.from_captions(captions, min_count=2).words == ("a", "dog")


def test_encodes_and_decodes() -> None:
    vocabulary = Vocabulary(["a", "dog"])
    assert vocabulary.encode(["a", "zebra", "dog"]) == [4, UNKNOWN, 5]
    assert vocabulary.decode([START, 4, 5, END, 4]) == ["a", "dog"]
    assert len(vocabulary) == 6


def test_an_unknown_word_is_read_as_the_most_frequent_of_its_stem() -> None:
    vocabulary = Vocabulary(["beach", "run", "running", "dog"])
    assert vocabulary.read(["beaches", "runs", "running", "zebra"]) == [
        *vocabulary.encode(["beach", "run", "running"]),
        UNKNOWN,
    ]
    assert vocabulary.encode(["beaches"]) == [UNKNOWN]


def test_teacher_forcing_shifts_pads_and_cuts() -> None:
    vocabulary = Vocabulary(["a", "dog"])
    inputs, targets = vocabulary.teacher_forcing([["a"], ["a", "dog", "a", "dog"]], steps=4)
    np.testing.assert_array_equal(inputs, [[START, 4, PAD, PAD], [START, 4, 5, 4]])
    np.testing.assert_array_equal(targets, [[4, END, PAD, PAD], [4, 5, 4, END]])


@pytest.mark.parametrize("words", [["a", "a"], ["a", "<end>"]])
def test_refuses_doubled_words_and_marks(words: list[str]) -> None:
    with pytest.raises(ValueError, match="distinct"):
        Vocabulary(words)
