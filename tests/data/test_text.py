from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.text import tokenize


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  \n ", []),
        ("?!. -- '", []),
        ("Two DOGS, running.", ["two", "dogs", "running"]),
        ("the dog 's ball", ["the", "dog", "'s", "ball"]),
        ("the dog's ball", ["the", "dog", "'s", "ball"]),
        ("the dogs' ball", ["the", "dogs", "ball"]),
        ("it\u2019s don\u2019t", ["it", "'s", "don't"]),
        ("black-and-white snake_case", ["black", "and", "white", "snake", "case"]),
        ("3 dogs, No. 12", ["3", "dogs", "no", "12"]),
        ("École ŽENA 犬", ["école", "žena", "犬"]),
        ("\ufb01ne \uff44og", ["fine", "dog"]),
        ("नमस्ते", ["नमस्ते"]),
        ("a\x00b\tc\ud800d", ["a", "b", "c", "d"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert tokenize(text) == words


@given(st.text())
def test_words_cut_again_stay_the_same(text: str) -> None:
    words = tokenize(text)
    assert tokenize(" ".join(words)) == words
    assert all(word and not word[0].isspace() for word in words)
