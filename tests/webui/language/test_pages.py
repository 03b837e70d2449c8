"""Pages in the language of the browser, or the one chosen on this device; answers to programs stay English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from data.paths import to_bytes
from data.records import Batch, SkipRow
from retrieval.library import Library
from webui.language.choosing import LANGUAGES
from webui.language.formats import forms, moment, percent, span
from webui.language.sentences import translated

VIEWS = (
    "/",
    "/?q=red+boat&why=true&all=true",
    "/?q=red+puppy+kitten&all=true",
    "/?q=xyzzy",
    "/?like=1&unlike=2&why=true",
    "/?min_side=100&orientation=landscape&colour=red&taken_from=2020-01-01&format=PNG&q=red",
    "/?limit=5&offset=5&unknown=1",
    "/picture/1?q=red&at=0",
    "/library",
    "/library?add=true",
    "/library/skipped",
    "/library/noted",
    "/duplicates",
    "/duplicates?kind=near",
    "/people",
    "/sketch",
    "/nothing",
    "/?limit=0",
    "/?q=" + "a+" * 1001,
    "/picture/999",
)
SAID = ("alt", "title", "aria-label", "placeholder")
SAME = {
    *LANGUAGES.values(),
    "Retroflex",
    "BLEU",
    "Filter",
    "Format",
    "CSV",
    "JSON",
    "ZIP",
    "Name",
    "MiB",
    "KiB",
    "Esc",
    "photos",
}
"""Words that are the same in both languages, or no words of the page."""


class Texts(HTMLParser):
    """What a person sees or hears of a page, in pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._silent = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent = tag if tag in ("script", "style", "code", "kbd") else ""
        self.found |= {value for name, value in attrs if name in SAID and value}

    def handle_endtag(self, tag: str) -> None:
        self._silent = ""

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.found.add(" ".join(data.split()))


@pytest.fixture
def filled(library: Library, photo_folder: Path) -> None:
    """Two skipped files, and a caption that a person wrote."""
    reasons = (
        "is empty (0 bytes)",
        "has 20,000x30,000 pixels, the cap is 178,956,970; set RETROFLEX_MAX_PIXELS to allow more",
    )
    rows = [SkipRow(to_bytes(photo_folder / f"{n}.png"), 1, 1, reason) for n, reason in enumerate(reasons)]
    library.store.write_batch(Batch(skipped=rows))
    library.store.set_user_caption(1, "vermilion")


def _texts(client: FlaskClient, view: str, language: str) -> set[str]:
    answer = client.get(view, headers={"Accept-Language": language})
    assert f'<html lang="{language}">' in answer.text
    assert answer.headers["Content-Language"] == language
    assert {"Accept-Language", "Cookie"} <= {*map(str.strip, answer.headers["Vary"].split(","))}
    parser = Texts()
    parser.feed(answer.text)
    return parser.found


def _words(library: Library) -> Iterator[str]:
    """Words of the library itself, which stay as they are."""
    for picture in library.store.pictures(list(range(1, 13))).values():
        yield from (*picture.texts, picture.format)
        for text in picture.texts:
            yield from re.findall(r"\w+", text)


@pytest.mark.usefixtures("filled")
def test_no_view_has_a_text_that_is_the_same_in_english_and_german(client: FlaskClient, library: Library) -> None:
    own = {*_words(library), "colours-1", "xyzzy", "puppy", "kitten"} | SAME
    both = {view: _texts(client, view, "en") & _texts(client, view, "de") for view in VIEWS}
    left = {(view, text) for view, texts in both.items() for text in texts if not _is_of_library(text, own)}
    assert not left


def _is_of_library(text: str, own: set[str]) -> bool:
    rest = re.sub(r"/\S+|[\w-]+\.(?:png|jpg|webp)|\b(?:a )+", "", text)
    for one in sorted(own, key=len, reverse=True):
        rest = rest.replace(one, "")
    return not re.search(r"[^\W\d_]{3,}", rest)


