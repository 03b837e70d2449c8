"""Word forms that meet, and those that do not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from nltk.stem.snowball import SnowballStemmer

from data.folding import fold


@pytest.mark.parametrize("forms", [("dog", "dogs"), ("run", "runs", "running"), ("ride", "rides", "riding")])
def test_forms_of_a_word_meet(forms: tuple[str, ...]) -> None:
    assert len({fold(form) for form in forms}) == 1


@pytest.mark.parametrize("word", ["a", "'s", "42", "été", "собака", "犬", "\ud800"])
def test_what_is_no_english_word_is_left_alone(word: str) -> None:
    assert fold(word) == word


def test_different_words_stay_apart() -> None:
    assert len({fold(word) for word in ("man", "woman", "dog", "snow", "ski", "sky", "boat", "boot")}) == 8


def test_is_the_known_stemmer() -> None:
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
