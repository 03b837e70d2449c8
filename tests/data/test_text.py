"""Which forms of a word count as one word."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.stem.snowball import SnowballStemmer

from data.text import fold, tokenize


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
def test_tokenising_twice_changes_nothing(text: str) -> None:
    words = tokenize(text)
    assert tokenize(" ".join(words)) == words
    assert all(word and not word[0].isspace() for word in words)


@pytest.mark.parametrize("forms", [("dog", "dogs"), ("run", "runs", "running"), ("ride", "rides", "riding")])
def test_forms_of_a_word_have_one_stem(forms: tuple[str, ...]) -> None:
    assert len({fold(form) for form in forms}) == 1


@pytest.mark.parametrize("word", ["a", "'s", "42", "собака", "йод", "犬", "नमस्ते", "\ud800"])
def test_other_words_than_english_do_not_change(word: str) -> None:
    assert fold(word) == word


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("eve", "Ève's"),
        ("cafe", "café"),
        ("CAFÉ", "cafe"),
        ("naive", "naïve"),
        ("strasse", "Straße"),
        ("office", "o\ufb03ce"),
        ("dog", "\uff44\uff4f\uff47"),
        ("istanbul", "\u0130stanbul"),
        ("kapi", "kap\u0131"),
        ("coeur", "cœur"),
        ("smorrebrod", "smørrebrød"),
        ("lodz", "Łódź"),
        ("zlutoucky", "žluťoučký"),
    ],
)
def test_accents_make_no_other_word(typed: str, written: str) -> None:
    assert fold(tokenize(typed)[0]) == fold(tokenize(written)[0])


def test_different_words_stay_apart() -> None:
    assert len({fold(word) for word in ("man", "woman", "dog", "snow", "ski", "sky", "boat", "boot")}) == 8


def test_is_the_porter2_stemmer() -> None:
    nltk = SnowballStemmer("english")
    words = ("beaches", "climbing", "swimmer", "grassy", "skiing", "puppies", "jumped", "bicycles", "wearing")
    assert [fold(word) for word in words] == [nltk.stem(word) for word in words]


def test_threads_do_not_disturb_each_other() -> None:
    words = [f"{letter}{ending}" for letter in "bcdfghklmnprst" for ending in ("unning", "ogs", "atches", "umped")] * 20
    fold.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(fold, words))
    fold.cache_clear()
    assert found == [fold(word) for word in words]