@pytest.mark.parametrize(
    ("accepted", "spoken"),
    [("de-AT,de;q=0.9,en;q=0.5", "de"), ("cs", "cs"), ("ja,es-MX;q=0.7,en;q=0.3", "es"), ("ja", "en"), ("", "en")],
)
def test_the_browser_says_which_language(client: FlaskClient, accepted: str, spoken: str) -> None:
    assert client.get("/", headers={"Accept-Language": accepted}).headers["Content-Language"] == spoken


def test_a_language_is_chosen_on_this_device(client: FlaskClient) -> None:
    answer = client.get("/?q=red&lang=fr&sort=newest&like=1&like=2")
    assert (answer.status_code, answer.location) == (303, "/?q=red&sort=newest&like=1&like=2")
    cookie = answer.headers["Set-Cookie"]
    assert all(part in cookie for part in ("lang=fr", "HttpOnly", "SameSite=Lax", "Path=/"))
    assert '<html lang="fr">' in client.get("/", headers={"Accept-Language": "de"}).text
    assert client.get("//evil.example/x", query_string={"lang": "fr"}, base_url="http://localhost").status_code == 404
    assert "there is no parameter 'lang'" in client.get("/?lang=xx", headers={"Cookie": "lang=en"}).text.replace(
        "&#39;", "'"
    )


def test_a_choice_leads_to_no_other_site(client: FlaskClient) -> None:
    page = client.get("/picture/1?q=%22%3E%3Cscript%3E").text
    addresses = re.findall(r'href="([^"]*lang=\w\w)"', page)
    assert len(addresses) == len(LANGUAGES)
    assert all(one.startswith("/picture/1?q=") for one in addresses)


def test_programs_get_english(client: FlaskClient) -> None:
    answer = client.get("/api/v1/search?q=red&limit=0", headers={"Accept-Language": "de"})
    assert answer.get_json()["detail"] == "limit must be a whole number from 1 to 1,000"
    assert "Content-Language" not in answer.headers


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("de", "limit muss eine ganze Zahl von 1 bis 1.000 sein"),
        ("fr", "limit doit être un nombre entier de 1 à 1\u202f000"),
        ("en_GB", "limit must be a whole number from 1 to 1,000"),
    ],
)
def test_a_sentence_is_translated_with_what_is_in_it(app: Flask, language: str, told: str) -> None:
    with _speaking(app, language):
        assert translated("limit must be a whole number from 1 to 1,000") == told


def test_places_keep_what_a_person_wrote_and_lists_are_joined(app: Flask) -> None:
    with _speaking(app, "de"):
        assert translated("No caption says “cat” or “Name”; these look similar.") == (
            "Keine Beschreibung sagt „cat“ oder „Name“; diese sehen ähnlich aus."
        )
        assert translated("the picture.png has 3 faces, so there is no face 4").endswith(
            "hat 3 Gesichter, also gibt es kein Gesicht 4"
        )
        assert translated("has 20x30 pixels, the cap is 5; set RETROFLEX_MAX_PIXELS to allow more").startswith(
            "hat 20x30 Pixel"
        )
        assert translated("something nobody has translated") == "something nobody has translated"


def test_numbers_dates_and_plurals_follow_the_language(app: Flask) -> None:
    time = datetime(2019, 5, 4, 10, 11)
    with _speaking(app, "cs"):
        assert (percent(0.93), span(120), moment(time)) == ("93\xa0%", "2 minuty", "4. května 2019, 10:11")
        assert set(forms("%(count)s selected", "%(count)s selected")) == {"one", "few", "many", "other"} - {"many"}
    with _speaking(app, "en_GB"):
        assert (percent(0.001), span(5), moment(time)) == ("< 1%", "5 seconds", "4 May 2019, 10:11")


def _speaking(app: Flask, language: str) -> AbstractContextManager[object]:
    return app.test_request_context(headers={"Accept-Language": language.replace("_", "-")})
