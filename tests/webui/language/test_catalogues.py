"""Every message of the page is translated into every language, with the same places."""

from __future__ import annotations

import re

import pytest

from bench.messages import messages
from webui.language.catalogues import catalogue
from webui.language.choosing import LANGUAGES

OTHERS = [language for language in LANGUAGES if language != "en"]
PLACES = re.compile(r"%\((\w+)\)s|\{(\w+)\}|<(/?\w+)")
"""Values that are filled in, and tags."""


@pytest.fixture(scope="module")
def present() -> set[str | tuple[str, ...]]:
    return {_known(message.id) for message in messages() if message.id}


def _known(id: str | list[str] | tuple[str, ...]) -> str | tuple[str, ...]:
    return id if isinstance(id, str) else tuple(id)


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_is_translated_and_none_is_left_over(language: str, present: set[str | tuple[str, ...]]) -> None:
    translated = {
        _known(one.id)
        for one in catalogue(language)
        if one.id and all([one.string] if isinstance(one.string, str) else one.string)
    }
    assert translated == present, "run `make messages` and translate what is new"


@pytest.mark.parametrize("language", OTHERS)
def test_places_and_tags_are_those_of_the_message(language: str) -> None:
    for one in catalogue(language):
        forms = [one.string] if isinstance(one.string, str) else one.string
        asked = sorted(set(PLACES.findall(one.id if isinstance(one.id, str) else one.id[1])))
        for form in forms if one.id else []:  # a form for one thing may leave its number out
            found = set(PLACES.findall(form)) | ({("count", "", "")} if form != forms[-1] else set())
            assert sorted(found | ({("count", "", "")} & {*asked})) == asked, form
        if one.id and "%(" in str(one.id):
            assert not re.search(r"%(?!\()", "".join(forms)), "a percent sign would be read as a place"
