from __future__ import annotations

from unicodedata import normalize

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


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Zwei MÄNNER überqueren die Straße.", ["zwei", "männer", "überqueren", "die", "straße"]),
        ("L'homme, d\u2019un qu'il aujourd'hui", ["l'homme", "d'un", "qu'il", "aujourd'hui"]),
        ("Un cœur à côté d'un garçon", ["un", "cœur", "à", "côté", "d'un", "garçon"]),
        ("Žluťoučký kůň úpěl ďábelské ódy", ["žluťoučký", "kůň", "úpěl", "ďábelské", "ódy"]),
    ],
)
def test_words_of_other_languages_stay_whole_however_they_are_composed(text: str, words: list[str], form: str) -> None:
    assert tokenize(normalize(form, text)) == words  # type: ignore[arg-type]


@given(st.text())
def test_words_cut_again_stay_the_same(text: str) -> None:
    words = tokenize(text)
    assert tokenize(" ".join(words)) == words
    assert all(word and not word[0].isspace() for word in words)
