"""How names, folders and keywords become words, and which of them can be found."""

from __future__ import annotations

import pytest

from data.records import PictureText
from retrieval.metadata.terms import found_words, key, stem_of, terms_of, texts_of, whole_terms, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ève's Möwen", ["eve", "mowen"]),
        ("trips", ["trip"]),
        ("beach2019", ["beach2019", "beach", "2019"]),
        ("2019beach", ["2019beach", "2019", "beach"]),
        ("MyHoliday", ["myholiday", "holiday"]),
        ("IMG_2682", ["img", "2682"]),
        ("the a of 7 42", []),
        ("北京旅行", ["北京旅行", "北京", "京旅", "旅行"]),
        ("693b08cb0e", ["693b08cb0e"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_keys_and_stems() -> None:
    assert key("IMG_2682") == key("img 2682") == key("Img-2682") == "img2682"
    assert key("Café crème") == "cafecreme"
    assert stem_of("china.JPG") == ("china", "jpg")
    assert stem_of("photo.v2.heic") == ("photo.v2", "heic")
    assert stem_of("St. Moritz") == ("St. Moritz", "")


@pytest.mark.parametrize(
    ("field", "text"),
    [("folder", "DCIM"), ("folder", "100APPLE"), ("folder", "Photos"), ("name", "IMG.jpg"), ("folder", "Camera Roll")],
)
def test_what_systems_call_things_is_no_word(field: str, text: str) -> None:
    assert found_words(PictureText(field, text)) == frozenset()


def test_what_a_person_calls_a_camera_is_a_word() -> None:
    assert found_words(PictureText("keyword", "camera")) == {"camera"}


def test_texts_of_a_picture() -> None:
    paths = [b"/home/me/Pictures/trips/Rome/a.jpg", b"/elsewhere/b.jpg"]
    keyword = PictureText("keyword", "Places|Italy")
    assert texts_of(paths, [keyword], [b"/home/me/Pictures", b"/home/me/Pictures/trips"]) == [
        PictureText("name", "a.jpg"),
        PictureText("name", "b.jpg"),
        PictureText("folder", "trips"),
        PictureText("folder", "Rome"),
        keyword,
    ]


def test_names_that_are_no_text_are_read_as_they_are_shown() -> None:
    assert texts_of([b"/p/caf\xe9.jpg"], [], []) == [PictureText("name", "caf\\xe9.jpg")]


def test_whole_texts() -> None:
    assert whole_terms(PictureText("name", "Sea Side.jpg")) == ["=seaside", "=seaside.jpg"]
    assert whole_terms(PictureText("keyword", "Places|New York")) == ["=places", "=newyork"]
    assert whole_terms(PictureText("folder", "DCIM")) == []
    assert set(terms_of([PictureText("name", "sea.jpg")])) == {"sea", "=sea", "=sea.jpg"}
